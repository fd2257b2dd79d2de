/*
 * test_map_edges.c - mapping memory where something ends: windows, the address space, memory,
 * superpages, time
 */
#include "map_world.h"

#include "limits.h"

#define ROOTS 0x400000UL
#define SUPER (1UL << 21)
#define GIB (1UL << 30)

static struct map_request last; /* what map() asked */
static unsigned status;         /* what take() was told */

/* A part of the item: L4_MAP_ITEM_GRANT, attributes. */
static int map(int from, uint64_t src, int to, uint64_t dst, unsigned order, unsigned rights,
               uint64_t item)
{
    map_request_init(&last, tasks[from], tasks[to], dst | item, fpage_mem(src, order, rights).raw,
                     0, L4_WHOLE_ADDRESS_SPACE);
    return map_run(&last);
}

static int take(int space, uint64_t va, unsigned order, unsigned rights, bool all)
{
    struct unmap_request u = {.task = tasks[space], .fp = fpage_mem(va, order, rights),
                              .mask = all ? L4_FP_ALL_SPACES : L4_FP_OTHER_SPACES};
    int err = unmap_run(&u);

    status = u.status;
    return err;
}

static void roots(uint64_t begin, uint64_t end)
{
    CHECK(map_roots(tasks[0], begin, end, L4_FPAGE_RWX, true) == 0);
}

static pte_t *entry(int space, uint64_t va)
{
    unsigned level;

    return ptab_find(&tasks[space]->space, va, &level);
}

static uint64_t free_now(void)
{
    uint64_t total, free, low;

    kmem_stats(&total, &free, &low);
    return free;
}

/* ---- windows ---- */

static uint64_t base_of(uint64_t x, unsigned order)
{
    return order > 62 ? 0 : x - x % (1UL << order);
}

/* The rule as docs/abi.md states it; bytes of memory, numbers of slots. */
static void check_rule(const struct map_request *r, uint64_t send, unsigned s, uint64_t rcv,
                       unsigned w, uint64_t hot)
{
    uint64_t in_larger = (s > w ? s : w) > 62 ? hot : hot % (1UL << (s > w ? s : w));

    CHECK(r->order == (s < w ? s : w));
    CHECK(r->src == base_of(send, s) + (s > w ? base_of(in_larger, w) : 0));
    CHECK(r->dst == base_of(rcv, w) + (s < w ? base_of(in_larger, s) : 0));
}

/* Ports keep their numbers: what both windows have. */
static void check_ports(const struct map_request *r, uint64_t send, unsigned s, uint64_t rcv,
                        unsigned w, unsigned rights)
{
    uint64_t small = s <= w ? base_of(send, s) : base_of(rcv, w);
    bool meet = s <= w ? base_of(send, w) == base_of(rcv, w) : base_of(rcv, s) == base_of(send, s);

    CHECK(r->empty == (!meet || (rights & L4_FPAGE_RW) != L4_FPAGE_RW));
    CHECK(!meet || (r->src == small && r->dst == small));
    CHECK(r->order == (s < w ? s : w) || r->order == L4_WHOLE_IOADDRESS_SPACE);
    CHECK(r->order <= L4_WHOLE_IOADDRESS_SPACE);
}

static void one_window(unsigned type, unsigned s, unsigned w)
{
    unsigned unit = type == L4_FPAGE_MEMORY ? 0 : 12, rights = (unsigned)random_below(16);
    uint64_t send = random_bits() << 20 >> random_below(40), hot = random_bits() << 16;
    uint64_t rcv = random_below(2) ? send ^ 1UL << (12 + random_below(20)) : random_bits() << 8;
    uint64_t item = (hot & ~0xfffUL) | random_below(8) << 4 | (random_below(2) * L4_MAP_ITEM_GRANT);
    l4_fpage_t f = fpage_make(type, send, s, rights);
    struct map_request r;

    map_request_init(&r, tasks[0], tasks[1], item, f.raw, rcv & ~0xfffUL, w);
    CHECK(r.from == tasks[0] && r.to == tasks[1] && r.type == type && r.rights == rights);
    CHECK(r.done == 0 && r.mapped == 0 && r.grant == !!(item & L4_MAP_ITEM_GRANT));
    CHECK(r.attributes == (item & L4_ITEM_ATTR_MASK));
    send = fpage_addr(f) >> unit;
    rcv = (rcv & ~0xfffUL) >> unit;
    if (type == L4_FPAGE_IO) {
        check_ports(&r, send, s, rcv, w, rights);
        return;
    }
    check_rule(&r, send, s, rcv, w, (hot & ~0xfffUL) >> unit);
    CHECK(r.empty == (type == L4_FPAGE_MEMORY && (r.order < 12 || !(rights & L4_FPAGE_R))));
}

