/*
 * request.h - inside the framework: a message, read and checked
 */
#pragma once

#include "objects.h"

#include <abi/errors.h>
#include <abi/msg.h>

/* A request: what the client sent, out of reach of later messages. */
struct request {
    l4_umword_t rights; /* of the capability that was used */
    l4_msgtag_t tag;
    l4_umword_t w[9];
    l4_umword_t item[2]; /* the first received item, 0: none */
};

static inline void request_read(struct request *r, l4_umword_t rights, l4_msgtag_t tag,
                                l4_utcb_t *utcb)
{
    unsigned words = l4_msgtag_words(tag);

    *r = (struct request){.rights = rights, .tag = tag};
    for (unsigned i = 0; i < words && i < sizeof(r->w) / sizeof(r->w[0]); i++)
        r->w[i] = utcb->msg.mr[i];
    if (l4_msgtag_items(tag) > 0 && words + 2 <= L4_UTCB_GENERIC_DATA_SIZE) {
        r->item[0] = utcb->msg.mr[words];
        r->item[1] = utcb->msg.mr[words + 1];
    }
}

static inline unsigned request_op(const struct request *r)
{
    return r->w[0] & 0xffff;
}

static inline l4_umword_t pages_size(const struct dataspace *ds)
{
    return (ds->size + L4_PAGESIZE - 1) & L4_PAGEMASK;
}

static inline long range_check(const struct dataspace *ds, l4_umword_t offset, l4_umword_t size)
{
    l4_umword_t end = pages_size(ds);

    return size == 0 || offset > end || size > end - offset ? -L4_ERANGE : 0;
}

static inline bool writable(const struct dataspace *ds, l4_umword_t rights)
{
    return (rights & L4_CAP_FPAGE_W) && (ds->rights & L4RE_DS_F_W);
}

/* The answer is a capability for the gate. */
void answer_gate(l4_utcb_t *utcb, l4_cap_idx_t gate, unsigned rights, l4_msgtag_t *reply);

/* What is behind the gates of dataspaces. */
long dataspace_dispatch(struct l4_server_object *self, l4_umword_t rights, l4_msgtag_t tag,
                        l4_utcb_t *utcb, l4_msgtag_t *reply);

/* ---- copy.c ---- */

/* A capability that comes with a message (the source of a copy) lands here. */
extern l4_cap_idx_t received_cap;

long ds_copy_in(struct dataspace *ds, const struct request *r, l4_utcb_t *utcb, l4_msgtag_t *reply);
/* A new dataspace of the account, with the contents of the one that came with the message. */
long account_snapshot(struct account *a, const struct request *r, l4_utcb_t *utcb,
                      l4_msgtag_t *reply);
