/*
 * pager_task/main.c - a task of our own, whose page faults and exceptions we answer
 * expect: ^the task has computed 4950, after [1-9][0-9]* page faults and 1 exception$
 */
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/err.h>
#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/task.h>
#include <l4/sys/thread.h>
#include <l4/sys/types.h>
#include <l4/sys/utcb.h>
#include <l4/util/util.h>

#include <stdio.h>

static char stack[8 << 10] __attribute__((aligned(4096)));
static volatile unsigned long result;

/* Runs in the other task, in the same program: every page of it comes from the loop in main(). */
static L4_CV void other_task(void)
{
    unsigned long sum = 0;

    for (unsigned long i = 0; i < 100; i++)
        sum += i;
    result = sum;
    for (;;)
        __asm__ volatile("ud2");
}

/* Give the page at `addr`, as we have it ourselves. */
static l4_msgtag_t map_page(l4_addr_t addr, int write)
{
    l4_msgtag_t tag = l4_msgtag(0, 0, 0, 0);

    addr = l4_trunc_page(addr);
    if (write)
        l4_touch_rw((void *)addr, 1);
    else
        l4_touch_ro((void *)addr, 1);
    l4_sndfpage_add(l4_fpage(addr, L4_PAGESHIFT, write ? L4_FPAGE_RWX : L4_FPAGE_RX), addr, &tag);
    return tag;
}

int main(void)
{
    l4_cap_idx_t task = l4re_util_cap_alloc(), thread = l4re_util_cap_alloc();
    l4_fpage_t utcb = l4_fpage(0xb3000000, L4_PAGESHIFT, L4_FPAGE_RW);
    l4_cap_idx_t pager_id = 0x10UL << L4_CAP_SHIFT;
    l4_umword_t label;
    unsigned faults = 0, exceptions = 0;
    l4_msgtag_t tag;

    if (l4_error(l4_factory_create_task(l4re_env()->factory, task, &utcb)) ||
        l4_error(l4_factory_create_thread(l4re_env()->factory, thread)))
        return 1;
    /* The handler's capability, in the other task's own numbering. */
    if (l4_error(l4_task_map(task, L4RE_THIS_TASK_CAP,
                             l4_obj_fpage(l4re_env()->main_thread, 0, L4_CAP_FPAGE_RWS),
                             l4_map_obj_control(pager_id, 0))))
        return 2;
    l4_thread_control_start();
    l4_thread_control_pager(pager_id);
    l4_thread_control_exc_handler(pager_id);
    l4_thread_control_bind((l4_utcb_t *)l4_fpage_memaddr(utcb), task);
    if (l4_error(l4_thread_control_commit(thread)))
        return 3;
    if (l4_error(l4_thread_ex_regs(thread, (l4_umword_t)other_task,
                                   (l4_umword_t)stack + sizeof(stack), 0)))
        return 4;
    l4_sched_param_t sp = l4_sched_param(10, 0);
    if (l4_error(l4_scheduler_run_thread(l4re_env()->scheduler, thread, &sp)))
        return 5;

    tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
    while (!l4_msgtag_has_error(tag)) {
        if (l4_msgtag_is_page_fault(tag)) {
            l4_umword_t addr = l4_utcb_mr()->mr[0];

            faults++;
            tag = map_page(addr & ~7UL, (addr & 2) != 0);
        } else if (l4_msgtag_is_exception(tag)) {
            exceptions++;
            if (l4_utcb_exc_pc(l4_utcb_exc()) < (l4_addr_t)other_task)
                return 6;
            break;
        } else {
            return 7;
        }
        tag = l4_ipc_reply_and_wait(l4_utcb(), tag, &label, L4_IPC_NEVER);
    }
    printf("the task has computed %lu, after %u page faults and %u exception\n", result, faults,
           exceptions);
    l4re_util_cap_free_um(thread);
    l4re_util_cap_free_um(task);
    return result == 4950 ? 0 : 8;
}
