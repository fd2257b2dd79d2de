/*
 * test_buddy.c - the buddy allocator against an array of frames, and through all its states
 */
#include <abi/errors.h>
#include <common/buddy.h>

#include "test.h"

enum { FRAMES_MAX = 4096 };

static void *meta;
static struct buddy buddy;

static void start(uint64_t first, uint64_t frames)
{
    size_t size = buddy_meta_size(frames);

    meta = malloc(size);
    memset(meta, 0xa5, size);
    buddy_init(&buddy, meta, first, frames);
    CHECK(buddy_ok(&buddy) && buddy_free_frames(&buddy) == 0 && buddy_largest(&buddy) == -1);
}

static void stop(void)
{
    free(meta);
    meta = NULL;
}

static void leaks(void)
{
    CHECK(!meta);
}

/* ---- the model: which frames are free ---- */

static bool is_free[FRAMES_MAX];
static uint64_t model_first, model_frames;

static bool model_all(uint64_t frame, unsigned order, bool value)
{
    if (frame < model_first || frame % (1UL << order) ||
        frame + (1UL << order) > model_first + model_frames)
        return false;
    for (uint64_t i = 0; i < 1UL << order; i++)
        if (is_free[frame - model_first + i] != value)
            return false;
    return true;
}

static void model_set(uint64_t frame, unsigned order, bool value)
{
    for (uint64_t i = 0; i < 1UL << order; i++)
        is_free[frame - model_first + i] = value;
}

/* Order of the largest free block that contains a free frame. */
static unsigned model_block(uint64_t frame)
{
    unsigned order = 0;

    while (order + 1 < BUDDY_ORDERS &&
           model_all(frame >> (order + 1) << (order + 1), order + 1, true))
        order++;
    return order;
}

static void compare(void)
{
    uint64_t free_frames = 0;
    int largest = -1;

    CHECK(buddy_ok(&buddy));
    for (uint64_t f = model_first; f < model_first + model_frames; f++) {
        unsigned block;

        CHECK(buddy_is_free(&buddy, f, 0) == is_free[f - model_first]);
        if (!is_free[f - model_first])
            continue;
        free_frames++;
        block = model_block(f);
        largest = (int)block > largest ? (int)block : largest;
    }
    CHECK(free_frames == buddy_free_frames(&buddy) && largest == buddy_largest(&buddy));
}

/* Where an allocation in [lo, hi) has to be: in the smallest block that will do, the lowest. */
static int64_t model_alloc(unsigned order, uint64_t lo, uint64_t hi)
{
    int64_t best = -L4_ENOMEM;
    unsigned best_block = BUDDY_ORDERS;

    for (uint64_t f = model_first >> order << order; f < model_first + model_frames;
         f += 1UL << order)
        if (f >= lo && f + (1UL << order) <= hi && model_all(f, order, true) &&
            model_block(f) < best_block) {
            best = (int64_t)f;
            best_block = model_block(f);
        }
    return best;
}

static void step_alloc(void)
{
    unsigned order = (unsigned)random_below(7);
    uint64_t lo = model_first + random_below(model_frames + 1);
    uint64_t hi = lo + random_below(model_frames);
    bool range = random_below(2);
    int64_t expected = range ? model_alloc(order, lo, hi) : model_alloc(order, 0, ~0UL);
    int64_t frame = range ? buddy_alloc_range(&buddy, order, lo, hi) : buddy_alloc(&buddy, order);

    CHECK(frame == expected);
    if (frame >= 0)
        model_set((uint64_t)frame, order, false);
}

static void step_at(void)
{
    unsigned order = (unsigned)random_below(8);
    uint64_t frame = model_first - 2 + random_below(model_frames + 4);
    bool inside = frame % (1UL << order) == 0 && frame >= model_first &&
                  frame + (1UL << order) <= model_first + model_frames;

    if (random_below(2)) {
        int err = buddy_alloc_at(&buddy, frame, order);

        if (!inside)
            CHECK(err == -L4_EINVAL);
        else
            CHECK(err == (model_all(frame, order, true) ? 0 : -L4_ENOMEM));
        if (!err)
            model_set(frame, order, false);
    } else {
        int err = buddy_free(&buddy, frame, order);

        CHECK(err == (model_all(frame, order, false) ? 0 : -L4_EINVAL));
        if (!err)
            model_set(frame, order, true);
    }
}

