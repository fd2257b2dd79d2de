/*
 * test_calls.c - calls of tasks: every argument that may be missing or wrong, every allocation that
 * may fail, every place where a long call may be interrupted; the table of slots
 */
#include "calls.h"

/* ---- tasks ---- */

TEST(calls_of_a_task_say_what_is_wrong_with_them)
{
    static const unsigned needed[] = {3, 3, 2, 2};

    start();
    CHECK(user_invoke(user, SLOT_OTHER, L4_PROTO_TASK + 1, 3, 0) == -L4_EBADPROTO);
    for (uint64_t op = 0; op < 4; op++)
        for (unsigned words = 0; words <= needed[op]; words++) {
            long err;

            mr[0] = op;
            mr[1] = op == L4_TASK_UNMAP_OP ? L4_FP_ALL_SPACES
                    : op == L4_TASK_ADD_KU_MEM_OP ? fpage_mem(KU_AREA, 12, 6).raw
                                                  : SLOT_GATE << L4_CAP_SHIFT;
            mr[2] = caps(SLOT_GATE, 0, 15);
            user_item(user, words, SLOT_SELF, 15);
            mr[0] = op; /* of no words the item is the first one */
            err = call_task(op == L4_TASK_UNMAP_OP ? SLOT_SELF : SLOT_OTHER, words, words > 2);
            CHECK((err == -L4_EMSGTOOSHORT) == (words < needed[op]));
            CHECK(words < needed[op] || err >= 0);
            CHECK(!!slot_of(self, SLOT_GATE) == (op < 1 || words < 3));
            if (op == L4_TASK_UNMAP_OP && words == 3)
                CHECK(create(L4_PROTO_NONE, 0, SLOT_GATE) == 0);
        }
    for (uint64_t op = 4; op < 7; op++) {
        mr[0] = op;
        CHECK(call_task(SLOT_OTHER, 3, 0) == -L4_ENOSYS);
    }
    stop();
}

TEST(without_the_right_to_a_task_one_may_only_ask_it)
{
    start();
    for (uint64_t op = 0; op < 5; op++) {
        mr[0] = op;
        mr[1] = SLOT_SELF << L4_CAP_SHIFT;
        mr[2] = 0;
        CHECK(call_task(SLOT_WEAK, 3, 0) == (op == L4_TASK_CAP_INFO_OP ? 0 : -L4_EPERM));
    }
    stop();
}

TEST(a_map_call_needs_the_task_that_it_maps_from)
{
    static const struct {
        uint64_t word, slot;
        unsigned items, type;
        long err;
    } cases[] = {
        {L4_ITEM_MAP, SLOT_SELF, 0, L4_FPAGE_OBJ, -L4_EMSGMISSARG},
        {0, SLOT_SELF, 1, L4_FPAGE_OBJ, -L4_EMSGMISSARG},
        {L4_ITEM_MAP, SLOT_SELF, 1, L4_FPAGE_MEMORY, -L4_EMSGMISSARG},
        {L4_ITEM_MAP, SLOT_VOID, 1, L4_FPAGE_OBJ, -L4_ENOENT},
        {L4_ITEM_MAP, 5000, 1, L4_FPAGE_OBJ, -L4_ENOENT},
        {L4_ITEM_MAP, L4_CAP_SLOTS, 1, L4_FPAGE_OBJ, -L4_ENOENT},
        {L4_ITEM_MAP, SLOT_GATE, 1, L4_FPAGE_OBJ, -L4_EINVAL},
        {L4_ITEM_MAP, SLOT_WEAK, 1, L4_FPAGE_OBJ, -L4_EPERM},
        {L4_ITEM_MAP, LAST, 1, L4_FPAGE_OBJ, 0},
        {L4_ITEM_MAP, CAPS_PER_PAGE, 1, L4_FPAGE_OBJ, 0},
        {L4_ITEM_MAP, SLOT_SELF, 1, L4_FPAGE_OBJ, 0},
    };

    start();
    machine_pass(self, SLOT_SELF, self, LAST, 15);
    machine_pass(self, SLOT_SELF, self, CAPS_PER_PAGE, L4_CAP_FPAGE_RS);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        mr[0] = L4_TASK_MAP_OP;
        mr[1] = (40UL << L4_CAP_SHIFT) | L4_ITEM_MAP;
        mr[2] = caps(SLOT_GATE, 0, L4_CAP_FPAGE_RS);
        mr[3] = cases[i].word;
        mr[4] = fpage_make(cases[i].type, cases[i].slot << L4_CAP_SHIFT, 0, 15).raw;
        CHECK(call_task(SLOT_OTHER, 3, cases[i].items) == cases[i].err);
        CHECK(!!slot_of(other, 40) == !cases[i].err);
    }
    user_item(user, 3, SLOT_SELF, 15 & ~L4_CAP_FPAGE_S); /* nor may the item say less */
    CHECK(call_task(SLOT_OTHER, 3, 1) == -L4_EPERM);
    CHECK((slot_of(other, 40)->ref & CAP_RIGHTS) == L4_CAP_FPAGE_RS);
    stop();
}

