/*
 * test_ram.c - the RAM service: memory by wish, parts given back, quota traded, large machines
 */
#include "sigma0_machine.h"

enum {
    MIB = 256, /* frames */
    FRAMES = 64 * MIB,
    HOLE = 40 * MIB,
    ACCOUNTS = 6,
    RUNS = 64,
    STEPS = 6000,
    ENDLESS = 100000, /* messages that no operation needs */
};
static const l4_umword_t pieces[][2] = {
    {LOW_FIRST, HOLE}, {HOLE + 37, FRAMES - 11}, {0, 0}};

/* A PC with 6 GiB, and a tebibyte, both with the hole of devices below 4 GiB and others. */
static const l4_umword_t pc[][2] = {
    {0x10, 0x9f}, {0x100, 0x7ffe0}, {0x100000, 0x200000}, {0, 0}};
static const l4_umword_t tebibyte[][2] = {
    {0x10, 0x9f},           {0x100, 0x7ffe0},          {0x100000, 0x4000000},
    {0x4000400, 0x8000001}, {0x9000000, 0x10000000}, {0, 0}};

static l4_umword_t take_flags(unsigned flags, unsigned align)
{
    return flags | align << 8;
}

static long take(unsigned gate, l4_umword_t size, unsigned flags, unsigned align, l4_addr_t min,
                 l4_addr_t max)
{
    return RAM(gate, SIGMA0_RAM_TAKE, size, take_flags(flags, align), min, max, 0);
}

static l4_umword_t quota(unsigned gate, unsigned word)
{
    CHECK(RAM(gate, SIGMA0_RAM_QUERY) == 0 && answer.words == SIGMA0_QUERY_WORDS);
    return answer.mr[word];
}

static l4_umword_t left(unsigned gate)
{
    return quota(gate, SIGMA0_QUERY_QUOTA) - quota(gate, SIGMA0_QUERY_USED);
}

static bool owns(unsigned gate, l4_addr_t start, l4_umword_t size)
{
    return ram_owns(&service.ram, account_find(&service.ram, gate), start, start + size);
}

/* MAP until all of it is there; the steps it took. Nothing that is not clear is an item. */
static unsigned map_all(unsigned gate, l4_addr_t start, l4_umword_t size)
{
    l4_umword_t position = 0, mapped = 0;
    unsigned steps = 0;
    long err;

    do {
        err = RAM(gate, SIGMA0_RAM_MAP, start, size, position, start);
        CHECK(err >= 0 && ++steps < ENDLESS && cleared <= RAM_CLEAR_STEP);
        for (unsigned i = 0; answer.item && i < answer.items; i++) {
            l4_addr_t at = answer.piece[i].start;

            for (l4_umword_t f = at >> 12; f < (at + (1UL << answer.piece[i].order)) >> 12; f++)
                CHECK(owner[f] == gate);
            mapped += 1UL << answer.piece[i].order;
        }
        position = answer.mr[0];
    } while (err == SIGMA0_RAM_MORE);
    CHECK(mapped == size);
    return steps;
}

TEST(any_number_of_pages_in_any_place)
{
    machine_start(FRAMES, pieces);
    for (l4_umword_t n = 1; n < 520; n += 3) {
        l4_addr_t start;

        CHECK(take(RAM_ROOT, n << 12, SIGMA0_RAM_CONTIGUOUS, 0, 0, 0) ==
              (n > 512 ? SIGMA0_RAM_MORE : 0));
        start = answer.mr[SIGMA0_TAKEN_BLOCK];
        CHECK(answer.mr[SIGMA0_TAKEN_SIZE] == n << 12 && owns(RAM_ROOT, start, n << 12));
        CHECK(n > 512 || (cleared == n << 12 && answer.items <= RAM_BLOCKS_MAX));
        CHECK(!owns(RAM_ROOT, start, (n + 1) << 12) || n > 1);
        if (n % 2 || n > 100)
            CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GIVE_BACK, start, n << 12) == 0);
    }
    CHECK(take(RAM_ROOT, 5 << 12, SIGMA0_RAM_CONTIGUOUS, 21, 0, 0) == 0);
    CHECK(!(answer.mr[SIGMA0_TAKEN_BLOCK] & 0x1fffff));
    CHECK(take(RAM_ROOT, 3 << 12, SIGMA0_RAM_CONTIGUOUS, 0, 0x1800000, 0x1802fff) == 0);
    CHECK(answer.mr[SIGMA0_TAKEN_BLOCK] == 0x1800000);
    CHECK(take(RAM_ROOT, 3 << 12, SIGMA0_RAM_CONTIGUOUS, 0, 0x1804001, 0x1806fff) == -L4_ENOMEM);
    CHECK(take(RAM_ROOT, 2 << 12, SIGMA0_RAM_CONTIGUOUS, 0, 0x1803001, 0x1806000) == 0);
    CHECK(take(RAM_ROOT, 1 << 12, 0, 0, HOLE << 12, ((HOLE + 37UL) << 12) - 1) == -L4_ENOMEM);
    CHECK(ram_ok(&service.ram) && buddy_ok(&buddy));
}

