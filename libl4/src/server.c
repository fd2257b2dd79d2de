/*
 * server.c - the server loop (rules: l4/server.h)
 */
#include <l4/re/env.h>
#include <l4/server.h>
#include <l4/sys/factory.h>

enum { RIGHTS_MASK = 3 };

static const struct l4_server_opts no_opts;

/* The item that receives a capability in `slot`. */
static inline l4_umword_t slot_item(l4_cap_idx_t slot)
{
    return (slot & (L4_CAP_MASK | L4_RCV_ITEM_LOCAL_ID)) | L4_RCV_ITEM_SINGLE_CAP;
}

/* Buffer registers: one small item a slot from BR0 on, then the memory window. */
static __attribute__((noinline)) void windows_set(l4_utcb_t *u, const struct l4_server_opts *o)
{
    unsigned n = o->slot_count;
    unsigned i;

    if (n > L4_SERVER_SLOTS_MAX)
        n = L4_SERVER_SLOTS_MAX;
    for (i = 0; i < n; i++)
        u->buf.br[i] = slot_item(o->slots[i]);
    u->buf.br[n] = 0; /* ends the slots, and is the list of I/O windows */
    u->buf.br[n + 1] = o->memory_window.raw ? L4_ITEM_MAP : 0;
    u->buf.br[n + 2] = o->memory_window.raw;
    u->buf.br[n + 3] = 0;
    u->buf.bdr = l4_bdr(n + 1, n, 0, 0);
}

/* Before each receive: dispatch functions leave the windows of their own IPC behind. */
static inline void buffers_set(l4_utcb_t *u, const struct l4_server_opts *o)
{
    unsigned n = o->slot_count;

    if (L4_UNLIKELY(n > 1 || o->memory_window.raw)) {
        windows_set(u, o);
        return;
    }
    if (n)
        u->buf.br[0] = slot_item(o->slots[0]);
    u->buf.br[n] = 0;
    u->buf.bdr = l4_bdr(n, n, 0, 0);
}

static inline int dispatch(const struct l4_server_opts *o, l4_umword_t label, l4_msgtag_t tag,
                           l4_utcb_t *u, l4_msgtag_t *reply)
{
    struct l4_server_object *object = o->main;
    long ret;

    *reply = L4_SERVER_NO_REPLY_SET;
    if (L4_UNLIKELY(l4_msgtag_label(tag) < 0 && o->event)) {
        ret = o->event(o, label, tag, u, reply);
    } else {
        if (L4_LIKELY(label >= L4_SERVER_LABELS))
            object = (struct l4_server_object *)(label & ~(l4_umword_t)RIGHTS_MASK);
        ret = object ? object->dispatch(object, label & RIGHTS_MASK, tag, u, reply) : -L4_ENOENT;
    }
    if (ret == -L4_ENOREPLY)
        return 0;
    if (l4_msgtag_has_error(*reply))
        *reply = l4_msgtag(ret, 0, 0, 0);
    return 1;
}

int l4_server_dispatch(const struct l4_server_opts *o, l4_umword_t label, l4_msgtag_t tag,
                       l4_utcb_t *u, l4_msgtag_t *reply)
{
    return dispatch(o, label, tag, u, reply);
}

void l4_server_loop(l4_utcb_t *u, const struct l4_server_opts *o)
{
    l4_timeout_t timeout;
    l4_msgtag_t tag, reply;
    l4_umword_t label;

    if (!o)
        o = &no_opts;
    /* An answer never waits: its receiver is waiting, or gone. */
    timeout = l4_timeout(L4_IPC_TIMEOUT_NEVER, o->timeout.p.rcv);
    buffers_set(u, o);
    tag = l4_ipc_wait(u, &label, timeout);
    for (;;) {
        if (L4_UNLIKELY(l4_msgtag_has_error(tag))) {
            if (o->idle && l4_ipc_error(tag, u) == L4_IPC_RETIMEOUT)
                o->idle(o);
            buffers_set(u, o);
            tag = l4_ipc_wait(u, &label, timeout);
            continue;
        }
        if (L4_LIKELY(dispatch(o, label, tag, u, &reply))) {
            buffers_set(u, o);
            tag = l4_ipc_reply_and_wait(u, reply, &label, timeout);
        } else {
            buffers_set(u, o);
            tag = l4_ipc_wait(u, &label, timeout);
        }
    }
}

long l4_server_register(struct l4_server_object *object, l4_cap_idx_t gate, l4_cap_idx_t thread)
{
    long err = l4_error(l4_factory_create_gate(l4re_env()->factory, gate, thread,
                                               (l4_umword_t)object));

    return err < 0 ? err : 0;
}