/* 200 capabilities each way, interrupted at each look. */
TEST(a_long_map_and_a_long_unmap_go_on_where_they_were)
{
    start();
    for (uint64_t i = 0; i < 200; i++)
        machine_pass(self, SLOT_GATE, self, 1024 + i, L4_CAP_FPAGE_RS);
    looks = 0;
    host_window = interrupt;
    CHECK(map(SLOT_OTHER, caps(1024, 8, 15), 2048UL << L4_CAP_SHIFT) == 0);
    CHECK(looks >= 200 / 16 && looks < 64 && user->progress == 0);
    for (uint64_t i = 0; i < 256; i++)
        CHECK(!!slot_of(other, 2048 + i) == (i < 200));
    mr[0] = L4_TASK_UNMAP_OP;
    mr[1] = L4_FP_OTHER_SPACES;
    mr[2] = caps(1024, 8, 15);
    CHECK(call_task(SLOT_SELF, 3, 0) == 0 && answered() == 1 && user->progress == 0);
    CHECK(mr[0] == caps(1024, 8, 0));
    for (uint64_t i = 0; i < 256; i++) {
        CHECK(!slot_of(other, 2048 + i));
        CHECK(!!slot_of(self, 1024 + i) == (i < 200));
    }
    stop();
}

/* An interrupt at each look; behind the first one the task that is called is out of reach. */
static void interrupt_and_revoke(void)
{
    struct unmap_request u = {
        .task = self, .mask = L4_FP_ALL_SPACES, .fp.raw = caps(SLOT_SHORT_LIVED, 0, 15)};

    interrupt();
    if (slot_of(self, SLOT_SHORT_LIVED)) {
        host_window = NULL;
        CHECK(unmap_run(&u) == 0);
        host_window = interrupt_and_revoke;
    }
}

/* How far a call came that ends in the middle is nothing to the next one. */
TEST(a_long_call_whose_task_goes_out_of_reach_leaves_nothing_for_the_next)
{
    for (int maps = 0; maps < 2; maps++) {
        uint64_t all = caps(1024, 6, 15);

        start();
        for (uint64_t i = 0; i < 64; i++)
            machine_pass(self, SLOT_GATE, maps ? self : other, 1024 + i, L4_CAP_FPAGE_RS);
        machine_pass(self, SLOT_OTHER, self, SLOT_SHORT_LIVED, 15);
        looks = 0;
        host_window = interrupt_and_revoke;
        CHECK((maps ? map(SLOT_SHORT_LIVED, all, 1024UL << L4_CAP_SHIFT)
                    : unmap(SLOT_SHORT_LIVED, all)) == -(L4_EIPC_LO + L4_IPC_ENOT_EXISTENT));
        host_window = NULL;
        CHECK(slot_of(other, 1024 + (maps ? 0 : 63)));
        CHECK(unmap(SLOT_OTHER, all) == 0);
        for (uint64_t i = 0; i < 64; i++)
            CHECK(!slot_of(other, 1024 + i));
        stop();
        leaks();
    }
}

