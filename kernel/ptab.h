/*
 * ptab.h - page tables: find, reach, put, drop; one loop for all levels
 *
 * Beside each table that holds user mappings lie 512 references to the mapping nodes of its
 * entries (struct kpage.nodes), so the mapping of (space, address) is found by the same walk as
 * the translation. A table's descriptor says whose it is and which address it translates, so an
 * entry alone leads back to its space and address.
 *
 *     table (4 KiB)       its descriptor            references (2 KiB)
 *    +---------+        +----------------+         +---------+
 *    | entry 0 |        | space, level,  |-------->| mapping |
 *    | entry 1 |        | base, live, up |         | mapping |
 *      ...              +----------------+            ...
 *
 * T1  Every store to an entry is a pte_store (x86/mmu.h).
 * T2  live = entries that hold a table, a page, or the place of a dying mapping; hint = mappings
 *     among them. The references exist exactly while hint > 0.
 *     A superpage mapping that has been split keeps its reference beside the entry of the table.
 *     `pages` of a descriptor counts the entries that belong to such a mapping further up: leaves
 *     without a reference (and not kernel-user memory), and tables with such entries.
 * T3  No table is empty, but between ptab_reach and ptab_put. So where nothing is mapped, a page
 *     of any size can be entered.
 * T4  Tables and references are charged to the space's quota.
 * T5  A table is out of the tree and the TLBs know it before its memory is used again.
 * T6  space.last is NULL or a table of the space, space.big NULL or an entry in one.
 */
#pragma once

#include <abi/errors.h>

#include "kmem.h"

struct space;
struct mapping;

typedef uint64_t pte_t;

enum {
    PTE_P = 1 << 0,
    PTE_W = 1 << 1,
    PTE_U = 1 << 2,
    PTE_PWT = 1 << 3,
    PTE_PCD = 1 << 4,
    PTE_A = 1 << 5,
    PTE_D = 1 << 6,
    PTE_PS = 1 << 7,
    PTE_G = 1 << 8,
    /* available to software */
    PTE_KU = 1 << 9, /* kernel-user memory (UTCBs): no mapping node, never mapped on */
};
#define PTE_NX (1UL << 63)
#define PTE_FRAME 0x000ffffffffff000UL

enum { PTAB_ENTRIES = 512, PTAB_LEVELS = 4, PTAB_LEAF_MAX = 3 /* 1 GiB */ };

struct space {
    pte_t *root;         /* the PML4, in the pool window */
    uint64_t root_phys;  /* for CR3 */
    struct quota *quota; /* pays for tables and mapping nodes */
    uint32_t id;
    uint32_t partials;  /* superpage mappings that have been split (split.c) */
    pte_t *last;        /* the table of small pages that was last reached, or NULL */
    uint64_t last_base; /* the first address that it translates >> 21 */
    pte_t *big;         /* the entry of 2 MiB that was last found, or NULL */
    uint64_t big_base;  /* its address >> 21 */
};

#include "x86/mmu.h"

/* log2 of the bytes that an entry of a level translates: 4 KiB, 2 MiB, 1 GiB, 512 GiB. */
static inline unsigned ptab_shift(unsigned level)
{
    return 12 + 9 * (level - 1);
}

/* After kmem_init. */
void ptab_init(void);

int ptab_create(struct space *s, struct quota *q); /* -L4_ENOMEM; user half empty */
void ptab_destroy(struct space *s);                /* the user half must be empty of mappings */

/* The entry at which the walk to va ends: a leaf or an empty one; *level its level. */
pte_t *ptab_slot(const struct space *s, uint64_t va, unsigned *level);

/*
 * The leaf entry that covers va (present, or kept by a dying mapping), *level its level.
 * NULL: a hole; *level then is the level of the empty entry (the hole is that large at least).
 */
pte_t *ptab_find(const struct space *s, uint64_t va, unsigned *level);

/*
 * The first leaf entry at or behind *va (as in ptab_find), *va its address. NULL: none, then *va is
 * L4_USER_END or more, or none yet: go on from *va.
 */
pte_t *ptab_next_leaf(const struct space *s, uint64_t *va);

