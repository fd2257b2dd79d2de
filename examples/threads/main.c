/*
 * threads/main.c - a second thread the L4Re way, and messages through UTCBs
 *
 * The second thread answers calls with the sum of the words in its UTCB. Nothing here knows of
 * Quire: the same file compiles for L4Re.
 */
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/consts.h>
#include <l4/sys/err.h>
#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/thread.h>
#include <l4/sys/utcb.h>

#include <stdio.h>

enum { STACK_SIZE = 8 << 10, CALLS = 1000, PRIORITY = 90 };

static unsigned char stack[STACK_SIZE] __attribute__((aligned(16)));
static volatile unsigned long answered;

/* The second thread: wait for a message, answer it, wait for the next one. */
static void second_thread(void)
{
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);

    for (;;) {
        l4_umword_t sum = 0;

        if (!l4_ipc_error(tag, l4_utcb())) {
            for (unsigned i = 0; i < l4_msgtag_words(tag); i++)
                sum += l4_utcb_mr()->mr[i];
            answered++;
        }
        l4_utcb_mr()->mr[0] = sum;
        tag = l4_ipc_reply_and_wait(l4_utcb(), l4_msgtag(0, 1, 0, 0), &label, L4_IPC_NEVER);
    }
}

static int start_thread(l4_cap_idx_t *thread)
{
    l4_addr_t sp = (l4_addr_t)(stack + sizeof(stack)) - sizeof(l4_umword_t);
    l4_sched_param_t param = l4_sched_param(PRIORITY, 0);
    l4_cap_idx_t cap = l4re_util_cap_alloc();
    l4_msgtag_t tag;

    if (l4_is_invalid_cap(cap))
        return -L4_ENOMEM;
    tag = l4_factory_create_thread(l4re_env()->factory, cap);
    if (l4_error(tag))
        return l4_error(tag);
    l4_thread_control_start();
    l4_thread_control_pager(l4re_env()->rm);
    l4_thread_control_exc_handler(l4re_env()->rm);
    l4_thread_control_bind((l4_utcb_t *)l4re_env()->first_free_utcb, L4RE_THIS_TASK_CAP);
    tag = l4_thread_control_commit(cap);
    if (l4_error(tag))
        return l4_error(tag);
    *(l4_umword_t *)sp = 0; /* where a return address would be */
    tag = l4_thread_ex_regs(cap, (l4_umword_t)second_thread, sp, 0);
    if (l4_error(tag))
        return l4_error(tag);
    *thread = cap;
    return l4_error(l4_scheduler_run_thread(l4re_env()->scheduler, cap, &param));
}

/* Send n, n + 1, ... : `words` of them; is the answer their sum? */
static int call(l4_cap_idx_t thread, unsigned long n, unsigned words)
{
    l4_umword_t sum = 0;

    for (unsigned i = 0; i < words; i++)
        sum += l4_utcb_mr()->mr[i] = n + i;
    l4_msgtag_t tag = l4_ipc_call(thread, l4_utcb(), l4_msgtag(0, words, 0, 0), L4_IPC_NEVER);
    if (l4_ipc_error(tag, l4_utcb())) {
        printf("threads: call %lu: IPC error %ld\n", n, (long)l4_ipc_error(tag, l4_utcb()));
        return 1;
    }
    if (l4_msgtag_words(tag) != 1 || l4_utcb_mr()->mr[0] != sum) {
        printf("threads: call %lu: %lu instead of %lu\n", n, l4_utcb_mr()->mr[0], sum);
        return 1;
    }
    return 0;
}

int main(void)
{
    l4_cap_idx_t thread;
    int err = start_thread(&thread);

    if (err) {
        printf("threads: cannot start a thread: %d\n", err);
        return 1;
    }
    for (unsigned long n = 0; n < CALLS; n++)
        if (call(thread, n, n % (L4_UTCB_GENERIC_DATA_SIZE + 1)) != 0)
            return 1;
    printf("threads: %d calls, %lu answered, all sums are right\n", CALLS, answered);
    return answered == CALLS ? 0 : 1;
}