TEST(two_windows_of_any_kind_and_order_meet_as_the_rule_says)
{
    start();
    for (unsigned type = L4_FPAGE_MEMORY; type <= L4_FPAGE_OBJ; type++)
        for (unsigned s = 0; s < 64; s++)
            for (unsigned w = 0; w < 64; w++)
                for (unsigned i = 0; i < 4; i++)
                    one_window(type, s, w);
    stop();
}

TEST(what_is_no_page_and_what_is_no_flexpage_changes_nothing)
{
    start();
    roots(ROOTS, ROOTS + SUPER);
    CHECK(map(0, ROOTS, 1, 0x1000, 12, L4_FPAGE_RWX, 0) == 0 && last.mapped == 1);
    CHECK(map(0, ROOTS, 1, 0x2000, 11, L4_FPAGE_RWX, 0) == 0 && last.mapped == 0);
    CHECK(map(0, ROOTS, 1, 0x2000, 12, L4_FPAGE_W | L4_FPAGE_X, 0) == 0 && last.mapped == 0);
    CHECK(take(1, 0x1000, 11, L4_FPAGE_RWX, true) == 0 && frame_seen(1, 0x1000));
    for (unsigned type = 0; type < 4; type += 3) { /* special; slots that nobody has */
        struct unmap_request u = {.task = tasks[1], .mask = L4_FP_ALL_SPACES,
                                  .fp = fpage_make(type, 0x1000, 12, L4_FPAGE_RWX)};

        CHECK(unmap_run(&u) == 0 && frame_seen(1, 0x1000) == ROOTS);
    }
    map_request_init(&last, tasks[0], tasks[1], 0x3000,
                     fpage_make(L4_FPAGE_SPECIAL, ROOTS, 12, 15).raw, 0, 63);
    CHECK(map_run(&last) == 0 && last.mapped == 0 && !frame_seen(1, 0x3000));
    CHECK(take(1, 0x1000, 12, L4_FPAGE_RWX, true) == 0 && !frame_seen(1, 0x1000));
    stop();
}

/* ---- the end of the address space ---- */

#define LAST (L4_USER_END - L4_PAGESIZE)
#define LAST_SUPER (L4_USER_END & ~(SUPER - 1)) /* a page is missing in it */

TEST(nothing_is_mapped_or_taken_beyond_the_last_page_of_the_address_space)
{
    static const uint64_t beyond[] = {L4_USER_END, 1UL << 47, 1UL << 63, ~0xfffUL};

    start();
    roots(ROOTS, ROOTS + 2 * SUPER);
    for (unsigned order = 12; order < 22; order += 9) {
        CHECK(map(0, ROOTS, 1, LAST_SUPER, order, L4_FPAGE_RWX, 0) == 0);
        CHECK(last.mapped == (order == 12 ? 1 : 511)); /* the last is missing */
    }
    CHECK(frame_seen(1, LAST) == ROOTS + SUPER - 2 * L4_PAGESIZE);
    CHECK(!frame_seen(1, L4_USER_END));
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned order = 12; order < 22; order++) {
            CHECK(map(0, ROOTS, 1, beyond[i], 12, L4_FPAGE_RWX, 0) == 0 && last.mapped == 0);
            CHECK(map(0, beyond[i], 1, 0x1000, order, L4_FPAGE_RWX, 0) == 0);
            CHECK(last.mapped == 0 || i == 0);
        }
        CHECK(take(1, beyond[i], 12, L4_FPAGE_RWX, true) == 0);
        CHECK(frame_seen(1, LAST) && frame_seen(1, LAST_SUPER));
    }
    CHECK(take(1, 0, 63, L4_FPAGE_RWX, true) == 0 && !frame_seen(1, LAST));
    CHECK(!frame_seen(1, LAST_SUPER) && check_all() == 0);
    CHECK(tasks[1]->space.partials == 0);
    stop();
}