/* The same with a walk: 64 descendants of one capability. */
TEST(a_long_unmap_whose_task_goes_out_of_reach_holds_no_walk)
{
    start();
    machine_pass(self, SLOT_GATE, other, 1024, 15);
    for (uint64_t i = 0; i < 64; i++)
        machine_pass(other, 1024, self, 2048 + i, 15);
    machine_pass(self, SLOT_OTHER, self, SLOT_SHORT_LIVED, 15);
    looks = 0;
    host_window = interrupt_and_revoke;
    CHECK(unmap(SLOT_SHORT_LIVED, caps(1024, 0, 15)) == -(L4_EIPC_LO + L4_IPC_ENOT_EXISTENT));
    CHECK(!mapdb_walks);
    stop();
}

/* The same unmap, but what it began at stands in another slot by then. */
static void interrupt_and_grant(void)
{
    struct map_request r;

    interrupt();
    if (!slot_of(other, 1024))
        return;
    host_window = NULL;
    map_request_init(&r, other, self, 1024UL << L4_CAP_SHIFT | L4_MAP_ITEM_GRANT,
                     caps(1024, 0, 15), 0, L4_WHOLE_ADDRESS_SPACE);
    CHECK(map_run(&r) == 0 && !slot_of(other, 1024) && slot_of(self, 1024));
    host_window = interrupt_and_grant;
}

/* With a receive phase behind it the rest may be left to whoever sends next. */
TEST(a_long_unmap_whose_capability_is_granted_away_ends_all_the_same)
{
    for (unsigned way = 0; way < 4; way++) {
        unsigned op = way & 2 ? L4_SYSF_SEND_AND_WAIT : L4_SYSF_CALL;

        start();
        user->flags |= way & 1 ? THREAD_SLOW : 0;
        machine_pass(self, SLOT_GATE, other, 1024, 15);
        for (uint64_t i = 0; i < 64; i++)
            machine_pass(other, 1024, self, 2048 + i, 15);
        looks = 0;
        host_window = interrupt_and_grant;
        mr[0] = L4_TASK_UNMAP_OP;
        mr[1] = L4_FP_OTHER_SPACES;
        mr[2] = caps(1024, 0, 15);
        CHECK(user_call(user, 0, SLOT_OTHER << L4_CAP_SHIFT | op, msgtag(L4_PROTO_TASK, 3, 0, 0),
                        way & 2 ? L4_TIMEOUT_ZERO : 0) == user);
        CHECK(user->state == THREAD_READY && user->progress == 0 && looks > 0);
        CHECK(user_call(user, 0, SLOT_WEAK << L4_CAP_SHIFT | L4_SYSF_SEND,
                        msgtag(L4_PROTO_TASK, 3, 0, 0), 0) == user);
        CHECK(!mapdb_walks && slot_of(self, 1024));
        for (uint64_t i = 0; i < 64; i++)
            CHECK(!slot_of(self, 2048 + i));
        stop();
        leaks();
    }
}

/* A grant with fewer rights takes them from 200 children too, interrupted at each look. */
TEST(a_grant_that_is_interrupted_takes_the_rights_of_all_children)
{
    start();
    machine_pass(self, SLOT_GATE, self, 1024, 15);
    for (uint64_t i = 0; i < 200; i++)
        machine_pass(self, 1024, self, 2048 + i, 15);
    looks = 0;
    host_window = interrupt;
    CHECK(map(SLOT_OTHER, caps(1024, 0, L4_CAP_FPAGE_RO),
              3000UL << L4_CAP_SHIFT | L4_MAP_ITEM_GRANT) == 0);
    CHECK(looks >= 200 / 16 && user->progress == 0);
    CHECK(!slot_of(self, 1024) && slot_of(other, 3000));
    for (uint64_t i = 0; i < 200; i++)
        CHECK((slot_of(self, 2048 + i)->ref & CAP_RIGHTS) == L4_CAP_FPAGE_RO);
    stop();
}

/* Page i of the other task has been read if bit 0 of i is set, and written if bit 1 is. */
static void touch_pages(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        unsigned level;
        pte_t *e = ptab_find(&other->space, FRAMES + i * L4_PAGESIZE, &level);

        CHECK(e);
        *e |= (i & 1 ? PTE_A : 0) | (i & 2 ? PTE_D : 0);
    }
}

static unsigned pages_left(uint64_t n)
{
    unsigned left = 0, level;

    for (uint64_t i = 0; i < n; i++)
        left += ptab_find(&other->space, FRAMES + i * L4_PAGESIZE, &level) != NULL;
    return left;
}

