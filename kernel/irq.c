/*
 * irq.c - interrupt objects (the invariants are in irq.h)
 *
 * A level-triggered line is masked when it fires and stays so until the driver says end of
 * interrupt. An edge-triggered one is masked only when it fires again before its message was
 * received; receiving opens it again. So no driver can be flooded, and no edge is forgotten.
 */
#include "irq.h"

#include "factory.h"
#include "ipc.h"
#include "kassert.h"
#include "sched.h"
#include "task.h"

struct slab irq_slab;

struct irq *irq_create(struct object *factory, enum object_type type)
{
    struct irq *i = slab_alloc(&irq_slab, object_quota(factory));

    if (!i)
        return NULL;
    object_init(&i->ep.obj, type, factory);
    list_init(&i->ep.in_thread);
    list_init(&i->ep.waiting);
    list_init(&i->queued);
    i->line = IRQ_NO_LINE;
    return i;
}

void irq_deliver(struct irq *i, struct thread *t)
{
    list_del(&i->queued);
    i->pending = false;
    if (t->state == THREAD_RECV_FROM)
        list_del(&t->link);
    if (i->held)
        icu_mask(i, false);
    ipc_deliver(t, msgtag(IRQ_MESSAGE_LABEL, 0, 0, 0), i->ep.label);
}

/* A pending interrupt and its thread, if any, find together or queue. */
static void offer(struct irq *i)
{
    struct thread *t = i->ep.thread;

    if (!t || t->state == THREAD_DEAD)
        return;
    if (t->state == THREAD_RECV_ANY || t->state == THREAD_RECV_ANY_SLOW ||
        !list_empty(&i->ep.waiting))
        irq_deliver(i, t);
    else
        list_add(&t->senders, &i->queued);
}

static void semaphore_up(struct irq *i)
{
    struct thread *t;

    if (list_empty(&i->ep.waiting)) {
        i->count++;
        return;
    }
    t = container_of(i->ep.waiting.next, struct thread, link);
    list_del(&t->link);
    ipc_deliver(t, msgtag(0, 0, 0, 0), 0);
}

void irq_trigger(struct irq *i)
{
    if (i->ep.obj.type == OBJ_SEMAPHORE) {
        semaphore_up(i);
    } else if (!i->pending && (i->ep.thread || !i->level)) {
        /* a level needs no memory: it is still there when somebody unmasks it */
        i->pending = true;
        offer(i);
    }
}

void irq_receive(struct irq *i, struct thread *t)
{
    if (i->ep.thread != t)
        ipc_fail(t, L4_IPC_ENOT_EXISTENT | 1); /* it sends to somebody else */
    else if (i->pending)
        irq_deliver(i, t);
    else
        ipc_wait_in(t, &i->ep.waiting);
}

/* The interrupt leaves its thread; if it is pending, it stays so. */
static void unbind(struct irq *i)
{
    list_del(&i->queued);
    list_del(&i->ep.in_thread);
    i->ep.thread = NULL;
}

/* Who waits for this object and nothing else is told that it never comes: one a call. */
static bool tell_one(struct irq *i)
{
    struct thread *t;

    if (list_empty(&i->ep.waiting))
        return false;
    t = container_of(i->ep.waiting.next, struct thread, link);
    list_del(&t->link);
    ipc_fail(t, L4_IPC_ENOT_EXISTENT);
    return true;
}

static long bind(struct invocation *iv)
{
    struct irq *i = irq_of(iv->obj);
    const uint64_t *mr = iv->utcb->msg.mr;
    struct object *o;
    int err;

    if (!(iv->rights & L4_CAP_FPAGE_S))
        return -L4_EPERM;
    if (msgtag_words(iv->tag) < 2)
        return -L4_EMSGTOOSHORT;
    err = item_object(iv, 0, OBJ_THREAD, L4_CAP_FPAGE_S, &o);
    if (err)
        return err;
    if (thread_of(o)->state == THREAD_DEAD)
        return -L4_EINVAL;
    i->ep.label = mr[1];
    if (i->ep.thread == thread_of(o))
        return 0;
    unbind(i);
    tell_one(i); /* the old thread, R2 */
    i->ep.thread = thread_of(o);
    list_add(&i->ep.thread->gates, &i->ep.in_thread);
    if (i->pending)
        offer(i);
    return 0;
}

/* 0, or 1 if the interrupt was pending; it is remembered for the next thread. */
static long detach(struct invocation *iv)
{
    struct irq *i = irq_of(iv->obj);

    if (!(iv->rights & L4_CAP_FPAGE_S))
        return -L4_EPERM;
    if (!i->ep.thread)
        return -L4_ENOENT;
    icu_mask(i, true);
    unbind(i);
    tell_one(i);
    return i->pending;
}

/* End of interrupt: the line is open again, unless its message is still on the way. With a receive
 * phase the message of this interrupt is waited for, nobody else's. */
static long end_of_interrupt(struct invocation *iv)
{
    struct irq *i = irq_of(iv->obj);

    if (!i->pending)
        icu_mask(i, false);
    if (i->ep.obj.type != OBJ_IRQ || !ipc_is_call(iv->self))
        return 0;
    irq_receive(i, iv->self);
    cpu0.resched = true;
    return INVOKE_BLOCKED;
}

long irq_operation(struct invocation *iv)
{
    if (msgtag_words(iv->tag) == 0) {
        irq_trigger(irq_of(iv->obj));
        return 0;
    }
    switch (iv->utcb->msg.mr[0] & 0xffff) {
    case L4_IRQ_TRIGGER_OP:
        irq_trigger(irq_of(iv->obj));
        return 0;
    case L4_IRQ_EOI_OP:
        return end_of_interrupt(iv);
    default:
        return -L4_ENOSYS;
    }
}

static long irq_invoke(struct invocation *iv)
{
    long label = msgtag_label(iv->tag);
    uint64_t op = iv->utcb->msg.mr[0] & 0xffff;

    if (label == L4_PROTO_IRQ)
        return irq_operation(iv);
    if (label != L4_PROTO_KOBJECT && label != L4_PROTO_IRQ_SENDER)
        return -L4_EBADPROTO;
    if (msgtag_words(iv->tag) < 1)
        return -L4_EMSGTOOSHORT;
    if (op == (label == L4_PROTO_KOBJECT ? L4_RCV_EP_BIND_OP : L4_IRQ_SENDER_ATTACH_OP))
        return bind(iv);
    if (label == L4_PROTO_IRQ_SENDER && op == L4_IRQ_SENDER_DETACH_OP)
        return detach(iv);
    return -L4_ENOSYS;
}

enum reap irq_reap(struct object *o)
{
    icu_unbind(irq_of(o));
    unbind(irq_of(o));
    return tell_one(irq_of(o)) ? REAP_MORE : REAP_DONE;
}

void irq_release(struct object *o)
{
    slab_free(&irq_slab, object_quota(kptr(o->factory)), o);
}

const struct object_ops irq_ops = {"irq", irq_invoke, irq_reap, irq_release};
