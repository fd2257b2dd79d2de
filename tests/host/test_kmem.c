/*
 * test_kmem.c - the kernel's pool, quotas and slabs: everything comes back, nothing overlaps
 */
#include "kmem.h"

#include <common/buddy.h>

#include "test.h"

static struct quota quota;
static struct slab slab;
static uint64_t free_at_start;

static uint64_t free_now(void)
{
    uint64_t total, free, low;

    kmem_stats(&total, &free, &low);
    CHECK(free <= total && low <= free);
    return free;
}

static void start(size_t bytes)
{
    memset(host_pool, 0x5a, bytes + (1 << 16));
    kmem_init(host_pool, bytes);
    quota = (struct quota){ .limit = ~0UL };
    free_at_start = free_now();
    CHECK(kmem_ok());
}

static void leaks(void)
{
    kmem_fail_nth(0);
    CHECK(quota.used == 0 && free_now() == free_at_start && kmem_ok());
}

static bool is_zero(const void *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (((const char *)p)[i])
            return false;
    return true;
}

TEST(pages_are_zero_apart_and_all_come_back)
{
    static void *pages[1100];
    unsigned n = 0;

    start(4UL << 20);
    while ((pages[n] = kmem_page(&quota, KPAGE_PLAIN))) {
        CHECK(((uintptr_t)pages[n] & 4095) == 0 && is_zero(pages[n], 4096));
        memset(pages[n], 0xff, 4096);
        CHECK(kmem_desc(pages[n])->kind == KPAGE_PLAIN);
        n++;
    }
    CHECK(n * 4096UL == free_at_start && free_now() == 0 && quota.used == n * 4096UL);
    CHECK(n > 1010); /* descriptors and metadata are less than 1.5 % */
    while (n--)
        kmem_page_free(&quota, pages[n]);
}

TEST(contiguous_pages_are_aligned_to_their_size)
{
    start(4UL << 20);
    for (unsigned order = 0; order < 10; order++) {
        char *p = kmem_pages(&quota, order, KPAGE_PLAIN);

        CHECK(p && ((uintptr_t)(p - (char *)host_pool) & ((4096UL << order) - 1)) == 0);
        CHECK(is_zero(p, 4096UL << order) && quota.used == 4096UL << order);
        memset(p, 0xff, 4096UL << order);
        kmem_pages_free(&quota, p, order);
    }
    CHECK(!kmem_pages(&quota, 10, KPAGE_PLAIN) && !kmem_pages(&quota, 40, KPAGE_PLAIN));
}

TEST(a_quota_is_never_passed_and_a_failure_costs_nothing)
{
    void *a, *b;

    start(1UL << 20);
    slab_init(&slab, "test", 24);
    quota.limit = 4096 + 24;
    a = kmem_page(&quota, KPAGE_PLAIN);
    b = slab_alloc(&slab, &quota);
    CHECK(a && b && !slab_alloc(&slab, &quota) && !kmem_page(&quota, KPAGE_PLAIN));
    CHECK(!kmem_pages(&quota, 3, KPAGE_PLAIN) && quota.used == quota.limit);
    quota.limit += 23; /* something is left, but not enough */
    CHECK(!slab_alloc(&slab, &quota) && !kmem_page(&quota, KPAGE_PLAIN));
    CHECK(quota.used == 4096 + 24);
    slab_free(&slab, &quota, b);
    kmem_page_free(&quota, a);
}

