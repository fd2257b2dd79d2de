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
/* S1 and S2; who stands in the ready queue belongs there. */
bool sched_ok(void);

/* PF-3: the kernel switches to the pager: its FPU state, segment bases and address space. */
static inline void sched_load_other(struct cpu *c, struct thread *next, const struct task *task)
{
    uint64_t root = task->space.root_phys;

    __asm__ volatile("fxsave %0" : "=m"(c->current->fpu));
    __asm__ volatile("fxrstor %0" : : "m"(next->fpu));
    c->current = next;
    *c->tss_rsp0 = (uint64_t)(&next->regs + 1);
    wrmsr_halves(MSR_KERNEL_GS_BASE, next->gs_base_low, next->gs_base_high);
    /* Only 0 can be relied on: loading a selector sets the base to 0 behind our back. */
    if (__builtin_expect((next->fs_base | c->fs_base_loaded) != 0, 0)) {
        c->fs_base_loaded = next->fs_base;
        wrmsr(MSR_FS_BASE, next->fs_base);
    }
    if (root != c->root_loaded) {
        c->root_loaded = root;
        mmu_load_root(root);
        if (__builtin_expect(task->io != c->io, 0))
            io_load(task->io);
    }
}

/* The same for any thread; the idle thread lives in whatever space is loaded. */
static inline void sched_load(struct cpu *c, struct thread *next)
{
    if (c->current != next && next->task) {
        sched_load_other(c, next, next->task);
    } else if (c->current != next) {
        __asm__ volatile("fxsave %0" : "=m"(c->current->fpu));
        c->current = next;
    }
}

/* Segment bases of t were set: load them if t is current. */
void sched_bases_changed(struct thread *t);

/* IPC timeouts */
void timeout_init(void);
void timeout_set(struct thread *t, uint16_t l4_timeout);
void timeout_cancel(struct thread *t);
void timeout_tick(void);
extern uint64_t ticks_now;
