/*
 * re_ds.c - client side of the dataspace protocol (<l4/re/c/dataspace.h>)
 *
 * Buffer registers are the caller's: a server keeps its own receive buffers there, so a map call
 * puts back what it found.
 */
#include <l4/re/c/dataspace.h>

#include <l4/re/c/util/cap_alloc.h>
#include <l4/sys/ipc.h>
#include <l4/sys/utcb.h>

static l4_msgtag_t ds_call(l4re_ds_t ds, l4_utcb_t *utcb, unsigned words, unsigned items)
{
    return l4_ipc_call(ds, utcb, l4_msgtag(L4RE_PROTO_DATASPACE, words, items, 0), L4_IPC_NEVER);
}

/* 0 and *order = what has been mapped. The window is the flexpage base, *order. */
static long map_window(l4re_ds_t ds, l4_addr_t offset, l4re_ds_flags_t flags, l4_addr_t base,
                       unsigned *order)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_umword_t saved[4] = {utcb->buf.bdr, utcb->buf.br[0], utcb->buf.br[1], utcb->buf.br[2]};
    l4_umword_t item;
    l4_msgtag_t tag;
    long err;

    utcb->buf.bdr = 0;
    utcb->buf.br[0] = L4_ITEM_MAP;
    utcb->buf.br[1] = l4_fpage(base, *order, L4_FPAGE_RWX).raw;
    utcb->buf.br[2] = 0;
    utcb->msg.mr[0] = L4RE_DS_MAP_OP;
    utcb->msg.mr[1] = offset;
    utcb->msg.mr[2] = offset;
    utcb->msg.mr[3] = flags;
    tag = ds_call(ds, utcb, 4, 0);
    utcb->buf.bdr = saved[0];
    utcb->buf.br[0] = saved[1];
    utcb->buf.br[1] = saved[2];
    utcb->buf.br[2] = saved[3];
    err = l4_error_u(tag, utcb);
    if (err < 0)
        return err;
    if (l4_msgtag_items(tag) == 0 || l4_msgtag_words(tag) > 61)
        return -L4_EFAULT;
    item = utcb->msg.mr[l4_msgtag_words(tag)];
    if ((item & L4_ITEM_RET_MASK) != L4_ITEM_RET_MAPPED)
        return -L4_EFAULT;
    item = item >> L4_FPAGE_SIZE_SHIFT & 63;
    if (item >= L4_PAGESHIFT && item < *order)
        *order = (unsigned)item;
    return 0;
}

/* The largest flexpage around `addr` in [min, max) whose base agrees with the offset of addr. */
static unsigned window_order(l4_addr_t addr, l4_addr_t offset, l4_addr_t min, l4_addr_t max)
{
    unsigned order = L4_PAGESHIFT;

    while (order < 46) {
        l4_addr_t low = (2UL << order) - 1;

        if ((addr & ~low) < min || (addr | low) > max - 1 || ((addr ^ offset) & low))
            break;
        order++;
    }
    return order;
}

static long map_at(l4re_ds_t ds, l4_addr_t offset, l4re_ds_flags_t flags, l4_addr_t addr,
                   l4_addr_t min, l4_addr_t max, unsigned *order)
{
    *order = window_order(addr, offset, min, max);
    return map_window(ds, offset, flags, addr & ~((1UL << *order) - 1), order);
}

int l4re_ds_map(l4re_ds_t ds, l4re_ds_offset_t offset, l4re_ds_flags_t flags,
                l4re_ds_map_addr_t local_addr, l4re_ds_map_addr_t min_addr,
                l4re_ds_map_addr_t max_addr)
{
    l4_addr_t addr = l4_trunc_page(local_addr);
    l4_addr_t min = l4_trunc_page(min_addr);
    l4_addr_t max = l4_round_page(max_addr);
    unsigned order;

    if (addr < min || addr >= max)
        return -L4_EINVAL;
    return map_at(ds, l4_trunc_page(offset), flags, addr, min, max, &order);
}

int l4re_ds_map_region(l4re_ds_t ds, l4re_ds_offset_t offset, l4re_ds_flags_t flags,
                       l4re_ds_map_addr_t min_addr, l4re_ds_map_addr_t max_addr)
{
    l4_addr_t min = l4_trunc_page(min_addr);
    l4_addr_t max = l4_round_page(max_addr);
    l4_addr_t shift = l4_trunc_page(offset) - min;

    for (l4_addr_t at = min; at < max;) {
        unsigned order;
        long err = map_at(ds, at + shift, flags, at, min, max, &order);

        if (err)
            return err;
        at = (at & ~((1UL << order) - 1)) + (1UL << order);
    }
    return 0;
}

/* An operation on a range. */
static long range_call(l4re_ds_t ds, unsigned op, l4_umword_t offset, l4_umword_t size)
{
    l4_utcb_t *utcb = l4_utcb();

    utcb->msg.mr[0] = op;
    utcb->msg.mr[1] = offset;
    utcb->msg.mr[2] = size;
    return l4_error_u(ds_call(ds, utcb, 3, 0), utcb);
}

long l4re_ds_clear(l4re_ds_t ds, l4re_ds_offset_t offset, l4re_ds_size_t size)
{
    return range_call(ds, L4RE_DS_CLEAR_OP, offset, size);
}

long l4re_ds_allocate(l4re_ds_t ds, l4re_ds_offset_t offset, l4re_ds_size_t size)
{
    return range_call(ds, L4RE_DS_ALLOCATE_OP, offset, size);
}

int l4re_ds_copy_in(l4re_ds_t ds, l4re_ds_offset_t dst_offs, l4re_ds_t src,
                    l4re_ds_offset_t src_offs, l4re_ds_size_t size)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_cap_idx_t slot = l4re_util_cap_alloc();
    long err;

    if (l4_is_invalid_cap(slot))
        return -L4_ENOMEM;
    utcb->msg.mr[0] = L4RE_DS_COPY_IN_OP;
    utcb->msg.mr[1] = dst_offs;
    utcb->msg.mr[2] = src_offs;
    utcb->msg.mr[3] = size;
    utcb->msg.mr[4] = L4_ITEM_MAP;
    utcb->msg.mr[5] = l4_obj_fpage(src, 0, L4_CAP_FPAGE_RWS).raw;
    err = l4re_copy_call(ds, l4_msgtag(L4RE_PROTO_DATASPACE, 4, 1, 0), slot, utcb);
    l4re_util_cap_free(slot);
    return (int)err;
}

int l4re_ds_info(l4re_ds_t ds, l4re_ds_stats_t *stats)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_msgtag_t tag;
    long err;

    utcb->msg.mr[0] = L4RE_DS_INFO_OP;
    tag = ds_call(ds, utcb, 1, 0);
    err = l4_error_u(tag, utcb);
    if (err < 0)
        return err;
    if (l4_msgtag_words(tag) < 2)
        return -L4_EMSGTOOSHORT;
    stats->size = utcb->msg.mr[0];
    stats->flags = utcb->msg.mr[1];
    return 0;
}

l4re_ds_size_t l4re_ds_size(l4re_ds_t ds)
{
    l4re_ds_stats_t stats = {0, 0};

    return l4re_ds_info(ds, &stats) < 0 ? 0 : stats.size;
}

l4re_ds_flags_t l4re_ds_flags(l4re_ds_t ds)
{
    l4re_ds_stats_t stats = {0, 0};

    return l4re_ds_info(ds, &stats) < 0 ? 0 : stats.flags;
}
