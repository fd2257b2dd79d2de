/*
 * unmap_memory.c - memory taken back: from everybody who got it, or also from who gave it
 *
 * The invariants are those of map_memory.c. A mapping is cut first (its entry cleared, so that
 * nothing can be mapped from it), then its children go, then it is forgotten; docs/mapdb.md says
 * why nothing escapes when that is interrupted.
 */
#include "map_memory.h"

#include <common/min.h>

#include "kassert.h"
#include "limits.h"
#include "sched.h"

/* An entry with a leaf beside it is emptied; what it said. */
static inline __attribute__((always_inline)) pte_t take_entry(pte_t *e, struct space *s,
                                                              uint64_t loaded)
{
    pte_t old = *e;

    pte_store(e, 0);
    if (__builtin_expect(s->root_phys == loaded, 0))
        mmu_invlpg(ptab_va(e));
    task_of_space(s)->pages_unmapped++;
    return old;
}

enum { PRUNE_COST = LIMIT_STEPS / 3 /* steps that giving back a table counts for */ };

/* And its place is free. d: of the table that e is in. What that cost, besides one step. */
static inline __attribute__((always_inline)) unsigned free_place(struct kpage *d, pte_t *e)
{
    kref_t *nodes = kptr(d->nodes);

    nodes[ptab_index(e)] = 0;
    d->live--;
    if (__builtin_expect(--d->hint, 1))
        return 0;
    ptab_prune(d, e);
    return PRUNE_COST;
}

/*
 * Leaves, from the first of a list on, for at most n steps; how many it took. *knew: their flags
 * and those of their entries. Cut and forget in one go, and the list is put right once for all of
 * them. Only when walk_unwatched().
 */
static inline unsigned remove_leaves(struct mapping *c, unsigned n, kref_t *knew)
{
    struct mapping *parent = mapping_ptr(c->parent);
    kref_t *word = kptr(c->prev), next, parts = 0;
    uint64_t loaded = cpu0.root_loaded;
    unsigned i = 0;
    pte_t seen = 0;

    do {
        pte_t *e = kptr(c->entry);
        struct kpage *d = kmem_desc(e);
        struct space *s = kptr(d->owner);

        seen |= take_entry(e, s, loaded);
        parts |= c->parts;
        next = c->next;
        slab_free_sized(&mapping_slab, s->quota, c, sizeof(*c));
        i += free_place(d, e);
        c = mapping_ptr(next);
    } while (++i < n && !(next & MAPPING_END) && mapping_leaf(c));
    parts |= accessed_dirty(seen);
    parent->parts |= parts & MAPPING_AD;
    *knew |= parts & MAPPING_AD;
    if (!(next & MAPPING_END)) {
        *word = next;
        c->prev = kref(word);
    } else { /* they were all: c was the first */
        *word = 0;
        if ((parts & MAPPING_LEVEL) != mapping_level(parent))
            mapdb_parts_unuse(word);
    }
    return i;
}

/* The same for a leaf that is the only child of m, and of m's size. */
static inline __attribute__((always_inline)) unsigned remove_only(struct mapping *m,
                                                                  struct mapping *c)
{
    pte_t *e = kptr(c->entry);
    struct kpage *d = kmem_desc(e);
    struct space *s = kptr(d->owner);
    pte_t old = take_entry(e, s, cpu0.root_loaded);

    m->child = 0;
    m->parts |= (c->parts | old >> 1) & MAPPING_AD;
    slab_free_sized(&mapping_slab, s->quota, c, sizeof(*c));
    return free_place(d, e);
}

/* The same for a leaf that is at hand: d is the descriptor of the table, s the space. */
static inline __attribute__((always_inline)) kref_t remove_here(struct mapping *m, struct kpage *d,
                                                                struct space *s)
{
    pte_t *e = kptr(m->entry);
    kref_t knew = (m->parts | take_entry(e, s, cpu0.root_loaded) >> 1) & MAPPING_AD;

    mapping_ptr(m->parent)->parts |= knew;
    mapdb_leave(m);
    slab_free_sized(&mapping_slab, s->quota, m, sizeof(*m));
    free_place(d, e);
    return knew;
}

static inline bool only_leaf(const struct mapping *c)
{
    return mapping_leaf(c) && (c->next & MAPPING_END);
}

