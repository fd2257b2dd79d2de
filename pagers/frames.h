/*
 * frames.h - the frames of a manager: what sigma0 gave it, and which of them are free
 *
 *   chunk        2 MiB, aligned: as large as a superpage, and the unit of getting and giving back
 *     fresh      [fresh, end) of its frames: taken by nobody since the chunk was whole
 *     recycled   others that are free, linked through their first word
 *
 *   chunk lists  whole: all 512 frames free       partial: some        (none free: on no list)
 *
 * Frames are taken from partial chunks first, so that whole ones stay whole: for superpages, for
 * contiguous memory, for sigma0.
 *
 * A taken frame has one owner. It may be shared: then a word of its chunk's counts says how many
 * owners it has, and the chunk keeps a frame for its counts while one of its frames is shared.
 *
 * F1  total = free + frames taken + own; free is the sum over the chunks.
 * F2  A frame is fresh in its chunk, or recycled, or taken, or the pool's own, or not ours.
 * F3  A taken frame is zero, unless it was taken as it is.
 * F4  A chunk is whole exactly if all its frames are ours and free; then it has no recycled ones.
 * F5  `shared` of a chunk is the number of its counts that are not 0; these are at least 2. There
 *     is a frame of counts exactly while `shared` is not 0 (but between frames_count_in() and the
 *     first frames_share()).
 *
 * The pool neither asks for memory nor maps any: it runs unchanged on the host. Frames are named
 * by the address at which the manager sees them (in anon: the physical address). The records of
 * chunks lie in frames of the pool itself, one for each 128 MiB of addresses.
 */
#pragma once

#include <abi/types.h>

#include <stdbool.h>

enum {
    CHUNK_SHIFT = L4_SUPERPAGESHIFT,
    CHUNK_FRAMES = 1 << (CHUNK_SHIFT - L4_PAGESHIFT),
    CHUNK_TABLE = 64,       /* records that fit in a frame */
    CHUNK_DIRECTORY = 8192, /* tables: a tebibyte of physical addresses */
};

struct frame_chunk {
    struct frame_chunk *next;
    struct frame_chunk *prev;
    l4_uint32_t number;   /* address >> CHUNK_SHIFT */
    l4_uint16_t owned;    /* frames of the chunk that are ours, but not the pool's own */
    l4_uint16_t free;     /* of them free */
    l4_uint16_t fresh;    /* number of the first fresh frame in the chunk */
    l4_uint16_t end;      /* and of the one behind the last */
    l4_uint16_t recycled; /* 1 + number of the first recycled frame, 0: none */
    l4_uint16_t dirty;    /* the fresh frames have been used before, they are not zero */
    l4_uint16_t shared;   /* frames with more than one owner */
    l4_umword_t *counts;  /* owners of each of them, a frame; NULL: nothing is shared */
    l4_umword_t pad[2];
};
_Static_assert(sizeof(struct frame_chunk) * CHUNK_TABLE == L4_PAGESIZE, "a frame of records");

struct frame_pool {
    struct frame_chunk *partial;
    struct frame_chunk *whole;
    struct frame_chunk *table[CHUNK_DIRECTORY];
    /* frames */
    l4_umword_t total;
    l4_umword_t free;
    l4_umword_t own; /* hold records and counts */
    l4_umword_t whole_chunks;
};

/* Add [start, start + frames * L4_PAGESIZE), zeroed memory that the caller can write to, nothing of
 * which is in the pool. Addresses beyond the directory are an error: false, nothing added. */
bool frames_add(struct frame_pool *p, l4_addr_t start, l4_umword_t frames);

/* One zeroed frame, NULL: none free. */
void *frames_take(struct frame_pool *p);

/* The same with whatever is in it. */
void *frames_take_as_is(struct frame_pool *p);

/* `frames` zeroed frames in a row, the first aligned to `align` bytes (a power of two, at least a
 * page). 0: there is no such run among fresh frames of one chunk, or of whole chunks in a row. */
l4_addr_t frames_take_run(struct frame_pool *p, l4_umword_t frames, l4_addr_t align);

/* The frame comes back, or `frames` frames in a row. Nobody else may have them mapped any more. */
void frames_give(struct frame_pool *p, void *frame);
void frames_give_run(struct frame_pool *p, l4_addr_t start, l4_umword_t frames);

/* A whole chunk leaves the pool; its address, 0: there is none. */
l4_addr_t frames_remove_chunk(struct frame_pool *p);

/* Has the frame's chunk counts? If not, give it a zeroed frame, taken from this pool, for them. */
bool frames_countable(const struct frame_pool *p, l4_addr_t frame);
void frames_count_in(struct frame_pool *p, l4_addr_t frame, void *counts);
/* One owner more; the chunk has counts. One less: how many remain. 1: it is shared no more, 0: it
 * was not shared, and nothing has been done. */
void frames_share(struct frame_pool *p, l4_addr_t frame);
l4_umword_t frames_unshare(struct frame_pool *p, l4_addr_t frame);
/* Owners of a taken frame. */
l4_umword_t frames_owners(const struct frame_pool *p, l4_addr_t frame);
/* The chunk's frame of counts goes back to the pool if nothing is shared. */
void frames_count_out(struct frame_pool *p, l4_addr_t frame);

static inline l4_umword_t frames_free(const struct frame_pool *p)
{
    return p->free;
}

/* F1, F2 among the free frames, F4, F5; walks all of them. */
bool frames_ok(const struct frame_pool *p);
