/*
 * party.c - tasks, threads and gates for a bare program to measure against
 */
#include "party.h"

#include <l4/re/env.h>
#include <l4/sigma0/sigma0.h>
#include <l4/sys/factory.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/thread.h>

enum { STACKS = 32, STACK_SIZE = 8192, FIRST_SLOT = 64 };

static unsigned char stacks[STACKS][STACK_SIZE] __attribute__((aligned(4096)));
static unsigned stacks_used;
static unsigned long slots_used = FIRST_SLOT;

extern char __executable_start[], _sdata[], _end[];

/* Every page of the image, so that it can be mapped on; pages of variables as writable ones. */
static void touch_image(void)
{
    for (char *p = __executable_start; p < _end; p += L4_PAGESIZE) {
        volatile char *page = p;

        if (p >= _sdata)
            *page = *page;
        else
            (void)*page;
    }
}

void party_init(void)
{
    l4_addr_t base;
    int err = l4sigma0_map_anypage(L4_BASE_PAGER_CAP, PLACE_BIG, PLACE_ORDER, &base, PLACE_ORDER);

    if (err)
        bench_fail("4 MiB of memory", err);
    for (unsigned i = 0; i < PLACE_PAGES; i++)
        party_map(L4_BASE_TASK_CAP, PLACE_BIG + i * L4_PAGESIZE, PLACE_SMALL + i * L4_PAGESIZE,
                  L4_PAGESHIFT);
    touch_image();
}

l4_cap_idx_t party_slot(void)
{
    return slots_used++ << L4_CAP_SHIFT;
}

l4_cap_idx_t party_task(unsigned utcb_order)
{
    l4_cap_idx_t task = party_slot();
    l4_fpage_t area = {0};

    if (utcb_order)
        area = l4_fpage(QUIRE_UTCB_ADDR, utcb_order, L4_FPAGE_RW);
    bench_must(l4_factory_create_task(L4_BASE_FACTORY_CAP, task, &area), "a task");
    return task;
}

l4_cap_idx_t party_task_with_image(void)
{
    l4_cap_idx_t task = party_task(L4_PAGESHIFT);

    party_map(task, QUIRE_PROGRAM_ADDR, QUIRE_PROGRAM_ADDR, PLACE_ORDER);
    party_map(task, PLACE_SMALL, PLACE_SMALL, PLACE_ORDER);
    return task;
}

l4_utcb_t *party_own_utcb(unsigned n)
{
    return (l4_utcb_t *)(QUIRE_FIRST_UTCB_ADDR + n * L4_UTCB_OFFSET);
}

l4_utcb_t *party_utcb(unsigned n)
{
    return (l4_utcb_t *)(QUIRE_UTCB_ADDR + n * L4_UTCB_OFFSET);
}

l4_cap_idx_t party_thread(l4_cap_idx_t task, l4_utcb_t *utcb, party_fn fn, unsigned priority,
                          l4_cap_idx_t pager)
{
    l4_cap_idx_t thread = party_slot();
    l4_sched_param_t param = l4_sched_param(priority, 0);
    l4_addr_t sp;

    if (stacks_used == STACKS)
        bench_fail("a stack", 0);
    sp = (l4_addr_t)stacks[stacks_used++] + STACK_SIZE - sizeof(l4_umword_t);
    bench_must(l4_factory_create_thread(L4_BASE_FACTORY_CAP, thread), "a thread");
    l4_thread_control_start();
    l4_thread_control_pager(pager);
    l4_thread_control_bind(utcb, task);
    bench_must(l4_thread_control_commit(thread), "binding a thread");
    bench_must(l4_thread_ex_regs(thread, (l4_addr_t)fn, sp, 0), "setting registers");
    bench_must(l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, thread, &param), "a start");
    return thread;
}

l4_cap_idx_t party_gate(l4_cap_idx_t thread)
{
    l4_cap_idx_t gate = party_slot();

    bench_must(l4_factory_create_gate(L4_BASE_FACTORY_CAP, gate, thread, 0x1000), "a gate");
    return gate;
}

void party_settle(void)
{
    l4_ipc_sleep_ms(5);
}

void party_give(l4_cap_idx_t task, l4_cap_idx_t cap)
{
    bench_must(l4_task_map(task, L4_BASE_TASK_CAP, l4_obj_fpage(cap, 0, L4_CAP_FPAGE_RWSD),
                           l4_map_obj_control(cap, 0)), "giving a capability");
}

void party_map(l4_cap_idx_t task, l4_addr_t from, l4_addr_t to, unsigned order)
{
    bench_must(l4_task_map(task, L4_BASE_TASK_CAP, l4_fpage(from, order, L4_FPAGE_RWX),
                           l4_map_control(to, 0, L4_MAP_ITEM_MAP)), "mapping memory");
}

void party_unmap_children(l4_addr_t from, unsigned order)
{
    bench_must(l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(from, order, L4_FPAGE_RWX),
                             L4_FP_OTHER_SPACES), "unmapping from others");
}

void party_unmap(l4_cap_idx_t task, l4_addr_t at, unsigned order)
{
    bench_must(l4_task_unmap(task, l4_fpage(at, order, L4_FPAGE_RWX), L4_FP_ALL_SPACES),
               "unmapping");
}

void party_call(l4_cap_idx_t gate)
{
    bench_must(l4_ipc_call(gate, l4_utcb(), l4_msgtag(0, 0, 0, 0), L4_IPC_NEVER), "a call");
}

void party_echo(void)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(utcb, &label, L4_IPC_NEVER);

    for (;;)
        tag = l4_ipc_reply_and_wait(utcb, l4_msgtag(0, l4_msgtag_words(tag), 0, 0), &label,
                                    L4_IPC_NEVER);
}

void party_use_fpu(void)
{
    __asm__ volatile("pxor %xmm0, %xmm0");
}

void party_echo_fpu(void)
{
    party_use_fpu();
    party_echo();
}

void party_pager(void)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_umword_t *mr = utcb->msg.mr;
    l4_umword_t label;

    l4_ipc_wait(utcb, &label, L4_IPC_NEVER);
    for (;;) {
        mr[0] = (mr[0] & L4_PAGEMASK) | L4_ITEM_MAP;
        mr[1] = l4_fpage(PLACE_SMALL, L4_PAGESHIFT, L4_FPAGE_RWX).raw;
        l4_ipc_reply_and_wait(utcb, l4_msgtag(0, 0, 1, 0), &label, L4_IPC_NEVER);
    }
}
