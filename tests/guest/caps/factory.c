/*
 * caps/factory.c - making objects: arguments, limits, and that everything comes back
 */
#include "sets.h"

static l4_umword_t used(void)
{
    return counter(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED);
}

static l4_cap_idx_t factory_new(l4_cap_idx_t from, l4_umword_t limit)
{
    l4_cap_idx_t f = slot_new();

    return l4_error(l4_factory_create_factory(from, f, limit)) == 0 ? f : L4_INVALID_CAP;
}

static void all_kinds(void)
{
    l4_fpage_t area = l4_fpage(CHILD_UTCB_ADDR, 13, L4_FPAGE_RW);
    l4_cap_idx_t task = slot_new(), thread = slot_new(), gate = slot_new();

    expect_eq(l4_error(l4_factory_create_task(L4_BASE_FACTORY_CAP, task, &area)), 0);
    expect_eq(area.raw, l4_fpage(CHILD_UTCB_ADDR, 13, L4_FPAGE_RW).raw);
    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, thread)), 0);
    expect_eq(l4_error(l4_factory_create_gate(L4_BASE_FACTORY_CAP, gate, thread, 0x100)), 0);
    expect(factory_new(L4_BASE_FACTORY_CAP, 10000) != L4_INVALID_CAP);
    expect(has_cap(L4_BASE_TASK_CAP, task) && has_cap(L4_BASE_TASK_CAP, thread));
    expect(has_cap(L4_BASE_TASK_CAP, gate));
}

static void unknown_kinds(void)
{
    static const long kinds[] = {1, 2, -2, -10, -99, 0x4000, 0x7fffffffffffffff};
    l4_cap_idx_t slot = slot_new();

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        expect_eq(l4_error(l4_factory_create(L4_BASE_FACTORY_CAP, kinds[i], slot)), -L4_ENODEV);
    expect(!has_cap(L4_BASE_TASK_CAP, slot));
}

static void bad_arguments(void)
{
    l4_cap_idx_t slot = slot_new(), none = slot_new();
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag = l4_factory_create_start_u(L4_PROTO_TASK, slot, u);
    l4_fpage_t area;

    /* An argument longer than the message. */
    u->msg.mr[1] = L4_VARG_TYPE_FPAGE | 100UL << 16;
    tag.raw += 1;
    expect_eq(l4_error(l4_factory_create_commit_u(L4_BASE_FACTORY_CAP, tag, u)),
              -L4_EMSGTOOSHORT);
    /* A factory without limit. */
    expect_eq(l4_error(l4_factory_create(L4_BASE_FACTORY_CAP, L4_PROTO_FACTORY, slot)),
              -L4_EINVAL);
    /* Nowhere to put it. */
    tag = l4_factory_create_start_u(L4_PROTO_THREAD, slot, u);
    u->buf.br[0] = 0;
    expect_eq(l4_error(l4_factory_create_commit_u(L4_BASE_FACTORY_CAP, tag, u)),
              -L4_EMSGMISSARG);
    /* UTCB areas that cannot be. */
    static const struct {
        l4_addr_t at;
        unsigned order;
    } areas[] = {{CHILD_UTCB_ADDR, 11}, {CHILD_UTCB_ADDR, 40}, {0, 12}, {L4_USER_END, 12},
                 {0xffffffff80000000, 12}, {L4_USER_END - 0x1000, 13}};
    for (unsigned i = 0; i < sizeof(areas) / sizeof(areas[0]); i++) {
        area = l4_fpage(areas[i].at, areas[i].order, L4_FPAGE_RW);
        if (i == 5) /* aligned down it fits */
            continue;
        expect_eq(l4_error(l4_factory_create_task(L4_BASE_FACTORY_CAP, slot, &area)),
                  -L4_EINVAL);
    }
    /* Gates of something that is no thread. */
    expect_eq(l4_error(l4_factory_create_gate(L4_BASE_FACTORY_CAP, slot, none, 0)), -L4_ENOENT);
    expect_eq(l4_error(l4_factory_create_gate(L4_BASE_FACTORY_CAP, slot, L4_BASE_TASK_CAP, 0)),
              -L4_EINVAL);
    expect(!has_cap(L4_BASE_TASK_CAP, slot));
}

