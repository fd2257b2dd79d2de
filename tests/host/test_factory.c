/*
 * test_factory.c - calls of factories: what they are told and what may be wrong with it, what the
 * new object costs
 */
#include "calls.h"

static long make(long protocol, unsigned words, unsigned items)
{
    mr[0] = (uint64_t)protocol;
    return user_invoke(user, SLOT_FACTORY, L4_PROTO_FACTORY, words, items);
}

TEST(calls_of_a_factory_say_what_is_wrong_with_them)
{
    uint64_t used;

    start();
    used = factory->quota.used;
    set_window(NEW);
    mr[0] = (uint64_t)L4_PROTO_NONE;
    CHECK(user_invoke(user, SLOT_FACTORY, L4_PROTO_TASK, 1, 0) == -L4_EBADPROTO);
    CHECK(make(L4_PROTO_NONE, 0, 0) == -L4_EMSGTOOSHORT);
    CHECK(make(L4_PROTO_LOG, 1, 0) == -L4_ENODEV && make(7, 1, 0) == -L4_ENODEV);
    mr[1] = 9 << 16 | L4_VARG_TYPE_STRING; /* two words, but one is there */
    CHECK(make(L4_PROTO_NONE, 3, 0) == -L4_EMSGTOOSHORT);
    CHECK(make(L4_PROTO_NONE, 2, 0) == -L4_EMSGTOOSHORT);
    mr[1] = 0xffffUL << 16 | L4_VARG_TYPE_STRING;
    CHECK(make(L4_PROTO_NONE, 63, 0) == -L4_EMSGTOOSHORT);
    CHECK(make(L4_PROTO_FACTORY, 1, 0) == -L4_EINVAL); /* no limit */
    mr[1] = 8 << 16 | L4_VARG_TYPE_FPAGE;
    CHECK(make(L4_PROTO_FACTORY, 3, 0) == -L4_EINVAL);
    user->utcb->buf.br[0] = L4_ITEM_MAP;
    for (unsigned type = 0; type < 3; type++) {
        user->utcb->buf.br[1] = fpage_make(type, NEW << 12, 0, 0).raw;
        CHECK(make(L4_PROTO_NONE, 1, 0) == -L4_EMSGMISSARG);
    }
    user->utcb->buf.br[0] = NEW << 12;
    CHECK(make(L4_PROTO_NONE, 1, 0) == -L4_EMSGMISSARG);
    CHECK(!slot_of(self, NEW) && factory->quota.used == used && factory->users == 2);
    stop();
}

/* Arguments have a length in bytes, and stand one behind the other. */
TEST(arguments_are_found_behind_one_another)
{
    static const struct {
        uint64_t words[9];
        unsigned n;
        uint64_t label;
    } cases[] = {
        {{0}, 1, 0},
        {{0, 8 << 16 | 1, 0x1230}, 3, 0x1230},
        {{0, 1 << 16 | 1, 0x1230}, 3, 0x1230},
        {{0, 0 << 16 | 1, 0x1230}, 2, 0},
        {{0, 0 << 16 | 1, 8 << 16 | 1, 0x1230}, 4, 0},
        {{0, 16 << 16 | 2, 0x1230, 0x4560}, 4, 0x1230},
        {{0, 8 << 16 | 1, 0x10, 8 << 16 | 1, 0x20, 1, 1, 1}, 8, 0x10},
    };

    start();
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memcpy(mr, cases[i].words, sizeof(cases[i].words));
        set_window(NEW);
        CHECK(make(L4_PROTO_NONE, cases[i].n, 0) == 0 && answered() == 0);
        CHECK(gate_of(cap_object(slot_of(self, NEW)))->label == cases[i].label);
    }
    mr[1] = 8 << 16 | L4_VARG_TYPE_UMWORD; /* behind the end of the message */
    mr[2] = 0x660;
    CHECK(make(L4_PROTO_NONE, 1, 0) == 0);
    CHECK(gate_of(cap_object(slot_of(self, NEW)))->label == 0);
    CHECK(make(L4_PROTO_FACTORY, 1, 0) == -L4_EINVAL);
    memcpy(mr, cases[6].words, sizeof(cases[6].words)); /* four are read */
    mr[7] = 9 << 16;
    CHECK(make(L4_PROTO_NONE, 8, 0) == 0);
    memcpy(mr, cases[6].words, sizeof(cases[6].words));
    mr[6] = 9 << 16;
    CHECK(make(L4_PROTO_NONE, 8, 0) == -L4_EMSGTOOSHORT);
    stop();
}

