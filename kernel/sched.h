/*
 * sched.h - who runs next
 *
 * 256 fixed priorities, round robin within one. System calls and traps return the thread that
 * runs next; sched_switch() makes it the current one.
 */
#pragma once

#include "io.h"
#include "task.h"
#include "thread.h"
#include "x86/cpu.h"
#include "x86/mmu.h"

void sched_init(void);
/* t became ready: into the queue of its priority (at the end, or in front). */
void sched_ready(struct thread *t);
void sched_ready_first(struct thread *t);
/* t leaves the ready queue. */
void sched_remove(struct thread *t);
/* The thread that runs next, already switched to. `self` is current; it is put back into the
 * queue if it is READY and something better is there. */
struct thread *sched_next(struct thread *self);
/* A preemption point: take pending interrupts; true: `current` should give way. */
bool sched_preempt(void);
void sched_tick(void);
void sched_set_priority(struct thread *t, unsigned priority);
/* S1, S2 and T4; who stands in the ready queue belongs there. */
bool sched_ok(void);

/* What only some threads have, the FPU's state and an FS base: self's is kept, next's is loaded.
 * Returns next. */
struct thread *sched_load_extra(struct thread *self, struct thread *next);
/* The same, and the bitmap of I/O ports. */
struct thread *sched_load_ports(struct thread *self, struct thread *next);
/* The current thread has met CR0.TS: from now on it has a state of the FPU. */
void sched_fpu_first_use(struct thread *t);

/* PF-3: the kernel switches to the pager: its FPU state, segment bases and address space. */
static inline struct thread *sched_load_other(struct cpu *c, struct thread *self,
                                              struct thread *next, const struct task *task)
{
    uint64_t root = task->space.root_phys;

    c->current = next;
    *c->tss_rsp0 = (uint64_t)(&next->regs + 1);
    wrmsr_halves(MSR_KERNEL_GS_BASE, next->gs_base_low, next->gs_base_high);
    if (root != c->root_loaded) {
        c->root_loaded = root;
        mmu_load_root(root);
        if (__builtin_expect(task->io != c->io, 0))
            return sched_load_ports(self, next);
    }
    if (__builtin_expect((self->flags | next->flags) & THREAD_EXTRA, 0))
        return sched_load_extra(self, next);
    return next;
}

/* The same for any thread; the idle thread lives in whatever space is loaded. */
static inline struct thread *sched_load(struct cpu *c, struct thread *next)
{
    struct thread *self = c->current;

    if (self == next)
        return next;
    if (next->task)
        return sched_load_other(c, self, next, next->task);
    c->current = next;
    return sched_load_extra(self, next);
}

/* Segment bases of t were set: load them if t is current. */
void sched_bases_changed(struct thread *t);

/* IPC timeouts */
void timeout_init(void);
void timeout_set(struct thread *t, uint16_t l4_timeout);
void timeout_cancel(struct thread *t);
void timeout_tick(void);
extern uint64_t ticks_now;
