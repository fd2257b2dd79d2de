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
 * F1  total = free + frames taken + own; free is the sum over the chunks.
 * F2  A frame is fresh in its chunk, or recycled, or taken, or the pool's own, or not ours.
 * F3  A taken frame is zero.
 * F4  A chunk is whole exactly if all its frames are ours and free; then it has no recycled ones.
 *
 * The pool neither asks for memory nor maps any: it runs unchanged on the host. Frames are named
 * by the address at which the manager sees them (in anon: the physical address). The records of
 * chunks lie in frames of the pool itself, one for each 256 MiB of addresses.
 */
#pragma once

#include <abi/types.h>

#include <stdbool.h>

enum {
    CHUNK_SHIFT = L4_SUPERPAGESHIFT,
    CHUNK_FRAMES = 1 << (CHUNK_SHIFT - L4_PAGESHIFT),
    CHUNK_TABLE = 128,      /* records that fit in a frame */
    CHUNK_DIRECTORY = 4096, /* tables: a tebibyte of physical addresses */
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
};
_Static_assert(sizeof(struct frame_chunk) * CHUNK_TABLE == L4_PAGESIZE, "a frame of records");

struct frame_pool {
    struct frame_chunk *partial;
    struct frame_chunk *whole;
    struct frame_chunk *table[CHUNK_DIRECTORY];
    /* frames */
    l4_umword_t total;
    l4_umword_t free;
    l4_umword_t own; /* hold the records */
    l4_umword_t whole_chunks;
};

/* Add [start, start + frames * L4_PAGESIZE), zeroed memory that the caller can write to, nothing of
 * which is in the pool. Addresses beyond the directory are an error: false, nothing added. */
bool frames_add(struct frame_pool *p, l4_addr_t start, l4_umword_t frames);

/* One zeroed frame, NULL: none free. */
void *frames_take(struct frame_pool *p);

/* `frames` zeroed frames in a row, the first aligned to `align` bytes (a power of two, at least a
 * page). 0: there is no such run among fresh frames of one chunk, or of whole chunks in a row. */
l4_addr_t frames_take_run(struct frame_pool *p, l4_umword_t frames, l4_addr_t align);

/* The frame comes back, or `frames` frames in a row. Nobody else may have them mapped any more. */
void frames_give(struct frame_pool *p, void *frame);
void frames_give_run(struct frame_pool *p, l4_addr_t start, l4_umword_t frames);

/* A whole chunk leaves the pool; its address, 0: there is none. */
l4_addr_t frames_remove_chunk(struct frame_pool *p);

static inline l4_umword_t frames_free(const struct frame_pool *p)
{
    return p->free;
}

/* F1, F2 among the free frames, F4; walks all of them. */
bool frames_ok(const struct frame_pool *p);
