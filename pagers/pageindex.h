/*
 * pageindex.h - which page of a dataspace lies in which frame
 *
 * A radix tree with 512 entries a node; a node is one frame and exists only when a page below it
 * does, so a large dataspace of which little is touched costs little. The first
 * INDEX_DIRECT pages of a small dataspace need no node at all.
 *
 *   levels 0      entry[0 .. INDEX_DIRECT)                in the structure itself
 *   levels n      root -> 512 nodes -> ... -> 512 entries
 *
 * An entry is the frame's address; the low 12 bits are the caller's; 0 means there is no page.
 *
 * P1  A node other than one that index_prune() has not yet visited holds at least one entry.
 * P2  `nodes` is the number of nodes of the tree.
 *
 * The index neither gets nor frees memory: the caller brings nodes (index_missing(), index_make())
 * and takes them back (index_prune()). So entering a page cannot fail half way, and the module
 * runs unchanged on the host.
 */
#pragma once

#include <abi/types.h>

#include <stdbool.h>

enum {
    INDEX_BITS = 9,
    INDEX_FANOUT = 1 << INDEX_BITS,
    INDEX_DIRECT = 4,
    INDEX_LEVELS_MAX = 4, /* 2^36 pages: all of a 48-bit address space */
};
#define INDEX_PAGES_MAX (1UL << (INDEX_BITS * INDEX_LEVELS_MAX))

struct page_index {
    unsigned levels;
    l4_umword_t nodes;
    union {
        l4_umword_t *root;
        l4_umword_t direct[INDEX_DIRECT];
    };
};

/* An empty index for pages 0 .. pages - 1 (at most INDEX_PAGES_MAX). */
void index_init(struct page_index *ix, l4_umword_t pages);

/* The entry of a page, NULL if there is not even a node for it. */
static inline l4_umword_t *index_find(const struct page_index *ix, l4_umword_t page)
{
    l4_umword_t *node = ix->root;
    unsigned shift;

    if (ix->levels == 0)
        return (l4_umword_t *)&ix->direct[page];
    for (shift = (ix->levels - 1) * INDEX_BITS; node && shift; shift -= INDEX_BITS)
        node = (l4_umword_t *)node[page >> shift & (INDEX_FANOUT - 1)];
    return node ? &node[page & (INDEX_FANOUT - 1)] : NULL;
}

/* Nodes of an index that is full. */
l4_umword_t index_nodes_max(l4_umword_t pages);

/* How many nodes index_make() will need: 0 .. INDEX_LEVELS_MAX. */
unsigned index_missing(const struct page_index *ix, l4_umword_t page);

/* The entry of a page; `nodes` holds index_missing() zeroed frames, which become the tree's. */
l4_umword_t *index_make(struct page_index *ix, l4_umword_t page, void *const *nodes);

/* Move *page to the first page in [*page, end) that has an entry. False: there is none. */
bool index_next(const struct page_index *ix, l4_umword_t *page, l4_umword_t end);

/* Take out the nodes that meet [first, end) and hold nothing any more. They are pushed on *chain,
 * linked through their first word. Returns how many. */
unsigned index_prune(struct page_index *ix, l4_umword_t first, l4_umword_t end, void **chain);

/* P1 (no empty node) and P2; walks the tree. */
bool index_ok(const struct page_index *ix);
