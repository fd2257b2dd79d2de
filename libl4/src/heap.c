/*
 * heap.c - the heap without its memory
 *
 *   run (64 KiB, aligned): | header 64 | block | block | ... all of one size
 *   large block (aligned): | header 64 | ...padding to the alignment... | the block ...
 *
 * H1  A block's header is found by rounding its address down to HEAP_RUN.
 * H2  Blocks of a run are carved in order; pages behind the last one carved are untouched.
 * H3  A run is on the list of its class exactly if it has a free block and one in use (or is the
 *     last of its class); a run without blocks in use is on `empty` otherwise.
 * H4  Runs of a span are numbered; the first one knows the span's size and how many of its runs
 *     have a class or were never cut. With the last of them, and KEEP other empty runs, it goes.
 * H5  With `check`, the last TAIL bytes before the end of a block are its tail. Between it and the
 *     program's last byte, and before the address given out, FRONT bytes at least, the value is
 *     FENCE. The tail knows which address was given out.
 */
#include <stdint.h>
#include <string.h>

#include "heap.h"

enum { HEADER = 64, GRAIN = 16, SPAN_MAX = 64 * HEAP_RUN, PAGE = 4096, KEEP = 2 };
enum { FENCE = 0xfb, FREED = 0xdf }; /* bytes behind a block, and in a free one */
enum { MAGIC_RUN = 0x6e757251, MAGIC_LARGE = 0x67724c51 };

struct heap_run {
    uint32_t magic;
    uint16_t class;
    uint16_t in_use;
    uint32_t carved; /* offset of the first byte never handed out */
    uint16_t number; /* in its span */
    uint16_t live;   /* the first of a span: H4 */
    void *free; /* chained through the first word */
    struct heap_run *next, *prev;
    size_t size;          /* large, and the first of a span: of the span */
    unsigned long handle; /* the same: the source's */
    struct heap *heap;
};

_Static_assert(sizeof(struct heap_run) <= HEADER, "header");

/* The end of a block with `check`. */
struct tail {
    uint64_t size; /* what the program wanted */
    uint64_t mark; /* MARK_USED or MARK_FREE, mixed with the block's address */
};

enum { TAIL = sizeof(struct tail), FRONT = GRAIN };
static const uint64_t MARK_USED = 0x9d5be2c8a1f03747, MARK_FREE = 0x3a60b71c55e9d48f;

/* Steps of at most a quarter; the large ones divide a run (65472 bytes) without much rest. */
static const uint16_t class_size[HEAP_CLASSES] = {
    16,   32,   48,   64,   80,   96,   112,  128,  160,  192,   224,   256, 320, 384, 448, 512,
    640,  768,  896,  1024, 1280, 1536, 1792, 2048, 2976, 4080, 5456, 8176, 13088, 21824, 32736,
};

static struct heap_run *run_of(const void *p)
{
    return (struct heap_run *)((uintptr_t)p & ~(uintptr_t)(HEAP_RUN - 1));
}

