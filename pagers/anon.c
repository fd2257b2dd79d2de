/*
 * anon.c - anonymous memory: zero-filled on demand, exactly accounted
 *
 * Frames come from sigma0 in chunks, 1:1: what we see at address a is the frame at a. The pool
 * (frames.c) keeps the free ones, each dataspace has an index of its pages (pageindex.c), nodes of
 * the index are frames too. An account is charged for both, at the moment of the first touch.
 *
 *   sigma0 <--chunk--> pool --frame--> page of a dataspace --unmap others--> pool
 *
 * A1  A frame is in the pool, or a page of one dataspace, or a node of one index, or holds
 *     structures: frames total = free + frames + index frames + object frames.
 * A2  A frame that goes back to the pool is mapped nowhere but here.
 * A3  A fixed dataspace (continuous or pinned) has all its pages from the start and never gives
 *     them back while it lives.
 * A4  The 512 entries of a block (an aligned part of a dataspace as large as a superpage) are all
 *     marked ENTRY_SUPER or none is. If they are, its frames are one superpage, in order. The mark
 *     goes before the first of the frames does.
 */
#include "frames.h"
#include "pageindex.h"

#include <abi/env.h>
#include <abi/errors.h>
#include <abi/sigma0.h>
#include <l4/pager.h>
#include <l4/re/c/stats.h>
#include <l4/sigma0/sigma0.h>
#include <l4/sys/ipc.h>
#include <l4/sys/task.h>

#include <string.h>

/* Orders in which we ask sigma0 for memory. The first is a superpage: sigma0 enters one mapping
 * for 512 frames. The others use up what is left of a small account. */
static const unsigned char chunk_orders[] = {CHUNK_SHIFT, 16, L4_PAGESHIFT};

enum {
    UNMAP_BATCH = 32, /* flexpages in one call to the kernel: half of a message */
    ENTRY_NEW = 1,    /* in an index entry: made by the running allocate() */
    ENTRY_SUPER = 2,  /* A4 */
    BLOCK = CHUNK_FRAMES,
    /* Whole free chunks that are kept when frames come back; the others go to sigma0. */
    CHUNKS_KEPT = 8,
};
_Static_assert(BLOCK == INDEX_FANOUT, "a block is a node of the lowest level");

struct anon_ds {
    struct dataspace ds;
    struct page_index index;
    l4_addr_t run; /* continuous: the first frame, otherwise 0 */
    bool fixed;
    bool super; /* superpages are wanted */
};

static struct frame_pool pool;
static l4_umword_t sigma0_requests;
static l4_umword_t object_frames;
static l4_umword_t given_before; /* bytes of sigma0's that this image itself lies in */

static struct anon_ds *anon_of(struct dataspace *ds)
{
    return (struct anon_ds *)ds;
}

static l4_umword_t ds_pages(const struct dataspace *ds)
{
    return (ds->size + L4_PAGESIZE - 1) >> L4_PAGESHIFT;
}

/* -------------------------------------------------------------------- frames */

static bool chunk_get(unsigned order)
{
    l4_addr_t base;

    sigma0_requests++;
    if (l4sigma0_map_anypage(QUIRE_SIGMA0_CAP, 0, L4_WHOLE_ADDRESS_SPACE, &base, order) != 0)
        return false;
    return frames_add(&pool, base, 1UL << (order - L4_PAGESHIFT));
}

static bool pool_refill(void)
{
    for (unsigned i = 0; i < sizeof(chunk_orders); i++)
        if (chunk_get(chunk_orders[i]))
            return true;
    return manager_gc() && frames_free(&pool) > 0;
}

/* sigma0 has use for what we have none for. It takes the chunk away from us, too. */
static void pool_shrink(void)
{
    l4_utcb_t *utcb = l4_utcb();

    while (pool.whole_chunks > CHUNKS_KEPT) {
        l4_addr_t chunk = frames_remove_chunk(&pool);

        sigma0_requests++;
        utcb->msg.mr[0] = SIGMA0_RAM_FREE;
        utcb->msg.mr[1] = l4_fpage(chunk, CHUNK_SHIFT, L4_FPAGE_RWX).raw;
        l4_ipc_call(QUIRE_SIGMA0_CAP, utcb, l4_msgtag(L4RE_PROTO_MEM_ALLOC, 2, 0, 0),
                    L4_IPC_NEVER);
    }
}

