/*
 * malloc.c - the C library's heap: heap.c on dataspaces of the task's memory allocator
 *
 * A span is a dataspace of its own, attached where the region manager finds room. Its pages come
 * when they are touched.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/kdebug.h>

#include "heap.h"
#include "lock.h"

enum { RUN_ORDER = 16, GRAIN = 16 };

static void *span_get(size_t size, unsigned long *handle)
{
    l4_cap_idx_t ds = l4re_util_cap_alloc();
    void *base = NULL;

    if (l4_is_invalid_cap(ds))
        return NULL;
    if (l4re_ma_alloc((long)size, ds, 0) < 0) {
        l4re_util_cap_free(ds);
        return NULL;
    }
    if (l4re_rm_attach(&base, size, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW, ds, 0, RUN_ORDER) < 0) {
        l4re_util_cap_free_um(ds);
        return NULL;
    }
    *handle = ds;
    return base;
}

static void span_put(void *base, size_t size, unsigned long handle)
{
    (void)size;
    l4re_rm_detach(base);
    l4re_util_cap_free_um(handle);
}

static const struct heap_source spans = {span_get, span_put};
static struct heap heap = {.source = &spans};
static struct lock lock;

static void *alloc(size_t size, size_t align, int *zeroed)
{
    void *p;

    lock_take(&lock);
    p = heap_alloc(&heap, size, align, zeroed);
    lock_drop(&lock);
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
    if (err) {
        outstring("free: not a block in use: 0x");
        outhex64((uintptr_t)p);
        outstring("\n");
        abort();
    }
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
