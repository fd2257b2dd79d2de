/*
 * test_map_paths.c - mapping memory has quick ways and thorough ones: they do the same
 *
 * While the kernel's trace is on, or a walk over the mapping database is interrupted, pages go one
 * by one and everything is recorded; otherwise neighbours go together.
 */
#include "map_world.h"

#include "limits.h"

#define ROOTS 0x400000UL
#define SUPER (1UL << 21)
#define GIB (1UL << 30)

static struct map_request last; /* what map() asked */

static int map(int from, uint64_t src, int to, uint64_t dst, unsigned order, uint64_t item)
{
    map_request_init(&last, tasks[from], tasks[to], dst | item,
                     fpage_mem(src, order, L4_FPAGE_RWX).raw, 0, L4_WHOLE_ADDRESS_SPACE);
    return map_run(&last);
}

static struct unmap_request unmap_of(int space, uint64_t va, unsigned order, unsigned rights,
                                     bool all)
{
    return (struct unmap_request){.task = tasks[space], .fp = fpage_mem(va, order, rights),
                                  .mask = all ? L4_FP_ALL_SPACES : L4_FP_OTHER_SPACES};
}

static int take(int space, uint64_t va, unsigned order, bool all)
{
    struct unmap_request u = unmap_of(space, va, order, L4_FPAGE_RWX, all);

    return unmap_run(&u);
}

static void roots(void)
{
    CHECK(map_roots(tasks[0], ROOTS, ROOTS + 2 * SUPER, L4_FPAGE_RWX, true) == 0);
    CHECK(map_roots(tasks[0], ROOTS + 2 * SUPER, ROOTS + 3 * SUPER - L4_PAGESIZE, L4_FPAGE_RWX,
                    true) == 0); /* 511 small pages */
}

/* ---- what is recorded ---- */

static l4_trace_record records[LIMIT_TRACE_RECORDS];

/* Since the trace was last emptied; empties it. */
static unsigned recorded(void)
{
    uint64_t seq = 0;
    unsigned n = trace_read(&seq, records, LIMIT_TRACE_RECORDS);

    trace_control(trace_on, true);
    return n;
}

/* n pages of 2^order bytes, from va and frame on; in order, or (unmap) in any. */
static void check_records(unsigned event, int space, uint64_t va, uint64_t frame, unsigned order,
                          unsigned n)
{
    uint64_t seen = 0, size = 1UL << order;

    CHECK(recorded() == n);
    for (unsigned i = 0; i < n; i++) {
        uint64_t at = (records[i].a & L4_PAGEMASK) - va;

        CHECK(records[i].event == event && records[i].other == (uint16_t)tasks[space]->obj.id);
        CHECK((records[i].a & ~L4_PAGEMASK) == order && at % size == 0 && at / size < n);
        CHECK((records[i].b & PTE_FRAME) == frame + at);
        seen += at / size;
    }
    CHECK(seen == (uint64_t)n * (n - 1) / 2);
}

/* From task 0 to 1, from there to 2, away from 2, then from 1. */
static void record_round(uint64_t src, unsigned order, unsigned page)
{
    unsigned n = 1u << (order - page);
    uint64_t at = 3 * GIB;

    CHECK(map(0, src, 1, at, order, 0) == 0);
    check_records(L4_TRACE_MAP, 1, at, src, page, n);
    CHECK(map(1, at, 2, at, order, 0) == 0);
    check_records(L4_TRACE_MAP, 2, at, src, page, n);
    CHECK(take(1, at, order, false) == 0);
    check_records(L4_TRACE_UNMAP, 2, at, src, page, n);
    CHECK(map(1, at, 3, at, order, L4_MAP_ITEM_GRANT) == 0);
    check_records(L4_TRACE_MAP, 3, at, src, page, n);
    CHECK(take(3, at, order, true) == 0);
    check_records(L4_TRACE_UNMAP, 3, at, src, page, n);
}

