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

/*
 * Leaves, from c on in its list, at most n; how many went. *status: what they knew of accesses.
 * The usual case of all that follows, in one piece: cut and forget, and the list is put right
 * once for all of them. Only when walk_unwatched().
 */
static inline __attribute__((always_inline)) unsigned remove_leaves(struct mapping *c, unsigned n,
                                                                    unsigned *status)
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
        kref_t *nodes = kptr(d->nodes);

        seen |= *e;
        pte_store(e, 0);
        if (__builtin_expect(s->root_phys == loaded, 0))
            mmu_invlpg(ptab_va(e));
        task_of_space(s)->pages_unmapped++;
        parts |= c->parts;
        next = c->next;
        slab_free_sized(&mapping_slab, s->quota, c, sizeof(*c));
        nodes[ptab_index(e)] = 0;
        d->live--;
        if (__builtin_expect(!--d->hint, 0))
            ptab_prune(d, e);
        c = mapping_ptr(next);
    } while (++i < n && !(next & MAPPING_END) && mapping_leaf(c));
    parts |= accessed_dirty(seen);
    parent->parts |= parts & MAPPING_AD;
    *status |= status_of(parts);
    if (!(next & MAPPING_END)) {
        *word = next;
        c->prev = kref(word);
    } else if (next != (kref(word) | MAPPING_END)) {
        *word = next;
    } else {
        *word = 0;
        if ((parts & MAPPING_LEVEL) != mapping_level(parent))
            mapdb_parts_unuse(word);
    }
    return i;
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
    unsigned status = 0;

    return remove_leaves(c, n, &status);
}

const struct revoker memory_revoker = {cut, forget, leaves};

bool revoke_all(struct mapping *m, unsigned *status)
{
    if (mapping_leaf(m) && m->parent && walk_unwatched()) {
        remove_leaves(m, 1, status);
        return true;
    }
    return walk_revoke(&memory_revoker, m, true, status);
}

/* A walk over what is mapped from a part of m, or from all of it; rights L4_FPAGE_R: revoke. */
static int walk_part(struct unmap_request *u, struct mapping *m, unsigned level, uint64_t page)
{
    struct walk k = {.at = mapwalk_start(m), .self = u->mask & L4_FP_ALL_SPACES};

    k.at.level = (uint8_t)level;
    k.at.page = page;
    k.rights = u->fp.raw & L4_FPAGE_RWX;
    k.visit = (k.rights & L4_FPAGE_R) ? split_revoke : split_downgrade;
    k.revoker = &memory_revoker;
    return walk_run(&k, &u->status);
}

int downgrade_below(struct mapping *m, unsigned rights)
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
    while (level > 1 && ((va & ((1UL << ptab_shift(level)) - 1)) || size < 1UL << ptab_shift(level)))
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

    if (part == mapping_level(m) || (mapping_dying(m) && (u->fp.raw & L4_FPAGE_R)))
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
static int unmap_split(struct unmap_request *u, uint64_t start, uint64_t end, uint64_t *size)
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
    *size = *size < end - u->done ? *size : end - u->done;
    /* A hole too, if somebody may be about to make it: whoever had the part from here goes. */
    if (around && ((*e & PTE_P) || mapdb_walks || mapping_dying(around)))
        return unmap_leaf(u, around, va, level, size);
    return SPLIT_DONE;
}

/* Entry e and its neighbours in a table of small pages, at most `steps`; how many were dealt
 * with, all of them holes or without children of more than one generation. */
static unsigned unmap_neighbours(struct unmap_request *u, pte_t *e, uint64_t pages, unsigned steps)
{
    struct ptab_run run = ptab_run(e);
    bool all = u->mask & L4_FP_ALL_SPACES;
    unsigned i, n = ptab_run_length(&run), status = 0;

    n = n < pages ? n : (unsigned)pages;
    n = n < steps ? n : steps;
    if (!run.nodes || !(u->fp.raw & L4_FPAGE_R) || !walk_unwatched() || u->task->space.partials)
        return 0;
    for (i = 0; i < n; i++) {
        struct mapping *m, *c;

        if (!run.nodes[i])
            continue;
        m = kptr(run.nodes[i]);
        if (m->child) {
            c = kptr(m->child);
            if (all || !mapping_leaf(c) || !(c->next & MAPPING_END))
                break;
            remove_leaves(c, 1, &status);
        } else if (all) {
            bool last = run.desc->hint == 1;

            if (!mapping_leaf(m) || !m->parent)
                break;
            remove_leaves(m, 1, &status);
            if (last) {
                i++; /* the references are gone, perhaps the table */
                break;
            }
            continue;
        }
        status |= status_of(m->parts);
    }
    u->status |= status;
    return i;
}

/* Whatever begins at u->done, as ordinary mappings do. *size is lowered to what was dealt with. */
static int unmap_here(struct unmap_request *u, uint64_t va, uint64_t left, uint64_t *size,
                      unsigned *step)
{
    unsigned level, n = 0;
    pte_t *e = ptab_find_near(&u->task->space, va, &level);

    *size = (1UL << ptab_shift(level)) - (va & ((1UL << ptab_shift(level)) - 1));
    *size = *size < left ? *size : left;
    if (!e)
        return 0;
    if (level == 1)
        n = unmap_neighbours(u, e, left >> L4_PAGESHIFT, LIMIT_STEPS);
    if (n) {
        *size = (uint64_t)n << L4_PAGESHIFT;
        *step += n;
        return 0;
    }
    return ptab_mapping(e) ? unmap_leaf(u, ptab_mapping(e), va, level, size) : 0;
}

int unmap_memory(struct unmap_request *u, uint64_t start, unsigned order)
{
    uint64_t end = order >= 47 ? L4_USER_END : 1UL << order;
    unsigned step = 0;

    while (u->done < end) {
        uint64_t va = start + u->done, size;
        int err = SPLIT_NONE;

        if (step >= LIMIT_STEPS) {
            step = 0;
            if (sched_preempt())
                return MAP_PREEMPTED;
        }
        if (va >= L4_USER_END)
            break;
        if (__builtin_expect(u->task->space.partials != 0, 0))
            err = unmap_split(u, start, end, &size);
        if (err == SPLIT_NONE)
            err = unmap_here(u, va, end - u->done, &size, &step);
        if (err == MAP_PREEMPTED)
            return MAP_PREEMPTED;
        u->done += size;
        step++;
    }
    return 0;
}