TEST(the_first_addresses_of_a_space_that_has_nothing_are_holes)
{
    int err;

    for (unsigned order = 12; order < 22; order++) {
        start();
        roots(ROOTS, ROOTS + SUPER);
        for (int i = 0; i < 3; i++) { /* not even kernel-user memory */
            struct task *t = task_create(&factories[3]->obj, (l4_fpage_t){0}, &err);
            struct task *old = tasks[3];

            CHECK(t && err == 0);
            tasks[3] = t;
            if (i == 0)
                CHECK(map(3, 0, 2, 0, order, L4_FPAGE_RWX, 0) == 0 && !last.mapped);
            else if (i == 1)
                CHECK(map(0, ROOTS, 3, 0, order, 7, 0) == 0 && frame_seen(3, 0) == ROOTS);
            CHECK(take(3, 0, order, L4_FPAGE_RWX, true) == 0 && !entry(3, 0));
            tasks[3] = old;
            machine_destroy(&t->obj);
        }
        stop();
    }
}

/* Around kernel-user memory the pages become small ones; behind that superpage they are not. */
TEST(what_lies_around_kernel_user_memory_is_mapped_and_nothing_is_lost_at_the_end_of_a_table)
{
    for (unsigned page = 0; page < 40; page++) {
        uint64_t ku = GIB + page * L4_PAGESIZE;

        start();
        roots(ROOTS, ROOTS + 2 * SUPER);
        CHECK(task_add_ku_mem(tasks[3], fpage_mem(ku, 12, L4_FPAGE_RW)) == 0);
        CHECK(map(0, ROOTS, 3, GIB, 22, L4_FPAGE_RWX, 0) == 0 && last.mapped == 512);
        for (uint64_t at = 0; at < 2 * SUPER; at += L4_PAGESIZE)
            CHECK(GIB + at == ku || frame_seen(3, GIB + at) == ROOTS + at);
        CHECK((*entry(3, ku) & PTE_KU) && ptab_level(entry(3, GIB + SUPER)) == 2);
        CHECK(take(3, GIB, 22, L4_FPAGE_RWX, true) == 0 && check_all() == 0);
        CHECK(!entry(3, GIB + SUPER) && !entry(3, GIB + 511 * L4_PAGESIZE));
        CHECK(*entry(3, ku) & PTE_KU);
        stop();
    }
}

/* ---- rights, attributes, what is counted ---- */

static pte_t mapped_entry(uint64_t src, unsigned order, unsigned rights, uint64_t item)
{
    uint64_t dst = order > 12 && order < 21 ? 2 * GIB + 0x2000 : 2 * GIB;
    pte_t value;

    CHECK(map(0, src, 2, dst, order, rights, item) == 0 && last.mapped);
    value = *entry(2, dst + (1UL << order) - L4_PAGESIZE);
    CHECK(take(2, dst, order, L4_FPAGE_RWX, true) == 0 && !entry(2, dst));
    return value & (PTE_PCD | PTE_PWT | PTE_W | PTE_NX | PTE_U | PTE_P | PTE_PS);
}

TEST(what_a_receiver_may_do_and_how_it_is_cached_comes_from_sender_and_item)
{
    static const struct { uint64_t item; pte_t cached, uncached; } attributes[] = {
        {0, 0, PTE_PCD | PTE_PWT}, {0x60, 0, PTE_PCD | PTE_PWT}, /* as the sender has it */
        {0x10, PTE_PCD | PTE_PWT, PTE_PCD | PTE_PWT}, {0x30, 0, 0}, {0x70, 0, 0},
        {0x50, PTE_PWT, PTE_PWT}};

    start();
    roots(ROOTS, ROOTS + SUPER);                                          /* a superpage, */
    roots(ROOTS + SUPER, ROOTS + SUPER + 8 * L4_PAGESIZE);                /* small pages, */
    CHECK(map_roots(tasks[0], GIB, GIB + SUPER, L4_FPAGE_RWX, false) == 0); /* a device */
    CHECK(map_roots(tasks[0], GIB + SUPER, GIB + SUPER + 0x8000, L4_FPAGE_RWX, false) == 0);
    for (unsigned i = 0; i < 6; i++)
        for (unsigned rights = L4_FPAGE_R; rights < 8; rights += 1 + (rights == 5))
            for (unsigned order = 12; order <= 21; order += order < 13 ? 1 : 8)
                for (unsigned device = 0; device < 2; device++) {
                    uint64_t src = (device ? GIB : ROOTS);
                    pte_t want = PTE_P | PTE_U | (order == 21 ? PTE_PS : 0) |
                                 (device ? attributes[i].uncached : attributes[i].cached);

                    if (!(rights & L4_FPAGE_R))
                        continue;
                    want |= ((rights & L4_FPAGE_W) ? PTE_W : 0) |
                            ((rights & L4_FPAGE_X) ? 0 : PTE_NX);
                    CHECK(mapped_entry(src, order, rights, attributes[i].item) == want);
                    if (order < 21)
                        CHECK(mapped_entry(src + SUPER, order, rights, attributes[i].item) == want);
                }
    stop();
}

