/*
 * common/buddy_spec.h - what the buddy allocator means: the specification
 *
 * An array that says of each frame whether it is free. There are no blocks: a block that is free
 * is 2^k frames from a multiple of 2^k on, all of them free, and the largest such one around a
 * frame is the block that the frame is in (B2 of buddy.h). Arguments and results are those of
 * buddy.h. No libc, no allocation; at most SPEC_FRAMES frames.
 */
#pragma once

#include <common/buddy.h>

#ifndef SPEC_FRAMES
#define SPEC_FRAMES 16
#endif

struct buddy_spec {
    uint64_t first, frames; /* frames [first, first + frames) are known; frames <= SPEC_FRAMES */
    bool free[SPEC_FRAMES];
};

int spec_buddy_add(struct buddy_spec *s, uint64_t first, uint64_t frames);
int64_t spec_buddy_alloc(struct buddy_spec *s, unsigned order, uint64_t lo, uint64_t hi);
int spec_buddy_alloc_at(struct buddy_spec *s, uint64_t frame, unsigned order);
int spec_buddy_free(struct buddy_spec *s, uint64_t frame, unsigned order);
/* A known block of this order, and every frame of it is free (value: or in use). */
bool spec_buddy_all(const struct buddy_spec *s, uint64_t frame, unsigned order, bool value);
/* Order of the largest free block around a free frame. */
unsigned spec_buddy_block(const struct buddy_spec *s, uint64_t frame);
uint64_t spec_buddy_next_free(const struct buddy_spec *s, uint64_t frame, unsigned *order);