TEST(every_bad_wish_has_its_error_and_changes_nothing)
{
    l4_umword_t before;

    machine_start(FRAMES, pieces);
    before = service.ram.free_frames;
    CHECK(take(RAM_ROOT, 0, 0, 0, 0, 0) == -L4_EINVAL);
    CHECK(take(RAM_ROOT, 1, 8, 0, 0, 0) == -L4_EINVAL);
    CHECK(take(RAM_ROOT, 1, 0, 48, 0, 0) == -L4_EINVAL);
    CHECK(take(RAM_ROOT, 1, 0, 0, 5, 4) == -L4_EINVAL);
    CHECK(take(RAM_ROOT, ~0UL, 0, 0, 0, 0) == -L4_ERANGE);
    CHECK(take(RAM_ROOT, ~0UL << 12, 0, 0, 0, 0) == -L4_ENOMEM);
    CHECK(take(RAM_ROOT, ~0UL << 12, SIGMA0_RAM_WAIT, 0, 0, 0) == -L4_EMSGMISSARG);
    CHECK(take(RAM_ROOT, 1, 0, 0, ~0UL - 1, 0) == -L4_ENOMEM);
    CHECK(take(RAM_ROOT, 4096, SIGMA0_RAM_CONTIGUOUS, 47, 0, 0) == -L4_ENOMEM);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_TAKE, 4096, 0, 0, 0, 1) == -L4_EINVAL);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_TAKE, 8192, SIGMA0_RAM_AT, 0, 0, ~0xfffUL) == -L4_ERANGE);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_TAKE, 4096, 0, 0, 0) == -L4_EMSGTOOSHORT);
    CHECK(RAM(RAM_ROOT, 15) == -L4_ENOSYS && RAM(RAM_ROOT, 0xffff) == -L4_ENOSYS);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GIVE_BACK, 0x20000, 0) == -L4_EINVAL);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GIVE_BACK, 0x20001, 4096) == -L4_EINVAL);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GIVE_BACK, 0x20000, 4096) == -L4_EPERM);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GIVE_BACK, 0x20000, ~0UL) == -L4_ERANGE);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GIVE_BACK, ~0xfffUL, 4096) == -L4_ERANGE);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_MAP, 0x20000, 4096, 0, 0x20000) == -L4_EPERM);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_MAP, 0x20000, 4096, 4096, 0x20000) == -L4_ERANGE);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_MAP, 0x20000, ~0UL << 13, 0, 0) == -L4_ERANGE);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_MAP, 0x20000, 4096, 1, 0) == -L4_EINVAL);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_MAP, 0, 1UL << 62, (1UL << 62) - 4096, 0) == -L4_EPERM);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_NEXT, 0) == -L4_ENOENT);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_NEXT, ~0xfffUL) == -L4_ENOENT);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GRANT, 0, 4096) == -L4_ENOENT);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GRANT, 99, 4096) == -L4_ENOENT);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GRANT, 99, ~0UL) == -L4_ERANGE);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_RETAKE, 99, 4096) == -L4_ENOENT);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_DENY, 99) == -L4_ENOENT);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_YIELD, 99, 4096, 5) == -L4_ENOENT);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_NEWS) == -L4_ENOENT);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_RELEASE) == -L4_EPERM);
    CHECK(ram_ok(&service.ram) && service.ram.free_frames == before);
}