static void step_add(void)
{
    uint64_t first = model_first + random_below(model_frames);
    uint64_t frames = random_below(model_frames - (first - model_first) + 3);
    bool ok = first + frames <= model_first + model_frames;

    for (uint64_t f = first; ok && f < first + frames; f++)
        ok = !is_free[f - model_first];
    CHECK(buddy_add(&buddy, first, frames) == (ok ? 0 : -L4_EINVAL));
    for (uint64_t f = first; ok && f < first + frames; f++)
        is_free[f - model_first] = true;
}

static void step_next_free(void)
{
    uint64_t from = random_below(model_first + model_frames + 2), expected = ~0UL;
    unsigned order = 99;

    for (uint64_t f = from < model_first ? model_first : from; f < model_first + model_frames; f++)
        if (is_free[f - model_first] && f % (1UL << model_block(f)) == 0) {
            expected = f;
            break;
        }
    CHECK(buddy_next_free(&buddy, from, &order) == expected);
    if (expected != ~0UL)
        CHECK(order == model_block(expected));
}

TEST(random_operations_agree_with_an_array_of_frames)
{
    for (unsigned round = 0; round < 60; round++) {
        model_first = random_below(2) ? random_below(300) + 2 : 0;
        model_first = model_first ? model_first : 2;
        model_frames = 1 + random_below(round < 40 ? 200 : 700);
        memset(is_free, 0, sizeof(is_free));
        start(model_first, model_frames);
        for (unsigned i = 0; i < 400; i++) {
            switch (random_below(8)) {
            case 0:
            case 1:
                step_alloc();
                break;
            case 2:
                step_add();
                break;
            case 3:
                step_next_free();
                break;
            default:
                step_at();
            }
            if (i % 8 == 0)
                compare();
        }
        compare();
        stop();
    }
}

/*
 * All states of 16 frames: each block is free, in use as a whole, or two halves that are not
 * both free; a(0) = 2, a(k+1) = a(k)^2 + 1, so 458330. A depth-first walk makes each of them from
 * its neighbour by one operation and looks at the allocator's answer and invariants.
 */
enum { ALL_ORDER = 4 };
static uint64_t states;

struct undecided {
    unsigned frame, order;
};

static bool free_block[ALL_ORDER + 1][16]; /* the model: maximal free blocks */

static void visit(void)
{
    unsigned free_frames = 0;

    states++;
    for (unsigned k = 0; k <= ALL_ORDER; k++)
        for (unsigned f = 0; f < 16; f += 1u << k)
            free_frames += free_block[k][f] ? 1u << k : 0;
    CHECK(buddy_free_frames(&buddy) == free_frames);
    for (unsigned k = 0; k <= ALL_ORDER; k++)
        for (unsigned f = 0; f < 16; f += 1u << k)
            if (free_block[k][f]) {
                bool larger = k < ALL_ORDER && buddy_is_free(&buddy, f & ~((2u << k) - 1), k + 1);

                CHECK(buddy_is_free(&buddy, f, k) && !larger);
                CHECK(buddy_free(&buddy, f, k) == -L4_EINVAL);
            }
    if (states % 64 == 0)
        CHECK(buddy_ok(&buddy));
}

/* Every block before `stack` is decided; all frames of undecided blocks are free now. Each block
 * is in use as a whole, free as a whole (unless its buddy is), or cut in two. */
static void all_states(const struct undecided *todo, unsigned n)
{
    struct undecided b, rest[8];
    unsigned buddy_frame;

    if (!n) {
        visit();
        return;
    }
    b = todo[n - 1];
    memcpy(rest, todo, (n - 1) * sizeof(*todo));
    CHECK(buddy_alloc_at(&buddy, b.frame, b.order) == 0);
    all_states(rest, n - 1); /* in use as a whole */
    CHECK(buddy_alloc_at(&buddy, b.frame, b.order) == -L4_ENOMEM);
    CHECK(buddy_free(&buddy, b.frame, b.order) == 0);
    CHECK(buddy_free(&buddy, b.frame, b.order) == -L4_EINVAL);

    buddy_frame = b.frame ^ 1u << b.order;
    if (b.order == ALL_ORDER || b.frame < buddy_frame || !free_block[b.order][buddy_frame]) {
        free_block[b.order][b.frame] = true;
        all_states(rest, n - 1);
        free_block[b.order][b.frame] = false;
    }
    if (!b.order)
        return;
    /* The lower half is decided first: it is on top. */
    rest[n - 1] = (struct undecided){ b.frame + (1u << (b.order - 1)), b.order - 1 };
    rest[n] = (struct undecided){ b.frame, b.order - 1 };
    all_states(rest, n + 1);
}