/* The same through the table that was last reached: neighbours need no walk. */
static inline pte_t *ptab_find_near(struct space *s, uint64_t va, unsigned *level);

/*
 * The entry of `level` for va, with all tables above it and (nodes = true) the references beside
 * it: *e. It is empty or a leaf. Follow with ptab_put, or with ptab_trim(*e) when it is not used.
 * -L4_ENOMEM: exhausted, nothing changed. -L4_EEXIST: a larger leaf or dying mapping covers va,
 * or smaller pages are there (a table); nothing changed, the caller unmaps them first.
 */
int ptab_reach(struct space *s, uint64_t va, unsigned level, bool nodes, pte_t **e);
/* After ptab_reach without a put: free what it made and nobody uses. */
void ptab_trim(pte_t *e);

static inline unsigned ptab_index(const pte_t *e)
{
    return (unsigned)((uintptr_t)e / sizeof(pte_t) % PTAB_ENTRIES);
}

static inline unsigned ptab_level(const pte_t *e)
{
    return kmem_desc(e)->level;
}

static inline struct space *ptab_space(const pte_t *e)
{
    return kptr(kmem_desc(e)->owner);
}

static inline uint64_t ptab_va(const pte_t *e)
{
    const struct kpage *d = kmem_desc(e);

    return ((uint64_t)d->base << 21) + ((uint64_t)ptab_index(e) << ptab_shift(d->level));
}

/* The mapping of a leaf entry; NULL: kernel-user memory. */
static inline struct mapping *ptab_mapping(const pte_t *e)
{
    kref_t nodes = kmem_desc(e)->nodes;
    kref_t m = nodes ? ((kref_t *)kptr(nodes))[ptab_index(e)] : 0;

    return m ? kptr(m) : NULL;
}

/* The mapping that a leaf entry belongs to: the one beside it, or a split one above; NULL:
 * kernel-user memory. Of an empty entry: the split mapping whose hole it is, or NULL. */
static inline struct mapping *ptab_owner(const pte_t *e)
{
    struct mapping *m = ptab_mapping(e);

    for (const struct kpage *d = kmem_desc(e); !m && !(*e & PTE_KU) && d->up;) {
        const pte_t *up = kptr(d->up);

        m = ptab_mapping(up);
        d = kmem_desc(up);
    }
    return m;
}

/* Replace a leaf of level 2 or 3 by a table of smaller ones that translate the same; they belong
 * to whom the leaf belonged. -L4_ENOMEM: nothing changed. */
int ptab_split(pte_t *e);
/* n entries in the table of e that belonged to a mapping above have been emptied. */
void ptab_own_gone(pte_t *e, unsigned n);
/* The mapping beside e forgets its place: e is empty, or a table that stays. */
void ptab_leave(pte_t *e);

static inline bool pte_is_table(pte_t v, unsigned level)
{
    return level > 1 && (v & (PTE_P | PTE_PS)) == PTE_P;
}

/* The next search near e, an entry for a small page, begins at its table (T6). */
static inline void ptab_remember(struct space *s, pte_t *e)
{
    s->last = e - ptab_index(e);
    s->last_base = kmem_desc(e)->base;
}

/* The entry of a small page in the remembered table; NULL: another table's. */
static inline pte_t *ptab_near(const struct space *s, uint64_t va)
{
    return va >> 21 == s->last_base && s->last ? &s->last[va >> 12 & (PTAB_ENTRIES - 1)] : NULL;
}

/* A walk, remembering what it comes to. */
pte_t *ptab_find_remember(struct space *s, uint64_t va, unsigned *level);

static inline pte_t *ptab_find_near(struct space *s, uint64_t va, unsigned *level)
{
    pte_t *e = ptab_near(s, va);

    if (e) {
        *level = 1;
        return (*e & PTE_P) || ptab_mapping(e) ? e : NULL;
    }
    if (s->big && va >> 21 == s->big_base && (*s->big & (PTE_P | PTE_PS)) == (PTE_P | PTE_PS)) {
        *level = 2;
        return s->big;
    }
    return ptab_find_remember(s, va, level);
}

