/*
 * buddy.c - who owns which frames: a buddy allocator for one range of memory
 *
 * One set of free blocks for each order. A set is a bitmap under a pyramid of summaries:
 *
 *   level 2                     1                       one word
 *   level 1            0100..              0000..       bit i: word i of level 0 is not zero
 *   level 0   0000..  0010..  ...                       bit i: block i is free
 *
 * so the first member at or after a given number is found by looking at two words a level.
 * Blocks are counted from the one that contains `first`, so a range that begins anywhere costs
 * nothing extra. What is allocated is not recorded: it is all that is not free.
 */
#include <common/buddy.h>

#include <abi/errors.h>
#include <common/min.h>

#define NONE (~0UL)

static uint64_t words(uint64_t bits)
{
    return (bits + 63) / 64;
}

/* Words of all levels together. */
static uint64_t bitset_words(uint64_t bits)
{
    uint64_t n = 0;

    do {
        bits = words(bits);
        n += bits;
    } while (bits > 1);
    return n;
}

static uint64_t *bitset_init(struct bitset *s, uint64_t *mem, uint64_t bits)
{
    s->bits = bits;
    s->depth = 0;
    do {
        bits = words(bits);
        s->level[s->depth++] = mem;
        for (uint64_t i = 0; i < bits; i++)
            mem[i] = 0;
        mem += bits;
    } while (bits > 1);
    s->level[s->depth] = mem;
    return mem;
}

static inline bool bitset_has(const struct bitset *s, uint64_t i)
{
    return i < s->bits && (s->level[0][i / 64] >> (i % 64) & 1);
}

static inline void bitset_add(struct bitset *s, uint64_t i)
{
    for (unsigned l = 0; l < s->depth; l++, i /= 64) {
        uint64_t old = s->level[l][i / 64];

        s->level[l][i / 64] = old | 1UL << (i % 64);
        if (old)
            return;
    }
}

/* True when the set is empty afterwards. */
static inline bool bitset_remove(struct bitset *s, uint64_t i)
{
    for (unsigned l = 0; l < s->depth; l++, i /= 64)
        if (s->level[l][i / 64] &= ~(1UL << (i % 64)))
            return false;
    return true;
}

/* The first member >= i, or NONE: up until a word has a bit at or after i, then down again. */
static uint64_t bitset_next(const struct bitset *s, uint64_t i)
{
    for (unsigned l = 0; l < s->depth; l++) {
        uint64_t *word = s->level[l] + i / 64;
        uint64_t bits;

        if (word >= s->level[l + 1])
            return NONE;
        bits = *word & ~0UL << (i % 64);
        if (bits) {
            i = i / 64 * 64 + (unsigned)__builtin_ctzl(bits);
            while (l--)
                i = i * 64 + (unsigned)__builtin_ctzl(s->level[l][i]);
            return i;
        }
        i = i / 64 + 1;
    }
    return NONE;
}

/* The block of an order that contains a frame, counted as the sets count. */
static inline uint64_t block_of(const struct buddy *b, uint64_t frame, unsigned order)
{
    return (frame >> order) - (b->first >> order);
}

static inline uint64_t frame_of(const struct buddy *b, uint64_t block, unsigned order)
{
    return (block + (b->first >> order)) << order;
}

static inline uint64_t round_up(uint64_t frame, unsigned order)
{
    return ((frame + (1UL << order) - 1) >> order) << order;
}

static inline uint64_t round_down(uint64_t frame, unsigned order)
{
    return (frame >> order) << order;
}

static inline bool is_block(const struct buddy *b, uint64_t frame, unsigned order)
{
    return order < BUDDY_ORDERS && frame == round_down(frame, order) && frame >= b->first &&
           (frame | ((1UL << order) - 1)) < b->end;
}

static inline void enter(struct buddy *b, uint64_t frame, unsigned order)
{
    bitset_add(&b->set[order], block_of(b, frame, order));
    b->orders |= 1u << order;
}

static inline void leave(struct buddy *b, uint64_t frame, unsigned order)
{
    if (bitset_remove(&b->set[order], block_of(b, frame, order)))
        b->orders &= ~(1u << order);
}

/* Any frame may be asked for: a block before the first one counts as one far behind the last. */
static inline bool has(const struct buddy *b, uint64_t frame, unsigned order)
{
    return bitset_has(&b->set[order], block_of(b, frame, order));
}

size_t buddy_meta_size(uint64_t frames)
{
    uint64_t n = 0;

    /* A range may begin and end in the middle of a block: one block more than its length. */
    for (unsigned k = 0; k < BUDDY_ORDERS; k++)
        n += bitset_words((frames >> k) + 2);
    return n * sizeof(uint64_t);
}

