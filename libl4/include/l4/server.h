/*
 * l4/server.h - the server loop: receive, dispatch by label, answer and wait
 *
 * A server makes a gate per object, bound to its own thread, with the object's address as label;
 * the object starts with struct l4_server_object. The loop finds the object from the label without
 * a table. Messages whose label is below L4_SERVER_LABELS (gates that others made for the
 * server) go to `main`, those that kernels send in the name of a thread (page faults and
 * exceptions: negative protocols) to `event` if it is there, else like any other message.
 *
 * S1  A dispatch function may do IPC of its own: the loop sets the buffer registers anew before
 *     each receive. It must have read its message registers by then.
 * S2  A capability received lies in opts->slots[i] until the next message; whoever keeps it puts
 *     another free slot there.
 */
#pragma once

#include <l4/sys/ipc.h>

enum { L4_SERVER_LABELS = 4096, L4_SERVER_SLOTS_MAX = 8 };

struct l4_server_object;

/*
 * rights: of the capability that the client used (L4_CAP_FPAGE_W 1, L4_CAP_FPAGE_S 2).
 * Returns the label of an answer without words (0 or -L4_E...), unless it sets *reply, which is
 * then sent as it is; -L4_ENOREPLY: no answer (now).
 */
typedef long (*l4_server_fn)(struct l4_server_object *self, l4_umword_t rights, l4_msgtag_t tag,
                             l4_utcb_t *utcb, l4_msgtag_t *reply);

struct l4_server_object {
    l4_server_fn dispatch;
} __attribute__((aligned(16)));

struct l4_server_opts {
    struct l4_server_object *main; /* labels below L4_SERVER_LABELS; may be NULL: -L4_ENOENT */
    /* negative protocols; `label` with its rights bits. May be NULL: as any other message. */
    long (*event)(const struct l4_server_opts *o, l4_umword_t label, l4_msgtag_t tag,
                  l4_utcb_t *utcb, l4_msgtag_t *reply);
    void (*idle)(const struct l4_server_opts *o); /* after `timeout` without a message */
    l4_timeout_t timeout;                          /* receive part; 0: never */
    l4_fpage_t memory_window;                      /* raw 0: no memory is received */
    /* One receive slot an item; may be NULL. With L4_RCV_ITEM_LOCAL_ID in it, a gate of this
     * server arrives as its label. */
    l4_cap_idx_t *slots;
    unsigned slot_count;                           /* at most L4_SERVER_SLOTS_MAX */
    void *arg;                                     /* the server's own */
};

/* The answer of a dispatch function that leaves *reply alone. */
#define L4_SERVER_NO_REPLY_SET ((l4_msgtag_t){L4_MSGTAG_ERROR})

/* Never returns. opts may be NULL. */
L4_NORETURN void l4_server_loop(l4_utcb_t *utcb, const struct l4_server_opts *opts);

/* One dispatch without IPC: 1 and the answer in *reply, or 0 if there is none. */
int l4_server_dispatch(const struct l4_server_opts *opts, l4_umword_t label, l4_msgtag_t tag,
                       l4_utcb_t *utcb, l4_msgtag_t *reply);

/*
 * A gate to `object` in slot `gate`, made by this task's factory and bound to `thread` (the
 * server's own). 0 or -L4_E...
 */
long l4_server_register(struct l4_server_object *object, l4_cap_idx_t gate, l4_cap_idx_t thread);

/*
 * Put a capability into an answer: its item is appended to *reply, which must hold the words
 * already (l4_msgtag(0, words, 0, 0)). rights: enum L4_cap_fpage_rights.
 */
L4_INLINE int l4_server_reply_cap(l4_utcb_t *utcb, l4_msgtag_t *reply, l4_cap_idx_t cap,
                                  unsigned char rights)
{
    unsigned i = l4_msgtag_words(*reply) + 2 * l4_msgtag_items(*reply);

    if (i + 2 > L4_UTCB_GENERIC_DATA_SIZE)
        return -L4_ENOMEM;
    utcb->msg.mr[i] = l4_map_obj_control(0, 0);
    utcb->msg.mr[i + 1] = l4_obj_fpage(cap, 0, rights).raw;
    reply->raw += 1 << L4_MSGTAG_ITEMS_SHIFT;
    return 0;
}
