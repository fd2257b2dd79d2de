/*
 * test_buddy.c - the buddy allocator against its specification, at odd places and sizes
 */
#include <abi/errors.h>
#include <common/buddy_spec.h>

#include "test.h"

static void *meta;
static struct buddy buddy;

/* Behind the metadata nothing is written. */
static void start(uint64_t first, uint64_t frames)
{
    static const unsigned char guard[64];
    size_t size = buddy_meta_size(frames);

    meta = malloc(size + sizeof(guard));
    memset(meta, 0xa5, size);
    memset((char *)meta + size, 0, sizeof(guard));
    buddy_init(&buddy, meta, first, frames);
    CHECK(!memcmp((char *)meta + size, guard, sizeof(guard)));
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
        CHECK(buddy_alloc_run(&buddy, 1UL << order, order, lo, hi) ==
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
    CHECK(buddy_alloc_run(&buddy, 1UL << 18, 0, above, ~0UL) == (int64_t)above);
    CHECK(buddy_alloc_run(&buddy, 1, 0, hole, above) == -L4_ENOMEM);
    CHECK(buddy_alloc_run(&buddy, 512, 0, hole - 512, ~0UL) == (int64_t)hole - 512);
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
    CHECK(buddy_alloc_run(&buddy, 1, 0, frames - 2, frames) == (int64_t)frames - 2);
    CHECK(buddy_alloc_run(&buddy, 1, 0, frames - 2, frames) == -L4_ENOMEM);
    for (unsigned i = 0; i < 200000; i++)
        CHECK(buddy_free(&buddy, 199999 - i, 0) == 0);
    CHECK(buddy_free(&buddy, frames - 2, 1) == 0);
    CHECK(buddy_free_frames(&buddy) == frames && buddy_ok(&buddy));
    stop();
}

static void whole_range(uint64_t first, uint64_t frames)
{
    uint64_t got = 0;

    start(first, frames);
    CHECK(buddy_add(&buddy, first, frames) == 0 && buddy_ok(&buddy));
    CHECK(buddy_add(&buddy, first, frames + 1) == -L4_EINVAL);
    CHECK(buddy_free_frames(&buddy) == frames);
    while (buddy_alloc(&buddy, 0) >= 0)
        got++;
    CHECK(got == frames && buddy_ok(&buddy));
    for (uint64_t f = first; f < first + frames; f++)
        CHECK(buddy_free(&buddy, f, 0) == 0);
    CHECK(buddy_ok(&buddy) && buddy_free_frames(&buddy) == frames);
    stop();
}

TEST(a_range_may_begin_and_end_anywhere)
{
    for (uint64_t first = 0; first < 20; first++)
        for (uint64_t frames = 0; frames < 40; frames++)
            whole_range(first, frames);
    for (uint64_t first = 0; first < 5; first++) /* where sets are just full */
        for (uint64_t frames = 60; frames < 260; frames++)
            whole_range(first, frames);
    whole_range(1, 4096);
    whole_range(3, 4097);
}

TEST(the_metadata_is_as_large_as_it_has_to_be)
{
    /* 19 orders, each with a block more than its length: how many words, and words above them */
    CHECK(buddy_meta_size(0) == 19 * 8 && buddy_meta_size(62) == 19 * 8);
    CHECK(buddy_meta_size(63) == (2 + 1 + 18) * 8);
    CHECK(buddy_meta_size(62 * 2) == (2 + 1 + 18) * 8);
    CHECK(buddy_meta_size(63 * 2) == (2 * (2 + 1) + 17) * 8);
    CHECK(buddy_meta_size(64 * 64 - 2) == (64 + 1 + 33 + 1 + 17 + 1 + 9 + 1 + 5 + 1 + 3 + 1 + 2 + 1
                                           + 12) * 8);
    CHECK(buddy_meta_size(64 * 64 - 1) == (65 + 2 + 1 + 33 + 1 + 17 + 1 + 9 + 1 + 5 + 1 + 3 + 1 + 2
                                           + 1 + 12) * 8);
}

TEST(frames_that_are_not_known_are_not_added)
{
    start(100, 50);
    CHECK(buddy_add(&buddy, 99, 2) == -L4_EINVAL && buddy_add(&buddy, 149, 2) == -L4_EINVAL);
    CHECK(buddy_add(&buddy, 120, ~0UL - 10) == -L4_EINVAL); /* it ends where it began, less */
    CHECK(buddy_add(&buddy, 0, 0) == -L4_EINVAL && buddy_add(&buddy, 150, 0) == 0);
    CHECK(buddy_free_frames(&buddy) == 0 && buddy_add(&buddy, 149, 1) == 0);
    stop();
}

/* Sets with two and three levels above them, nearly empty: what is first behind a place is found
 * from anywhere. */
TEST(a_few_frames_in_a_large_range_are_found_from_anywhere)
{
    enum { FRAMES = 1 << 20 };
    static const uint64_t place[] = {3, 4095, 4096, 262143, 262144, 524288, FRAMES - 1};
    unsigned order;

    start(0, FRAMES);
    for (unsigned i = 0; i < 7; i++)
        CHECK(buddy_add(&buddy, place[i], 1) == 0 && buddy_ok(&buddy));
    for (unsigned i = 0; i < 7; i++) {
        uint64_t from = i ? place[i - 1] + 1 : 0, f = place[i];
        unsigned log = f % 2 ? (unsigned)__builtin_ctzl(f + 1) - 1 : 0;

        log = log < BUDDY_ORDERS ? log : BUDDY_ORDERS - 1;
        CHECK(buddy_next_free(&buddy, from, &order) == f && order == 0);
        CHECK(buddy_next_free(&buddy, f, &order) == f && order == 0);
        CHECK(!buddy_any_free(&buddy, f + 1, 0) || i == 1 || i == 3);
        CHECK(buddy_any_free(&buddy, f >> log << log, log));
        CHECK(buddy_alloc_run(&buddy, 1, 0, from, f) == -L4_ENOMEM);
        CHECK(buddy_alloc_run(&buddy, 1, 0, from, f + 1) == (int64_t)f);
        CHECK(!buddy_any_free(&buddy, f >> log << log, log));
        CHECK(buddy_ok(&buddy) && buddy_free(&buddy, f, 0) == 0);
    }
    for (unsigned i = 0; i < 7; i++)
        CHECK(buddy_alloc(&buddy, 0) == (int64_t)place[i] && buddy_ok(&buddy));
    CHECK(buddy_next_free(&buddy, 0, &order) == ~0UL && buddy_largest(&buddy) == -1);
    CHECK(buddy_next_free(&buddy, ~0UL, &order) == ~0UL);
    stop();
}

/* log2 of the alignment of a run */
static unsigned run_step(uint64_t n, unsigned align)
{
    while (2UL << align <= n)
        align++;
    return align;
}

/* Is [at, at + n) free, in [lo, hi), and at a place where a run of n may begin? */
static bool run_possible(uint64_t at, uint64_t n, unsigned align, uint64_t lo, uint64_t hi)
{
    if (at < lo || at + n > hi || at + n > model.first + model.frames ||
        at % (1UL << run_step(n, align)))
        return false;
    for (uint64_t f = at; f < at + n; f++)
        if (!model.free[f - model.first])
            return false;
    return true;
}

/* Where the run has to be: in the smallest block that holds any such run, the lowest; if there is
 * none, in the smallest that it may begin in. */
static int64_t run_place(uint64_t n, unsigned align, uint64_t lo, uint64_t hi)
{
    unsigned sure = run_step(n, align) + (1UL << run_step(n, align) < n), least = ~0U;
    int64_t place = -L4_ENOMEM;

    for (uint64_t f = model.first; f < model.first + model.frames; f++)
        if (run_possible(f, n, align, lo, hi)) {
            unsigned order = spec_buddy_block(&model, f);

            order += order < sure ? BUDDY_ORDERS : 0;
            place = order < least ? (int64_t)f : place;
            least = order < least ? order : least;
        }
    return place;
}

static void one_run(uint64_t n, unsigned align, uint64_t lo, uint64_t hi, unsigned holes)
{
    int64_t wanted, at;
    uint64_t free_frames;

    CHECK(buddy_add(&buddy, model.first, model.frames) == 0);
    CHECK(spec_buddy_add(&model, model.first, model.frames) == 0);
    for (unsigned i = 0; i < holes; i++) {
        uint64_t f = model.first + random_below(model.frames);

        CHECK(buddy_alloc_at(&buddy, f, 0) == spec_buddy_alloc_at(&model, f, 0));
    }
    free_frames = buddy_free_frames(&buddy);
    wanted = run_place(n, align, lo, hi);
    at = buddy_alloc_run(&buddy, n, align, lo, hi);
    CHECK(at == wanted && buddy_ok(&buddy));
    CHECK(buddy_free_frames(&buddy) == free_frames - (at < 0 ? 0 : n));
    CHECK(at < 0 || buddy_add(&buddy, (uint64_t)at, n) == 0);
}

TEST(a_run_of_any_length_is_found_where_it_is_to_be_exactly_if_there_is_one)
{
    enum { FIRST = 5, FRAMES = 150, ROUNDS = 4000 };
    unsigned found = 0, refused = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t n = 1 + random_below(round % 3 ? 9 : 70);
        uint64_t lo = random_below(3) ? 0 : random_below(FRAMES);
        uint64_t hi = random_below(3) ? ~0UL : lo + random_below(FRAMES);

        model = (struct buddy_spec){.first = FIRST, .frames = FRAMES};
        start(FIRST, FRAMES);
        one_run(n, (unsigned)random_below(4), lo, hi, (unsigned)random_below(20));
        found += buddy_free_frames(&buddy) == FRAMES;
        refused += buddy_alloc_run(&buddy, n, 0, lo, hi) < 0;
        stop();
    }
    CHECK(found > ROUNDS / 64 && refused > ROUNDS / 8);
    start(0, 8);
    CHECK(buddy_add(&buddy, 0, 3) == 0);
    CHECK(buddy_alloc_run(&buddy, 3, 0, 0, 8) == 0 && buddy_free_frames(&buddy) == 0);
    CHECK(buddy_add(&buddy, 0, 4) == 0 && buddy_add(&buddy, 6, 2) == 0); /* the block that holds */
    CHECK(buddy_alloc_run(&buddy, 3, 0, 0, 8) == 0 && buddy_free(&buddy, 3, 0) == -L4_EINVAL);
    CHECK(buddy_free_frames(&buddy) == 3);
    CHECK(buddy_alloc_run(&buddy, 0, 0, 0, 8) == -L4_EINVAL);
    CHECK(buddy_alloc_run(&buddy, 1, 52, 0, 8) == -L4_EINVAL);
    CHECK(buddy_alloc_run(&buddy, 1, 51, 0, 8) == -L4_ENOMEM);
    CHECK(buddy_alloc_run(&buddy, ~0UL, 51, 0, ~0UL) == -L4_ENOMEM);
    stop();
}

