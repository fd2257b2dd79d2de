/*
 * irq.h - interrupts and semaphores: objects that are triggered by hardware or by programs
 *
 *     line of the controller ---+
 *                               +--> trigger --> interrupt: message to the thread it is bound to
 *     message of a program -----+           \--> semaphore: one waiting thread goes on, or count
 *
 * An interrupt is a gate whose sender is the kernel: label, thread and place in the thread's list
 * are the gate's own. What the gate has for senders are here the threads that wait for nothing but
 * this object.
 *
 * R1  A pending interrupt that is bound to a living thread stands in that thread's queue of
 *     senders, between threads, in the order of arrival. It stands there once: further triggers
 *     are lost, as with any edge-triggered line.
 * R2  Who waits in ep.senders is RECV_FROM with partner NULL. With an interrupt, that is at most
 *     the thread it is bound to; with a semaphore, `count` is then 0.
 * R3  lines[i->line] == i in icu.c, or i->line == IRQ_NO_LINE.
 */
#pragma once

#include <abi/fpage.h>

#include "gate.h"
#include "thread.h"

enum { IRQ_NO_LINE = 0xff };

/* What a thread sees as the label of an interrupt's message. */
enum { IRQ_MESSAGE_LABEL = L4_PROTO_IRQ };

struct irq {
    struct gate ep;
    struct link queued; /* in ep.thread->senders while pending */
    uint64_t count;     /* semaphore: how many may go on without waiting */
    uint8_t line;
    bool level;   /* how the line is triggered */
    bool pending; /* triggered, message not yet received */
    bool held;    /* the line is masked because it fired while the object was pending */
} OBJECT_ALIGNED;

extern const struct object_ops irq_ops, semaphore_ops;
extern struct slab irq_slab;

static inline struct irq *irq_of(struct object *o)
{
    return (struct irq *)o;
}

/* The interrupt behind an element of a thread's queue of senders, NULL: it is a thread. Both lie
 * in slabs, whose pages know what they hold. */
static inline struct irq *irq_of_sender(struct link *l)
{
    return kmem_desc(l)->owner == kref(&irq_slab) ? container_of(l, struct irq, queued) : NULL;
}

/* type: OBJ_IRQ or OBJ_SEMAPHORE; NULL: exhausted. */
struct irq *irq_create(struct object *factory, enum object_type type);
/* The object is triggered, from a program or from its line. */
void irq_trigger(struct irq *i);
/* The message of a pending interrupt goes to t, which is READY or waits for it. */
void irq_deliver(struct irq *i, struct thread *t);
/* A closed receive of t (the running thread): take what is pending, wait, or fail. */
void irq_receive(struct irq *i, struct thread *t);
/* Operations that interrupts and semaphores share (label IRQ). */
long irq_operation(struct invocation *iv);
enum reap irq_reap(struct object *o);
void irq_release(struct object *o);

/* icu.c */
extern struct object icu_object;
extern const struct object_ops icu_ops;
void icu_mask(struct irq *i, bool mask);
void icu_unbind(struct irq *i);
/* A line of the controller has asked for attention. */
void icu_interrupt(unsigned line);
