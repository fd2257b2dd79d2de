/*
 * map_memory.c - memory flexpages from one task to another
 *
 * This file and unmap_memory.c alone know both the mapping database and the page tables.
 *
 * P1  A present user entry has exactly one mapping node and vice versa; a dying node's entry is
 *     clear but keeps its place. Kernel-user memory has no node.
 * P2  When a function returns to user mode, no TLB holds a right that a page table lacks.
 * P3  All loops take at most LIMIT_STEPS steps between two looks at the interrupts, and between
 *     two steps tables and database agree, so whoever runs then finds nothing half done.
 */
#include "map_memory.h"

#include <common/min.h>

#include "kassert.h"
#include "limits.h"
#include "sched.h"
#include "trace.h"

/* Attributes of a send item (abi/msg.h). */
enum { ATTRIBUTES_GIVEN = 0x10, ATTRIBUTES_CACHED = 0x20, ATTRIBUTES_BUFFERED = 0x40 };

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

enum room {
    ROOM_MADE,
    ROOM_NONE,    /* rights were added in place, or nothing is to be done there */
    ROOM_SMALLER, /* a page of this size cannot be there, smaller ones can */
    ROOM_PREEMPTED,
};

/* Something is at the destination already: cases (a) and (c) of the interface leave it there,
 * otherwise it is unmapped. */
static SELDOM enum room make_room(struct map_request *r, uint64_t va, unsigned level,
                                  struct mapping *src, uint64_t frame, unsigned rights)
{
    struct unmap_request u = {.task = r->to, .mask = L4_FP_ALL_SPACES};
    unsigned there_level;
    pte_t *there = ptab_find(&r->to->space, va, &there_level);
    struct mapping *m = there ? ptab_owner(there) : NULL;
    uint64_t other; /* 0: the same frame; less than m's size: of the same superpage */
    int above;

    if (there && !m) /* kernel-user memory is never covered, but what lies around it may be */
        return level > there_level ? ROOM_SMALLER : ROOM_NONE;
    other = m ? frame_at(*there, there_level, va) ^ frame : 0;
    if (m && !mapping_dying(m) && other >> ptab_shift(mapping_level(m)) == 0) {
        if (m->parent == kref(src) && there_level == level && !other) {
            pte_t add = pte_rights(rights), old = *there;

            ptab_set(there, (old | (add & PTE_W)) & (~PTE_NX | add));
            mmu_flush_page(&r->to->space, va);
            r->mapped++;
            return ROOM_NONE;
        }
        above = walk_is_ancestor(m, src);
        if (above)
            return above < 0 ? ROOM_PREEMPTED : ROOM_NONE;
    }
    u.fp.raw = L4_FPAGE_RWX;
    return unmap_memory(&u, va, ptab_shift(level)) == MAP_PREEMPTED ? ROOM_PREEMPTED : ROOM_MADE;
}

/* PF-8: the kernel writes the receiver's page-table entry. */
static void enter_page(struct map_request *r, pte_t *e, pte_t value, struct mapping *m)
{
    ptab_put(e, value, m);
    r->mapped++;
    trace(L4_TRACE_MAP, ptab_va(e) | ptab_shift(ptab_level(e)), value & ~PTE_NX, r->to->obj.id);
}

/* PF-7: the mapping database enters what the receiver gets as a child of what the sender has. */
static int enter(struct map_request *r, pte_t *e, struct mapping *parent, unsigned level,
                 uint64_t page, pte_t value)
{
    struct mapping *m = mapping_new(r->to->space.quota, level | MAPPING_MEMORY);
    kref_t *list = m ? mapdb_list(parent, level, page, quota_of(parent)) : NULL;

    if (!list) {
        if (m)
            mapping_delete(m, r->to->space.quota);
        ptab_trim(e);
        return -L4_ENOMEM;
    }
    m->entry = kref(e);
    mapdb_link(list, parent, m);
    enter_page(r, e, value, m);
    return 0;
}

