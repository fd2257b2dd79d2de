/*
 * bystander.c - a task that has nothing to do with any test, and must never notice one
 *
 * It computes the same sum again and again, with general and with SSE registers, at the lowest
 * priority. A wrong sum is remembered for ever. On request it tells the test after a round.
 */
#include "harness.h"

enum { ROUND_STEPS = 4000 };

static struct child self; /* not one of the children: it outlives the tests */
static const l4_cap_idx_t task_slot = 24UL << L4_CAP_SHIFT, thread_slot = 25UL << L4_CAP_SHIFT;
static char stack[4096] __attribute__((aligned(16)));

static volatile l4_umword_t rounds, wrong;
static volatile bool wanted; /* the test waits for the end of a round */
static volatile bool resting; /* it waits in the middle of a round, registers full */
static l4_umword_t right_sum;
static double right_product;

static l4_umword_t sum(double *product, l4_umword_t tid)
{
    l4_umword_t x = 88172645463325252UL, s = 0;
    double p = 1;

    for (unsigned i = 0; i < ROUND_STEPS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        s += x;
        p = p * 1.0009765625 + (double)(x & 0xff) * 0.03125;
        if (p > 1e12)
            p *= 1e-9;
        if (i == ROUND_STEPS / 2 && resting && !wanted)
            l4_ipc_receive(tid, l4_utcb(), L4_IPC_NEVER);
    }
    *product = p;
    return s;
}

static void compute(void *arg)
{
    l4_umword_t tid = (l4_umword_t)arg;

    for (;;) {
        double product;
        l4_umword_t s = sum(&product, tid);

        if (s != right_sum || product != right_product)
            wrong++;
        rounds++;
        if (wanted) {
            wanted = false;
            l4_ipc_send(tid, l4_utcb(), l4_msgtag(0, 0, 0, 0), L4_IPC_SEND_TIMEOUT_0);
        }
    }
}

void bystander_start(void)
{
    l4_fpage_t area = l4_fpage(CHILD_UTCB_ADDR, CHILD_UTCB_ORDER, L4_FPAGE_RW);

    right_sum = sum(&right_product, L4_INVALID_CAP);
    self.task = task_slot;
    self.thread = thread_slot;
    self.stack_top = stack + sizeof(stack);
    self.priority = PRIO_BYSTANDER;
    expect_eq(l4_error(l4_factory_create_task(L4_BASE_FACTORY_CAP, task_slot, &area)), 0);
    image_map(task_slot);
    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, thread_slot)), 0);
    l4_thread_control_start();
    l4_thread_control_pager(CHILD_PAGER);
    l4_thread_control_exc_handler(CHILD_PAGER);
    l4_thread_control_bind((l4_utcb_t *)CHILD_UTCB_ADDR, task_slot);
    expect_eq(l4_error(l4_thread_control_commit(thread_slot)), 0);
    expect_eq(give(&self, L4_BASE_THREAD_CAP, CHILD_CAP(0), L4_CAP_FPAGE_RW), 0);
    child_run(&self, compute, (void *)CHILD_CAP(0));
}

void bystander_rest(void)
{
    resting = true;
    l4_ipc_sleep_ms(2);
}

bool bystander_well(void)
{
    l4_umword_t before = rounds;
    l4_msgtag_t tag;

    wanted = true;
    if (resting)
        l4_ipc_send(thread_slot, l4_utcb(), l4_msgtag(0, 0, 0, 0), L4_IPC_SEND_TIMEOUT_0);
    tag = l4_ipc_receive(thread_slot, l4_utcb(), l4_timeout(L4_IPC_TIMEOUT_NEVER,
                                                            l4_timeout_from_us(200 * TICK_US)));
    return !l4_msgtag_has_error(tag) && rounds > before && wrong == 0;
}
