/*
 * map_memory.c - memory flexpages: the one file that knows mapping database and page tables
 *
 * P1  A present user entry has exactly one mapping node and vice versa; a dying node's entry is
 *     clear but keeps its place. Kernel-user memory has no node.
 * P2  When a function returns to user mode, no TLB holds a right that a page table lacks.
 * P3  All loops take at most LIMIT_STEPS steps between two looks at the interrupts, and between
 *     two steps tables and database agree, so whoever runs then finds nothing half done.
 */
#include "kassert.h"
#include "limits.h"
#include "map.h"
#include "ptab.h"
#include "sched.h"
#include "trace.h"

enum { PTE_AD = PTE_A | PTE_D };

static struct quota *quota_of(const struct mapping *m)
{
    return ptab_space(kptr(m->entry))->quota;
}

static unsigned rights_of(pte_t v)
{
    return L4_FPAGE_R | ((v & PTE_W) ? L4_FPAGE_W : 0) | ((v & PTE_NX) ? 0 : L4_FPAGE_X);
}

static pte_t pte_rights(unsigned rights)
{
    return PTE_P | PTE_U | ((rights & L4_FPAGE_W) ? PTE_W : 0) |
           ((rights & L4_FPAGE_X) ? 0 : PTE_NX);
}

static unsigned accessed_dirty(pte_t v)
{
    return ((v & PTE_A) ? MAPPING_ACCESSED : 0) | ((v & PTE_D) ? MAPPING_DIRTY : 0);
}

static unsigned status_of(unsigned ad)
{
    return ((ad & MAPPING_ACCESSED) ? L4_FPAGE_REFERENCED : 0) |
           ((ad & MAPPING_DIRTY) ? L4_FPAGE_DIRTY : 0);
}

static uint64_t frame_of(pte_t v, unsigned level)
{
    return v & PTE_FRAME & ~((1UL << ptab_shift(level)) - 1);
}

