/*
 * semaphore.c - counting semaphores: up is the trigger of an interrupt, down may wait
 *
 * Waiting threads go on in the order in which they came. A thread that waits is in a closed
 * receive, so its timeout, cancellation and death are those of any receive.
 */
#include "irq.h"

#include "ipc.h"
#include "sched.h"

static long down(struct invocation *iv)
{
    struct irq *i = irq_of(iv->obj);

    if (!(iv->rights & L4_CAP_FPAGE_S))
        return -L4_EPERM;
    if (i->count) {
        i->count--;
        return 0;
    }
    if (ipc_is_call(iv->self))
        ipc_wait_in(iv->self, &i->ep.waiting);
    else
        ipc_fail(iv->self, L4_IPC_RETIMEOUT); /* only a call can wait for it */
    cpu0.resched = true;
    return INVOKE_BLOCKED;
}

static long semaphore_invoke(struct invocation *iv)
{
    long label = msgtag_label(iv->tag);

    if (label == L4_PROTO_IRQ)
        return irq_operation(iv);
    if (label != L4_PROTO_SEMAPHORE)
        return -L4_EBADPROTO;
    if (msgtag_words(iv->tag) < 1)
        return -L4_EMSGTOOSHORT;
    return (iv->utcb->msg.mr[0] & 0xffff) == L4_SEMAPHORE_DOWN_OP ? down(iv) : -L4_ENOSYS;
}

const struct object_ops semaphore_ops = {"semaphore", semaphore_invoke, irq_reap, irq_release};
