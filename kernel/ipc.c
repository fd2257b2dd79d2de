/*
 * ipc.c - send, receive, call, reply and wait
 *
 * Decode, then send, then receive. A thread that cannot go on is left in a state (thread.h) and
 * somebody else continues it: the partner that completes the message, the timer, the reaper.
 *
 * I1  A message is copied only between a READY sender and a receiver that waits for it, or a
 *     queued sender and a READY receiver; both are in no queue while that lasts.
 * I2  The words a receiver sees are the sender's at the moment of the copy.
 */
#include "ipc.h"

#include "fault.h"
#include "irq.h"
#include "kassert.h"
#include "limits.h"
#include "sched.h"
#include "task.h"
#include "trace.h"
#include "walk.h"

enum { CAP_BITS_UNUSED = 0x7f0 }; /* bits 4..10 of the system call word */
enum { TIMEOUT_MANTISSA = 0x3ff };

/* Mantissa 0 with any exponent: do not wait. */
static bool is_zero(uint16_t timeout)
{
    return timeout && !(timeout & (L4_TIMEOUT_ABS | TIMEOUT_MANTISSA));
}

static void result(struct thread *t, long raw, uint64_t label)
{
    t->regs.rax = (uint64_t)raw;
    t->regs.rsi = label;
}

void ipc_fail(struct thread *t, unsigned error)
{
    timeout_cancel(t);
    t->state = THREAD_READY;
    t->partner = NULL;
    if (t->message == MESSAGE_UTCB) {
        t->utcb->tcr.error = error;
        result(t, L4_MSGTAG_ERROR, 0);
    } else {
        fault_failed(t);
    }
    if (t->state == THREAD_READY && t != cpu0.current)
        sched_ready(t);
}

void ipc_deliver(struct thread *t, l4_msgtag_t tag, uint64_t label)
{
    timeout_cancel(t);
    t->state = THREAD_READY;
    t->partner = NULL;
    if (t->message == MESSAGE_UTCB)
        result(t, tag.raw, label);
    else
        fault_answered(t, tag);
    if (t->state == THREAD_READY && t != cpu0.current)
        sched_ready_first(t);
}

static struct thread *restart(struct thread *t)
{
    const struct regs *r = &t->regs;
    struct ipc ipc = {t, (unsigned)(r->rdx & L4_SYSF_MASK), (uint32_t)r->r8, {(long)r->rax}};

    t->cont = NULL;
    ipc.tag.raw &= ~(long)(L4_SYSCALL_MARK | L4_MSGTAG_ERROR);
    ipc_through(&ipc, r->rdx & ~(uint64_t)L4_SYSF_MASK);
    if (t->cont != restart) { /* however the call has ended, nothing of it is there for the next */
        t->progress = 0;
        if (!t->cont)
            ipc_leave_nothing(t, t);
    }
    return cpu0.current;
}

void ipc_restart(struct thread *t)
{
    t->cont = restart;
}

static struct thread *fault_again(struct thread *t)
{
    t->cont = NULL;
    fault_send(t);
    return cpu0.current;
}

void fault_or_call_again(struct thread *t)
{
    t->cont = t->message == MESSAGE_UTCB ? restart : fault_again;
}

/* Is r waiting for a message from s? */
static bool accepts(const struct thread *r, const struct thread *s)
{
    switch (r->state) {
    case THREAD_RECV_ANY:
    case THREAD_RECV_ANY_SLOW:
        return true;
    case THREAD_RECV_FROM:
    case THREAD_RECV_REPLY:
        return r->partner == s;
    default:
        return false;
    }
}

/* Take a waiting receiver out of where it waits. */
static void stop_waiting(struct thread *r)
{
    timeout_cancel(r);
    if (r->state == THREAD_RECV_FROM)
        list_del(&r->link);
    if (r->state == THREAD_RECV_REPLY && r->partner && r->partner->caller == r)
        r->partner->caller = NULL;
}

static void receive(struct ipc *ipc, struct thread *from, bool any);

/* The sending phase is over; go on with the receiving one. */
static struct thread *receive_phase(struct thread *t)
{
    struct ipc ipc = {t, t->send_op, t->timeouts, {0}};

