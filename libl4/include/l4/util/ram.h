/*
 * l4/util/ram.h - pages for a program: its own 256 first, the memory allocator late
 *
 * A program has 256 pages in its image, which become frames when they are touched. Requests up to
 * 16 pages are served from them, without a message to anybody. Only when they are used up, or for
 * a larger request, the allocator is asked for a dataspace, which is attached: two calls each time.
 * malloc() takes its pages from here.
 *
 * The environment variable L4_RAM=early (docs/libl4.md) has all requests go to the allocator.
 */
#pragma once

#include <l4/sys/compiler.h>

#include <stddef.h>

enum { L4_RAM_POOL_PAGES = 256, L4_RAM_POOL_LARGEST = 16 };

typedef struct l4_ram_stats_t {
    unsigned long pool_requests;    /* served from our own pages */
    unsigned long pool_pages;       /* of them in use, now */
    unsigned long service_requests; /* served by the allocator */
    unsigned long service_bytes;    /* of them in use, now */
    unsigned long messages;         /* to the allocator and the region manager, with the answers */
    unsigned long messages_saved;   /* that would have been, had all gone to the allocator */
    unsigned long bytes_saved;      /* that the allocator was not asked for */
} l4_ram_stats_t;

/*
 * `size` bytes, rounded up to pages, zeroed, at a multiple of `align` (a power of two; less than a
 * page counts as a page). NULL: size 0, or there is no such memory.
 */
L4_CV void *l4_ram_alloc(size_t size, size_t align);

/* All of what one l4_ram_alloc() gave. NULL is nothing. -L4_EINVAL: pages that are not given out, a
 * region of another size. */
L4_CV int l4_ram_free(void *p, size_t size);

L4_CV void l4_ram_stats(l4_ram_stats_t *stats);
