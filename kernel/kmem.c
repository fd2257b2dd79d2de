/*
 * kmem.c - the kernel's memory: one pool, pages and slabs, every byte charged to a quota
 *
 *   | struct buddy's metadata | descriptors, 24 bytes a page | pages ...                    |
 *
 * K1  Every page of the pool is in exactly one state: free in the buddy allocator (KPAGE_FREE), on
 *     the list of clean pages (KPAGE_CLEAN, all zero), or in use by whom its descriptor says.
 * K2  A slab page is on its slab's list exactly if it has room, but that the first one may be
 *     full: one object taken and given back again and again moves no page. `live` counts a page's
 *     objects, the chain from `hint` has the others.
 * K3  A slab keeps back at most one empty page, so that one object allocated and freed again and
 *     again costs no page; kmem_stats counts it as free, and it goes when the pool is short.
 * K4  What is handed out as a page is zero.
 * K5  An allocation that fails has changed nothing, neither pool nor quota.
 */
#include "kmem.h"

#include <common/buddy.h>

enum { CLEAN_MAX = 64 /* pages kept clean: a burst of unmaps; more only delays coalescing */ };

uintptr_t kmem_desc_origin;
uint64_t kmem_fail_every;

static struct {
    struct buddy buddy; /* frame numbers are references >> 12 */
    uint64_t first;     /* of the pool, as frame number */
    uint64_t frames;
    uint64_t low;  /* frames, least free ever */
    uint64_t kept; /* empty pages that slabs keep back */
    kref_t clean;
    uint32_t clean_count;
    uint64_t fail_count;
    uint64_t fail_left; /* of kmem_fail_some; 0: every n-th fails */
    struct slab *slabs;
} kmem;

static inline void *frame_addr(uint64_t frame)
{
    return kptr((kref_t)(frame << 12));
}

static inline void clear_page(void *page, size_t bytes)
{
    __builtin_memset(page, 0, bytes);
}

SELDOM void kmem_init(void *start, size_t bytes)
{
    uint64_t frames = bytes >> 12;
    size_t meta = buddy_meta_size(frames);
    size_t own = (meta + frames * sizeof(struct kpage) + KPAGE_SIZE - 1) >> 12;
    struct kpage *descs = (struct kpage *)((char *)start + meta);

    kassert(((uintptr_t)start & (KPAGE_SIZE - 1)) == 0 && own < frames);
    kmem.first = kref(start) >> 12;
    kmem.frames = frames;
    kmem.clean = 0;
    kmem.clean_count = 0;
    kmem.kept = 0;
    kmem.slabs = NULL;
    kmem_fail_nth(0);
    kmem_desc_origin = (uintptr_t)descs - kmem.first * sizeof(struct kpage);
    clear_page(descs, frames * sizeof(struct kpage));
    for (size_t i = 0; i < own; i++)
        descs[i].kind = KPAGE_RESERVED;
    buddy_init(&kmem.buddy, start, kmem.first, frames);
    kcheck(buddy_ok(&kmem.buddy));
    (void)!buddy_add(&kmem.buddy, kmem.first + own, frames - own);
    san_set((char *)start + (own << 12), (frames - own) << 12, SAN_FREE_PAGE);
    kmem.low = buddy_free_frames(&kmem.buddy);
}

static uint64_t free_frames(void)
{
    return buddy_free_frames(&kmem.buddy) + kmem.clean_count + kmem.kept;
}

static inline void note_low(void)
{
    if (free_frames() < kmem.low)
        kmem.low = free_frames();
}

void kmem_stats(uint64_t *total, uint64_t *free, uint64_t *low)
{
    *total = kmem.frames << 12;
    *free = free_frames() << 12;
    *low = kmem.low << 12;
}

void kmem_fail_nth(uint64_t n)
{
    kmem_fail_every = n;
    kmem.fail_count = 0;
    kmem.fail_left = 0;
}

