/*
 * walk.c - long walks over the mapping database that survive preemption
 *
 * W1  A slot is in use exactly while its walk has a root; then the walk is registered (mapdb.h).
 * W2  A thread has at most one walk. One that was given up (its thread died, or does something
 *     else) is finished as what dies is: before the system call returns in which that happened.
 * W3  A walk that takes away leaves nothing behind it that stems from its root (M5 of mapdb.h).
 */
#include "walk.h"

#include "kassert.h"
#include "limits.h"
#include "map.h"
#include "sched.h"
#include "trace.h"

static struct walk walks[LIMIT_WALKS];
static uint32_t next_number;
static const struct walk *running; /* the walk that the kernel is at */

enum { NOBODY = ~0U };

void walk_init(void)
{
    for (unsigned i = 0; i < LIMIT_WALKS; i++)
        walks[i] = (struct walk){0};
    mapdb_walks = NULL;
}

static void end(struct walk *k)
{
    mapwalk_unregister(&k->at);
    k->at.root = NULL;
}

/* The walk of a thread; NULL: it has none. */
static struct walk *walk_of(uint32_t owner)
{
    for (struct walk *k = walks; k < walks + LIMIT_WALKS; k++)
        if (k->at.root && k->owner == owner)
            return k;
    return NULL;
}

static struct walk *free_slot(void)
{
    for (struct walk *k = walks; k < walks + LIMIT_WALKS; k++)
        if (!k->at.root)
            return k;
    return NULL;
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
        enum walk_visit v;

        running = k;
        v = k->visit(k, &step);
        running = NULL;

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
    if (k->at.root)
        return MAP_PREEMPTED;
    end(k);
    return 0;
}

/* Half a revoke leaves children with more rights than their parent. */
static void give_up(struct walk *k)
{
    k->owner = NOBODY;
    cpu0.resched = true;
}

static struct walk *given_up(void)
{
    for (struct walk *k = walks; mapdb_walks && k < walks + LIMIT_WALKS; k++)
        if (k->at.root && k->owner == NOBODY)
            return k;
    return NULL;
}

bool walk_any_given_up(void)
{
    return given_up() != NULL;
}

bool walk_finish_given_up(void)
{
    struct walk *k;

    while ((k = given_up()) != NULL)
        if (proceed(k) == MAP_PREEMPTED)
            return false;
    return true;
}

static void enter(struct walk *k)
{
    k->owner = current_id();
    k->number = next_number++;
    mapwalk_register(&k->at);
}

/* A free one; what we were at before is not to be forgotten, climbs apart. */
static struct walk *easy_slot(void)
{
    struct walk *k = walk_of(current_id());

    if (k && k->at.from)
        end(k);
    else if (k)
        give_up(k);
    return free_slot();
}

/* The same, or that of the oldest walk once it is finished. NULL: preempted. */
static struct walk *slot(void)
{
    struct walk *k = easy_slot();

    if (k)
        return k;
    k = walks;
    for (struct walk *o = walks; o < walks + LIMIT_WALKS; o++)
        if ((int32_t)(o->number - k->number) < 0)
            k = o;
    return proceed(k) == MAP_PREEMPTED ? NULL : k;
}

static struct walk *begin(const struct walk *what)
{
    struct walk *k = slot();

    if (!k)
        return NULL;
    *k = *what;
    enter(k);
    return k;
}

/* The current thread was preempted in this very walk. */
static struct walk *resumed(const struct walk *what)
{
    struct walk *k = walk_of(current_id());

    if (!k || k->at.root != what->at.root || k->at.from != what->at.from ||
        k->at.page != what->at.page || k->at.level != what->at.level ||
        k->visit != what->visit || k->revoker != what->revoker || k->rights != what->rights ||
        k->self != what->self || k->detached != what->detached)
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
    return r;
}

int walk_finish(void)
{
    struct walk *k = walk_of(current_id());

    return k && k->detached ? proceed(k) : 0;
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
        give_up(k);
}

/* ---- revoke ---- */

enum walk_visit walk_revoke_visit(struct walk *k, unsigned *step)
{
    struct mapping *m = k->at.at;

    if (m == k->at.root && !k->self)
        return WALK_ON;
    if (!k->at.up) {
        if (mapping_dying(m) || k->revoker->cut(m))
            return WALK_ON;
        *step = LIMIT_STEPS; /* a piece of it was as much as that */
        return WALK_HERE;
    }
    kassert(mapping_dying(m) && !mapdb_child(m));
    if (m == k->at.root)
        k->seen |= (m->parts & MAPPING_AD) >> 4;
    k->revoker->forget(m); /* and the walk moves on */
    return WALK_HERE;
}

/* Keep the place of a revoke that is preempted; if there is no slot it begins again at the root,
 * and finds only what is left. */
static void park(const struct walk *what, struct mapping *top)
{
    struct walk *k = running ? NULL : easy_slot();

    if (!k)
        return;
    *k = *what;
    k->at.at = top;
    enter(k);
}

/* The same as the visits of a walk do, for as long as nobody interrupts. */
static bool revoke_below(const struct walk *what, struct mapping *top)
{
    const struct revoker *r = what->revoker;
    struct mapping *root = what->at.root, *c;
    bool fast = r->leaves && walk_unwatched();
    unsigned step = 0;

    while ((c = mapdb_child(top)) != NULL || top != root) {
        if (c && fast && mapping_leaf(c)) {
            step += r->leaves(c, LIMIT_STEPS - step);
        } else if (!c) {
            c = top;
            top = mapping_parent(top);
            r->forget(c);
        } else if (mapping_dying(c) || r->cut(c)) {
            top = c;
        } else {
            step = LIMIT_STEPS;
        }
        if (++step >= LIMIT_STEPS) {
            step = 0;
            if (sched_preempt()) {
                park(what, top);
                return false;
            }
        }
    }
    return true;
}

bool walk_revoke(const struct revoker *r, struct mapping *m, bool self, unsigned *seen)
{
    struct walk what = {
        .at = mapwalk_start(m), .visit = walk_revoke_visit, .revoker = r, .self = self};

    struct walk *k = __builtin_expect(mapdb_walks != NULL, 0) && !running ? resumed(&what) : NULL;
    struct mapping *top = m;

    if (k) {
        top = k->at.at;
        if (top != m && !mapping_dying(top)) /* moved on to a sibling */
            top = mapping_parent(top);
        end(k);
    }
    while (self && !mapping_dying(m) && !r->cut(m))
        if (sched_preempt())
            return false;
    if (!revoke_below(&what, top))
        return false;
    *seen |= (m->parts & MAPPING_AD) >> 4;
    if (self)
        r->forget(m);
    return true;
}
