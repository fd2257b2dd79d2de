/*
 * pending.c - faults that wait until the fault handler has done something about them
 *
 * A fault without region, or without the rights, is refused, unless somebody has installed a fault
 * handler for the whole map: an interrupt object or a semaphore that he waits for. Then it is
 * queued here, the handler is triggered, looks what there is (get_faults), and attaches something,
 * or refuses (answer_fault). Nobody ever waits for the handler but those who faulted.
 *
 * P1  In rm_pending are the workers in the state RM_PENDING without verdict, in the order in which
 *     they came.
 * P2  Without a handler nobody is in the queue. Who waits looks now and then whether the handler's
 *     object is still there, and it is noticed when it is to be triggered; then all are refused.
 * P3  A worker waits here only if another one stands in: the handler is always heard.
 */
#include "rm.h"

#include <l4/re/c/rm.h>
#include <l4/sys/task.h>
#include <l4/sys/thread.h>
#include <l4/sys/utcb.h>

enum { FAULT_WORDS = 4, FAULTS_MAX = 15 };

static l4_cap_idx_t handler = L4_INVALID_CAP;
struct rm_worker *rm_pending;
static l4_umword_t newest; /* id */

/* The verdict on a pending fault; its worker wakes up. */
static void leave(struct rm_worker *w, long verdict, l4_utcb_t *utcb)
{
    struct rm_worker **at = &rm_pending;

    while (*at != w)
        at = &(*at)->behind;
    *at = w->behind;
    w->verdict = verdict;
    l4_thread_ex_regs_u(w->thread, ~0UL, ~0UL, L4_THREAD_EX_REGS_CANCEL, utcb);
}

static void refuse_all(l4_utcb_t *utcb)
{
    while (rm_pending)
        leave(rm_pending, rm_pending->refusal, utcb);
}

/* A trigger never waits. False: there is nothing any more that could be triggered. */
static bool trigger(l4_utcb_t *utcb)
{
    l4_msgtag_t tag = l4_ipc_send(handler, utcb, l4_msgtag(L4_PROTO_IRQ, 0, 0, 0),
                                  L4_IPC_SEND_TIMEOUT_0);

    return !l4_msgtag_has_error(tag) || l4_ipc_error_code(utcb) != L4_IPC_ENOT_EXISTENT;
}

/* Ours is a copy: it goes when the object does, or the task that gave it. */
static bool handler_gone(l4_utcb_t *utcb)
{
    return l4_is_valid_cap(handler) &&
           l4_error_u(l4_task_cap_valid_u(L4_BASE_TASK_CAP, handler, utcb), utcb) == 0;
}

static void handler_set(l4_cap_idx_t to, l4_utcb_t *utcb)
{
    if (l4_is_valid_cap(handler))
        rm_slot_unref(utcb, handler);
    handler = to;
    if (l4_is_invalid_cap(handler))
        refuse_all(utcb);
}

long rm_pending_wait(struct rm_worker *w, const struct rm_fault *f, long err)
{
    struct rm_worker **end = &rm_pending;

    if (l4_is_invalid_cap(handler) || !rm_may_wait())
        return err;
    while (*end)
        end = &(*end)->behind;
    *end = w;
    w->behind = NULL;
    w->fault = f;
    w->id = ++newest;
    w->refusal = err;
    w->verdict = RM_FAULT_OPEN;
    rm_set_state(w, RM_PENDING);
    if (!trigger(w->utcb))
        handler_set(L4_INVALID_CAP, w->utcb);
    while (w->verdict == RM_FAULT_OPEN) {
        rm_unlock();
        l4_ipc_sleep_ms(RM_HANDLER_LOOK_MS); /* or until leave(), or for no reason */
        rm_lock();
        if (w->verdict == RM_FAULT_OPEN && handler_gone(w->utcb))
            handler_set(L4_INVALID_CAP, w->utcb);
    }
    rm_settle();
    rm_set_state(w, RM_WAITING);
    return w->verdict;
}

static bool serves(const struct region *r, const struct rm_fault *f)
{
    return r->kind == REGION_DATASPACE && f->addr >= r->start && f->addr < r->end &&
           !(rm_rights_needed(f) & ~r->flags);
}

void rm_pending_wake(l4_utcb_t *utcb, const struct region *r)
{
    struct rm_worker *next;

    for (struct rm_worker *w = rm_pending; w; w = next) {
        next = w->behind;
        if (!serves(r, w->fault))
            continue;
        rm_counts.woken++;
        leave(w, 0, utcb);
    }
}

unsigned rm_pending_collect(l4_utcb_t *utcb)
{
    struct rm_worker *next;
    unsigned left = 0;

    for (struct rm_worker *w = rm_pending; w; w = next) {
        next = w->behind;
        if (rm_owes(w, utcb))
            left++;
        else
            leave(w, w->refusal, utcb);
    }
    return left;
}

/* ---------------------------------------------------------------- the operations */

l4_msgtag_t rm_set_handler(struct rm_worker *w, l4_cap_idx_t to)
{
    handler_set(to, w->utcb);
    if (rm_pending && !trigger(w->utcb))
        handler_set(L4_INVALID_CAP, w->utcb);
    return l4_msgtag(0, 0, 0, 0);
}

l4_msgtag_t rm_get_faults(l4_utcb_t *utcb)
{
    l4_umword_t behind = utcb->msg.mr[1], *mr = &utcb->msg.mr[1];
    unsigned n = 0;

    rm_pending_collect(utcb);
    for (const struct rm_worker *w = rm_pending; w && n < FAULTS_MAX; w = w->behind) {
        if (w->id <= behind)
            continue;
        mr[0] = w->id;
        mr[1] = w->fault->addr | w->fault->access;
        mr[2] = w->fault->ip;
        mr[3] = w->fault->label;
        mr += FAULT_WORDS;
        n++;
    }
    utcb->msg.mr[0] = n;
    return l4_msgtag(0, 1 + n * FAULT_WORDS, 0, 0);
}

l4_msgtag_t rm_answer_fault(l4_utcb_t *utcb)
{
    l4_umword_t id = utcb->msg.mr[1];
    long verdict = (long)utcb->msg.mr[2];

    if (verdict > 0 || verdict < -L4_EIPC_HI)
        return l4_msgtag(-L4_EINVAL, 0, 0, 0);
    for (struct rm_worker *w = rm_pending; w; w = w->behind) {
        if (w->id != id)
            continue;
        leave(w, verdict, utcb);
        return l4_msgtag(0, 0, 0, 0);
    }
    return l4_msgtag(-L4_ENOENT, 0, 0, 0);
}