TEST(flexpages_that_are_unmapped_come_back_with_what_was_known_of_them)
{
    enum { MANY = 61 };

    for (unsigned interrupted = 0; interrupted < 2; interrupted++) {
        start();
        for (unsigned n = 1; n <= MANY; n += n < 4 ? 1 : 19) {
            CHECK(map(SLOT_OTHER, fpage_mem(FRAMES, 18, 7).raw, FRAMES) == 0);
            touch_pages(64);
            mr[0] = L4_TASK_UNMAP_OP;
            mr[1] = L4_FP_ALL_SPACES;
            for (unsigned i = 0; i < n; i++)
                mr[2 + i] = fpage_mem(FRAMES + i * L4_PAGESIZE, 12, 7).raw;
            if (n < MANY)
                mr[2 + n] = 0x1234;
            looks = 0;
            host_window = interrupted ? interrupt : NULL;
            CHECK(call_task(SLOT_OTHER, 2 + n, 0) == 0 && answered() == n);
            host_window = NULL;
            CHECK(user->progress == 0 && pages_left(64) == 64 - n);
            for (unsigned i = 0; i < n; i++)
                CHECK(mr[i] == fpage_mem(FRAMES + i * L4_PAGESIZE, 12, i & 3).raw);
            CHECK(n == MANY || mr[2 + n] == 0x1234);
        }
        stop();
        leaks();
    }
}

/* Several flexpages of many pages each: what each has learnt survives the interruptions, and does
 * not spread to the next. */
TEST(long_flexpages_of_one_unmap_are_told_apart)
{
    static const unsigned known[] = {L4_FPAGE_REFERENCED, 0, L4_FPAGE_DIRTY, 0};

    for (unsigned n = 1; n <= 4; n++) {
        start();
        CHECK(map(SLOT_OTHER, fpage_mem(FRAMES, 20, 7).raw, FRAMES) == 0);
        for (unsigned i = 0; i < 4; i++) {
            unsigned level;
            pte_t *e = ptab_find(&other->space, FRAMES + i * (64UL << 12) + 4096, &level);

            *e |= (known[i] & L4_FPAGE_REFERENCED ? PTE_A : 0) |
                  (known[i] & L4_FPAGE_DIRTY ? PTE_D : 0);
        }
        mr[0] = L4_TASK_UNMAP_OP;
        mr[1] = L4_FP_ALL_SPACES;
        for (unsigned i = 0; i < n; i++)
            mr[2 + i] = fpage_mem(FRAMES + i * (64UL << 12), 18, 7).raw;
        looks = 0;
        host_window = interrupt;
        CHECK(call_task(SLOT_OTHER, 2 + n, 0) == 0 && answered() == n);
        CHECK(looks == 4 * n - 1); /* after 16 pages, and between two flexpages */
        CHECK(pages_left(256) == 256 - n * 64);
        for (unsigned i = 0; i < n; i++)
            CHECK(mr[i] == fpage_mem(FRAMES + i * (64UL << 12), 18, known[i]).raw);
        stop();
        leaks();
    }
}

static long info(unsigned words, uint64_t a, uint64_t b)
{
    mr[0] = L4_TASK_CAP_INFO_OP;
    mr[1] = a;
    mr[2] = b;
    return call_task(SLOT_SELF, words, 0);
}