/* The entry of m translates nothing any more; nobody can map from it. False: a piece of it. */
static bool cut(struct mapping *m)
{
    pte_t *e = kptr(m->entry);
    struct space *s = ptab_space(e);
    pte_t old;

    if (mapping_partial(m)) {
        split_cut_piece(m);
        if (split_empty(m))
            mapdb_cut(m, 0);
        return mapping_dying(m);
    }
    old = ptab_clear(e);
    mmu_flush_page(s, ptab_va(e));
    mapdb_cut(m, accessed_dirty(old));
    note_unmap(s, e, old, mapping_level(m));
    return true;
}

static void forget(struct mapping *m)
{
    pte_t *e = kptr(m->entry);
    struct space *s = ptab_space(e);

    if (mapping_partial(m))
        s->partials--;
    mapdb_remove(m, s->quota);
    ptab_leave(e);
}

static unsigned leaves(struct mapping *c, unsigned n)
{
    kref_t knew = 0;

    return remove_leaves(c, n, &knew);
}

const struct revoker memory_revoker = {cut, forget, leaves};

bool revoke_all(struct mapping *m, unsigned *status)
{
    if (mapping_leaf(m) && m->parent && walk_unwatched()) {
        struct kpage *d = kmem_desc(kptr(m->entry));

        *status |= status_of(remove_here(m, d, kptr(d->owner)));
        return true;
    }
    return walk_revoke(&memory_revoker, m, true, status);
}

/* A walk over what is mapped from a part of m, or from all of it; rights L4_FPAGE_R: revoke. */
static SELDOM int walk_part(struct unmap_request *u, struct mapping *m, unsigned level,
                            uint64_t page)
{
    struct walk k = {.at = mapwalk_start(m), .self = u->mask & L4_FP_ALL_SPACES};

    k.at.level = (uint8_t)level;
    k.at.page = page;
    k.rights = u->fp.raw & L4_FPAGE_RWX;
    k.visit = (k.rights & L4_FPAGE_R) ? split_revoke : split_downgrade;
    k.revoker = &memory_revoker;
    return walk_run(&k, &u->status);
}

SELDOM int downgrade_below(struct mapping *m, unsigned rights)
{
    struct walk k = {.at = mapwalk_start(m), .visit = split_downgrade, .rights = rights};
    unsigned seen = 0;

    k.detached = true;
    return mapdb_child(m) ? walk_run(&k, &seen) : 0;
}

/* All of m: what u says. */
static int unmap_whole(struct unmap_request *u, struct mapping *m)
{
    int err;

    if (u->fp.raw & L4_FPAGE_R) {
        if ((u->mask & L4_FP_ALL_SPACES) || mapping_dying(m))
            return revoke_all(m, &u->status) ? 0 : MAP_PREEMPTED;
        return walk_revoke(&memory_revoker, m, false, &u->status) ? 0 : MAP_PREEMPTED;
    }
    err = walk_part(u, m, mapping_level(m), 0);
    if (err)
        return err;
    /* What was seen by who helped the walk is there too. */
    u->status |= status_of(mapdb_inherited(m, mapping_level(m), 0, !(u->fp.raw & L4_FPAGE_RWX)));
    return 0;
}

/* The largest part that begins at va, at most `size` bytes and not above `level`. */
static unsigned part_level(uint64_t va, uint64_t size, unsigned level)
{
    while (level > 1 && ((va & ((1UL << ptab_shift(level)) - 1)) || size >> ptab_shift(level) == 0))
        level--;
    return level;
}

/* What lies in [va, va + *size) of m, or of an entry of `level` that m has there. *size is
 * lowered to what was dealt with. */
static int unmap_leaf(struct unmap_request *u, struct mapping *m, uint64_t va, unsigned level,
                      uint64_t *size)
{
    uint64_t all = 1UL << ptab_shift(mapping_level(m));
    unsigned part = part_level(va, *size, level);

    if (part == mapping_level(m))
        return unmap_whole(u, m);
    *size = 1UL << ptab_shift(part);
    return walk_part(u, m, part, (va & (all - 1)) >> L4_PAGESHIFT);
}

/* The split mapping of `level` around va, or NULL. */
static struct mapping *split_at(const struct space *s, uint64_t va, unsigned level)
{
    const pte_t *e = s->root;

    for (unsigned l = PTAB_LEVELS;; l--) {
        e += va >> ptab_shift(l) & (PTAB_ENTRIES - 1);
        if (!pte_is_table(*e, l))
            return NULL;
        if (l == level)
            return ptab_mapping(e);
        e = mmu_virt(*e & PTE_FRAME);
    }
}

