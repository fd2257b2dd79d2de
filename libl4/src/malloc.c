/*
 * malloc.c - the C library's heap: heap.c on the pages of pages.c
 *
 * Its pages come when they are touched; l4_heap_reserve() has some come before, and then blocks are
 * made of those (arena.c). With L4_HEAP=check in the environment the heap looks for
 * writes in front of a block, behind it, to a free one, and for blocks that are freed twice.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/consts.h>
#include <l4/sys/err.h>
#include <l4/sys/kdebug.h>
#include <l4/util/ahead.h>
#include <l4/util/ram.h>

#include "arena.h"
#include "heap.h"
#include "lock.h"

enum { GRAIN = 16, WARM = 256 }; /* bytes that touch_code() needs */

static void *span_get(size_t size, unsigned long *handle)
{
    *handle = 0;
    return l4_ram_alloc(size, HEAP_RUN);
}

static void span_put(void *base, size_t size, unsigned long handle)
{
    (void)handle;
    l4_ram_free(base, size);
}

static const struct heap_source spans = {span_get, span_put};
static struct heap heap = {.source = &spans};
static struct arenas arenas; /* memory that l4_heap_reserve() made present */
static struct lock lock;
static int begun;

static void die(const char *what, const void *p)
{
    outstring(what);
    outhex64((uintptr_t)p);
    outstring("\n");
    abort();
}

/* Before the first block, with the lock held. */
static void begin(void)
{
    const char *word = getenv("L4_HEAP");

    heap.check = word && strcmp(word, "check") == 0;
    begun = 1;
}

static void *alloc(size_t size, size_t align, int *zeroed)
{
    const void *damaged;
    void *p = NULL;

    lock_take(&lock);
    if (!begun)
        begin();
    if (arenas.open && (p = arena_alloc(&arenas, size, align)) != NULL && zeroed)
        *zeroed = 0;
    if (!p)
        p = heap_alloc(&heap, size, align, zeroed);
    damaged = heap.damaged;
    lock_drop(&lock);
    if (damaged)
        die("malloc: a free block has been written to: 0x", damaged);
    if (!p)
        errno = ENOMEM;
    return p;
}

void *malloc(size_t size)
{
    return alloc(size, GRAIN, NULL);
}

void *aligned_alloc(size_t align, size_t size)
{
    if (align == 0 || (align & (align - 1)))
        return NULL;
    return alloc(size, align < GRAIN ? GRAIN : align, NULL);
}

int posix_memalign(void **p, size_t align, size_t size)
{
    *p = aligned_alloc(align, size);
    return *p ? 0 : L4_ENOMEM;
}

void *calloc(size_t n, size_t size)
{
    size_t total;
    int zeroed;
    void *p;

    if (__builtin_mul_overflow(n, size, &total))
        total = ~0UL; /* which nobody has */
    p = alloc(total, GRAIN, &zeroed);
    return p && !zeroed ? memset(p, 0, total) : p;
}

/* What was of an arena is told by its place. */
static int block_free(void *p, struct arena **done)
{
    int err = 1;

    *done = NULL;
    if (arenas.first)
        err = arena_free(&arenas, p, done);
    return err > 0 ? heap_free(&heap, p) : err;
}

static void arena_put(struct arena *a)
{
    l4re_ds_t ds;

    if (!a)
        return;
    ds = a->handle;
    l4re_rm_detach(a);
    l4re_util_cap_free_um(ds);
}

void free(void *p)
{
    struct arena *done;
    int err;

    if (!p)
        return;
    lock_take(&lock);
    err = block_free(p, &done);
    lock_drop(&lock);
    arena_put(done);
    if (err == HEAP_OVERFLOWN)
        die("free: written to behind the end of the block 0x", p);
    if (err == HEAP_UNDERFLOWN)
        die("free: written to in front of the block 0x", p);
    if (err == HEAP_FREED_TWICE)
        die("free: freed twice: 0x", p);
    if (err)
        die("free: not a block in use: 0x", p);
}

static size_t block_usable(const void *p)
{
    size_t n = 0;

    if (arenas.first) {
        lock_take(&lock);
        n = arena_usable(&arenas, p);
        lock_drop(&lock);
    }
    return n ? n : heap_usable(p);
}

void *realloc(void *p, size_t size)
{
    size_t usable;
    void *q;

    if (!p)
        return malloc(size);
    usable = block_usable(p);
    if (size <= usable && size >= usable / 2)
        return p;
    q = malloc(size);
    if (!q)
        return size <= usable ? p : NULL;
    memcpy(q, p, size < usable ? size : usable);
    free(p);
    return q;
}

char *strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *p = malloc(n);

    return p ? memcpy(p, s, n) : NULL;
}

/* ---------------------------------------------------------------- look-ahead */

/* Pages that are all there, or an error. */
static long arena_get(size_t size, l4re_ds_t *ds, void **at)
{
    long err;

    *ds = l4re_util_cap_alloc();
    *at = NULL;
    if (l4_is_invalid_cap(*ds))
        return -L4_ENOMEM;
    err = l4re_ma_alloc((long)size, *ds, 0);
    if (err < 0) {
        l4re_util_cap_free(*ds);
        return err;
    }
    err = l4re_rm_attach(at, size, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW | L4RE_RM_F_EAGER_MAP, *ds,
                         0, L4_PAGESHIFT);
    if (err < 0)
        l4re_util_cap_free_um(*ds);
    return err < 0 ? err : 0;
}

/* The functions themselves, and what they need of the program's data. */
static void touch_code(void)
{
    void *volatile p = calloc(1, 1);
    void *larger = realloc(p, WARM / 4);

    if (larger)
        p = larger;
    free(p);
}

long l4_heap_reserve(unsigned long bytes)
{
    size_t size = l4_round_page(ARENA_HEADER + WARM + bytes);
    struct arena *rest;
    bool enough;
    l4re_ds_t ds;
    void *at;
    long err;

    if (bytes > L4_USER_END)
        return -L4_ENOMEM;
    lock_take(&lock);
    enough = bytes && arena_left(&arenas) >= WARM + bytes;
    lock_drop(&lock);
    if (!enough) {
        err = bytes ? arena_get(size, &ds, &at) : 0;
        if (err)
            return err;
        lock_take(&lock);
        rest = arena_close(&arenas);
        if (bytes)
            arena_open(&arenas, at, size, ds);
        lock_drop(&lock);
        arena_put(rest);
    }
    if (bytes)
        touch_code();
    return 0;
}