bool kmem_fail_now(void)
{
    if (!kmem_fail_every || ++kmem.fail_count < kmem_fail_every)
        return false;
    if (!kmem.fail_left)
        kmem.fail_count = 0;
    else if (!--kmem.fail_left)
        kmem_fail_nth(0);
    return true;
}

static void clean_push(void *page)
{
    *kmem_desc(page) = (struct kpage){.kind = KPAGE_CLEAN, .next = kmem.clean};
    kmem.clean = kref(page);
    kmem.clean_count++;
    san_set(page, KPAGE_SIZE, SAN_FREE_PAGE);
}

static void *clean_pop(void)
{
    void *page = kptr(kmem.clean);
    struct kpage *d = kmem_desc(page);

    kmem.clean = d->next;
    kmem.clean_count--;
    *d = (struct kpage){0};
    san_set(page, KPAGE_SIZE, SAN_FINE);
    return page;
}

static void buddy_give(void *page, unsigned order)
{
    kassert(!buddy_any_free(&kmem.buddy, kref(page) >> 12, order));
    san_set(page, (size_t)KPAGE_SIZE << order, SAN_FREE_PAGE);
    buddy_give_back(&kmem.buddy, kref(page) >> 12, order);
}

static void slab_give_page(struct slab *s, void *page);

/* Give back to the buddy allocator what is kept aside for speed. */
static SELDOM void reclaim(void)
{
    while (kmem.clean)
        buddy_give(clean_pop(), 0);
    for (struct slab *s = kmem.slabs; s; s = s->next) {
        void *page = s->partial ? kptr(s->partial) : NULL;

        while (s->keep && kmem_desc(page)->live)
            page = kptr(kmem_desc(page)->next);
        if (s->keep) {
            s->keep = 0;
            kmem.kept--;
            slab_give_page(s, page);
        }
    }
}

void kmem_fail_some(uint64_t n, uint64_t count)
{
    reclaim();
    kmem_fail_nth(n);
    kmem.fail_left = count;
}

/* 2^order frames that nobody has paid for, not cleared; NULL: the pool is exhausted. */
static void *take_frames(unsigned order, enum kpage_kind kind)
{
    int64_t frame = buddy_alloc(&kmem.buddy, order);
    struct kpage *d;

    if (frame < 0) {
        reclaim();
        frame = buddy_alloc(&kmem.buddy, order);
        if (frame < 0)
            return NULL;
    }
    d = kmem_desc(frame_addr((uint64_t)frame));
    for (uint64_t i = 0; i < 1UL << order; i++) {
        kassert(d[i].kind == KPAGE_FREE);
        d[i].kind = (uint8_t)kind;
    }
    note_low();
    san_set(frame_addr((uint64_t)frame), (size_t)KPAGE_SIZE << order, SAN_FINE);
    return frame_addr((uint64_t)frame);
}

void *kmem_page(struct quota *q, enum kpage_kind kind)
{
    void *page;

    if (!kmem.clean)
        return kmem_pages(q, 0, kind);
    if (kmem_fail_now() || !quota_take(q, KPAGE_SIZE))
        return NULL;
    page = clean_pop();
    kmem_desc(page)->kind = (uint8_t)kind;
    note_low();
    return page;
}

bool kmem_clean_one(unsigned n)
{
    int64_t frame = kmem.clean_count < n ? buddy_alloc(&kmem.buddy, 0) : -1;

    if (frame < 0)
        return false;
    san_set(frame_addr((uint64_t)frame), KPAGE_SIZE, SAN_FINE);
    clear_page(frame_addr((uint64_t)frame), KPAGE_SIZE);
    clean_push(frame_addr((uint64_t)frame));
    return true;
}

void kmem_page_free(struct quota *q, void *page)
{
    kmem_pages_free(q, page, 0);
}