TEST(while_the_trace_is_on_each_page_is_recorded_and_otherwise_none)
{
    start();
    roots();
    for (int on = 1; on >= 0; on--) {
        trace_control(on, true);
        for (unsigned order = 12; on && order <= 16; order += 2) {
            record_round(ROOTS + 2 * SUPER, order, 12);
            record_round(ROOTS, order, 12);
        }
        for (unsigned order = 12; order <= 21; order++) {
            CHECK(map(0, ROOTS, 1, GIB, order, 0) == 0 && map(1, GIB, 2, GIB, order, 0) == 0);
            CHECK(on || (take(1, GIB, order, false) == 0 && take(1, GIB, order, true) == 0));
            CHECK(take(0, ROOTS, order, false) == 0 && !!recorded() == on);
            CHECK(map(0, ROOTS + 2 * SUPER, 1, GIB, order, 0) == 0);
            CHECK(take(1, GIB, order, true) == 0 && !!recorded() == on);
        }
    }
    trace_control(true, true);
    record_round(ROOTS, 21, 21);
    trace_control(false, true);
    stop();
}

/* ---- the quick way and the thorough one ---- */

enum { STEPS = 600 };

/* A sum of all that can be seen: entries, what is paid, what was counted. */
static uint64_t world_sum(void)
{
    uint64_t sum = 0;

    for (int i = 0; i < SPACES; i++) {
        uint64_t va = 0;
        pte_t *e;

        while ((e = ptab_next_leaf(&tasks[i]->space, &va)) || va < L4_USER_END) {
            if (!e)
                continue;
            sum = (sum ^ va ^ *e) * 0x9e3779b97f4a7c15;
            va += 1UL << ptab_shift(ptab_level(e));
        }
        sum = (sum ^ tasks[i]->pages_mapped) * 0x9e3779b97f4a7c15;
        sum = (sum ^ tasks[i]->pages_unmapped) * 0x9e3779b97f4a7c15;
        sum = (sum ^ factories[i]->quota.used) * 0x9e3779b97f4a7c15;
    }
    return sum;
}

/* One of four windows of 4 MiB, from which some pages at some place. */
static uint64_t some_place(unsigned order)
{
    uint64_t at = GIB + random_below(2 * SUPER);

    return at >> order << order;
}

static void random_step(uint64_t *told)
{
    static const unsigned orders[] = {12, 12, 12, 13, 15, 16, 18, 21};
    unsigned order = orders[random_below(8)];
    int from = (int)random_below(SPACES), to = 1 + (int)random_below(SPACES - 1);
    uint64_t src = from ? some_place(order) : (ROOTS + random_below(3 * SUPER)) >> order << order;
    uint64_t dst = some_place(order);
    unsigned level;
    pte_t *e = ptab_find(&tasks[to]->space, dst, &level);

    if (e && (*e & PTE_P))
        *e |= random_below(4) << 5; /* accessed and dirty */
    if (random_below(2) && from != to) {
        CHECK(map(from, src, to, dst, order, random_below(8) ? 0 : L4_MAP_ITEM_GRANT) == 0 ||
              last.grant);
        *told = last.mapped;
    } else {
        unsigned rights = random_below(4) ? L4_FPAGE_RWX : random_below(2) ? L4_FPAGE_W : 0;
        struct unmap_request u = unmap_of(to, dst, order, rights, random_below(2));

        CHECK(unmap_run(&u) == 0);
        *told = u.status;
    }
    CHECK(stale == 0);
}

TEST(the_quick_ways_do_all_that_the_thorough_ones_do)
{
    static uint64_t told[STEPS], seen[STEPS];

    for (unsigned round = 0; round < 20; round++) {
        uint64_t seed = test_seed;

        for (int thorough = 0; thorough < 2; thorough++) {
            test_seed = seed;
            start();
            roots();
            trace_control(thorough, true);
            for (unsigned i = 0; i < STEPS; i++) {
                uint64_t is;

                random_step(&is);
                CHECK(!thorough || (told[i] == is && seen[i] == world_sum()));
                told[i] = is;
                seen[i] = world_sum();
            }
            CHECK(check_all() == 0);
            trace_control(false, true);
            stop();
            leaks();
        }
    }
}

