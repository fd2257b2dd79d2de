/*
 * trap.c - what the doors of entry.S lead to
 */
#include "fault.h"
#include "io.h"
#include "irq.h"
#include "ipc.h"
#include "klog.h"
#include "san.h"
#include "sched.h"
#include "x86/cpu.h"
#include "x86/pic.h"

enum { TRAP_NM = 7, TRAP_GP = 13, TRAP_PF = 14 };

struct thread *trap_from_user(struct thread *t);
void trap_from_kernel(struct regs *r);
void trap_nmi_seen(struct regs *r);
void trap_is_fatal(struct regs *r);

static uint64_t fault_address(void)
{
    uint64_t v;

    __asm__ volatile("mov %%cr2, %0" : "=r"(v));
    return v;
}

static bool interrupt(uint64_t vector)
{
    if (vector == VECTOR_TIMER) {
        timer_ack();
        sched_tick();
        return true;
    }
    if (vector - VECTOR_PIC < PIC_LINES)
        icu_interrupt((unsigned)(vector - VECTOR_PIC));
    return vector >= VECTOR_TIMER; /* or spurious */
}

struct thread *trap_from_user(struct thread *t)
{
    uint64_t vector = t->regs.vector;

    struct thread *next = NULL;

    if (vector == TRAP_PF) {
        next = fault_page(t, fault_address(), t->regs.err);
    } else if (vector == TRAP_NM) {
        sched_fpu_first_use(t);
    } else if (!interrupt(vector) && !(vector == TRAP_GP && !t->regs.err && io_fault(t))) {
        fault_exception(t);
    }
    return next ? next : sched_next(cpu0.current);
}

void trap_from_kernel(struct regs *r)
{
    uint64_t address;

    if (interrupt(r->vector))
        return;
    address = fault_address();
    klog("trap %lu in the kernel: error 0x%lx, ip 0x%lx, address 0x%lx\n", r->vector, r->err,
         r->rip, address);
    backtrace(r->rip, r->rbp);
    san_trap(r->vector, address);
    panic("trap %lu in the kernel", r->vector);
}

/* Nothing in the machine that we know sends one; say so and go on. */
void trap_nmi_seen(struct regs *r)
{
    klog("NMI at 0x%lx\n", r->rip);
}

void trap_is_fatal(struct regs *r)
{
    klog("%s: error 0x%lx, ip 0x%lx, sp 0x%lx, address 0x%lx\n",
         r->vector == 8 ? "double fault" : "machine check", r->err, r->rip, r->rsp,
         fault_address());
    backtrace(r->rip, r->rbp);
    panic("%s", r->vector == 8 ? "double fault" : "machine check");
}
