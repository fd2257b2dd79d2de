/*
 * l4/sys/irq.h - interrupt objects: bind a thread (rcv_endpoint.h), wait, unmask, trigger
 */
#pragma once

#include <l4/sys/ipc.h>
#include <l4/sys/kernel_object.h>
#include <l4/sys/rcv_endpoint.h>

L4_INLINE l4_msgtag_t l4_irq_detach_u(l4_cap_idx_t irq, l4_utcb_t *utcb)
{
    utcb->msg.mr[0] = L4_IRQ_SENDER_DETACH_OP;
    return l4_ipc_call(irq, utcb, l4_msgtag(L4_PROTO_IRQ_SENDER, 1, 0, 0), L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t l4_irq_detach(l4_cap_idx_t irq)
{
    return l4_irq_detach_u(irq, l4_utcb());
}

/* Send only: a trigger is a message without words and never waits. */
L4_INLINE l4_msgtag_t l4_irq_trigger_u(l4_cap_idx_t irq, l4_utcb_t *utcb)
{
    return l4_ipc_send(irq, utcb, l4_msgtag(L4_PROTO_IRQ, 0, 0, 0), L4_IPC_BOTH_TIMEOUT_0);
}

L4_INLINE l4_msgtag_t l4_irq_trigger(l4_cap_idx_t irq)
{
    return l4_irq_trigger_u(irq, l4_utcb());
}

/* Unmask and wait for this interrupt. */
L4_INLINE l4_msgtag_t l4_irq_receive_u(l4_cap_idx_t irq, l4_timeout_t to, l4_utcb_t *utcb)
{
    utcb->msg.mr[0] = L4_IRQ_EOI_OP;
    return l4_ipc_call(irq, utcb, l4_msgtag(L4_PROTO_IRQ, 1, 0, 0), to);
}

L4_INLINE l4_msgtag_t l4_irq_receive(l4_cap_idx_t irq, l4_timeout_t to)
{
    return l4_irq_receive_u(irq, to, l4_utcb());
}

/* Unmask and wait for any message. */
L4_INLINE l4_msgtag_t l4_irq_wait_u(l4_cap_idx_t irq, l4_umword_t *label, l4_timeout_t to,
                                    l4_utcb_t *utcb)
{
    utcb->msg.mr[0] = L4_IRQ_EOI_OP;
    return l4_ipc_send_and_wait(irq, utcb, l4_msgtag(L4_PROTO_IRQ, 1, 0, 0), label, to);
}

L4_INLINE l4_msgtag_t l4_irq_wait(l4_cap_idx_t irq, l4_umword_t *label, l4_timeout_t to)
{
    return l4_irq_wait_u(irq, label, to, l4_utcb());
}

L4_INLINE l4_msgtag_t l4_irq_unmask_u(l4_cap_idx_t irq, l4_utcb_t *utcb)
{
    utcb->msg.mr[0] = L4_IRQ_EOI_OP;
    return l4_ipc_send(irq, utcb, l4_msgtag(L4_PROTO_IRQ, 1, 0, 0), L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t l4_irq_unmask(l4_cap_idx_t irq)
{
    return l4_irq_unmask_u(irq, l4_utcb());
}
