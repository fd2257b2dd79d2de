/*
 * worker.c - the region manager's threads: who has the gate, who stands in, the lock
 *
 *   has the gate --- a message finds it busy ---> serves the rest of its fault, then stands in
 *        ^                                                |
 *        +------------- the gate comes over --------------+
 *
 * W1  The kernel gives the gate to who stands in when a message finds the thread behind it busy
 *     (docs/ipc.md). That one says so in rm_owner before it does anything else, and sees to it that
 *     somebody stands in for itself; if nobody can be had it goes on alone, and then asks nobody
 *     for longer than RM_PATIENCE.
 * W2  rm_idle workers stand in or will, without waiting for anybody before.
 * W3  A worker that waits openly and has lost the gate would never hear of anything again: who got
 *     the gate sends it a nudge. One that is about to wait is in the state RM_WAITING and of the
 *     same priority, so it is there after a few turns.
 * W4  Workers are never deleted; there are at most as many as faults have ever waited at once, and
 *     one more.
 */
#include "rm.h"

#include <l4/sys/factory.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/task.h>
#include <l4/sys/thread.h>
#include <l4/sys/utcb.h>

int rm_locked;
struct rm_worker *rm_owner;

static struct rm_worker first = {.thread = QUIRE_RM_THREAD_CAP};
static struct rm_worker *all = &first;
static struct rm_worker *unfinished; /* what it lacked was not to be had */
static unsigned made = 1;
unsigned rm_idle;

/* Its holder is ready and of the same priority: it gets on while we do not. */
void rm_lock_wait(void)
{
    l4_thread_yield();
}

void rm_settle(void)
{
    l4_thread_yield();
}

/* ---------------------------------------------------------------- making one */

static L4_NORETURN void worker_main(void)
{
    struct rm_worker *w = (struct rm_worker *)l4_utcb()->tcr.user[0];

    rm_server_loop(w);
}

static long thread_run(const struct rm_worker *w, l4_utcb_t *utcb)
{
    const quire_env_page *env = rm_env();
    l4_sched_param_t sched = l4_sched_param(env->priority + 1, env->quantum_us);
    l4_addr_t sp = ((l4_addr_t)w & ~15UL) - sizeof(l4_addr_t); /* as behind a call */
    long err;

    l4_thread_control_start_u(utcb);
    l4_thread_control_pager_u(QUIRE_PARENT_CAP, utcb);
    l4_thread_control_exc_handler_u(QUIRE_PARENT_CAP, utcb);
    l4_thread_control_bind_u(w->utcb, L4_BASE_TASK_CAP, utcb);
    err = l4_error_u(l4_thread_control_commit_u(w->thread, utcb), utcb);
    w->utcb->tcr.user[0] = (l4_umword_t)w;
    if (err >= 0)
        err = l4_error_u(l4_thread_ex_regs_u(w->thread, (l4_addr_t)worker_main, sp, 0, utcb), utcb);
    if (err >= 0)
        err = l4_error_u(l4_scheduler_run_thread_u(env->env.scheduler, w->thread, &sched, utcb),
                         utcb);
    return err;
}

/* One more worker, which goes to stand in. What has been got before something was missing is kept
 * for the next attempt. */
static long worker_new(l4_utcb_t *utcb)
{
    struct rm_worker *w = unfinished;
    l4_addr_t top;
    unsigned slot;
    long err;

    if (made == RM_WORKERS_MAX)
        return -L4_ENOMEM;
    if (!w) {
        top = rm_stack_new();
        if (!top)
            return -L4_ENOMEM;
        w = unfinished = (struct rm_worker *)top - 1;
        *w = (struct rm_worker){.state = RM_WORKING, .thread = L4_INVALID_CAP, .idle = true};
    }
    if (!w->utcb && !(w->utcb = rm_utcb_new(utcb)))
        return -L4_ENOMEM;
    if (l4_is_invalid_cap(w->thread)) {
        err = rm_slot_new(&w->slot);
        if (!err)
            err = rm_slot_new(&slot);
        if (err)
            return err;
        w->thread = rm_slot_cap(slot);
    }
    err = l4_error_u(l4_factory_create_thread_u(L4_BASE_FACTORY_CAP, w->thread, utcb), utcb);
    if (err >= 0)
        err = thread_run(w, utcb);
    if (err < 0) {
        l4_task_delete_obj_u(L4_BASE_TASK_CAP, w->thread, utcb);
        return err;
    }
    unfinished = NULL;
    w->next = all;
    all = w;
    made++;
    rm_idle++;
    return 0;
}

long rm_workers_start(void)
{
    l4_utcb_t *utcb = l4_utcb();
    long err;

    first.utcb = utcb;
    rm_owner = &first;
    rm_lock();
    err = rm_slot_new(&first.slot);
    if (!err)
        err = worker_new(utcb);
    rm_unlock();
    rm_buffers_set(&first);
    return err;
}