/*
 * One table at hand: entries and references from one entry to the table's end, without a walk
 * for each. A run is valid while nobody drops the last entry of the table.
 *   for (r = ptab_run(e); i < ptab_run_length(&r); i++) ... r.e[i] ... ptab_run_mapping(&r, i)
 */
struct ptab_run {
    pte_t *e;
    kref_t *nodes; /* beside e; NULL: this table has none */
    struct kpage *desc;
};

static inline struct ptab_run ptab_run(pte_t *e)
{
    struct kpage *d = kmem_desc(e);
    kref_t *nodes = d->nodes ? (kref_t *)kptr(d->nodes) + ptab_index(e) : NULL;

    return (struct ptab_run){e, nodes, d};
}

static inline unsigned ptab_run_length(const struct ptab_run *r)
{
    return PTAB_ENTRIES - ptab_index(r->e);
}

static inline struct mapping *ptab_run_mapping(const struct ptab_run *r, unsigned i)
{
    return r->nodes && r->nodes[i] ? kptr(r->nodes[i]) : NULL;
}

/* The entry after e in the same table, for the next page of a loop; NULL: the table ends. Valid
 * while the table is: it holds something, and has references if something in it has. */
static inline pte_t *ptab_next(pte_t *e)
{
    return ptab_index(e) == PTAB_ENTRIES - 1 ? NULL : e + 1;
}

/* Enter value and mapping (may be NULL for kernel-user memory) in entry i of the run, empty. */
static inline void ptab_run_put(struct ptab_run *r, unsigned i, pte_t value, struct mapping *m)
{
    kassert(!(r->e[i] & PTE_P) && (value & PTE_P));
    r->desc->live++;
    if (m) {
        r->nodes[i] = kref(m);
        r->desc->hint++;
    }
    pte_store(&r->e[i], value);
}

/* Enter value and mapping (may be NULL for kernel-user memory) in an empty entry. */
static inline void ptab_put(pte_t *e, pte_t value, struct mapping *m)
{
    struct ptab_run r = ptab_run(e);

    ptab_run_put(&r, 0, value, m);
}

/* Change rights or bits of an entry in place; the old value. The caller flushes the TLB. */
static inline pte_t ptab_set(pte_t *e, pte_t value)
{
    pte_t old = *e;

    pte_store(e, value);
    return old;
}

/* The entry translates nothing from now on, but its mapping keeps the place (dying). The old
 * value; the caller flushes the TLB. */
static inline pte_t ptab_clear(pte_t *e)
{
    return ptab_set(e, 0);
}

/* Grant: another mapping (or the same one, from elsewhere) stands beside this entry. */
static inline void ptab_set_mapping(pte_t *e, struct mapping *m)
{
    kref_t *nodes = kptr(kmem_desc(e)->nodes);

    kassert(nodes[ptab_index(e)] && m);
    nodes[ptab_index(e)] = kref(m);
}

/* Free the references of a table that has no mappings left, and the table if it is empty, and so
 * on upwards; the TLBs forget the path. */
void ptab_prune(struct kpage *d, pte_t *e);

/* Empty entry i of the run and forget its mapping. True: the table may be gone, end the run. */
static inline bool ptab_run_drop(struct ptab_run *r, unsigned i)
{
    if (r->e[i])
        pte_store(&r->e[i], 0);
    r->desc->live--;
    if (r->nodes && r->nodes[i]) {
        r->nodes[i] = 0;
        if (!--r->desc->hint) {
            ptab_prune(r->desc, &r->e[i]);
            return true;
        }
    } else if (!r->desc->live) {
        ptab_prune(r->desc, &r->e[i]);
        return true;
    }
    return false;
}

/* Empty the entry and forget its mapping; frees tables that became empty, upwards. The TLB is
 * flushed for freed tables; for the entry itself that is the caller's business (ptab_clear). */
static inline void ptab_drop(pte_t *e)
{
    struct ptab_run r = ptab_run(e);

    ptab_run_drop(&r, 0);
}

/* T1..T4 for one space; time proportional to its tables. */
bool ptab_ok(const struct space *s);
