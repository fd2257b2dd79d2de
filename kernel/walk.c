/*
 * walk.c - long walks over the mapping database that survive preemption
 *
 * W1  A walk in a slot with an owner is registered (mapdb.h) unless it has ended.
 * W2  A thread has at most one walk. One that was given up (its thread died) keeps its slot until
 *     the slots run out; then it is the oldest some day, and finished by whoever needs its slot.
 * W3  The root of a preempted walk is held: it goes after everything below it (M6 of mapdb.h).
 */
#include "walk.h"

#include "kassert.h"
#include "limits.h"
#include "map.h"
#include "sched.h"

static struct walk walks[LIMIT_WALKS];
static uint32_t next_number;

void walk_init(void)
{
    for (unsigned i = 0; i < LIMIT_WALKS; i++)
        walks[i] = (struct walk){0};
    mapdb_walks = NULL;
}

static void end(struct walk *k)
{
    mapwalk_unregister(&k->at);
    k->owner = 0;
}

static struct walk *walk_of(uint32_t owner)
{
    struct walk *k = walks;

    while (k < walks + LIMIT_WALKS && k->owner != owner)
        k++;
    return k < walks + LIMIT_WALKS ? k : NULL;
}

static uint32_t current_id(void)
{
    return cpu0.current->obj.id + 1; /* the idle thread has number 0 */
}

/* What somebody else saw for the owner of a walk is remembered at its root. */
static void deposit(struct walk *k)
{
    if (k->owner == current_id() || !k->at.root)
        return;
    k->at.root->parts |= k->seen << 4 & MAPPING_AD;
    k->seen = 0;
}

/* Go on until the walk has ended (0) or MAP_PREEMPTED. */
static int proceed(struct walk *k)
{
    unsigned step = 0;

    while (k->at.root) {
        enum walk_visit v = k->at.up ? WALK_ON : k->visit(k, &step);

        deposit(k);
        if (v == WALK_ON)
            mapwalk_move(&k->at);
        if (v == WALK_PREEMPTED)
            break;
        if (++step >= LIMIT_STEPS) {
            step = 0;
            if (k->at.root && sched_preempt())
                break;
        }
    }
    if (!k->at.root)
        return 0;
    if (!k->at.from)
        k->at.root->parts |= MAPPING_HELD;
    return MAP_PREEMPTED;
}

/* A slot: our own, a free one, or that of the oldest walk once it is finished. NULL: preempted. */
static struct walk *slot(void)
{
    struct walk *k = walk_of(current_id());

    if (k)
        end(k);
    else
        k = walk_of(0);
    if (k)
        return k;
    k = walks;
    for (struct walk *o = walks; o < walks + LIMIT_WALKS; o++)
        if ((int32_t)(o->number - k->number) < 0)
            k = o;
    if (proceed(k) == MAP_PREEMPTED)
        return NULL;
    end(k);
    return k;
}

static struct walk *begin(const struct walk *what)
{
    struct walk *k = slot();

    if (!k)
        return NULL;
    *k = *what;
    k->owner = current_id();
    k->number = next_number++;
    mapwalk_register(&k->at);
    return k;
}

/* The current thread was preempted in this very walk. */
static struct walk *resumed(const struct walk *what)
{
    struct walk *k = walk_of(current_id());

    if (!k || k->at.root != what->at.root || k->at.from != what->at.from ||
        k->at.page != what->at.page || k->at.level != what->at.level || k->visit != what->visit ||
        k->rights != what->rights || k->self != what->self || k->detached != what->detached)
        return NULL;
    return k;
}

int walk_run(const struct walk *what, unsigned *seen)
{
    struct walk *k = resumed(what);
    int r;

    if (!k)
        k = begin(what);
    if (!k)
        return MAP_PREEMPTED;
    r = proceed(k);
    *seen |= k->seen;
    k->seen = 0;
    if (!r)
        end(k);
    return r;
}

int walk_finish(void)
{
    struct walk *k = walk_of(current_id());
    int r;

    if (!k || !k->detached)
        return 0;
    r = proceed(k);
    if (!r)
        end(k);
    return r;
}

/* One step up. */
static enum walk_visit climb(struct walk *k, unsigned *step)
{
    (void)step;
    k->at.at = mapping_parent(k->at.at);
    if (k->at.at == k->at.root)
        k->seen = 1;
    if (k->at.at == k->at.root || !k->at.at)
        k->at.root = NULL;
    return WALK_HERE;
}

int walk_is_ancestor(struct mapping *a, struct mapping *m)
{
    struct walk what = {.at = {.root = a, .at = m, .from = m}, .visit = climb};
    const struct mapping *p = m;
    unsigned found = 0;

    for (unsigned i = 0; p && p != a && i < LIMIT_STEPS; i++)
        p = mapping_parent(p);
    if (p == a)
        return 1;
    if (!p)
        return 0;
    return walk_run(&what, &found) == MAP_PREEMPTED ? -1 : (int)found;
}

void walk_abandon(const struct thread *t)
{
    struct walk *k = walk_of(t->obj.id + 1);

    if (k)
        end(k);
}