static long device(unsigned gate, l4_addr_t start, unsigned order)
{
    return SEND(gate, L4_PROTO_SIGMA0, ~0xffUL | SIGMA0_REQ_ID_FPAGE_IOMEM,
                start | order << L4_FPAGE_SIZE_SHIFT | L4_FPAGE_MEMORY << L4_FPAGE_TYPE_SHIFT);
}

TEST(device_memory_goes_back_in_whole_pieces)
{
    unsigned a, b;

    machine_start(FRAMES, pieces);
    a = account(RAM_ROOT, 1 << 20);
    b = account(RAM_ROOT, 1 << 20);
    CHECK(device(a, 0xfe000000, 13) == 0 && device(a, 0xfe002000, 12) == 0);
    CHECK(device(a, 0xfe000000, 12) == 0 && device(b, 0xfe003000, 12) == 0);
    CHECK(RAM(a, SIGMA0_RAM_GIVE_BACK, 0xfe000000, 0x1000) == -L4_EPERM);
    CHECK(RAM(a, SIGMA0_RAM_GIVE_BACK, 0xfe001000, 0x2000) == -L4_EPERM);
    CHECK(RAM(b, SIGMA0_RAM_GIVE_BACK, 0xfe000000, 0x3000) == -L4_EPERM);
    CHECK(service.ram.device_count == 3);
    CHECK(RAM(a, SIGMA0_RAM_GIVE_BACK, 0xfe000000, 0x3000) == 0);
    CHECK(service.ram.device_count == 1);
    CHECK(device(b, 0xfe000000, 12) == 0 && device(a, 0xfe003000, 12) == -L4_ENOMEM);
    release(b);
    CHECK(service.ram.device_count == 0 && ram_ok(&service.ram));
}

/* The client is gone, or had no place for it. */
TEST(what_an_undelivered_answer_had_goes_back)
{
    l4_umword_t used, frames;

    machine_start(FRAMES, pieces);
    account(RAM_ROOT, 4096);
    used = quota(RAM_ROOT, SIGMA0_QUERY_USED);
    frames = service.ram.free_frames;
    CHECK(take(RAM_ROOT, 5 << 12, 0, 0, 0, 0) == 0);
    request_undo(&service, &answer);
    CHECK(quota(RAM_ROOT, SIGMA0_QUERY_USED) == used && service.ram.free_frames == frames);
    CHECK(account(RAM_ROOT, 1 << 20) && service.ram.account_count == 3);
    request_undo(&service, &answer);
    CHECK(quota(RAM_ROOT, SIGMA0_QUERY_USED) == used && service.ram.account_count == 2);
    CHECK(ram_ok(&service.ram));
}

TEST(half_of_a_block_goes_back_and_the_whole_is_one_again)
{
    l4_addr_t start;
    int whole;

    machine_start(FRAMES, pieces);
    whole = buddy_largest(&buddy);
    CHECK(take(RAM_ROOT, 512 << 12, SIGMA0_RAM_CONTIGUOUS, 21, 0, 0) == 0);
    start = answer.mr[SIGMA0_TAKEN_BLOCK];
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GIVE_BACK, start + (256 << 12), 256 << 12) == 0);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GIVE_BACK, start + (256 << 12), 256 << 12) == -L4_EPERM);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GIVE_BACK, start + (3 << 12), 7 << 12) == 0);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GIVE_BACK, start, 256 << 12) == -L4_EPERM); /* not all */
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GIVE_BACK, start, 3 << 12) == 0);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_NEXT, start) == 0 && answer.mr[0] == start + (10 << 12) &&
          answer.mr[1] == 246 << 12);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GIVE_BACK, start + (10 << 12), 246 << 12) == 0);
    CHECK(buddy_is_free(&buddy, start >> 12, 9) && buddy_largest(&buddy) == whole);
    CHECK(ram_ok(&service.ram) && buddy_ok(&buddy));
}

