/*
 * pages.c - inside anon: pages are made, in ones and in runs, and dropped
 *
 * The invariants are in anon.h. Whoever needs memory takes the frames first, then charges them,
 * then enters them: from there on nothing fails.
 */
#include "anon.h"

#include <abi/errors.h>

#include <string.h>

enum { UNMAP_BATCH = 32 }; /* flexpages in one call to the kernel: half of a message */

static void frames_put(void *const *frames, unsigned count)
{
    while (count-- > 0)
        frames_give(&anon_pool, frames[count]);
}

/* `count` zeroed frames, all or none. */
static long frames_get(const struct anon_ds *a, void **frames, unsigned count)
{
    if (!ram_at_hand(a, count) && !ram_refill(count))
        return -L4_ENOMEM;
    for (unsigned i = 0; i < count; i++)
        frames[i] = frames_take(&anon_pool);
    return 0;
}

l4_umword_t *entry_have(struct anon_ds *a, l4_umword_t page)
{
    void *nodes[INDEX_LEVELS_MAX];
    unsigned missing = index_missing(&a->index, page);

    if (missing == 0)
        return index_find(&a->index, page);
    if (frames_get(a, nodes, missing) != 0)
        return NULL;
    if (ds_charge(&a->ds, 0, missing) != 0) {
        frames_put(nodes, missing);
        return NULL;
    }
    return index_make(&a->index, page, nodes);
}

/* -------------------------------------------------------------------- runs of pages */

void block_split(struct anon_ds *a, l4_umword_t page)
{
    l4_umword_t *entry = index_find(&a->index, block_of(page));

    for (unsigned i = 0; i < BLOCK; i++)
        entry[i] &= ~(l4_umword_t)ENTRY_SUPER;
}

/* `n` pages, a power of two, into as many empty entries: frames in a row, aligned to their size, so
 * that one flexpage can bring them all. False: nothing has been done. */
static bool run_make(struct anon_ds *a, l4_umword_t *entry, l4_umword_t n, l4_umword_t flags)
{
    l4_addr_t run;

    if (!ram_at_hand(a, n) && !ram_grow(n))
        return false;
    run = frames_take_run(&anon_pool, n, n << L4_PAGESHIFT);
    if (!run && ram_chunk(CHUNK_SHIFT))
        run = frames_take_run(&anon_pool, n, n << L4_PAGESHIFT);
    if (!run)
        return false;
    if (ds_charge(&a->ds, n, 0) != 0) {
        frames_give_run(&anon_pool, run, n);
        return false;
    }
    for (l4_umword_t i = 0; i < n; i++)
        entry[i] = (run + (i << L4_PAGESHIFT)) | flags;
    return true;
}

/* The block around `page` in one superpage, if nobody has a page of it yet. If memory or money is
 * short, this dataspace does not try again. */
static bool block_make(struct anon_ds *a, l4_umword_t page, l4_umword_t flag)
{
    l4_umword_t first = block_of(page), at = first, *entry;

    if (first + BLOCK > anon_pages(a) || index_next(&a->index, &at, first + BLOCK))
        return false;
    entry = entry_have(a, first);
    if (entry && run_make(a, entry, BLOCK, ENTRY_SUPER | flag))
        return true;
    a->slow &= ~(unsigned)SLOW_SUPER;
    return false;
}

/*
 * How many pages to make from `page` on. The window doubles while pages are touched in sequence,
 * and is one page again after a jump. What is made at once is aligned to its size.
 */
static l4_umword_t ahead_window(struct anon_ds *a, l4_umword_t page)
{
    l4_umword_t n = 1;

    if (page == a->next)
        n = a->ahead * 2 < a->ahead_max ? a->ahead * 2 : a->ahead_max;
    a->ahead = n;
    while ((page & (n - 1)) || page + n > anon_pages(a))
        n /= 2;
    return n;
}

static bool ahead_make(struct anon_ds *a, l4_umword_t page, l4_umword_t *entry, l4_umword_t flag)
{
    l4_umword_t n = ahead_window(a, page);

    for (l4_umword_t i = 1; i < n; i++)
        while (i < n && entry[i])
            n /= 2;
    a->next = page + n;
    return n > 1 && run_make(a, entry, n, flag);
}

/* -------------------------------------------------------------------- single pages */