TEST(a_new_object_goes_where_the_receive_item_says)
{
    l4_buf_regs_t *buf;

    start();
    buf = &user->utcb->buf;
    buf->bdr = 5 << 10 | 3 << 5 | 1;
    for (unsigned i = 0; i < 10; i++)
        buf->br[i] = (200UL + i) << 12 | L4_RCV_ITEM_SINGLE_CAP;
    CHECK(make(L4_PROTO_NONE, 1, 0) == 0 && slot_of(self, 205));
    buf->br[5] = L4_ITEM_MAP;
    buf->br[6] = caps(300, 3, 0);
    CHECK(make(L4_PROTO_NONE, 1, 0) == 0 && slot_of(self, 300) && !slot_of(self, 206));
    CHECK((slot_of(self, 300)->ref & CAP_RIGHTS) == L4_CAP_FPAGE_RWSD);
    buf->br[6] = caps(L4_CAP_SLOTS, 0, 0);
    CHECK(make(L4_PROTO_NONE, 1, 0) == -L4_EINVAL);
    buf->br[6] = caps(LAST, 0, 0);
    CHECK(make(L4_PROTO_NONE, 1, 0) == 0 && slot_of(self, LAST));
    stop();
}

TEST(what_was_in_the_slot_goes_before)
{
    struct object *old;
    uint32_t id;

    start();
    CHECK(create(L4_PROTO_IRQ, 0, NEW) == 0);
    machine_pass(self, NEW, other, NEW, 15);
    old = cap_object(slot_of(self, NEW));
    id = old->id;
    CHECK(create(L4_PROTO_FACTORY, 4096, NEW) == 0);
    CHECK(!slot_of(other, NEW) && cap_object(slot_of(self, NEW))->id != id);
    CHECK(cap_object(slot_of(self, NEW))->type == OBJ_FACTORY && factory->users == 3);
    stop();
}

TEST(a_gate_may_be_made_for_a_thread)
{
    struct thread *t;

    start();
    t = machine_thread(&factory->obj, other, 0, 5);
    enter(60, &t->obj);
    set_window(NEW);
    mr[1] = 8 << 16 | L4_VARG_TYPE_UMWORD;
    mr[2] = 0x77;
    user_item(user, 3, 60, 15);
    CHECK(make(L4_PROTO_NONE, 3, 1) == 0);
    CHECK(gate_of(cap_object(slot_of(self, NEW)))->thread == t);
    CHECK(gate_of(cap_object(slot_of(self, NEW)))->label == 0x74);
    user_item(user, 3, 60, L4_CAP_FPAGE_R);
    CHECK(make(L4_PROTO_NONE, 3, 1) == -L4_EPERM && !slot_of(self, NEW));
    user_item(user, 3, SLOT_GATE, 15);
    CHECK(make(L4_PROTO_NONE, 3, 1) == -L4_EINVAL);
    user_item(user, 3, SLOT_VOID, 15);
    CHECK(make(L4_PROTO_NONE, 3, 1) == -L4_ENOENT);
    thread_kill(t);
    user_item(user, 3, 60, 15);
    CHECK(make(L4_PROTO_NONE, 3, 1) == -L4_EINVAL && factory->users == 3);
    stop();
}

TEST(a_task_may_be_made_with_kernel_user_memory)
{
    uint64_t used;

    start();
    used = factory->quota.used;
    set_window(NEW);
    mr[1] = 8 << 16 | L4_VARG_TYPE_FPAGE;
    mr[2] = fpage_mem(KU_AREA, 12, 6).raw;
    looks = 0;
    host_window = interrupt;
    CHECK(make(L4_PROTO_TASK, 3, 0) == 0 && answered() == 1 && looks >= 5);
    CHECK(mr[0] == fpage_mem(KU_AREA, 12, 6).raw);
    CHECK(task_ku_address(task_of(cap_object(slot_of(self, NEW))), KU_AREA, 8));
    mr[1] = 8 << 16 | L4_VARG_TYPE_UMWORD; /* no flexpage: no memory */
    mr[2] = fpage_mem(KU_AREA, 12, 6).raw;
    CHECK(make(L4_PROTO_TASK, 3, 0) == 0 && mr[0] == 0);
    CHECK(!task_ku_address(task_of(cap_object(slot_of(self, NEW))), KU_AREA, 8));
    mr[1] = 8 << 16 | L4_VARG_TYPE_FPAGE;
    mr[2] = fpage_mem(KU_AREA, 40, 6).raw;
    CHECK(make(L4_PROTO_TASK, 3, 0) == -L4_EINVAL && factory->quota.used == used);
    stop();
}

