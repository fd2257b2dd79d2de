/*
 * split.c - a part of a superpage mapping: taken away, its rights lowered, asked about
 *
 * A mapping of 2 MiB or 1 GiB of which a part is to go, keeps its node. Only its page-table entry
 * is split: in its place stands a table whose entries translate the same and have no nodes of
 * their own; they belong to the node beside the entry above. So nothing in the tree moves, and
 * a step never needs more memory than one or two tables.
 *
 *     before                          after: MAPPING_PARTIAL
 *     entry (2 MiB) | node            entry ------------> 4 KiB | 4 KiB | (gone) | 4 KiB ...
 *                                           | node        no references, desc.pages = 511
 *
 * Y1  A node is MAPPING_PARTIAL from its first split until it goes; space.partials counts them.
 * Y2  While it is not dying it has at least one entry left (ptab's `pages`, T2).
 * Y3  Below a node are no entries for parts that it lacks itself: they went with its own.
 */
#include "kassert.h"
#include "limits.h"
#include "map_memory.h"
#include "trace.h"

enum { COST = 16 /* steps that a table of 512 entries counts for */ };

/* What is to become of the entries of a mapping. */
struct change {
    unsigned rights; /* taken away */
    bool remove;
    bool reset; /* accessed and dirty */
};

static pte_t changed(pte_t v, const struct change *c)
{
    if (c->remove)
        return 0;
    if (c->rights & L4_FPAGE_W)
        v &= ~(pte_t)PTE_W;
    if (c->rights & L4_FPAGE_X)
        v |= PTE_NX;
    return c->reset ? v & ~(pte_t)PTE_AD : v;
}

static void change_entry(struct space *s, pte_t *e, unsigned level, const struct change *c)
{
    pte_t v = changed(*e, c);

    if (v == *e)
        return;
    if (c->remove)
        note_unmap(s, e, *e, level);
    pte_store(e, v);
    mmu_flush_page(s, ptab_va(e));
}

/* The entry where the walk for page number `page` of m ends, *level its level. */
static pte_t *entry_of(const struct mapping *m, uint64_t page, unsigned *level)
{
    pte_t *e = kptr(m->entry);

    *level = mapping_level(m);
    while (pte_is_table(*e, *level)) {
        --*level;
        e = (pte_t *)mmu_virt(*e & PTE_FRAME) + (page / mapping_pages(*level)) % PTAB_ENTRIES;
    }
    return e;
}

/* The entries of m from *page on, in one table, up to page `end`. *page: how far it came. What
 * they said, as page-table bits. */
static pte_t change_piece(struct mapping *m, uint64_t *page, uint64_t end, const struct change *c)
{
    unsigned level, gone = 0;
    pte_t *e = entry_of(m, *page, &level), seen = 0;
    struct ptab_run run = ptab_run(e);
    unsigned n = level == mapping_level(m) ? 1 : ptab_run_length(&run);

    for (unsigned i = 0; i < n && *page < end && !pte_is_table(e[i], level); i++) {
        bool mine = level == mapping_level(m) || (!ptab_run_mapping(&run, i) && !(e[i] & PTE_KU));

        if (mine && (e[i] & PTE_P)) {
            seen |= e[i];
            change_entry(ptab_space(e), &e[i], level, c);
            gone += c->remove;
        }
        *page = (*page / mapping_pages(level) + 1) * mapping_pages(level);
    }
    if (gone && level < mapping_level(m))
        ptab_own_gone(e, gone);
    return seen;
}

bool split_empty(const struct mapping *m)
{
    const pte_t *e = kptr(m->entry);

    return !pte_is_table(*e, mapping_level(m)) ||
           kmem_desc(mmu_virt(*e & PTE_FRAME))->pages == 0;
}

void split_cut_piece(struct mapping *m)
{
    const struct change remove = {.remove = true};
    uint64_t page = 0, end = mapping_pages(mapping_level(m));
    pte_t seen = 0;

    while (page < end && !seen && !split_empty(m))
        seen = change_piece(m, &page, end, &remove);
    m->parts |= accessed_dirty(seen);
}