/* A gigabyte and more: no block holds it, so it goes over the ends of several. */
TEST(a_run_may_be_longer_and_better_aligned_than_the_largest_block)
{
    enum { BLOCK = 1 << (BUDDY_ORDERS - 1) };

    start(BLOCK, 4UL * BLOCK);
    CHECK(buddy_add(&buddy, BLOCK, 4UL * BLOCK) == 0);
    CHECK(buddy_alloc_run(&buddy, 1, BUDDY_ORDERS, 0, ~0UL) == 2UL * BLOCK);
    CHECK(buddy_alloc_run(&buddy, 1, BUDDY_ORDERS + 2, 0, ~0UL) == -L4_ENOMEM);
    CHECK(buddy_free(&buddy, 2UL * BLOCK, 0) == 0);
    /* From the first frame it would fit below hi; from the next block it ends before it begins. */
    CHECK(buddy_alloc_run(&buddy, ~0UL - BLOCK, 0, 0, ~0UL) == -L4_ENOMEM);
    CHECK(buddy_alloc_run(&buddy, 3UL * BLOCK + 1, 0, 0, ~0UL) == BLOCK);
    CHECK(buddy_free_frames(&buddy) == BLOCK - 1 && buddy_ok(&buddy));
    stop();
}

/* A run of three may begin in each of so many blocks of two; behind the last there is a third
 * frame. A block that would do lies at the end of the range, where it does not count. */