/* Three children go together; one of them had heard of accesses from a child of its own. */
TEST(what_a_page_has_heard_is_told_when_it_goes_with_its_siblings)
{
    for (unsigned i = 0; i < 3; i++)
        for (unsigned ad = 1; ad < 4; ad++) {
            struct unmap_request u;
            unsigned level;

            start();
            roots();
            CHECK(map(0, ROOTS, 1, GIB, 12, 0) == 0);
            for (unsigned k = 0; k < 3; k++)
                CHECK(map(1, GIB, 2, GIB + k * L4_PAGESIZE, 12, 0) == 0);
            CHECK(map(2, GIB + i * L4_PAGESIZE, 3, GIB, 12, 0) == 0);
            *ptab_find(&tasks[3]->space, GIB, &level) |= (pte_t)ad << 5;
            CHECK(take(2, GIB + i * L4_PAGESIZE, 12, false) == 0);
            u = unmap_of(1, GIB, 12, L4_FPAGE_RWX, false);
            CHECK(unmap_run(&u) == 0 && u.status == ad && !frame_seen(2, GIB));
            stop();
        }
}

/* ---- preempted at every look ---- */

static void preempt_always(void)
{
    cpu0.resched = true;
}

/* How often a map of the window was preempted; each time something has been done. */
static unsigned map_preempted(int from, uint64_t src, int to, uint64_t dst, unsigned order)
{
    uint64_t done = 0;
    unsigned n = 0;
    int err = map(from, src, to, dst, order, 0);

    for (; err == MAP_PREEMPTED; err = map_run(&last), n++) {
        CHECK(last.done > done && last.done - done <= 2 * (LIMIT_STEPS + 1) * L4_PAGESIZE);
        done = last.done;
        cpu0.resched = false;
    }
    CHECK(err == 0 && last.done == 1UL << order);
    return n;
}

static unsigned unmap_preempted(int space, uint64_t va, unsigned order, unsigned rights, bool all)
{
    struct unmap_request u = unmap_of(space, va, order, rights, all);
    uint64_t done = 0;
    unsigned n = 0;
    int err = unmap_run(&u);

    for (; err == MAP_PREEMPTED; err = unmap_run(&u), n++) {
        CHECK(u.done > done);
        done = u.done;
        cpu0.resched = false;
    }
    CHECK(err == 0 && u.done >= 1UL << order);
    return n;
}

TEST(an_operation_that_is_preempted_at_every_look_gets_on_each_time)
{
    enum { ORDER = 20, PAGES = 1 << (ORDER - 12) };
    static const unsigned rights[] = {L4_FPAGE_W, 0, L4_FPAGE_RWX};

    start();
    roots();
    host_window = preempt_always;
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t src = ROOTS + 2 * SUPER * i;

        for (unsigned k = 0; k < 3; k++)
            for (unsigned all = 0; all < 2; all++) {
                unsigned n = map_preempted(0, src, 1, GIB, ORDER);

                CHECK(n >= PAGES / (2 * LIMIT_STEPS + 2) && n <= PAGES / LIMIT_STEPS);
                n = map_preempted(1, GIB, 2, 2 * GIB, ORDER);
                CHECK(n >= PAGES / (2 * LIMIT_STEPS + 2) && n <= PAGES / LIMIT_STEPS);
                n = unmap_preempted(1, GIB, ORDER, rights[k], all);
                CHECK(n >= PAGES / (2 * LIMIT_STEPS + 2) && n <= 2 * PAGES / LIMIT_STEPS);
                unmap_preempted(0, src, ORDER, L4_FPAGE_RWX, false);
                CHECK(!frame_seen(1, GIB) && !frame_seen(2, 2 * GIB + (1 << ORDER) - 1));
                CHECK(stale == 0 && check_all() == 0);
            }
    }
    stop();
}

