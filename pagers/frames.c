/*
 * frames.c - the frames of a manager; see frames.h for the picture and the invariants
 */
#include "frames.h"

static inline struct frame_chunk *chunk_of(const struct frame_pool *p, l4_addr_t address)
{
    l4_umword_t number = address >> CHUNK_SHIFT;

    return &p->table[number / CHUNK_TABLE][number % CHUNK_TABLE];
}

static inline l4_addr_t frame_address(const struct frame_chunk *c, unsigned number)
{
    return ((l4_addr_t)c->number << CHUNK_SHIFT) + ((l4_addr_t)number << L4_PAGESHIFT);
}

static inline unsigned frame_number(l4_addr_t address)
{
    return address >> L4_PAGESHIFT & (CHUNK_FRAMES - 1);
}

static void clear(l4_addr_t start, l4_umword_t frames)
{
    l4_umword_t words = frames * (L4_PAGESIZE / sizeof(l4_umword_t));

    __asm__ volatile("rep stosq" : "+D"(start), "+c"(words) : "a"(0L) : "memory");
}

/* ---------------------------------------------------------------- lists of chunks */

static void list_add(struct frame_chunk **list, struct frame_chunk *c)
{
    c->prev = NULL;
    c->next = *list;
    if (c->next)
        c->next->prev = c;
    *list = c;
}

static void list_remove(struct frame_chunk **list, struct frame_chunk *c)
{
    if (c->next)
        c->next->prev = c->prev;
    if (c->prev)
        c->prev->next = c->next;
    else
        *list = c->next;
}

static inline bool is_whole(const struct frame_chunk *c)
{
    return c->free == CHUNK_FRAMES;
}

/* `n` frames of the chunk, which has them, are taken. */
static inline void chunk_taken(struct frame_pool *p, struct frame_chunk *c, unsigned n)
{
    if (is_whole(c)) {
        list_remove(&p->whole, c);
        p->whole_chunks--;
        list_add(&p->partial, c);
    }
    p->free -= n;
    c->free -= n;
    if (c->free == 0)
        list_remove(&p->partial, c);
}

/* `n` frames of the chunk have been made free. */
static inline void chunk_given(struct frame_pool *p, struct frame_chunk *c, unsigned n)
{
    if (c->free == 0)
        list_add(&p->partial, c);
    c->free += n;
    p->free += n;
    if (!is_whole(c))
        return;
    list_remove(&p->partial, c);
    list_add(&p->whole, c);
    p->whole_chunks++;
    if (!c->recycled)
        return;
    c->recycled = 0;
    c->fresh = 0;
    c->end = CHUNK_FRAMES;
    c->dirty = true;
}

static inline void recycle(struct frame_chunk *c, l4_addr_t frame)
{
    *(l4_uint16_t *)frame = c->recycled;
    c->recycled = 1 + frame_number(frame);
}

/* ---------------------------------------------------------------- adding */

/* The record of the chunk at `start`; new ones are made in that frame itself: *used. */
static struct frame_chunk *chunk_make(struct frame_pool *p, l4_addr_t start, bool *used)
{
    l4_umword_t number = start >> CHUNK_SHIFT;
    struct frame_chunk **table = &p->table[number / CHUNK_TABLE];

    *used = !*table;
    if (!*table) {
        *table = (struct frame_chunk *)start;
        p->own++;
    }
    (*table)[number % CHUNK_TABLE].number = number;
    return &(*table)[number % CHUNK_TABLE];
}

/* Frames [first, end) of a chunk, zeroed. */
static void chunk_add(struct frame_pool *p, struct frame_chunk *c, unsigned first, unsigned end)
{
    c->owned += end - first;
    if (c->fresh == c->end) {
        c->fresh = first;
        c->end = end;
        c->dirty = false;
    } else if (c->end == first && !c->dirty) {
        c->end = end;
    } else {
        for (unsigned i = first; i < end; i++)
            recycle(c, frame_address(c, i));
    }
    chunk_given(p, c, end - first);
}