TEST(clean_pages_are_used_first_and_lost_to_nobody)
{
    void *pages[200], *all[256];

    start(1UL << 20);
    for (unsigned i = 0; i < 200; i++)
        CHECK((pages[i] = kmem_page(&quota, KPAGE_TABLE)));
    for (unsigned i = 0; i < 200; i++)
        kmem_page_free_clean(&quota, pages[i]);
    CHECK(free_now() == free_at_start && kmem_ok());
    CHECK(kmem_page(&quota, KPAGE_PLAIN) == pages[63]); /* the last one kept */
    CHECK(kmem_desc(pages[63])->kind == KPAGE_PLAIN && kmem_desc(pages[63])->live == 0);
    kmem_page_free(&quota, pages[63]);
    for (unsigned i = 0; i < free_at_start / 4096; i++) /* the last ones are among the clean ones */
        CHECK((all[i] = kmem_pages(&quota, 0, KPAGE_PLAIN)) && kmem_ok());
    CHECK(free_now() == 0 && !kmem_pages(&quota, 0, KPAGE_PLAIN));
    for (unsigned i = 0; i < free_at_start / 4096; i++)
        kmem_pages_free(&quota, all[i], 0);
}

/* With 64 pages kept clean, and an empty one by each slab, the last page can be had. */
TEST(what_is_kept_aside_is_found_when_the_pool_is_short)
{
    static struct slab slabs[3];
    static void *pages[300];
    unsigned n = 0, all;

    start(1UL << 20);
    all = (unsigned)(free_at_start / 4096);
    for (unsigned i = 0; i < 3; i++)
        slab_init(&slabs[i], "test", 512);
    for (unsigned round = 0; round < 3; round++) {
        void *held[2];

        for (unsigned i = 0; i < 3; i++)
            slab_free(&slabs[i], &quota, slab_alloc(&slabs[i], &quota));
        held[0] = slab_alloc(&slabs[1], &quota); /* this page is not empty; one behind it is */
        for (n = 0; n < 70; n++)
            pages[n] = kmem_page(&quota, KPAGE_TABLE);
        while (n--) {
            memset(pages[n], 0, 4096);
            kmem_page_free_clean(&quota, pages[n]);
        }
        CHECK(free_now() == free_at_start - 4096 && kmem_ok());
        for (n = 0; (pages[n] = kmem_pages(&quota, 0, KPAGE_PLAIN)); n++)
            ;
        CHECK(n == all - 1 && free_now() == 0 && slabs[0].pages + slabs[2].pages == 0);
        CHECK(slabs[1].pages == 1 && kmem_ok());
        held[1] = slab_alloc(&slabs[1], &quota);
        CHECK(held[1] && !slab_alloc(&slabs[0], &quota));
        slab_free(&slabs[1], &quota, held[0]);
        slab_free(&slabs[1], &quota, held[1]);
        while (n--)
            kmem_page_free(&quota, pages[n]);
    }
}

/* One page is full, one has room, and one is empty: the empty one goes. */
TEST(the_empty_page_goes_wherever_it_stands_in_the_list)
{
    enum { PER = 8, PAGES = 3 };
    void *objects[PAGES * PER], *pages[300];

    for (unsigned empty = 0; empty < PAGES; empty++) {
        unsigned n = 0;

        start(1UL << 20);
        slab_init(&slab, "test", 512);
        for (unsigned i = 0; i < PAGES * PER; i++)
            objects[i] = slab_alloc(&slab, &quota);
        for (unsigned p = 0; p < PAGES; p++) /* one object less on each page */
            slab_free(&slab, &quota, objects[p * PER]);
        for (unsigned i = 1; i < PER; i++)
            slab_free(&slab, &quota, objects[empty * PER + i]);
        CHECK(slab.pages == PAGES && slab.keep == 1 && kmem_ok());
        while ((pages[n] = kmem_pages(&quota, 0, KPAGE_PLAIN)))
            n++;
        CHECK(slab.pages == PAGES - 1 && slab.keep == 0 && kmem_ok() && free_now() == 0);
        while (n--)
            kmem_page_free(&quota, pages[n]);
        for (unsigned i = 0; i < PAGES * PER; i++)
            if (i / PER != empty && i % PER)
                slab_free(&slab, &quota, objects[i]);
        CHECK(slab.pages == 1 && slab.keep == 1 && quota.used == 0);
    }
}

