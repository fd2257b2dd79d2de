/*
 * l4/re/c/stats.h - asking a server for its counters (L4RE_PROTO_STATS, Quire's own)
 */
#pragma once

#include <l4/sys/ipc.h>

/*
 * Operation `op` with one argument. Fills up to `max` words; returns how many the server sent, or
 * -L4_E...
 */
L4_INLINE long l4re_stats_get(l4_cap_idx_t srv, l4_umword_t op, l4_umword_t arg,
                              l4_umword_t *words, unsigned max)
{
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag;
    unsigned i, n;
    long err;

    u->msg.mr[0] = op;
    u->msg.mr[1] = arg;
    tag = l4_ipc_call(srv, u, l4_msgtag(L4RE_PROTO_STATS, 2, 0, 0), L4_IPC_NEVER);
    err = l4_error_u(tag, u);
    if (err < 0)
        return err;
    n = l4_msgtag_words(tag);
    for (i = 0; i < n && i < max; i++)
        words[i] = u->msg.mr[i];
    return (long)n;
}
