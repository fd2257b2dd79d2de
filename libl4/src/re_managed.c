/*
 * re_managed.c - client side of managed dataspaces (<l4/re/c/managed.h>)
 */
#include <l4/re/c/managed.h>

#include <l4/re/env.h>
#include <l4/sys/ipc.h>

/* A call whose answer is a capability in `slot`. */
static long call_for(l4_cap_idx_t server, l4_cap_idx_t slot, l4_msgtag_t tag, l4_utcb_t *utcb)
{
    l4_umword_t bdr = utcb->buf.bdr, br[2] = {utcb->buf.br[0], utcb->buf.br[1]};

    utcb->buf.bdr = 0;
    utcb->buf.br[0] = (slot & L4_CAP_MASK) | L4_RCV_ITEM_SINGLE_CAP;
    utcb->buf.br[1] = 0;
    tag = l4_ipc_call(server, utcb, tag, L4_IPC_NEVER);
    utcb->buf.bdr = bdr;
    utcb->buf.br[0] = br[0];
    utcb->buf.br[1] = br[1];
    return l4_error_u(tag, utcb);
}

static long create(l4_cap_idx_t managed, long kind, l4_umword_t value, l4_cap_idx_t owner,
                   l4_cap_idx_t slot)
{
    l4_utcb_t *utcb = l4_utcb();

    utcb->msg.mr[0] = (l4_umword_t)kind;
    utcb->msg.mr[1] = sizeof(l4_umword_t) << 16 | L4_VARG_TYPE_UMWORD;
    utcb->msg.mr[2] = value;
    utcb->msg.mr[3] = L4_ITEM_MAP;
    utcb->msg.mr[4] = l4_obj_fpage(owner, 0, L4_CAP_FPAGE_RO).raw;
    return call_for(managed, slot, l4_msgtag(L4_PROTO_FACTORY, 3, 1, 0), utcb);
}

long l4re_managed_account(l4_cap_idx_t managed, unsigned long maps, l4_cap_idx_t owner,
                          l4_cap_idx_t account)
{
    return create(managed, L4RE_PROTO_MEM_ALLOC, maps, owner, account);
}

long l4re_managed_create(l4_cap_idx_t managed, l4re_ds_size_t size, l4_cap_idx_t map)
{
    return create(managed, L4RE_PROTO_RM, size, l4re_env()->rm, map);
}

long l4re_managed_dataspace(l4_cap_idx_t map, l4re_ds_t ds)
{
    l4_utcb_t *utcb = l4_utcb();

    utcb->msg.mr[0] = L4RE_MANAGED_DATASPACE_OP;
    return call_for(map, ds, l4_msgtag(L4RE_PROTO_RM, 1, 0, 0), utcb);
}
