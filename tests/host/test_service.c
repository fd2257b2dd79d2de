/*
 * test_service.c - the root pager's rare ways: ports, devices, undone answers, lost gates, bugs
 */
#include "sigma0_machine.h"

enum { MIB = 256 /* frames */, FRAMES = 64 * MIB, HOLE = 32 * MIB, HOLE_END = HOLE + 64, KIP = 3 };
static const l4_umword_t pieces[][2] = {{LOW_FIRST, HOLE}, {HOLE_END, FRAMES}, {0, 0}};
/* Room for runs longer than a gibibyte. */
enum { GIB = 0x40000 /* frames */, PC_END = 5 * GIB };
static const l4_umword_t pc[][2] = {{0x10, 0x9f}, {0x100, PC_END}, {0, 0}};
static const l4_umword_t wide[][2] = {{0x10, 0x9f}, {0x100, 32 * GIB}, {0, 0}};

static long ask(unsigned gate, unsigned op, l4_umword_t raw)
{
    return SEND(gate, L4_PROTO_SIGMA0, ~0xffUL | op, raw);
}

static l4_umword_t flexpage(l4_addr_t start, unsigned order)
{
    return start | order << L4_FPAGE_SIZE_SHIFT | L4_FPAGE_MEMORY << L4_FPAGE_TYPE_SHIFT;
}

static long device(unsigned gate, l4_addr_t start, unsigned order)
{
    return ask(gate, SIGMA0_REQ_ID_FPAGE_IOMEM, flexpage(start, order));
}

static l4_umword_t port_page(l4_umword_t first, unsigned order)
{
    return first << L4_FPAGE_ADDR_SHIFT | order << L4_FPAGE_SIZE_SHIFT |
           L4_FPAGE_IO << L4_FPAGE_TYPE_SHIFT;
}

static long take(unsigned gate, l4_umword_t size, unsigned flags, unsigned align)
{
    return RAM(gate, SIGMA0_RAM_TAKE, size, flags | align << 8, 0, 0, 0);
}

static l4_umword_t number_of(unsigned gate)
{
    return account_find(&service.ram, gate)->number;
}

static void start_anew(void)
{
    machine_start(FRAMES, pieces);
    receive_slot = RCV_SLOT;
}

TEST(ports_are_the_root_clients_and_all_of_them)
{
    unsigned a;

    start_anew();
    a = account(RAM_ROOT, 1 << 20);
    CHECK(SEND(RAM_ROOT, L4_PROTO_IO_PAGE_FAULT, port_page(0x3f8, 3)) == 0);
    CHECK(answer.item == ANSWER_PORTS && answer.piece[0].start == 0x3f8 &&
          answer.piece[0].order == 3);
    CHECK(ask(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_IOMEM, port_page(0, 16)) == 0);
    CHECK(answer.item == ANSWER_PORTS && answer.piece[0].order == 16);
    CHECK(SEND(RAM_ROOT, L4_PROTO_IO_PAGE_FAULT, port_page(0xffff, 0)) == 0);
    CHECK(SEND(RAM_ROOT, L4_PROTO_IO_PAGE_FAULT, port_page(0xffff, 1)) == -L4_EINVAL);
    CHECK(SEND(RAM_ROOT, L4_PROTO_IO_PAGE_FAULT, port_page(0, 17)) == -L4_EINVAL);
    CHECK(SEND(RAM_ROOT, L4_PROTO_IO_PAGE_FAULT, flexpage(0x20000, 12)) == -L4_EINVAL);
    CHECK(SEND(a, L4_PROTO_IO_PAGE_FAULT, port_page(0x3f8, 3)) == -L4_ENOMEM);
    CHECK(ask(a, SIGMA0_REQ_ID_FPAGE_IOMEM, port_page(0x3f8, 3)) == -L4_ENOMEM);
    CHECK(ask(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, port_page(0x20000, 12)) == -L4_EINVAL);
    CHECK(ask(RAM_ROOT, 0x50, 0) == -L4_ENOSYS);
    dumps = 0;
    CHECK(ask(RAM_ROOT, SIGMA0_REQ_ID_DEBUG_DUMP, 0) == 0 && dumps == 1);
}