/* The receiver's entry takes the sender's place in the tree, with its children. */
static SELDOM int grant(struct map_request *r, pte_t *e, pte_t *from, pte_t value)
{
    struct mapping *m = ptab_mapping(from);
    unsigned lost = ~r->rights & (L4_FPAGE_W | L4_FPAGE_X);
    uint64_t size = 1UL << ptab_shift(mapping_level(m));

    if (!mapdb_move(m, kref(e), r->from->space.quota, r->to->space.quota)) {
        ptab_trim(e);
        return -L4_ENOMEM;
    }
    enter_page(r, e, value | (*from & PTE_AD), m);
    ptab_clear(from);
    mmu_flush_page(&r->from->space, r->src + r->done);
    ptab_drop(from);
    if (!lost || !downgrade_below(m, lost)) /* children never have more than their parent */
        return 0;
    r->done += size; /* what is left to be done is the first thing when the call goes on */
    return MAP_PREEMPTED;
}

/* The entry of `level` for dst, free: *e, with ROOM_MADE. Or -L4_ENOMEM, or another enum room. */
static int free_entry(struct map_request *r, pte_t *s, uint64_t dst, unsigned level, pte_t value,
                      pte_t **e)
{
    unsigned at;

    for (bool tried = false;; tried = true) {
        struct mapping *m = ptab_owner(s);
        int err = ptab_reach(&r->to->space, dst, level, true, e);

        if (err ? err != -L4_EEXIST : !ptab_occupied(*e))
            return err;
        if (tried) /* all mappings are gone: it is kernel-user memory */
            return ROOM_SMALLER;
        if (!err)
            ptab_trim(*e); /* references, if only kernel-user memory is in the table */
        err = make_room(r, dst, level, m, frame_of(value, level), rights_of(value));
        if (err != ROOM_MADE)
            return err;
        /* What had to go may have been where the source came from, and its table with it. */
        s = ptab_find(&r->from->space, r->src + r->done, &at);
        if (!s)
            return ROOM_NONE;
        kassert(!mapping_dying(ptab_owner(s)));
    }
}

/* One leaf of the source, or as much of it as fits. *size: bytes dealt with; *dst_entry: the new
 * entry, if there is one. */
static int map_leaf(struct map_request *r, pte_t *s, unsigned level, uint64_t *size,
                    pte_t **dst_entry)
{
    uint64_t src = r->src + r->done, dst = r->dst + r->done;
    unsigned to_level = common_level(src, dst, r->end - r->done, level);
    uint64_t offset = src & ((1UL << ptab_shift(level)) - 1);
    struct mapping *m = ptab_owner(s);
    pte_t value, *e;
    int err;

    *size = 1UL << ptab_shift(to_level);
    if (!m || mapping_dying(m) || dst >= L4_USER_END)
        return 0;
    for (err = ROOM_SMALLER; err == ROOM_SMALLER; to_level -= err == ROOM_SMALLER) {
        *size = 1UL << ptab_shift(to_level);
        if (dst + *size > L4_USER_END)
            continue;
        value = (*s & r->keep & ~(pte_t)PTE_PS) | r->add | (to_level > 1 ? PTE_PS : 0);
        value += offset; /* which part of a larger source page */
        err = free_entry(r, s, dst, to_level, value, &e);
    }
    if (err)
        return err < 0 ? err : err == ROOM_PREEMPTED ? MAP_PREEMPTED : 0;
    *dst_entry = e;
    if (r->grant && to_level == mapping_level(m))
        return grant(r, e, s, value);
    offset = src & ((1UL << ptab_shift(mapping_level(m))) - 1); /* m may have been split */
    return enter(r, e, m, to_level, offset >> 12, value);
}

/*
 * Neighbours: from entries s and d of two tables of small pages on, as long as nothing but
 * mapping a page into an empty entry is to be done. At most LIMIT_STEPS entries; how many were.
 */
