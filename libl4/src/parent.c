/*
 * parent.c - messages to the one who started us
 */
#include <l4/re/c/parent.h>
#include <l4/sys/ipc.h>

long l4re_parent_signal(l4_cap_idx_t parent, unsigned long sig, unsigned long val)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = L4RE_PARENT_SIGNAL_OP;
    u->msg.mr[1] = sig;
    u->msg.mr[2] = val;
    return l4_error_u(l4_ipc_call(parent, u, l4_msgtag(L4RE_PROTO_PARENT, 3, 0, 0), L4_IPC_NEVER),
                      u);
}