TEST(what_is_large_is_cleared_in_steps_and_never_seen_before)
{
    unsigned a;
    l4_addr_t start;

    machine_start(FRAMES, pieces);
    a = account(RAM_ROOT, 24 << 20);
    CHECK(take(a, 20 << 20, SIGMA0_RAM_CONTIGUOUS, 0, 0, 0) == SIGMA0_RAM_MORE);
    start = answer.mr[SIGMA0_TAKEN_BLOCK];
    CHECK(answer.item == ANSWER_NO_ITEM && cleared == 0);
    /* A page of it by page fault: cleared for that. */
    CHECK(SEND(a, L4_PROTO_PAGE_FAULT, start + 0x5000, 0) == 0 && cleared == 4096);
    CHECK(owner[(start >> 12) + 5] == a && owner[(start >> 12) + 4] == (a | RAM_DIRTY));
    /* A client that lies about how far it is gets nothing that is not clear. */
    CHECK(RAM(a, SIGMA0_RAM_MAP, start, 4 << 20, (4 << 20) - 4096, start) == SIGMA0_RAM_MORE);
    CHECK(map_all(a, start, 20 << 20) >= 9);
    CHECK(map_all(a, start, 20 << 20) == 1 && cleared == 0);
    /* In pieces, and given up half way. */
    CHECK(RAM(a, SIGMA0_RAM_GIVE_BACK, start, 20 << 20) == 0);
    CHECK(take(a, (4 << 20) + 0x3000, 0, 0, 0, 0) == SIGMA0_RAM_MORE && answer.words == 4);
    CHECK((answer.mr[1] & 0xfff) == 22 && (answer.mr[3] & 0xfff) == 12);
    release(a);
    CHECK(ram_ok(&service.ram) && cleared_most <= RAM_CLEAR_STEP);
}

TEST(memory_in_many_pieces)
{
    machine_start(FRAMES, pieces);
    /* Every other page of 4 MiB of low memory. */
    for (l4_umword_t f = LOW_FIRST; f < 4 * MIB; f++)
        SEND(RAM_ROOT, L4_PROTO_PAGE_FAULT, f << 12, 0);
    for (l4_umword_t f = LOW_FIRST + 1; f < 4 * MIB; f += 2)
        RAM(RAM_ROOT, SIGMA0_RAM_GIVE_BACK, f << 12, 4096);
    CHECK(take(RAM_ROOT, 2 << 12, SIGMA0_RAM_CONTIGUOUS, 0, 0, (4 << 20) - 1) == -L4_ENOMEM);
    CHECK(take(RAM_ROOT, 20 << 12, 0, 0, 0, (4 << 20) - 1) == 0 && answer.items == 20);
    CHECK(take(RAM_ROOT, 21 << 12, 0, 0, 0, (4 << 20) - 1) == -L4_E2BIG);
    CHECK(ram_ok(&service.ram) && buddy_ok(&buddy));
    /* A run over the end of a block, of pages that are free by accident. */
    for (l4_umword_t f = 1023; f < 1023 + 7; f++)
        RAM(RAM_ROOT, SIGMA0_RAM_GIVE_BACK, f << 12, 4096);
    CHECK(ram_ok(&service.ram));
}

/* ---- quota ---- */

TEST(quota_goes_down_and_up_and_its_sum_stays)
{
    l4_umword_t child, other, all;
    unsigned a, b;

    machine_start(FRAMES, pieces);
    all = left(RAM_ROOT);
    a = account(RAM_ROOT, 1 << 20);
    child = answer.mr[0];
    b = account(a, 1 << 19);
    other = answer.mr[0];
    CHECK(left(RAM_ROOT) == all - (1 << 20) && left(a) == 1 << 19);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GRANT, child, 1 << 20) == 0 && left(a) == 3 << 19);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GRANT, child, all) == -L4_ENOMEM);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GRANT, other, 4096) == -L4_ENOENT); /* not its child */
    CHECK(RAM(b, SIGMA0_RAM_GRANT, 0, 1 << 18) == 0 && left(b) == 1 << 18);
    CHECK(RAM(b, SIGMA0_RAM_GRANT, 0, 1 << 19) == -L4_ENOMEM);
    CHECK(take(b, 1 << 17, 0, 0, 0, 0) == 0);
    CHECK(RAM(a, SIGMA0_RAM_RETAKE, other, ~0UL << 13) == 0 && answer.mr[0] == 1 << 17);
    CHECK(left(b) == 0 && take(b, 1, 0, 0, 0, 0) == -L4_ENOMEM);
    CHECK(RAM(a, SIGMA0_RAM_RETAKE, other, 4096) == 0 && answer.mr[0] == 0);
    CHECK(ram_ok(&service.ram));
    release(a);
    CHECK(gone[a] && gone[b] && left(RAM_ROOT) == all && ram_ok(&service.ram));
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GRANT, child, 4096) == -L4_ENOENT);
    a = account(RAM_ROOT, 0);
    CHECK(answer.mr[0] != child); /* a number is never used twice */
}