/* Make the entry of `level` for a page of m, if m has one there. -L4_ENOMEM: it stayed larger. */
static int split_to(struct mapping *m, unsigned level, uint64_t page)
{
    unsigned at;
    pte_t *e = entry_of(m, page, &at);

    while (at > level) {
        if (!(*e & PTE_P) || (at < mapping_level(m) && ptab_mapping(e)))
            return 0;
        if (ptab_split(e) != 0)
            return -L4_ENOMEM;
        if (!mapping_partial(m)) {
            m->parts |= MAPPING_PARTIAL;
            ptab_space(e)->partials++;
        }
        e = entry_of(m, page, &at);
    }
    return 0;
}

/* The part that walk k is about, as a page number of m. */
static uint64_t page_of(const struct walk *k, const struct mapping *m)
{
    return k->at.page & (mapping_pages(mapping_level(m)) - 1);
}

/* Take the part out of m, which is larger and alive. False: m has to go as a whole, because the
 * memory to split it is missing, or because nothing is left of it. */
static bool clear_part(struct walk *k, struct mapping *m, unsigned *step)
{
    const struct change remove = {.remove = true};
    uint64_t page = page_of(k, m), end = page + mapping_pages(k->at.level);
    pte_t seen;

    if (split_to(m, k->at.level, page) != 0)
        return false;
    seen = change_piece(m, &page, end, &remove); /* a part lies in one table */
    k->seen |= status_of(accessed_dirty(seen));
    if (m->parent)
        mapping_parent(m)->parts |= accessed_dirty(seen);
    *step += COST;
    return !split_empty(m);
}

enum walk_visit split_revoke(struct walk *k, unsigned *step)
{
    struct mapping *m = k->at.at;

    if (mapping_level(m) <= k->at.level)
        return walk_revoke_visit(k, step);
    if (k->at.up) { /* what was known of the part is here now */
        unsigned knew = mapdb_inherited(m, k->at.level, page_of(k, m), false);

        k->seen |= status_of(knew);
        if (m->parent && (m != k->at.root || k->self))
            mapping_parent(m)->parts |= knew;
        return WALK_ON;
    }
    if (m == k->at.root && !k->self && !mapping_dying(m))
        return WALK_ON;
    if (!mapping_dying(m) && clear_part(k, m, step))
        return WALK_ON;
    return revoke_all(m, &k->seen) ? WALK_HERE : WALK_PREEMPTED;
}

/* Would the change make a difference to m's entry, which is whole? */
static bool matters(const struct mapping *m, const struct change *c)
{
    pte_t v = *(pte_t *)kptr(m->entry);

    return changed(v, c) != v;
}

/*
 * Somebody asks about a part of m, whose entry there is larger. Asking splits nothing: what the
 * entry says is remembered beside what m inherited, so that the other parts still have it.
 */
static void ask_larger(struct walk *k, struct mapping *m, uint64_t page, struct change *c)
{
    unsigned level;
    uint64_t all = 0;

    entry_of(m, page, &level);
    if (level == mapping_level(m))
        m->parts |= accessed_dirty(change_piece(m, &all, mapping_pages(level), c));
    else if (level > k->at.level)
        c->reset = false; /* split before, and now asked about smaller parts: told again */
}

enum walk_visit split_downgrade(struct walk *k, unsigned *step)
{
    struct mapping *m = k->at.at;
    bool whole = mapping_level(m) <= k->at.level;
    bool entry = !mapping_dying(m) && (m != k->at.root || k->self);
    unsigned level = whole ? mapping_level(m) : k->at.level;
    uint64_t page = whole ? 0 : page_of(k, m), at = page + k->at.sub;
    uint64_t end = page + mapping_pages(level);
    struct change c = {.rights = k->rights, .reset = k->rights == 0};

    if (k->at.up)
        return WALK_ON;
    if (entry && !whole && c.reset)
        ask_larger(k, m, page, &c);
    k->seen |= status_of(mapdb_inherited(m, level, page, k->rights == 0));
    if (!entry)
        return WALK_ON;
    if (!whole && !c.reset && (mapping_partial(m) || matters(m, &c)))
        (void)!split_to(m, level, page); /* without memory for it more is lowered than was asked */
    k->seen |= status_of(accessed_dirty(change_piece(m, &at, end, &c)));
    if (mapping_partial(m))
        *step += COST;
    k->at.sub = at - page;
    return at < end ? WALK_HERE : WALK_ON;
}
