/*
 * copier.h - inside the framework: copies from other managers' dataspaces
 */
#pragma once

#include "request.h"

struct copy {
    struct account *account; /* who pays */
    struct dataspace *ds;    /* where to; NULL: into a new one, as large as the source */
    l4_umword_t flags;       /* of the new one: enum l4re_ma_flags */
    l4_umword_t to, from, size; /* of one that exists, bytes */
};

/* From the source that came with the message. Always an answer: -L4_EAGAIN and a gate, which does
 * the copy when the client calls it, or an error. */
long copy_foreign(const struct copy *what, l4_utcb_t *utcb, l4_msgtag_t *reply);

/* Copies into this dataspace end, and those for this account (NULL: none in particular). */
void copies_end(const struct dataspace *ds, const struct account *account);