TEST(so_many_allocations_fail_as_was_said)
{
    start(1UL << 20);
    slab_init(&slab, "test", 24);
    for (unsigned kind = 0; kind < 4; kind++) /* a page, a clean one, two pages, an object */
        for (uint64_t n = 1; n < 5; n++)
            for (uint64_t count = 1; count < 4; count++) {
                kmem_fail_some(n, count);
                for (uint64_t i = 1; i < n + count + 20; i++) {
                    void *p;

                    if (kind == 1)
                        (void)kmem_clean_one(1);
                    p = kind == 3   ? slab_alloc(&slab, &quota)
                        : kind == 2 ? kmem_pages(&quota, 1, KPAGE_PLAIN)
                                    : kmem_page(&quota, KPAGE_PLAIN);
                    CHECK(!p == (i >= n && i < n + count));
                    if (p && kind == 3)
                        slab_free(&slab, &quota, p);
                    else if (p)
                        kmem_pages_free(&quota, p, kind == 2);
                }
                CHECK(kmem_fail_every == 0);
            }
}

/* Cleared in advance, and only as many as are asked for. */
TEST(pages_are_cleared_before_they_are_needed)
{
    void *pages[8], *rest[300];
    unsigned n = 0;

    start(1UL << 20);
    while ((rest[n] = kmem_page(&quota, KPAGE_PLAIN))) {
        memset(rest[n], 0xff, 4096);
        n++;
    }
    CHECK(!kmem_clean_one(1)); /* nothing left */
    while (n > 0)
        kmem_page_free(&quota, rest[--n]);
    for (unsigned i = 0; i < 5; i++)
        CHECK(kmem_clean_one(5) && kmem_ok() && free_now() == free_at_start);
    CHECK(!kmem_clean_one(5) && !kmem_clean_one(0) && kmem_clean_one(6));
    for (unsigned i = 0; i < 8; i++) {
        pages[i] = kmem_page(&quota, KPAGE_PLAIN);
        CHECK(pages[i] && is_zero(pages[i], 4096) && kmem_desc(pages[i])->kind == KPAGE_PLAIN);
    }
    for (unsigned i = 0; i < 8; i++)
        kmem_page_free(&quota, pages[i]);
}

TEST(a_quota_gives_exactly_what_is_left)
{
    struct quota q = {.limit = 100};

    CHECK(quota_take(&q, 0) && quota_take(&q, 99) && !quota_take(&q, 2) && q.used == 99);
    CHECK(quota_take(&q, 1) && !quota_take(&q, 1) && quota_take(&q, 0) && !quota_take(&q, ~0UL));
    quota_give(&q, 100);
    CHECK(q.used == 0 && !quota_take(&q, 101) && quota_take(&q, 100));
}

static void fill_and_empty(uint32_t size)
{
    static unsigned char *objects[1 << 17];
    unsigned n = 0;

    start(1UL << 20);
    slab_init(&slab, "test", size);
    while ((objects[n] = slab_alloc(&slab, &quota))) {
        uintptr_t page = (uintptr_t)objects[n] & ~4095UL;

        CHECK(is_zero(objects[n], size) && (uintptr_t)objects[n] + size <= page + 4096);
        memset(objects[n], (int)(n % 251) + 1, size);
        n++;
    }
    CHECK(free_now() == 0 && quota.used == (uint64_t)n * size && kmem_ok());
    CHECK(n == free_at_start / 4096 * (4096 / size));
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < size; k++)
            CHECK(objects[i][k] == i % 251 + 1);
    for (unsigned step = 0; step < 3; step++)
        for (unsigned i = step; i < n; i += 3)
            slab_free(&slab, &quota, objects[i]);
    CHECK(slab.pages <= 1);
    leaks();
}

TEST(slabs_use_every_page_to_the_end_without_a_header)
{
    fill_and_empty(2048);
    fill_and_empty(24);
    fill_and_empty(8);
    fill_and_empty(4096);
    fill_and_empty(1368);
}

