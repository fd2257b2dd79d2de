/*
 * main.c - marked operations: their cache lines, their profile, their longest stretch
 *
 * Boots in the root task's place under the plugin (tools/bench, tools/profile). Each operation is
 * done a few times before, so that nothing is seen for the first time.
 */
#include "mark.h"
#include "party.h"

#include <l4/sys/factory.h>

enum { WARM = 8, PASSES = 9, MANY = 100000, DEPTH = 10000 };

#define MAP_AT (PLACE_DEST + 7 * L4_PAGESIZE)
#define FAULT_AT (PLACE_DEST + 0x40000000UL + 7 * L4_PAGESIZE)
#define MANY_AT (PLACE_DEST + 0x100000000UL)
#define CHAIN_AT (PLACE_DEST + 0x10000000000UL)
#define SOURCE PLACE_SMALL
#define OTHER_SOURCE (PLACE_SMALL + L4_PAGESIZE)

static l4_cap_idx_t task;

static void ipc(void)
{
    l4_cap_idx_t image = party_task_with_image();
    l4_cap_idx_t cross = party_gate(party_thread(image, party_utcb(0), party_echo, PARTY_SAME,
                                                 L4_INVALID_CAP));
    l4_cap_idx_t same = party_gate(party_thread(L4_BASE_TASK_CAP, party_own_utcb(1), party_echo,
                                                PARTY_SAME, L4_INVALID_CAP));
    l4_utcb_t *u = l4_utcb();

    party_settle();
    for (unsigned i = 0; i < WARM; i++) {
        party_call(cross);
        party_call(same);
    }
    MARKED(REGION_ipc_cross_0, PASSES,
           l4_ipc_call(cross, u, l4_msgtag(0, 0, 0, 0), L4_IPC_NEVER), );
    MARKED(REGION_ipc_cross_8, PASSES,
           l4_ipc_call(cross, u, l4_msgtag(0, 8, 0, 0), L4_IPC_NEVER), );
    MARKED(REGION_ipc_cross_63, PASSES,
           l4_ipc_call(cross, u, l4_msgtag(0, 63, 0, 0), L4_IPC_NEVER), );
    MARKED(REGION_ipc_same_0, PASSES,
           l4_ipc_call(same, u, l4_msgtag(0, 0, 0, 0), L4_IPC_NEVER), );
    MARKED(REGION_invoke_min, PASSES,
           l4_task_cap_valid_u(L4_BASE_TASK_CAP, L4_BASE_LOG_CAP, u), );
}

/* Last of all: from then on this thread has a state of the FPU. */
static void ipc_fpu(void)
{
    l4_cap_idx_t image = party_task_with_image();
    l4_cap_idx_t cross = party_gate(party_thread(image, party_utcb(0), party_echo_fpu, PARTY_SAME,
                                                 L4_INVALID_CAP));

    party_settle();
    party_use_fpu();
    for (unsigned i = 0; i < WARM; i++)
        party_call(cross);
    MARKED(REGION_ipc_cross_0_fpu, PASSES,
           l4_ipc_call(cross, l4_utcb(), l4_msgtag(0, 0, 0, 0), L4_IPC_NEVER), );
}

/* Faults when it is called; its pager is in another task. */
static void faulter(void)
{
    volatile char *page = (volatile char *)FAULT_AT;
    l4_umword_t label;

    l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
    for (unsigned i = 0; i < WARM; i++) {
        party_unmap(L4_BASE_TASK_CAP, FAULT_AT, L4_PAGESHIFT);
        *page = 1;
    }
    for (;;) {
        party_unmap(L4_BASE_TASK_CAP, FAULT_AT, L4_PAGESHIFT);
        MARKED(REGION_fault_1, PASSES, *page = 1,
               party_unmap(L4_BASE_TASK_CAP, FAULT_AT, L4_PAGESHIFT));
        l4_ipc_reply_and_wait(l4_utcb(), l4_msgtag(0, 0, 0, 0), &label, L4_IPC_NEVER);
    }
}