static unsigned map_neighbours(struct map_request *r, pte_t *s, pte_t *d, int *err)
{
    struct ptab_run from = ptab_run(s), to = ptab_run(d);
    struct quota *q = r->to->space.quota;
    uint64_t left = (r->end - r->done) >> L4_PAGESHIFT;
    uint64_t room = (L4_USER_END - r->dst - r->done) >> L4_PAGESHIFT;
    uint64_t n = min_of(min_of(ptab_run_length(&from), ptab_run_length(&to)), LIMIT_STEPS);
    unsigned i;

    n = min_of(n, min_of(left, room));
    if (!from.nodes) /* all of them are parts of a split superpage */
        return 0;
    for (i = 0; i < n; i++) {
        pte_t v = from.e[i];
        struct mapping *parent, *m;

        if (to.e[i] || to.nodes[i])
            break; /* overmap: not here */
        if (!(v & PTE_P) || (v & PTE_KU))
            continue;
        if (!from.nodes[i])
            break; /* of a split superpage */
        m = mapping_new(q, 1 | MAPPING_MEMORY);
        if (!m) {
            *err = -L4_ENOMEM;
            break;
        }
        parent = kptr(from.nodes[i]);
        m->entry = kref(&to.e[i]);
        mapdb_link(&parent->child, parent, m);
        ptab_run_put(&to, i, (v & r->keep) | r->add, m);
        r->mapped++;
        trace(L4_TRACE_MAP, ptab_va(&to.e[i]) | L4_PAGESHIFT, v & PTE_FRAME, r->to->obj.id);
    }
    return i;
}

/* The same for pages of the superpage at s, from the one that is next on. */
static unsigned map_parts(struct map_request *r, pte_t *s, pte_t *d, int *err)
{
    struct ptab_run to = ptab_run(d);
    struct mapping *parent = ptab_mapping(s);
    uint64_t offset = (r->src + r->done) & (L4_SUPERPAGESIZE - 1);
    uint64_t left = (r->end - r->done) >> L4_PAGESHIFT;
    uint64_t room = (L4_USER_END - r->dst - r->done) >> L4_PAGESHIFT;
    uint64_t n = min_of((L4_SUPERPAGESIZE - offset) >> L4_PAGESHIFT, ptab_run_length(&to));
    unsigned i;

    n = min_of(min_of(n, LIMIT_STEPS), min_of(left, room));
    if (!parent)
        return 0;
    for (i = 0; i < n && !to.e[i] && !to.nodes[i]; i++, offset += L4_PAGESIZE) {
        struct mapping *m = mapping_new(r->to->space.quota, 1 | MAPPING_MEMORY);
        kref_t *list = m ? mapdb_list_in_parts(parent, 1, offset >> L4_PAGESHIFT,
                                               r->from->space.quota) : NULL;

        if (!list) {
            if (m)
                mapping_delete(m, r->to->space.quota);
            *err = -L4_ENOMEM;
            break;
        }
        m->entry = kref(&to.e[i]);
        mapdb_link(list, parent, m);
        ptab_run_put(&to, i, ((*s & r->keep & ~(pte_t)PTE_PS) | r->add) + offset, m);
        r->mapped++;
        trace(L4_TRACE_MAP, ptab_va(&to.e[i]) | L4_PAGESHIFT, (*s & PTE_FRAME) + offset,
              r->to->obj.id);
    }
    return i;
}

/* What of a source entry a receiver's entry keeps, and what it has in any case. */
static void entry_masks(struct map_request *r)
{
    r->keep = PTE_FRAME | PTE_NX | ((r->rights & L4_FPAGE_W) ? PTE_W : 0);
    r->add = PTE_P | PTE_U | ((r->rights & L4_FPAGE_X) ? 0 : PTE_NX);
    if (!(r->attributes & ATTRIBUTES_GIVEN))
        r->keep |= PTE_PCD | PTE_PWT;
    else if (!(r->attributes & ATTRIBUTES_CACHED))
        r->add |= (r->attributes & ATTRIBUTES_BUFFERED) ? PTE_PWT : PTE_PCD | PTE_PWT;
}