/* Every allocation of every call fails once. */
TEST(an_object_that_cannot_be_paid_is_not_there_and_costs_nothing)
{
    static const long protocols[] = {L4_PROTO_NONE, L4_PROTO_THREAD, L4_PROTO_FACTORY,
                                     L4_PROTO_TASK, L4_PROTO_IRQ, L4_PROTO_IRQ_SENDER,
                                     L4_PROTO_SEMAPHORE};

    for (unsigned i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++) {
        uint64_t used, own, n = 0;
        long err;

        start();
        used = factory->quota.used;
        own = root_factory.quota.used;
        do {
            kmem_fail_some(++n, 1);
            err = create(protocols[i], 4096, LAST);
            kmem_fail_nth(0);
            CHECK(err == 0 || err == -L4_ENOMEM);
            CHECK(err == 0 || (!slot_of(self, LAST) && answered() == 0));
            CHECK(err == 0 || (factory->quota.used == used && factory->users == 2));
            CHECK(err == 0 || (root_factory.quota.used == own && check_all() == 0));
        } while (err);
        CHECK(n == (protocols[i] == L4_PROTO_TASK ? 7 : 5)); /* itself; directory, page, mapping */
        CHECK(factory->quota.used > used && factory->users == 3);
        delete(LAST);
        CHECK(factory->quota.used == used && root_factory.quota.used == own);
        stop();
    }
}

/* Also if it was the last that its page had room for. */
TEST(a_task_that_cannot_be_paid_gives_its_place_back)
{
    for (uint64_t before = 0; before < 40; before++) {
        uint64_t used, n = 0;
        long err;

        start();
        for (uint64_t i = 1; i <= before; i++)
            CHECK(create(L4_PROTO_TASK, 4096, LAST - i) == 0);
        used = factory->quota.used;
        do {
            kmem_fail_some(++n, 1);
            err = create(L4_PROTO_TASK, 4096, LAST);
            kmem_fail_nth(0);
            CHECK(err == 0 || (factory->quota.used == used && check_all() == 0));
        } while (err == -L4_ENOMEM);
        CHECK(err == 0 && n > 4);
        for (uint64_t i = 0; i <= before; i++)
            delete(LAST - i);
        CHECK(check_all() == 0);
        stop();
        leaks();
    }
}

TEST(a_factory_takes_its_limit_from_its_maker_and_not_a_byte_more)
{
    uint64_t left, size = sizeof(struct factory);

    start();
    left = factory->quota.limit - factory->quota.used;
    CHECK(create(L4_PROTO_FACTORY, left - size + 1, NEW) == -L4_ENOMEM && !slot_of(self, NEW));
    CHECK(factory->quota.limit - factory->quota.used == left);
    CHECK(create(L4_PROTO_FACTORY, left - size, NEW) == 0);
    CHECK(factory->quota.used == factory->quota.limit);
    CHECK(factory_of(cap_object(slot_of(self, NEW)))->quota.limit == left - size);
    CHECK(create(L4_PROTO_NONE, 0, NEW + 1) == -L4_ENOMEM);
    delete(NEW);
    CHECK(factory->quota.limit - factory->quota.used == left);
    stop();
}

TEST(a_factory_outlives_its_objects_or_its_capability_whichever_lasts)
{
    uint64_t used;

    start();
    used = factory->quota.used;
    CHECK(create(L4_PROTO_FACTORY, 20000, NEW) == 0);
    for (int i = 0; i < 2; i++) {
        mr[0] = (uint64_t)L4_PROTO_IRQ;
        set_window(NEW + 1);
        CHECK(user_invoke(user, NEW, L4_PROTO_FACTORY, 1, 0) == 0);
        delete(NEW + 1); /* its last object, but it is still there */
        CHECK(slot_of(self, NEW) && !cap_object(slot_of(self, NEW))->dying);
    }
    mr[0] = (uint64_t)L4_PROTO_IRQ;
    set_window(NEW + 1);
    CHECK(user_invoke(user, NEW, L4_PROTO_FACTORY, 1, 0) == 0);
    delete(NEW);
    CHECK(factory->quota.used == used + sizeof(struct factory) + 20000); /* it pays for another */
    delete(NEW + 1);
    CHECK(factory->quota.used == used && factory->users == 2);
    stop();
}

