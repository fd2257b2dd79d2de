/*
 * anon.c - anonymous memory: zero-filled on demand, copied on write, exactly accounted
 *
 * The table of functions; what they are made of is listed in anon.h, with the invariants.
 */
#include "anon.h"

#include <abi/errors.h>

#include <string.h>

static void *anon_new_page(void)
{
    void *frame = frame_get(NULL);

    object_frames += frame != NULL;
    return frame;
}

/* -------------------------------------------------------------------- map */

/* Pages made ahead lie in a row, aligned: how many of such are around page `number`. */
static l4_umword_t neighbours(const struct anon_ds *a, const l4_umword_t *entry, l4_umword_t number)
{
    l4_umword_t n = 1;

    for (; n < a->ahead_max; n *= 2) {
        l4_umword_t first = number & ~(2 * n - 1), other = number & n ? first : first + n;
        l4_addr_t start = *entry - ((number - first) << L4_PAGESHIFT);

        if (first + 2 * n > anon_pages(a) || (start & ((n << (1 + L4_PAGESHIFT)) - 1)))
            return n;
        for (l4_umword_t p = other; p < other + n; p++)
            if (entry[(long)(p - number)] != start + ((p - first) << L4_PAGESHIFT))
                return n;
    }
    return n;
}

/* The page has neighbours in the same order: all of the dataspace, its block, or what was made
 * ahead. */
static void map_widen(const struct anon_ds *a, const l4_umword_t *entry, l4_umword_t number,
                      struct ds_page *page)
{
    l4_addr_t size = L4_SUPERPAGESIZE, start;

    if (a->run) {
        ds_page_widen(page, a->run, a->run + (anon_pages(a) << L4_PAGESHIFT));
        return;
    }
    if (!(*entry & ENTRY_SUPER))
        size = neighbours(a, entry, number) << L4_PAGESHIFT;
    start = page->address & ~(size - 1);
    ds_page_widen(page, start, start + size);
}

static __attribute__((noinline)) long map_slow(struct anon_ds *a, l4_umword_t number,
                                               l4_umword_t *entry, struct ds_page *page)
{
    bool there = entry && *entry;

    if (there && (*entry & ENTRY_LOST))
        return -L4_ENOMEM;
    if (there && (*entry & ENTRY_SHARED) && !(page->rights & L4RE_DS_F_W)) {
        *entry |= ENTRY_SEEN;
        page->address = *entry & L4_PAGEMASK;
        return 0;
    }
    /* What is run must be a page of its own: the zero page is not executable. */
    if (!there && page->rights == L4RE_DS_F_R && !(a->slow & SLOW_SUPER) &&
        (page->address = zero_view(a)) != 0)
        return 0;
    if (!there || (*entry & ENTRY_SHARED))
        entry = page_make(a, number, entry, 0);
    if (!entry)
        return -L4_ENOMEM;
    page->address = *entry & L4_PAGEMASK;
    map_widen(a, entry, number, page);
    return 0;
}

static long anon_map(struct dataspace *ds, l4_umword_t offset, struct ds_page *page)
{
    struct anon_ds *a = anon_of(ds);
    l4_umword_t number = offset >> L4_PAGESHIFT, *entry = index_find(&a->index, number);

    if (L4_UNLIKELY(!entry || a->slow || (*entry & ENTRY_SPECIAL)) ||
        (!*entry && page->rights == L4RE_DS_F_R))
        return map_slow(a, number, entry, page);
    if (!*entry && L4_UNLIKELY(!page_make(a, number, entry, 0)))
        return -L4_ENOMEM;
    page->address = *entry & L4_PAGEMASK;
    return 0;
}

/* -------------------------------------------------------------------- contents */

