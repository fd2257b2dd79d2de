/*
 * l4/sys/semaphore.h - counting semaphores in the kernel (factory protocol L4_PROTO_SEMAPHORE)
 */
#pragma once

#include <l4/sys/irq.h>

L4_INLINE l4_msgtag_t l4_semaphore_up_u(l4_cap_idx_t sem, l4_utcb_t *utcb)
{
    return l4_irq_trigger_u(sem, utcb);
}

L4_INLINE l4_msgtag_t l4_semaphore_up(l4_cap_idx_t sem)
{
    return l4_irq_trigger(sem);
}

L4_INLINE l4_msgtag_t l4_semaphore_down_u(l4_cap_idx_t sem, l4_timeout_t to, l4_utcb_t *utcb)
{
    utcb->msg.mr[0] = L4_SEMAPHORE_DOWN_OP;
    return l4_ipc_call(sem, utcb, l4_msgtag(L4_PROTO_SEMAPHORE, 1, 0, 0), to);
}

L4_INLINE l4_msgtag_t l4_semaphore_down(l4_cap_idx_t sem, l4_timeout_t to)
{
    return l4_semaphore_down_u(sem, to, l4_utcb());
}