/* A zeroed frame, NULL: sigma0 has no more for us. */
static void *frame_get(void)
{
    void *frame = frames_take(&pool);

    if (L4_UNLIKELY(!frame) && pool_refill())
        frame = frames_take(&pool);
    return frame;
}

static void frames_put(void *const *frames, unsigned count)
{
    while (count-- > 0)
        frames_give(&pool, frames[count]);
}

/* `count` zeroed frames, all or none. */
static long frames_get(void **frames, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if ((frames[i] = frame_get()) != NULL)
            continue;
        frames_put(frames, i);
        return -L4_ENOMEM;
    }
    return 0;
}

static void *anon_new_page(void)
{
    void *frame = frame_get();

    object_frames += frame != NULL;
    return frame;
}

/* -------------------------------------------------------------------- superpages */

static l4_umword_t block_of(l4_umword_t page)
{
    return page & ~(l4_umword_t)(BLOCK - 1);
}

/* All pages of the block around `page` in one superpage; nobody has one yet. False: not so; if
 * memory or money is short, this dataspace does not try again. */
static bool block_make(struct anon_ds *a, l4_umword_t page, l4_umword_t flag)
{
    l4_umword_t first = block_of(page), at = first, *entry;
    void *nodes[INDEX_LEVELS_MAX];
    unsigned missing = index_missing(&a->index, first);
    l4_addr_t chunk;

    if (first + BLOCK > ds_pages(&a->ds) || index_next(&a->index, &at, first + BLOCK))
        return false;
    if (frames_get(nodes, missing) != 0)
        return false;
    chunk = frames_take_run(&pool, BLOCK, 1UL << CHUNK_SHIFT);
    if (!chunk && chunk_get(CHUNK_SHIFT))
        chunk = frames_take_run(&pool, BLOCK, 1UL << CHUNK_SHIFT);
    if (!chunk || ds_charge(&a->ds, BLOCK, missing) != 0) {
        if (chunk)
            frames_give_run(&pool, chunk, BLOCK);
        frames_put(nodes, missing);
        a->super = false;
        return false;
    }
    entry = index_make(&a->index, first, nodes);
    for (unsigned i = 0; i < BLOCK; i++)
        entry[i] = (chunk + i * L4_PAGESIZE) | ENTRY_SUPER | flag;
    return true;
}

/* A4, before pages of the block are taken away one by one. */
static void block_split(struct anon_ds *a, l4_umword_t page)
{
    l4_umword_t *entry = index_find(&a->index, block_of(page));

    for (unsigned i = 0; i < BLOCK; i++)
        entry[i] &= ~(l4_umword_t)ENTRY_SUPER;
}

/* -------------------------------------------------------------------- pages */

static __attribute__((noinline)) l4_umword_t *page_make_with_nodes(struct anon_ds *a,
                                                                   l4_umword_t page,
                                                                   l4_umword_t flag)
{
    void *frames[1 + INDEX_LEVELS_MAX];
    unsigned missing = index_missing(&a->index, page);
    l4_umword_t *entry;

    if (a->super && block_make(a, page, flag))
        return index_find(&a->index, page);
    if (frames_get(frames, 1 + missing) != 0)
        return NULL;
    if (ds_charge(&a->ds, 1, missing) != 0) {
        frames_put(frames, 1 + missing);
        return NULL;
    }
    entry = index_make(&a->index, page, frames + 1);
    *entry = (l4_umword_t)frames[0] | flag;
    return entry;
}

