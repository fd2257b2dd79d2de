/*
 * slow_pagers/touch.c - threads that touch, and what becomes of them
 */
#include "slow.h"

#include <l4/re/c/util/kumem_alloc.h>
#include <l4/util/thread.h>

#include <string.h>

static char stacks[THREADS][STACK] __attribute__((aligned(16)));

/* ---- threads ---- */

/* Its pages are there. */
l4_addr_t stack_of(unsigned n)
{
    memset(stacks[n], 0, STACK);
    return (l4_addr_t)(stacks[n] + STACK);
}

bool thread_start(struct thread *t, unsigned n, void (*pc)(void), l4_addr_t sp, unsigned priority,
                  l4_cap_idx_t handler)
{
    l4re_env_t *env = l4re_env();

    t->cap = l4re_util_cap_alloc();
    t->utcb = l4re_util_utcb_alloc();
    if (l4_error(l4_factory_create_thread(env->factory, t->cap)) < 0)
        return false;
    l4_thread_control_start();
    l4_thread_control_pager(env->rm);
    l4_thread_control_exc_handler(handler);
    l4_thread_control_bind(t->utcb, L4_BASE_TASK_CAP);
    if (l4_error(l4_thread_control_commit(t->cap)) < 0)
        return false;
    t->utcb->tcr.user[0] = n;
    l4_thread_ex_regs(t->cap, (l4_addr_t)pc, sp, 0);
    l4_sched_param_t sched = l4_sched_param(priority, 0);

    return l4_error(l4_scheduler_run_thread(env->scheduler, t->cap, &sched)) >= 0;
}

void thread_end(struct thread *t)
{
    l4re_util_cap_free_um(t->cap);
    l4re_util_utcb_free(t->utcb);
}

/* ---- who touches, and what becomes of it ---- */

static struct thread toucher[TOUCHERS], handler;
l4_cap_idx_t handler_gate;
static volatile l4_addr_t target[TOUCHERS];
static volatile bool write_it[TOUCHERS];
volatile bool touched[TOUCHERS];
volatile unsigned refused;
volatile l4_addr_t refused_at;

/* The two accesses, where the handler can tell them. */
__asm__(".text\n"
        ".globl touch, touch_read_at, touch_write_at, touch_end\n"
        "touch:\n"
        "    testl %esi, %esi\n"
        "    jnz touch_write_at\n"
        "touch_read_at:\n"
        "    movb (%rdi), %al\n"
        "    ret\n"
        "touch_write_at:\n"
        "    movb $1, (%rdi)\n"
        "touch_end:\n"
        "    ret\n");

L4UTIL_THREAD_STATIC_FUNC(toucher_main)
{
    unsigned n = (unsigned)l4_utcb()->tcr.user[0];

    touch(target[n], write_it[n]);
    touched[n] = true;
    l4_ipc_sleep(L4_IPC_NEVER);
    for (;;)
        ;
}

L4UTIL_THREAD_STATIC_FUNC(handler_main)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);

    for (;;) {
        l4_exc_regs_t *x = l4_utcb_exc_u(u);
        l4_msgtag_t answer = l4_msgtag(-L4_EINVAL, 0, 0, 0);

        if (!l4_msgtag_has_error(tag) && l4_msgtag_label(tag) == L4_PROTO_EXCEPTION &&
            x->trapno == 14 && x->ip >= (l4_addr_t)touch_read_at && x->ip < (l4_addr_t)touch_end) {
            refused++;
            refused_at = x->pfa;
            x->ip = (l4_addr_t)touch_end;
            answer = l4_msgtag(0, L4_UTCB_EXCEPTION_REGS_SIZE, 0, 0);
        }
        tag = l4_ipc_reply_and_wait(u, answer, &label, L4_IPC_SEND_TIMEOUT_0);
    }
}

void touch_start(unsigned n, l4_addr_t at, bool write)
{
    target[n] = at;
    write_it[n] = write;
    touched[n] = false;
    thread_start(&toucher[n], n, toucher_main, stack_of(n), 99, handler_gate);
}

void touch_done(unsigned n)
{
    thread_end(&toucher[n]);
}

long touch_fresh(unsigned n)
{
    l4re_ds_t ds = l4re_util_cap_alloc();
    void *at = (void *)FRESH_PLACE;
    l4_umword_t before;

    l4re_ma_alloc(n * L4_PAGESIZE, ds, 0);
    l4re_rm_attach(&at, n * L4_PAGESIZE, L4RE_RM_F_RW, ds, 0, 0);
    before = rm_stat(L4RE_RM_STATS_RESOLVED);
    for (unsigned i = 0; i < n; i++)
        ((volatile char *)at)[i * L4_PAGESIZE] = 1;
    before = rm_stat(L4RE_RM_STATS_RESOLVED) - before;
    l4re_rm_detach(at);
    l4re_util_cap_free_um(ds);
    return (long)before;
}

void refusals_start(void)
{
    thread_start(&handler, HANDLER, handler_main, stack_of(HANDLER), 120, l4re_env()->rm);
    handler_gate = l4re_util_cap_alloc();
    l4_factory_create_gate(l4re_env()->factory, handler_gate, handler.cap, 0);
}