    t->cont = NULL;
    if (t->flags & THREAD_CANCEL) {
        t->flags &= (uint8_t)~THREAD_CANCEL;
        ipc_fail(t, L4_IPC_RECANCELED);
    } else {
        receive(&ipc, NULL, true);
    }
    return cpu0.current;
}

static void wait_for_reply(struct thread *self, struct thread *server)
{
    uint16_t timeout = (uint16_t)self->timeouts;

    if (server->caller && server->caller != self) {
        struct thread *lost = server->caller;

        /* A reply capability is usable once and there is one of it: the older call ends. */
        server->caller = NULL;
        lost->partner = NULL;
        ipc_fail(lost, L4_IPC_REABORTED);
    }
    if (is_zero(timeout) || server->state == THREAD_DEAD) {
        ipc_fail(self, is_zero(timeout) ? L4_IPC_RETIMEOUT : L4_IPC_ENOT_EXISTENT);
        return;
    }
    self->state = THREAD_RECV_REPLY;
    self->partner = server;
    server->caller = self;
    if (timeout)
        timeout_set(self, timeout);
}

/* The sending phase of a send and wait is over. Nobody may find the thread between the two phases:
 * a partner that has got its answer and sends again, without waiting, has to be heard. Only when
 * there is a message to take already, that is done when the thread runs. */
static void wait_next(struct thread *t)
{
    struct ipc ipc = {t, t->send_op, t->timeouts, {0}};

    if (list_empty(&t->senders))
        receive(&ipc, NULL, true);
    else
        t->cont = receive_phase;
}

void ipc_sent(struct thread *from, struct thread *to, l4_msgtag_t tag, unsigned error)
{
    uint64_t label = from->send_label;
    unsigned op = from->send_op;
    bool call = (op & L4_SYSF_RECV) && !(op & L4_SYSF_OPEN_WAIT);

    timeout_cancel(from);
    if (to->task)
        to->task->messages++;
    if (error) {
        ipc_fail(from, error);
        ipc_fail(to, error | 1);
        return;
    }
    if (call)
        wait_for_reply(from, to);
    ipc_deliver(to, tag, label);
    if (call)
        return;
    from->state = THREAD_READY;
    from->partner = NULL;
    result(from, 0, 0);
    if (op & L4_SYSF_RECV)
        wait_next(from);
    if (from->state == THREAD_READY && from != cpu0.current)
        sched_ready(from);
}

/* self is READY: give its message to r, or queue up. */
static void send(struct ipc *ipc, struct thread *r, uint64_t label)
{
    struct thread *self = ipc->self;
    uint16_t timeout = (uint16_t)(ipc->timeouts >> 16);

    self->send_label = label;
    self->send_tag = (uint64_t)ipc->tag.raw;
    self->send_op = ipc->op;
    self->timeouts = ipc->timeouts;
    if (r->state == THREAD_DEAD || !r->task || r == self) {
        ipc_fail(self, L4_IPC_ENOT_EXISTENT);
    } else if (accepts(r, self)) {
        stop_waiting(r);
        msg_transfer(self, r, self);
    } else if (is_zero(timeout)) {
        ipc_fail(self, L4_IPC_SETIMEOUT);
    } else {
        self->state = THREAD_SEND;
        self->partner = r;
        list_add(&r->senders, &self->link);
        if (timeout)
            timeout_set(self, timeout);
    }
}

static void receive(struct ipc *ipc, struct thread *from, bool any)
{
    struct thread *self = ipc->self;
    uint16_t timeout = (uint16_t)ipc->timeouts;

    if (any && !list_empty(&self->senders)) {
        struct irq *irq = irq_of_sender(self->senders.next);

        if (irq) {
            irq_deliver(irq, self);
            return;
        }
        from = container_of(self->senders.next, struct thread, link);
    }
    if (from && from->state == THREAD_SEND && from->partner == self) {
        list_del(&from->link);
        timeout_cancel(from);
        msg_transfer(from, self, self);
    } else if (!any && from && from->state == THREAD_DEAD) {
        ipc_fail(self, L4_IPC_ENOT_EXISTENT | 1);
    } else if (is_zero(timeout)) {
        if (!any && !from) { /* from nobody, and not to wait for it: yield */
            self->slice_us = 0;
            cpu0.resched = true;
        }
        ipc_fail(self, L4_IPC_RETIMEOUT);
    } else {
        self->state = !any                      ? THREAD_RECV_FROM
                      : timeout || self->caller || self->cont ? THREAD_RECV_ANY_SLOW
                                                              : THREAD_RECV_ANY;
        self->partner = any ? NULL : from;
        if (!any && from)
            list_add(&from->waiters, &self->link);
        if (timeout)
            timeout_set(self, timeout);
    }
}