static void fault(void)
{
    l4_cap_idx_t image = party_task_with_image();
    l4_cap_idx_t pager = party_gate(party_thread(image, party_utcb(0), party_pager, PARTY_SAME,
                                                 L4_INVALID_CAP));
    l4_cap_idx_t worker = party_gate(party_thread(L4_BASE_TASK_CAP, party_own_utcb(2), faulter,
                                                  PARTY_SAME, pager));

    party_map(L4_BASE_TASK_CAP, OTHER_SOURCE, FAULT_AT + L4_PAGESIZE, L4_PAGESHIFT);
    party_settle();
    party_call(worker);
}

/* The bare calls, as in the rows. */
static void call_map(l4_addr_t from, l4_addr_t to, unsigned order)
{
    l4_task_map(task, L4_BASE_TASK_CAP, l4_fpage(from, order, L4_FPAGE_RWX),
                l4_map_control(to, 0, L4_MAP_ITEM_MAP));
}

static void call_unmap(l4_cap_idx_t from, l4_addr_t at, unsigned order, l4_umword_t mask)
{
    l4_task_unmap(from, l4_fpage(at, order, L4_FPAGE_RWX), mask);
}

static void map(void)
{
    l4_cap_idx_t me = L4_BASE_TASK_CAP;

    for (unsigned i = 0; i < WARM; i++) {
        party_map(task, SOURCE, MAP_AT, L4_PAGESHIFT);
        party_unmap_children(SOURCE, L4_PAGESHIFT);
    }
    MARKED(REGION_map_4k, PASSES, call_map(SOURCE, MAP_AT, L4_PAGESHIFT),
           party_unmap_children(SOURCE, L4_PAGESHIFT));
    party_map(task, SOURCE, MAP_AT, L4_PAGESHIFT);
    MARKED(REGION_unmap_1, PASSES, call_unmap(me, SOURCE, L4_PAGESHIFT, L4_FP_OTHER_SPACES),
           party_map(task, SOURCE, MAP_AT, L4_PAGESHIFT));
    MARKED(REGION_map_4m_4k, 3, call_map(PLACE_SMALL, MANY_AT, PLACE_ORDER),
           party_unmap_children(PLACE_SMALL, PLACE_ORDER));
    party_map(task, PLACE_SMALL, MANY_AT, PLACE_ORDER);
    MARKED(REGION_unmap_4m_4k, 3, call_unmap(me, PLACE_SMALL, PLACE_ORDER, L4_FP_OTHER_SPACES),
           party_map(task, PLACE_SMALL, MANY_AT, PLACE_ORDER));
    party_unmap_children(PLACE_SMALL, PLACE_ORDER);
    MARKED(REGION_map_4m_2m, 3, call_map(PLACE_BIG, MANY_AT, PLACE_ORDER),
           party_unmap(task, MANY_AT, PLACE_ORDER));
    party_map(task, PLACE_BIG, MANY_AT, PLACE_ORDER);
    MARKED(REGION_unmap_4m_2m, 3, call_unmap(task, MANY_AT, PLACE_ORDER, L4_FP_ALL_SPACES),
           party_map(task, PLACE_BIG, MANY_AT, PLACE_ORDER));
    party_unmap(task, MANY_AT, PLACE_ORDER);
}

static void objects(void)
{
    l4_fpage_t area = l4_fpage(QUIRE_UTCB_ADDR, L4_PAGESHIFT, L4_FPAGE_RW);
    l4_cap_idx_t t = party_slot();

    for (unsigned i = 0; i < WARM; i++) {
        bench_must(l4_factory_create_task(L4_BASE_FACTORY_CAP, t, &area), "a task");
        bench_must(l4_task_delete_obj(L4_BASE_TASK_CAP, t), "deleting a task");
    }
    MARKED(REGION_task_create, PASSES,
           l4_factory_create_task(L4_BASE_FACTORY_CAP, t, &area),
           l4_task_delete_obj(L4_BASE_TASK_CAP, t));
    bench_must(l4_factory_create_task(L4_BASE_FACTORY_CAP, t, &area), "a task");
    MARKED(REGION_task_delete, PASSES, l4_task_delete_obj(L4_BASE_TASK_CAP, t),
           l4_factory_create_task(L4_BASE_FACTORY_CAP, t, &area));
}