/* Whoever has less gives less: page, neighbours, parts. */
TEST(nobody_gives_more_than_there_is)
{
    start();
    roots(ROOTS, ROOTS + SUPER);
    CHECK(map(0, ROOTS, 1, SUPER, 21, L4_FPAGE_R, 0) == 0 && last.mapped == 1);
    CHECK(map(0, ROOTS, 1, GIB, 15, L4_FPAGE_RX, 0) == 0 && last.mapped == 8);
    CHECK(map(1, SUPER, 2, SUPER, 15, L4_FPAGE_RWX, 0) == 0 && last.mapped == 8);
    CHECK(map(1, GIB, 2, GIB, 15, L4_FPAGE_RWX, 0) == 0 && last.mapped == 8);
    for (uint64_t i = 0; i < 8; i++) {
        CHECK(rights_of(*entry(2, SUPER + i * L4_PAGESIZE)) == L4_FPAGE_R);
        CHECK(rights_of(*entry(2, GIB + i * L4_PAGESIZE)) == L4_FPAGE_RX);
        CHECK(frame_seen(2, GIB + i * L4_PAGESIZE) == ROOTS + i * L4_PAGESIZE);
    }
    stop();
}

TEST(a_task_knows_how_many_pages_were_mapped_to_it_and_taken_from_it)
{
    start();
    roots(ROOTS, ROOTS + SUPER);
    CHECK(map(0, ROOTS, 1, 0x1000, 12, L4_FPAGE_RWX, 0) == 0 && tasks[1]->pages_mapped == 1);
    CHECK(map(0, ROOTS, 1, 0x8000, 15, L4_FPAGE_RWX, 0) == 0 && tasks[1]->pages_mapped == 9);
    CHECK(map(1, 0x8000, 2, 0x8000, 15, L4_FPAGE_RWX, 0) == 0 && tasks[2]->pages_mapped == 8);
    CHECK(map(0, ROOTS, 3, SUPER, 21, L4_FPAGE_RWX, 0) == 0 && tasks[3]->pages_mapped == 1);
    CHECK(take(1, 0x1000, 12, L4_FPAGE_RWX, true) == 0 && tasks[1]->pages_unmapped == 1);
    CHECK(take(1, 0x9000, 12, L4_FPAGE_RWX, false) == 0 && tasks[2]->pages_unmapped == 1);
    CHECK(take(1, 0x8000, 15, L4_FPAGE_RWX, false) == 0 && tasks[2]->pages_unmapped == 8);
    CHECK(take(1, 0x8000, 15, L4_FPAGE_RWX, true) == 0 && tasks[1]->pages_unmapped == 9);
    CHECK(take(0, ROOTS, 21, L4_FPAGE_RWX, false) == 0 && tasks[3]->pages_unmapped == 1);
    CHECK(tasks[0]->pages_unmapped == 0 && tasks[0]->pages_mapped == 0);
    stop();
}

/* ---- memory runs out ---- */

struct attempt {
    uint64_t src, dst;
    unsigned order;
    uint64_t item;
};