void buddy_init(struct buddy *b, void *meta, uint64_t first_frame, uint64_t frames)
{
    uint64_t *mem = meta;

    b->first = first_frame;
    b->end = first_frame + frames;
    b->free_frames = 0;
    b->orders = 0;
    for (unsigned k = 0; k < BUDDY_ORDERS; k++)
        mem = bitset_init(&b->set[k], mem, block_of(b, b->end, k) + 1);
}

/* The free block that contains the frame: its order, or -1. */
static int covering(const struct buddy *b, uint64_t frame, unsigned order)
{
    for (unsigned k = order; k < BUDDY_ORDERS; k++)
        if (has(b, frame, k))
            return (int)k;
    return -1;
}

bool buddy_is_free(const struct buddy *b, uint64_t frame, unsigned order)
{
    /* By B2 a block that is free as a whole is one free block or within one. */
    return is_block(b, frame, order) && covering(b, frame, order) >= 0;
}

bool buddy_any_free(const struct buddy *b, uint64_t frame, unsigned order)
{
    if (covering(b, frame, order) >= 0)
        return true;
    for (unsigned k = 0; k < order; k++) {
        uint64_t block = bitset_next(&b->set[k], block_of(b, frame, k));

        if (block != NONE && frame_of(b, block, k) < frame + (1UL << order))
            return true;
    }
    return false;
}

static void join(struct buddy *b, uint64_t frame, unsigned order)
{
    b->free_frames += 1UL << order;
    for (; order + 1 < BUDDY_ORDERS; order++) {
        uint64_t other = frame ^ 1UL << order;

        if (!has(b, other, order))
            break;
        leave(b, other, order);
        frame &= ~(1UL << order);
    }
    enter(b, frame, order);
}

/* The largest order of which a block can begin at `frame` and end by `end`. */
static unsigned fitting(uint64_t frame, uint64_t end)
{
    unsigned order = frame ? (unsigned)__builtin_ctzl(frame) : BUDDY_ORDERS - 1;
    unsigned most = 63 - (unsigned)__builtin_clzl(end - frame);

    return (unsigned)min_of(min_of(order, most), BUDDY_ORDERS - 1);
}

int buddy_add(struct buddy *b, uint64_t first, uint64_t frames)
{
    uint64_t end = first + frames;

    if (end < first || first < b->first || end > b->end)
        return -L4_EINVAL;
    for (uint64_t f = first; f < end; f += 1UL << fitting(f, end))
        if (buddy_any_free(b, f, fitting(f, end)))
            return -L4_EINVAL;
    while (first < end) {
        unsigned order = fitting(first, end);

        join(b, first, order);
        first += 1UL << order;
    }
    return 0;
}

/* Cut the free block of order `from` that contains `frame` until `frame` has its own block of
 * `order`; that one is now in use, the halves that were cut off are free. */
static void cut(struct buddy *b, uint64_t frame, unsigned from, unsigned order)
{
    leave(b, frame, from);
    while (from-- > order)
        enter(b, round_down(frame, from) ^ 1UL << from, from);
    b->free_frames -= 1UL << order;
}

int64_t buddy_alloc(struct buddy *b, unsigned order)
{
    uint32_t orders;
    unsigned from;
    uint64_t frame;

    if (order >= BUDDY_ORDERS)
        return -L4_EINVAL;
    orders = b->orders >> order;
    if (!orders)
        return -L4_ENOMEM;
    from = order + (unsigned)__builtin_ctz(orders);
    frame = frame_of(b, bitset_next(&b->set[from], 0), from);
    cut(b, frame, from, order);
    return (int64_t)frame;
}

/* ---- runs: any number of frames ---- */

/* Are all frames of [first, end) free? A look at each block that they are made of. */
static bool run_is_free(const struct buddy *b, uint64_t first, uint64_t end)
{
    while (first < end) {
        unsigned order = fitting(first, end);

        if (covering(b, first, order) < 0)
            return false;
        first += 1UL << order;
    }
    return true;
}

static void run_take(struct buddy *b, uint64_t first, uint64_t end)
{
    while (first < end) {
        unsigned order = fitting(first, end);

        cut(b, first, (unsigned)covering(b, first, order), order);
        first += 1UL << order;
    }
}

/*
 * The lowest place in a free block of order k, or beginning in one, where the run fits. At most
 * *tries blocks are looked at; `step` is an order.
 */