TEST(device_memory_goes_back_as_it_was_claimed)
{
    l4_addr_t at = HOLE << 12;
    unsigned a, b;

    start_anew();
    a = account(RAM_ROOT, 1 << 20);
    b = account(RAM_ROOT, 1 << 20);
    CHECK(device(a, at + 0x1000, 13) == -L4_EINVAL && device(a, at, 11) == -L4_EINVAL);
    CHECK(device(a, at, 48) == -L4_EINVAL && service.ram.device_count == 0);
    CHECK(device(a, at, 13) == 0 && device(a, at + 0x1000, 12) == 0);
    CHECK(service.ram.device_count == 1); /* within a piece of its own: nothing new */
    CHECK(device(a, at + 0x8000, 13) == 0 && device(b, at + 0x4000, 13) == 0);
    CHECK(device(a, at, 14) == 0); /* around one of its own */
    CHECK(service.ram.device_count == 4 && device(b, at, 12) == -L4_ENOMEM);
    CHECK(RAM(b, SIGMA0_RAM_GIVE_BACK, at, 0x4000) == -L4_EPERM);
    CHECK(RAM(a, SIGMA0_RAM_GIVE_BACK, at, 0x1000) == -L4_EPERM);
    CHECK(RAM(a, SIGMA0_RAM_GIVE_BACK, at + 0x1000, 0x1000) == -L4_EPERM);
    CHECK(RAM(a, SIGMA0_RAM_GIVE_BACK, at, 0x4000) == 0 && service.ram.device_count == 2);
    CHECK(RAM(a, SIGMA0_RAM_GIVE_BACK, at, 0x4000) == -L4_EPERM);
    release(a);
    CHECK(service.ram.device_count == 1 && device(b, at, 13) == 0);
    /* The last that there can be, above all RAM. */
    for (unsigned i = 2; i < RAM_DEVICES_MAX; i++)
        CHECK(device(b, 0xe0000000UL + i * 0x2000UL, 12) == 0);
    CHECK(device(b, 0xd0000000UL, 12) == -L4_ENOMEM);
    CHECK(RAM(b, SIGMA0_RAM_GIVE_BACK, 0xe0004000UL, 0x1000) == 0);
    CHECK(device(b, 0xd0000000UL, 12) == 0);
    release(b);
    CHECK(!service.ram.devices && ram_ok(&service.ram));
}

TEST(what_nobody_received_goes_back)
{
    struct answer lost;
    unsigned a, b;

    start_anew();
    a = account(RAM_ROOT, 1 << 20);
    CHECK(take(a, 5 << 12, 0, 0) == 0 && answer.fresh == number_of(a));
    lost = answer;
    request_undo(&service, &lost);
    CHECK(account_find(&service.ram, a)->frames == 0 && ram_ok(&service.ram));
    /* Memory that it had before stays. */
    CHECK(ask(a, SIGMA0_REQ_ID_FPAGE_RAM, flexpage(0x40000, 13)) == 0);
    request_undo(&service, &answer);
    CHECK(account_find(&service.ram, a)->frames == 2);
    CHECK(ask(a, SIGMA0_REQ_ID_FPAGE_ANY, flexpage(0, 13)) == 0);
    lost = answer;
    /* The account is gone, and then another has its slot. */
    release(a);
    request_undo(&service, &lost);
    b = account(RAM_ROOT, 1 << 20);
    CHECK(b == a && ask(b, SIGMA0_REQ_ID_FPAGE_RAM, flexpage(lost.piece[0].start, 13)) == 0);
    request_undo(&service, &lost);
    CHECK(account_find(&service.ram, b)->frames == 2 && ram_ok(&service.ram));
}