static __attribute__((noinline)) l4_umword_t *page_make(struct anon_ds *a, l4_umword_t page,
                                                        l4_umword_t *entry, l4_umword_t flag)
{
    void *frame;

    if (L4_UNLIKELY(!entry || a->super))
        return page_make_with_nodes(a, page, flag);
    if (!(frame = frame_get()))
        return NULL;
    if (L4_UNLIKELY(ds_charge(&a->ds, 1, 0) != 0)) {
        frames_give(&pool, frame);
        return NULL;
    }
    *entry = (l4_umword_t)frame | flag;
    return entry;
}

/* The word of the page in the index; the page is made if need be. `flag` is set in a new entry.
 * NULL: no memory (-L4_ENOMEM). */
static inline l4_umword_t *page_get(struct anon_ds *a, l4_umword_t page, l4_umword_t flag)
{
    l4_umword_t *entry = index_find(&a->index, page);

    return L4_LIKELY(entry && *entry) ? entry : page_make(a, page, entry, flag);
}

static char *entry_frame(l4_umword_t entry)
{
    return (char *)(entry & L4_PAGEMASK);
}

/* The flexpages of a batch, and the pages that they are. */
struct drop {
    l4_fpage_t fpages[UNMAP_BATCH];
    l4_umword_t *entries[UNMAP_BATCH];
    unsigned n;
    l4_umword_t pages;
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
    if ((*entry & ENTRY_SUPER) && !whole)
        block_split(a, page);
    whole = *entry & ENTRY_SUPER;
    d->entries[d->n] = entry;
    d->fpages[d->n++] = l4_fpage(*entry & L4_PAGEMASK, whole ? CHUNK_SHIFT : L4_PAGESHIFT,
                                 L4_FPAGE_RWX);
    d->pages += whole ? BLOCK : 1;
    return page + (whole ? BLOCK : 1);
}

/* Nobody has the pages any more: their frames are free. */
static void drop_commit(struct drop *d)
{
    for (unsigned i = 0; i < d->n; i++) {
        l4_umword_t *entry = d->entries[i];
        unsigned count = *entry & ENTRY_SUPER ? BLOCK : 1;

        frames_give_run(&pool, *entry & L4_PAGEMASK, count);
        memset(entry, 0, count * sizeof(*entry));
    }
}

/* Take the pages of [first, end) whose entry has all bits of `flag` away from everybody. */
static long pages_drop(struct anon_ds *a, l4_umword_t first, l4_umword_t end, l4_umword_t flag)
{
    l4_umword_t page = first;
    long err;

    while (page < end) {
        struct drop d = {.n = 0};

        while (d.n < UNMAP_BATCH && index_next(&a->index, &page, end))
            page = drop_add(&d, a, page, end, flag);
        if (d.n == 0)
            break;
        err = l4_error(l4_task_unmap_batch(L4_BASE_TASK_CAP, d.fpages, d.n, L4_FP_OTHER_SPACES));
        if (err < 0)
            return err;
        drop_commit(&d);
        ds_credit(&a->ds, d.pages, 0);
    }
    return 0;
}

/* Nodes of the index that became empty go back to the pool, and what it has too much to sigma0. */
static void nodes_drop(struct anon_ds *a, l4_umword_t first, l4_umword_t end)
{
    void *chain = NULL;
    unsigned n = index_prune(&a->index, first, end, &chain);

    while (chain) {
        void *node = chain;
        chain = *(void **)node;
        frames_give(&pool, node);
    }
    ds_credit(&a->ds, 0, n);
    pool_shrink();
}

/* -------------------------------------------------------------------- the table */

/* The page has neighbours in the same order: all of the dataspace, or its block. */
static __attribute__((noinline)) void map_widen(const struct anon_ds *a, struct ds_page *page)
{
    l4_addr_t start = page->address & L4_SUPERPAGEMASK;

    if (a->run)
        ds_page_widen(page, a->run, a->run + (ds_pages(&a->ds) << L4_PAGESHIFT));
    else
        ds_page_widen(page, start, start + L4_SUPERPAGESIZE);
}