static unsigned listener(unsigned gate)
{
    unsigned slot = receive_slot;

    CHECK(RAM_WITH(gate, SIGMA0_RAM_WATCH) == 0 && receive_slot != slot);
    return slot;
}

static bool news(unsigned gate, unsigned kind, l4_umword_t child, l4_umword_t bytes)
{
    return RAM(gate, SIGMA0_RAM_NEWS) == 0 && answer.mr[0] == kind && answer.mr[1] == child &&
           answer.mr[2] == bytes;
}

static long take_waiting(unsigned gate, l4_umword_t size)
{
    return RAM_WITH(gate, SIGMA0_RAM_TAKE, size, SIGMA0_RAM_WAIT, 0, 0, 0);
}

TEST(who_has_too_little_asks_and_the_parent_decides)
{
    l4_umword_t child;
    unsigned a, watch, waiter;

    machine_start(FRAMES, pieces);
    receive_slot = RCV_SLOT;
    a = account(RAM_ROOT, 1 << 20);
    child = answer.mr[0];
    CHECK(take_waiting(a, 2 << 20) == -L4_ENOMEM); /* nobody listens */
    watch = listener(RAM_ROOT);
    waiter = receive_slot;
    CHECK(take_waiting(a, 2 << 20) == -L4_EAGAIN && notified[watch] == 1);
    CHECK(take_waiting(a, 2 << 20) == -L4_EBUSY);
    CHECK(news(RAM_ROOT, SIGMA0_NEWS_REQUEST, child, 1 << 20));
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_NEWS) == -L4_ENOENT); /* told once */
    slots_dropped = 0;
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GRANT, child, 1 << 20) == 0 && slots_dropped == 1);
    CHECK(take(a, 2 << 20, 0, 0, 0, 0) == 0);
    /* Refused; given up; nobody left. */
    CHECK(take_waiting(a, 1 << 20) == -L4_EAGAIN);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_DENY, child) == 0 && slots_dropped == 2);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_DENY, child) == -L4_ENOENT);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_NEWS) == -L4_ENOENT); /* it was decided unread */
    CHECK(take_waiting(a, 1 << 20) == -L4_EAGAIN && RAM(a, SIGMA0_RAM_CANCEL) == 0);
    CHECK(slots_dropped == 3 && RAM(a, SIGMA0_RAM_CANCEL) == 0 && slots_dropped == 3);
    CHECK(take_waiting(a, 1 << 20) == -L4_EAGAIN);
    release(a);
    CHECK(slots_dropped == 4 && RAM(RAM_ROOT, SIGMA0_RAM_NEWS) == -L4_ENOENT);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_WATCH) == 0 && slots_dropped == 5);
    (void)waiter;
    CHECK(ram_ok(&service.ram) && ram_reserve_ok(&service.ram));
}

TEST(a_parent_that_ends_leaves_nobody_waiting)
{
    unsigned a, b;

    machine_start(FRAMES, pieces);
    receive_slot = RCV_SLOT;
    a = account(RAM_ROOT, 1 << 20);
    listener(a);
    b = account(a, 0);
    CHECK(take_waiting(b, 4096) == -L4_EAGAIN);
    slots_dropped = 0;
    gone[a] = true; /* somebody deletes the gate: noticed within a round over all gates */
    for (unsigned i = 0; i < POOL_SLOTS_MAX && account_find(&service.ram, a); i++)
        RAM(RAM_ROOT, SIGMA0_RAM_QUERY);
    CHECK(!account_find(&service.ram, a) && !account_find(&service.ram, b));
    CHECK(slots_dropped == 2 && RAM(b, SIGMA0_RAM_QUERY) == -L4_EACCESS);
    CHECK(ram_ok(&service.ram));
}