static unsigned class_of(size_t size)
{
    unsigned low = 0, high = HEAP_CLASSES - 1;

    while (low < high) {
        unsigned mid = (low + high) / 2;

        if (class_size[mid] < size)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void list_add(struct heap_run **list, struct heap_run *r)
{
    r->prev = NULL;
    r->next = *list;
    if (*list)
        (*list)->prev = r;
    *list = r;
}

static void list_remove(struct heap_run **list, struct heap_run *r)
{
    if (r->prev)
        r->prev->next = r->next;
    else
        *list = r->next;
    if (r->next)
        r->next->prev = r->prev;
}

static int run_full(const struct heap_run *r)
{
    return !r->free && r->carved + class_size[r->class] > HEAP_RUN;
}

static struct heap_run *span_first(struct heap_run *r)
{
    return (struct heap_run *)((char *)r - (size_t)r->number * HEAP_RUN);
}

/* An eighth of what the heap has: a single run at first, which the source may have at hand. */
static size_t span_size(const struct heap *h)
{
    size_t size = HEAP_RUN;

    while (size < SPAN_MAX && size <= h->bytes_from_source / 16)
        size *= 2;
    return size;
}

/* A new span, if there is memory; its runs are cut off one by one. */
static int span_new(struct heap *h)
{
    size_t size = span_size(h);
    unsigned long handle;
    struct heap_run *r = h->source->get(size, &handle);

    if (!r && size > HEAP_RUN) {
        size = HEAP_RUN; /* the quota's last pages */
        r = h->source->get(size, &handle);
    }
    if (!r)
        return -1;
    h->span = (char *)r;
    h->span_end = h->span + size;
    h->bytes_from_source += size;
    r->live = (uint16_t)(size / HEAP_RUN);
    r->size = size;
    r->handle = handle;
    return 0;
}

/* 64 KiB that belong to no class. */
static struct heap_run *run_get(struct heap *h)
{
    struct heap_run *r = h->empty;

    if (r) {
        list_remove(&h->empty, r);
        h->empty_runs--;
        span_first(r)->live++;
        return r;
    }
    if (h->span == h->span_end) {
        if (span_new(h))
            return NULL;
        r = (struct heap_run *)h->span;
        r->number = 0;
    } else {
        r = (struct heap_run *)h->span;
        r->number = (uint16_t)(((struct heap_run *)(h->span - HEAP_RUN))->number + 1);
    }
    h->span += HEAP_RUN;
    return r;
}

/* A run without blocks: it may serve any class, or its span goes back (H4). */
static void run_put(struct heap *h, struct heap_run *r)
{
    struct heap_run *first = span_first(r);
    size_t runs = first->size / HEAP_RUN;

    list_add(&h->empty, r);
    h->empty_runs++;
    if (--first->live || h->empty_runs < runs + KEEP)
        return;
    for (size_t i = 0; i < runs; i++)
        list_remove(&h->empty, (struct heap_run *)((char *)first + i * HEAP_RUN));
    h->empty_runs -= runs;
    h->bytes_from_source -= first->size;
    h->source->put(first, first->size, first->handle);
}

static struct heap_run *run_new(struct heap *h, unsigned class)
{
    struct heap_run *r = run_get(h);

    if (!r)
        return NULL;
    if (h->check && r->carved > HEADER) /* tails of another class */
        memset((char *)r + HEADER, 0, r->carved - HEADER);
    r->magic = MAGIC_RUN;
    r->class = (uint16_t)class;
    r->in_use = 0;
    r->carved = HEADER;
    r->free = NULL;
    r->heap = h;
    list_add(&h->partial[class], r);
    return r;
}

static void *small_alloc(struct heap *h, unsigned class)
{
    struct heap_run *r = h->partial[class];
    void *p;

    if (!r)
        r = run_new(h, class);
    if (!r)
        return NULL;
    p = r->free;
    if (p) {
        r->free = *(void **)p;
    } else {
        p = (char *)r + r->carved;
        r->carved += class_size[class];
    }
    r->in_use++;
    if (run_full(r))
        list_remove(&h->partial[class], r);
    return p;
}

static void *large_alloc(struct heap *h, size_t size, size_t align)
{
    size_t front = HEADER + (h->check ? FRONT : 0);
    size_t offset = (front + align - 1) & ~(align - 1);
    unsigned long handle = 0;
    struct heap_run *r;

    if (size > (size_t)-1 / 2)
        return NULL;
    size = (offset + size + PAGE - 1) & ~(size_t)(PAGE - 1);
    r = h->source->get(size, &handle);
    if (!r)
        return NULL;
    r->magic = MAGIC_LARGE;
    r->size = size;
    r->handle = handle;
    r->heap = h;
    h->bytes_from_source += size;
    return (char *)r + offset;
}

/* Offset in its run of the block that p points into; 0: none. */
static uint32_t block_start(const struct heap_run *r, const void *p)
{
    uint32_t at = (uint32_t)((const char *)p - (const char *)r);
    uint32_t size = class_size[r->class];

    if (at < HEADER || at >= r->carved || at % GRAIN)
        return 0;
    return (at - HEADER) / size * size + HEADER;
}

/* The block that p points into, and the first byte behind it, NULL: it points into none. */
static char *block_of(struct heap_run *r, const void *p, char **end)
{
    uint32_t start = HEADER;

    if (r->magic == MAGIC_LARGE) {
        *end = (char *)r + r->size;
        return (char *)r + HEADER;
    }
    start = r->magic == MAGIC_RUN && r->class < HEAP_CLASSES ? block_start(r, p) : 0;
    if (!start)
        return NULL;
    *end = (char *)r + start + class_size[r->class];
    return (char *)r + start;
}

/* ---------------------------------------------------------------- check */

static struct tail *tail_of(char *end)
{
    return (struct tail *)(end - TAIL);
}

static int all_bytes(const char *from, const char *to, unsigned char value)
{
    for (; from < to; from++)
        if ((unsigned char)*from != value)
            return 0;
    return 1;
}

/* The tail says `mark` of an address in the block. */
static int marked(const struct tail *t, uint64_t mark, const char *start)
{
    return (t->mark ^ mark) - (uintptr_t)start < (uintptr_t)t - (uintptr_t)start;
}

/* A block is given out; what is free must not have been written to since it was freed. The first
 * word of a small free block is the heap's own. */
static void check_alloc(struct heap *h, char *p, size_t size)
{
    char *end, *start = block_of(run_of(p), p, &end);
    struct tail *t = tail_of(end);

    if (marked(t, MARK_FREE, start) && !all_bytes(start + sizeof(void *), (char *)t, FREED))
        h->damaged = p;
    memset(start, FENCE, (size_t)(p - start));
    memset(p + size, FENCE, (size_t)((char *)t - p) - size);
    t->size = size;
    t->mark = MARK_USED ^ (uintptr_t)p;
}

static int check_free(char *p)
{
    struct heap_run *r = run_of(p);
    char *end, *start = block_of(r, p, &end);
    struct tail *t;

    if (!start)
        return HEAP_NO_BLOCK;
    t = tail_of(end);
    if (t->mark == (MARK_FREE ^ (uintptr_t)p))
        return HEAP_FREED_TWICE;
    if (t->mark != (MARK_USED ^ (uintptr_t)p))
        return marked(t, MARK_USED, start) || marked(t, MARK_FREE, start) ? HEAP_NO_BLOCK
                                                                          : HEAP_OVERFLOWN;
    if (t->size > (size_t)((char *)t - p) || !all_bytes(p + t->size, (char *)t, FENCE))
        return HEAP_OVERFLOWN;
    if (!all_bytes(start, p, FENCE))
        return HEAP_UNDERFLOWN;
    if (r->magic == MAGIC_RUN)
        memset(start, FREED, (size_t)((char *)t - start));
    t->mark = MARK_FREE ^ (uintptr_t)p;
    return 0;
}

/* ---------------------------------------------------------------- all blocks */

static int small_free(struct heap *h, struct heap_run *r, void *p)
{
    uint32_t start = r->class < HEAP_CLASSES ? block_start(r, p) : 0;
    int was_full;
    void **block = (void **)((char *)r + start);

    if (start == 0 || r->in_use == 0 || r->free == block)
        return -1; /* not ours, or freed twice in a row */
    was_full = run_full(r);
    *block = r->free;
    r->free = block;
    r->in_use--;
    if (was_full)
        list_add(&h->partial[r->class], r);
    if (r->in_use == 0 && (r->next || r->prev)) { /* others of this class have room */
        list_remove(&h->partial[r->class], r);
        run_put(h, r);
    }
    return 0;
}

void *heap_alloc(struct heap *h, size_t size, size_t align, int *zeroed)
{
    size_t need, tail = h->check ? TAIL : 0, front = h->check ? FRONT : 0;
    uintptr_t p;

    if (size == 0)
        size = 1; /* a block of its own, so that its address is unique */
    need = size + tail + front + (align > GRAIN ? align - GRAIN : 0);
    if (align > HEAP_ALIGN_MAX || need < size)
        return NULL;
    if (need > class_size[HEAP_CLASSES - 1]) {
        p = (uintptr_t)large_alloc(h, size + tail, align);
        if (zeroed)
            *zeroed = 1;
    } else {
        /* A block may be used from its middle on: heap_free() finds its start. */
        p = (uintptr_t)small_alloc(h, class_of(need));
        if (p)
            p = (p + front + align - 1) & ~(uintptr_t)(align - 1);
        if (zeroed)
            *zeroed = 0;
    }
    if (p && tail)
        check_alloc(h, (char *)p, size);
    if (p)
        h->blocks++;
    return (void *)p;
}

int heap_free(struct heap *h, void *p)
{
    struct heap_run *r = run_of(p);
    int err;

    if (((uintptr_t)p & (GRAIN - 1)) || r->heap != h)
        return HEAP_NO_BLOCK;
    if (h->check && (err = check_free(p)) != 0)
        return err;
    if (r->magic == MAGIC_LARGE) {
        r->magic = 0;
        h->bytes_from_source -= r->size;
        h->blocks--;
        h->source->put(r, r->size, r->handle);
        return 0;
    }
    if (r->magic != MAGIC_RUN || small_free(h, r, p) != 0)
        return HEAP_NO_BLOCK;
    h->blocks--;
    return 0;
}

size_t heap_usable(const void *p)
{
    struct heap_run *r = run_of(p);
    char *end;

    if (!block_of(r, p, &end))
        return 0;
    return r->heap->check ? tail_of(end)->size : (size_t)(end - (const char *)p);
}
