/*
 * common/buddy.h - who owns which frames: a buddy allocator for one range of memory
 *
 * Used by the kernel for its pool and by sigma0 for all RAM. It never touches the memory that it
 * hands out; its own memory (about 2.04 bits a frame) is given by the caller. Frames are numbers
 * of 4 KiB units; a block of order k is 2^k frames and starts at a multiple of 2^k.
 *
 * B1  A frame is in at most one free block. Frames that are in none are in use.
 * B2  Two free blocks that are buddies do not exist: they are one block of the next order. So
 *     the free blocks are a function of the set of free frames, whatever happened before.
 * B3  A bit of a summary level is set exactly if the word below it is not zero.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BUDDY_ORDERS = 19, /* 4 KiB .. 1 GiB: the page sizes of the machine */
    BUDDY_DEPTH = 6,   /* 64^6 bits: more frames than a physical address has */
    BUDDY_ALIGN_MAX = 51,  /* an alignment beyond is no address's */
    BUDDY_RUN_TRIES = 256, /* blocks that buddy_alloc_run() looks at before it gives up */
};

/* A set of numbers with find-first in O(depth): level 0 the members, level i+1 the words of i. */
struct bitset {
    uint64_t *level[BUDDY_DEPTH + 1]; /* level[depth]: the end of the last one */
    uint64_t bits;
    unsigned depth;
};

struct buddy {
    uint64_t first; /* frames [first, end) are known here */
    uint64_t end;
    uint64_t free_frames;
    uint32_t orders; /* bit k: some block of order k is free */
    struct bitset set[BUDDY_ORDERS];
};

/* Bytes of metadata for `frames` frames, wherever they begin. A multiple of 8. */
size_t buddy_meta_size(uint64_t frames);
/* No frame is free yet. `meta`: buddy_meta_size(frames) bytes, 8-aligned; need not be zero. */
void buddy_init(struct buddy *b, void *meta, uint64_t first_frame, uint64_t frames);

/* Frames [first, first + frames) become free. -L4_EINVAL (nothing done): some are free already
 * or not known here. */
int buddy_add(struct buddy *b, uint64_t first, uint64_t frames);

/* The frame at which a block begins that is now in use, or -L4_ENOMEM (none free), -L4_EINVAL
 * (no such order). The smallest free block that will do is cut, of these the lowest. */
int64_t buddy_alloc(struct buddy *b, unsigned order);
/*
 * `frames` adjoining frames, any number, all within [lo, hi). The first is a multiple of 2^align
 * and of the largest power of two that is not above `frames` (at most the largest order); of
 * such places the one in the smallest free block that will do. So a run may go over the end of a
 * block, and the rest of a block stays free. -L4_EINVAL: no frames, no such align; -L4_ENOMEM: no
 * such run was found in BUDDY_RUN_TRIES blocks.
 */
int64_t buddy_alloc_run(struct buddy *b, uint64_t frames, unsigned align, uint64_t lo, uint64_t hi);
/* Exactly this block: 0, -L4_ENOMEM (not free as a whole) or -L4_EINVAL (misaligned, unknown). */
int buddy_alloc_at(struct buddy *b, uint64_t frame, unsigned order);

/*
 * Give a block back: all that was allocated, or any aligned part of it. -L4_EINVAL (nothing done):
 * misaligned, not known here, or some of it is free already.
 */
int buddy_free(struct buddy *b, uint64_t frame, unsigned order);
/* The same where it is known that the block is one and not free: nothing is looked up. */
void buddy_give_back(struct buddy *b, uint64_t frame, unsigned order);

/* Is every / any frame of the block free? */
bool buddy_is_free(const struct buddy *b, uint64_t frame, unsigned order);
bool buddy_any_free(const struct buddy *b, uint64_t frame, unsigned order);

static inline uint64_t buddy_free_frames(const struct buddy *b)
{
    return b->free_frames;
}

/* Order of the largest free block; -1: nothing is free. */
int buddy_largest(const struct buddy *b);
/* The first free block at or after `frame` (any order): its frame, *order; ~0: none. */
uint64_t buddy_next_free(const struct buddy *b, uint64_t frame, unsigned *order);
/* All invariants; time proportional to the metadata. */
bool buddy_ok(const struct buddy *b);
