/*
 * arena.h - blocks in memory that is present already: for malloc() after l4_heap_reserve()
 *
 * Memory comes from the caller, who keeps the lock.
 */
#pragma once

#include <stddef.h>

enum { ARENA_HEADER = 48, ARENA_BLOCK_HEADER = 16 };

struct arena {
    struct arena *next;
    size_t size;   /* bytes, with this header */
    size_t used;   /* of them, from the beginning */
    size_t blocks; /* in use */
    unsigned long handle; /* the caller's */
};

struct arenas {
    struct arena *open;  /* new blocks come from it; NULL: none */
    struct arena *first; /* all that have blocks in use, and the open one */
};

/* From now on blocks come of `size` bytes at `memory` (a multiple of 16, larger than a header). */
void arena_open(struct arenas *as, void *memory, size_t size, unsigned long handle);

/* No more blocks come from the open one, if there is one. Returns it if it has none in use: then
 * it is the caller's again. */
struct arena *arena_close(struct arenas *as);

/* How many bytes of blocks and their headers are left. */
size_t arena_left(const struct arenas *as);

/* `size` bytes at a multiple of `align`, a power of two from 16 on. NULL: not so many are left. */
void *arena_alloc(struct arenas *as, size_t size, size_t align);

/* 0; 1: p lies in no arena; -1: in one, but it is no block in use. *done: NULL, or an arena that
 * is the caller's again. */
int arena_free(struct arenas *as, void *p, struct arena **done);

/* How many bytes may be used at p. 0: it lies in no arena. */
size_t arena_usable(const struct arenas *as, const void *p);
