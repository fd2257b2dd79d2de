/*
 * unmap_memory.c - memory taken back: from everybody who got it, or also from who gave it
 *
 * The invariants are those of map_memory.c. A mapping is cut first (its entry cleared, so that
 * nothing can be mapped from it), then its children go, then it is forgotten; docs/mapdb.md says
 * why nothing escapes when that is interrupted.
 */
#include "map_memory.h"

#include "kassert.h"
#include "limits.h"
#include "sched.h"
#include "trace.h"

static void note_unmap(struct space *s, pte_t *e, pte_t old, unsigned level)
{
    task_of_space(s)->pages_unmapped++;
    trace(L4_TRACE_UNMAP, ptab_va(e) | ptab_shift(level), old & PTE_FRAME,
          task_of_space(s)->obj.id);
}

/* A mapping that nothing was mapped from goes in one step. */
static inline void remove_leaf(struct mapping *m)
{
    pte_t *e = kptr(m->entry);
    struct space *s = ptab_space(e);
    pte_t old = ptab_clear(e);

    if (s->root_phys == cpu0.root_loaded)
        mmu_invlpg(ptab_va(e));
    note_unmap(s, e, old, mapping_level(m));
    m->parts |= accessed_dirty(old);
    mapdb_remove(m, s->quota);
    ptab_drop(e);
}

static inline bool is_leaf(const struct mapping *m)
{
    return !m->child && m->parts < KPAGE_SIZE && !mapping_dying(m);
}

/* The entry of m translates nothing any more; nobody can map from it. */
static void cut(struct mapping *m)
{
    pte_t *e = kptr(m->entry);
    struct space *s = ptab_space(e);
    pte_t old = ptab_clear(e);

    mmu_flush_page(s, ptab_va(e));
    mapdb_cut(m, accessed_dirty(old));
    note_unmap(s, e, old, mapping_level(m));
}

static void forget(struct mapping *m)
{
    pte_t *e = kptr(m->entry);
    struct quota *q = ptab_space(e)->quota;

    mapdb_remove(m, q);
    ptab_drop(e);
}

/* One step of a revoke: take `c`, or something below it, away. */
static void revoke_step(struct mapping *c)
{
    c = mapdb_victim(c);
    if (is_leaf(c)) {
        remove_leaf(c);
        return;
    }
    if (!mapping_dying(c))
        cut(c);
    if (mapdb_lift(c))
        return;
    if (!mapdb_child(c))
        forget(c);
}

/* Everything below m; false: preempted. */
static bool revoke_below(struct mapping *m)
{
    struct mapping *c;

    for (unsigned step = 1; (c = mapdb_child(m)) != NULL; step++) {
        revoke_step(c);
        if (step % LIMIT_STEPS == 0 && sched_preempt())
            return false;
    }
    return true;
}

/* m and everything below; *status: what all of them knew of accesses. */
static bool revoke_all(struct mapping *m, unsigned *status)
{
    if (is_leaf(m)) {
        *status |= status_of(m->parts | accessed_dirty(*(pte_t *)kptr(m->entry)));
        remove_leaf(m);
        return true;
    }
    if (!mapping_dying(m))
        cut(m);
    if (!revoke_below(m))
        return false;
    *status |= status_of(m->parts & MAPPING_AD);
    forget(m);
    return true;
}

/* Below the part [page, page + 2^(9 * (level - 1))) of m, which is larger. */
static bool revoke_part(struct mapping *m, unsigned level, uint64_t page)
{
    struct mapping *c;

    for (unsigned step = 1;; step++) {
        c = mapdb_child_in(m, level, page);
        if (!c && m->child)
            c = kptr(m->child);
        if (!c && mapping_level(m) == 3 && level == 1)
            c = mapdb_child_over(m, page);
        if (!c)
            return true;
        revoke_step(c);
        if (step % LIMIT_STEPS == 0 && sched_preempt())
            return false;
    }
}

/* Take rights away from m's entry; the old value. */
static pte_t downgrade_entry(struct mapping *m, unsigned rights, bool reset)
{
    pte_t *e = kptr(m->entry);
    pte_t old = *e, v = old;

    if (rights & L4_FPAGE_W)
        v &= ~(pte_t)PTE_W;
    if (rights & L4_FPAGE_X)
        v |= PTE_NX;
    if (reset)
        v &= ~(pte_t)PTE_AD;
    if (v != old) {
        ptab_set(e, v);
        mmu_flush_page(ptab_space(e), ptab_va(e));
    }
    return old;
}

