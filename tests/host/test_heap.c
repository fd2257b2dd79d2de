/*
 * test_heap.c - the heap on memory that is counted
 */
#include "test.h"

#include "../../libl4/src/heap.h"

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

TEST(blocks_never_overlap_and_keep_their_contents)
{
    enum { BLOCKS = 300, ROUNDS = 30000 };
    static struct block blocks[BLOCKS];
    struct heap h = {.source = &source};
    unsigned round, i;

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

static void no_leaks(void)
{
    CHECK(kept_count == 0);
}

#define TESTS(X)                                                                                  \
    X(blocks_never_overlap_and_keep_their_contents)                                               \
    X(memory_is_used_again)                                                                       \
    X(wrong_pointers_are_refused)                                                                 \
    X(large_blocks_come_zeroed_and_go_back)                                                       \
    X(an_exhausted_source_is_an_error_and_no_more)

TEST_MAIN(no_leaks, TESTS)