TEST(who_is_ending_can_only_be_released)
{
    l4_umword_t numbers[2];
    unsigned a, b;

    machine_start(PC_END, pc);
    a = account(RAM_ROOT, 4UL << 30);
    numbers[0] = answer.mr[0];
    b = account(a, 2UL << 30);
    numbers[1] = answer.mr[0];
    /* Four blocks, of which a step gives back one. */
    CHECK(take(b, 15UL << 27, SIGMA0_RAM_CONTIGUOUS, 0) == SIGMA0_RAM_MORE);
    CHECK(RAM(b, SIGMA0_RAM_RELEASE) == SIGMA0_RAM_MORE && answer.mr[0] == 7UL << 27);
    CHECK(RAM(b, SIGMA0_RAM_QUERY) == -L4_EACCESS);
    CHECK(SEND(b, L4_PROTO_PAGE_FAULT, 0x20000, 0) == -L4_EACCESS);
    CHECK(message(b, 0, L4RE_PROTO_MEM_ALLOC, 0, numbers) == -L4_EACCESS);
    CHECK(RAM(a, SIGMA0_RAM_GRANT, numbers[1], 4096) == -L4_ENOENT);
    /* Its parent ends, too, while the child still has frames. */
    CHECK(RAM(a, SIGMA0_RAM_RELEASE) == SIGMA0_RAM_MORE);
    CHECK(account_find(&service.ram, a) && account_find(&service.ram, b)->frames == 1 << 15);
    CHECK(account_child(&service.ram, service.ram.root, numbers[0]) == NULL);
    CHECK(release(a) == 2); /* the child goes in the first step, then the parent */
    CHECK(!account_find(&service.ram, a) && !account_find(&service.ram, b));
    /* A number of one that was before in the same slot. */
    a = account(RAM_ROOT, 4096);
    CHECK(answer.mr[0] != numbers[0] && (answer.mr[0] & 0xffff) == (numbers[0] & 0xffff));
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GRANT, numbers[0], 4096) == -L4_ENOENT);
    CHECK(ram_ok(&service.ram));
}

TEST(deleted_gates_make_room_for_what_is_asked)
{
    l4_umword_t all;
    unsigned a[3];

    machine_start(PC_END, pc);
    all = account_left(service.ram.root);
    for (unsigned i = 0; i < 3; i++)
        CHECK((a[i] = account(RAM_ROOT, 1UL << 30)) != 0);
    CHECK(take(a[1], 1UL << 29, SIGMA0_RAM_CONTIGUOUS, 29) == SIGMA0_RAM_MORE);
    /* A new child needs the quota of two that are gone. */
    service.ram.checked = 100; /* the regular look comes late */
    gone[a[0]] = gone[a[1]] = true;
    CHECK((a[0] = account(RAM_ROOT, all - (1UL << 30))) != 0);
    CHECK(service.ram.account_count == 3);
    CHECK(!account(RAM_ROOT, 4096) && answer.label == -L4_ENOMEM);
    /* So does memory of one's own: in steps, with the same message. */
    service.ram.checked = 100;
    gone[a[0]] = true;
    CHECK(take(RAM_ROOT, 4096, 0, 0) == SIGMA0_RAM_MORE && answer.words == 1);
    CHECK(take(RAM_ROOT, 4096, 0, 0) == 0 && service.ram.account_count == 2);
    release(a[2]);
    /* More pieces than sixteen steps give back: then not yet. */
    a[0] = account(RAM_ROOT, 2UL << 30);
    for (unsigned i = 0; i < 20; i++)
        CHECK(RAM(a[0], SIGMA0_RAM_ALLOC, 25) == 0 && RAM(RAM_ROOT, SIGMA0_RAM_ALLOC, 25) == 0);
    service.ram.checked = 100;
    gone[a[0]] = true;
    CHECK(!account(RAM_ROOT, 4UL << 30) && answer.label == -L4_ENOMEM);
    CHECK((a[0] = account(RAM_ROOT, 4UL << 30)) != 0 && ram_ok(&service.ram));
}