static NOINLINE int map_range(struct map_request *r)
{
    uint64_t mapped = r->mapped;
    unsigned step = 0, level;
    int err = 0;

    while (r->done < r->end && !err) {
        uint64_t src = r->src + r->done, size;
        pte_t *s, *d = NULL;

        if (step >= LIMIT_STEPS) {
            step = 0;
            if (sched_preempt()) {
                err = MAP_PREEMPTED;
                break;
            }
        }
        if (src >= L4_USER_END)
            break;
        s = ptab_find_near(&r->from->space, src, &level);
        size = (1UL << ptab_shift(level)) - (src & ((1UL << ptab_shift(level)) - 1));
        if (s)
            err = map_leaf(r, s, level, &size, &d);
        if (err)
            break;
        r->done += size;
        step++;
        if (d && size == L4_PAGESIZE && !r->grant && ptab_index(d) != 511 &&
            (level == 2 || (level == 1 && ptab_index(s) != 511))) {
            unsigned n = level == 1 ? map_neighbours(r, s + 1, d + 1, &err)
                                    : map_parts(r, s, d + 1, &err);

            r->done += (uint64_t)n << L4_PAGESHIFT;
            step += n;
        }
    }
    r->to->pages_mapped += r->mapped - mapped;
    return err;
}

static NOINLINE int map_page_failed(struct map_request *r, struct mapping *m, pte_t *d)
{
    if (m)
        mapping_delete(m, r->to->space.quota);
    ptab_trim(d);
    return -L4_ENOMEM;
}

/* Which small page of a leaf of a level an address lies in, as an offset. */
static const uint32_t offset_mask[] = {0, 0, 0x1ff000, 0x3ffff000};

/* One small page into an empty entry, both tables at hand or not: what most messages and faults
 * ask for; what is not that simple is left to map_range(). */
static NOINLINE int map_page(struct map_request *r)
{
    struct space *to = &r->to->space;
    struct mapping *m, *parent;
    uint64_t offset;
    unsigned level;
    kref_t *list;
    pte_t *s, *d;
    struct ptab_run run;

    if (r->src >= L4_USER_END || r->dst >= L4_USER_END)
        return map_range(r);
    s = ptab_find_near(&r->from->space, r->src, &level);
    if (!s || !(*s & PTE_P))
        return map_range(r);
    parent = ptab_mapping(s);
    if (!parent) /* kernel-user memory, or part of a split mapping */
        return map_range(r);
    d = ptab_near(to, r->dst);
    if (!d || !kmem_desc(d)->nodes) {
        if (ptab_reach(to, r->dst, 1, true, &d) != 0)
            return map_range(r);
        ptab_remember(to, d);
    }
    run = ptab_run(d);
    if (*d || run.nodes[0])
        return map_range(r);
    offset = r->src & offset_mask[level];
    m = mapping_new(to->quota, 1 | MAPPING_MEMORY);
    list = &parent->child;
    if (level > 1 && m)
        list = mapdb_list_in_parts(parent, 1, offset >> L4_PAGESHIFT, r->from->space.quota);
    if (!m || !list)
        return map_page_failed(r, m, d);
    m->entry = kref(d);
    mapdb_link(list, parent, m);
    ptab_run_put(&run, 0, ((*s & r->keep) | r->add) + offset, m);
    trace(L4_TRACE_MAP, r->dst | L4_PAGESHIFT, (*s & PTE_FRAME) + offset, r->to->obj.id);
    r->to->pages_mapped++;
    r->mapped++;
    r->done = r->end;
    return 0;
}

int map_memory(struct map_request *r)
{
    r->end = r->order >= 47 ? L4_USER_END : 1UL << r->order;
    entry_masks(r);
    if (__builtin_expect(mapdb_walks != NULL, 0) && walk_finish() == MAP_PREEMPTED)
        return MAP_PREEMPTED;
    if (r->order == L4_PAGESHIFT && !r->grant)
        return map_page(r);
    return map_range(r);
}

SELDOM int map_roots(struct task *t, uint64_t start, uint64_t end, unsigned rights, bool cached)
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