TEST(one_object_again_and_again_costs_no_page)
{
    void *page;

    start(1UL << 20);
    slab_init(&slab, "test", 2048);
    slab_free(&slab, &quota, slab_alloc(&slab, &quota));
    kmem_fail_nth(1000);
    CHECK(slab.pages == 1 && slab.keep);
    for (unsigned i = 0; i < 100; i++)
        slab_free(&slab, &quota, slab_alloc(&slab, &quota));
    CHECK(slab.pages == 1);
    kmem_fail_nth(0);
    /* Yet the kept page counts as free, and is. */
    page = NULL;
    for (unsigned i = 0; i < free_at_start / 4096; i++) {
        uint64_t *next = kmem_page(&quota, KPAGE_PLAIN);

        CHECK(next);
        *next = (uintptr_t)page;
        page = next;
    }
    CHECK(slab.pages == 0 && free_now() == 0 && !slab_alloc(&slab, &quota));
    while (page) {
        void *next = (void *)*(uintptr_t *)page;

        kmem_page_free(&quota, page);
        page = next;
    }
}

TEST(random_objects_and_pages_never_overlap)
{
    static struct { unsigned char *p; unsigned kind; } held[600];
    static const uint32_t sizes[] = { 24, 2048, 512 };
    static struct slab slabs[3];

    start(1UL << 20);
    for (unsigned i = 0; i < 3; i++)
        slab_init(&slabs[i], "test", sizes[i]);
    memset(held, 0, sizeof(held));
    for (unsigned i = 0; i < 60000; i++) {
        unsigned k = (unsigned)random_below(600), kind = held[k].kind;
        uint32_t size = kind < 3 ? sizes[kind] : 4096;

        if (i == 30000)
            kmem_fail_nth(3);
        if (held[k].p) {
            for (unsigned b = 0; b < size; b++)
                CHECK(held[k].p[b] == (k & 0xff));
            if (kind < 3) {
                slab_free(&slabs[kind], &quota, held[k].p);
            } else if (kind == 3) {
                kmem_page_free(&quota, held[k].p);
            } else {
                memset(held[k].p, 0, 4096);
                kmem_page_free_clean(&quota, held[k].p);
            }
            held[k].p = NULL;
            continue;
        }
        kind = (unsigned)random_below(5);
        size = kind < 3 ? sizes[kind] : 4096;
        held[k].p = kind < 3 ? slab_alloc(&slabs[kind], &quota) : kmem_page(&quota, KPAGE_PLAIN);
        held[k].kind = kind;
        if (!held[k].p)
            continue;
        CHECK(is_zero(held[k].p, size));
        memset(held[k].p, (int)(k & 0xff), size);
        if (i % 256 == 0)
            CHECK(kmem_ok());
    }
    kmem_fail_nth(0);
    for (unsigned k = 0; k < 600; k++) {
        if (held[k].p && held[k].kind < 3)
            slab_free(&slabs[held[k].kind], &quota, held[k].p);
        else if (held[k].p)
            kmem_page_free(&quota, held[k].p);
    }
    for (unsigned i = 0; i < 3; i++)
        CHECK(slabs[i].pages == slabs[i].keep);
}

/* Objects, clean pages and others, four pages at once, in turn. */
TEST(the_nth_allocation_fails_and_only_that)
{
    start(1UL << 20);
    slab_init(&slab, "test", 24);
    for (unsigned n = 1; n < 10; n++) {
        kmem_fail_nth(n);
        for (unsigned i = 1; i <= 60; i++) {
            uint64_t used = quota.used;
            void *p;

            if (i % 4 == 1)
                (void)kmem_clean_one(1);
            p = i % 4 == 3   ? kmem_pages(&quota, 2, KPAGE_PLAIN)
                : i % 4 == 2 ? slab_alloc(&slab, &quota)
                             : kmem_page(&quota, KPAGE_PLAIN);
            CHECK(!p == (i % n == 0));
            if (!p)
                CHECK(quota.used == used);
            else if (i % 4 == 3)
                kmem_pages_free(&quota, p, 2);
            else if (i % 4 == 2)
                slab_free(&slab, &quota, p);
            else
                kmem_page_free(&quota, p);
        }
    }
}

