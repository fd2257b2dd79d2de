/*
 * exhaustion/quota.c - factories that are just too poor
 *
 * What an operation costs is measured with a rich factory; a factory with exactly that limit can
 * afford it, and one with less by the smallest step there is (8 bytes) cannot, nor any other.
 */
#include "walk.h"

#include <l4/sys/debugger.h>

enum { STEP = 8, RICH = 1 << 20, CHECKS = 64 };

static l4_cap_idx_t factory, slot;
static unsigned area_order;

static l4_umword_t used(void)
{
    return counter(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED);
}

static long make_task(void)
{
    l4_fpage_t area = l4_fpage(QUIRE_UTCB_ADDR, area_order, L4_FPAGE_RW);

    return l4_error(l4_factory_create_task(factory, slot, &area));
}

static long make_thread(void)
{
    return l4_error(l4_factory_create_thread(factory, slot));
}

static long make_gate(void)
{
    return l4_error(l4_factory_create_gate(factory, slot, L4_BASE_THREAD_CAP, 0x1230));
}

static long make_irq(void)
{
    return l4_error(l4_factory_create(factory, L4_PROTO_IRQ, slot));
}

static long make_factory(void)
{
    return l4_error(l4_factory_create_factory(factory, slot, 4096));
}

/* Bytes that the operation takes from the factory that pays, without our own slot's mapping. */
static l4_umword_t price(long (*make)(void), l4_umword_t mapping)
{
    l4_umword_t before = used(), after;

    factory = L4_BASE_FACTORY_CAP;
    expect_eq(make(), 0);
    after = used();
    expect_eq(destroy(slot), 0);
    return after - before - mapping;
}

/* What a capability costs him who holds it. */
static l4_umword_t mapping_price(void)
{
    l4_umword_t before = used(), after;
    l4_cap_idx_t copy = slot_new();

    expect_eq(l4_error(l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP,
                                   l4_obj_fpage(L4_BASE_LOG_CAP, 0, L4_CAP_FPAGE_RW),
                                   l4_map_obj_control(copy, 0))), 0);
    after = used();
    l4_task_release_cap(L4_BASE_TASK_CAP, copy);
    return after - before;
}

static long try_with(l4_umword_t limit, long (*make)(void))
{
    l4_umword_t before = used(), now;
    long err;

    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, factory, limit)), 0);
    err = make();
    if (err == 0)
        expect_eq(destroy(slot), 0);
    expect_eq(destroy(factory), 0);
    for (unsigned i = 0; (now = used()) != before && i < 20; i++)
        l4_ipc_sleep_ms(1);
    expect_eq(now, before);
    return err;
}

static void limits(long (*make)(void))
{
    l4_umword_t cost;
    unsigned count = 0;

    slot = slot_new();
    cost = price(make, mapping_price());
    factory = slot_new();
    expect(cost >= STEP);
    for (l4_umword_t limit = 0; limit < cost; limit += STEP) {
        if (!expect_eq(try_with(limit, make), -L4_ENOMEM))
            break;
        if (++count % CHECKS == 0)
            expect_eq(l4_dbg_check(L4_BASE_DEBUGGER_CAP), 0);
    }
    expect_eq(try_with(cost - 1, make), -L4_ENOMEM);
    expect_eq(try_with(cost, make), 0);
}

static void tasks(void)
{
    area_order = L4_PAGESHIFT;
    limits(make_task);
}

static void threads(void)
{
    limits(make_thread);
}

static void gates(void)
{
    limits(make_gate);
}

static void irqs(void)
{
    limits(make_irq);
}

static void factories(void)
{
    limits(make_factory);
}

/* A limit larger than what the parent has left is refused, at each level, to the byte. */
static void nested(void)
{
    enum { DEPTH = 20, LEAST = 256 };
    l4_cap_idx_t parent = L4_BASE_FACTORY_CAP;
    l4_umword_t before = used(), limit = 100000;
    unsigned depth = 0;

    for (; depth < DEPTH; depth++, limit -= LEAST) {
        slot = slot_new();
        expect_eq(l4_error(l4_factory_create_factory(parent, slot, limit)), 0);
        expect_eq(l4_error(l4_factory_create_factory(slot, slot_new(), limit)), -L4_ENOMEM);
        expect_eq(l4_error(l4_factory_create_factory(slot, slot_new(), ~0UL)), -L4_ENOMEM);
        expect_eq(l4_error(l4_factory_create_factory(slot, slot_new(), limit + 1)), -L4_ENOMEM);
        parent = slot;
    }
    expect(used() - before >= 100000);
    expect(used() - before < 101000);
}

