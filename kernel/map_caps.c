/*
 * map_caps.c - capability flexpages: slots, their mappings, their objects
 *
 * C1  A slot with `ref` has a node and vice versa; a dying node keeps its slot, whose ref is 0.
 * C2  refs of an object is the number of slots that refer to it.
 * C3  A task's owner is the task that holds its first capability. From owner to owner one comes to
 *     one of the first two tasks, which own themselves: so every task dies with somebody.
 */
#include "kassert.h"
#include "limits.h"
#include "map.h"
#include "sched.h"
#include "walk.h"

enum { AGAIN = MAP_PREEMPTED + 1 };
enum { SLOTS = (LIMIT_STEPS + 1) / 2 /* between two looks at the interrupts */ };

static bool cut(struct mapping *m)
{
    struct cap *c = kptr(m->entry);
    struct object *o = cap_object(c);

    c->ref = 0;
    mapdb_cut(m, 0);
    object_drop(o);
    return true;
}

static void forget(struct mapping *m)
{
    struct cap *c = kptr(m->entry);

    c->node = 0;
    mapdb_remove(m, cap_task(c)->space.quota);
    if (!--kmem_desc(c)->live)
        cap_slot_trim(c);
}

static const struct revoker revoker = {cut, forget, NULL};

bool cap_revoke(struct cap *c)
{
    unsigned seen = 0;

    return walk_revoke(&revoker, kptr(c->node), true, &seen);
}

/* Rights taken away from a slot on the walk's way. */
static enum walk_visit downgrade(struct walk *k, unsigned *step)
{
    struct cap *c = kptr(k->at.at->entry);

    (void)step;
    if (!mapping_dying(k->at.at) && (k->self || k->at.at != k->at.root))
        c->ref &= ~(uint32_t)k->rights;
    return WALK_ON;
}

/* Would a task go to a task that it keeps alive itself (C3), or to one too far from the first? */
static bool owned_by(const struct object *o, const struct task *holder)
{
    const struct object *at = &holder->obj;

    for (unsigned i = 0; i < LIMIT_OWNERS && at != o; i++) {
        const struct mapping *root = at->dying ? NULL : kptr(at->root);
        const struct object *owner = root ? &cap_task(kptr(root->entry))->obj : at;

        if (owner == at)
            return false;
        at = owner;
    }
    return true;
}

/* The receiver's node takes the sender's place. */
static int grant(struct map_request *r, struct cap *from, struct cap *to, unsigned rights)
{
    struct mapping *m = kptr(from->node);
    struct object *o = cap_object(from);
    struct walk k = {.visit = downgrade, .rights = ~rights & CAP_RIGHTS, .detached = true};
    unsigned seen = 0;

    if (!mapdb_move(m, kref(to), r->from->space.quota, r->to->space.quota))
        return -L4_ENOMEM;
    *to = (struct cap){kref(o) | rights, kref(m)};
    *from = (struct cap){0, 0};
    kmem_desc(to)->live++;
    if (!--kmem_desc(from)->live)
        cap_slot_trim(from);
    r->mapped++;
    k.at = mapwalk_start(m);
    if (!k.rights || !mapdb_child(m) || !walk_run(&k, &seen))
        return 0; /* children never have more than their parent */
    r->done++; /* what is left to be done is the first thing when the call goes on */
    return MAP_PREEMPTED;
}