TEST(a_task_tells_which_capabilities_are_there_and_which_are_equal)
{
    uint64_t gate = (uint64_t)SLOT_GATE << L4_CAP_SHIFT, same = 30UL << L4_CAP_SHIFT;
    uint64_t less = 31UL << L4_CAP_SHIFT, empty = 32UL << L4_CAP_SHIFT, far = LAST << L4_CAP_SHIFT;

    start();
    machine_pass(self, SLOT_GATE, self, 30, 15);
    machine_pass(self, SLOT_GATE, self, 31, L4_CAP_FPAGE_R);
    machine_pass(self, SLOT_GATE, self, LAST, 15);
    CHECK(info(2, gate, 0) == 1 && info(2, far, 0) == 1 && info(2, empty, 0) == 0);
    CHECK(info(2, L4_CAP_SLOTS << L4_CAP_SHIFT, 0) == 0 && info(2, 5000UL << 12, 0) == 0);
    CHECK(info(2, ~0UL, 0) == 0);
    CHECK(info(3, gate, same) == 1 && info(3, gate, far) == 1 && info(3, gate, gate) == 1);
    CHECK(info(3, gate, less) == 0 && info(3, gate, empty) == 0 && info(3, empty, gate) == 0);
    CHECK(info(3, empty, empty) == 1 && info(3, empty, 33UL << L4_CAP_SHIFT) == 0);
    CHECK(info(3, 5000UL << 12, gate) == 0 && info(3, gate, ~0xfffUL) == 0);
    for (uint64_t n = L4_CAP_SLOTS; n <= 4UL * L4_CAP_SLOTS; n *= 2) {
        uint64_t behind = far + (n << L4_CAP_SHIFT);

        CHECK(info(2, behind, 0) == 0 && info(3, gate, behind) == 0 && info(3, behind, far) == 0);
    }
    cap_object(slot_of(self, SLOT_GATE))->dying = true; /* as long as the reaper has not come */
    CHECK(info(2, gate, 0) == 0);
    cap_object(slot_of(self, SLOT_GATE))->dying = false;
    stop();
}

/* ---- kernel-user memory ---- */

static long add_memory(uint64_t fp)
{
    mr[0] = L4_TASK_ADD_KU_MEM_OP;
    mr[1] = fp;
    return call_task(SLOT_OTHER, 2, 0);
}

TEST(kernel_user_memory_is_given_where_there_is_room)
{
    uint64_t used;

    start();
    used = factory->quota.used;
    CHECK(add_memory(fpage_mem(KU_AREA, 11, 6).raw) == -L4_EINVAL);
    CHECK(add_memory(fpage_mem(KU_AREA, LIMIT_KU_MEM_ORDER + 1, 6).raw) == -L4_EINVAL);
    CHECK(add_memory(fpage_mem(0, 12, 6).raw) == -L4_EINVAL);
    CHECK(add_memory(fpage_mem(L4_USER_END, 12, 6).raw) == -L4_EINVAL);
    CHECK(add_memory(fpage_mem(~0xfffUL, 12, 6).raw) == -L4_EINVAL);
    CHECK(add_memory(fpage_make(L4_FPAGE_OBJ, KU_AREA, 12, 6).raw) == -L4_EINVAL);
    CHECK(add_memory(fpage_make(L4_FPAGE_IO, KU_AREA, 12, 6).raw) == -L4_EINVAL);
    CHECK(factory->quota.used == used);
    CHECK(add_memory(fpage_mem(L4_USER_END - 4096, 12, 6).raw) == 0);
    CHECK(add_memory(fpage_mem(KU_AREA, LIMIT_KU_MEM_ORDER, 6).raw) == 0);
    CHECK(answered() == 1 && mr[0] == fpage_mem(KU_AREA, LIMIT_KU_MEM_ORDER, 6).raw);
    used = factory->quota.used;
    CHECK(add_memory(fpage_mem(KU_AREA, 12, 6).raw) == -L4_EEXIST);
    CHECK(add_memory(fpage_mem(KU_AREA + 0xf000, 12, 6).raw) == -L4_EEXIST);
    CHECK(add_memory(fpage_mem(KU_AREA + 0x10000, 14, 6).raw) == 0);
    CHECK(add_memory(fpage_mem(KU_AREA + 0x10000, 15, 6).raw) == -L4_EEXIST);
    CHECK(factory->quota.used == used + 4 * 4096 && check_all() == 0);
    stop();
}

TEST(kernel_user_memory_that_does_not_suffice_is_all_given_back)
{
    uint64_t used;
    unsigned level;

    start();
    used = factory->quota.used;
    for (uint64_t n = 1;; n++) {
        long err;

        kmem_fail_some(n, 1);
        err = add_memory(fpage_mem(KU_AREA, 15, 6).raw);
        kmem_fail_nth(0);
        if (!err) {
            CHECK(n > 8 + 2); /* pages, and tables for them */
            break;
        }
        CHECK(err == -L4_ENOMEM && factory->quota.used == used && check_all() == 0);
        for (uint64_t i = 0; i < 8; i++)
            CHECK(!ptab_find(&other->space, KU_AREA + i * 4096, &level));
    }
    stop();
}