TEST(all_458330_states_of_sixteen_frames_are_right)
{
    struct undecided all = { 0, ALL_ORDER };

    start(0, 16);
    CHECK(buddy_add(&buddy, 0, 16) == 0);
    states = 0;
    all_states(&all, 1);
    CHECK(states == 458330);
    CHECK(buddy_free_frames(&buddy) == 16 && buddy_largest(&buddy) == ALL_ORDER);
    stop();
}

TEST(memory_above_four_gibibytes_is_managed_like_any_other)
{
    uint64_t frames = 6UL << 18; /* 6 GiB, a hole below 4 GiB as on a PC */
    uint64_t hole = 0xc0000, above = 0x100000;

    start(0, frames + (above - hole));
    CHECK(buddy_add(&buddy, 0x100, hole - 0x100) == 0);
    CHECK(buddy_add(&buddy, above, frames - hole) == 0);
    CHECK(buddy_largest(&buddy) == 18);
    CHECK(buddy_alloc_range(&buddy, 18, above, ~0UL) == (int64_t)above);
    CHECK(buddy_alloc_range(&buddy, 0, hole, above) == -L4_ENOMEM);
    CHECK(buddy_alloc_range(&buddy, 9, hole - 512, ~0UL) == (int64_t)hole - 512);
    CHECK(buddy_free(&buddy, hole - 512, 9) == 0 && buddy_free(&buddy, above, 18) == 0);
    CHECK(buddy_free_frames(&buddy) == frames - 0x100 && buddy_ok(&buddy));
    stop();
}

TEST(a_tebibyte_costs_three_bits_a_frame_and_few_words_a_call)
{
    uint64_t frames = 1UL << 28;

    CHECK(buddy_meta_size(frames) * 8 < frames * 3);
    start(0, frames);
    CHECK(buddy_add(&buddy, 0, frames) == 0);
    for (unsigned i = 0; i < 200000; i++)
        CHECK(buddy_alloc(&buddy, 0) == i);
    CHECK(buddy_alloc_at(&buddy, frames - 1, 0) == 0);
    CHECK(buddy_alloc_range(&buddy, 0, frames - 2, frames) == (int64_t)frames - 2);
    CHECK(buddy_alloc_range(&buddy, 0, frames - 2, frames) == -L4_ENOMEM);
    for (unsigned i = 0; i < 200000; i++)
        CHECK(buddy_free(&buddy, 199999 - i, 0) == 0);
    CHECK(buddy_free(&buddy, frames - 2, 1) == 0);
    CHECK(buddy_free_frames(&buddy) == frames && buddy_ok(&buddy));
    stop();
}

TEST(a_range_may_begin_and_end_anywhere)
{
    for (uint64_t first = 0; first < 20; first++)
        for (uint64_t frames = 0; frames < 40; frames++) {
            uint64_t got = 0;

            start(first, frames);
            CHECK(buddy_add(&buddy, first, frames) == 0 && buddy_ok(&buddy));
            CHECK(buddy_add(&buddy, first, frames + 1) == -L4_EINVAL);
            while (buddy_alloc(&buddy, 0) >= 0)
                got++;
            CHECK(got == frames && buddy_ok(&buddy));
            stop();
        }
}

TEST(orders_that_do_not_exist_are_refused)
{
    start(0, 64);
    CHECK(buddy_add(&buddy, 0, 64) == 0);
    CHECK(buddy_alloc(&buddy, BUDDY_ORDERS) == -L4_EINVAL);
    CHECK(buddy_alloc_range(&buddy, 63, 0, ~0UL) == -L4_EINVAL);
    CHECK(buddy_alloc_at(&buddy, 0, 64) == -L4_EINVAL);
    CHECK(buddy_free(&buddy, 0, 255) == -L4_EINVAL);
    CHECK(buddy_alloc(&buddy, 7) == -L4_ENOMEM);
    stop();
}

#define TESTS(X)                                                                                  \
    X(random_operations_agree_with_an_array_of_frames)                                            \
    X(all_458330_states_of_sixteen_frames_are_right)                                              \
    X(memory_above_four_gibibytes_is_managed_like_any_other)                                      \
    X(a_tebibyte_costs_three_bits_a_frame_and_few_words_a_call)                                   \
    X(a_range_may_begin_and_end_anywhere)                                                         \
    X(orders_that_do_not_exist_are_refused)

TEST_MAIN(leaks, TESTS)
