/*
 * heap.h - the heap without its memory: blocks in runs of one size, large blocks on their own
 *
 * Memory comes from a source in spans aligned to HEAP_RUN and zeroed, and goes back in spans when
 * all of one is free and something is spare besides. The caller keeps the lock.
 *
 * With `check` each block lies between bytes of a known value, and ends in a tail that tells its
 * size and address: what is written in front of a block or behind it is found out, and an address
 * that is in a block, freeing it twice, and writing to it after that.
 */
#pragma once

#include <stddef.h>

enum { HEAP_RUN = 65536, HEAP_CLASSES = 31, HEAP_ALIGN_MAX = HEAP_RUN / 2 };

struct heap_source {
    /* `size` zeroed bytes (whole pages) at a multiple of HEAP_RUN, or NULL; *handle is kept. */
    void *(*get)(size_t size, unsigned long *handle);
    void (*put)(void *base, size_t size, unsigned long handle);
};

struct heap_run;

struct heap {
    const struct heap_source *source;
    struct heap_run *partial[HEAP_CLASSES]; /* runs with a free block */
    struct heap_run *empty;                 /* runs without blocks, of no class */
    char *span, *span_end;                  /* the rest of the last span */
    size_t empty_runs;                      /* on the list */
    int check;                              /* set before the first use */
    const void *damaged;                    /* a free block that heap_alloc() found written to */
    /* statistics */
    size_t bytes_from_source;
    size_t blocks;
};

/* size bytes at a multiple of align (a power of two up to HEAP_ALIGN_MAX); *zeroed may be NULL. */
void *heap_alloc(struct heap *h, size_t size, size_t align, int *zeroed);

enum heap_error {
    HEAP_NO_BLOCK = -1,    /* p is not a block of this heap that is in use */
    HEAP_FREED_TWICE = -2, /* with check: it was one */
    HEAP_OVERFLOWN = -3,   /* with check: something has been written behind it; it is not freed */
    HEAP_UNDERFLOWN = -4,  /* the same in front of it */
};

/* 0, or enum heap_error. */
int heap_free(struct heap *h, void *p);

/* How many bytes may be used at p. 0: not a block. */
size_t heap_usable(const void *p);