static long anon_map(struct dataspace *ds, l4_umword_t offset, struct ds_page *page)
{
    struct anon_ds *a = anon_of(ds);
    const l4_umword_t *entry = page_get(a, offset >> L4_PAGESHIFT, 0);

    if (L4_UNLIKELY(!entry))
        return -L4_ENOMEM;
    page->address = *entry & L4_PAGEMASK;
    if (L4_UNLIKELY(a->run || (*entry & ENTRY_SUPER)))
        map_widen(a, page);
    return 0;
}

/* A block may bring more than was asked for, so what is new is looked for in whole blocks. */
static long anon_allocate(struct dataspace *ds, l4_umword_t offset, l4_umword_t size)
{
    struct anon_ds *a = anon_of(ds);
    l4_umword_t first = offset >> L4_PAGESHIFT;
    l4_umword_t end = (offset + size + L4_PAGESIZE - 1) >> L4_PAGESHIFT;
    l4_umword_t pages = ds_pages(ds), page = first;
    bool failed;

    while (page < end && page_get(a, page, ENTRY_NEW))
        page++;
    failed = page < end;
    first = block_of(first);
    end = block_of(end + BLOCK - 1) < pages ? block_of(end + BLOCK - 1) : pages;
    if (failed) {
        pages_drop(a, first, end, ENTRY_NEW);
        nodes_drop(a, first, end);
        return -L4_ENOMEM;
    }
    for (page = first; index_next(&a->index, &page, end); page++)
        *index_find(&a->index, page) &= ~(l4_umword_t)ENTRY_NEW;
    return 0;
}

/* Zero [offset, offset + size) where there are pages, without taking any away. */
static void zero_in_place(struct anon_ds *a, l4_umword_t offset, l4_umword_t size)
{
    l4_umword_t end = offset + size;

    while (offset < end) {
        l4_umword_t in_page = offset & (L4_PAGESIZE - 1);
        l4_umword_t n = L4_PAGESIZE - in_page < end - offset ? L4_PAGESIZE - in_page : end - offset;
        l4_umword_t *entry = index_find(&a->index, offset >> L4_PAGESHIFT);

        if (entry && *entry)
            memset(entry_frame(*entry) + in_page, 0, n);
        offset += n;
    }
}

static long anon_clear(struct dataspace *ds, l4_umword_t offset, l4_umword_t size)
{
    struct anon_ds *a = anon_of(ds);
    l4_umword_t first = (offset + L4_PAGESIZE - 1) >> L4_PAGESHIFT;
    l4_umword_t end = (offset + size) >> L4_PAGESHIFT;
    long err;

    if (offset + size >= ds->size) /* what lies behind the size belongs to the last page */
        end = ds_pages(ds);
    if (a->fixed || first >= end) {
        zero_in_place(a, offset, size);
        return 0;
    }
    if ((err = pages_drop(a, first, end, 0)) != 0)
        return err;
    nodes_drop(a, first, end);
    zero_in_place(a, offset, (first << L4_PAGESHIFT) - offset);
    if (offset + size > end << L4_PAGESHIFT)
        zero_in_place(a, end << L4_PAGESHIFT, offset + size - (end << L4_PAGESHIFT));
    return 0;
}

static long anon_copy_in(struct dataspace *ds, l4_umword_t offset, const void *from,
                         l4_umword_t size)
{
    const char *source = from;

    while (size > 0) {
        l4_umword_t in_page = offset & (L4_PAGESIZE - 1);
        l4_umword_t n = L4_PAGESIZE - in_page < size ? L4_PAGESIZE - in_page : size;
        const l4_umword_t *entry = page_get(anon_of(ds), offset >> L4_PAGESHIFT, 0);

        if (!entry)
            return -L4_ENOMEM;
        memcpy(entry_frame(*entry) + in_page, source, n);
        offset += n;
        source += n;
        size -= n;
    }
    return 0;
}

/* An aligned run of frames for the whole dataspace, 0: none. */
static l4_addr_t run_get(l4_umword_t pages, unsigned align)
{
    l4_addr_t run = frames_take_run(&pool, pages, 1UL << align);
    unsigned order = align;

    while (pages > 1UL << (order - L4_PAGESHIFT))
        order++;
    if (run == 0 && chunk_get(order))
        run = frames_take_run(&pool, pages, 1UL << align);
    return run;
}