bool frames_add(struct frame_pool *p, l4_addr_t start, l4_umword_t frames)
{
    l4_addr_t end = start + (frames << L4_PAGESHIFT);
    l4_addr_t limit = (l4_addr_t)CHUNK_DIRECTORY * CHUNK_TABLE << CHUNK_SHIFT;

    if (end > limit || start > end)
        return false;
    p->total += frames;
    while (start < end) {
        l4_addr_t next = ((start >> CHUNK_SHIFT) + 1) << CHUNK_SHIFT;
        bool used;
        struct frame_chunk *c = chunk_make(p, start, &used);

        next = next < end ? next : end;
        if (start + used * L4_PAGESIZE < next)
            chunk_add(p, c, frame_number(start) + used, frame_number(next - 1) + 1);
        start = next;
    }
    return true;
}

l4_addr_t frames_remove_chunk(struct frame_pool *p)
{
    struct frame_chunk *c = p->whole;

    if (!c)
        return 0;
    chunk_taken(p, c, CHUNK_FRAMES);
    c->owned = c->fresh = c->end = 0;
    p->total -= CHUNK_FRAMES;
    return frame_address(c, 0);
}

/* ---------------------------------------------------------------- taking and giving */

/* *zero: nobody has used the frame. */
static inline void *take(struct frame_pool *p, bool *zero)
{
    struct frame_chunk *c = p->partial ? p->partial : p->whole;
    l4_addr_t frame;

    if (!c)
        return NULL;
    if (c->recycled) {
        frame = frame_address(c, c->recycled - 1u);
        c->recycled = *(l4_uint16_t *)frame;
        *zero = false;
    } else {
        frame = frame_address(c, c->fresh++);
        *zero = !c->dirty;
    }
    chunk_taken(p, c, 1);
    return (void *)frame;
}

void *frames_take(struct frame_pool *p)
{
    bool zero;
    void *frame = take(p, &zero);

    if (frame && !zero)
        clear((l4_addr_t)frame, 1);
    return frame;
}

void *frames_take_as_is(struct frame_pool *p)
{
    bool zero;

    return take(p, &zero);
}

void frames_give(struct frame_pool *p, void *frame)
{
    struct frame_chunk *c = chunk_of(p, (l4_addr_t)frame);

    recycle(c, (l4_addr_t)frame);
    chunk_given(p, c, 1);
}

void frames_give_run(struct frame_pool *p, l4_addr_t start, l4_umword_t frames)
{
    while (frames > 0) {
        struct frame_chunk *c = chunk_of(p, start);
        unsigned n = 1;

        if (frames >= CHUNK_FRAMES && c->owned == CHUNK_FRAMES && c->free == 0 &&
            frame_number(start) == 0) {
            n = CHUNK_FRAMES;
            c->fresh = 0;
            c->end = CHUNK_FRAMES;
            c->dirty = true;
        } else {
            recycle(c, start);
        }
        chunk_given(p, c, n);
        start += (l4_addr_t)n << L4_PAGESHIFT;
        frames -= n;
    }
}

/* Fresh frames [first, first + n) of the chunk; those before it are recycled. */
static void take_fresh(struct frame_pool *p, struct frame_chunk *c, unsigned first, unsigned n)
{
    for (; c->fresh < first; c->fresh++)
        recycle(c, frame_address(c, c->fresh));
    c->fresh += n;
    if (c->dirty)
        clear(frame_address(c, first), n);
    chunk_taken(p, c, n);
}

/* A run within one chunk. */
static l4_addr_t take_small_run(struct frame_pool *p, struct frame_chunk *list, unsigned n,
                                unsigned align)
{
    for (struct frame_chunk *c = list; c; c = c->next) {
        unsigned first = (c->fresh + align - 1) & ~(align - 1);

        if (first + n > c->end)
            continue;
        take_fresh(p, c, first, n);
        return frame_address(c, first);
    }
    return 0;
}

/* How many chunks in a row, from this one on and at most `n`, are whole. */
static l4_umword_t whole_in_a_row(const struct frame_pool *p, const struct frame_chunk *c,
                                  l4_umword_t n)
{
    l4_umword_t i;

    for (i = 0; i < n; i++) {
        l4_umword_t number = c->number + i;

        if (number / CHUNK_TABLE >= CHUNK_DIRECTORY || !p->table[number / CHUNK_TABLE] ||
            !is_whole(&p->table[number / CHUNK_TABLE][number % CHUNK_TABLE]))
            break;
    }
    return i;
}