/* Lower rights, or read and reset accessed and dirty, of m (if `self`) and all below it. */
static void downgrade(struct unmap_request *u, struct mapping *m, bool self)
{
    struct mapwalk w = mapwalk_start(m);
    unsigned rights = u->fp.raw & L4_FPAGE_RWX;
    bool reset = rights == 0;

    do {
        if (w.up || mapping_dying(w.at))
            continue;
        if (w.at != m || self)
            u->status |= status_of(accessed_dirty(downgrade_entry(w.at, rights, reset)));
        u->status |= status_of(w.at->parts & MAPPING_AD);
        if (reset)
            w.at->parts &= ~(kref_t)MAPPING_AD;
    } while (mapwalk_move(&w));
}

void downgrade_below(struct unmap_request *u, struct mapping *m)
{
    downgrade(u, m, false);
}

/* One leaf; what lies in [va, va + *size) of it. *size is lowered to what was dealt with. */
static int unmap_leaf(struct unmap_request *u, struct mapping *m, uint64_t va, uint64_t *size)
{
    bool all = u->mask & L4_FP_ALL_SPACES;
    uint64_t leaf = 1UL << ptab_shift(mapping_level(m));
    unsigned part = *size >= 1UL << 21 && (va & ((1UL << 21) - 1)) == 0 ? 2 : 1;

    if (!(u->fp.raw & L4_FPAGE_R)) {
        downgrade(u, m, all);
        return 0;
    }
    if (all)
        return revoke_all(m, &u->status) ? 0 : MAP_PREEMPTED;
    if (*size < leaf) {
        *size = 1UL << ptab_shift(part);
        if (!revoke_part(m, part, (va & (leaf - 1)) >> 12))
            return MAP_PREEMPTED;
    } else if (!revoke_below(m)) {
        return MAP_PREEMPTED;
    }
    u->status |= status_of(m->parts);
    return 0;
}

/* Entry e and its neighbours in a table of small pages, at most `steps`; how many were dealt
 * with, all of them holes or without children of more than one generation. */
static unsigned unmap_neighbours(struct unmap_request *u, pte_t *e, uint64_t pages, unsigned steps)
{
    struct ptab_run run = ptab_run(e);
    bool all = u->mask & L4_FP_ALL_SPACES;
    unsigned i, n = ptab_run_length(&run);

    n = n < pages ? n : (unsigned)pages;
    n = n < steps ? n : steps;
    if (!run.nodes || !(u->fp.raw & L4_FPAGE_R))
        return 0;
    for (i = 0; i < n; i++) {
        struct mapping *m, *c;

        if (!run.nodes[i])
            continue;
        m = kptr(run.nodes[i]);
        if (m->child) {
            c = kptr(m->child);
            if (all || !is_leaf(c) || !(c->next & MAPPING_END))
                break;
            remove_leaf(c);
        } else if (all) {
            bool last = run.desc->hint == 1;

            if (mapping_dying(m))
                break;
            u->status |= status_of(m->parts | accessed_dirty(run.e[i]));
            remove_leaf(m);
            if (last)
                return i + 1; /* the references are gone, perhaps the table */
            continue;
        }
        u->status |= status_of(m->parts);
    }
    return i;
}

int unmap_memory(struct unmap_request *u, uint64_t start, unsigned order)
{
    uint64_t end = order >= 47 ? L4_USER_END : 1UL << order;
    unsigned step = 0;

    while (u->done < end) {
        uint64_t va = start + u->done, left = end - u->done, size;
        unsigned level, n = 0;
        pte_t *e;

        if (step >= LIMIT_STEPS) {
            step = 0;
            if (sched_preempt())
                return MAP_PREEMPTED;
        }
        if (va >= L4_USER_END)
            break;
        e = ptab_find(&u->task->space, va, &level);
        size = (1UL << ptab_shift(level)) - (va & ((1UL << ptab_shift(level)) - 1));
        size = size < left ? size : left;
        if (e && level == 1)
            n = unmap_neighbours(u, e, left >> L4_PAGESHIFT, LIMIT_STEPS);
        if (n)
            size = (uint64_t)n << L4_PAGESHIFT;
        else if (e && ptab_mapping(e) && unmap_leaf(u, ptab_mapping(e), va, &size) == MAP_PREEMPTED)
            return MAP_PREEMPTED;
        u->done += size;
        step += n + 1;
    }
    return 0;
}