static bool page_fill(struct anon_ds *a, l4_umword_t *entry, l4_umword_t flag)
{
    void *frame = frame_get(a);

    if (!frame)
        return false;
    if (L4_UNLIKELY(ds_charge(&a->ds, 1, 0) != 0)) {
        frames_give(&anon_pool, frame);
        return false;
    }
    *entry = (l4_umword_t)frame | flag;
    return true;
}

static __attribute__((noinline)) l4_umword_t *page_make_slow(struct anon_ds *a, l4_umword_t page,
                                                             l4_umword_t flag)
{
    l4_umword_t *entry;

    zero_revoke(a);
    if ((a->slow & SLOW_SUPER) && block_make(a, page, flag))
        return index_find(&a->index, page);
    entry = entry_have(a, page);
    if (!entry)
        return NULL;
    if (((a->slow & SLOW_AHEAD) && ahead_make(a, page, entry, flag)) || page_fill(a, entry, flag))
        return entry;
    nodes_drop(a, page, page + 1);
    return NULL;
}

l4_umword_t *page_make(struct anon_ds *a, l4_umword_t page, l4_umword_t *entry, l4_umword_t flag)
{
    if (L4_UNLIKELY(entry && *entry))
        return cow_own(a, page);
    if (L4_UNLIKELY(!entry || a->slow))
        return page_make_slow(a, page, flag);
    return page_fill(a, entry, flag) ? entry : NULL;
}

/* -------------------------------------------------------------------- dropping */

/* The flexpages of a batch, and the pages that they are. */
struct drop {
    l4_fpage_t fpages[UNMAP_BATCH];
    l4_umword_t page[UNMAP_BATCH];
    unsigned n;
};

/* Add the page, or the block that begins with it if that ends before `end`. Returns the page
 * behind. */
static l4_umword_t drop_add(struct drop *d, struct anon_ds *a, l4_umword_t page, l4_umword_t end,
                            l4_umword_t flag)
{
    l4_umword_t *entry = index_find(&a->index, page);
    bool whole = block_of(page) == page && page + BLOCK <= end;

    if ((*entry & flag) != flag)
        return page + 1;
    if (*entry & ENTRY_LOST) {
        *entry = 0;
        return page + 1;
    }
    if ((*entry & ENTRY_SUPER) && !whole)
        block_split(a, page);
    whole = *entry & ENTRY_SUPER;
    d->page[d->n] = page;
    d->fpages[d->n++] = l4_fpage(*entry & L4_PAGEMASK, whole ? CHUNK_SHIFT : L4_PAGESHIFT,
                                 L4_FPAGE_RWX);
    return page + (whole ? BLOCK : 1);
}

/* Nobody has the pages any more: their frames are free, or those of the other owners. */
static void drop_commit(struct drop *d, struct anon_ds *a)
{
    for (unsigned i = 0; i < d->n; i++) {
        l4_umword_t *entry = index_find(&a->index, d->page[i]);
        unsigned count = *entry & ENTRY_SUPER ? BLOCK : 1;

        if (*entry & ENTRY_SHARED) {
            cow_leave(a, d->page[i], entry);
            continue;
        }
        frames_give_run(&anon_pool, *entry & L4_PAGEMASK, count);
        memset(entry, 0, count * sizeof(*entry));
        ds_credit(&a->ds, count, 0);
    }
}

long pages_drop(struct anon_ds *a, l4_umword_t first, l4_umword_t end, l4_umword_t flag)
{
    l4_umword_t page = first;
    long err;

    while (page < end) {
        struct drop d = {.n = 0};

        while (d.n < UNMAP_BATCH && index_next(&a->index, &page, end))
            page = drop_add(&d, a, page, end, flag);
        if (d.n == 0)
            break;
        if ((err = ram_unmap(d.fpages, d.n)) != 0)
            return err;
        drop_commit(&d, a);
    }
    return 0;
}

void nodes_drop(struct anon_ds *a, l4_umword_t first, l4_umword_t end)
{
    void *chain = NULL;
    unsigned n = index_prune(&a->index, first, end, &chain);

    while (chain) {
        void *node = chain;
        chain = *(void **)node;
        frames_give(&anon_pool, node);
    }
    ds_credit(&a->ds, 0, n);
    ram_shrink();
}