static long run_enter(struct anon_ds *a, l4_umword_t page, l4_addr_t frame)
{
    void *nodes[INDEX_LEVELS_MAX];
    unsigned missing = index_missing(&a->index, page);
    long err;

    if ((err = frames_get(nodes, missing)) != 0)
        return err;
    if ((err = ds_charge(&a->ds, 1, missing)) == 0)
        *index_make(&a->index, page, nodes) = frame;
    else
        frames_put(nodes, missing);
    return err;
}

/* All pages, contiguous. After an error the caller releases those that were entered. */
static long populate_run(struct anon_ds *a, unsigned align)
{
    l4_umword_t pages = ds_pages(&a->ds), page;
    l4_addr_t run = run_get(pages, align);
    long err = run ? 0 : -L4_ENOMEM;

    for (page = 0; page < pages && err == 0; page++)
        err = run_enter(a, page, run + (page << L4_PAGESHIFT));
    if (err != 0 && run != 0)
        frames_give_run(&pool, run + ((page - 1) << L4_PAGESHIFT), pages - page + 1);
    else
        a->run = run;
    return err;
}

static void anon_release(struct dataspace *ds)
{
    struct anon_ds *a = anon_of(ds);

    pages_drop(a, 0, ds_pages(ds), 0);
    nodes_drop(a, 0, ds_pages(ds));
}

static long anon_open(struct dataspace *ds, const struct ds_request *r)
{
    struct anon_ds *a = anon_of(ds);
    long err = 0;

    if (r->name)
        return -L4_ENOENT; /* our dataspaces have no names */
    ds->size = r->size;
    ds->rights = L4RE_DS_F_RWX;
    index_init(&a->index, ds_pages(ds));
    a->fixed = r->flags & (L4RE_MA_CONTINUOUS | L4RE_MA_PINNED);
    a->super = r->flags & L4RE_MA_SUPER_PAGES;
    if (r->flags & L4RE_MA_CONTINUOUS)
        err = populate_run(a, r->align);
    else if (r->flags & L4RE_MA_PINNED)
        err = anon_allocate(ds, 0, ds->size);
    if (err != 0)
        anon_release(ds);
    return err;
}

static l4_mword_t anon_frame(struct dataspace *ds, l4_umword_t offset)
{
    const l4_umword_t *entry = index_find(&anon_of(ds)->index, offset >> L4_PAGESHIFT);

    return entry && *entry ? (l4_mword_t)(*entry & L4_PAGEMASK) : -L4_ENOENT;
}

/* Bytes on our account at sigma0, 0 if it does not tell. */
static l4_umword_t sigma0_given(void)
{
    l4_umword_t words[5];
    long n = l4re_stats_get(QUIRE_SIGMA0_CAP, L4RE_STATS_GET_OP, 0, words, 5);

    return n >= 5 ? words[4] : 0;
}

static void anon_totals(l4_umword_t *words)
{
    words[L4RE_DS_STATS_SIGMA0_REQUESTS] = sigma0_requests;
    words[L4RE_DS_STATS_FRAMES_TOTAL] = pool.total;
    words[L4RE_DS_STATS_FRAMES_FREE] = frames_free(&pool);
    words[L4RE_DS_STATS_OBJECT_FRAMES] = object_frames + pool.own;
    words[L4RE_DS_STATS_SIGMA0_GIVEN] = sigma0_given() - given_before;
}

static const struct manager anon = {
    .name = "anon",
    .ds_size = sizeof(struct anon_ds),
    .gate_rights = L4_CAP_FPAGE_RWSD,
    .open = anon_open,
    .map = anon_map,
    .clear = anon_clear,
    .copy_in = anon_copy_in,
    .allocate = anon_allocate,
    .release = anon_release,
    .frame = anon_frame,
    .new_page = anon_new_page,
    .totals = anon_totals,
};

int main(void)
{
    given_before = sigma0_given();
    return manager_run(&anon);
}