static l4_addr_t take_large_run(struct frame_pool *p, l4_umword_t frames, l4_addr_t align)
{
    l4_umword_t chunks = (frames + CHUNK_FRAMES - 1) / CHUNK_FRAMES;

    for (struct frame_chunk *c = p->whole; c; c = c->next) {
        l4_addr_t start = frame_address(c, 0), at = start;

        if ((start & (align - 1)) || whole_in_a_row(p, c, chunks) < chunks)
            continue;
        for (; frames > 0; at += 1UL << CHUNK_SHIFT) {
            unsigned n = frames < CHUNK_FRAMES ? frames : CHUNK_FRAMES;

            take_fresh(p, chunk_of(p, at), 0, n);
            frames -= n;
        }
        return start;
    }
    return 0;
}

l4_addr_t frames_take_run(struct frame_pool *p, l4_umword_t frames, l4_addr_t align)
{
    l4_addr_t run;

    if (frames > CHUNK_FRAMES || align > 1UL << CHUNK_SHIFT)
        return take_large_run(p, frames, align);
    run = take_small_run(p, p->partial, frames, align >> L4_PAGESHIFT);
    return run ? run : take_small_run(p, p->whole, frames, align >> L4_PAGESHIFT);
}

/* ---------------------------------------------------------------- sharing */

static inline l4_umword_t *count_of(const struct frame_pool *p, l4_addr_t frame)
{
    struct frame_chunk *c = chunk_of(p, frame);

    return c->counts ? &c->counts[frame_number(frame)] : NULL;
}

bool frames_countable(const struct frame_pool *p, l4_addr_t frame)
{
    return chunk_of(p, frame)->counts != NULL;
}

void frames_count_in(struct frame_pool *p, l4_addr_t frame, void *counts)
{
    chunk_of(p, frame)->counts = counts;
    p->own++;
}

void frames_count_out(struct frame_pool *p, l4_addr_t frame)
{
    struct frame_chunk *c = chunk_of(p, frame);
    void *counts = c->counts;

    if (!counts || c->shared)
        return;
    c->counts = NULL;
    p->own--;
    frames_give(p, counts);
}

void frames_share(struct frame_pool *p, l4_addr_t frame)
{
    l4_umword_t *count = count_of(p, frame);

    if (*count == 0)
        chunk_of(p, frame)->shared++;
    *count += *count ? 1 : 2;
}

l4_umword_t frames_unshare(struct frame_pool *p, l4_addr_t frame)
{
    l4_umword_t *count = count_of(p, frame);

    if (!count || *count == 0)
        return 0;
    if (--*count > 1)
        return *count;
    *count = 0;
    chunk_of(p, frame)->shared--;
    frames_count_out(p, frame);
    return 1;
}

l4_umword_t frames_owners(const struct frame_pool *p, l4_addr_t frame)
{
    const l4_umword_t *count = count_of(p, frame);

    return count && *count ? *count : 1;
}

/* ---------------------------------------------------------------- the invariants */

/* F5 */
static bool counts_ok(const struct frame_chunk *c)
{
    unsigned n = 0;

    for (unsigned i = 0; c->counts && i < CHUNK_FRAMES; i++) {
        n += c->counts[i] != 0;
        if (c->counts[i] == 1)
            return false;
    }
    return n == c->shared && !(is_whole(c) && n);
}

/* Adds the chunk's free frames to *free. */
static bool chunk_ok(const struct frame_chunk *c, l4_umword_t *free)
{
    unsigned n = c->end - c->fresh;

    if (c->fresh > c->end || c->end > CHUNK_FRAMES || c->owned > CHUNK_FRAMES || !counts_ok(c))
        return false;
    for (unsigned i = c->recycled; i; i = *(const l4_uint16_t *)frame_address(c, i - 1)) {
        if (++n > c->free || (i - 1 >= c->fresh && i - 1 < c->end))
            return false;
    }
    *free += c->free;
    return n == c->free && c->free <= c->owned && !(is_whole(c) && c->recycled);
}

bool frames_ok(const struct frame_pool *p)
{
    l4_umword_t free = 0, whole = 0;

    for (const struct frame_chunk *c = p->whole; c; c = c->next, whole++)
        if (!is_whole(c) || !chunk_ok(c, &free) || (c->next && c->next->prev != c))
            return false;
    for (const struct frame_chunk *c = p->partial; c; c = c->next)
        if (!c->free || is_whole(c) || !chunk_ok(c, &free) || (c->next && c->next->prev != c))
            return false;
    return free == p->free && whole == p->whole_chunks && free + p->own <= p->total;
}
