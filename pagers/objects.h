/*
 * objects.h - inside the framework: life and death of accounts and dataspaces
 */
#pragma once

#include <l4/pager.h>

extern const struct manager *manager;
extern struct account house;        /* pays for what is opened by name: no limit */

void objects_init(const struct manager *m);

/* Make one and its gate. The function behind the gate is `dispatch`. */
long account_new(l4_umword_t quota, l4_server_fn dispatch, struct account **out);
long dataspace_new(struct account *a, const struct ds_request *r, l4_server_fn dispatch,
                   struct dataspace **out);

/* A lasting dataspace's gate for the client: granted on, it is gone from here. */
extern l4_cap_idx_t passed_gate;
/* What earlier lives of this manager have opened. */
void dataspaces_restore(l4_server_fn dispatch);

/* Delete the gate, if it still exists, and give everything back. */
void dataspace_release(struct dataspace *ds);
void account_release(struct account *a);

/* Sums over all accounts. */
l4_umword_t accounts_quota(void);
l4_umword_t accounts_used(void);
l4_umword_t dataspaces_open(void);

/* The dataspaces that the running request works on; manager_gc() leaves them alone. The first is
 * set when a request begins, and stands until the next one. */
extern const struct dataspace *in_use[2];

/* Pages that hold structures. */
extern l4_umword_t object_pages;