TEST(a_parent_asks_back_until_a_deadline)
{
    l4_umword_t child, deadline;
    unsigned a, watch, own;

    machine_start(FRAMES, pieces);
    receive_slot = RCV_SLOT;
    watch = listener(RAM_ROOT);
    a = account(RAM_ROOT, 1 << 20);
    child = answer.mr[0];
    own = listener(a);
    now = 1000;
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_YIELD, child, 3 << 12, 500) == 0 && answer.mr[0] == 1500);
    deadline = answer.mr[0];
    CHECK(notified[own] == 1 && RAM(RAM_ROOT, SIGMA0_RAM_YIELD, child, 4096, 1) == -L4_EBUSY);
    CHECK(news(a, SIGMA0_NEWS_YIELD, 0, 3 << 12) && answer.mr[3] == deadline);
    CHECK(quota(a, SIGMA0_QUERY_YIELD) == 3 << 12 && quota(a, SIGMA0_QUERY_DEADLINE) == 1500);
    CHECK(RAM(a, SIGMA0_RAM_GRANT, 0, 1 << 12) == 0 && notified[watch] == 0);
    CHECK(RAM(a, SIGMA0_RAM_GRANT, 0, 2 << 12) == 0 && notified[watch] == 1);
    CHECK(news(RAM_ROOT, SIGMA0_NEWS_YIELDED, child, 3 << 12));
    /* Too late. */
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_YIELD, child, 3 << 12, 500) == 0);
    CHECK(RAM(a, SIGMA0_RAM_GRANT, 0, 1 << 12) == 0);
    now = 1499;
    CHECK(quota_expire(&service.ram, now) == 1500);
    now = 1500;
    CHECK(quota(a, SIGMA0_QUERY_YIELD) == 0 && notified[watch] == 2);
    CHECK(news(RAM_ROOT, SIGMA0_NEWS_EXPIRED, child, 1 << 12));
    /* Two news of one child come one by one. */
    CHECK(take_waiting(a, 1 << 20) == -L4_EAGAIN);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_YIELD, child, 4096, 1) == 0);
    now = 1501;
    CHECK(news(RAM_ROOT, SIGMA0_NEWS_REQUEST, child, (1 << 20) - left(a)));
    CHECK(news(RAM_ROOT, SIGMA0_NEWS_EXPIRED, child, 0));
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_NEWS) == -L4_ENOENT && RAM(a, SIGMA0_RAM_CANCEL) == 0);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_YIELD, child, 4096, ~0UL) == -L4_ERANGE);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_YIELD, child, 1UL << 40, 5) == -L4_EINVAL);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_YIELD, child, 4096, 500) == 0);
    release(a); /* with a yield running */
    CHECK(!service.ram.yields && ram_ok(&service.ram));
}

/* ---- at random ---- */

static struct run {
    unsigned gate;
    l4_addr_t start;
    l4_umword_t size;
} runs[RUNS];

static void step_take(unsigned gate)
{
    struct run *r = &runs[random_below(RUNS)];
    l4_umword_t size = (1 + random_below(random_below(4) ? 40 : 900)) << 12;
    unsigned align = random_below(3) ? 0 : 12 + (unsigned)random_below(10);
    l4_umword_t had = left(gate);
    long err;

    if (r->size)
        return;
    err = take(gate, size, SIGMA0_RAM_CONTIGUOUS, align, 0, 0);
    if (err < 0) {
        CHECK(err == -L4_ENOMEM && left(gate) == had);
        return;
    }
    *r = (struct run){gate, answer.mr[SIGMA0_TAKEN_BLOCK], size};
    CHECK(owns(gate, r->start, size) && !(r->start & ((1UL << align) - 1)) &&
          left(gate) == had - size);
    for (unsigned i = 0; i < RUNS; i++)
        CHECK(&runs[i] == r || !runs[i].size || runs[i].start + runs[i].size <= r->start ||
              r->start + r->size <= runs[i].start);
}

static void step_back(unsigned gate)
{
    struct run *r = &runs[random_below(RUNS)];
    l4_umword_t part = random_below(r->size / 4096 + 1) << 12;

    if (r->gate != gate || !r->size) {
        CHECK(!r->size || RAM(gate, SIGMA0_RAM_GIVE_BACK, r->start, 4096) == -L4_EPERM);
        return;
    }
    part = part ? part : r->size;
    if (random_below(2)) {
        CHECK(RAM(gate, SIGMA0_RAM_GIVE_BACK, r->start, part) == 0);
        r->start += part;
    } else {
        CHECK(RAM(gate, SIGMA0_RAM_GIVE_BACK, r->start + r->size - part, part) == 0);
    }
    r->size -= part;
}

