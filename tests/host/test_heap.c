/*
 * test_heap.c - the heap on memory that is counted
 */
#include "test.h"

#include "../../libl4/src/heap.h"
#include "../traces/replay.h"

enum { KEPT_MAX = 512 };

static void *kept[KEPT_MAX]; /* spans given out; runs keep theirs until give_back() */
static unsigned kept_count;
static size_t bytes_out, bytes_limit = (size_t)-1;

static void *span_get(size_t size, unsigned long *handle)
{
    void *p;

    if (bytes_out + size > bytes_limit)
        return NULL;
    p = aligned_alloc(HEAP_RUN, (size + HEAP_RUN - 1) & ~(size_t)(HEAP_RUN - 1));
    memset(p, 0, size);
    *handle = size ^ 0x5a5a;
    CHECK(kept_count < KEPT_MAX);
    kept[kept_count++] = p;
    bytes_out += size;
    return p;
}

static void span_put(void *base, size_t size, unsigned long handle)
{
    unsigned i = 0;

    CHECK(handle == (size ^ 0x5a5a));
    while (i < kept_count && kept[i] != base)
        i++;
    CHECK(i < kept_count);
    kept[i] = kept[--kept_count];
    bytes_out -= size;
    free(base);
}

static const struct heap_source source = {span_get, span_put};

static void give_back(struct heap *h)
{
    CHECK(h->blocks == 0);
    while (kept_count > 0)
        free(kept[--kept_count]);
    bytes_out = 0;
}

struct block {
    unsigned char *p;
    size_t size;
    unsigned char mark;
};

static int block_ok(const struct block *b)
{
    size_t i;

    for (i = 0; i < b->size; i++) {
        if (b->p[i] != b->mark)
            return 0;
    }
    return 1;
}

static void random_blocks(int check)
{
    enum { BLOCKS = 300, ROUNDS = 30000 };
    static struct block blocks[BLOCKS];
    struct heap h = {.source = &source, .check = check};
    unsigned round, i;

    memset(blocks, 0, sizeof(blocks));
    for (round = 0; round < ROUNDS; round++) {
        struct block *b = &blocks[random_bits() % BLOCKS];
        size_t align = 16UL << (random_bits() % 16 == 0 ? random_bits() % 10 : 0);
        unsigned order = (unsigned)(random_bits() % 17);

        if (b->p) {
            CHECK(block_ok(b));
            CHECK(heap_free(&h, b->p) == 0);
            b->p = NULL;
            continue;
        }
        b->size = random_bits() % ((1UL << order) + 1);
        b->mark = (unsigned char)random_bits();
        b->p = heap_alloc(&h, b->size, align, NULL);
        CHECK(b->p && (uintptr_t)b->p % align == 0);
        CHECK(heap_usable(b->p) >= b->size);
        memset(b->p, b->mark, b->size);
    }
    for (i = 0; i < BLOCKS; i++) {
        if (blocks[i].p)
            CHECK(block_ok(&blocks[i]) && heap_free(&h, blocks[i].p) == 0);
    }
    give_back(&h);
}

TEST(blocks_never_overlap_and_keep_their_contents)
{
    random_blocks(0);
}

TEST(nor_do_they_with_check_which_finds_nothing)
{
    random_blocks(1);
}

TEST(spans_that_are_all_free_go_back)
{
    enum { BLOCKS = 40000, SIZE = 200 };
    static void *p[BLOCKS];
    struct heap h = {.source = &source};

    for (unsigned i = 0; i < BLOCKS; i++)
        CHECK((p[i] = heap_alloc(&h, SIZE, 16, NULL)) != NULL);
    CHECK(bytes_out > (size_t)BLOCKS * SIZE);
    for (unsigned i = 0; i < BLOCKS; i++)
        CHECK(heap_free(&h, p[i]) == 0);
    CHECK(bytes_out <= (size_t)BLOCKS * SIZE / 4 && h.bytes_from_source == bytes_out);
    CHECK((p[0] = heap_alloc(&h, 5000, 16, NULL)) != NULL);
    CHECK(heap_free(&h, p[0]) == 0);
    give_back(&h);
}

