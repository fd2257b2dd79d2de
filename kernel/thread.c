/*
 * thread.c - making, binding, controlling and killing threads (states: thread.h)
 *
 * K1  thread_kill() takes the thread out of every queue and tells its direct partner; those who
 *     queue for it are told by the reaper, one a step. A DEAD thread accepts nothing.
 */
#include "thread.h"

#include "factory.h"
#include "fault.h"
#include "gate.h"
#include "ipc.h"
#include "irq.h"
#include "kassert.h"
#include "limits.h"
#include "sched.h"
#include "task.h"
#include "walk.h"

enum { RFLAGS_START = 0x202, TRAP_TRIGGERED = 0xff };

struct slab thread_slab;
uint8_t thread_initial_flags;

struct thread *thread_create(struct object *factory)
{
    struct thread *t = slab_take(&thread_slab, object_quota(factory));

    if (!t)
        return NULL;
    __builtin_memset(t, 0, offsetof(struct thread, fpu));
    object_init(&t->obj, OBJ_THREAD, factory);
    t->state = THREAD_STOPPED;
    t->flags = thread_initial_flags;
    t->pager = L4_INVALID_CAP;
    t->exc_handler = L4_INVALID_CAP;
    t->quantum_us = LIMIT_QUANTUM_US;
    t->slice_us = LIMIT_QUANTUM_US;
    t->priority = 1;
    t->regs.cs = SEL_UCODE;
    t->regs.ss = SEL_UDATA;
    t->regs.rflags = RFLAGS_START;
    list_init(&t->link);
    list_init(&t->senders);
    list_init(&t->waiters);
    list_init(&t->in_task);
    list_init(&t->gates);
    list_init(&t->timeout);
    return t;
}

void thread_set_ip(struct thread *t, uint64_t ip)
{
    t->regs.rip = thread_valid_ip(ip);
    thread_exit_exact(t);
}

int thread_bind(struct thread *t, struct task *task, uint64_t utcb_user)
{
    l4_utcb_t *utcb;

    if (t->task || t->state == THREAD_DEAD || (utcb_user & (sizeof(*utcb) - 1)))
        return -L4_EINVAL;
    utcb = task_ku_address(task, utcb_user, sizeof(*utcb));
    if (!utcb)
        return -L4_EINVAL;
    t->task = task;
    t->utcb = utcb;
    t->utcb_user = utcb_user;
    t->gs_base = utcb_user + offsetof(l4_utcb_t, self);
    utcb->self = utcb_user;
    utcb->tcr.free_marker = 1;
    list_add(&task->threads, &t->in_task);
    return 0;
}

void thread_abort_ipc(struct thread *t, unsigned send_error)
{
    switch (t->state) {
    case THREAD_SEND:
        list_del(&t->link);
        ipc_fail(t, send_error);
        break;
    case THREAD_RECV_FROM:
        list_del(&t->link);
        ipc_fail(t, send_error | 1);
        break;
    case THREAD_RECV_REPLY:
        if (t->partner && t->partner->caller == t)
            t->partner->caller = NULL;
        ipc_fail(t, send_error | 1);
        break;
    case THREAD_RECV_ANY:
    case THREAD_RECV_ANY_SLOW:
        ipc_fail(t, send_error | 1);
        break;
    case THREAD_XFER:
        ipc_fail(t, msg_abort(t));
        break;
    default:
        break;
    }
}

/* Leave whatever the state says, without an answer. */
static void leave(struct thread *t)
{
    timeout_cancel(t);
    if (t->state == THREAD_XFER || t->xfer_active)
        msg_abort(t);
    if (t->state == THREAD_RECV_REPLY && t->partner && t->partner->caller == t)
        t->partner->caller = NULL;
    if (t->state == THREAD_READY && t != cpu0.current && !list_empty(&t->link))
        sched_remove(t);
    else
        list_del(&t->link);
    t->cont = NULL;
    t->partner = NULL;
}

void thread_kill(struct thread *t)
{
    struct thread *caller = t->caller;

    if (t->state == THREAD_DEAD)
        return;
    walk_abandon(t);
    leave(t);
    t->state = THREAD_DEAD;
    list_del(&t->in_task);
    if (t->utcb)
        t->utcb->tcr.free_marker = 0;
    t->task = NULL;
    t->utcb = NULL;
    if (caller) {
        t->caller = NULL;
        ipc_fail(caller, L4_IPC_ENOT_EXISTENT | 1);
    }
    if (t == cpu0.current)
        cpu0.resched = true;
}