/* The n-th allocation fails: what was mapped is there, the rest is not, nothing else is held. */
static bool fails_at(const struct attempt *a, uint64_t n)
{
    uint64_t before = free_now(), size = 1UL << a->order, seen = 0;
    int err;

    kmem_fail_nth(n);
    err = map(0, a->src, 2, a->dst, a->order, L4_FPAGE_RWX, a->item);
    kmem_fail_nth(0);
    CHECK(err == 0 || err == -L4_ENOMEM);
    CHECK(check_all() == 0);
    for (uint64_t at = 0; at < size; at += L4_PAGESIZE) {
        CHECK(!!frame_seen(2, a->dst + at) == (at < last.done));
        CHECK(at >= last.done || frame_seen(2, a->dst + at) == a->src + at);
        CHECK(!a->item || !frame_seen(0, a->src + at) == (at < last.done));
        seen += at < last.done;
    }
    CHECK(err ? last.done < last.end : last.done == last.end && seen == size / L4_PAGESIZE);
    CHECK(take(2, a->dst, a->order, L4_FPAGE_RWX, true) == 0 && check_all() == 0);
    CHECK(a->item || free_now() == before);
    return err != 0;
}

TEST(without_memory_what_was_mapped_stays_and_the_rest_leaves_no_trace)
{
    static const struct attempt attempts[] = {
        {ROOTS, 5 * GIB, 12, 0},                  /* a page of a superpage */
        {ROOTS + SUPER, 5 * GIB, 12, 0},          /* a small page */
        {ROOTS, 5 * GIB + 0x1fe000, 13, 0},       /* parts, neighbours: to the end of a table */
        {ROOTS, 5 * GIB + 0x10000, 16, 0},
        {ROOTS + SUPER, 5 * GIB + 0x8000, 15, 0},
        {ROOTS, 5 * GIB, 21, 0},                  /* a superpage, and as its parts */
        {4 * GIB, 5 * GIB, 21, 0},                   /* part of 1 GiB */
        {4 * GIB, 5 * GIB, 14, 0},                   /* small pages of it */
        {4 * GIB, 8 * GIB, 30, 0},
    };

    for (unsigned i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
        unsigned failures = 0;

        start();
        roots(ROOTS, ROOTS + SUPER);
        roots(ROOTS + SUPER, ROOTS + SUPER + 16 * L4_PAGESIZE);
        roots(4 * GIB, 5 * GIB);
        while (fails_at(&attempts[i], failures + 1))
            failures++;
        CHECK(failures);
        stop();
        leaks();
    }
}

TEST(a_receiver_that_cannot_pay_is_granted_nothing)
{
    start();
    roots(ROOTS, ROOTS + SUPER);
    CHECK(map(0, ROOTS, 1, SUPER, 21, L4_FPAGE_RWX, 0) == 0);
    CHECK(map(1, SUPER, 3, SUPER, 15, L4_FPAGE_RWX, 0) == 0 && last.mapped == 8);
    CHECK(map(0, ROOTS, 2, 0x1000, 12, L4_FPAGE_RWX, 0) == 0); /* its tables are there */
    for (uint64_t spare = 0; spare < 5 * KPAGE_SIZE; spare += KPAGE_SIZE / 2) {
        uint64_t used = factories[2]->quota.used, limit = factories[2]->quota.limit;
        int err;

        factories[2]->quota.limit = used + spare;
        err = map(1, SUPER, 2, SUPER, 21, L4_FPAGE_RWX, L4_MAP_ITEM_GRANT);
        factories[2]->quota.limit = limit;
        CHECK(check_all() == 0);
        if (!err)
            break;
        CHECK(err == -L4_ENOMEM && last.mapped == 0 && factories[2]->quota.used == used);
        CHECK(frame_seen(1, SUPER) == ROOTS && !frame_seen(2, SUPER));
    }
    CHECK(last.mapped == 1 && frame_seen(2, SUPER) == ROOTS && !frame_seen(1, SUPER));
    CHECK(take(2, SUPER, 21, L4_FPAGE_RWX, false) == 0 && !frame_seen(3, SUPER));
    CHECK(check_all() == 0);
    stop();
}

/* There the kernel stops, so nothing is taken back. */
TEST(roots_without_memory_are_refused)
{
    uint64_t refused = 0;

    for (uint64_t n = 1; n == refused + 1; n++) {
        start();
        kmem_fail_nth(n);
        refused += map_roots(tasks[0], 8 * GIB, 9 * GIB, L4_FPAGE_RWX, true) == -L4_ENOMEM;
        CHECK(n > refused || !frame_seen(0, 8 * GIB));
    }
    CHECK(refused >= 2);
    start();
    stop();
}