TEST(check_finds_what_is_written_behind_a_block)
{
    static const size_t sizes[] = {1, 16, 24, 4000, 40000, 200000};
    struct heap h = {.source = &source, .check = 1};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *p = heap_alloc(&h, sizes[i], 16, NULL);
        char was = p[sizes[i]];

        CHECK(heap_usable(p) == sizes[i]);
        p[sizes[i]] = (char)(was + 1);
        CHECK(heap_free(&h, p) == HEAP_OVERFLOWN);
        p[sizes[i]] = was;
        CHECK(heap_free(&h, p) == 0);
    }
    give_back(&h);
}

TEST(check_finds_what_is_written_in_front_of_a_block)
{
    static const size_t sizes[] = {1, 24, 4000, 40000}, aligns[] = {16, 32, 64, 4096, 32768};
    struct heap h = {.source = &source, .check = 1};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]) * 5; i++) {
        char *p = heap_alloc(&h, sizes[i / 5], aligns[i % 5], NULL);

        for (int at = 1; at <= 16; at += 15) {
            p[-at] = (char)(p[-at] + 1);
            CHECK(heap_free(&h, p) == HEAP_UNDERFLOWN);
            p[-at] = (char)(p[-at] - 1);
        }
        CHECK(heap_free(&h, p) == 0);
    }
    give_back(&h);
}

/* An address in a block is none of a block, whatever room there is behind what was asked for. */
TEST(check_takes_no_address_but_the_one_it_gave)
{
    static const size_t aligns[] = {16, 64, 4096};
    struct heap h = {.source = &source, .check = 1};

    for (unsigned i = 0; i < 6; i++) {
        char *p = heap_alloc(&h, i < 3 ? 1300 : 70000, aligns[i % 3], NULL);

        for (int at = -16; at <= 160; at += 16)
            CHECK(at == 0 || heap_free(&h, p + at) == HEAP_NO_BLOCK);
        CHECK(heap_free(&h, p) == 0);
        CHECK(i >= 3 || heap_free(&h, p + 16) == HEAP_NO_BLOCK);
    }
    give_back(&h);
}

TEST(check_finds_a_block_freed_twice_and_one_written_to_when_free)
{
    struct heap h = {.source = &source, .check = 1};
    char *a = heap_alloc(&h, 100, 16, NULL), *b = heap_alloc(&h, 100, 16, NULL);

    CHECK(heap_free(&h, a) == 0 && heap_free(&h, b) == 0);
    CHECK(heap_free(&h, a) == HEAP_FREED_TWICE);
    CHECK(!h.damaged);
    a[50] = 1;
    CHECK(heap_alloc(&h, 100, 16, NULL) == b && !h.damaged);
    CHECK(heap_alloc(&h, 100, 16, NULL) == a && h.damaged == a);
    CHECK(heap_free(&h, a) == 0 && heap_free(&h, b) == 0);
    give_back(&h);
}

TEST(memory_is_used_again)
{
    struct heap h = {.source = &source};
    void *p[2000];
    size_t before;
    unsigned i, round;

    for (i = 0; i < 2000; i++)
        p[i] = heap_alloc(&h, 100, 16, NULL);
    before = bytes_out;
    for (round = 0; round < 20; round++) {
        for (i = 0; i < 2000; i++)
            CHECK(heap_free(&h, p[i]) == 0);
        for (i = 0; i < 2000; i++)
            CHECK((p[i] = heap_alloc(&h, 80 + round, 16, NULL)) != NULL);
    }
    CHECK(bytes_out <= before + 8 * HEAP_RUN); /* at most one more span */
    for (i = 0; i < 2000; i++)
        CHECK(heap_free(&h, p[i]) == 0);
    give_back(&h);
}