/* What lasts long: is it interrupted often enough? */
static void long_operations(void)
{
    l4_addr_t last = SOURCE;

    for (unsigned i = 0; i < MANY; i++)
        party_map(task, SOURCE, MANY_AT + i * L4_PAGESIZE, L4_PAGESHIFT);
    MARKED(REGION_unmap_100000, 1, party_unmap_children(SOURCE, L4_PAGESHIFT), );
    for (unsigned i = 0; i < DEPTH; i++) {
        party_map(L4_BASE_TASK_CAP, last, CHAIN_AT + i * L4_PAGESIZE, L4_PAGESHIFT);
        last = CHAIN_AT + i * L4_PAGESIZE;
    }
    MARKED(REGION_unmap_chain_10000, 1, party_unmap_children(SOURCE, L4_PAGESHIFT), );
    for (unsigned i = 0; i < MANY; i++)
        party_map(task, SOURCE, MANY_AT + i * L4_PAGESIZE, L4_PAGESHIFT);
    MARKED(REGION_delete_task_100000, 1, l4_task_delete_obj(L4_BASE_TASK_CAP, task), );
}

/* A table of capabilities, the largest UTCB area, and a message full of flexpages that cover
 * everything and find nothing. */
static void large_requests(void)
{
    enum { CAPS = 512, FIRST = 2 * CAPS, LARGEST_AREA = 16, FPAGES = 61 };
    l4_cap_idx_t first = (l4_cap_idx_t)FIRST << L4_CAP_SHIFT, other = party_task(0);
    l4_fpage_t area = l4_fpage(QUIRE_UTCB_ADDR, LARGEST_AREA, L4_FPAGE_RW);
    l4_fpage_t caps = l4_obj_fpage(first, 9, L4_CAP_FPAGE_RWSD), everything[FPAGES];
    l4_cap_idx_t large = party_slot();

    for (unsigned long i = 0; i < CAPS; i++)
        bench_must(l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP,
                               l4_obj_fpage(L4_BASE_LOG_CAP, 0, L4_CAP_FPAGE_RWS),
                               l4_map_obj_control(first + (i << L4_CAP_SHIFT), 0)), "a capability");
    for (unsigned i = 0; i < FPAGES; i++)
        everything[i] = l4_fpage(0, L4_WHOLE_ADDRESS_SPACE, L4_FPAGE_RWX);
    MARKED(REGION_map_caps_512, 1,
           bench_must(l4_task_map(other, L4_BASE_TASK_CAP, caps, l4_map_obj_control(first, 0)),
                      "mapping capabilities"), );
    MARKED(REGION_unmap_caps_512, 1,
           bench_must(l4_task_unmap(other, caps, L4_FP_ALL_SPACES), "revoking capabilities"), );
    /* Its pages have been used before, so they have to be cleared. */
    bench_must(l4_factory_create_task(L4_BASE_FACTORY_CAP, large, &area), "a task");
    bench_must(l4_task_delete_obj(L4_BASE_TASK_CAP, large), "deleting a task");
    MARKED(REGION_create_task_64k, 1,
           bench_must(l4_factory_create_task(L4_BASE_FACTORY_CAP, large, &area), "a task"), );
    MARKED(REGION_unmap_nothing_61, 1,
           bench_must(l4_task_unmap_batch(other, everything, FPAGES, L4_FP_ALL_SPACES),
                      "unmapping nothing"), );
}

int main(void)
{
    bench_calibrate();
    bench_print_regions();
    party_init();
    ipc();
    fault();
    task = party_task(0);
    party_map(task, OTHER_SOURCE, MAP_AT - L4_PAGESIZE, L4_PAGESHIFT);
    map();
    objects();
    large_requests(); /* before there are hundreds of emptied tables that need no clearing */
    long_operations();
    ipc_fpu();
    return 0;
}