/* ---- accessed and dirty ---- */

TEST(who_asks_is_told_of_everything_below_and_of_itself_only_if_it_says_so)
{
    start();
    roots(ROOTS, ROOTS + 16 * L4_PAGESIZE);
    CHECK(map(0, ROOTS, 1, SUPER, 16, L4_FPAGE_RWX, 0) == 0 && last.mapped == 16);
    CHECK(map(1, SUPER, 2, SUPER, 16, L4_FPAGE_RWX, 0) == 0 && last.mapped == 16);
    *entry(2, SUPER + 0x3000) |= PTE_A | PTE_D;
    *entry(1, SUPER + 0x5000) |= PTE_A;
    CHECK(take(1, SUPER + 0x3000, 12, 0, false) == 0 && status == 3);
    CHECK(take(1, SUPER + 0x3000, 12, 0, false) == 0 && status == 0); /* forgotten */
    CHECK(take(1, SUPER + 0x5000, 12, 0, false) == 0 && status == 0);
    CHECK(take(1, SUPER + 0x5000, 12, 0, true) == 0 && status == 1);
    *entry(2, SUPER + 0x1000) |= PTE_A;
    *entry(2, SUPER + 0x2000) |= PTE_D;
    CHECK(take(1, SUPER + 0x1000, 12, L4_FPAGE_RWX, false) == 0 && status == 1);
    CHECK(take(1, SUPER, 16, L4_FPAGE_RWX, false) == 0 && status == 3);
    CHECK(!frame_seen(2, SUPER) && !frame_seen(2, SUPER + 0xf000));
    *entry(1, SUPER + 0xf000) |= PTE_D;
    CHECK(take(1, SUPER, 16, L4_FPAGE_RWX, true) == 0 && status == 3); /* what was known, too */
    CHECK(take(0, ROOTS, 16, 0, false) == 0 && status == 3);
    CHECK(take(0, ROOTS, 16, 0, false) == 0 && status == 0);
    stop();
}

/* ---- long operations ---- */

static uint64_t stores, most;

/* Entries stored since the last look. */
static void look_at_interrupts(void)
{
    most = host_pte_stores - stores > most ? host_pte_stores - stores : most;
    stores = host_pte_stores;
}

static void begin_long(void)
{
    host_windows = most = 0;
    stores = host_pte_stores;
}

TEST(a_long_operation_looks_at_the_interrupts_after_each_few_entries)
{
    start();
    host_window = look_at_interrupts;
    roots(ROOTS, ROOTS + 2 * SUPER);
    roots(ROOTS + 2 * SUPER, ROOTS + 2 * SUPER + 256 * L4_PAGESIZE);
    for (int round = 0; round < 3; round++) {
        uint64_t src = round ? ROOTS : ROOTS + 2 * SUPER;
        unsigned order = 20, n = 256;

        begin_long();
        CHECK(map(0, src, 1, GIB, order, L4_FPAGE_RWX, 0) == 0 && last.mapped == n);
        CHECK(most <= 2 * LIMIT_STEPS + 1 && host_windows >= n / (2 * LIMIT_STEPS + 1));
        CHECK(map(1, GIB, 2, GIB, order, L4_FPAGE_RWX, 0) == 0 && last.mapped == n);
        CHECK(most <= 2 * LIMIT_STEPS + 1);
        for (unsigned i = 0; i < 20; i++)
            CHECK(map(1, GIB, 3, GIB + i * L4_PAGESIZE, 12, L4_FPAGE_RWX, 0) == 0);
        begin_long();
        CHECK(take(1, GIB, order, round < 2 ? L4_FPAGE_RWX : L4_FPAGE_W, round == 1) == 0);
        CHECK(most <= 3 * LIMIT_STEPS && host_windows >= n / LIMIT_STEPS);
        CHECK(host_windows <= 2 * n / LIMIT_STEPS); /* nor is an entry gone to twice */
        begin_long();
        CHECK(take(0, src, order, L4_FPAGE_RWX, false) == 0 && check_all() == 0);
        CHECK(most <= 3 * LIMIT_STEPS);
    }
    stop();
}