TEST(wrong_pointers_are_refused)
{
    struct heap h = {.source = &source};
    char *p = heap_alloc(&h, 100, 16, NULL);

    CHECK(heap_free(&h, p + 1) == -1);
    CHECK(heap_free(&h, p + 8192) == -1);
    CHECK(heap_free(&h, p) == 0);
    CHECK(heap_free(&h, p) == -1);
    give_back(&h);
}

TEST(large_blocks_come_zeroed_and_go_back)
{
    struct heap h = {.source = &source};
    int zeroed = 0;
    char *p = heap_alloc(&h, 1000001, 4096, &zeroed);
    size_t i;

    CHECK(p && zeroed && (uintptr_t)p % 4096 == 0 && kept_count == 1);
    for (i = 0; i < 1000001; i++)
        CHECK(p[i] == 0);
    CHECK(heap_free(&h, p) == 0);
    CHECK(kept_count == 0 && h.bytes_from_source == 0);
    give_back(&h);
}

TEST(an_exhausted_source_is_an_error_and_no_more)
{
    struct heap h = {.source = &source};
    void *p[4096];
    unsigned n = 0, i;

    bytes_limit = 6 * HEAP_RUN;
    while ((p[n] = heap_alloc(&h, 1000, 16, NULL)) != NULL)
        n++;
    CHECK(n > 5 * HEAP_RUN / 1024);
    CHECK(heap_alloc(&h, 100000, 16, NULL) == NULL);
    CHECK(heap_alloc(&h, (size_t)-1, 16, NULL) == NULL);
    CHECK(heap_alloc(&h, (size_t)-8, 32, NULL) == NULL);
    for (i = 0; i < n; i++)
        CHECK(heap_free(&h, p[i]) == 0);
    CHECK((p[0] = heap_alloc(&h, 30000, 16, NULL)) != NULL);
    CHECK(heap_free(&h, p[0]) == 0);
    bytes_limit = (size_t)-1;
    give_back(&h);
}

/* ---- what real programs ask for ---- */

static struct heap played;

static void *played_get(size_t size)
{
    return heap_alloc(&played, size, 16, NULL);
}

static void played_put(void *p)
{
    CHECK(heap_free(&played, p) == 0);
}

/* As malloc.c does it. */
static void *played_change(void *p, size_t size)
{
    size_t usable = heap_usable(p);
    void *q;

    if (size <= usable && size >= usable / 2)
        return p;
    q = played_get(size);
    memcpy(q, p, size < usable ? size : usable);
    played_put(p);
    return q;
}

static void play(const unsigned char *at, const unsigned char *end)
{
    struct replay r = {.get = played_get, .put = played_put, .change = played_change};

    for (int check = 0; check < 2; check++) {
        played = (struct heap){.source = &source, .check = check};
        CHECK(replay(&r, at, end) == 0);
        CHECK(r.calls > 3000 && r.wrong == 0 && !played.damaged);
        give_back(&played);
    }
}

TEST(real_programs_find_in_their_blocks_what_they_wrote)
{
    play(trace_python, trace_python_end);
    play(trace_git, trace_git_end);
    play(trace_perl, trace_perl_end);
}

static void no_leaks(void)
{
    CHECK(kept_count == 0);
}

#define TESTS(X)                                                                                  \
    X(blocks_never_overlap_and_keep_their_contents)                                               \
    X(nor_do_they_with_check_which_finds_nothing)                                                 \
    X(spans_that_are_all_free_go_back)                                                            \
    X(check_finds_what_is_written_behind_a_block)                                                 \
    X(check_finds_what_is_written_in_front_of_a_block)                                            \
    X(check_takes_no_address_but_the_one_it_gave)                                                 \
    X(check_finds_a_block_freed_twice_and_one_written_to_when_free)                               \
    X(memory_is_used_again)                                                                       \
    X(wrong_pointers_are_refused)                                                                 \
    X(large_blocks_come_zeroed_and_go_back)                                                       \
    X(real_programs_find_in_their_blocks_what_they_wrote)                                         \
    X(an_exhausted_source_is_an_error_and_no_more)

TEST_MAIN(no_leaks, TESTS)