TEST(more_than_an_answer_holds_comes_in_steps)
{
    l4_addr_t start;
    l4_umword_t done;
    unsigned a;

    machine_start(32UL * GIB, wide);
    a = account(RAM_ROOT, 30UL << 30);
    /* More blocks than items: MAP says where they are. */
    CHECK(take(a, (22UL << 30) + 0x1000, SIGMA0_RAM_CONTIGUOUS, 0) == SIGMA0_RAM_MORE);
    start = answer.mr[SIGMA0_TAKEN_BLOCK];
    CHECK(answer.item == ANSWER_NO_ITEM && answer.words == 2);
    /* As if it were clear already: from one page behind a gibibyte, more and more and less. */
    for (l4_umword_t f = start >> 12; f < (start >> 12) + 3UL * GIB; f++)
        owner[f] = (l4_uint16_t)a;
    CHECK(RAM(a, SIGMA0_RAM_MAP, start + 0x1000, (1UL << 30) - 0x2000, 0, start) ==
          SIGMA0_RAM_MORE);
    done = answer.mr[0];
    CHECK(answer.items == RAM_BLOCKS_MAX && done < (1UL << 30) - 0x2000 && cleared == 0);
    CHECK(RAM(a, SIGMA0_RAM_MAP, start + 0x1000, (1UL << 30) - 0x2000, done, start) == 0);
    CHECK(answer.items == 2 * 17 - RAM_BLOCKS_MAX && answer.mr[0] == (1UL << 30) - 0x2000);
    /* Not more than a gibibyte of owners is looked at. */
    CHECK(RAM(a, SIGMA0_RAM_MAP, start, 3UL << 30, 0, start) == SIGMA0_RAM_MORE);
    CHECK(answer.items == 1 && answer.mr[0] == 1UL << 30);
    CHECK(RAM(a, SIGMA0_RAM_GIVE_BACK, start, 3UL << 30) == SIGMA0_RAM_MORE);
    CHECK(answer.mr[0] == RAM_LOOK_STEP && !ram_owns(&service.ram, account_find(&service.ram, a),
                                                     start, start + 4096));
    CHECK(RAM(a, SIGMA0_RAM_GIVE_BACK, start + (1UL << 30), 2UL << 30) == SIGMA0_RAM_MORE);
    CHECK(RAM(a, SIGMA0_RAM_GIVE_BACK, start + (2UL << 30), 1UL << 30) == 0);
    /* The next run is further than one look. */
    CHECK(RAM(a, SIGMA0_RAM_NEXT, start) == SIGMA0_RAM_MORE && answer.mr[0] == start + (1UL << 30));
    CHECK(RAM(a, SIGMA0_RAM_NEXT, start + (2UL << 30)) == 0);
    CHECK(answer.mr[0] == start + (3UL << 30) && answer.mr[1] == 1UL << 30);
    CHECK(RAM(a, SIGMA0_RAM_NEXT, start + 1) == -L4_EINVAL);
    release(a);
    CHECK(ram_ok(&service.ram));
}

TEST(malformed_messages_have_their_errors)
{
    start_anew();
    CHECK(SEND(RAM_ROOT, L4_PROTO_FACTORY, (l4_umword_t)L4_PROTO_SIGMA0, 8 << 16 | 3, 4096) ==
          -L4_EINVAL); /* a string */
    CHECK(SEND(RAM_ROOT, L4_PROTO_FACTORY, (l4_umword_t)L4_PROTO_SIGMA0, 4 << 16 | 1, 4096) ==
          -L4_EINVAL);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_ALLOC, 11) == -L4_EINVAL);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_ALLOC, 48) == -L4_EINVAL);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_ALLOC, 1UL << 32) == -L4_EINVAL);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_FREE, flexpage(0x20000, 11)) == -L4_EINVAL);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_FREE, flexpage(0x21000, 13)) == -L4_EINVAL);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_FREE, flexpage(0x20000, 12)) == -L4_EPERM);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_MAP, FRAMES << 12, 4096, 0, 0) == -L4_EPERM);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_MAP, 0x20000, 4096, ~0x1ffffUL, 0) == -L4_ERANGE);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_MAP, 0x20000, 8192, 0, ~0xfffUL) == -L4_ERANGE);
    CHECK(ask(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, flexpage(0x800000000000, 47)) == -L4_EINVAL);
    CHECK(SEND(RAM_ROOT, L4_PROTO_PAGE_FAULT, ~0UL) == -L4_EINVAL);
    no_gate = true;
    CHECK(account(RAM_ROOT, 4096) == 0 && answer.label == -L4_ENOMEM);
    CHECK(service.ram.account_count == 1 && ram_ok(&service.ram));
}

TEST(without_steps_no_more_is_cleared_than_a_request_may_take)
{
    l4_addr_t at = 1UL << 30;

    machine_start(PC_END, pc);
    CHECK(ask(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, flexpage(at, 26)) == -L4_ENOMEM);
    CHECK(ask(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, flexpage(at, 25)) == 0 && cleared == 1 << 25);
    CHECK(ask(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, flexpage(at, 26)) == 0 && cleared == 1 << 25);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_ALLOC, 26) == -L4_ENOMEM);
    /* Pages that are the client's, but not clear, count. */
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_TAKE, 64 << 20, SIGMA0_RAM_CONTIGUOUS, at * 2, 0, 0) ==
          SIGMA0_RAM_MORE);
    CHECK(ask(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, flexpage(at * 2, 26)) == -L4_ENOMEM);
    CHECK(ask(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, flexpage(at * 2, 21)) == 0 &&
          cleared == 2 << 20);
    CHECK(ram_ok(&service.ram));
}