/* Task 1 has a page and gave it to task 2 a hundred times. */
static void many_children(unsigned n)
{
    roots(ROOTS, ROOTS + L4_PAGESIZE);
    CHECK(map(0, ROOTS, 1, 0x1000, 12, L4_FPAGE_RWX, 0) == 0);
    for (unsigned i = 0; i < n; i++)
        CHECK(map(1, 0x1000, 2, GIB + i * L4_PAGESIZE, 12, L4_FPAGE_RWX, 0) == 0);
}

/* Of n children; counts them when all is done. */
static unsigned children(unsigned n)
{
    unsigned found = 0;

    for (unsigned i = 0; i < n; i++)
        found += !!frame_seen(2, GIB + i * L4_PAGESIZE);
    return found;
}

/* The first worker has begun to take the page away from everybody, the second one is running. */
static struct unmap_request take_half(unsigned n)
{
    struct unmap_request u = {.task = tasks[1], .fp = fpage_mem(0x1000, 12, L4_FPAGE_RWX),
                              .mask = L4_FP_ALL_SPACES};

    many_children(n);
    host_window = preempt_at_one;
    windows_left = 1;
    CHECK(unmap_run(&u) == MAP_PREEMPTED);
    host_window = NULL;
    cpu0.resched = false;
    CHECK(children(n) && children(n) < n && !(*entry(1, 0x1000) & PTE_P));
    cpu0.current = worker[1];
    return u;
}

TEST(a_page_over_one_that_is_being_taken_away_finishes_that_first)
{
    enum { N = 100 };
    struct unmap_request u;

    start();
    u = take_half(N);
    for (unsigned i = 0; i < N; i++)
        if (frame_seen(2, GIB + i * L4_PAGESIZE)) { /* the child of what is dying, in its place */
            CHECK(map(2, GIB + i * L4_PAGESIZE, 1, 0x1000, 12, L4_FPAGE_RWX, 0) == 0);
            break;
        }
    CHECK(last.mapped == 0 && children(N) == 0 && !frame_seen(1, 0x1000) && check_all() == 0);
    CHECK(map(0, ROOTS, 1, 0x1000, 12, L4_FPAGE_RWX, 0) == 0 && last.mapped == 1);
    cpu0.current = worker[0];
    CHECK(unmap_run(&u) == 0 && check_all() == 0);
    stop();
}

TEST(pages_around_one_that_is_being_taken_away_are_mapped_with_it)
{
    enum { N = 100 };

    for (int large = 0; large < 2; large++) {
        start();
        roots(SUPER * 8, large ? SUPER * 9 : SUPER * 8 + 0x8000);
        take_half(N);
        CHECK(map(0, SUPER * 8, 1, 0, 14, L4_FPAGE_RWX, 0) == 0 && last.mapped == 4);
        for (uint64_t at = 0; at < 0x4000; at += L4_PAGESIZE)
            CHECK(frame_seen(1, at) == SUPER * 8 + at);
        CHECK(children(N) == 0 && check_all() == 0);
        stop();
    }
}

TEST(a_dying_mapping_gives_nothing)
{
    enum { N = 100 };
    struct unmap_request u;

    start();
    u = take_half(N);
    CHECK(map(1, 0x1000, 3, 0x1000, 12, L4_FPAGE_RWX, 0) == 0 && last.mapped == 0);
    CHECK(map(1, 0, 3, 0, 14, L4_FPAGE_RWX, 0) == 0 && last.mapped == 0);
    CHECK(take(1, 0x1000, 12, L4_FPAGE_RWX, false) == 0 && children(N) == 0);
    cpu0.current = worker[0];
    CHECK(unmap_run(&u) == 0 && !entry(1, 0x1000) && check_all() == 0);
    stop();
}

/* Preempted at each n-th look; false: there were not that many. */
static bool grants_less(uint64_t n)
{
    enum { N = 100 };
    bool preempted;
    int err;

    start();
    many_children(N);
    host_window = preempt_at_one;
    windows_left = n;
    err = map(1, 0x1000, 3, 0x5000, 12, L4_FPAGE_R, L4_MAP_ITEM_GRANT);
    for (preempted = err; err; err = map_run(&last)) {
        CHECK(err == MAP_PREEMPTED && !frame_seen(1, 0x1000));
        cpu0.resched = false;
        windows_left = n;
    }
    host_window = NULL;
    CHECK(last.mapped == 1 && !frame_seen(1, 0x1000) && children(N) == N);
    CHECK(rights_of(*entry(3, 0x5000)) == L4_FPAGE_R);
    for (unsigned i = 0; i < N; i++)
        CHECK(rights_of(*entry(2, GIB + i * L4_PAGESIZE)) == L4_FPAGE_R);
    CHECK(check_all() == 0);
    stop();
    return preempted;
}

