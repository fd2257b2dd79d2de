/*
 * roottask/services.c - calls to dataspace managers
 *
 * Only the loader makes them: a manager that faults never answers, and then it is the supervisor
 * who deletes it, which ends the call with an IPC error.
 */
#include "root.h"

#include <abi/protocols.h>
#include <l4/re/c/dataspace.h>
#include <l4/re/c/namespace.h>
#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>
#include <l4/sys/utcb.h>

#include <string.h>

long service_account_create(l4_cap_idx_t manager, l4_umword_t quota, l4_cap_idx_t target)
{
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag = l4_factory_create_start_u(L4RE_PROTO_MEM_ALLOC, target, u);

    l4_factory_create_add_uint_u(quota, &tag, u);
    return l4_error(l4_factory_create_commit_u(manager, tag, u));
}

long service_account_release(l4_cap_idx_t account)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = L4RE_MA_RELEASE_OP;
    return l4_error(
        l4_ipc_call(account, u, l4_msgtag(L4RE_PROTO_MEM_ALLOC, 1, 0, 0), L4_IPC_NEVER));
}

long service_dataspace_create(l4_cap_idx_t account, l4_umword_t size, l4_cap_idx_t target)
{
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag = l4_factory_create_start_u(L4RE_PROTO_DATASPACE, target, u);

    l4_factory_create_add_int_u((l4_mword_t)size, &tag, u);
    l4_factory_create_add_uint_u(0, &tag, u);
    l4_factory_create_add_uint_u(0, &tag, u);
    return l4_error(l4_factory_create_commit_u(account, tag, u));
}

long service_copy_in(l4_cap_idx_t to, l4_umword_t to_offset, l4_cap_idx_t from,
                     l4_umword_t from_offset, l4_umword_t size, l4_cap_idx_t slot)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = L4RE_DS_COPY_IN_OP;
    u->msg.mr[1] = to_offset;
    u->msg.mr[2] = from_offset;
    u->msg.mr[3] = size;
    __l4_add_obj_item(&u->msg, 4, from);
    return l4re_copy_call(to, l4_msgtag(L4RE_PROTO_DATASPACE, 4, 1, 0), slot, u);
}

long service_open(l4_cap_idx_t manager, const char *name, l4_cap_idx_t target)
{
    return l4re_ns_query(manager, name, strlen(name), target);
}