/* ---- quota ---- */

static unsigned listener(unsigned gate)
{
    unsigned slot = receive_slot;

    CHECK(RAM_WITH(gate, SIGMA0_RAM_WATCH) == 0);
    return slot;
}

static long beg(unsigned gate, l4_umword_t size)
{
    return RAM_WITH(gate, SIGMA0_RAM_TAKE, size, SIGMA0_RAM_WAIT, 0, 0, 0);
}

static void next_news(unsigned gate, unsigned kind, l4_umword_t child)
{
    CHECK(RAM(gate, SIGMA0_RAM_NEWS) == 0);
    CHECK(answer.mr[SIGMA0_NEWS_KIND] == kind && answer.mr[SIGMA0_NEWS_CHILD] == child);
}

TEST(news_of_several_children_come_in_order_and_without_those_that_gave_up)
{
    unsigned gate[4];
    l4_umword_t child[4];

    start_anew();
    listener(RAM_ROOT);
    for (unsigned i = 0; i < 4; i++) {
        gate[i] = account(RAM_ROOT, 1 << 20);
        child[i] = answer.mr[0];
    }
    for (unsigned i = 0; i < 4; i++)
        CHECK(beg(gate[i], 2 << 20) == -L4_EAGAIN);
    CHECK(RAM(gate[3], SIGMA0_RAM_CANCEL) == 0);            /* the last */
    CHECK(RAM(gate[1], SIGMA0_RAM_CANCEL) == 0);            /* in the middle */
    CHECK(beg(gate[3], 2 << 20) == -L4_EAGAIN);             /* once more */
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_DENY, child[0]) == 0);   /* the first */
    next_news(RAM_ROOT, SIGMA0_NEWS_REQUEST, child[2]);
    next_news(RAM_ROOT, SIGMA0_NEWS_REQUEST, child[3]);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_NEWS) == -L4_ENOENT);
    CHECK(beg(RAM_ROOT, 1UL << 40) == -L4_ENOMEM);          /* there is nobody above it */
    CHECK(ram_ok(&service.ram));
}

TEST(several_yields_run_at_a_time_and_the_earliest_ends_first)
{
    unsigned gate[3];
    l4_umword_t child[3];

    start_anew();
    for (unsigned i = 0; i < 3; i++) {
        gate[i] = account(RAM_ROOT, 1 << 20);
        child[i] = answer.mr[0];
        CHECK(RAM(RAM_ROOT, SIGMA0_RAM_YIELD, child[i], 1 << 20, i == 1 ? 10 : 20 + i) == 0);
    }
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_YIELD, child[0], 0, 5) == -L4_EINVAL);
    CHECK(quota_expire(&service.ram, now) == now + 10);
    now += 10;
    CHECK(quota_expire(&service.ram, now) == now + 10); /* of the first, then of the third */
    next_news(RAM_ROOT, SIGMA0_NEWS_EXPIRED, child[1]);
    CHECK(RAM(gate[2], SIGMA0_RAM_NEWS) == 0 && RAM(gate[2], SIGMA0_RAM_NEWS) == -L4_ENOENT);
    CHECK(RAM(gate[0], SIGMA0_RAM_GRANT, 0, 1 << 20) == 0); /* the last of the list */
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_YIELD, child[0], 4096, 1) == -L4_EINVAL); /* it has nothing */
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_GRANT, child[0], 4096) == 0);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_YIELD, child[0], 4096, 1) == -L4_EBUSY); /* unread news */
    next_news(RAM_ROOT, SIGMA0_NEWS_YIELDED, child[0]);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_YIELD, child[0], 4096, 1) == 0);
    now += 100;
    CHECK(quota_expire(&service.ram, now) == 0 && !service.ram.yields && ram_ok(&service.ram));
    next_news(RAM_ROOT, SIGMA0_NEWS_EXPIRED, child[0]);
    next_news(RAM_ROOT, SIGMA0_NEWS_EXPIRED, child[2]);
    CHECK(RAM(RAM_ROOT, SIGMA0_RAM_NEWS) == -L4_ENOENT);
}

/* ---- start, and what only a bug brings about ---- */

static void empty_machine(l4_umword_t frames)
{
    machine_start(FRAMES, pieces);
    buddy_init(&buddy, meta, 0, frames);
    ram_init(&service.ram, &buddy, owner, frames);
}

