/*
 * utcb_ipc/main.c - two threads talk: L4Re's way of starting one, its stack given as it is
 * expect: ^main: the answer is 'Hello World'$
 */
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/err.h>
#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/thread.h>
#include <l4/sys/types.h>
#include <l4/sys/utcb.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char stack2[8 << 10];
static l4_cap_idx_t thread1_cap, thread2_cap;

/* One long message, then words that are exchanged. */
static void thread1(void)
{
    static char text[] = "Hello ";
    l4_msg_regs_t *mr = l4_utcb_mr();
    l4_buf_regs_t *br = l4_utcb_br();
    l4_msgtag_t tag;

    br->bdr = 0;
    memset(mr->mr, 0, sizeof(mr->mr));
    memcpy(mr->mr, text, sizeof(text));
    tag = l4_ipc_call(thread2_cap, l4_utcb(), l4_msgtag(42, 4, 0, 0), L4_IPC_NEVER);
    if (l4_ipc_error(tag, l4_utcb())) {
        fprintf(stderr, "main: IPC error %lx\n", l4_utcb_tcr()->error);
        exit(1);
    }
    if (l4_msgtag_label(tag) != 43 || l4_msgtag_words(tag) != 4)
        exit(2);
    printf("main: the answer is '%s'\n", (char *)mr->mr);

    /* A receiver that is not there for us: the timeout ends the send. */
    tag = l4_ipc_send(thread2_cap, l4_utcb(), l4_msgtag(0, 0, 0, 0),
                      l4_ipc_timeout(100, 1, 0, 0));
    if (l4_ipc_error(tag, l4_utcb()) != L4_IPC_SETIMEOUT || l4_ipc_is_rcv_error(l4_utcb()))
        exit(3);
    exit(strcmp((char *)mr->mr, "Hello World") != 0);
}

static L4_CV void thread2(void)
{
    l4_msg_regs_t *mr = l4_utcb_mr();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
    char line[64];

    if (l4_ipc_error(tag, l4_utcb()) || l4_msgtag_label(tag) != 42) {
        printf("thread 2: IPC error\n");
        exit(4);
    }
    snprintf(line, sizeof(line), "%s%s", (char *)mr->mr, "World");
    memcpy(mr->mr, line, 4 * sizeof(l4_umword_t));
    l4_ipc_send(L4_INVALID_CAP | L4_SYSF_REPLY, l4_utcb(), l4_msgtag(43, 4, 0, 0), L4_IPC_NEVER);
    l4_thread_yield();
    for (;;)
        l4_ipc_sleep(L4_IPC_NEVER);
}

int main(void)
{
    l4_msgtag_t tag;

    thread1_cap = l4re_env()->main_thread;
    thread2_cap = l4re_util_cap_alloc();
    if (l4_is_invalid_cap(thread2_cap))
        return 1;
    tag = l4_factory_create_thread(l4re_env()->factory, thread2_cap);
    if (l4_error(tag))
        return 1;

    l4_thread_control_start();
    l4_thread_control_pager(l4re_env()->rm);
    l4_thread_control_exc_handler(l4re_env()->rm);
    l4_thread_control_bind((l4_utcb_t *)l4re_env()->first_free_utcb, L4RE_THIS_TASK_CAP);
    tag = l4_thread_control_commit(thread2_cap);
    if (l4_error(tag))
        return 2;

    tag = l4_thread_ex_regs(thread2_cap, (l4_umword_t)thread2,
                            (l4_umword_t)stack2 + sizeof(stack2), 0);
    if (l4_error(tag))
        return 3;

    l4_sched_param_t sp = l4_sched_param(1, 0);
    tag = l4_scheduler_run_thread(l4re_env()->scheduler, thread2_cap, &sp);
    if (l4_error(tag))
        return 4;

    thread1();
    return 0;
}
