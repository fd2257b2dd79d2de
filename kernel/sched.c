/*
 * sched.c - ready queues, switching, time slices
 *
 * S1  cpu.top_ready is the highest priority with a waiting thread, or 0 if there is none.
 * S2  A bit of ready_map is set exactly if the list of that priority is not empty.
 */
#include "sched.h"

#include "kassert.h"
#include "kip.h"
#include "limits.h"
#include "object.h"
#include "task.h"
#include "trace.h"

static struct link ready[LIMIT_PRIORITIES];
static uint64_t ready_map[LIMIT_PRIORITIES / 64];
struct thread idle_thread;

void sched_init(void)
{
    for (unsigned i = 0; i < LIMIT_PRIORITIES; i++)
        list_init(&ready[i]);
    idle_thread.state = THREAD_STOPPED;
    cpu0.current = &idle_thread;
    timeout_init();
}

static void find_top(void)
{
    for (unsigned i = LIMIT_PRIORITIES / 64; i-- > 0;) {
        if (ready_map[i]) {
            cpu0.top_ready = i * 64 + 63 - (unsigned)__builtin_clzl(ready_map[i]);
            return;
        }
    }
    cpu0.top_ready = 0;
}

static void enter(struct thread *t, struct link *at)
{
    unsigned p = t->priority;

    kassert(t->state == THREAD_READY && t->task);
    if (!list_empty(&t->link))
        return;
    list_add(at, &t->link);
    ready_map[p / 64] |= 1UL << (p % 64);
    if (p > cpu0.top_ready)
        cpu0.top_ready = p;
    if (p > cpu0.current->priority || cpu0.current->state != THREAD_READY)
        cpu0.resched = true;
}

void sched_ready(struct thread *t)
{
    enter(t, &ready[t->priority]);
}

void sched_ready_first(struct thread *t)
{
    enter(t, ready[t->priority].next);
}

void sched_remove(struct thread *t)
{
    unsigned p = t->priority;

    list_del(&t->link);
    if (list_empty(&ready[p])) {
        ready_map[p / 64] &= ~(1UL << (p % 64));
        if (p == cpu0.top_ready)
            find_top();
    }
}

void sched_set_priority(struct thread *t, unsigned priority)
{
    bool queued = t->state == THREAD_READY && t != cpu0.current && !list_empty(&t->link);

    if (queued)
        sched_remove(t);
    t->priority = (uint8_t)priority;
    if (queued)
        sched_ready(t);
    if (cpu0.top_ready > cpu0.current->priority)
        cpu0.resched = true;
}

struct thread *sched_load_extra(struct thread *self, struct thread *next)
{
    if (self->fpu_used & next->fpu_used) {
        fpu_save(self->fpu);
        fpu_load(next->fpu);
    } else if (self->fpu_used) {
        fpu_save(self->fpu);
        fpu_load(fpu_initial); /* nothing of self stays there, not even for speculation */
        fpu_off();
    } else if (next->fpu_used) {
        fpu_on();
        fpu_load(next->fpu);
    }
    if (self->fs_base | next->fs_base)
        wrmsr(MSR_FS_BASE, next->fs_base);
    return next;
}

struct thread *sched_load_ports(struct thread *self, struct thread *next)
{
    io_load(next->task->io);
    return sched_load_extra(self, next);
}

void sched_fpu_first_use(struct thread *t)
{
    fpu_on();
    t->fpu_used = true;
    t->flags |= THREAD_EXTRA;
}

void sched_bases_changed(struct thread *t)
{
    if (t != cpu0.current)
        return;
    wrmsr(MSR_KERNEL_GS_BASE, t->gs_base);
    wrmsr(MSR_FS_BASE, t->fs_base);
}

/* Nobody is ready: finish what is dying, then sleep until an interrupt makes somebody ready. */
static void idle(void)
{
    sched_load(&cpu0, &idle_thread);
    while (!cpu0.top_ready && list_empty(&ready[0])) {
        if (object_any_dying()) {
            object_reap_all();
            continue;
        }
        cpu0.idle = true;
        cpu_idle();
        cpu0.idle = false;
    }
}

static struct thread *pick(void)
{
    struct link *q;

    if (!cpu0.top_ready && list_empty(&ready[0]))
        idle();
    q = &ready[cpu0.top_ready];
    return container_of(q->next, struct thread, link);
}

struct thread *sched_next(struct thread *self)
{
    for (;;) {
        struct thread *next = self;

        if (self->state != THREAD_READY || self == &idle_thread) {
            next = pick();
            sched_remove(next);
        } else if (cpu0.resched) {
            if (self->slice_us == 0) {
                self->slice_us = self->quantum_us;
                if (cpu0.top_ready >= self->priority && !list_empty(&ready[cpu0.top_ready])) {
                    sched_ready(self);
                    next = pick();
                    sched_remove(next);
                }
            } else if (cpu0.top_ready > self->priority) {
                sched_ready_first(self);
                next = pick();
                sched_remove(next);
            }
        }
        cpu0.resched = false;
        sched_load(&cpu0, next);
        if (!next->cont && !(next->flags & THREAD_TRIGGERED))
            return next;
        if (!next->cont)
            thread_rearm(next);
        self = next->cont(next); /* clears or keeps ->cont; says who was current then */
        if (self == next && !self->cont && (self->flags & THREAD_TRIGGERED))
            thread_rearm(self);
    }
}

bool sched_preempt(void)
{
    cpu_window();
    return cpu0.resched && !cpu0.idle;
}

void sched_tick(void)
{
    struct thread *t = cpu0.current;

    ticks_now++;
    kip_set_clock(ticks_now * TICK_US);
    if (cpu0.idle) {
        cpu0.idle_ticks++;
    } else {
        t->ticks++;
        t->slice_us = t->slice_us > TICK_US ? t->slice_us - TICK_US : 0;
        if (t->slice_us == 0)
            cpu0.resched = true;
    }
    timeout_tick();
}

/* T4 of thread.h. */
static bool extra_ok(const struct thread *current)
{
    bool extra = current->flags & THREAD_EXTRA;

    return fpu_is_on() == current->fpu_used && (extra || (!current->fpu_used && !current->fs_base));
}

/* The list of one priority: READY threads of that priority, current not among them. */
static bool queue_ok(unsigned priority)
{
    const struct link *head = &ready[priority];

    for (const struct link *l = head->next; l != head; l = l->next) {
        const struct thread *t = container_of(l, struct thread, link);

        if (l->next->prev != l || l->prev->next != l || t->state != THREAD_READY ||
            t->priority != priority || t == cpu0.current)
            return false;
    }
    return true;
}

bool sched_ok(void)
{
    unsigned top = 0;

    if (!extra_ok(cpu0.current))
        return false;
    for (unsigned p = 0; p < LIMIT_PRIORITIES; p++) {
        bool empty = list_empty(&ready[p]);

        if (empty == (ready_map[p / 64] >> (p % 64) & 1) || !queue_ok(p))
            return false;
        top = empty ? top : p;
    }
    return top == cpu0.top_ready;
}