/* A factory whose capabilities are gone pays until its objects are. */
static void factory_goes_first(void)
{
    l4_umword_t before = used();
    l4_cap_idx_t thread = slot_new();

    factory = slot_new();
    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, factory, RICH)), 0);
    slot = thread;
    expect_eq(make_thread(), 0);
    expect_eq(destroy(factory), 0);
    l4_ipc_sleep_ms(2);
    expect(used() >= before + RICH);
    expect_eq(destroy(thread), 0);
    l4_ipc_sleep_ms(2);
    expect_eq(used(), before);
}

/* Mapping into a task is paid by the task's factory: what it cannot pay is not mapped, however
 * rich the one who maps. */
static void mappings(void)
{
    l4_umword_t before = used(), pages = 0;
    l4_fpage_t area = l4_fpage(QUIRE_UTCB_ADDR, L4_PAGESHIFT, L4_FPAGE_RW);
    l4_cap_idx_t task = slot_new();
    long err = 0;

    factory = slot_new();
    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, factory, 60000)), 0);
    expect_eq(l4_error(l4_factory_create_task(factory, task, &area)), 0);
    for (; pages < 512 && !err; pages++)
        err = l4_error(l4_task_map(task, L4_BASE_TASK_CAP,
                                   l4_fpage(memory + pages * L4_PAGESIZE, 12, L4_FPAGE_RW),
                                   l4_map_control(EMPTY_AT + pages * 8 * L4_PAGESIZE, 0, 0)));
    expect_eq(err, -L4_ENOMEM);
    expect(counter(task, L4_DBG_CNT_KMEM_USED) <= 60000);
    expect(counter(task, L4_DBG_CNT_KMEM_USED) > 60000 - 8192);
    expect_eq(counter(task, L4_DBG_CNT_KMEM_LIMIT), 60000);
    expect_eq(destroy(task), 0);
    expect_eq(destroy(factory), 0);
    l4_ipc_sleep_ms(2);
    expect(used() - before < 4096); /* what lies beside our own superpage goes with its children */
}

/* The last capability of the only gate that the factory can pay for lies where a message brings
 * another one: the next gate can be made at once. */
static void replaced_by_an_item(unsigned op)
{
    struct child *c = child_new();
    struct job *j = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    l4_cap_idx_t to = op == L4_SYSF_SEND ? c->thread : gate_new(c->thread, 0);
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;

    slot = slot_new();
    expect_eq(make_gate(), 0);
    expect_eq(l4_error(l4_task_map(c->task, L4_BASE_TASK_CAP,
                                   l4_obj_fpage(slot, 0, L4_CAP_FPAGE_RWSD),
                                   l4_map_control(CHILD_CAP(5), 0, L4_MAP_ITEM_GRANT))), 0);
    j->br[0] = CHILD_CAP(5) | L4_RCV_ITEM_SINGLE_CAP;
    j->next = job_new(L4_SYSF_SEND | L4_SYSF_REPLY, L4_INVALID_CAP);
    job_start(c, j);
    expect_eq(make_gate(), -L4_ENOMEM);
    u->msg.mr[0] = L4_ITEM_MAP;
    u->msg.mr[1] = l4_obj_fpage(L4_BASE_LOG_CAP, 0, L4_CAP_FPAGE_RW).raw;
    expect_eq(l4_error(l4_ipc(to, u, op, 0, l4_msgtag(0, 0, 1, 0), &label, L4_IPC_NEVER)), 0);
    expect(j->done);
    expect_eq(make_gate(), 0);
    expect_eq(destroy(slot), 0);
}

static void replaced(void)
{
    l4_umword_t gate, own = mapping_price();
    l4_cap_idx_t poor = slot_new();

    slot = slot_new();
    gate = price(make_gate, own);
    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, poor, gate)), 0);
    factory = poor;
    replaced_by_an_item(L4_SYSF_SEND);
    replaced_by_an_item(L4_SYSF_CALL);
}

const struct test quota_tests[] = {
    {"a task costs what it costs, and not a byte less will do", tasks},
    {"a thread costs what it costs", threads},
    {"a gate costs what it costs", gates},
    {"an interrupt costs what it costs", irqs},
    {"a factory costs what it costs and what it may spend", factories},
    {"nested factories can only spend what they were given", nested},
    {"a factory without capabilities pays until its objects are gone", factory_goes_first},
    {"what a task cannot pay for is not mapped to it", mappings},
    {"what an item has replaced is paid back when the message is over", replaced},
    {NULL, NULL},
};