/* ---------------------------------------------------------------- standing in */

/* W3. Who has just got a message leaves the state by itself, or comes to the wait. */
static void nudge(const struct rm_worker *w, l4_utcb_t *utcb)
{
    while (__atomic_load_n(&w->state, __ATOMIC_ACQUIRE) == RM_WAITING) {
        l4_msgtag_t tag = l4_ipc_send(w->thread, utcb, l4_msgtag(RM_PROTO_NUDGE, 0, 0, 0),
                                      L4_IPC_SEND_TIMEOUT_0);

        if (!l4_msgtag_has_error(tag) || l4_ipc_error_code(utcb) != L4_IPC_SETIMEOUT)
            return;
        l4_thread_yield();
    }
}

/* The gate is ours (W1). The message stays as it is. */
static void take_over(struct rm_worker *w)
{
    l4_msg_regs_t message = w->utcb->msg;
    const struct rm_worker *before;
    unsigned workers, busy;

    rm_lock();
    before = rm_owner;
    rm_owner = w;
    rm_counts.handovers++;
    rm_idle--;
    w->idle = false;
    if (!rm_idle)
        rm_workers_collect(w->utcb, &workers, &busy);
    if (!rm_idle)
        worker_new(w->utcb);
    rm_unlock();
    if (before != w)
        nudge(before, w->utcb);
    if (rm_map.spares < RM_NODE_RESERVE || !rm_stacks_left())
        rm_memory_fetch(w);
    rm_set_state(w, RM_WAITING);
    rm_buffers_set(w);
    w->utcb->msg = message;
}

static l4_msgtag_t stand_in(struct rm_worker *w, l4_umword_t *label)
{
    l4_msgtag_t tag;

    rm_set_state(w, RM_WORKING);
    rm_buffers_set(w);
    for (;;) {
        tag = l4_ipc(L4_BASE_PAGER_CAP, w->utcb, L4_SYSF_RECV, 0, l4_msgtag(0, 0, 0, 0), label,
                     L4_IPC_NEVER);
        if (!l4_msgtag_has_error(tag) || l4_ipc_error_code(w->utcb) != L4_IPC_RECANCELED)
            break; /* even if the message was cut: it came with the gate */
    }
    take_over(w);
    return tag;
}

l4_msgtag_t rm_next(struct rm_worker *w, l4_umword_t *label)
{
    if (rm_owner == w) {
        rm_set_state(w, RM_WAITING);
        if (rm_owner == w)
            return l4_ipc_wait(w->utcb, label, L4_IPC_NEVER);
    }
    rm_lock();
    rm_idle += !w->idle;
    w->idle = true;
    rm_unlock();
    return stand_in(w, label);
}

void rm_answer(struct rm_worker *w, l4_msgtag_t answer)
{
    l4_msgtag_t tag;

    do
        tag = l4_ipc_reply(L4_INVALID_CAP, w->utcb, answer, L4_IPC_SEND_TIMEOUT_0);
    while (l4_msgtag_has_error(tag) && l4_ipc_error_code(w->utcb) == L4_IPC_SECANCELED);
}

/* ---------------------------------------------------------------- calls under way */

static bool window_meets(const struct rm_worker *w, l4_addr_t start, l4_addr_t end)
{
    l4_fpage_t window = {w->utcb->buf.br[RM_BR_WINDOW]};
    l4_addr_t base = l4_fpage_memaddr(window);

    return base < end && base + (1UL << l4_fpage_size(window)) > start;
}

static void cancel(const struct rm_worker *w, l4_utcb_t *utcb)
{
    l4_thread_ex_regs_u(w->thread, ~0UL, ~0UL, L4_THREAD_EX_REGS_CANCEL, utcb);
}

void rm_calls_abort(const struct rm_worker *self, l4_addr_t start, l4_addr_t end)
{
    for (const struct rm_worker *w = all; w; w = w->next)
        while (w != self && __atomic_load_n(&w->state, __ATOMIC_ACQUIRE) == RM_CALLING &&
               window_meets(w, start, end)) {
            cancel(w, self->utcb);
            l4_thread_yield();
        }
}

bool rm_owes(const struct rm_worker *w, l4_utcb_t *utcb)
{
    l4_kernel_clock_t us;

    return l4_error_u(l4_thread_stats_time_u(w->thread, &us, utcb), utcb) < 0 || utcb->msg.mr[1];
}

void rm_workers_collect(l4_utcb_t *utcb, unsigned *workers, unsigned *busy)
{
    *workers = made;
    *busy = rm_pending_collect(utcb);
    for (const struct rm_worker *w = all; w; w = w->next) {
        if (__atomic_load_n(&w->state, __ATOMIC_ACQUIRE) != RM_CALLING)
            continue;
        if (rm_owes(w, utcb))
            ++*busy;
        else
            cancel(w, utcb);
    }
}
