/*
 * object.c - life and death of kernel objects
 *
 * The list of the dying is served before any system call returns that made an object die, and
 * by the idle CPU; both go on where the other stopped, because every step leaves the object in
 * a state from which the next one can be found.
 */
#include "object.h"

#include "factory.h"
#include "kassert.h"
#include "map.h"
#include "sched.h"
#include "walk.h"

static kref_t dying_first, dying_last;
static uint32_t next_id = 1;

void object_init(struct object *o, enum object_type type, struct object *factory)
{
    kassert((kref(o) & 15) == 0);
    o->type = type;
    o->id = next_id++;
    o->factory = kref(factory);
    if (factory)
        factory_of(factory)->users++;
}

void object_drop(struct object *o)
{
    kassert(o->refs > 0);
    if (--o->refs)
        return;
    o->root = 0;
    if (!o->dying)
        object_die(o);
}

void object_die(struct object *o)
{
    o->dying = true;
    cpu0.resched = true; /* before this thread goes on, the reaper has its turn */
    if (o->listed) /* a factory: its own capabilities went before its last object */
        return;
    o->listed = true;
    o->next_dying = 0;
    if (dying_last)
        ((struct object *)kptr(dying_last))->next_dying = kref(o);
    else
        dying_first = kref(o);
    dying_last = kref(o);
}

bool object_any_dying(void)
{
    return dying_first || walk_any_given_up();
}

static void dying_pop(struct object *o)
{
    o->listed = false;
    dying_first = o->next_dying;
    if (!dying_first)
        dying_last = 0;
}

/* First all capabilities that are left (the object was deleted by name), then what it holds. */
static enum reap reap_step(struct object *o)
{
    if (o->root) {
        struct mapping *root = kptr(o->root);

        cap_revoke(kptr(root->entry));
        return REAP_MORE;
    }
    return object_ops[o->type]->reap(o);
}

bool object_reap_all(void)
{
    for (;;) {
        struct object *o;
        enum reap r;

        if (!dying_first && mapdb_walks)
            walk_abandon(cpu0.current); /* of what it took apart */
        if (!walk_finish_given_up())
            return false;
        if (!dying_first)
            return true;
        o = kptr(dying_first);
        r = reap_step(o);
        if (r != REAP_MORE)
            dying_pop(o);
        if (r == REAP_DONE) {
            struct object *factory = kptr(o->factory);

            object_ops[o->type]->release(o);
            factory_user_gone(factory_of(factory));
        }
        if (sched_preempt())
            return false;
    }
}