static bool tell_one(struct link *queue)
{
    struct thread *t;

    if (list_empty(queue))
        return false;
    if (irq_of_sender(queue->next)) {
        list_del(queue->next); /* it stays pending, for another thread */
        return true;
    }
    t = container_of(queue->next, struct thread, link);
    thread_abort_ipc(t, L4_IPC_ENOT_EXISTENT);
    return true;
}

bool thread_tell_one(struct thread *t)
{
    return tell_one(&t->senders) || tell_one(&t->waiters) || gate_unbind_one(t);
}

static enum reap thread_reap(struct object *o)
{
    struct thread *t = thread_of(o);

    thread_kill(t);
    if (thread_tell_one(t))
        return REAP_MORE;
    list_del(&t->in_task); /* its task may have begun to do the same */
    return REAP_DONE;
}

static void thread_release(struct object *o)
{
    struct thread *t = thread_of(o);

    if (t == cpu0.current)
        sched_load(&cpu0, &idle_thread);
    slab_free(&thread_slab, object_quota(kptr(o->factory)), t);
}

static long control(struct invocation *iv)
{
    struct thread *t = thread_of(iv->obj);
    const uint64_t *mr = iv->utcb->msg.mr;
    uint64_t flags = mr[L4_THREAD_CONTROL_MR_IDX_FLAGS] & ~(uint64_t)L4_THREAD_OPCODE_MASK;
    uint64_t values = mr[L4_THREAD_CONTROL_MR_IDX_FLAG_VALS];
    uint64_t pager = mr[L4_THREAD_CONTROL_MR_IDX_PAGER];
    uint64_t handler = mr[L4_THREAD_CONTROL_MR_IDX_EXC_HANDLER];
    struct object *task;
    int err;

    if (!(iv->rights & L4_CAP_FPAGE_S))
        return -L4_EPERM;
    if (msgtag_words(iv->tag) < 6)
        return -L4_EMSGTOOSHORT;
    if (t->state == THREAD_DEAD)
        return -L4_EINVAL;
    if (flags & L4_THREAD_CONTROL_BIND_TASK) {
        err = item_object(iv, 0, OBJ_TASK, L4_CAP_FPAGE_S, &task);
        if (!err)
            err = thread_bind(t, task_of(task), mr[L4_THREAD_CONTROL_MR_IDX_BIND_UTCB]);
        if (err)
            return err;
    }
    iv->utcb->msg.mr[L4_THREAD_CONTROL_MR_IDX_PAGER] = t->pager;
    iv->utcb->msg.mr[L4_THREAD_CONTROL_MR_IDX_EXC_HANDLER] = t->exc_handler;
    if (flags & L4_THREAD_CONTROL_SET_PAGER)
        t->pager = pager;
    if (flags & L4_THREAD_CONTROL_SET_EXC_HANDLER)
        t->exc_handler = handler;
    if (flags & L4_THREAD_CONTROL_ALIEN)
        t->flags = (uint8_t)((t->flags & ~THREAD_ALIEN) |
                             ((values & L4_THREAD_CONTROL_ALIEN) ? THREAD_ALIEN : 0));
    iv->words = 3;
    return 0;
}

void thread_try_start(struct thread *t)
{
    unsigned want = THREAD_STARTED | THREAD_HAS_IP;

    if (t->state == THREAD_STOPPED && t->task && (t->flags & want) == want) {
        t->state = THREAD_READY;
        sched_ready(t);
    }
}

/* The thread gives up what it was waiting for, and goes on in user mode; if it is not in an IPC,
 * its next one ends at once. */
static void cancel(struct thread *t)
{
    if (t->state == THREAD_STOPPED)
        return;
    walk_abandon(t);
    if (t->xfer_active) {
        ipc_fail(t, msg_abort(t));
    } else if (t->state == THREAD_READY && t->message != MESSAGE_UTCB) {
        t->message = MESSAGE_UTCB; /* a fault that is still to be sent: no longer */
        t->cont = NULL;
    } else if (t->state == THREAD_READY) {
        t->flags |= THREAD_CANCEL;
    } else if (t->message == MESSAGE_UTCB) {
        thread_abort_ipc(t, L4_IPC_SECANCELED);
    } else {
        /* Blocked in a fault: its pager's answer is no longer wanted. */
        leave(t);
        t->message = MESSAGE_UTCB;
        t->state = THREAD_READY;
        sched_ready(t);
    }
}