/* The entry of m translates nothing any more; nobody can map from it. */
static void cut(struct mapping *m)
{
    pte_t *e = kptr(m->entry);
    struct space *s = ptab_space(e);
    uint64_t va = ptab_va(e);
    pte_t old = ptab_clear(e);

    mmu_flush_page(s, va);
    mapdb_cut(m, accessed_dirty(old));
    task_of_space(s)->pages_unmapped++;
    trace(L4_TRACE_UNMAP, va | ptab_shift(mapping_level(m)), old & PTE_FRAME,
          task_of_space(s)->obj.id);
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

/* ---- map ---- */

/* Is `a` m itself or one of those m stems from? */
static bool is_ancestor(const struct mapping *a, const struct mapping *m)
{
    for (; m; m = mapping_parent(m))
        if (a == m)
            return true;
    return false;
}

/* The largest page that source leaf, both addresses and what is left allow. */
static unsigned common_level(uint64_t src, uint64_t dst, uint64_t left, unsigned level)
{
    while (level > 1) {
        uint64_t size = 1UL << ptab_shift(level);

        if (((src | dst) & (size - 1)) == 0 && left >= size)
            break;
        level--;
    }
    return level;
}

/* Caching as the item says, else as the sender has it. */
static pte_t attributes(const struct map_request *r, pte_t sender)
{
    if (!(r->attributes & 0x10))
        return sender & (PTE_PCD | PTE_PWT);
    if (r->attributes & 0x20)
        return 0;
    return (r->attributes & 0x40) ? PTE_PWT : PTE_PCD | PTE_PWT;
}

/* Make room at the destination. 0: it is free; 1: rights were added in place or nothing is to be
 * done there; MAP_PREEMPTED as -1. */
static int make_room(struct map_request *r, uint64_t va, unsigned level, struct mapping *src,
                     uint64_t frame, unsigned rights)
{
    struct unmap_request u = {.task = r->to, .mask = L4_FP_ALL_SPACES};
    unsigned there_level;
    pte_t *there = ptab_find(&r->to->space, va, &there_level);
    struct mapping *m = there ? ptab_mapping(there) : NULL;

    if (!there && there_level >= level)
        return 0;
    if (there && !m)
        return 1; /* kernel-user memory is never covered */
    if (m && !mapping_dying(m) &&
        frame_of(*there, there_level) == (frame & ~((1UL << ptab_shift(there_level)) - 1))) {
        if (m->parent == kref(src) && there_level == level) {
            pte_t add = pte_rights(rights), old = *there;

            ptab_set(there, (old | (add & PTE_W)) & (~PTE_NX | add));
            mmu_flush_page(&r->to->space, va);
            r->mapped++;
            return 1;
        }
        if (is_ancestor(m, src))
            return 1;
    }
    u.fp.raw = L4_FPAGE_RWX;
    return unmap_memory(&u, va, ptab_shift(level)) == MAP_PREEMPTED ? -1 : 0;
}

/* PF-8: the kernel writes the receiver's page-table entry. */
static void enter_page(struct map_request *r, pte_t *e, pte_t value, struct mapping *m)
{
    ptab_put(e, value, m);
    r->mapped++;
    r->to->pages_mapped++;
    trace(L4_TRACE_MAP, ptab_va(e) | ptab_shift(ptab_level(e)), value & ~PTE_NX, r->to->obj.id);
}

/* PF-7: the mapping database enters what the receiver gets as a child of what the sender has. */
static int enter(struct map_request *r, struct mapping *parent, uint64_t va, unsigned level,
                 uint64_t page, pte_t value)
{
    struct space *s = &r->to->space;
    struct mapping *m = mapping_new(s->quota, level | MAPPING_MEMORY);
    kref_t *list;
    pte_t *e;

    if (!m)
        return -L4_ENOMEM;
    list = mapdb_list(parent, level, page, quota_of(parent));
    if (!list) {
        mapping_delete(m, s->quota);
        return -L4_ENOMEM;
    }
    if (ptab_reach(s, va, level, true, &e) != 0) {
        mapdb_list_trim(parent, list);
        mapping_delete(m, s->quota);
        return -L4_ENOMEM;
    }
    m->entry = kref(e);
    mapdb_link(list, parent, m);
    enter_page(r, e, value, m);
    return 0;
}

static void downgrade(struct unmap_request *u, struct mapping *m, bool self);

/* The receiver's entry takes the sender's place in the tree, with its children. */
static int grant(struct map_request *r, pte_t *from, uint64_t va, unsigned level, pte_t value)
{
    struct mapping *m = ptab_mapping(from);
    struct unmap_request u = {.fp = {~r->rights & (L4_FPAGE_W | L4_FPAGE_X)}};
    pte_t *e;

    if (ptab_reach(&r->to->space, va, level, true, &e) != 0)
        return -L4_ENOMEM;
    if (!mapdb_move(m, kref(e), r->from->space.quota, r->to->space.quota)) {
        ptab_trim(e);
        return -L4_ENOMEM;
    }
    if (u.fp.raw)
        downgrade(&u, m, false); /* children never have more than their parent */
    value |= *from & PTE_AD;
    ptab_clear(from);
    mmu_flush_page(&r->from->space, r->src + r->done);
    ptab_drop(from);
    enter_page(r, e, value, m);
    return 0;
}

/* One leaf of the source, or as much of it as fits. *size: bytes dealt with. */
static int map_leaf(struct map_request *r, pte_t *e, unsigned level, uint64_t *size)
{
    uint64_t src = r->src + r->done, dst = r->dst + r->done;
    unsigned rights = rights_of(*e) & r->rights;
    struct mapping *m = ptab_mapping(e);
    unsigned to_level = common_level(src, dst, r->end - r->done, level);
    uint64_t offset = src & ((1UL << ptab_shift(level)) - 1);
    uint64_t frame = frame_of(*e, level) + offset;
    pte_t value = frame | pte_rights(rights) | attributes(r, *e);
    int err;

    *size = 1UL << ptab_shift(to_level);
    if (!m || mapping_dying(m) || dst >= L4_USER_END || dst + *size > L4_USER_END)
        return 0;
    err = make_room(r, dst, to_level, m, frame, rights);
    if (err)
        return err < 0 ? MAP_PREEMPTED : 0;
    if (r->grant && to_level == level)
        return grant(r, e, dst, level, value | (level > 1 ? PTE_PS : 0));
    return enter(r, m, dst, to_level, offset >> 12, value | (to_level > 1 ? PTE_PS : 0));
}

int map_memory(struct map_request *r)
{
    int err;

    r->end = r->order >= 47 ? L4_USER_END : 1UL << r->order;
    for (unsigned step = 1; r->done < r->end; step++) {
        uint64_t src = r->src + r->done, size;
        unsigned level;
        pte_t *e;

        if (src >= L4_USER_END)
            break;
        e = ptab_find(&r->from->space, src, &level);
        if (e) {
            err = map_leaf(r, e, level, &size);
            if (err)
                return err;
        } else {
            size = (1UL << ptab_shift(level)) - (src & ((1UL << ptab_shift(level)) - 1));
        }
        r->done += size;
        if (step % LIMIT_STEPS == 0 && r->done < r->end && sched_preempt())
            return MAP_PREEMPTED;
    }
    return 0;
}

int map_roots(struct task *t, uint64_t start, uint64_t end, unsigned rights, bool cached)
{
    unsigned top = (cpu0.features & CPU_1G) ? 3 : 2;

    while (start < end) {
        unsigned level = common_level(start, start, end - start, top);
        struct mapping *m = mapping_new(t->space.quota, level | MAPPING_MEMORY);
        pte_t value = start | pte_rights(rights) | (cached ? 0 : PTE_PCD | PTE_PWT) |
                      (level > 1 ? PTE_PS : 0);
        pte_t *e;

        if (!m || ptab_reach(&t->space, start, level, true, &e) != 0)
            return -L4_ENOMEM;
        m->entry = kref(e);
        ptab_put(e, value, m);
        start += 1UL << ptab_shift(level);
    }
    return 0;
}

/* ---- unmap ---- */

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

/* One leaf; what lies in [va, va + size) of it. */
static int unmap_leaf(struct unmap_request *u, pte_t *e, unsigned level, uint64_t va, uint64_t size)
{
    struct mapping *m = ptab_mapping(e);
    bool all = u->mask & L4_FP_ALL_SPACES;
    uint64_t leaf = 1UL << ptab_shift(level);
    unsigned part = size >= 1UL << 21 ? 2 : 1;

    if (!m)
        return 0;
    if (!(u->fp.raw & L4_FPAGE_R)) {
        downgrade(u, m, all);
        return 0;
    }
    if (all)
        return revoke_all(m, &u->status) ? 0 : MAP_PREEMPTED;
    if (size >= leaf ? !revoke_below(m) : !revoke_part(m, part, (va & (leaf - 1)) >> 12))
        return MAP_PREEMPTED;
    u->status |= status_of(m->parts & MAPPING_AD);
    return 0;
}

int unmap_memory(struct unmap_request *u, uint64_t start, unsigned order)
{
    uint64_t end = order >= 47 ? L4_USER_END : 1UL << order;

    for (unsigned step = 1; u->done < end; step++) {
        uint64_t va = start + u->done, size, left = end - u->done;
        unsigned level;
        pte_t *e;

        if (va >= L4_USER_END)
            break;
        e = ptab_find(&u->task->space, va, &level);
        size = (1UL << ptab_shift(level)) - (va & ((1UL << ptab_shift(level)) - 1));
        size = size < left ? size : left;
        if (e && unmap_leaf(u, e, level, va, size) == MAP_PREEMPTED)
            return MAP_PREEMPTED;
        u->done += size;
        if (step % LIMIT_STEPS == 0 && u->done < end && sched_preempt())
            return MAP_PREEMPTED;
    }
    return 0;
}