/* A block may bring more than was asked for, so what is new is looked for in whole blocks. */
static long anon_allocate(struct dataspace *ds, l4_umword_t offset, l4_umword_t size)
{
    struct anon_ds *a = anon_of(ds);
    l4_umword_t first = offset >> L4_PAGESHIFT;
    l4_umword_t end = (offset + size + L4_PAGESIZE - 1) >> L4_PAGESHIFT;
    l4_umword_t pages = anon_pages(a), page = first;
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
static long zero_in_place(struct anon_ds *a, l4_umword_t offset, l4_umword_t size)
{
    l4_umword_t end = offset + size;

    while (offset < end) {
        l4_umword_t in_page = offset & (L4_PAGESIZE - 1), page = offset >> L4_PAGESHIFT;
        l4_umword_t n = L4_PAGESIZE - in_page < end - offset ? L4_PAGESIZE - in_page : end - offset;
        const l4_umword_t *entry = index_find(&a->index, page);

        if (entry && *entry) {
            if (!(entry = page_get(a, page, 0)))
                return -L4_ENOMEM;
            memset(entry_frame(*entry) + in_page, 0, n);
        }
        offset += n;
    }
    return 0;
}

/* The edges are zeroed in place, what lies between goes. */
static long anon_clear(struct dataspace *ds, l4_umword_t offset, l4_umword_t size)
{
    struct anon_ds *a = anon_of(ds);
    l4_umword_t first = (offset + L4_PAGESIZE - 1) >> L4_PAGESHIFT;
    l4_umword_t end = (offset + size) >> L4_PAGESHIFT;
    long err;

    if (offset + size >= ds->size) /* what lies behind the size belongs to the last page */
        end = anon_pages(a);
    if (a->fixed || first >= end)
        return zero_in_place(a, offset, size);
    if ((err = zero_in_place(a, offset, (first << L4_PAGESHIFT) - offset)) != 0)
        return err;
    if (offset + size > end << L4_PAGESHIFT)
        err = zero_in_place(a, end << L4_PAGESHIFT, offset + size - (end << L4_PAGESHIFT));
    if (err == 0)
        err = pages_drop(a, first, end, 0);
    nodes_drop(a, first, end);
    return err;
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

static long anon_share(struct dataspace *ds, l4_umword_t offset, struct dataspace *source,
                       l4_umword_t from, l4_umword_t size)
{
    return cow_share(anon_of(ds), offset >> L4_PAGESHIFT, anon_of(source), from >> L4_PAGESHIFT,
                     size >> L4_PAGESHIFT);
}

/* -------------------------------------------------------------------- life and death */

/* An aligned run of frames for the whole dataspace, 0: none. */
static l4_addr_t run_get(l4_umword_t pages, unsigned align)
{
    unsigned order = align;
    l4_addr_t run = 0;

    while (pages > 1UL << (order - L4_PAGESHIFT))
        order++;
    if (ram_at_hand(NULL, pages))
        run = frames_take_run(&anon_pool, pages, 1UL << align);
    if (run == 0 && ram_chunk(order))
        run = frames_take_run(&anon_pool, pages, 1UL << align);
    return run;
}

static long run_enter(struct anon_ds *a, l4_umword_t page, l4_addr_t frame)
{
    l4_umword_t *entry = entry_have(a, page);

    if (!entry || ds_charge(&a->ds, 1, 0) != 0)
        return -L4_ENOMEM;
    *entry = frame;
    return 0;
}

/* All pages, contiguous. After an error the caller releases those that were entered. */
static long populate_run(struct anon_ds *a, unsigned align)
{
    l4_umword_t pages = anon_pages(a), page;
    l4_addr_t run = run_get(pages, align);
    long err = run ? 0 : -L4_ENOMEM;

    for (page = 0; page < pages && err == 0; page++)
        err = run_enter(a, page, run + (page << L4_PAGESHIFT));
    if (err != 0 && run != 0)
        frames_give_run(&anon_pool, run + ((page - 1) << L4_PAGESHIFT), pages - page + 1);
    else
        a->run = run;
    return err;
}

/* The memory is there, and paid for: whatever the pages will be used for. */
static long reserve(struct anon_ds *a)
{
    l4_umword_t frames = anon_pages(a) + index_nodes_max(anon_pages(a));
    long err = ram_refill(frames) ? ds_reserve(&a->ds, frames) : -L4_ENOMEM;

    if (err != 0)
        ram_shrink();
    return err;
}

static void anon_release(struct dataspace *ds)
{
    struct anon_ds *a = anon_of(ds);

    ds_unreserve(ds);
    zero_release(a);
    pages_drop(a, 0, anon_pages(a), 0);
    nodes_drop(a, 0, anon_pages(a));
}

static void options(struct anon_ds *a, l4_umword_t flags)
{
    unsigned order = flags >> L4RE_MA_AHEAD_SHIFT & L4RE_MA_AHEAD_MASK;

    a->fixed = flags & (L4RE_MA_CONTINUOUS | L4RE_MA_PINNED);
    if (flags & L4RE_MA_CONTINUOUS)
        a->slow |= SLOW_RUN;
    if (flags & L4RE_MA_SUPER_PAGES)
        a->slow |= SLOW_SUPER;
    if (order <= L4_PAGESHIFT)
        return;
    a->slow |= SLOW_AHEAD;
    a->ahead = 1;
    a->ahead_max = 1UL << ((order < L4_SUPERPAGESHIFT ? order : L4_SUPERPAGESHIFT - 1) -
                           L4_PAGESHIFT);
}

static long anon_open(struct dataspace *ds, const struct ds_request *r)
{
    struct anon_ds *a = anon_of(ds);
    long err = 0;

    if (r->name)
        return -L4_ENOENT; /* our dataspaces have no names */
    ds->size = r->size;
    ds->rights = L4RE_DS_F_RWX;
    a->older = a->younger = a;
    index_init(&a->index, anon_pages(a));
    options(a, r->flags);
    if (r->flags & L4RE_MA_CONTINUOUS)
        err = populate_run(a, r->align);
    else if (r->flags & L4RE_MA_PINNED)
        err = anon_allocate(ds, 0, ds->size);
    else if (r->flags & L4RE_MA_RESERVED)
        err = reserve(a);
    if (err != 0)
        anon_release(ds);
    return err;
}

static l4_mword_t anon_frame(struct dataspace *ds, l4_umword_t offset)
{
    const l4_umword_t *entry = index_find(&anon_of(ds)->index, offset >> L4_PAGESHIFT);

    return entry && (*entry & L4_PAGEMASK) ? (l4_mword_t)(*entry & L4_PAGEMASK) : -L4_ENOENT;
}

static void anon_totals(l4_umword_t *words)
{
    words[L4RE_DS_STATS_SIGMA0_REQUESTS] = sigma0_requests;
    words[L4RE_DS_STATS_FRAMES_TOTAL] = anon_pool.total;
    words[L4RE_DS_STATS_FRAMES_FREE] = frames_free(&anon_pool);
    words[L4RE_DS_STATS_OBJECT_FRAMES] = object_frames + anon_pool.own;
    words[L4RE_DS_STATS_SIGMA0_GIVEN] = ram_given();
}

const struct manager anon_manager = {
    .name = "anon",
    .ds_size = sizeof(struct anon_ds),
    .gate_rights = L4_CAP_FPAGE_RWSD,
    .open = anon_open,
    .map = anon_map,
    .clear = anon_clear,
    .copy_in = anon_copy_in,
    .share = anon_share,
    .allocate = anon_allocate,
    .release = anon_release,
    .frame = anon_frame,
    .new_page = anon_new_page,
    .totals = anon_totals,
};
