/*
 * fault.c - page faults and exceptions as messages of the thread that caused them
 *
 * The message is not written into the faulter's UTCB: it is made from the thread object when it
 * is copied, and the answer acts on the thread object, so that whatever message the thread was
 * just composing stays as it was.
 */
#include "fault.h"

#include "ipc.h"
#include "kip.h"
#include "klog.h"
#include "sched.h"
#include "task.h"
#include "trace.h"

enum { PF_ERR_PRESENT = 1, PF_ERR_WRITE = 2, PF_ERR_FETCH = 16, TRAP_PAGE_FAULT = 14 };
_Static_assert((int)L4_PF_PRESENT == (int)PF_ERR_PRESENT &&
                   (int)L4_PF_WRITE == (int)PF_ERR_WRITE,
               "as the CPU has them");
enum { SYSCALL_LENGTH = 2 };

/* Flags a handler may set: the arithmetic ones, TF, DF, AC, ID. IF is always on. */
enum { RFLAGS_USER = 0x240dd5, RFLAGS_ALWAYS = 0x202 };

static void send_up(struct thread *t, l4_cap_idx_t to, long label, unsigned words)
{
    struct ipc ipc = {t, L4_SYSF_CALL, 0, msgtag(label, words, 0, 0)};

    if ((to & L4_INVALID_CAP_BIT) || !to)
        fault_failed(t);
    else
        ipc_through(&ipc, to);
}

/* PF-2: the kernel makes the fault a message from the thread to the thread's pager capability. */
struct thread *fault_page(struct thread *t, uint64_t address, uint64_t err)
{
    struct thread *pager;

    t->fault_address = address;
    t->regs.err = err;
    t->fault_bits = (uint8_t)((err & (PF_ERR_PRESENT | PF_ERR_WRITE)) |
                              ((err & PF_ERR_FETCH) ? L4_PF_FETCH : 0));
    t->message = MESSAGE_FAULT;
    t->task->page_faults++;
    trace(L4_TRACE_FAULT, (address & ~7UL) | t->fault_bits, t->regs.rip, 0);
    pager = fault_shortcut(t);
    if (!pager)
        fault_send(t);
    return pager;
}

void fault_send(struct thread *t)
{
    if (t->message == MESSAGE_FAULT)
        send_up(t, t->pager, L4_PROTO_PAGE_FAULT, 2);
    else if (t->message == MESSAGE_IO_FAULT)
        send_up(t, t->pager, L4_PROTO_IO_PAGE_FAULT, 2);
    else
        send_up(t, t->exc_handler, L4_PROTO_EXCEPTION, L4_UTCB_EXCEPTION_REGS_SIZE);
}

static void begin_exception(struct thread *t)
{
    t->message = MESSAGE_EXCEPTION;
    t->task->exceptions++;
    trace(L4_TRACE_EXCEPTION, t->regs.vector, t->regs.rip, 0);
}

void fault_exception(struct thread *t)
{
    begin_exception(t);
    fault_send(t);
}

SELDOM unsigned fault_words(const struct thread *t, uint64_t *mr)
{
    const struct regs *r = &t->regs;
    l4_exc_regs_t *x = (l4_exc_regs_t *)mr;

    if (t->message == MESSAGE_FAULT) {
        fault_page_words(t, mr);
        return 2;
    }
    if (t->message == MESSAGE_IO_FAULT) {
        mr[0] = t->fault_address; /* a flexpage */
        mr[1] = r->rip;
        return 2;
    }
    *x = (l4_exc_regs_t){
        .r15 = r->r15,
        .r14 = r->r14,
        .r13 = r->r13,
        .r12 = r->r12,
        .r11 = r->r11,
        .r10 = r->r10,
        .r9 = r->r9,
        .r8 = r->r8,
        .rdi = r->rdi,
        .rsi = r->rsi,
        .rbp = r->rbp,
        .pfa = t->fault_address,
        .rbx = r->rbx,
        .rdx = r->rdx,
        .rcx = r->rcx,
        .rax = r->rax,
        .trapno = r->vector,
        .err = r->err,
        .ip = r->rip,
        .cs = SEL_UCODE,
        .flags = r->rflags,
        .sp = r->rsp,
        .ss = SEL_UDATA,
        .fs_base = t->fs_base,
        .gs_base = t->gs_base,
    };
    return L4_UTCB_EXCEPTION_REGS_SIZE;
}