/* Raise an exception in a thread that may go on: number 0xff, as in L4Re. */
static struct thread *raise_exception(struct thread *t)
{
    t->cont = NULL;
    t->flags &= (uint8_t)~THREAD_TRIGGERED;
    t->regs.vector = TRAP_TRIGGERED;
    t->regs.err = 0;
    fault_exception(t);
    return cpu0.current;
}

void thread_rearm(struct thread *t)
{
    if (t->state == THREAD_RECV_ANY)
        t->state = THREAD_RECV_ANY_SLOW;
    t->cont = raise_exception;
}

/* t raises an exception before its next instruction: now, or when what it waits for is over, or
 * behind what it has to go on with first (the rest of a call, a fault to be sent). */
static void trigger_exception(struct thread *t)
{
    t->flags |= THREAD_TRIGGERED;
    if (!t->cont)
        thread_rearm(t);
    cpu0.resched = true;
}

static long ex_regs(struct invocation *iv)
{
    struct thread *t = thread_of(iv->obj);
    uint64_t *mr = iv->utcb->msg.mr;
    uint64_t flags = mr[0], ip = mr[1], sp = mr[2];

    if (!(iv->rights & L4_CAP_FPAGE_S))
        return -L4_EPERM;
    if (msgtag_words(iv->tag) < 3)
        return -L4_EMSGTOOSHORT;
    if (!t->task || (ip != ~0UL && ip >= L4_USER_END))
        return -L4_EINVAL;
    mr[0] = t->regs.rflags;
    mr[1] = t->regs.rip;
    mr[2] = t->regs.rsp;
    iv->words = 3;
    if (flags & L4_THREAD_EX_REGS_CANCEL)
        cancel(t);
    if (ip != ~0UL)
        thread_set_ip(t, ip);
    if (sp != ~0UL) {
        t->regs.rsp = sp;
        if (t != iv->self)
            thread_exit_exact(t);
    }
    if (flags & L4_THREAD_EX_REGS_TRIGGER_EXCEPTION)
        trigger_exception(t);
    if (ip != ~0UL)
        t->flags |= THREAD_HAS_IP;
    thread_try_start(t);
    return 0;
}

static long set_segment(struct invocation *iv)
{
    struct thread *t = thread_of(iv->obj);
    uint64_t op = iv->utcb->msg.mr[0], base = iv->utcb->msg.mr[1];

    if (!(iv->rights & L4_CAP_FPAGE_S))
        return -L4_EPERM;
    if (msgtag_words(iv->tag) < 2)
        return -L4_EMSGTOOSHORT;
    if (base >= L4_USER_END || (op >> 16 & 0xffff) > 1)
        return -L4_EINVAL;
    if (op >> 16 & 1)
        t->gs_base = base;
    else
        t->fs_base = base;
    if (t->fs_base)
        t->flags |= THREAD_EXTRA;
    sched_bases_changed(t);
    return 0;
}

static long switch_to(struct invocation *iv)
{
    struct thread *t = thread_of(iv->obj);

    /* Yield; towards t if it stands in the ready queue of the same or a higher priority. */
    if (t != iv->self && t->state == THREAD_READY && t->task) {
        sched_remove(t);
        sched_ready_first(t);
    }
    iv->self->slice_us = 0;
    cpu0.resched = true;
    return 0;
}

static long thread_invoke(struct invocation *iv)
{
    struct thread *t = thread_of(iv->obj);

    if (msgtag_label(iv->tag) != L4_PROTO_THREAD)
        return -L4_EBADPROTO;
    if (msgtag_words(iv->tag) < 1)
        return -L4_EMSGTOOSHORT;
    switch (iv->utcb->msg.mr[0] & L4_THREAD_OPCODE_MASK) {
    case L4_THREAD_CONTROL_OP:
        return control(iv);
    case L4_THREAD_EX_REGS_OP:
        return ex_regs(iv);
    case L4_THREAD_SWITCH_OP:
        return switch_to(iv);
    case L4_THREAD_STATS_OP:
        iv->utcb->msg.mr[0] = t->ticks * TICK_US;
        iv->utcb->msg.mr[1] = t->caller != NULL;
        iv->words = 2;
        return 0;
    case L4_THREAD_SET_SEGMENT_BASE_AMD64_OP:
        return set_segment(iv);
    default:
        return -L4_ENOSYS;
    }
}

const struct object_ops thread_ops = {"thread", thread_invoke, thread_reap, thread_release};
