/*
 * probe.c - a child touches an address; the fault handler tells what came of it
 *
 * The handler is a thread of the test's task. It rejects page faults; of the exceptions that
 * follow, those of the four instructions below go on at the place behind them.
 */
#include "harness.h"

l4_cap_idx_t handler_gate = 20UL << L4_CAP_SHIFT;
static const l4_cap_idx_t handler_thread = 21UL << L4_CAP_SHIFT;

enum { HANDLER_UTCB = 1 };

static char handler_stack[8192] __attribute__((aligned(16)));
static volatile l4_umword_t last_fault;

/* rdi address, rsi value; rax value read, rdx 1 = refused. */
extern char touch_end[], touch_refused[];
__asm__(".globl touch_read, touch_write, touch_run, touch_port, touch_end, touch_refused\n"
        "touch_read:\n"
        "    mov %rsp, %r10\n"
        "    mov (%rdi), %rax\n"
        "    xor %edx, %edx\n"
        "    ret\n"
        "touch_write:\n"
        "    mov %rsp, %r10\n"
        "    mov %rsi, (%rdi)\n"
        "    xor %edx, %edx\n"
        "    ret\n"
        "touch_run:\n"
        "    mov %rsp, %r10\n"
        "    call *%rdi\n"
        "    xor %edx, %edx\n"
        "    ret\n"
        "touch_port:\n"
        "    mov %rsp, %r10\n"
        "    mov %edi, %edx\n"
        "    in (%dx), %al\n"
        "    xor %edx, %edx\n"
        "    ret\n"
        "touch_end:\n"
        "touch_refused:\n"
        "    mov %r10, %rsp\n"
        "    mov $1, %edx\n"
        "    ret\n");

typedef struct touched (*touch_fn)(l4_addr_t address, l4_umword_t value);

struct request {
    touch_fn touch;
    l4_addr_t address;
    l4_umword_t value;
    struct touched result;
};

static void do_touch(void *arg)
{
    struct request *r = arg;

    r->result = r->touch(r->address, r->value);
}

static struct probe probe(struct child *c, touch_fn touch, l4_addr_t address, l4_umword_t value)
{
    static struct request r;
    struct probe p;

    r = (struct request){touch, address, value, {0, 0}};
    last_fault = 0;
    child_run(c, do_touch, &r);
    expect(c->finished);
    p = (struct probe){r.result.refused, last_fault, r.result.value};
    return p;
}

struct probe probe_read(struct child *c, l4_addr_t address)
{
    return probe(c, touch_read, address, 0);
}

struct probe probe_write(struct child *c, l4_addr_t address, l4_umword_t value)
{
    return probe(c, touch_write, address, value);
}

struct probe probe_run(struct child *c, l4_addr_t address)
{
    return probe(c, touch_run, address, 0);
}

/* Registers behind the exception, in place; false: not one of ours. */
static bool skip(l4_exc_regs_t *x)
{
    bool here = x->ip >= (l4_addr_t)touch_read && x->ip < (l4_addr_t)touch_end;

    /* A refused jump has its target as instruction pointer. */
    if (!here && x->ip != x->rdi)
        return false;
    x->ip = (l4_addr_t)touch_refused;
    return true;
}

static void handler_loop(void)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);

    for (;;) {
        l4_msgtag_t answer = l4_msgtag(-L4_EFAULT, 0, 0, 0);

        if (l4_msgtag_is_page_fault(tag))
            last_fault = u->msg.mr[0];
        else if (l4_msgtag_is_exception(tag) && skip(l4_utcb_exc_u(u)))
            answer = l4_msgtag(0, L4_UTCB_EXCEPTION_REGS_SIZE, 0, 0);
        tag = l4_ipc_reply_and_wait(u, answer, &label, L4_IPC_NEVER);
        while (l4_msgtag_has_error(tag))
            tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);
    }
}

void own_thread(l4_cap_idx_t slot, unsigned utcb, void (*fn)(void), char *stack_top,
                unsigned priority)
{
    l4_sched_param_t p = l4_sched_param(priority, 0);
    l4_addr_t address = QUIRE_FIRST_UTCB_ADDR + utcb * L4_UTCB_OFFSET;

    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, slot)), 0);
    l4_thread_control_start();
    l4_thread_control_pager(L4_BASE_PAGER_CAP);
    l4_thread_control_bind((l4_utcb_t *)address, L4_BASE_TASK_CAP);
    expect_eq(l4_error(l4_thread_control_commit(slot)), 0);
    expect_eq(l4_error(l4_thread_ex_regs(slot, (l4_addr_t)fn, (l4_addr_t)(stack_top - 8), 0)), 0);
    expect_eq(l4_error(l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, slot, &p)), 0);
}

void handler_start(void)
{
    own_thread(handler_thread, HANDLER_UTCB, handler_loop, handler_stack + sizeof(handler_stack),
               PRIO_HANDLER);
    expect_eq(l4_error(l4_factory_create_gate(L4_BASE_FACTORY_CAP, handler_gate, handler_thread,
                                              0x100)), 0);
}
