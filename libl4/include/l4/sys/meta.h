/*
 * l4/sys/meta.h - asking a server which protocols it speaks
 */
#pragma once

#include <l4/sys/ipc.h>

/* 1 or 0; -L4_EBADPROTO from servers that do not answer such questions. */
L4_INLINE long l4_meta_supports(l4_cap_idx_t obj, long protocol)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = L4_META_SUPPORTS;
    u->msg.mr[1] = (l4_umword_t)protocol;
    return l4_error(l4_ipc_call(obj, u, l4_msgtag(L4_PROTO_META, 2, 0, 0), L4_IPC_NEVER));
}
