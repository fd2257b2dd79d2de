/*
 * fuzz/disturb.c - at random instants: somebody more important than the lanes
 *
 * The 8254 interrupts whatever runs, in the middle of a lane's system call often. A thread above
 * the lanes lets another lane run first, ends a lane's wait, or takes memory back from all. Then it
 * chooses the next instant.
 */
#include "fuzz.h"

#include <l4/sys/icu.h>
#include <l4/sys/irq.h>

enum { TIMER_DATA = 0x40, TIMER_COMMAND = 0x43, MODE_0 = 0x30, TIMER_LINE = 0 };
enum { DISTURB_UTCB = 4, LONGEST = 250 /* of 838 ns, so many instructions */ };

static const l4_cap_idx_t irq = 43UL << L4_CAP_SHIFT, disturber = 44UL << L4_CAP_SHIFT;
static char stack[4096] __attribute__((aligned(16)));
static struct lane dice; /* only its generator */
static volatile bool active;

static void out(l4_uint16_t port, l4_uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port));
}

static void next_instant(void)
{
    out(TIMER_COMMAND, MODE_0);
    out(TIMER_DATA, (l4_uint8_t)(1 + below(&dice, LONGEST)));
    out(TIMER_DATA, 0);
}

static void disturb(void)
{
    unsigned n = below(&dice, LANES);
    l4_sched_param_t p = l4_sched_param(PRIO_LANE - below(&dice, 4), 0);

    tally.disturbed++;
    switch (below(&dice, 16)) {
    case 0:
        l4_thread_ex_regs(world_thread(n), ~0UL, ~0UL, L4_THREAD_EX_REGS_CANCEL);
        break;
    case 1:
        l4_task_unmap(L4_BASE_TASK_CAP, world_fpage(&dice), L4_FP_OTHER_SPACES);
        break;
    case 2 ... 4: /* only an interruption */
        break;
    default:
        l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, world_thread(n), &p);
    }
}

static void disturb_loop(void)
{
    for (;;) {
        l4_msgtag_t tag = l4_irq_receive(irq, L4_IPC_NEVER);

        if (l4_msgtag_has_error(tag) || !active)
            continue;
        disturb();
        next_instant();
    }
}

void disturb_start(void)
{
    out(TIMER_COMMAND, MODE_0); /* both ports, so that they are there before memory is counted */
    out(TIMER_DATA, 0);
    out(TIMER_COMMAND, MODE_0);
    expect_eq(l4_error(l4_factory_create_irq(L4_BASE_FACTORY_CAP, irq)), 0);
    own_thread(disturber, DISTURB_UTCB, disturb_loop, stack + sizeof(stack), PRIO_DISTURBER);
    expect_eq(l4_error(l4_rcv_ep_bind_thread(irq, disturber, 0x40)), 0);
}

void disturb_settle(void)
{
    l4_sched_param_t p = l4_sched_param(PRIO_DISTURBER, 10000);

    l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, disturber, &p);
    /* The lanes may have done to the line what they liked. */
    l4_icu_unbind(L4_BASE_ICU_CAP, TIMER_LINE, irq);
    l4_icu_set_mode(L4_BASE_ICU_CAP, TIMER_LINE, L4_IRQ_F_POS_EDGE);
    expect_eq(l4_error(l4_icu_bind(L4_BASE_ICU_CAP, TIMER_LINE, irq)), 0);
    expect_eq(l4_error(l4_irq_unmask(irq)), 0);
}

void disturb_on(uint64_t seed)
{
    dice.seed = fuzz_mix(seed, LANES) | 1;
    active = true;
    next_instant();
}

void disturb_off(void)
{
    active = false;
    out(TIMER_COMMAND, MODE_0);
}