static int64_t run_find(const struct buddy *b, unsigned k, uint64_t frames, unsigned step,
                        uint64_t lo, uint64_t hi, unsigned *tries)
{
    uint64_t block = bitset_next(&b->set[k], block_of(b, lo, k));

    for (; block != NONE && *tries > 0; block = bitset_next(&b->set[k], block + 1), --*tries) {
        uint64_t frame = frame_of(b, block, k);
        uint64_t at = round_up(max_of(frame, lo), step);

        if (frame >= hi)
            break;
        if (at < frame + (1UL << k) && at + frames <= hi && run_is_free(b, at, at + frames))
            return (int64_t)at;
    }
    return -L4_ENOMEM;
}

int64_t buddy_alloc_run(struct buddy *b, uint64_t frames, unsigned align, uint64_t lo, uint64_t hi)
{
    unsigned own = frames ? 63 - (unsigned)__builtin_clzl(frames) : 0;
    unsigned from = (unsigned)min_of(own, BUDDY_ORDERS - 1);
    unsigned step = (unsigned)max_of(align, from);
    unsigned sure = step + (step == from && frames > 1UL << from);
    unsigned tries = BUDDY_RUN_TRIES;
    int64_t at = -L4_ENOMEM;

    if (frames == 0 || align > BUDDY_ALIGN_MAX)
        return -L4_EINVAL;
    lo = max_of(lo, b->first);
    hi = min_of(hi, b->end);
    if (lo >= hi || frames > hi - lo)
        return -L4_ENOMEM;
    /* Blocks of which each will do, small ones first; then those that may only begin a run. */
    for (unsigned k = sure; k < BUDDY_ORDERS && at < 0; k++)
        at = run_find(b, k, frames, step, lo, hi, &tries);
    for (unsigned k = from; k < min_of(sure, BUDDY_ORDERS) && at < 0; k++)
        at = run_find(b, k, frames, step, lo, hi, &tries);
    if (at >= 0)
        run_take(b, (uint64_t)at, (uint64_t)at + frames);
    return at;
}

int buddy_alloc_at(struct buddy *b, uint64_t frame, unsigned order)
{
    int from;

    if (!is_block(b, frame, order))
        return -L4_EINVAL;
    from = covering(b, frame, order);
    if (from < 0)
        return -L4_ENOMEM;
    cut(b, frame, (unsigned)from, order);
    return 0;
}

void buddy_give_back(struct buddy *b, uint64_t frame, unsigned order)
{
    join(b, frame, order);
}

int buddy_free(struct buddy *b, uint64_t frame, unsigned order)
{
    if (!is_block(b, frame, order) || buddy_any_free(b, frame, order))
        return -L4_EINVAL;
    join(b, frame, order);
    return 0;
}

int buddy_largest(const struct buddy *b)
{
    return b->orders ? 31 - __builtin_clz(b->orders) : -1;
}

uint64_t buddy_next_free(const struct buddy *b, uint64_t frame, unsigned *order)
{
    uint64_t best = NONE;

    frame = min_of(max_of(frame, b->first), b->end);
    for (unsigned k = 0; k < BUDDY_ORDERS; k++) {
        uint64_t block = bitset_next(&b->set[k], block_of(b, frame + (1UL << k) - 1, k));

        if (block != NONE && frame_of(b, block, k) < best) {
            best = frame_of(b, block, k);
            *order = k;
        }
    }
    return best;
}

/* B3 for one set. */
static bool bitset_ok(const struct bitset *s)
{
    for (unsigned l = 0; l + 1 < s->depth; l++)
        for (uint64_t *w = s->level[l]; w < s->level[l + 1]; w++) {
            uint64_t i = (uint64_t)(w - s->level[l]);

            if ((*w != 0) != (s->level[l + 1][i / 64] >> (i % 64) & 1))
                return false;
        }
    return true;
}

bool buddy_ok(const struct buddy *b)
{
    uint64_t free = 0;

    for (unsigned k = 0; k < BUDDY_ORDERS; k++) {
        const struct bitset *s = &b->set[k];

        if (!bitset_ok(s) || (bitset_next(s, 0) != NONE) != (b->orders >> k & 1))
            return false;
        for (uint64_t i = bitset_next(s, 0); i != NONE; i = bitset_next(s, i + 1)) {
            uint64_t frame = frame_of(b, i, k);

            free += 1UL << k;
            if (!is_block(b, frame, k) || covering(b, frame, k + 1) >= 0)
                return false; /* B1 */
            if (k + 1 < BUDDY_ORDERS && has(b, frame ^ 1UL << k, k))
                return false; /* B2 */
        }
    }
    return free == b->free_frames;
}
