/*
 * caps/sets.h - the sets of tests, and short names for what they do all the time
 */
#pragma once

#include "harness.h"

extern const struct test slots_tests[], revoke_tests[], transfer_tests[], factory_tests[],
    objects_tests[];

#define ALL L4_FP_ALL_SPACES
#define OTHERS L4_FP_OTHER_SPACES
#define DELETE L4_FP_DELETE_OBJ
#define RWSD L4_CAP_FPAGE_RWSD

long map_cap(l4_cap_idx_t to, l4_cap_idx_t from, l4_cap_idx_t cap, l4_cap_idx_t slot,
             unsigned rights);
long unmap_cap(l4_cap_idx_t task, l4_cap_idx_t cap, unsigned rights, l4_umword_t mask);
bool has_cap(l4_cap_idx_t task, l4_cap_idx_t slot);
/* The rights W 1, S 2 with which a message of `client` through its slot arrives at `server`, who
 * has the gate; negative: the IPC error. */
int rights_seen(struct child *server, struct child *client, l4_cap_idx_t slot);
