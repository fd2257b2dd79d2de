/*
 * anon.c - anonymous memory: zero-filled on demand, exactly accounted
 *
 * Frames come from sigma0 in chunks, 1:1: what we see at address a is the frame at a. The pool
 * (frames.c) keeps the free ones, each dataspace has an index of its pages (pageindex.c), nodes of
 * the index are frames too. An account is charged for both, at the moment of the first touch.
 *
 *   sigma0 --chunk--> pool --frame--> page of a dataspace --unmap others--> pool
 *
 * A1  A frame is in the pool, or a page of one dataspace, or a node of one index, or holds
 *     structures: frames total = free + frames + index frames + object frames.
 * A2  A frame that goes back to the pool is mapped nowhere but here.
 * A3  A fixed dataspace (continuous or pinned) has all its pages from the start and never gives
 *     them back while it lives.
 *
 * Frames are not given back to sigma0; memory pressure comes with a later design step.
 */
#include "frames.h"
#include "pageindex.h"

#include <abi/env.h>
#include <abi/errors.h>
#include <l4/pager.h>
#include <l4/re/c/stats.h>
#include <l4/sigma0/sigma0.h>
#include <l4/sys/ipc.h>
#include <l4/sys/task.h>

#include <string.h>

/* Orders in which we ask sigma0 for memory. The first is a superpage: sigma0 enters one mapping
 * for 512 frames. The others use up what is left of a small account. */
static const unsigned char chunk_orders[] = {L4_SUPERPAGESHIFT, 16, L4_PAGESHIFT};

enum {
    UNMAP_BATCH = 32, /* flexpages in one call to the kernel: half of a message */
    ENTRY_NEW = 1,    /* in an index entry: made by the running allocate() */
};

struct anon_ds {
    struct dataspace ds;
    struct page_index index;
    bool fixed;
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
    frames_add(&pool, base, 1UL << (order - L4_PAGESHIFT));
    return true;
}

static bool pool_refill(void)
{
    for (unsigned i = 0; i < sizeof(chunk_orders); i++)
        if (chunk_get(chunk_orders[i]))
            return true;
    return manager_gc() && frames_free(&pool) > 0;
}

/* A zeroed frame, NULL: sigma0 has no more for us. */
static void *frame_get(void)
{
    void *frame = frames_take(&pool);

    if (!frame && pool_refill())
        frame = frames_take(&pool);
    return frame;
}

/* `count` zeroed frames, all or none. */
static long frames_get(void **frames, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if ((frames[i] = frame_get()) != NULL)
            continue;
        while (i-- > 0)
            frames_give(&pool, frames[i]);
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

/* -------------------------------------------------------------------- pages */

/* Find the page or make it; *entry is its word in the index. `flag` is set in a new entry. */
static long page_get(struct anon_ds *a, l4_umword_t page, l4_umword_t flag, l4_umword_t **entry)
{
    void *frames[1 + INDEX_LEVELS_MAX];
    unsigned missing;
    long err;

    *entry = index_find(&a->index, page);
    if (*entry && **entry)
        return 0;
    missing = index_missing(&a->index, page);
    if ((err = frames_get(frames, 1 + missing)) != 0)
        return err;
    if ((err = ds_charge(&a->ds, 1, missing)) != 0) {
        for (unsigned i = 0; i < 1 + missing; i++)
            frames_give(&pool, frames[i]);
        return err;
    }
    *entry = index_make(&a->index, page, frames + 1);
    **entry = (l4_umword_t)frames[0] | flag;
    return 0;
}

static char *entry_frame(l4_umword_t entry)
{
    return (char *)(entry & L4_PAGEMASK);
}

/* Take the pages of [first, end) whose entry has all bits of `flag` away from everybody. */
static long pages_drop(struct anon_ds *a, l4_umword_t first, l4_umword_t end, l4_umword_t flag)
{
    l4_umword_t *entries[UNMAP_BATCH];
    l4_fpage_t fpages[UNMAP_BATCH];
    l4_umword_t page = first;
    long err;

    while (page < end) {
        unsigned n = 0;

        for (; n < UNMAP_BATCH && index_next(&a->index, &page, end); page++) {
            l4_umword_t *entry = index_find(&a->index, page);
            if ((*entry & flag) != flag)
                continue;
            entries[n] = entry;
            fpages[n++] = l4_fpage(*entry & L4_PAGEMASK, L4_PAGESHIFT, L4_FPAGE_RWX);
        }
        if (n == 0)
            break;
        err = l4_error(l4_task_unmap_batch(L4_BASE_TASK_CAP, fpages, n, L4_FP_OTHER_SPACES));
        if (err < 0)
            return err;
        for (unsigned i = 0; i < n; i++) {
            frames_give(&pool, entry_frame(*entries[i]));
            *entries[i] = 0;
        }
        ds_credit(&a->ds, n, 0);
    }
    return 0;
}

/* Nodes of the index that became empty go back to the pool. */
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
}

/* -------------------------------------------------------------------- the table */

static long anon_map(struct dataspace *ds, l4_umword_t offset, struct ds_page *page)
{
    l4_umword_t *entry;
    long err = page_get(anon_of(ds), offset >> L4_PAGESHIFT, 0, &entry);

    if (err == 0)
        page->address = *entry & L4_PAGEMASK;
    return err;
}

static long anon_allocate(struct dataspace *ds, l4_umword_t offset, l4_umword_t size)
{
    struct anon_ds *a = anon_of(ds);
    l4_umword_t first = offset >> L4_PAGESHIFT;
    l4_umword_t end = (offset + size + L4_PAGESIZE - 1) >> L4_PAGESHIFT;
    l4_umword_t page, *entry;
    long err = 0;

    for (page = first; page < end && err == 0; page++)
        err = page_get(a, page, ENTRY_NEW, &entry);
    if (err != 0) {
        pages_drop(a, first, end, ENTRY_NEW);
        nodes_drop(a, first, end);
        return err;
    }
    for (page = first; page < end; page++)
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
    l4_umword_t *entry;
    long err;

    while (size > 0) {
        l4_umword_t in_page = offset & (L4_PAGESIZE - 1);
        l4_umword_t n = L4_PAGESIZE - in_page < size ? L4_PAGESIZE - in_page : size;

        if ((err = page_get(anon_of(ds), offset >> L4_PAGESHIFT, 0, &entry)) != 0)
            return err;
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
        for (unsigned i = 0; i < missing; i++)
            frames_give(&pool, nodes[i]);
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
        for (page--; page < pages; page++)
            frames_give(&pool, (void *)(run + (page << L4_PAGESHIFT)));
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
    words[L4RE_DS_STATS_OBJECT_FRAMES] = object_frames;
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
