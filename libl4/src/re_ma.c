/*
 * re_ma.c - client side of memory allocators (<l4/re/c/mem_alloc.h>)
 */
#include <l4/re/c/mem_alloc.h>

#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>

long l4re_ma_alloc_align_srv(l4_cap_idx_t srv, long size, l4re_ds_t const mem, unsigned long flags,
                             unsigned long align)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_umword_t bdr = utcb->buf.bdr, br = utcb->buf.br[0];
    l4_msgtag_t tag = l4_factory_create_start_u(L4RE_PROTO_DATASPACE, mem, utcb);

    l4_factory_create_add_int_u(size, &tag, utcb);
    l4_factory_create_add_uint_u(flags, &tag, utcb);
    l4_factory_create_add_uint_u(align, &tag, utcb);
    tag = l4_factory_create_commit_u(srv, tag, utcb);
    utcb->buf.bdr = bdr;
    utcb->buf.br[0] = br;
    return l4_error_u(tag, utcb);
}

long l4re_ma_snapshot_srv(l4_cap_idx_t srv, l4re_ds_t source, l4re_ds_t const mem,
                          unsigned long flags)
{
    l4_utcb_t *utcb = l4_utcb();

    utcb->msg.mr[0] = L4RE_MA_SNAPSHOT_OP;
    utcb->msg.mr[1] = flags;
    utcb->msg.mr[2] = L4_ITEM_MAP;
    utcb->msg.mr[3] = l4_obj_fpage(source, 0, L4_CAP_FPAGE_RWS).raw;
    return l4re_copy_call(srv, l4_msgtag(L4RE_PROTO_MEM_ALLOC, 2, 1, 0), mem, utcb);
}

long l4re_ma_free_srv(l4_cap_idx_t srv, l4re_ds_t const mem)
{
    (void)srv;
    (void)mem;
    return 0;
}

long l4re_ma_free(l4re_ds_t const mem)
{
    (void)mem;
    return 0;
}