/* Clearing is interrupted after each page, and begun again; as many are cleared as the area and its
 * tables need. */
TEST(kernel_user_memory_is_cleared_page_by_page)
{
    start();
    for (unsigned order = 12; order <= LIMIT_KU_MEM_ORDER; order += 2) {
        uint64_t pages = 1UL << (order - 12), calls = self->invocations;

        looks = 0;
        host_window = interrupt;
        CHECK(add_memory(fpage_mem(KU_AREA << (order - 12), order, 6).raw) == 0);
        CHECK(looks >= pages && looks <= pages + 4 + 1);
        CHECK(self->invocations == calls + looks + 1);
    }
    host_window = interrupt;
    looks = 0;
    CHECK(add_memory(fpage_mem(KU_AREA, 40, 6).raw) == -L4_EINVAL && looks == 0);
    stop();
}

TEST(an_address_in_kernel_user_memory_is_known_up_to_the_end_of_its_page)
{
    char *p;

    start();
    CHECK(add_memory(fpage_mem(KU_AREA, 13, 6).raw) == 0);
    p = task_ku_address(other, KU_AREA, 4096);
    CHECK(p && task_ku_address(other, KU_AREA + 100, 8) == p + 100);
    CHECK(task_ku_address(other, KU_AREA + 4088, 8) == p + 4088);
    CHECK(!task_ku_address(other, KU_AREA + 4089, 8) && !task_ku_address(other, KU_AREA, 4097));
    CHECK(task_ku_address(other, KU_AREA + 4096, 4096));
    CHECK(!task_ku_address(other, KU_AREA + 8192, 8) && !task_ku_address(other, L4_USER_END, 8));
    CHECK(!task_ku_address(other, ~0xfffUL, 8) && !task_ku_address(self, FRAMES, 8));
    stop();
}

/* ---- the table of slots ---- */

TEST(a_page_of_slots_lives_as_long_as_something_is_in_it)
{
    static const uint64_t slots[] = {CAPS_PER_PAGE, CAPS_PER_PAGE + 1, 5 * CAPS_PER_PAGE - 1,
                                     LAST};
    enum { N = sizeof(slots) / sizeof(slots[0]) };
    uint64_t used;

    start();
    used = root_factory.quota.used;
    for (unsigned i = 0; i < N; i++) {
        machine_pass(self, SLOT_GATE, self, slots[i], 15);
        CHECK(self->cap_page_count == (i < 2 ? 1 : i));
        CHECK(cap_index(slot_of(self, slots[i])) == slots[i]);
        CHECK(cap_task(slot_of(self, slots[i])) == self);
    }
    CHECK(cap_slot(self, (CAPS_PER_PAGE + 2UL) << 12));
    CHECK(!cap_slot(self, 2UL * CAPS_PER_PAGE << 12));
    for (unsigned i = 0; i < N; i++) {
        delete(slots[i]);
        CHECK(self->cap_page_count == (i < 1 ? 3 : N - 1 - i) && check_all() == 0);
    }
    CHECK(!self->cap_pages && root_factory.quota.used == used);
    for (uint64_t i = 0; i < 2; i++)
        machine_pass(self, SLOT_GATE, self, LAST - i, 15);
    for (uint64_t i = 0; i < 2; i++) { /* granted to the first page, one after the other */
        CHECK(self->cap_page_count == 1);
        mr[1] = (40 + i) << L4_CAP_SHIFT;
        CHECK(map(SLOT_SELF, caps(LAST - i, 0, 15), mr[1] | L4_MAP_ITEM_GRANT) == 0);
        CHECK(slot_of(self, 40 + i) && !slot_of(self, LAST - i));
    }
    CHECK(!self->cap_pages && check_all() == 0);
    delete(40);
    delete(41);
    CHECK(root_factory.quota.used == used);
    CHECK(!cap_slot_make(self, L4_CAP_SLOTS) && root_factory.quota.used == used);
    stop();
}

