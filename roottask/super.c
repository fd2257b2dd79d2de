/*
 * roottask/super.c - the supervisor: who ended, who faulted, what then
 *
 * All tasks' parent gates lead to this thread. It calls nobody but the kernel, so no server can
 * keep it from hearing that the server has faulted.
 *
 *   PARENT  EXIT status        the program has ended
 *   PARENT  FAULT              its region manager has reported a fault and gives up
 *   PAGE_FAULT                 of a region manager or a dataspace manager: refused, so that the
 *                              kernel sends what follows, with all registers
 *   EXCEPTION                  of one of these: reported here
 *
 * In every case the task is deleted; what servers hold for it the loader's thread gives back.
 *
 * A third thread hears of faults of the supervisor itself: a machine that nobody supervises is
 * switched off. (A fault of the loader's thread has no handler and ends in a kernel panic.)
 */
#include "root.h"

#include <abi/env.h>
#include <abi/errors.h>
#include <l4/sys/err.h>
#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/thread.h>

#include <string.h>

enum {
    STACK_SIZE = SUPER_STACK_SIZE,
    PRIORITY = 255,
    STATUS_FAULT = 255,
    SUPER_SLOT = 32,
    WATCH_SLOT = 33,
    TRAP_PAGE_FAULT = 14,
    ERR_PRESENT = 1,
    ERR_WRITE = 2,
    ERR_FETCH = 16,
    LABEL_RIGHTS = 3, /* the gate's rights, in the label's low bits */
};

static char super_stack[STACK_SIZE] __attribute__((aligned(16)));
static char watch_stack[STACK_SIZE] __attribute__((aligned(16)));

/* ---- reports ---- */

static bool in_region_manager(const struct task *t, l4_addr_t ip)
{
    return t->script->kind == SCRIPT_PROGRAM && ip >= QUIRE_RM_ADDR && ip < QUIRE_RM_END;
}

static const char *trap_name(l4_umword_t trap)
{
    static const char *const names[] = {
        [0] = "division error",      [1] = "debug trap",
        [3] = "breakpoint",          [4] = "overflow",
        [5] = "bound exceeded",      [6] = "invalid instruction",
        [7] = "no coprocessor",      [10] = "invalid task state",
        [11] = "segment not present", [12] = "stack segment fault",
        [13] = "general protection", [14] = "page fault",
        [16] = "x87 error",          [17] = "misaligned access",
        [19] = "SIMD error",
    };
    const char *name = trap < sizeof(names) / sizeof(names[0]) ? names[trap] : NULL;

    return name ? name : "exception";
}

static void report_registers(const l4_exc_regs_t *x)
{
    static const char format[] = "  %s %016lx %s %016lx %s %016lx %s %016lx";

    say(format, "rax", x->rax, "rbx", x->rbx, "rcx", x->rcx, "rdx", x->rdx);
    say(format, "rsi", x->rsi, "rdi", x->rdi, "rbp", x->rbp, "rsp", x->sp);
    say(format, "r8 ", x->r8, "r9 ", x->r9, "r10", x->r10, "r11", x->r11);
    say(format, "r12", x->r12, "r13", x->r13, "r14", x->r14, "r15", x->r15);
    say("  flags %lx trap %lu error %lx", x->flags, x->trapno, x->err);
}

/* "backtrace <image>: 0x<ip>": the host's tools make a line of source of it. */
static void report_exception(const char *task, const char *thread, const char *image,
                             const l4_exc_regs_t *x)
{
    if (x->trapno == TRAP_PAGE_FAULT)
        say("fault: task %s thread %s: %s of 0x%lx at ip 0x%lx: %s", task, thread,
            x->err & ERR_FETCH ? "fetch" : x->err & ERR_WRITE ? "write" : "read", x->pfa, x->ip,
            x->err & ERR_PRESENT ? "the page does not allow it" : "no page, and no pager");
    else
        say("fault: task %s thread %s: %s at ip 0x%lx", task, thread, trap_name(x->trapno), x->ip);
    report_registers(x);
    say("backtrace %s: 0x%lx", image, x->ip);
}

static void report_task(const struct task *t, const l4_exc_regs_t *x)
{
    const char *thread = t->script->kind == SCRIPT_PROGRAM ? "rm" : "main";
    char image[SCRIPT_FILE_SIZE] = "rm";
    size_t n;

    if (!in_region_manager(t, x->ip)) {
        strcpy(image, t->script->file);
        n = strlen(image);
        if (n > 4 && strcmp(image + n - 4, ".elf") == 0)
            image[n - 4] = 0;
    }
    report_exception(t->script->name, thread, image, x);
}

/* ---- ends ---- */

/* The loader gives back what servers hold. It may be busy; then it looks by itself. */
static void wake_loader(void)
{
    l4_ipc_send(L4_BASE_THREAD_CAP, l4_utcb(), l4_msgtag(0, 0, 0, 0), L4_IPC_BOTH_TIMEOUT_0);
}

static void manager_ended(const struct task *t)
{
    if (!task_restarts(t)) {
        say("roottask: manager %s has ended: its clients will fail", t->script->name);
        return;
    }
    say("roottask: manager %s has ended and begins again (%u of %u)", t->script->name, t->lives,
        t->script->restarts);
    keeper_wake();
}

static void task_ended(struct task *t, int status)
{
    if (!task_claim(t))
        return;
    t->status = status;
    task_kill(t);
    if (t->script->kind == SCRIPT_MANAGER)
        manager_ended(t);
    else
        say("roottask: %s ended with status %d", t->script->name, status);
    if (t->script->main && !interactive)
        power_off(status);
    if (t->script->main)
        say("roottask: %s was the main program; staying up (option interactive)", t->script->name);
    wake_loader();
}