enum { SPLIT_NONE = -1, SPLIT_DONE = 0 };

/*
 * va may lie in mappings that have been split, one in the other. Those that the request covers are
 * dealt with where they begin, or (when they go) at once; of others the part at va.
 * SPLIT_DONE: *size bytes have been dealt with; SPLIT_NONE: at va is an ordinary entry or hole;
 * or MAP_PREEMPTED.
 */
static SELDOM int unmap_split(struct unmap_request *u, uint64_t start, uint64_t end, uint64_t *size)
{
    bool gone = (u->fp.raw & L4_FPAGE_R) && (u->mask & L4_FP_ALL_SPACES);
    uint64_t va = start + u->done;
    struct mapping *m, *around = NULL;
    unsigned level;
    pte_t *e;

    for (unsigned l = PTAB_LEAF_MAX; l > 1; l--) {
        m = split_at(&u->task->space, va, l);
        if (!m)
            continue;
        around = NULL;
        if (ptab_va(kptr(m->entry)) < start ||
            ptab_va(kptr(m->entry)) + (1UL << ptab_shift(l)) > start + end)
            around = m;
        else if ((gone || va == ptab_va(kptr(m->entry))) && unmap_whole(u, m) == MAP_PREEMPTED)
            return MAP_PREEMPTED;
    }
    e = ptab_slot(&u->task->space, va, &level);
    if (ptab_mapping(e) || (*e & PTE_KU) || !ptab_owner(e))
        return SPLIT_NONE;
    *size = (1UL << ptab_shift(level)) - (va & ((1UL << ptab_shift(level)) - 1));
    *size = min_of(*size, end - u->done);
    /* A hole too, if somebody may be about to make it: whoever had the part from here goes. */
    if (around && ((*e & PTE_P) || mapdb_walks || mapping_dying(around)))
        return unmap_leaf(u, around, va, level, size);
    return SPLIT_DONE;
}

/* From entry e on, at most n: children that are the only ones go; how many entries were holes,
 * or without grandchildren and so have been dealt with. */
static unsigned children_of_neighbours(struct unmap_request *u, struct kpage *d, pte_t *e,
                                       unsigned n)
{
    const kref_t *nodes = (const kref_t *)kptr(d->nodes) + ptab_index(e);
    unsigned i, cost = 0;
    kref_t knew = 0;

    for (i = 0; i < n && !cost; i++) {
        struct mapping *m = kptr(nodes[i]), *c;

        if (!nodes[i])
            continue;
        if (m->child) {
            c = mapping_ptr(m->child);
            if (!only_leaf(c))
                break;
            cost = remove_only(m, c);
        }
        knew |= m->parts;
    }
    u->step += cost;
    u->status |= status_of(knew);
    return i;
}

/* The same; mappings without children go, and the books are put right once for all of them. */
static unsigned neighbours(struct unmap_request *u, struct kpage *d, pte_t *e, unsigned n)
{
    kref_t *nodes = (kref_t *)kptr(d->nodes) + ptab_index(e), knew, seen = 0;
    struct space *s = kptr(d->owner);
    bool loaded = s->root_phys == cpu0.root_loaded;
    unsigned i, gone = 0;

    for (i = 0; i < n; i++) {
        struct mapping *m = kptr(nodes[i]);

        if (!nodes[i]) {
            if (e[i] && d->level > 1)
                break; /* a table */
            continue;
        }
        if (!mapping_leaf(m) || !m->parent)
            break;
        knew = (m->parts | e[i] >> 1) & MAPPING_AD;
        pte_store(&e[i], 0);
        if (loaded)
            mmu_invlpg(ptab_va(&e[i]));
        nodes[i] = 0;
        mapping_ptr(m->parent)->parts |= knew;
        seen |= knew;
        mapdb_leave(m);
        slab_put(&mapping_slab, m);
        gone++;
    }
    u->status |= status_of(seen);
    task_of_space(s)->pages_unmapped += gone;
    quota_give(s->quota, gone * sizeof(struct mapping));
    d->live -= (uint16_t)gone;
    d->hint -= (uint16_t)gone;
    if (!d->hint) {
        u->step += PRUNE_COST;
        ptab_prune(d, e);
    }
    return i;
}

/* Entry e and what follows in its table, at most `pages` entries; how many were dealt with. Only
 * when walk_unwatched(). */