/* Behind what describes them all frames are there to be had: of small pools, and of those whose
 * descriptors fill their last frame to the end. */
TEST(a_pool_keeps_no_frame_that_it_does_not_need)
{
    unsigned full = 0;

    for (uint64_t frames = 16; frames < 4096; frames++) {
        uint64_t bytes = buddy_meta_size(frames) + frames * sizeof(struct kpage);
        uint64_t own = bytes / KPAGE_SIZE + (bytes % KPAGE_SIZE != 0);
        void *page = NULL;

        if (frames > 200 && bytes % KPAGE_SIZE)
            continue;
        full += bytes % KPAGE_SIZE == 0;
        start(frames << 12);
        CHECK(free_at_start == (frames - own) << 12);
        for (uint64_t i = 0; i <= frames; i++) {
            page = kmem_next_page(page);
            CHECK(page == (i < frames ? host_pool + (i << 12) : NULL));
        }
    }
    CHECK(full > 0);
}

static uint64_t low_now(void)
{
    uint64_t total, free, low;

    kmem_stats(&total, &free, &low);
    CHECK(total == 1UL << 20);
    return low;
}

/* Whatever is allocated: a page, one that is clean already, the first object of a page. */
TEST(the_low_water_mark_stays_and_sinks_with_each_kind_of_allocation)
{
    void *pages, *page, *object;

    start(1UL << 20);
    slab_init(&slab, "test", 512);
    CHECK(kmem_clean_one(1) && low_now() == free_at_start);
    page = kmem_page(&quota, KPAGE_PLAIN);
    CHECK(page && low_now() == free_at_start - 4096);
    object = slab_alloc(&slab, &quota);
    CHECK(object && low_now() == free_at_start - 2 * 4096);
    slab_free(&slab, &quota, object);
    pages = kmem_pages(&quota, 6, KPAGE_PLAIN);
    CHECK(pages && low_now() == free_at_start - 65 * 4096);
    object = slab_alloc(&slab, &quota); /* of the page that was kept, and counted as free */
    CHECK(object && low_now() == free_at_start - 66 * 4096);
    slab_free(&slab, &quota, object);
    kmem_pages_free(&quota, pages, 6);
    kmem_page_free(&quota, page);
    for (unsigned i = 0; i < 2; i++) { /* far above the mark */
        CHECK(i ? kmem_clean_one(1) : free_now() == free_at_start);
        page = kmem_page(&quota, KPAGE_PLAIN);
        CHECK(page && low_now() == free_at_start - 66 * 4096);
        kmem_page_free(&quota, page);
        object = slab_alloc(&slab, &quota);
        CHECK(object && low_now() == free_at_start - 66 * 4096);
        slab_free(&slab, &quota, object);
    }
}

#define TESTS(X)                                                                                  \
    X(pages_are_zero_apart_and_all_come_back)                                                     \
    X(contiguous_pages_are_aligned_to_their_size)                                                 \
    X(a_quota_is_never_passed_and_a_failure_costs_nothing)                                        \
    X(clean_pages_are_used_first_and_lost_to_nobody)                                              \
    X(what_is_kept_aside_is_found_when_the_pool_is_short)                                         \
    X(the_empty_page_goes_wherever_it_stands_in_the_list)                                         \
    X(so_many_allocations_fail_as_was_said)                                                       \
    X(pages_are_cleared_before_they_are_needed)                                                   \
    X(a_quota_gives_exactly_what_is_left)                                                         \
    X(slabs_use_every_page_to_the_end_without_a_header)                                           \
    X(one_object_again_and_again_costs_no_page)                                                   \
    X(random_objects_and_pages_never_overlap)                                                     \
    X(the_nth_allocation_fails_and_only_that)                                                     \
    X(a_pool_keeps_no_frame_that_it_does_not_need)                                                \
    X(the_low_water_mark_stays_and_sinks_with_each_kind_of_allocation)

TEST_MAIN(leaks, TESTS)