void kmem_page_free_clean(struct quota *q, void *page)
{
    kcheck(((uint64_t *)page)[0] == 0 && ((uint64_t *)page)[511] == 0);
    if (kmem.clean_count == CLEAN_MAX) {
        kmem_pages_free(q, page, 0);
        return;
    }
    kassert(kmem_desc(page)->kind != KPAGE_FREE && kmem_desc(page)->kind != KPAGE_CLEAN);
    clean_push(page);
    quota_give(q, KPAGE_SIZE);
}

void *kmem_pages(struct quota *q, unsigned order, enum kpage_kind kind)
{
    uint64_t bytes = (uint64_t)KPAGE_SIZE << order;
    void *pages;

    if (order >= BUDDY_ORDERS || kmem_fail_now() || !quota_take(q, bytes))
        return NULL;
    pages = take_frames(order, kind);
    if (!pages) {
        quota_give(q, bytes);
        return NULL;
    }
    clear_page(pages, bytes);
    return pages;
}

void kmem_pages_free(struct quota *q, void *pages, unsigned order)
{
    struct kpage *d = kmem_desc(pages);

    for (uint64_t i = 0; i < 1UL << order; i++) {
        kassert(d[i].kind != KPAGE_FREE && d[i].kind != KPAGE_CLEAN);
        d[i] = (struct kpage){0};
    }
    buddy_give(pages, order);
    quota_give(q, (uint64_t)KPAGE_SIZE << order);
}

void slab_init(struct slab *s, const char *name, uint32_t size)
{
    size += SAN_GAP;
    kassert(size >= 8 && size % 8 == 0 && size <= KPAGE_SIZE);
    *s = (struct slab){
        .name = name,
        .size = size,
        .perpage = (uint16_t)(KPAGE_SIZE / size),
        .next = kmem.slabs,
    };
    kmem.slabs = s;
}

static void partial_add(struct slab *s, struct kpage *d, void *page)
{
    d->next = s->partial;
    d->prev = 0;
    if (s->partial)
        kmem_desc(kptr(s->partial))->prev = kref(page);
    s->partial = kref(page);
}

static void partial_remove(struct slab *s, struct kpage *d)
{
    if (d->next)
        kmem_desc(kptr(d->next))->prev = d->prev;
    if (d->prev)
        kmem_desc(kptr(d->prev))->next = d->next;
    else
        s->partial = d->next;
}

/* The first page of the list may be full (K2): no longer. */
static void drop_full(struct slab *s)
{
    struct kpage *first = s->partial ? kmem_desc(kptr(s->partial)) : NULL;

    if (first && first->hint == KPAGE_FULL)
        partial_remove(s, first);
}

static void slab_give_page(struct slab *s, void *page)
{
    struct kpage *d = kmem_desc(page);

    partial_remove(s, d);
    *d = (struct kpage){0};
    s->pages--;
    buddy_give(page, 0);
}

/* A page with all objects free, chained in order of address. */
static SELDOM bool slab_grow(struct slab *s)
{
    char *page = take_frames(0, KPAGE_SLAB);
    struct kpage *d;

    if (!page)
        return false;
    clear_page(page, KPAGE_SIZE);
    san_set(page, KPAGE_SIZE, SAN_REDZONE);
    for (unsigned i = 0; i < s->perpage; i++) {
        san_object_free(page + (size_t)i * s->size, s->size);
        *(uint16_t *)(page + (size_t)i * s->size) =
            i + 1 < s->perpage ? (uint16_t)((i + 1) * s->size / 8) : KPAGE_FULL;
    }
    d = kmem_desc(page);
    d->owner = kref(s);
    d->live = 0;
    d->hint = 0;
    partial_add(s, d, page);
    s->pages++;
    s->keep = 1; /* until its first object is taken */
    kmem.kept++;
    return true;
}

