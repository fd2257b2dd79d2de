/*
 * l4/sys/kernel_object.h - what all kernel objects have in common
 */
#pragma once

#include <l4/sys/ipc.h>

/* First word of an item that hands a capability to the kernel, and the flexpage after it. */
L4_INLINE void __l4_add_obj_item(l4_msg_regs_t *m, unsigned idx, l4_cap_idx_t obj)
{
    m->mr[idx] = l4_map_obj_control(0, 0);
    m->mr[idx + 1] = l4_obj_fpage(obj, 0, L4_CAP_FPAGE_RWS).raw;
}

/* A debugger operation on `obj`: the words of `tag` lie in the UTCB, the object is appended. */
L4_INLINE l4_msgtag_t l4_invoke_debugger(l4_cap_idx_t obj, l4_msgtag_t tag, l4_utcb_t *utcb)
{
    __l4_add_obj_item(l4_utcb_mr_u(utcb), l4_msgtag_words(tag), obj);
    return l4_ipc_call(L4_BASE_DEBUGGER_CAP, utcb,
                       l4_msgtag(L4_PROTO_DEBUGGER, l4_msgtag_words(tag), 1, 0), L4_IPC_NEVER);
}
