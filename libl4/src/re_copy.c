/*
 * re_copy.c - client side of copies (<l4/re/c/dataspace.h>)
 */
#include <l4/re/c/dataspace.h>

#include <l4/sys/ipc.h>
#include <l4/sys/task.h>
#include <l4/sys/utcb.h>

/* A call that may bring a capability; *tag is the answer. */
static long call(l4_cap_idx_t server, l4_msgtag_t *tag, l4_cap_idx_t slot, l4_utcb_t *utcb)
{
    utcb->buf.bdr = 0;
    utcb->buf.br[0] = (slot & L4_CAP_MASK) | L4_RCV_ITEM_SINGLE_CAP;
    utcb->buf.br[1] = 0;
    *tag = l4_ipc_call(server, utcb, *tag, L4_IPC_NEVER);
    return l4_error_u(*tag, utcb);
}

long l4re_copy_call(l4_cap_idx_t server, l4_msgtag_t tag, l4_cap_idx_t slot, l4_utcb_t *utcb)
{
    l4_umword_t bdr = utcb->buf.bdr, br[2] = {utcb->buf.br[0], utcb->buf.br[1]};
    long err = call(server, &tag, slot, utcb);

    if (err == -L4_EAGAIN && l4_msgtag_items(tag)) {
        tag = l4_msgtag(L4RE_PROTO_DATASPACE, 0, 0, 0);
        err = call(slot, &tag, slot, utcb);
        if (err < 0 || !l4_msgtag_items(tag))
            l4_task_release_cap_u(L4_BASE_TASK_CAP, slot, utcb);
    }
    utcb->buf.bdr = bdr;
    utcb->buf.br[0] = br[0];
    utcb->buf.br[1] = br[1];
    return err;
}
