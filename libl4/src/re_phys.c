/*
 * re_phys.c - client side of the manager of physical memory (<l4/re/c/phys.h>)
 */
#include <l4/re/c/phys.h>

#include <abi/stats.h>
#include <l4/re/c/stats.h>
#include <l4/sys/factory.h>

static long create(l4_cap_idx_t phys, const l4_umword_t args[4], l4re_ds_t ds)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_umword_t bdr = utcb->buf.bdr, br = utcb->buf.br[0];
    l4_msgtag_t tag = l4_factory_create_start_u(L4RE_PROTO_DATASPACE, ds, utcb);

    for (unsigned i = 0; i < 4; i++)
        l4_factory_create_add_uint_u(args[i], &tag, utcb);
    tag = l4_factory_create_commit_u(phys, tag, utcb);
    utcb->buf.bdr = bdr;
    utcb->buf.br[0] = br;
    return l4_error_u(tag, utcb);
}

long l4re_phys_device(l4_cap_idx_t phys, l4_addr_t address, l4re_ds_size_t size,
                      unsigned long flags, l4re_ds_t ds)
{
    return create(phys, (l4_umword_t[]){size, flags | L4RE_PHYS_DEVICE, 0, address}, ds);
}

long l4re_phys_memory(l4_cap_idx_t phys, l4re_ds_size_t size, unsigned align,
                      unsigned long flags, l4re_ds_t ds)
{
    return create(phys, (l4_umword_t[]){size, flags & ~(l4_umword_t)L4RE_PHYS_DEVICE, align, 0},
                  ds);
}

long l4re_phys_address(l4re_ds_t ds, l4re_ds_offset_t offset, l4_addr_t *address)
{
    l4_umword_t word = 0;
    long n = l4re_stats_get(ds, L4RE_STATS_FRAME_OP, offset, &word, 1);

    if (n < 1)
        return n < 0 ? n : -L4_EIO; /* not one of ours */
    *address = (word & L4_PAGEMASK) | (offset & (L4_PAGESIZE - 1));
    return 0;
}