void ipc_wait_in(struct thread *t, struct link *queue)
{
    uint16_t timeout = (uint16_t)t->regs.r8;

    if (is_zero(timeout)) {
        ipc_fail(t, L4_IPC_RETIMEOUT);
        return;
    }
    t->state = THREAD_RECV_FROM;
    t->partner = NULL;
    list_add(queue, &t->link);
    if (timeout)
        timeout_set(t, timeout);
}

bool ipc_is_call(const struct thread *t)
{
    return (t->regs.rdx & L4_SYSF_MASK) == L4_SYSF_CALL;
}

static void send_to_gate(struct ipc *ipc, struct gate *g, unsigned rights)
{
    struct thread *self = ipc->self;

    if (g->thread && !accepts(g->thread, self))
        gate_pass_on(g);
    if (g->thread) {
        send(ipc, g->thread, g->label | (rights & 3));
    } else if (is_zero((uint16_t)(ipc->timeouts >> 16))) {
        ipc_fail(self, L4_IPC_SETIMEOUT);
    } else {
        self->state = THREAD_SEND;
        self->partner = NULL;
        list_add(&g->waiting, &self->link);
        if (ipc->timeouts >> 16)
            timeout_set(self, (uint16_t)(ipc->timeouts >> 16));
    }
}

static struct thread *reap(struct thread *t)
{
    if (object_reap_all())
        t->cont = NULL;
    return cpu0.current;
}

void ipc_leave_nothing(struct thread *act, struct thread *other)
{
    struct thread *t = act->state == THREAD_READY && !act->cont ? act : other;

    walk_abandon(act);
    if (object_any_dying() && t->state == THREAD_READY && !t->cont)
        t->cont = reap;
}

static void invoked(struct invocation *iv, long r, unsigned op, uint32_t timeouts)
{
    struct thread *self = iv->self;

    if (r == INVOKE_AGAIN) {
        ipc_restart(self);
        return;
    }
    if (self->state == THREAD_DEAD || r == INVOKE_BLOCKED)
        return;
    if (mapdb_walks)
        walk_abandon(self); /* somebody else took away what it was at */
    if (op & L4_SYSF_RECV)
        result(self, msgtag(r, iv->words, 0, 0).raw, 0);
    else
        result(self, 0, 0);
    if (object_any_dying())
        self->cont = reap;
    if (op & L4_SYSF_OPEN_WAIT) {
        self->send_op = op;
        self->timeouts = timeouts;
        object_reap_all(); /* what it leaves is done by the next call or the idle CPU */
        self->cont = receive_phase;
    }
}

void ipc_invoked(struct invocation *iv, long r)
{
    invoked(iv, r, L4_SYSF_CALL, 0);
}

/* A kernel object serves the message at once. */
static void invoke(struct ipc *ipc, struct object *o, unsigned rights)
{
    struct thread *self = ipc->self;
    struct invocation iv = {self, o, rights, ipc->tag, self->utcb, 0};

    if (self->task)
        self->task->invocations++;
    invoked(&iv, object_ops[o->type]->invoke(&iv), ipc->op, ipc->timeouts);
}

/* The object behind a capability of self's task, or its own thread for L4_INVALID_CAP. */
static struct object *lookup(struct thread *self, l4_cap_idx_t cap, unsigned *rights)
{
    struct cap *c;

    if (cap & L4_INVALID_CAP_BIT) {
        *rights = L4_CAP_FPAGE_RWSD;
        return &self->obj;
    }
    c = (cap & CAP_BITS_UNUSED) ? NULL : cap_slot(self->task, cap);
    if (!c || !c->ref)
        return NULL;
    *rights = c->ref & CAP_RIGHTS;
    return cap_object(c);
}

static bool is_call_of_kernel(const struct object *o, l4_msgtag_t tag)
{
    if (o->type == OBJ_THREAD)
        return msgtag_label(tag) == L4_PROTO_THREAD || msgtag_label(tag) == L4_PROTO_META;
    if (o->type == OBJ_GATE)
        return msgtag_label(tag) == L4_PROTO_KOBJECT || msgtag_label(tag) == L4_PROTO_META;
    return true;
}