void *slab_take_slow(struct slab *s, struct quota *q)
{
    struct kpage *d;
    uint16_t *obj;

    if (kmem_fail_now() || !quota_take(q, s->size - SAN_GAP))
        return NULL;
    drop_full(s);
    if (!s->partial && !slab_grow(s)) {
        quota_give(q, s->size - SAN_GAP);
        return NULL;
    }
    d = kmem_desc(kptr(s->partial));
    obj = (uint16_t *)((char *)kptr(s->partial) + (size_t)d->hint * 8);
    d->hint = *obj;
    if (!d->live++) {
        kassert(s->keep);
        s->keep = 0;
        kmem.kept--;
        note_low();
    }
    san_object_used(obj, s->size);
    return obj;
}

void slab_put_slow(struct slab *s, void *obj)
{
    void *page = (void *)((uintptr_t)obj & ~(uintptr_t)(KPAGE_SIZE - 1));
    struct kpage *d = kmem_desc(page);

    kassert(d->live);
    if (d->hint == KPAGE_FULL && s->partial != kref(page)) {
        drop_full(s);
        partial_add(s, d, page);
    }
    *(uint16_t *)obj = d->hint;
    d->hint = (uint16_t)(((uintptr_t)obj & (KPAGE_SIZE - 1)) / 8);
    san_object_free(obj, s->size);
    if (--d->live)
        return;
    if (s->keep) {
        slab_give_page(s, page);
    } else {
        s->keep = 1;
        kmem.kept++;
    }
}

void *kmem_next_page(const void *page)
{
    uint64_t frame = page ? (kref(page) >> 12) + 1 : kmem.first;

    return frame < kmem.first + kmem.frames ? frame_addr(frame) : NULL;
}

/* K2 for a page of any slab: if it has room, somebody finds it. */
static bool room_ok(const struct kpage *d, kref_t page)
{
    return d->hint == KPAGE_FULL || d->prev || ((struct slab *)kptr(d->owner))->partial == page;
}

/* K2 and K3 for one slab. */
static bool slab_ok(const struct slab *s)
{
    unsigned empty = 0;
    kref_t prev = 0;

    for (kref_t p = s->partial; p; prev = p, p = kmem_desc(kptr(p))->next) {
        const struct kpage *d = kmem_desc(kptr(p));
        unsigned room = 0;

        if (d->kind != KPAGE_SLAB || kptr(d->owner) != s || d->prev != prev)
            return false;
        for (uint16_t i = d->hint; i != KPAGE_FULL; i = *(uint16_t *)((char *)kptr(p) + i * 8))
            if (i * 8u % s->size || i * 8u / s->size >= s->perpage || room++ > s->perpage)
                return false;
        if ((!room && prev) || room + d->live != s->perpage)
            return false;
        empty += !d->live;
    }
    return empty == s->keep && empty <= 1;
}

SAN_UNCHECKED bool kmem_ok(void)
{
    uint64_t clean = 0, kept = 0, slab_pages = 0;

    if (!buddy_ok(&kmem.buddy))
        return false;
    for (uint64_t f = kmem.first; f < kmem.first + kmem.frames; f++) {
        const struct kpage *d = kmem_desc(frame_addr(f));
        uint8_t kind = d->kind;

        if (buddy_is_free(&kmem.buddy, f, 0) != (kind == KPAGE_FREE))
            return false;
        if (kind == KPAGE_SLAB && !room_ok(d, (kref_t)(f << 12)))
            return false;
        clean += kind == KPAGE_CLEAN;
        slab_pages += kind == KPAGE_SLAB;
    }
    for (kref_t p = kmem.clean; p; p = kmem_desc(kptr(p))->next) {
        if (kmem_desc(kptr(p))->kind != KPAGE_CLEAN || !clean--)
            return false;
        for (unsigned i = 0; i < KPAGE_SIZE / 8; i++)
            if (((uint64_t *)kptr(p))[i])
                return false;
    }
    for (const struct slab *s = kmem.slabs; s; s = s->next) {
        if (!slab_ok(s))
            return false;
        kept += s->keep;
        slab_pages -= s->pages;
    }
    return !clean && !slab_pages && kept == kmem.kept;
}