static int64_t run_of_three(uint64_t blocks)
{
    uint64_t end = 4 * blocks;
    int64_t at;

    start(0, end + 4);
    for (uint64_t f = 0; f < end; f += 4)
        CHECK(buddy_add(&buddy, f, 2) == 0);
    CHECK(buddy_add(&buddy, end - 2, 1) == 0 && buddy_add(&buddy, end, 4) == 0);
    at = buddy_alloc_run(&buddy, 3, 0, 0, end);
    stop();
    return at;
}

TEST(a_search_for_a_run_ends_after_as_many_blocks_as_the_limit_says)
{
    CHECK(run_of_three(BUDDY_RUN_TRIES) == 4 * BUDDY_RUN_TRIES - 4);
    CHECK(run_of_three(BUDDY_RUN_TRIES + 1) == -L4_ENOMEM);
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
    CHECK(buddy_alloc_at(&buddy, 0, 64) == -L4_EINVAL);
    CHECK(buddy_free(&buddy, 0, 255) == -L4_EINVAL);
    CHECK(buddy_alloc_at(&buddy, 0, 0) == 0);
    CHECK(buddy_free(&buddy, 0, 64) == -L4_EINVAL && buddy_free(&buddy, 0, 0) == 0);
    CHECK(buddy_alloc(&buddy, 7) == -L4_ENOMEM);
    stop();
    start(0, 2UL << BUDDY_ORDERS); /* nor if there is room for such a block */
    CHECK(buddy_alloc_at(&buddy, 0, BUDDY_ORDERS) == -L4_EINVAL);
    CHECK(buddy_free(&buddy, 0, BUDDY_ORDERS) == -L4_EINVAL);
    CHECK(buddy_free(&buddy, 0, BUDDY_ORDERS - 1) == 0);
    stop();
}

