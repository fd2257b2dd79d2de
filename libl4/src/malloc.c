/*
 * malloc.c - the C library's heap: heap.c on the pages of pages.c
 *
 * Its pages come when they are touched. With L4_HEAP=check in the environment the heap looks for
 * writes in front of a block, behind it, to a free one, and for blocks that are freed twice.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <l4/sys/err.h>
#include <l4/sys/kdebug.h>
#include <l4/util/ram.h>

#include "heap.h"
#include "lock.h"

enum { GRAIN = 16 };

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
    void *p;

    lock_take(&lock);
    if (!begun)
        begin();
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

void free(void *p)
{
    int err;

    if (!p)
        return;
    lock_take(&lock);
    err = heap_free(&heap, p);
    lock_drop(&lock);
    if (err == HEAP_OVERFLOWN)
        die("free: written to behind the end of the block 0x", p);
    if (err == HEAP_UNDERFLOWN)
        die("free: written to in front of the block 0x", p);
    if (err == HEAP_FREED_TWICE)
        die("free: freed twice: 0x", p);
    if (err)
        die("free: not a block in use: 0x", p);
}

void *realloc(void *p, size_t size)
{
    size_t usable;
    void *q;

    if (!p)
        return malloc(size);
    usable = heap_usable(p);
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