TEST(six_accounts_at_random)
{
    unsigned gates[ACCOUNTS] = {0};
    l4_umword_t numbers[ACCOUNTS];

    machine_start(FRAMES, pieces);
    memset(runs, 0, sizeof(runs));
    for (unsigned i = 0; i < STEPS; i++) {
        unsigned n = (unsigned)random_below(ACCOUNTS), what = (unsigned)random_below(20);

        if (!gates[n]) {
            CHECK((gates[n] = account(RAM_ROOT, random_below(9) << 20)) != 0);
            numbers[n] = answer.mr[0];
        } else if (what == 0) {
            release(gates[n]);
            for (unsigned k = 0; k < RUNS; k++)
                runs[k].size = runs[k].gate == gates[n] ? 0 : runs[k].size;
            gates[n] = 0;
        } else if (what == 1) {
            RAM(RAM_ROOT, SIGMA0_RAM_GRANT, numbers[n], random_below(400) << 12);
        } else if (what == 2) {
            RAM(RAM_ROOT, SIGMA0_RAM_RETAKE, numbers[n], random_below(400) << 12);
        } else if (what < 12) {
            step_take(gates[n]);
        } else {
            step_back(gates[n]);
        }
        CHECK(i % 64 || (ram_ok(&service.ram) && buddy_ok(&buddy)));
    }
    CHECK(cleared_most <= RAM_CLEAR_STEP);
}

/* ---- large machines ---- */

static void large(l4_umword_t frames, const l4_umword_t (*machine)[2])
{
    l4_umword_t before, n = 0;
    l4_addr_t start, dma;
    unsigned a;

    machine_start(frames, machine);
    before = service.ram.free_frames;
    a = account(RAM_ROOT, 3UL << 30);
    /* More than a gibibyte in one run; for devices that count to 4 GiB; single pages. */
    CHECK(take(a, (1UL << 30) + 0x5000, SIGMA0_RAM_CONTIGUOUS, 0, 0, 0) == SIGMA0_RAM_MORE);
    start = answer.mr[SIGMA0_TAKEN_BLOCK];
    CHECK(!(start & ((1UL << 30) - 1)) && owns(a, start, (1UL << 30) + 0x5000));
    CHECK(take(a, 3 << 20, SIGMA0_RAM_CONTIGUOUS, 16, 16 << 20, ~0U) == SIGMA0_RAM_MORE);
    dma = answer.mr[SIGMA0_TAKEN_BLOCK];
    CHECK(dma >= 16 << 20 && dma + (3 << 20) <= 1UL << 32);
    while (n < 20000 && take(a, 4096, 0, 0, 0, 0) == 0)
        n++;
    CHECK(n == 20000 && map_all(a, dma, 3 << 20) >= 2);
    CHECK(RAM(a, SIGMA0_RAM_GIVE_BACK, start + 0x1000, 1UL << 30) == 0);
    CHECK(owns(a, start, 4096) && owns(a, start + (1UL << 30) + 0x1000, 0x4000));
    n = release(a);
    CHECK(n <= 4 + frames / RAM_SWEEP_STEP && service.ram.free_frames == before);
    CHECK(ram_ok(&service.ram) && cleared_most <= RAM_CLEAR_STEP);
}

TEST(six_gibibytes_with_holes)
{
    large(0x200000, pc);
}

TEST(a_tebibyte_with_holes)
{
    large(0x10000000, tebibyte);
}

#define TESTS(X)                                                                                   \
    X(any_number_of_pages_in_any_place)                                                            \
    X(every_bad_wish_has_its_error_and_changes_nothing)                                            \
    X(device_memory_goes_back_in_whole_pieces)                                                     \
    X(what_an_undelivered_answer_had_goes_back)                                                    \
    X(half_of_a_block_goes_back_and_the_whole_is_one_again)                                        \
    X(what_is_large_is_cleared_in_steps_and_never_seen_before)                                     \
    X(memory_in_many_pieces)                                                                       \
    X(quota_goes_down_and_up_and_its_sum_stays)                                                    \
    X(who_has_too_little_asks_and_the_parent_decides)                                              \
    X(a_parent_that_ends_leaves_nobody_waiting)                                                    \
    X(a_parent_asks_back_until_a_deadline)                                                         \
    X(six_accounts_at_random)                                                                      \
    X(six_gibibytes_with_holes)                                                                    \
    X(a_tebibyte_with_holes)

TEST_MAIN(no_leaks, TESTS)