TEST(what_is_no_block_is_not_free_and_behind_the_last_frame_is_nothing)
{
    unsigned order;

    start(0, 4090); /* 64 words, all that one word above can sum up */
    CHECK(buddy_add(&buddy, 0, 4) == 0);
    CHECK(buddy_is_free(&buddy, 0, 2) && buddy_is_free(&buddy, 2, 1));
    CHECK(!buddy_is_free(&buddy, 1, 1) && !buddy_is_free(&buddy, 0, 3));
    for (uint64_t f = 1; f < 4200; f++)
        CHECK(buddy_next_free(&buddy, f, &order) == ~0UL);
    stop();
}

/* ---- buddy_ok(): each mistake is one that it sees ---- */

#define WRONG(word, value)                                                                        \
    do {                                                                                          \
        __typeof__(word) old = word;                                                              \
        word = (__typeof__(word))(value);                                                         \
        CHECK(!buddy_ok(&buddy));                                                                 \
        word = old;                                                                               \
        CHECK(buddy_ok(&buddy));                                                                  \
    } while (0)

TEST(a_wrong_word_is_not_ok)
{
    start(0, 200);
    CHECK(buddy_add(&buddy, 4, 4) == 0 && buddy_add(&buddy, 130, 1) == 0);
    WRONG(buddy.free_frames, 4);
    WRONG(buddy.orders, 1);
    WRONG(buddy.orders, 1 | 2 | 4);
    WRONG(buddy.set[0].level[1][0], 0); /* a word that is not summed up */
    WRONG(buddy.set[0].level[1][0], 4 | 1);
    stop();
}

/* A free block of one frame more, in a set that is sound. */
static bool ok_with(uint64_t frame)
{
    bool ok;

    start(0, 200);
    CHECK(buddy_add(&buddy, 4, 4) == 0 && buddy_add(&buddy, 130, 1) == 0);
    buddy.set[0].level[0][frame / 64] |= 1UL << frame % 64;
    buddy.set[0].level[1][0] |= 1UL << frame / 64;
    buddy.free_frames++;
    ok = buddy_ok(&buddy);
    stop();
    return ok;
}

TEST(a_block_that_cannot_be_is_not_ok)
{
    CHECK(ok_with(128));
    CHECK(!ok_with(131)); /* its buddy is free (B2) */
    CHECK(!ok_with(5));   /* within a block that is free (B1) */
    CHECK(!ok_with(200)); /* not known */
}

#define TESTS(X)                                                                                  \
    X(random_operations_agree_with_the_specification)                                              \
    X(memory_above_four_gibibytes_is_managed_like_any_other)                                       \
    X(a_tebibyte_costs_three_bits_a_frame_and_few_words_a_call)                                    \
    X(a_range_may_begin_and_end_anywhere)                                                          \
    X(the_metadata_is_as_large_as_it_has_to_be)                                                    \
    X(frames_that_are_not_known_are_not_added)                                                     \
    X(a_few_frames_in_a_large_range_are_found_from_anywhere)                                       \
    X(a_run_of_any_length_is_found_where_it_is_to_be_exactly_if_there_is_one)                      \
    X(a_run_may_be_longer_and_better_aligned_than_the_largest_block)                               \
    X(a_search_for_a_run_ends_after_as_many_blocks_as_the_limit_says)                              \
    X(a_run_is_found_in_memory_that_is_used_for_a_long_way)                                        \
    X(orders_that_do_not_exist_are_refused)                                                        \
    X(what_is_no_block_is_not_free_and_behind_the_last_frame_is_nothing)                           \
    X(a_wrong_word_is_not_ok)                                                                      \
    X(a_block_that_cannot_be_is_not_ok)

TEST_MAIN(leaks, TESTS)