/* ---- who cannot pay ---- */

struct attempt {
    uint64_t src, dst;
    unsigned order;
};

/* The receiver may use `spare` bytes more. False: that was enough. */
static bool owes_nothing(const struct attempt *a, uint64_t spare)
{
    struct quota *q = &factories[2]->quota;
    uint64_t used = q->used, limit = q->limit, pages = 0;
    int err;

    q->limit = used + spare;
    err = map(0, a->src, 2, a->dst, a->order, 0);
    CHECK((err == 0 || err == -L4_ENOMEM) && q->used <= q->limit);
    q->limit = limit;
    CHECK(check_all() == 0);
    for (uint64_t at = 0; at < 1UL << a->order; at += L4_PAGESIZE) {
        CHECK(frame_seen(2, a->dst + at) == (at < last.done ? a->src + at : 0));
        pages += at < last.done;
    }
    CHECK(err ? last.done < last.end : last.done == last.end);
    CHECK(!pages == (q->used == used));
    CHECK(take(2, a->dst, a->order, true) == 0 && q->used == used);
    return err;
}

TEST(a_receiver_that_cannot_pay_gets_what_it_can_pay_for_and_owes_nothing)
{
    static const struct attempt attempts[] = {
        {ROOTS, 2 * GIB, 12},             /* a page of a superpage */
        {ROOTS + 2 * SUPER, 2 * GIB, 12}, /* a small page */
        {ROOTS, 2 * GIB + 0x1fe000, 13},  /* parts, neighbours: to the end of a table */
        {ROOTS, 2 * GIB, 15},
        {ROOTS + 2 * SUPER, 2 * GIB, 15},
        {ROOTS, 3 * GIB, 21},             /* a superpage */
    };

    start();
    roots();
    for (int tables = 0; tables < 2; tables++) {
        for (unsigned i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
            uint64_t spare = 0, step = attempts[i].order == 21 ? 1000 : sizeof(struct mapping) / 2;

            while (owes_nothing(&attempts[i], spare))
                spare += step;
            CHECK(spare >= sizeof(struct mapping));
        }
        /* Once more where the tables are there already. */
        CHECK(map(0, ROOTS, 2, 2 * GIB + SUPER - 3 * L4_PAGESIZE, 12, 0) == 0);
        CHECK(map(0, ROOTS, 2, 3 * GIB + SUPER, 12, 0) == 0);
    }
    stop();
}

TEST(roots_that_their_holder_cannot_pay_are_refused)
{
    uint64_t spare = 0;
    int err;

    do {
        start();
        factories[0]->quota.limit = factories[0]->quota.used + spare;
        err = map_roots(tasks[0], ROOTS, ROOTS + 4 * L4_PAGESIZE, L4_FPAGE_RWX, true);
        CHECK(err == 0 || err == -L4_ENOMEM);
        CHECK(factories[0]->quota.used <= factories[0]->quota.limit);
        CHECK(!err == !!frame_seen(0, ROOTS + 3 * L4_PAGESIZE));
        spare += sizeof(struct mapping) / 2;
    } while (err);
    CHECK(spare > 4 * sizeof(struct mapping));
    start();
    stop();
}

#define TESTS(X)                                                                                  \
    X(while_the_trace_is_on_each_page_is_recorded_and_otherwise_none)                              \
    X(the_quick_ways_do_all_that_the_thorough_ones_do)                                             \
    X(what_a_page_has_heard_is_told_when_it_goes_with_its_siblings)                                \
    X(an_operation_that_is_preempted_at_every_look_gets_on_each_time)                              \
    X(a_receiver_that_cannot_pay_gets_what_it_can_pay_for_and_owes_nothing)                        \
    X(roots_that_their_holder_cannot_pay_are_refused)

TEST_MAIN(leaks, TESTS)