/* What was in the slot goes, with all derived from it. */
static void into_an_occupied_slot(void)
{
    l4_cap_idx_t slot = slot_new(), t = task_new();
    l4_umword_t before;

    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, slot)), 0);
    map_cap(t, L4_BASE_TASK_CAP, slot, CHILD_CAP(0), RWSD);
    before = used();
    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, slot)), 0);
    expect(has_cap(L4_BASE_TASK_CAP, slot) && !has_cap(t, CHILD_CAP(0)));
    expect(used() < before); /* one mapping node less, and not two threads */
}

static void limit_is_taken_at_once(void)
{
    l4_umword_t before = used(), own;
    l4_cap_idx_t f = factory_new(L4_BASE_FACTORY_CAP, 100000), g;

    own = used() - before - 100000;
    expect(own > 0 && own < 400);
    g = factory_new(f, 50000);
    expect(g != L4_INVALID_CAP);
    expect_eq(factory_new(f, 50000), L4_INVALID_CAP);
    expect_eq(used() - before, 100000 + own + 24); /* the capability of g is the test's */
    expect_eq(destroy(g), 0);
    expect(factory_new(f, 90000) != L4_INVALID_CAP);
}

static void larger_than_the_parent(void)
{
    l4_cap_idx_t f = factory_new(L4_BASE_FACTORY_CAP, 100000);

    expect_eq(factory_new(f, 100000), L4_INVALID_CAP); /* its own size comes on top */
    expect_eq(factory_new(f, 1UL << 40), L4_INVALID_CAP);
    expect_eq(factory_new(f, ~0UL), L4_INVALID_CAP);
    expect_eq(factory_new(f, ~0UL - 50), L4_INVALID_CAP);
    expect_eq(factory_new(L4_BASE_FACTORY_CAP, 1UL << 63), L4_INVALID_CAP);
    expect(factory_new(f, 99000) != L4_INVALID_CAP);
}

/* With every limit: made completely, or not at all. */
static void every_shortage(void)
{
    l4_fpage_t area;
    unsigned made = 0, failed = 0;

    for (l4_umword_t limit = 0; limit < 40000; limit += 800) {
        l4_cap_idx_t f = factory_new(L4_BASE_FACTORY_CAP, limit), slot = slot_new();
        l4_umword_t before = used();
        long err;

        area = l4_fpage(CHILD_UTCB_ADDR, 13, L4_FPAGE_RW);
        err = l4_error(l4_factory_create_task(f, slot, &area));
        expect(err == 0 || err == -L4_ENOMEM);
        expect_eq(has_cap(L4_BASE_TASK_CAP, slot), err == 0);
        made += err == 0;
        failed += err != 0;
        if (err)
            expect_eq(used(), before);
    }
    expect(made > 10 && failed > 10);
}

static void exhausted(void)
{
    l4_cap_idx_t f = factory_new(L4_BASE_FACTORY_CAP, 20000), slots[32];
    unsigned n = 0;
    long err = 0;

    for (; n < 32; n++) {
        slots[n] = slot_new();
        err = l4_error(l4_factory_create_thread(f, slots[n]));
        if (err)
            break;
    }
    expect_eq(err, -L4_ENOMEM);
    expect(n > 8 && n < 32);
    expect_eq(destroy(slots[3]), 0);
    expect_eq(l4_error(l4_factory_create_thread(f, slots[n])), 0);
    expect(l4_error(l4_factory_create_thread(f, slots[3])) == -L4_ENOMEM);
    expect(!has_cap(L4_BASE_TASK_CAP, slots[3]));
}

