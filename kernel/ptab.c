/*
 * ptab.c - page tables: find, reach, prune; one loop for all levels
 *
 * The invariants T1..T5 stand in ptab.h. A table is all zero when it is freed, and so are the
 * references beside it: neither is cleared again when it is next used.
 */
#include "ptab.h"

#include <abi/types.h>

/* 512 references beside a table; two fit in a page. */
static struct slab nodes_slab;

void ptab_init(void)
{
    slab_init(&nodes_slab, "references", PTAB_ENTRIES * sizeof(kref_t));
}

enum { ROOT_SHIFT = 12 + 9 * (PTAB_LEVELS - 1), PTE_TABLE_OR_LEAF = PTE_P | PTE_PS };

/* shift: ptab_shift of the table's level. */
static inline pte_t *entry_at(pte_t *table, uint64_t va, unsigned shift)
{
    return (pte_t *)((char *)table + (va >> (shift - 3) & (PTAB_ENTRIES - 1) << 3));
}

static inline pte_t *table_of(const pte_t *e)
{
    return (pte_t *)((uintptr_t)e & ~(uintptr_t)(KPAGE_SIZE - 1));
}

static inline bool is_leaf(pte_t value, unsigned level)
{
    return level == 1 || (value & PTE_PS);
}

static pte_t *table_new(struct space *s, unsigned level, uint64_t va, pte_t *up)
{
    pte_t *table = kmem_page(s->quota, KPAGE_TABLE);
    struct kpage *d;

    if (!table)
        return NULL;
    d = kmem_desc(table);
    d->level = (uint8_t)level;
    d->live = 0;
    d->hint = 0;
    d->owner = kref(s);
    d->pages = 0;
    d->nodes = 0;
    d->up = up ? kref(up) : 0;
    d->base = (uint32_t)(va >> ptab_shift(level + 1) << ptab_shift(level + 1) >> 21);
    return table;
}

int ptab_create(struct space *s, struct quota *q)
{
    s->quota = q;
    s->root = table_new(s, PTAB_LEVELS, 0, NULL);
    if (!s->root)
        return -L4_ENOMEM;
    mmu_copy_kernel_half(s->root);
    s->root_phys = mmu_phys(s->root);
    s->last = NULL;
    s->big = NULL;
    return 0;
}

void ptab_destroy(struct space *s)
{
    kassert(kmem_desc(s->root)->live == 0 && !kmem_desc(s->root)->nodes);
    kmem_page_free(s->quota, s->root);
    s->root = NULL;
}

pte_t *ptab_slot(const struct space *s, uint64_t va, unsigned *level)
{
    pte_t *table = s->root;
    unsigned l = PTAB_LEVELS;

    for (unsigned shift = ROOT_SHIFT;; shift -= 9, l--) {
        pte_t *e = entry_at(table, va, shift);
        pte_t value = *e;

        if ((value & PTE_TABLE_OR_LEAF) != PTE_P || shift == 12) {
            *level = l;
            return e;
        }
        table = mmu_virt(value & PTE_FRAME);
    }
}

pte_t *ptab_find(const struct space *s, uint64_t va, unsigned *level)
{
    pte_t *e = ptab_slot(s, va, level);

    return (*e & PTE_P) || ptab_mapping(e) ? e : NULL;
}

pte_t *ptab_find_remember(struct space *s, uint64_t va, unsigned *level)
{
    pte_t *e = ptab_find(s, va, level);

    if (e && *level == 1) {
        ptab_remember(s, e);
    } else if (e && *level == 2) {
        s->big = e;
        s->big_base = va >> 21;
    }
    return e;
}

enum { SCAN_MAX = 256 /* entries looked at in one go */ };

/* The first entry in use from index i on, or where *scan ends; PTAB_ENTRIES: none. */
static unsigned next_used(const pte_t *table, unsigned i, unsigned end, unsigned *scan)
{
    const struct kpage *d = kmem_desc(table);
    const kref_t *nodes = d->nodes ? kptr(d->nodes) : NULL;

    if (!d->live)
        return PTAB_ENTRIES;
    for (; i < end && *scan && !table[i] && !(nodes && nodes[i]); --*scan)
        i++;
    return i < end ? i : PTAB_ENTRIES;
}

