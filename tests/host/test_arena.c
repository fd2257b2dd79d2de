/*
 * test_arena.c - blocks in memory that is present already
 */
#include "test.h"

#include "../../libl4/src/arena.h"

static unsigned char memory[2][65536] __attribute__((aligned(16)));
static struct arenas arenas;

static void fresh(unsigned n, size_t size)
{
    memset(memory[n], 0x5a, sizeof(memory[n]));
    arena_open(&arenas, memory[n], size, 70 + n);
}

static void release(void *p)
{
    struct arena *done;

    CHECK(arena_free(&arenas, p, &done) == 0 && !done);
}

/* Whatever the sizes: what fits is the sum of the blocks and their headers. */
TEST(blocks_fit_to_the_last_byte_and_do_not_overlap)
{
    enum { BLOCKS = 400 };
    static unsigned char *p[BLOCKS];
    static size_t size[BLOCKS];

    for (unsigned round = 0; round < 50; round++) {
        size_t promised = sizeof(memory[0]) - ARENA_HEADER;
        unsigned n = 0;

        fresh(0, sizeof(memory[0]));
        CHECK(arena_left(&arenas) == promised);
        while (n < BLOCKS) {
            size_t want = random_bits() % (1UL << random_bits() % 14);
            size_t need = ((want ? want : 1) + 15) / 16 * 16 + ARENA_BLOCK_HEADER;

            p[n] = arena_alloc(&arenas, want, 16);
            CHECK(!p[n] == (need > promised));
            if (!p[n])
                break;
            CHECK((uintptr_t)p[n] % 16 == 0 && arena_usable(&arenas, p[n]) >= want);
            promised -= need;
            size[n] = arena_usable(&arenas, p[n]);
            memset(p[n], (int)n, size[n]);
            n++;
        }
        for (unsigned i = 0; i < n; i++)
            for (size_t at = 0; at < size[i]; at++)
                CHECK(p[i][at] == (unsigned char)i);
        for (unsigned i = n; i-- > 0;)
            release(p[(i + round) % n]);
        CHECK(arena_left(&arenas) == sizeof(memory[0]) - ARENA_HEADER);
        CHECK(arena_close(&arenas) == (struct arena *)memory[0]);
    }
}

TEST(alignments_are_kept_and_cost_what_they_skip)
{
    fresh(0, sizeof(memory[0]));
    for (size_t align = 16; align <= 16384; align *= 2) {
        void *p = arena_alloc(&arenas, 40, align);

        CHECK(p && (uintptr_t)p % align == 0);
        release(p);
    }
    CHECK(!arena_alloc(&arenas, 1, 1UL << 20));
    CHECK(!arena_alloc(&arenas, (size_t)-1, 16) && !arena_alloc(&arenas, (size_t)-16, 16));
    CHECK(!arena_alloc(&arenas, 1, 1UL << 63));
    CHECK(arena_close(&arenas) == (struct arena *)memory[0]);
}

TEST(a_closed_arena_goes_with_its_last_block)
{
    struct arena *done;
    void *p[3], *q;

    fresh(0, 4096);
    for (unsigned i = 0; i < 3; i++)
        p[i] = arena_alloc(&arenas, 100, 16);
    CHECK(!arena_close(&arenas) && !arena_alloc(&arenas, 1, 16) && arena_left(&arenas) == 0);
    fresh(1, 8192);
    q = arena_alloc(&arenas, 100, 16);
    CHECK((unsigned char *)q > memory[1] && arena_usable(&arenas, p[1]) == 112);
    release(p[1]);
    release(p[0]);
    CHECK(arena_free(&arenas, p[2], &done) == 0 && done == (struct arena *)memory[0] &&
          done->handle == 70 && done->size == 4096);
    CHECK(arena_free(&arenas, p[2], &done) == 1 && arena_usable(&arenas, p[2]) == 0);
    release(q);
    CHECK(arena_close(&arenas) == (struct arena *)memory[1] && !arenas.first);
}

TEST(room_behind_the_last_block_is_used_again)
{
    void *a, *b, *c;

    fresh(0, 4096);
    a = arena_alloc(&arenas, 1000, 16);
    b = arena_alloc(&arenas, 1000, 16);
    release(b);
    c = arena_alloc(&arenas, 2000, 16);
    CHECK(c == b);
    release(a);
    CHECK(!arena_alloc(&arenas, 2000, 16));
    release(c);
    CHECK((b = arena_alloc(&arenas, 4000, 16)) == a);
    release(b);
    arena_close(&arenas);
}

TEST(what_is_no_block_in_use_is_refused)
{
    struct arena *done;
    char *a, *b;

    fresh(0, 4096);
    a = arena_alloc(&arenas, 100, 16);
    b = arena_alloc(&arenas, 100, 16);
    for (int at = -64; at <= 112; at++)
        CHECK(at == 0 || arena_free(&arenas, a + at, &done) == (a + at < (char *)memory ? 1 : -1));
    CHECK(arena_free(&arenas, &done, &done) == 1 && arena_free(&arenas, NULL, &done) == 1);
    a[112] = 1; /* behind its end */
    CHECK(arena_free(&arenas, b, &done) == -1);
    a[112] = (char)((uintptr_t)b ^ 0x03); /* the lowest byte of the mark as it was */
    release(a);
    CHECK(arena_free(&arenas, a, &done) == -1);
    release(b);
    CHECK(arena_close(&arenas));
}

static void no_leaks(void)
{
    CHECK(!arenas.first && !arenas.open);
}

#define TESTS(X)                                                                                  \
    X(blocks_fit_to_the_last_byte_and_do_not_overlap)                                             \
    X(alignments_are_kept_and_cost_what_they_skip)                                                \
    X(a_closed_arena_goes_with_its_last_block)                                                    \
    X(room_behind_the_last_block_is_used_again)                                                   \
    X(what_is_no_block_in_use_is_refused)

TEST_MAIN(no_leaks, TESTS)