/* A reply without words. */
static void reply_set(l4_msgtag_t *reply, long label)
{
    *reply = l4_msgtag(label, 0, 0, 0);
}

/* True: send *reply. False: the sender is gone. */
static bool parent_signal(struct task *t, unsigned words, const l4_umword_t *mr,
                          l4_msgtag_t *reply)
{
    l4_umword_t signal = mr[1];
    l4_umword_t value = mr[2];
    unsigned op = mr[0] & 0xffff;
    long err;

    if (words > 0 && op != L4RE_PARENT_SIGNAL_OP) {
        err = gates_request(t, op, words, reply);
        if (err < 0)
            reply_set(reply, err);
        return true;
    }
    reply_set(reply, words < 3 ? -L4_EMSGTOOSHORT : -L4_ENOSYS);
    if (words < 3)
        return true;
    switch (signal) {
    case L4RE_SIG_EXIT:
        task_ended(t, (int)(value & 0xff));
        return false;
    case L4RE_SIG_FAULT:
        task_ended(t, STATUS_FAULT);
        return false;
    default:
        return true;
    }
}

static bool handle(struct task *t, l4_msgtag_t tag, l4_utcb_t *u, l4_msgtag_t *reply)
{
    l4_exc_regs_t regs;

    switch (l4_msgtag_label(tag)) {
    case L4RE_PROTO_PARENT:
        return parent_signal(t, l4_msgtag_words(tag), u->msg.mr, reply);
    case L4_PROTO_PAGE_FAULT:
        reply_set(reply, -L4_EFAULT);
        return true;
    case L4_PROTO_EXCEPTION:
        reply_set(reply, -L4_EMSGTOOSHORT);
        if (l4_msgtag_words(tag) < L4_UTCB_EXCEPTION_REGS_SIZE)
            return true; /* not from the kernel */
        memcpy(&regs, u->msg.mr, sizeof(regs)); /* printing overwrites the message */
        report_task(t, &regs);
        task_ended(t, STATUS_FAULT);
        return false;
    default:
        reply_set(reply, -L4_EBADPROTO);
        return true;
    }
}

static void super_main(void)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t from = 0;
    l4_msgtag_t tag, reply;
    bool answer = false;

    for (;;) {
        struct task *t;

        u->buf.bdr = 0;
        u->buf.br[0] = 0;
        if (answer)
            tag = l4_ipc_reply_and_wait(u, reply, &from, L4_IPC_NEVER);
        else
            tag = l4_ipc_wait(u, &from, L4_IPC_NEVER);
        answer = false;
        if (l4_msgtag_has_error(tag))
            continue;
        t = task_from_label(from & ~(l4_umword_t)LABEL_RIGHTS);
        reply_set(&reply, -L4_ENOENT);
        answer = !t || task_state(t) != TASK_RUNNING || handle(t, tag, u, &reply);
    }
}

/* The supervisor's exception handler: it does nothing else, so it cannot be busy. */
static void watch_main(void)
{
    l4_utcb_t *u = l4_utcb();
    l4_exc_regs_t regs;
    l4_umword_t from;
    l4_msgtag_t tag;

    do {
        u->buf.bdr = 0;
        u->buf.br[0] = 0;
        tag = l4_ipc_wait(u, &from, L4_IPC_NEVER);
    } while (l4_msgtag_has_error(tag) || l4_msgtag_label(tag) != L4_PROTO_EXCEPTION);
    memcpy(&regs, u->msg.mr, sizeof(regs));
    report_exception("roottask", "supervisor", "roottask", &regs);
    fatal("the supervisor has faulted: nobody would hear of other faults");
}

/* Thread number `n` of this task, running main(); its exceptions go to `handler`. */
l4_cap_idx_t super_thread(unsigned slot, unsigned n, void (*main)(void), char *stack,
                          l4_cap_idx_t handler)
{
    l4_cap_idx_t thread = (l4_cap_idx_t)slot << L4_CAP_SHIFT;
    l4_sched_param_t param = l4_sched_param(PRIORITY, 0);
    long err = l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, thread));

    if (err < 0)
        fatal("no thread for the supervisor: %s (%ld)", l4sys_errtostr(err), err);
    l4_thread_control_start();
    l4_thread_control_pager(L4_BASE_PAGER_CAP);
    if (handler != L4_INVALID_CAP)
        l4_thread_control_exc_handler(handler);
    l4_thread_control_bind((l4_utcb_t *)(QUIRE_FIRST_UTCB_ADDR + n * L4_UTCB_OFFSET),
                           L4_BASE_TASK_CAP);
    if ((err = l4_error(l4_thread_control_commit(thread))) < 0 ||
        /* As if called: the stack is 8 bytes off 16. */
        (err = l4_error(l4_thread_ex_regs(thread, (l4_addr_t)main,
                                          (l4_addr_t)(stack + STACK_SIZE - 8), 0))) < 0 ||
        (err = l4_error(l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, thread, &param))) < 0)
        fatal("cannot start the supervisor: %s (%ld)", l4sys_errtostr(err), err);
    return thread;
}

l4_cap_idx_t super_watch(void)
{
    return (l4_cap_idx_t)WATCH_SLOT << L4_CAP_SHIFT;
}

l4_cap_idx_t super_start(void)
{
    super_thread(WATCH_SLOT, 2, watch_main, watch_stack, L4_INVALID_CAP);
    return super_thread(SUPER_SLOT, 1, super_main, super_stack, super_watch());
}