SELDOM pte_t *ptab_next_leaf(const struct space *s, uint64_t *va)
{
    unsigned shift = ROOT_SHIFT, end = PTAB_ENTRIES / 2, scan = SCAN_MAX;
    pte_t *table = s->root;

    while (*va < L4_USER_END) {
        unsigned at = *va >> shift & (PTAB_ENTRIES - 1), i = next_used(table, at, end, &scan);
        pte_t value;

        if (i != at) /* in this table or, if there is nothing more, behind it */
            *va = ((*va >> (shift + 9)) << (shift + 9)) + ((uint64_t)i << shift);
        if (!scan)
            break;
        if (i == PTAB_ENTRIES) {
            table = s->root;
            shift = ROOT_SHIFT;
            end = PTAB_ENTRIES / 2;
            if (*va >> (ROOT_SHIFT + 8))
                break;
            continue;
        }
        value = table[i];
        if ((value & PTE_TABLE_OR_LEAF) != PTE_P || shift == 12)
            return &table[i];
        table = mmu_virt(value & PTE_FRAME);
        shift -= 9;
        end = PTAB_ENTRIES;
    }
    return NULL;
}

/* The references beside the table of e, which has none. */
static bool nodes_make(struct space *s, pte_t *e)
{
    uint64_t *nodes = slab_take(&nodes_slab, s->quota);

    if (!nodes)
        return false;
    nodes[0] = 0; /* all others are zero, see above */
    kmem_desc(e)->nodes = kref(nodes);
    return true;
}

/* A table of `level` under e, where there is none. */
static int table_make(struct space *s, pte_t *e, unsigned level, uint64_t va)
{
    pte_t *table;

    if ((*e & PTE_P) || ptab_mapping(e))
        return -L4_EEXIST;
    table = table_new(s, level, va, e);
    if (!table) {
        ptab_trim(e);
        return -L4_ENOMEM;
    }
    kmem_desc(e)->live++;
    pte_store(e, mmu_phys(table) | PTE_P | PTE_W | PTE_U);
    return 0;
}

/* The same as ptab_reach, with what may be missing on the way. */
static SELDOM int reach_making(struct space *s, uint64_t va, unsigned level, bool nodes,
                               pte_t **entry)
{
    pte_t *e = entry_at(s->root, va, ROOT_SHIFT);

    kassert(level >= 1 && level <= PTAB_LEAF_MAX);
    for (unsigned l = PTAB_LEVELS; l > level;) {
        l--;
        if ((*e & PTE_TABLE_OR_LEAF) != PTE_P) {
            int err = table_make(s, e, l, va);

            if (err)
                return err;
        }
        e = entry_at(mmu_virt(*e & PTE_FRAME), va, ptab_shift(l));
    }
    if (level > 1 && (*e & PTE_TABLE_OR_LEAF) == PTE_P)
        return -L4_EEXIST;
    if (nodes && !kmem_desc(e)->nodes && !nodes_make(s, e)) {
        ptab_trim(e);
        return -L4_ENOMEM;
    }
    *entry = e;
    return 0;
}

int ptab_reach(struct space *s, uint64_t va, unsigned level, bool nodes, pte_t **entry)
{
    unsigned last = ptab_shift(level);
    pte_t *table = s->root;
    pte_t *e;

    /* Nearly always all is there: a walk that calls nobody, so it saves no registers. */
    for (unsigned shift = ROOT_SHIFT; shift > last; shift -= 9) {
        pte_t value = *entry_at(table, va, shift);

        if ((value & PTE_TABLE_OR_LEAF) != PTE_P)
            return reach_making(s, va, level, nodes, entry);
        table = mmu_virt(value & PTE_FRAME);
    }
    e = entry_at(table, va, last);
    if ((last > 12 && (*e & PTE_TABLE_OR_LEAF) == PTE_P) || (nodes && !kmem_desc(e)->nodes))
        return reach_making(s, va, level, nodes, entry);
    *entry = e;
    return 0;
}

void ptab_trim(pte_t *e)
{
    struct kpage *d = kmem_desc(e);

    if (!d->hint || !d->live)
        ptab_prune(d, e);
}

void ptab_prune(struct kpage *d, pte_t *e)
{
    struct space *s = kptr(d->owner);

    for (;;) {
        pte_t *table = table_of(e);

        if (d->nodes && !d->hint) {
            slab_free(&nodes_slab, s->quota, kptr(d->nodes));
            d->nodes = 0;
        }
        if (d->live || !d->up)
            return;
        if (s->last == table)
            s->last = NULL;
        if (table_of(s->big) == table)
            s->big = NULL;
        e = kptr(d->up);
        pte_store(e, 0);
        mmu_flush_page(s, (uint64_t)d->base << 21);
        kmem_page_free_clean(s->quota, table);
        d = kmem_desc(e);
        if (d->nodes && ((const kref_t *)kptr(d->nodes))[ptab_index(e)])
            return; /* the place of a mapping that was split */
        d->live--;
    }
}

