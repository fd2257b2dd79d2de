/*
 * l4/sys/rcv_endpoint.h - gates and interrupts: which thread gets their messages
 */
#pragma once

#include <l4/sys/ipc.h>
#include <l4/sys/kernel_object.h>

/* `label` is what the thread receives with each message; its low two bits must be zero. */
L4_INLINE l4_msgtag_t l4_rcv_ep_bind_thread_u(l4_cap_idx_t ep, l4_cap_idx_t thread,
                                              l4_umword_t label, l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);

    m->mr[0] = L4_RCV_EP_BIND_OP;
    m->mr[1] = label;
    __l4_add_obj_item(m, 2, thread);
    return l4_ipc_call(ep, utcb, l4_msgtag(L4_PROTO_KOBJECT, 2, 1, 0), L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t l4_rcv_ep_bind_thread(l4_cap_idx_t ep, l4_cap_idx_t thread,
                                            l4_umword_t label)
{
    return l4_rcv_ep_bind_thread_u(ep, thread, label, l4_utcb());
}
