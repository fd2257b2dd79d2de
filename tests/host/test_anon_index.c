/*
 * test_anon_index.c - the page index of the pagers against a model that is an array
 */
#include "../../pagers/pageindex.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODEL = 1 << 20 };

static l4_umword_t model[MODEL]; /* model[k] is the entry of page k * stride */
static l4_umword_t stride;
static struct page_index ix;
static l4_umword_t nodes_out; /* nodes given to the tree and not back */
static unsigned seed;

static unsigned random_below(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 4) % n;
}

static void enter(l4_umword_t page, l4_umword_t value)
{
    void *nodes[INDEX_LEVELS_MAX];
    unsigned missing = index_missing(&ix, page);

    assert(missing <= INDEX_LEVELS_MAX);
    for (unsigned i = 0; i < missing; i++)
        nodes[i] = calloc(1, L4_PAGESIZE);
    *index_make(&ix, page, nodes) = value;
    nodes_out += missing;
    assert(index_missing(&ix, page) == 0 && *index_find(&ix, page) == value);
}

static void prune(l4_umword_t first, l4_umword_t end)
{
    void *chain = NULL;
    unsigned count = index_prune(&ix, first, end, &chain);

    nodes_out -= count;
    while (chain) {
        void *node = chain;
        chain = *(void **)node;
        free(node);
        count--;
    }
    assert(count == 0);
}

/* Empty [first, end) the way anon does: entry by entry, then the nodes. */
static unsigned clear(l4_umword_t first, l4_umword_t end)
{
    unsigned n = 0;

    for (l4_umword_t page = first; index_next(&ix, &page, end); page++, n++)
        *index_find(&ix, page) = 0;
    prune(first, end);
    return n;
}

static void compare_all(unsigned pages)
{
    l4_umword_t page = 0;

    for (unsigned k = 0; k < pages; k++) {
        const l4_umword_t *e = index_find(&ix, k * stride);
        assert((e ? *e : 0) == model[k]);
        if (model[k] == 0)
            continue;
        assert(index_next(&ix, &page, pages * stride) && page == k * stride);
        page++;
    }
    assert(!index_next(&ix, &page, pages * stride));
    assert(ix.nodes == nodes_out && index_ok(&ix));
}

static void run(unsigned pages, l4_umword_t step_pages, unsigned steps)
{
    stride = step_pages;
    nodes_out = 0;
    memset(model, 0, pages * sizeof(model[0]));
    index_init(&ix, pages * stride);
    for (unsigned s = 0; s < steps; s++) {
        unsigned k = random_below(pages), n = 1 + random_below(pages / 3 + 1), cleared = 0;

        if (s % 16 != 15) {
            enter(k * stride, model[k] = (s + 1) * L4_PAGESIZE);
            continue;
        }
        n = k + n > pages ? pages - k : n;
        for (unsigned i = k; i < k + n; i++) {
            cleared += model[i] != 0;
            model[i] = 0;
        }
        assert(clear(k * stride, (k + n) * stride) == cleared);
        compare_all(pages);
    }
    compare_all(pages);
    clear(0, pages * stride);
    assert(ix.nodes == 0 && nodes_out == 0);
}

static void the_index_is_an_array(void)
{
    static const unsigned sizes[] = {1, 3, 4, 5, 511, 512, 513, 2000};

    seed = 1;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        run(sizes[i], 1, 600);
    for (unsigned i = 0; i < 30; i++)
        run(1 + random_below(1500), 1, 300);
}

static void pages_far_apart_share_no_leaf_and_all_levels_work(void)
{
    static const l4_umword_t strides[] = {511, 512, 513, 1 << 18, (1UL << 26) - 1, 1UL << 26};

    for (unsigned i = 0; i < sizeof(strides) / sizeof(strides[0]); i++)
        run(900, strides[i], 400);
    assert(900 * strides[5] <= INDEX_PAGES_MAX);
}

static void a_large_dataspace_of_which_little_is_touched_costs_little(void)
{
    stride = 1;
    nodes_out = 0;
    index_init(&ix, 1 << 18); /* 1 GiB */
    assert(ix.nodes == 0);
    enter(0, L4_PAGESIZE);
    enter((1 << 18) - 1, L4_PAGESIZE);
    assert(ix.nodes == 3); /* the root and two leaves */
    assert(clear(0, 1 << 18) == 2 && ix.nodes == 0);
}

static void a_small_dataspace_needs_no_node(void)
{
    index_init(&ix, INDEX_DIRECT);
    for (unsigned page = 0; page < INDEX_DIRECT; page++)
        assert(index_missing(&ix, page) == 0);
    index_init(&ix, INDEX_DIRECT + 1);
    assert(index_missing(&ix, 0) == 1);
}

int main(void)
{
    the_index_is_an_array();
    pages_far_apart_share_no_leaf_and_all_levels_work();
    a_large_dataspace_of_which_little_is_touched_costs_little();
    a_small_dataspace_needs_no_node();
    puts("test_anon_index: ok");
    return 0;
}