/* A task dies with capabilities in its first and last slots, and on pages between. */
TEST(a_task_that_dies_leaves_no_capability_behind)
{
    static const uint64_t slots[] = {0, 1, 7, 8, 9, CAPS_PER_PAGE - 1, CAPS_PER_PAGE,
                                     2 * CAPS_PER_PAGE - 1, 7 * CAPS_PER_PAGE, LAST};
    enum { N = sizeof(slots) / sizeof(slots[0]) };

    for (unsigned interrupted = 0; interrupted < 2; interrupted++)
        for (unsigned first = 0; first < N; first++) {
            uint64_t used, refs;

            start();
            refs = cap_object(slot_of(self, SLOT_GATE))->refs;
            for (unsigned i = first; i < N; i++) {
                machine_pass(self, SLOT_GATE, other, slots[i], 15);
                machine_pass(other, slots[i], self, 5000 + i, 15); /* and what stems from it */
            }
            CHECK(cap_object(slot_of(self, SLOT_GATE))->refs == refs + 2 * (N - first));
            host_window = interrupted ? interrupt : NULL;
            looks = 0;
            used = root_factory.quota.used;
            delete(SLOT_OTHER);
            CHECK(cap_object(slot_of(self, SLOT_GATE))->refs == refs && !slot_of(self, SLOT_WEAK));
            CHECK(!self->cap_pages && root_factory.quota.used < used && factory->users == 1);
            CHECK(factory->quota.used == sizeof(struct gate));
            stop();
            leaks();
        }
}

/* A page taken out of a mapping of 1 GiB: what is left of it stands in tables of all sizes. */
TEST(a_task_that_dies_leaves_no_piece_of_a_mapping_behind)
{
    enum { GIB = 30 };
    const uint64_t at = 4UL << GIB;

    for (unsigned interrupted = 0; interrupted < 2; interrupted++) {
        start();
        CHECK(map_roots(self, at, at + (1UL << GIB), L4_FPAGE_RWX, true) == 0);
        CHECK(map(SLOT_OTHER, fpage_mem(at, GIB, 7).raw, at) == 0);
        mr[0] = L4_TASK_UNMAP_OP;
        mr[1] = L4_FP_ALL_SPACES;
        mr[2] = fpage_mem(at + 0x205000, 12, 7).raw;
        CHECK(call_task(SLOT_OTHER, 3, 0) == 0 && check_all() == 0);
        host_window = interrupted ? interrupt : NULL;
        looks = 0;
        delete(SLOT_OTHER);
        CHECK(factory->quota.used == sizeof(struct gate));
        stop();
        leaks();
    }
}

#define TESTS(X)                                                                                  \
    X(calls_of_a_task_say_what_is_wrong_with_them)                                                \
    X(without_the_right_to_a_task_one_may_only_ask_it)                                            \
    X(a_map_call_needs_the_task_that_it_maps_from)                                                \
    X(a_long_map_and_a_long_unmap_go_on_where_they_were)                                          \
    X(a_long_call_whose_task_goes_out_of_reach_leaves_nothing_for_the_next)                       \
    X(a_long_unmap_whose_task_goes_out_of_reach_holds_no_walk)                                    \
    X(a_long_unmap_whose_capability_is_granted_away_ends_all_the_same)                            \
    X(a_grant_that_is_interrupted_takes_the_rights_of_all_children)                               \
    X(flexpages_that_are_unmapped_come_back_with_what_was_known_of_them)                          \
    X(long_flexpages_of_one_unmap_are_told_apart)                                                 \
    X(a_task_tells_which_capabilities_are_there_and_which_are_equal)                              \
    X(kernel_user_memory_is_given_where_there_is_room)                                            \
    X(kernel_user_memory_that_does_not_suffice_is_all_given_back)                                 \
    X(kernel_user_memory_is_cleared_page_by_page)                                                 \
    X(an_address_in_kernel_user_memory_is_known_up_to_the_end_of_its_page)                        \
    X(a_page_of_slots_lives_as_long_as_something_is_in_it)                                        \
    X(a_task_that_dies_leaves_no_capability_behind)                                               \
    X(a_task_that_dies_leaves_no_piece_of_a_mapping_behind)

TEST_MAIN(leaks, TESTS)
