/*
 * pageindex.c - which page of a dataspace lies in which frame; see pageindex.h
 */
#include "pageindex.h"

/* Pages below one entry of a node at `level` (1: the node's entries are pages). */
static inline unsigned level_shift(unsigned level)
{
    return (level - 1) * INDEX_BITS;
}

static inline unsigned level_slot(l4_umword_t page, unsigned level)
{
    return (page >> level_shift(level)) & (INDEX_FANOUT - 1);
}

void index_init(struct page_index *ix, l4_umword_t pages)
{
    *ix = (struct page_index){.levels = 0};
    if (pages <= INDEX_DIRECT)
        return;
    do
        ix->levels++;
    while (pages > 1UL << (ix->levels * INDEX_BITS));
}

l4_umword_t index_nodes_max(l4_umword_t pages)
{
    l4_umword_t nodes = 0;

    if (pages <= INDEX_DIRECT)
        return 0;
    do {
        pages = (pages + INDEX_FANOUT - 1) / INDEX_FANOUT;
        nodes += pages;
    } while (pages > 1);
    return nodes;
}

unsigned index_missing(const struct page_index *ix, l4_umword_t page)
{
    const l4_umword_t *node = ix->root;
    unsigned level = ix->levels;

    if (level == 0)
        return 0;
    for (; node && level > 1; level--)
        node = (const l4_umword_t *)node[level_slot(page, level)];
    return node ? 0 : level;
}

l4_umword_t *index_make(struct page_index *ix, l4_umword_t page, void *const *nodes)
{
    if (ix->levels == 0)
        return &ix->direct[page];

    l4_umword_t *link = (l4_umword_t *)&ix->root;
    for (unsigned level = ix->levels; level >= 1; level--) {
        if (*link == 0) {
            *link = (l4_umword_t)*nodes++;
            ix->nodes++;
        }
        link = (l4_umword_t *)*link + level_slot(page, level);
    }
    return link;
}

bool index_next(const struct page_index *ix, l4_umword_t *page, l4_umword_t end)
{
    l4_umword_t p = *page;

    while (p < end) {
        const l4_umword_t *node = ix->levels ? ix->root : ix->direct;
        unsigned level = ix->levels;

        if (level == 0 ? node[p] != 0 : false)
            break;
        for (; node && level > 1; level--)
            node = (const l4_umword_t *)node[level_slot(p, level)];
        if (node && level == 1 && node[level_slot(p, 1)] != 0)
            break;
        /* Nothing at p: go on behind the part that is known to be empty. */
        unsigned shift = node || level == 0 ? 0 : level * INDEX_BITS;
        p = ((p >> shift) + 1) << shift;
    }
    if (p >= end)
        return false;
    *page = p;
    return true;
}

struct prune {
    l4_umword_t first, end;
    void **chain;
    unsigned count;
};

/* Prune the node at *link, which starts at page `base`; unhook it if nothing remains. */
static void prune_node(struct prune *pr, l4_umword_t *link, unsigned level, l4_umword_t base)
{
    l4_umword_t *node = (l4_umword_t *)*link;
    l4_umword_t span = 1UL << level_shift(level);
    bool used = false;

    if (!node || base >= pr->end || base + span * INDEX_FANOUT <= pr->first)
        return;
    for (unsigned i = 0; i < INDEX_FANOUT; i++) {
        if (level > 1)
            prune_node(pr, &node[i], level - 1, base + i * span);
        used |= node[i] != 0;
    }
    if (used)
        return;
    *link = 0;
    *(void **)node = *pr->chain;
    *pr->chain = node;
    pr->count++;
}

unsigned index_prune(struct page_index *ix, l4_umword_t first, l4_umword_t end, void **chain)
{
    struct prune pr = {.first = first, .end = end, .chain = chain};

    if (ix->levels > 0)
        prune_node(&pr, (l4_umword_t *)&ix->root, ix->levels, 0);
    ix->nodes -= pr.count;
    return pr.count;
}

/* Number of nodes below and including this one; 0 when one of them is empty. */
static l4_umword_t count_nodes(const l4_umword_t *node, unsigned level)
{
    l4_umword_t count = 1;
    bool used = false;

    for (unsigned i = 0; i < INDEX_FANOUT; i++) {
        if (node[i] == 0)
            continue;
        used = true;
        if (level == 1)
            continue;
        l4_umword_t below = count_nodes((const l4_umword_t *)node[i], level - 1);
        if (below == 0)
            return 0;
        count += below;
    }
    return used ? count : 0;
}

bool index_ok(const struct page_index *ix)
{
    if (ix->levels == 0 || !ix->root)
        return ix->nodes == 0;
    return count_nodes(ix->root, ix->levels) == ix->nodes;
}