TEST(a_grant_of_less_than_there_is_goes_all_the_way_down)
{
    uint64_t n = 1;

    while (grants_less(n))
        n++;
    CHECK(n > 3);
}

/* Preempted at the n-th look, and its thread is gone; what it left is interrupted at each look, and
 * looks once a piece. False: there were not that many. */
static bool leaves_pieces(uint64_t n)
{
    enum { PIECES = 4 }; /* two tables of small pages, superpages before and behind the second */
    unsigned rounds = 0;
    bool preempted;

    start();
    roots(4 * GIB, 5 * GIB);
    CHECK(map(0, 4 * GIB, 1, 8 * GIB, 30, L4_FPAGE_RWX, 0) == 0 && last.mapped == 1);
    CHECK(map(1, 8 * GIB + SUPER, 2, GIB, 21, L4_FPAGE_RWX, 0) == 0 && last.mapped == 1);
    CHECK(take(1, 8 * GIB, 12, L4_FPAGE_RWX, true) == 0);
    CHECK(take(1, 8 * GIB + 5 * SUPER, 12, L4_FPAGE_RWX, true) == 0);
    host_window = preempt_at_one;
    windows_left = n;
    preempted = take(0, 4 * GIB, 30, L4_FPAGE_RWX, false) == MAP_PREEMPTED;
    walk_abandon(worker[0]);
    for (bool done = !preempted; !done; rounds++) {
        cpu0.resched = false;
        windows_left = 1;
        done = walk_finish_given_up();
    }
    CHECK(!preempted || rounds + n == PIECES);
    CHECK(!tasks[1]->space.partials && frame_seen(0, 4 * GIB) && check_all() == 0);
    CHECK(!frame_seen(1, 8 * GIB + 9 * SUPER) && !frame_seen(2, GIB));
    stop();
    return preempted;
}

TEST(a_revoke_whose_thread_is_gone_takes_a_split_mapping_piece_by_piece)
{
    uint64_t n = 1;

    while (leaves_pieces(n))
        n++;
    CHECK(n > 3);
}

#define TESTS(X)                                                                                  \
    X(two_windows_of_any_kind_and_order_meet_as_the_rule_says)                                     \
    X(what_is_no_page_and_what_is_no_flexpage_changes_nothing)                                     \
    X(nothing_is_mapped_or_taken_beyond_the_last_page_of_the_address_space)                        \
    X(the_first_addresses_of_a_space_that_has_nothing_are_holes)                                   \
    X(what_lies_around_kernel_user_memory_is_mapped_and_nothing_is_lost_at_the_end_of_a_table)     \
    X(what_a_receiver_may_do_and_how_it_is_cached_comes_from_sender_and_item)                      \
    X(nobody_gives_more_than_there_is)                                                             \
    X(a_task_knows_how_many_pages_were_mapped_to_it_and_taken_from_it)                             \
    X(without_memory_what_was_mapped_stays_and_the_rest_leaves_no_trace)                           \
    X(a_receiver_that_cannot_pay_is_granted_nothing)                                               \
    X(roots_without_memory_are_refused)                                                            \
    X(who_asks_is_told_of_everything_below_and_of_itself_only_if_it_says_so)                       \
    X(a_long_operation_looks_at_the_interrupts_after_each_few_entries)                             \
    X(a_page_over_one_that_is_being_taken_away_finishes_that_first)                                \
    X(pages_around_one_that_is_being_taken_away_are_mapped_with_it)                                \
    X(a_dying_mapping_gives_nothing)                                                               \
    X(a_grant_of_less_than_there_is_goes_all_the_way_down)                                         \
    X(a_revoke_whose_thread_is_gone_takes_a_split_mapping_piece_by_piece)

TEST_MAIN(leaks, TESTS)