/* The first page of slots, the one behind it, the last slot: what an item names is found there. */
TEST(what_an_item_names_may_stand_in_any_slot)
{
    static const uint64_t slots[] = {60, CAPS_PER_PAGE - 1, CAPS_PER_PAGE, LAST};

    for (unsigned i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
        uint64_t slot = slots[i];

        start();
        set_window(NEW);
        user_item(user, 1, slot, 15);
        CHECK(make(L4_PROTO_NONE, 1, 1) == -L4_ENOENT); /* nothing there, nor is there a page */
        machine_pass(self, SLOT_GATE, self, slot, 15);
        CHECK(make(L4_PROTO_NONE, 1, 1) == -L4_EINVAL); /* no thread */
        machine_pass(self, SLOT_THREAD, self, slot, 15);
        CHECK(make(L4_PROTO_NONE, 1, 1) == 0);
        CHECK(gate_of(cap_object(slot_of(self, NEW)))->thread == user);
        user_item(user, 1, slot, 15 & ~L4_CAP_FPAGE_S);
        CHECK(make(L4_PROTO_NONE, 1, 1) == -L4_EPERM);
        machine_pass(self, SLOT_SELF, self, slot, 15);
        user_item(user, 1, slot, 15);
        CHECK(make(L4_PROTO_NONE, 1, 1) == -L4_EINVAL && !slot_of(self, NEW));
        mr[0] = L4_TASK_MAP_OP;
        mr[1] = NEW << L4_CAP_SHIFT | L4_ITEM_MAP;
        mr[2] = caps(SLOT_GATE, 0, 15);
        user_item(user, 3, slot, 15);
        CHECK(call_task(SLOT_OTHER, 3, 1) == 0 && slot_of(other, NEW));
        user_item(user, 3, slot, 15 & ~L4_CAP_FPAGE_S);
        CHECK(call_task(SLOT_OTHER, 3, 1) == -L4_EPERM);
        machine_pass(self, SLOT_FACTORY, self, slot, 15);
        user_item(user, 3, slot, 15);
        CHECK(call_task(SLOT_OTHER, 3, 1) == -L4_EINVAL);
        stop();
    }
}

/* A page has room for so many, and one more than that opens the next. */
TEST(factories_are_made_and_deleted_in_any_number_and_order)
{
    uint64_t used, n;

    start();
    used = factory->quota.used;
    n = 2 * factory_slab.perpage + 3UL;
    for (unsigned round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < n; i++) {
            CHECK(create(L4_PROTO_FACTORY, 4096 + i, NEW + i) == 0);
            CHECK(factory_of(cap_object(slot_of(self, NEW + i)))->quota.limit == 4096 + i);
        }
        CHECK(factory->users == 2 + n && check_all() == 0);
        for (uint64_t i = 0; i < n; i++) {
            uint64_t at = round == 0 ? i : round == 1 ? n - 1 - i : i * 2 % n;

            CHECK(factory_of(cap_object(slot_of(self, NEW + at)))->quota.limit == 4096 + at);
            delete(NEW + at);
        }
        CHECK(factory->quota.used == used && factory->users == 2 && check_all() == 0);
    }
    stop();
}

#define TESTS(X)                                                                                  \
    X(calls_of_a_factory_say_what_is_wrong_with_them)                                             \
    X(arguments_are_found_behind_one_another)                                                     \
    X(a_new_object_goes_where_the_receive_item_says)                                              \
    X(what_was_in_the_slot_goes_before)                                                           \
    X(a_gate_may_be_made_for_a_thread)                                                            \
    X(a_task_may_be_made_with_kernel_user_memory)                                                 \
    X(an_object_that_cannot_be_paid_is_not_there_and_costs_nothing)                               \
    X(a_task_that_cannot_be_paid_gives_its_place_back)                                            \
    X(a_factory_takes_its_limit_from_its_maker_and_not_a_byte_more)                               \
    X(what_an_item_names_may_stand_in_any_slot)                                                   \
    X(factories_are_made_and_deleted_in_any_number_and_order)                                     \
    X(a_factory_outlives_its_objects_or_its_capability_whichever_lasts)

TEST_MAIN(leaks, TESTS)