SELDOM void fault_take_words(struct thread *t, const uint64_t *mr, unsigned words)
{
    struct regs *r = &t->regs;
    const l4_exc_regs_t *x = (const l4_exc_regs_t *)mr;

    if (t->message != MESSAGE_EXCEPTION || words < L4_UTCB_EXCEPTION_REGS_SIZE)
        return;
    r->r15 = x->r15, r->r14 = x->r14, r->r13 = x->r13, r->r12 = x->r12, r->r11 = x->r11;
    r->r10 = x->r10, r->r9 = x->r9, r->r8 = x->r8, r->rdi = x->rdi, r->rsi = x->rsi;
    r->rbp = x->rbp, r->rbx = x->rbx, r->rdx = x->rdx, r->rcx = x->rcx, r->rax = x->rax;
    r->rsp = x->sp;
    r->rflags = (x->flags & RFLAGS_USER) | RFLAGS_ALWAYS;
    r->rip = thread_valid_ip(x->ip);
    if (x->fs_base < L4_USER_END)
        t->fs_base = x->fs_base;
    if (t->fs_base)
        t->flags |= THREAD_EXTRA;
    if (x->gs_base < L4_USER_END)
        t->gs_base = x->gs_base;
}

void fault_answered(struct thread *t, l4_msgtag_t tag)
{
    bool was_call = t->message == MESSAGE_EXCEPTION && t->regs.vector == VECTOR_SYSCALL;

    trace(L4_TRACE_RESUME, (uint64_t)tag.raw, t->regs.rip, t->obj.id);
    if (msgtag_label(tag) < 0) {
        fault_failed(t);
        return;
    }
    t->message = MESSAGE_UTCB;
    thread_exit_exact(t);
    if (was_call && (t->flags & THREAD_ALIEN) && msgtag_label(tag) == L4_PROTO_ALLOW_SYSCALL) {
        t->flags |= THREAD_ALLOW_SYSCALL;
        t->regs.rip -= SYSCALL_LENGTH; /* the same instruction again, now let through */
    }
}

static SELDOM void report(const struct thread *t)
{
    const struct regs *r = &t->regs;

    if (t->task->obj.dying)
        return; /* no news: its handler was taken apart before it */
    klog("fault: thread %u of task %u stopped: trap %lu, error 0x%lx, ip 0x%lx, sp 0x%lx, "
         "address 0x%lx: nobody handles it\n",
         t->obj.id, t->task->obj.id, r->vector, r->err, r->rip, r->rsp,
         r->vector == TRAP_PAGE_FAULT ? t->fault_address : 0);
    klog("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    klog("  rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", r->rsi, r->rdi, r->rbp, r->r8);
    klog("  r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", r->r9, r->r10, r->r11, r->r12);
    klog("  r13 %016lx r14 %016lx r15 %016lx flags %lx\n", r->r13, r->r14, r->r15, r->rflags);
    boot_thread_stopped(t);
}

/* A page fault that nobody resolves becomes an exception, an exception that nobody handles stops
 * the thread with a report. The exception is sent when the thread is next: its delivery may make
 * another fault fail, and so on, and only the ready queue is as long as such a chain. */
void fault_failed(struct thread *t)
{
    if (t->message == MESSAGE_FAULT || t->message == MESSAGE_IO_FAULT) {
        if (t->message == MESSAGE_FAULT) /* the other is the #GP that it began as */
            t->regs.vector = TRAP_PAGE_FAULT;
        begin_exception(t);
        fault_or_call_again(t);
        return;
    }
    t->message = MESSAGE_UTCB;
    t->state = THREAD_STOPPED;
    report(t);
}
