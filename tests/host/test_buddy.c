/*
 * test_buddy.c - the buddy allocator against its specification, at odd places and sizes
 */
#include <abi/errors.h>
#include <common/buddy_spec.h>

#include "test.h"

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

static struct buddy_spec model;

static void compare(void)
{
    uint64_t free_frames = 0;
    int largest = -1;

    CHECK(buddy_ok(&buddy));
    for (uint64_t f = model.first; f < model.first + model.frames; f++) {
        bool free = model.free[f - model.first];
        int block = free ? (int)spec_buddy_block(&model, f) : -1;

        CHECK(buddy_is_free(&buddy, f, 0) == free);
        free_frames += free;
        largest = block > largest ? block : largest;
    }
    CHECK(free_frames == buddy_free_frames(&buddy) && largest == buddy_largest(&buddy));
}

static void step_alloc(void)
{
    unsigned order = (unsigned)random_below(7);
    uint64_t lo = model.first + random_below(model.frames + 1);
    uint64_t hi = lo + random_below(model.frames);

    if (random_below(2))
        CHECK(buddy_alloc_range(&buddy, order, lo, hi) ==
              spec_buddy_alloc(&model, order, lo, hi));
    else
        CHECK(buddy_alloc(&buddy, order) == spec_buddy_alloc(&model, order, 0, ~0UL));
}

static void step_at(void)
{
    unsigned order = (unsigned)random_below(8);
    uint64_t frame = model.first - 2 + random_below(model.frames + 4);

    if (random_below(2))
        CHECK(buddy_alloc_at(&buddy, frame, order) == spec_buddy_alloc_at(&model, frame, order));
    else
        CHECK(buddy_free(&buddy, frame, order) == spec_buddy_free(&model, frame, order));
}

static void step_add(void)
{
    uint64_t first = model.first + random_below(model.frames);
    uint64_t frames = random_below(model.frames - (first - model.first) + 3);

    CHECK(buddy_add(&buddy, first, frames) == spec_buddy_add(&model, first, frames));
}

static void step_next_free(void)
{
    uint64_t from = random_below(model.first + model.frames + 2);
    unsigned order = 99, expected = 99;

    CHECK(buddy_next_free(&buddy, from, &order) == spec_buddy_next_free(&model, from, &expected));
    CHECK(order == expected);
}

TEST(random_operations_agree_with_the_specification)
{
    for (unsigned round = 0; round < 60; round++) {
        model = (struct buddy_spec){.first = random_below(2) ? random_below(300) + 2 : 2};
        model.frames = 1 + random_below(round < 40 ? 200 : 700);
        start(model.first, model.frames);
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

/* Is [at, at + n) free, in [lo, hi), and at a place where a run of n may begin? */
static bool run_possible(uint64_t at, uint64_t n, unsigned align, uint64_t lo, uint64_t hi)
{
    uint64_t step = 1UL << align;

    while (2 * step <= n)
        step *= 2;
    if (at < lo || at + n > hi || at % step)
        return false;
    for (uint64_t f = at; f < at + n; f++)
        if (!buddy_is_free(&buddy, f, 0))
            return false;
    return true;
}

TEST(a_run_of_any_length_is_found_exactly_if_there_is_one)
{
    enum { FIRST = 5, FRAMES = 150, ROUNDS = 4000 };
    unsigned found = 0, refused = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t n = 1 + random_below(round % 3 ? 9 : 70), free_frames;
        uint64_t lo = random_below(3) ? 0 : random_below(FRAMES);
        uint64_t hi = random_below(3) ? ~0UL : lo + random_below(FRAMES);
        unsigned align = (unsigned)random_below(4);
        bool possible = false;
        int64_t at;

        start(FIRST, FRAMES);
        CHECK(buddy_add(&buddy, FIRST, FRAMES) == 0);
        for (uint64_t i = 0, used = random_below(20); i < used; i++)
            buddy_alloc_at(&buddy, FIRST + random_below(FRAMES), 0);
        free_frames = buddy_free_frames(&buddy);
        for (uint64_t f = FIRST; f < FIRST + FRAMES; f++)
            possible |= run_possible(f, n, align, lo, hi);
        at = buddy_alloc_run(&buddy, n, align, lo, hi);
        CHECK(possible == (at >= 0) && buddy_ok(&buddy));
        CHECK(buddy_free_frames(&buddy) == free_frames - (possible ? n : 0));
        CHECK(!possible || buddy_add(&buddy, (uint64_t)at, n) == 0);
        CHECK(!possible || run_possible((uint64_t)at, n, align, lo, hi));
        found += possible;
        refused += !possible;
        stop();
    }
    CHECK(found > ROUNDS / 4 && refused > ROUNDS / 8);
    start(0, 8);
    CHECK(buddy_alloc_run(&buddy, 0, 0, 0, 8) == -L4_EINVAL);
    CHECK(buddy_alloc_run(&buddy, 1, 52, 0, 8) == -L4_EINVAL);
    CHECK(buddy_alloc_run(&buddy, ~0UL, 51, 0, ~0UL) == -L4_ENOMEM);
    stop();
}

TEST(a_run_is_found_in_memory_that_is_used_for_a_long_way)
{
    enum { FRAMES = 1 << 20, AT = FRAMES - 6 };

    start(0, FRAMES);
    CHECK(buddy_add(&buddy, AT, 3) == 0);
    CHECK(buddy_alloc_run(&buddy, 4, 0, 0, ~0UL) == -L4_ENOMEM);
    CHECK(buddy_alloc_run(&buddy, 3, 0, 0, ~0UL) == AT);
    CHECK(buddy_free_frames(&buddy) == 0);
    stop();
}

TEST(orders_that_do_not_exist_are_refused)
{
    start(0, 64);
    CHECK(buddy_add(&buddy, 0, 64) == 0);
    CHECK(buddy_alloc(&buddy, BUDDY_ORDERS) == -L4_EINVAL);
    CHECK(buddy_alloc_range(&buddy, 63, 0, ~0UL) == -L4_EINVAL);
    CHECK(buddy_alloc_at(&buddy, 0, 64) == -L4_EINVAL);
    CHECK(buddy_free(&buddy, 0, 255) == -L4_EINVAL);
    CHECK(buddy_alloc_at(&buddy, 0, 0) == 0);
    CHECK(buddy_free(&buddy, 0, 64) == -L4_EINVAL && buddy_free(&buddy, 0, 0) == 0);
    CHECK(buddy_alloc(&buddy, 7) == -L4_ENOMEM);
    stop();
}

#define TESTS(X)                                                                                  \
    X(random_operations_agree_with_the_specification)                                            \
    X(memory_above_four_gibibytes_is_managed_like_any_other)                                      \
    X(a_tebibyte_costs_three_bits_a_frame_and_few_words_a_call)                                   \
    X(a_range_may_begin_and_end_anywhere)                                                         \
    X(a_run_of_any_length_is_found_exactly_if_there_is_one)                                       \
    X(a_run_is_found_in_memory_that_is_used_for_a_long_way)                                       \
    X(orders_that_do_not_exist_are_refused)

TEST_MAIN(leaks, TESTS)
