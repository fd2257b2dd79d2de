/*
 * arena.c - blocks in memory that is present already
 *
 *   arena: | header | mark, size | block | mark, size | block ... | free ... |
 *
 * V1  Blocks are cut off one behind the other. What is free behind the last one in use is cut again
 *     only when that was the last, or none is in use.
 * V2  The word of a block's mark is its own address, mixed, exactly while it is in use: a write
 *     behind the block before damages it first.
 */
#include "arena.h"

#include <stdint.h>

enum { GRAIN = 16 };

struct block {
    uint64_t mark;
    size_t size;
};

static const uint64_t MARK = 0x52b9e6d41c8f7a03;

_Static_assert(sizeof(struct block) == ARENA_BLOCK_HEADER, "header of a block");
_Static_assert(sizeof(struct arena) <= ARENA_HEADER && ARENA_HEADER % GRAIN == 0, "header");

void arena_open(struct arenas *as, void *memory, size_t size, unsigned long handle)
{
    struct arena *a = memory;

    *a = (struct arena){as->first, size, ARENA_HEADER, 0, handle};
    as->first = as->open = a;
}

static struct arena *take_out(struct arenas *as, struct arena *a)
{
    struct arena **at = &as->first;

    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    return a;
}

struct arena *arena_close(struct arenas *as)
{
    struct arena *a = as->open;

    as->open = NULL;
    return a && a->blocks == 0 ? take_out(as, a) : NULL;
}

size_t arena_left(const struct arenas *as)
{
    return as->open ? as->open->size - as->open->used : 0;
}

void *arena_alloc(struct arenas *as, size_t size, size_t align)
{
    size_t left = arena_left(as), skip;
    struct arena *a = as->open;
    struct block *b;
    uintptr_t p;

    if (size > left || align > left)
        return NULL;
    size = (size + !size + GRAIN - 1) & ~(size_t)(GRAIN - 1);
    p = (uintptr_t)a + a->used + sizeof(*b);
    skip = -p & (align - 1);
    if (skip + sizeof(*b) + size > left)
        return NULL;
    p += skip;
    b = (struct block *)p - 1;
    *b = (struct block){MARK ^ p, size};
    a->used += skip + sizeof(*b) + size;
    a->blocks++;
    return (void *)p;
}

static struct arena *owner_of(const struct arenas *as, const void *p)
{
    struct arena *a = as->first;

    while (a && (uintptr_t)p - (uintptr_t)a >= a->size)
        a = a->next;
    return a;
}

int arena_free(struct arenas *as, void *p, struct arena **done)
{
    struct arena *a = owner_of(as, p);
    size_t at = (size_t)((uintptr_t)p - (uintptr_t)a);
    struct block *b;

    *done = NULL;
    if (!a)
        return 1;
    b = (struct block *)p - 1;
    if (at < ARENA_HEADER + sizeof(*b) || at % GRAIN || b->mark != (MARK ^ (uintptr_t)p))
        return -1;
    b->mark = 0;
    if (at + b->size == a->used)
        a->used = at - sizeof(*b);
    if (--a->blocks == 0) {
        a->used = ARENA_HEADER;
        if (a != as->open)
            *done = take_out(as, a);
    }
    return 0;
}

size_t arena_usable(const struct arenas *as, const void *p)
{
    return owner_of(as, p) ? ((const struct block *)p - 1)->size : 0;
}