/* Objects outlive their factory; its limit comes back with the last of them. */
static void factory_dies_first(void)
{
    l4_umword_t before = used();
    l4_cap_idx_t f = factory_new(L4_BASE_FACTORY_CAP, 50000), thread = slot_new();

    expect_eq(l4_error(l4_factory_create_thread(f, thread)), 0);
    expect_eq(destroy(f), 0);
    expect(has_cap(L4_BASE_TASK_CAP, thread));
    expect(used() > before + 50000);
    expect_eq(l4_error(l4_factory_create_thread(f, slot_new())),
              -(long)(L4_EIPC_LO + L4_IPC_ENOT_EXISTENT));
    expect_eq(destroy(thread), 0);
    expect_eq(used(), before);
}

static void nested(void)
{
    l4_umword_t before = used(), limit = 400000;
    l4_cap_idx_t f = L4_BASE_FACTORY_CAP, first = L4_INVALID_CAP;

    for (unsigned i = 0; i < 20; i++, limit -= 10000) {
        f = factory_new(f, limit);
        expect(f != L4_INVALID_CAP);
        first = i == 0 ? f : first;
    }
    expect_eq(l4_error(l4_factory_create_thread(f, slot_new())), 0);
    expect_eq(destroy(first), 0);
    expect_eq(l4_error(l4_factory_create_thread(f, slot_new())), 0);
    expect(used() > before);
}

static void many_times(void)
{
    l4_umword_t before = used(), free = kernel_memory_free();
    l4_cap_idx_t slot = slot_new(), gate = slot_new();
    l4_fpage_t area;

    for (unsigned i = 0; i < 100; i++) {
        area = l4_fpage(CHILD_UTCB_ADDR, 12, L4_FPAGE_RW);
        expect_eq(l4_error(l4_factory_create_task(L4_BASE_FACTORY_CAP, slot, &area)), 0);
        expect_eq(destroy(slot), 0);
        expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, slot)), 0);
        expect_eq(l4_error(l4_factory_create_gate(L4_BASE_FACTORY_CAP, gate, slot, 0)), 0);
        expect_eq(destroy(slot), 0);
        expect_eq(destroy(gate), 0);
    }
    expect_eq(used(), before);
    expect_eq(kernel_memory_free(), free);
}

/* A child fills its own slots out of its own factory; with the task all of it goes. */
static void make_many(void *arg)
{
    l4_fpage_t area = l4_fpage(CHILD_UTCB_ADDR, 12, L4_FPAGE_RW);
    unsigned *made = arg;

    for (unsigned i = 1; i < 40; i += 3) {
        *made += l4_error(l4_factory_create_thread(CHILD_CAP(0), CHILD_CAP(i))) == 0;
        *made += l4_error(l4_factory_create_gate(CHILD_CAP(0), CHILD_CAP(i + 1), CHILD_CAP(i),
                                                 0)) == 0;
        *made += l4_error(l4_factory_create_task(CHILD_CAP(0), CHILD_CAP(i + 2), &area)) == 0;
    }
}

static void made_by_a_child(void)
{
    static unsigned made;
    struct child *c = child_new();
    l4_cap_idx_t f = factory_new(L4_BASE_FACTORY_CAP, 600000);
    l4_umword_t before = used();

    made = 0;
    give(c, f, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    child_run(c, make_many, &made);
    expect(c->finished);
    expect_eq(made, 39);
    expect(used() > before);
    expect_eq(destroy(c->task), 0);
    expect_eq(destroy(f), 0);
}

const struct test factory_tests[] = {
    {"a factory makes tasks, threads, gates and factories", all_kinds},
    {"a factory refuses kinds that it does not know", unknown_kinds},
    {"arguments that make no sense are refused, and nothing is made", bad_arguments},
    {"an object made in an occupied slot replaces what was there", into_an_occupied_slot},
    {"the limit of a factory is taken from its parent at once", limit_is_taken_at_once},
    {"a factory cannot be larger than its parent allows", larger_than_the_parent},
    {"an object is made completely or not at all", every_shortage},
    {"at its limit a factory makes nothing more, until something goes", exhausted},
    {"objects outlive their factory, its limit comes back with the last", factory_dies_first},
    {"twenty factories one from the other", nested},
    {"made and deleted a hundred times, nothing is lost", many_times},
    {"what a task has made in its own slots goes with it", made_by_a_child},
    {NULL, NULL},
};
