/*
 * frames.h - the frames of a manager: what sigma0 gave it, and which of them are free
 *
 *   fresh runs      [start, end) never touched since sigma0 cleared them: zero, contiguous
 *   recycled list   used before, linked through their first word: cleared when taken
 *
 * F1  total = fresh + recycled + frames taken.
 * F2  A frame is in one run, or on the list, or taken.
 * F3  A taken frame is zero.
 *
 * The pool neither asks for memory nor maps any: it runs unchanged on the host. Frames are named
 * by the address at which the manager sees them (in anon: the physical address).
 */
#pragma once

#include <abi/types.h>

#include <stdbool.h>

/* Fresh runs remembered at a time. More only arise from requests for contiguous memory; beyond
 * this the shortest one goes to the recycled list. */
enum { FRAME_RUNS_MAX = 8 };

struct frame_run {
    l4_addr_t start;
    l4_addr_t end;
};

struct frame_pool {
    struct frame_run runs[FRAME_RUNS_MAX];
    unsigned run_count;
    void *recycled_list;
    /* frames */
    l4_umword_t total;
    l4_umword_t fresh;
    l4_umword_t recycled;
};

/* Add [start, start + frames * L4_PAGESIZE), zeroed memory that the caller can write to. */
void frames_add(struct frame_pool *p, l4_addr_t start, l4_umword_t frames);

/* One zeroed frame, NULL: none free. Recycled ones first, so the manager stays small. */
void *frames_take(struct frame_pool *p);

/* `frames` zeroed frames in a row, the first aligned to `align` bytes (a power of two, at least a
 * page). 0: no fresh run holds them. */
l4_addr_t frames_take_run(struct frame_pool *p, l4_umword_t frames, l4_addr_t align);

/* The frame comes back. Nobody else may have it mapped any more. */
void frames_give(struct frame_pool *p, void *frame);

static inline l4_umword_t frames_free(const struct frame_pool *p)
{
    return p->fresh + p->recycled;
}

static inline void frame_clear(void *frame)
{
    l4_umword_t words = L4_PAGESIZE / sizeof(l4_umword_t);

    __asm__ volatile("rep stosq" : "+D"(frame), "+c"(words) : "a"(0L) : "memory");
}

/* F1 and F2 among the free frames; walks the list. */
bool frames_ok(const struct frame_pool *p);
