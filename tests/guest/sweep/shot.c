/*
 * sweep/shot.c - one interrupt, an exact number of instructions from now
 *
 * Under -icount an instruction is a nanosecond. The 8254 counts in steps of 838 of them from where
 * it was written, so the step is chosen by the count and the rest by a delay in front of what is
 * to be interrupted. Its line wakes a thread of high priority.
 */
#include "sweep.h"

#include <l4/sys/icu.h>
#include <l4/sys/irq.h>
#include <l4/util/rdtsc.h>

enum { TIMER_DATA = 0x40, TIMER_COMMAND = 0x43, MODE_0 = 0x30, TIMER_LINE = 0 };
enum { PIT_HZ = 1193182, PRIO_SECOND = 200, SECOND_UTCB = 2, LEAST_DELAY = 4 };

static const l4_cap_idx_t irq = 26UL << L4_CAP_SHIFT, thread = 27UL << L4_CAP_SHIFT;
static char stack[8192] __attribute__((aligned(16)));
static const struct second *volatile todo;
static l4_uint64_t written; /* when the timer was */
static l4_uint64_t lead;    /* from there to w.began, with a delay of 0 */

void delay_for(l4_umword_t n)
{
    __asm__ volatile("shr %0\n"
                     "    jnc 1f\n"
                     "    nop\n"
                     "1:  dec %0\n"
                     "    jnz 1b"
                     : "+r"(n)
                     :
                     : "cc");
}

static void out(l4_uint16_t port, l4_uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port));
}

static void second_loop(void)
{
    for (;;) {
        l4_msgtag_t tag = l4_irq_receive(irq, L4_IPC_NEVER);
        const struct second *s = todo;

        if (l4_msgtag_has_error(tag) || !s)
            continue;
        w.fired = l4_rdtsc();
        todo = NULL;
        w.result[SECOND] = s->run();
        w.second_done = true;
    }
}

void shot_start(void)
{
    l4_sched_param_t p = l4_sched_param(PRIO_SECOND, 0);
    l4_addr_t utcb = QUIRE_FIRST_UTCB_ADDR + SECOND_UTCB * L4_UTCB_OFFSET;

    out(TIMER_COMMAND, MODE_0);
    expect_eq(l4_error(l4_factory_create_irq(L4_BASE_FACTORY_CAP, irq)), 0);
    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, thread)), 0);
    l4_thread_control_start();
    l4_thread_control_pager(L4_BASE_PAGER_CAP);
    l4_thread_control_bind((l4_utcb_t *)utcb, L4_BASE_TASK_CAP);
    expect_eq(l4_error(l4_thread_control_commit(thread)), 0);
    expect_eq(l4_error(l4_rcv_ep_bind_thread(irq, thread, 0x40)), 0);
    expect_eq(l4_error(l4_icu_bind(L4_BASE_ICU_CAP, TIMER_LINE, irq)), 0);
    expect_eq(l4_error(l4_thread_ex_regs(thread, (l4_addr_t)second_loop,
                                         (l4_addr_t)(stack + sizeof(stack) - 8), 0)), 0);
    expect_eq(l4_error(l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, thread, &p)), 0);
}

static l4_uint64_t time_of(unsigned count)
{
    return (l4_uint64_t)count * 1000000000 / PIT_HZ;
}

void shot_arm(const struct second *s, long n, l4_umword_t *delay)
{
    unsigned count = (unsigned)(((long)lead + n + LEAST_DELAY) * (long)PIT_HZ / 1000000000);

    while ((long)time_of(count) < (long)lead + n + LEAST_DELAY)
        count++;
    *delay = (l4_umword_t)((long)time_of(count) - (long)lead - n);
    todo = s;
    out(TIMER_COMMAND, MODE_0);
    out(TIMER_DATA, (l4_uint8_t)count);
    out(TIMER_DATA, (l4_uint8_t)(count >> 8));
    written = l4_rdtsc();
}

void shot_learn(l4_umword_t delay)
{
    lead = w.began - written - delay;
}

void shot_now(const struct second *s)
{
    todo = s;
    l4_irq_trigger(irq);
}
