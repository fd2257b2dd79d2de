/*
 * exhaustion/objects.c - making objects, capabilities, kernel-user memory
 */
#include "walk.h"

#include <l4/sys/irq.h>
#include <l4/sys/semaphore.h>

static l4_cap_idx_t slot;
static unsigned area_order;
static struct child *child;
static l4_cap_idx_t to_slot;

static long make_task(void)
{
    l4_fpage_t area = l4_fpage(QUIRE_UTCB_ADDR, area_order, L4_FPAGE_RW);

    return l4_error(l4_factory_create_task(L4_BASE_FACTORY_CAP, slot, &area));
}

static long make_thread(void)
{
    return l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, slot));
}

static long make_factory(void)
{
    return l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, slot, 100000));
}

static long make_gate(void)
{
    return l4_error(l4_factory_create_gate(L4_BASE_FACTORY_CAP, slot, L4_BASE_THREAD_CAP, 0x1230));
}

static long make_irq(void)
{
    return l4_error(l4_factory_create(L4_BASE_FACTORY_CAP, L4_PROTO_IRQ, slot));
}

static long make_semaphore(void)
{
    return l4_error(l4_factory_create(L4_BASE_FACTORY_CAP, L4_PROTO_SEMAPHORE, slot));
}

/* A failed creation leaves the slot empty. */
static void slot_is_empty(void)
{
    expect_eq(l4_task_cap_valid(L4_BASE_TASK_CAP, slot).raw >> 16, 0);
}

static void make(long (*run)(void), unsigned at_least)
{
    struct walk w = {run, NULL, slot_is_empty, -L4_ENOMEM, at_least};

    slot = slot_new();
    walk(&w);
    expect(l4_task_cap_valid(L4_BASE_TASK_CAP, slot).raw >> 16);
    expect_eq(destroy(slot), 0);
}

static void tasks(void)
{
    area_order = 12;
    make(make_task, 6);
    area_order = 16;
    make(make_task, 20);
}

static void threads(void)
{
    make(make_thread, 2);
}

static void factories(void)
{
    make(make_factory, 2);
}

static void gates(void)
{
    make(make_gate, 2);
}

/* The capability needs a page of slots, the first one also their directory. */
static void into_a_far_slot(void)
{
    static long (*const run[])(void) = {make_gate, make_thread, make_task, make_factory, make_irq};

    area_order = 12;
    for (unsigned i = 0; i < sizeof(run) / sizeof(run[0]); i++) {
        struct walk w = {run[i], NULL, slot_is_empty, -L4_ENOMEM, 3};

        slot = (100000UL + 10000 * i) << L4_CAP_SHIFT;
        walk(&w);
        expect_eq(destroy(slot), 0);
    }
}

static void irqs(void)
{
    make(make_irq, 2);
}

static void semaphores(void)
{
    make(make_semaphore, 2);
}

static l4_fpage_t ku_area;

static long add_ku_mem(void)
{
    l4_fpage_t area = ku_area;

    return l4_error(l4_task_add_ku_mem(child->task, &area));
}

/* Nothing of the area is there, or the next attempt would find it occupied. */
static void ku_mem(void)
{
    struct walk w = {add_ku_mem, NULL, NULL, -L4_ENOMEM, 5};

    child = child_new();
    ku_area = l4_fpage(0x60000000000UL, 14, L4_FPAGE_RW);
    walk(&w);
    /* Beside what is there already: fewer tables. */
    ku_area = l4_fpage(0x60000010000UL, 12, L4_FPAGE_RW);
    w.at_least = 1;
    walk(&w);
}

static long map_cap(void)
{
    return l4_error(l4_task_map(child->task, L4_BASE_TASK_CAP,
                                l4_obj_fpage(L4_BASE_LOG_CAP, 0, L4_CAP_FPAGE_RW),
                                l4_map_obj_control(to_slot, 0)));
}

static void capability_is_not_there(void)
{
    expect_eq(l4_task_cap_valid(child->task, to_slot).raw >> 16, 0);
}

static void capabilities(void)
{
    struct walk w = {map_cap, NULL, capability_is_not_there, -L4_ENOMEM, 1};

    child = child_new();
    to_slot = CHILD_CAP(0);
    expect_eq(walk(&w), 1);
}

static void capabilities_far_away(void)
{
    struct walk w = {map_cap, NULL, capability_is_not_there, -L4_ENOMEM, 3};

    child = child_new();
    to_slot = 5000UL << L4_CAP_SHIFT;
    walk(&w);
    to_slot = 200000UL << L4_CAP_SHIFT;
    w.at_least = 2;
    walk(&w);
}

static l4_cap_idx_t granted;

static long grant_cap(void)
{
    return l4_error(l4_task_map(child->task, L4_BASE_TASK_CAP,
                                l4_obj_fpage(granted, 0, L4_CAP_FPAGE_RW),
                                l4_map_obj_control(to_slot, L4_MAP_ITEM_GRANT)));
}

static void grant_did_not_happen(void)
{
    capability_is_not_there();
    expect(l4_task_cap_valid(L4_BASE_TASK_CAP, granted).raw >> 16);
}

static void granted_capabilities(void)
{
    struct walk w = {grant_cap, NULL, grant_did_not_happen, -L4_ENOMEM, 2};

    child = child_new();
    granted = gate_new(L4_INVALID_CAP, 0);
    to_slot = 7000UL << L4_CAP_SHIFT;
    walk(&w);
    expect_eq(l4_task_cap_valid(L4_BASE_TASK_CAP, granted).raw >> 16, 0);
}

/* A thread that could be bound needs nothing more. */
static long bind_and_start(void)
{
    long err;
    l4_sched_param_t p = l4_sched_param(PRIO_TEST - 1, 0);

    l4_thread_control_start();
    l4_thread_control_pager(CHILD_PAGER);
    l4_thread_control_bind((l4_utcb_t *)(CHILD_UTCB_ADDR + L4_UTCB_OFFSET), child->task);
    err = l4_error(l4_thread_control_commit(slot));
    err |= l4_error(l4_thread_ex_regs(slot, 0x1000, 0x2000, 0));
    return err | l4_error(l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, slot, &p));
}

static void what_needs_no_memory(void)
{
    struct walk w = {bind_and_start, NULL, NULL, 0, 0};

    child = child_new();
    slot = slot_new();
    expect_eq(make_thread(), 0);
    expect_eq(walk(&w), 0);
}

const struct test objects_tests[] = {
    {"making a task, with one and with sixteen pages of UTCBs", tasks},
    {"making a thread", threads},
    {"making a factory", factories},
    {"making a gate", gates},
    {"making objects for a page of slots that is not there yet", into_a_far_slot},
    {"making an interrupt", irqs},
    {"making a semaphore", semaphores},
    {"adding kernel-user memory, with and without page tables", ku_mem},
    {"mapping a capability into the first page of slots", capabilities},
    {"mapping a capability into a page of slots that is not there yet", capabilities_far_away},
    {"granting a capability", granted_capabilities},
    {"binding and starting a thread needs no kernel memory", what_needs_no_memory},
    {NULL, NULL},
};