static unsigned unmap_neighbours(struct unmap_request *u, pte_t *e, uint64_t pages)
{
    bool all = u->mask & L4_FP_ALL_SPACES;
    struct kpage *d = kmem_desc(e);
    unsigned room = LIMIT_STEPS - u->step;
    unsigned n = (unsigned)min_of(min_of(PTAB_ENTRIES - ptab_index(e), room), pages);

    if (!d->nodes || !(u->fp.raw & L4_FPAGE_R) || u->task->space.partials ||
        (!all && d->level > 1))
        return 0;
    n = (all ? neighbours : children_of_neighbours)(u, d, e, n);
    u->step += n;
    return n;
}

/* Whatever begins at u->done, as ordinary mappings do. *size is lowered to what was dealt with. */
static int unmap_here(struct unmap_request *u, uint64_t va, uint64_t left, uint64_t *size)
{
    unsigned level, shift, n = 0;
    pte_t *e = ptab_find_near(&u->task->space, va, &level);
    uint64_t offset;

    shift = ptab_shift(level);
    offset = va & ((1UL << shift) - 1);
    *size = (1UL << shift) - offset;
    if (e && !offset && left >> shift && walk_unwatched())
        n = unmap_neighbours(u, e, left >> shift);
    if (n) {
        *size = (uint64_t)n << shift;
        return 0;
    }
    *size = min_of(*size, left);
    return e && ptab_mapping(e) ? unmap_leaf(u, ptab_mapping(e), va, level, size) : 0;
}

static NOINLINE int unmap_range(struct unmap_request *u, uint64_t start, unsigned order)
{
    uint64_t end = order >= 47 ? L4_USER_END : 1UL << order;

    while (u->done < end) {
        uint64_t va = start + u->done, size;
        int err = SPLIT_NONE;

        if (u->step >= LIMIT_STEPS) {
            u->step = 0;
            if (sched_preempt())
                return MAP_PREEMPTED;
        }
        if (va >= L4_USER_END)
            break;
        if (__builtin_expect(u->task->space.partials != 0, 0))
            err = unmap_split(u, start, end, &size);
        if (err == SPLIT_NONE)
            err = unmap_here(u, va, end - u->done, &size);
        if (err == MAP_PREEMPTED)
            return MAP_PREEMPTED;
        u->done += size;
        u->step++;
    }
    return 0;
}

/* Neighbours in one table are often all that is asked for. */
static NOINLINE int unmap_first(struct unmap_request *u, uint64_t start, unsigned order)
{
    unsigned level, shift;
    pte_t *e;

    if (start < L4_USER_END && !u->done) {
        e = ptab_find_near(&u->task->space, start, &level);
        shift = ptab_shift(level);
        if (e && order >= shift && walk_unwatched()) {
            u->done = (uint64_t)unmap_neighbours(u, e, 1UL << (order - shift)) << shift;
            if (u->done == 1UL << order)
                return 0;
        }
    }
    return unmap_range(u, start, order);
}

/* One small page of a table that is at hand, and its only child (or, of ALL_SPACES, none): what
 * is asked for most. */
static NOINLINE int unmap_page(struct unmap_request *u, uint64_t start)
{
    struct space *s = &u->task->space;
    pte_t *e = ptab_near(s, start);
    struct kpage *d = e ? kmem_desc(e) : NULL;
    struct mapping *m, *c;

    if (!d || !d->nodes || !(u->fp.raw & L4_FPAGE_R) || !walk_unwatched())
        return unmap_first(u, start, L4_PAGESHIFT);
    m = ptab_mapping(e);
    if (!m)
        return unmap_range(u, start, L4_PAGESHIFT);
    c = mapping_ptr(m->child);
    if (!(u->mask & L4_FP_ALL_SPACES)) {
        if (m->child && !only_leaf(c))
            return unmap_range(u, start, L4_PAGESHIFT);
        if (m->child)
            remove_only(m, c);
        u->status |= status_of(m->parts);
    } else {
        if (!mapping_leaf(m) || !m->parent)
            return unmap_range(u, start, L4_PAGESHIFT);
        u->status |= status_of(remove_here(m, d, s));
    }
    u->done = L4_PAGESIZE;
    return 0;
}

int unmap_memory(struct unmap_request *u, uint64_t start, unsigned order)
{
    return order == L4_PAGESHIFT ? unmap_page(u, start) : unmap_first(u, start, order);
}
