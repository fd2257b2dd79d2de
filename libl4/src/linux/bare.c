/*
 * bare.c - the C library in a program without a region manager: a dataspace manager, a bare program
 *
 * A thread of our own is the main thread's exception handler. It does what a region manager does:
 * it turns foreign system calls back, and stops who faults.
 */
#include "linux.h"

#include <common/foreign.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/c/util/kumem_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/thread.h>

enum { STACK_SIZE = 4096, PRIORITY = 255 };

static struct foreign foreign;

/* An exception of another kind goes on to the parent, as it would without us; or the kernel says
 * who, what and where, and stops the thread. */
static l4_msgtag_t exception_serve(l4_utcb_t *u, l4_msgtag_t tag)
{
    if (l4_msgtag_label(tag) != L4_PROTO_EXCEPTION)
        return l4_msgtag(-L4_ENOSYS, 0, 0, 0);
    if (foreign_turn(&foreign, l4_utcb_exc_u(u)))
        return l4_msgtag(0, L4_UTCB_EXCEPTION_REGS_SIZE, 0, 0);
    if (l4_is_valid_cap(l4re_env()->parent))
        l4_ipc_call(l4re_env()->parent, u, tag, L4_IPC_NEVER);
    return l4_msgtag(-L4_ENOSYS, 0, 0, 0);
}

static void handler_loop(void)
{
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t answer, tag;
    l4_umword_t label;

    for (;;) {
        tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);
        while (!l4_msgtag_has_error(tag)) {
            answer = exception_serve(u, tag);
            tag = l4_ipc_reply_and_wait(u, answer, &label, L4_IPC_SEND_TIMEOUT_0);
        }
    }
}

long linux_bare_start(void)
{
    static char stack[STACK_SIZE] __attribute__((aligned(16)));
    l4re_env_t *env = l4re_env();
    l4_cap_idx_t pager = l4_is_valid_cap(env->parent) ? env->parent : L4_BASE_PAGER_CAP;
    l4_cap_idx_t thread = l4re_util_cap_alloc();
    l4_utcb_t *utcb = l4re_util_utcb_alloc();
    l4_sched_param_t param = l4_sched_param(PRIORITY, 0);
    long err;

    foreign = (struct foreign){(l4_addr_t)linux_entry, (l4_addr_t)linux_copy_at};
    if (l4_is_invalid_cap(thread) || !utcb)
        return -L4_ENOMEM;
    err = l4_error(l4_factory_create_thread(env->factory, thread));
    if (err < 0)
        return err;
    l4_thread_control_start();
    l4_thread_control_pager(pager);
    l4_thread_control_bind(utcb, L4_BASE_TASK_CAP);
    if ((err = l4_error(l4_thread_control_commit_u(thread, l4_utcb()))) < 0 ||
        (err = l4_error(l4_thread_ex_regs(thread, (l4_addr_t)handler_loop,
                                          (l4_addr_t)(stack + STACK_SIZE), 0))) < 0 ||
        (err = l4_error(l4_scheduler_run_thread(env->scheduler, thread, &param))) < 0)
        return err;
    l4_thread_control_start();
    l4_thread_control_exc_handler(thread);
    return l4_error(l4_thread_control_commit_u(env->main_thread, l4_utcb()));
}