static void send_through(struct ipc *ipc, l4_cap_idx_t cap)
{
    struct thread *self = ipc->self;
    unsigned rights = 0;
    struct object *o;

    if (ipc->op & L4_SYSF_REPLY) {
        struct thread *caller = self->caller;

        if (caller)
            send(ipc, caller, 0);
        else
            ipc_fail(self, L4_IPC_ENOT_EXISTENT);
        return;
    }
    o = lookup(self, cap, &rights);
    if (!o || o->dying) {
        ipc_fail(self, L4_IPC_ENOT_EXISTENT);
    } else if (is_call_of_kernel(o, ipc->tag) && self->message == MESSAGE_UTCB) {
        invoke(ipc, o, rights);
    } else if (o->type == OBJ_GATE) {
        send_to_gate(ipc, gate_of(o), rights);
    } else if (o->type == OBJ_THREAD) {
        /* Without a gate in between the label is the sender's own. */
        send(ipc, thread_of(o), self->message == MESSAGE_UTCB ? self->regs.rsi : 0);
    } else {
        ipc_fail(self, L4_IPC_ENOT_EXISTENT); /* a fault sent to something that is no pager */
    }
}

void ipc_through(struct ipc *ipc, l4_cap_idx_t cap)
{
    struct thread *self = ipc->self;
    struct object *o = NULL;
    unsigned rights;

    if (msgtag_words(ipc->tag) + 2 * msgtag_items(ipc->tag) > LIMIT_WORDS) {
        ipc_fail(self, L4_IPC_SEMSGCUT);
    } else if ((self->flags & THREAD_CANCEL) && self->message == MESSAGE_UTCB) {
        self->flags &= (uint8_t)~THREAD_CANCEL;
        ipc_fail(self, (ipc->op & L4_SYSF_SEND) ? L4_IPC_SECANCELED : L4_IPC_RECANCELED);
    } else if (ipc->op & L4_SYSF_SEND) {
        send_through(ipc, cap);
    } else if (ipc->op & L4_SYSF_OPEN_WAIT) {
        receive(ipc, NULL, true);
    } else if (ipc->op & L4_SYSF_RECV) {
        if (!(cap & L4_INVALID_CAP_BIT)) {
            o = lookup(self, cap, &rights);
            if (o && o->type == OBJ_IRQ && !o->dying) {
                irq_receive(irq_of(o), self);
                return;
            }
            if (o && o->type == OBJ_GATE && !o->dying && (rights & L4_CAP_FPAGE_S)) {
                if (gate_stand_in(gate_of(o), self))
                    receive(ipc, NULL, true);
                return;
            }
            if (!o || o->type != OBJ_THREAD) {
                ipc_fail(self, L4_IPC_ENOT_EXISTENT | 1);
                return;
            }
        }
        receive(ipc, o ? thread_of(o) : NULL, false);
    } else {
        result(self, 0, 0); /* neither phase: nothing to do */
    }
}

struct thread *syscall_slow(struct thread *self, uint64_t label, uint64_t cap_op, uint64_t tag,
                            uint64_t timeouts)
{
    struct ipc ipc = {self, (unsigned)(cap_op & L4_SYSF_MASK), (uint32_t)timeouts, {(long)tag}};

    self->regs.rax = tag;
    self->regs.rsi = label;
    unsigned alien = self->flags & (THREAD_ALIEN | THREAD_ALLOW_SYSCALL);

    self->flags &= (uint8_t)~THREAD_ALLOW_SYSCALL;
    if (!(tag & L4_SYSCALL_MARK) || alien == THREAD_ALIEN) {
        /* Not ours: the exception handler sees all registers as they were. */
        self->regs.r15 = this_cpu()->scratch;
        self->regs.rcx = self->regs.rip;
        self->regs.r11 = self->regs.rflags;
        self->regs.err = 0;
        fault_exception(self);
        return sched_next(this_cpu()->current);
    }
    ipc.tag.raw &= ~(long)(L4_SYSCALL_MARK | L4_MSGTAG_ERROR);
    ipc_through(&ipc, cap_op & ~(uint64_t)L4_SYSF_MASK);
    return sched_next(this_cpu()->current);
}
