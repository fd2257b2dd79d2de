/*
 * namespace.c - asking for an object by name
 */
#include <string.h>

#include <l4/re/c/namespace.h>
#include <l4/sys/ipc.h>
#include <l4/util/util.h>

enum { RETRY_MS = 20 };

long l4re_ns_query(l4re_namespace_t srv, char const *name, unsigned long len, l4_cap_idx_t dest)
{
    l4_utcb_t *u = l4_utcb();
    unsigned words = l4_bytes_to_mwords((unsigned)len);
    l4_msgtag_t tag;
    long err;

    if (len > L4RE_NS_NAME_MAX)
        return -L4_ENAMETOOLONG;
    u->msg.mr[0] = L4RE_NS_QUERY_OP;
    u->msg.mr[1] = len;
    if (words > 0)
        u->msg.mr[1 + words] = 0; /* the last word may be filled in part only */
    memcpy(&u->msg.mr[2], name, len);
    u->buf.bdr = 0;
    u->buf.br[0] = (dest & L4_CAP_MASK) | L4_RCV_ITEM_SINGLE_CAP;
    tag = l4_ipc_call(srv, u, l4_msgtag(L4RE_PROTO_NAMESPACE, 2 + words, 0, 0), L4_IPC_NEVER);
    err = l4_error_u(tag, u);
    if (err < 0)
        return err;
    return l4_msgtag_items(tag) > 0 ? 0 : -L4_ENOENT;
}

long l4re_ns_query_to_srv(l4re_namespace_t srv, char const *name, l4_cap_idx_t const cap,
                          int timeout_ms)
{
    for (;;) {
        long err = l4re_ns_query(srv, name, strlen(name), cap);

        if ((err != -L4_ENOENT && err != -L4_EAGAIN) || timeout_ms <= 0)
            return err;
        l4_sleep(RETRY_MS);
        timeout_ms -= RETRY_MS;
    }
}