/* One capability; AGAIN: the slot has been emptied, nothing mapped yet. */
static int map_one(struct map_request *r, struct cap *from, uint64_t slot)
{
    unsigned rights = from->ref & CAP_RIGHTS & r->rights;
    struct mapping *parent = kptr(from->node), *m;
    struct cap *to;
    int above;

    if (slot >= L4_CAP_SLOTS || !rights)
        return 0;
    if (r->grant && !parent->parent && cap_object(from)->type == OBJ_TASK &&
        owned_by(cap_object(from), r->to))
        return 0;
    to = cap_slot_make(r->to, slot);
    if (!to)
        return -L4_ENOMEM;
    if (to->node) {
        m = kptr(to->node);
        if (to->ref && cap_object(to) == cap_object(from)) {
            if (m->parent == from->node) {
                to->ref |= rights;
                r->mapped++;
                return 0;
            }
            above = walk_is_ancestor(m, parent);
            if (above)
                return above < 0 ? MAP_PREEMPTED : 0;
        }
        /* What is to be mapped may have stemmed from what was there, and pages of slots that became
         * empty are gone: look again. */
        return cap_revoke(to) ? AGAIN : MAP_PREEMPTED;
    }
    if (r->grant) {
        int err = grant(r, from, to, rights);

        if (err < 0)
            cap_slot_trim(to);
        return err;
    }
    m = mapping_new(r->to->space.quota, 1 | MAPPING_CAP);
    if (!m) {
        cap_slot_trim(to);
        return -L4_ENOMEM;
    }
    m->entry = kref(to);
    mapdb_link(mapdb_list(parent, 1, 0, NULL), parent, m);
    cap_object(from)->refs++;
    *to = (struct cap){kref(cap_object(from)) | rights, kref(m)};
    kmem_desc(to)->live++;
    r->mapped++;
    return 0;
}

int map_caps(struct map_request *r)
{
    uint64_t end = r->order >= 18 ? L4_CAP_SLOTS : 1UL << r->order;

    if (mapdb_walks && walk_finish() == MAP_PREEMPTED)
        return MAP_PREEMPTED;
    for (unsigned step = 1; r->done < end; step++) {
        uint64_t slot = r->src + r->done;
        struct cap *c = slot < L4_CAP_SLOTS ? cap_slot(r->from, slot << L4_CAP_SHIFT) : NULL;
        int err = c && c->ref ? map_one(r, c, r->dst + r->done) : 0;

        if (err && err != AGAIN)
            return err;
        if (!err)
            r->done += c ? 1 : CAPS_PER_PAGE - slot % CAPS_PER_PAGE;
        if (step % SLOTS == 0 && r->done < end && sched_preempt())
            return MAP_PREEMPTED;
    }
    return 0;
}

static int unmap_one(struct unmap_request *u, struct cap *c)
{
    unsigned rights = u->fp.raw & CAP_RIGHTS;
    struct mapping *m = kptr(c->node);
    bool all = u->mask & L4_FP_ALL_SPACES;
    struct walk k = {.visit = downgrade, .rights = rights, .self = all};
    bool del = (u->mask & L4_FP_DELETE_OBJ) == L4_FP_DELETE_OBJ;

    if (del && (c->ref & L4_CAP_FPAGE_D) && !cap_object(c)->dying) {
        object_die(cap_object(c)); /* the reaper takes all capabilities away */
        return 0;
    }
    if (!(rights & L4_CAP_FPAGE_R)) {
        k.at = mapwalk_start(m);
        return rights ? walk_run(&k, &u->status) : 0;
    }
    return walk_revoke(&revoker, m, all, &u->status) ? 0 : MAP_PREEMPTED;
}

int unmap_caps(struct unmap_request *u, uint64_t slot, unsigned order)
{
    uint64_t end = order >= 18 ? L4_CAP_SLOTS : 1UL << order;

    for (unsigned step = 1; u->done < end && slot + u->done < L4_CAP_SLOTS; step++) {
        uint64_t i = slot + u->done;
        struct cap *c = cap_slot(u->task, i << L4_CAP_SHIFT);

        if (c && c->node && unmap_one(u, c) == MAP_PREEMPTED)
            return MAP_PREEMPTED;
        u->done += c ? 1 : CAPS_PER_PAGE - i % CAPS_PER_PAGE;
        if (step % SLOTS == 0 && u->done < end && sched_preempt())
            return MAP_PREEMPTED;
    }
    return 0;
}