TEST(a_machine_with_too_little_memory_is_refused)
{
    /* As much as sigma0 may keep for itself. */
    empty_machine(FRAMES);
    ram_add(&service.ram, LOW_FIRST << 12, (LOW_FIRST + POOL_KEPT) << 12);
    CHECK(!ram_open(&service.ram));
    empty_machine(FRAMES);
    ram_add(&service.ram, LOW_FIRST << 12, LOW_FIRST << 12); /* nothing */
    CHECK(service.ram.free_frames == 0 && !pool_init(&service.ram));
    /* Enough, but no block for a node of slots. */
    empty_machine(FRAMES);
    for (l4_umword_t f = LOW_FIRST; f < LOW_FIRST + 4 * POOL_KEPT; f += 2)
        ram_add(&service.ram, f << 12, (f + 1) << 12);
    CHECK(service.ram.free_frames == 2 * POOL_KEPT);
    CHECK(!ram_open(&service.ram) && !pool_init(&service.ram));
    /* Nobody's are only frames that were free. */
    empty_machine(FRAMES);
    ram_add(&service.ram, LOW_FIRST << 12, LOW_END << 12);
    ram_withdraw(&service.ram, (LOW_FIRST - 4) << 12, (LOW_FIRST + 4) << 12);
    ram_withdraw(&service.ram, LOW_FIRST << 12, (LOW_FIRST + 8) << 12);
    CHECK(service.ram.free_frames == LOW_END - LOW_FIRST - 8 && owner[LOW_FIRST - 1] == RAM_ABSENT);
}

static bool is_bug(void (*wrong)(void), const char *text)
{
    start_anew();
    if (!setjmp(on_bug))
        wrong();
    return bug && strcmp(bug, text) == 0;
}

static void added_twice(void)
{
    ram_add(&service.ram, 0x800000, 0x801000);
}

static void not_in_the_buddy(void)
{
    CHECK(buddy_alloc_at(&buddy, 0x800, 0) == 0);
    ask(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, flexpage(0x800000, 12));
}

static void withdrawn_from_the_buddy(void)
{
    CHECK(buddy_alloc_at(&buddy, 0x800, 0) == 0);
    ram_withdraw(&service.ram, 0x800000, 0x801000);
}

static void freed_behind_its_back(void)
{
    CHECK(ask(RAM_ROOT, SIGMA0_REQ_ID_FPAGE_RAM, flexpage(0x800000, 12)) == 0);
    CHECK(buddy_free(&buddy, 0x800, 0) == 0);
    RAM(RAM_ROOT, SIGMA0_RAM_FREE, flexpage(0x800000, 12));
}

static void reserve_lost(void)
{
    service.ram.pool.spare[POOL_SMALL] = 0;
    service.ram.pool.frames = POOL_KEPT;
    ask(RAM_ROOT, SIGMA0_REQ_ID_KIP, 0);
}

TEST(what_cannot_be_is_a_bug_with_a_sentence)
{
    CHECK(is_bug(added_twice, "memory is added twice"));
    CHECK(is_bug(not_in_the_buddy, "a free frame is not in the buddy"));
    CHECK(is_bug(withdrawn_from_the_buddy, "a free frame is not in the buddy"));
    CHECK(is_bug(freed_behind_its_back, "a frame is freed twice"));
    CHECK(is_bug(reserve_lost, "the reserve is used up"));
}

#define TESTS(X)                                                                                   \
    X(ports_are_the_root_clients_and_all_of_them)                                                  \
    X(device_memory_goes_back_as_it_was_claimed)                                                   \
    X(what_nobody_received_goes_back)                                                              \
    X(who_is_ending_can_only_be_released)                                                          \
    X(deleted_gates_make_room_for_what_is_asked)                                                   \
    X(more_than_an_answer_holds_comes_in_steps)                                                    \
    X(malformed_messages_have_their_errors)                                                        \
    X(without_steps_no_more_is_cleared_than_a_request_may_take)                                    \
    X(news_of_several_children_come_in_order_and_without_those_that_gave_up)                       \
    X(several_yields_run_at_a_time_and_the_earliest_ends_first)                                    \
    X(a_machine_with_too_little_memory_is_refused)                                                 \
    X(what_cannot_be_is_a_bug_with_a_sentence)

TEST_MAIN(no_leaks, TESTS)
