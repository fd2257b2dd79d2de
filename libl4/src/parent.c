/*
 * parent.c - messages to the one who started us
 */
#include <l4/re/c/parent.h>
#include <l4/re/env.h>
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

/* Buffers for capabilities: one a slot, in the order in which they come. */
static void buffers_set(l4_utcb_t *u, l4_cap_idx_t first, l4_cap_idx_t second)
{
    u->buf.bdr = 0;
    u->buf.br[0] = (first & L4_CAP_MASK) | L4_RCV_ITEM_SINGLE_CAP;
    u->buf.br[1] = second ? (second & L4_CAP_MASK) | L4_RCV_ITEM_SINGLE_CAP : 0;
    u->buf.br[2] = 0;
}

static long gate_call(unsigned op, unsigned words)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = op;
    return l4_error_u(l4_ipc_call(l4re_env()->parent, u,
                                  l4_msgtag(L4RE_PROTO_PARENT, words, 0, 0), L4_IPC_NEVER),
                      u);
}

long l4re_parent_gate(l4_cap_idx_t own, l4_cap_idx_t pass, l4_umword_t label,
                      l4_umword_t const words[L4RE_PARENT_GATE_WORDS], l4_umword_t *number)
{
    l4_utcb_t *u = l4_utcb();
    long err;

    u->msg.mr[1] = label;
    for (unsigned i = 0; i < L4RE_PARENT_GATE_WORDS; i++)
        u->msg.mr[2 + i] = words[i];
    buffers_set(u, own, pass);
    err = gate_call(L4RE_PARENT_GATE_OP, 2 + L4RE_PARENT_GATE_WORDS);
    if (err >= 0)
        *number = u->msg.mr[0];
    return err;
}

long l4re_parent_gate_next(l4_umword_t *number, l4_umword_t words[L4RE_PARENT_GATE_WORDS],
                           l4_cap_idx_t own)
{
    l4_utcb_t *u = l4_utcb();
    long err;

    u->msg.mr[1] = *number;
    buffers_set(u, own, 0);
    err = gate_call(L4RE_PARENT_GATE_NEXT_OP, 2);
    if (err < 0)
        return err;
    *number = u->msg.mr[0];
    for (unsigned i = 0; i < L4RE_PARENT_GATE_WORDS; i++)
        words[i] = u->msg.mr[1 + i];
    return 0;
}

long l4re_parent_gate_bind(l4_umword_t number, l4_umword_t label)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[1] = number;
    u->msg.mr[2] = label;
    return gate_call(L4RE_PARENT_GATE_BIND_OP, 3);
}