SELDOM int ptab_split(pte_t *e)
{
    struct space *s = ptab_space(e);
    unsigned level = ptab_level(e) - 1;
    pte_t v = *e, *table = table_new(s, level, ptab_va(e), e);
    uint64_t size = 1UL << ptab_shift(level);
    struct kpage *d;

    if (!table)
        return -L4_ENOMEM;
    if (level == 1)
        v &= ~(pte_t)PTE_PS;
    for (unsigned i = 0; i < PTAB_ENTRIES; i++)
        pte_store(&table[i], v + i * size);
    d = kmem_desc(table);
    d->live = PTAB_ENTRIES;
    d->pages = PTAB_ENTRIES;
    pte_store(e, mmu_phys(table) | PTE_P | PTE_W | PTE_U);
    mmu_flush_page(s, ptab_va(e));
    return 0;
}

SELDOM void ptab_own_gone(pte_t *e, unsigned n)
{
    struct kpage *d = kmem_desc(e);

    kassert(d->live >= n && d->pages >= n);
    d->live -= n;
    d->pages -= n;
    for (struct kpage *x = d; n && !x->pages;) {
        const pte_t *up = kptr(x->up);

        if (ptab_mapping(up))
            break;
        x = kmem_desc(up);
        x->pages--;
    }
    if (!d->live)
        ptab_prune(d, e);
}

void ptab_leave(pte_t *e)
{
    struct kpage *d = kmem_desc(e);
    kref_t *nodes = kptr(d->nodes);

    nodes[ptab_index(e)] = 0;
    d->hint--;
    if (!*e)
        d->live--;
    if (!d->hint || !d->live)
        ptab_prune(d, e);
}

/* T2 and the descriptor of one table; adds the tables below to *tables. */
static bool table_ok(const struct space *s, const pte_t *table, unsigned level, uint64_t va,
                     const pte_t *up, unsigned *below)
{
    const struct kpage *d = kmem_desc(table);
    const kref_t *nodes = d->nodes ? kptr(d->nodes) : NULL;
    unsigned count = level == PTAB_LEVELS ? PTAB_ENTRIES / 2 : PTAB_ENTRIES; /* the user half */
    unsigned live = 0, hint = 0, own = 0;

    *below = 0;
    if (d->kind != KPAGE_TABLE || d->level != level || kptr(d->owner) != s ||
        (uint64_t)d->base << 21 != va || (up ? kptr(d->up) != up : d->up != 0))
        return false;
    for (unsigned i = 0; i < count; i++) {
        bool is_table = (table[i] & PTE_P) && !is_leaf(table[i], level);

        if (!(table[i] & PTE_P) && table[i])
            return false;
        if (is_table && !(nodes && nodes[i]))
            own += kmem_desc(mmu_virt(table[i] & PTE_FRAME))->pages != 0;
        else if ((table[i] & PTE_P) && !(nodes && nodes[i]))
            own += !(table[i] & PTE_KU);
        *below += is_table;
        live += (table[i] & PTE_P) || (nodes && nodes[i]);
        hint += nodes && nodes[i];
    }
    return live == d->live && hint == d->hint && own == d->pages && (live || !up) &&
           !nodes == !hint;
}

/* The next table of a level at or after *va: NULL: no more. */
static const pte_t *next_table(const struct space *s, unsigned level, uint64_t *va,
                               const pte_t **up)
{
    while (*va < 1UL << 47) {
        const pte_t *table = s->root;
        unsigned l = PTAB_LEVELS;

        for (*up = NULL; l > level; l--) {
            const pte_t *e = &table[*va >> ptab_shift(l) & (PTAB_ENTRIES - 1)];

            if (!(*e & PTE_P) || is_leaf(*e, l))
                break;
            *up = e;
            table = mmu_virt(*e & PTE_FRAME);
        }
        if (l == level)
            return table;
        *va = ((*va >> ptab_shift(l)) + 1) << ptab_shift(l);
    }
    return NULL;
}

bool ptab_ok(const struct space *s)
{
    unsigned expected = 1;

    for (unsigned level = PTAB_LEVELS; level; level--) {
        const pte_t *table, *up;
        unsigned seen = 0, below_all = 0;
        uint64_t va = 0;

        while ((table = next_table(s, level, &va, &up))) {
            unsigned below;

            if (!table_ok(s, table, level, va, up, &below))
                return false;
            below_all += below;
            seen++;
            va += 1UL << ptab_shift(level + 1);
        }
        if (seen != expected)
            return false;
        expected = below_all;
    }
    return true;
}
