/*
 * fault.c - page faults: from the address to the dataspace, and its page into the region
 *
 *   kernel --(address, access, ip)--> region manager --map(offset, window)--> dataspace manager
 *
 * The kernel's map item puts the page straight into this task, which is the faulting thread's too;
 * the answer to the fault is therefore empty.
 */
#include "rm.h"

#include <l4/sys/utcb.h>

/* The last RM_FAULTS_KEPT faults; number n lies at n % RM_FAULTS_KEPT. */
static struct rm_fault kept[RM_FAULTS_KEPT];
static l4_umword_t kept_count;

/* ---------------------------------------------------------------- asking a dataspace */

/*
 * The hot spot is the offset in the dataspace. Within a window it says the same as the address
 * (region_window() lets both agree there); if the manager sends more than the window holds, it says
 * which part of the flexpage is meant, which the address could not.
 */
long rm_map_window(l4_utcb_t *utcb, l4_cap_idx_t ds, l4_addr_t offset, unsigned flags,
                   l4_addr_t base, unsigned *order)
{
    l4_umword_t item;
    l4_msgtag_t tag;
    long err;

    utcb->msg.mr[0] = L4RE_DS_MAP_OP;
    utcb->msg.mr[1] = offset;
    utcb->msg.mr[2] = offset;
    utcb->msg.mr[3] = flags;
    utcb->buf.bdr = 0;
    utcb->buf.br[0] = L4_ITEM_MAP;
    utcb->buf.br[1] = l4_fpage(base, *order, L4_FPAGE_RWX).raw;
    utcb->buf.br[2] = 0;
    rm_counts.map_calls++;
    tag = l4_ipc_call(ds, utcb, l4_msgtag(L4RE_PROTO_DATASPACE, 4, 0, 0), L4_IPC_NEVER);
    utcb->buf.br[0] = 0;
    err = l4_error_u(tag, utcb);
    if (L4_UNLIKELY(err < 0))
        return err;
    if (L4_UNLIKELY(l4_msgtag_items(tag) == 0 || l4_msgtag_words(tag) > 61))
        return -L4_EFAULT;
    item = utcb->msg.mr[l4_msgtag_words(tag)];
    if (L4_UNLIKELY((item & L4_ITEM_RET_MASK) != L4_ITEM_RET_MAPPED))
        return -L4_EFAULT;
    item = item >> L4_FPAGE_SIZE_SHIFT & 63;
    if (item < *order)
        *order = item < L4_PAGESHIFT ? L4_PAGESHIFT : (unsigned)item;
    return 0;
}

/* PF-5: it calls the dataspace; the receive window is restricted to the region.
 * So one pager cannot reach another pager's region. */
long rm_map_page(l4_utcb_t *utcb, const struct region *r, l4_addr_t addr, unsigned rights,
                 l4_addr_t *mapped)
{
    l4_addr_t base;
    unsigned order = region_window(r, addr, &base);
    l4_addr_t page = addr & L4_PAGEMASK;
    long err = rm_map_window(utcb, r->ds, region_offset(r, page),
                             rights | (r->flags & L4RE_DS_F_CACHING_MASK), base, &order);

    if (!err && mapped)
        *mapped = (page & ~((1UL << order) - 1)) + (1UL << order);
    return err;
}

/* ---------------------------------------------------------------- serving a fault */

/* What the access needs of the region. */
static unsigned rights_needed(l4_umword_t access)
{
    if (access & L4_PF_WRITE)
        return L4RE_RM_F_RW;
    return access & L4_PF_FETCH ? L4RE_RM_F_RX : L4RE_RM_F_R;
}

/* PF-4: the region manager finds the region that holds the address and checks its rights. */
static long find_region(struct rm_fault *f, const struct region **out)
{
    const struct region *r = region_find(&rm_map, f->addr);
    unsigned need = rights_needed(f->access);

    *out = r;
    if (L4_UNLIKELY(!r || r->kind != REGION_DATASPACE))
        return -L4_ENOMEM;
    f->start = r->start;
    f->end = r->end;
    f->ds = r->ds;
    f->offset = region_offset(r, f->addr & L4_PAGEMASK);
    return (r->flags & need) == need ? 0 : -L4_EACCESS;
}

long rm_fault_serve(l4_utcb_t *utcb, l4_umword_t label)
{
    struct rm_fault f = {
        .addr = utcb->msg.mr[0] & ~(l4_umword_t)L4_PF_BITS,
        .access = utcb->msg.mr[0] & L4_PF_BITS,
        .ip = utcb->msg.mr[1],
        .label = label,
        .ds = L4_INVALID_CAP,
    };
    const struct region *r;

    rm_counts.faults++;
    f.error = find_region(&f, &r);
    if (!f.error) {
        /* Executable pages are asked for as such at once: reading one is followed by running it.
         * Writing is not asked for before it happens, so a manager may share what is read. */
        unsigned rights = rights_needed(f.access) | (r->flags & L4RE_RM_F_X);

        f.error = rm_map_page(utcb, r, f.addr, rights, NULL);
    }
    if (f.error)
        rm_counts.rejected++;
    else
        rm_counts.resolved++;
    kept[kept_count++ % RM_FAULTS_KEPT] = f;
    return f.error;
}

/* ---------------------------------------------------------------- what is kept */

static l4_umword_t oldest_kept(void)
{
    return kept_count > RM_FAULTS_KEPT ? kept_count - RM_FAULTS_KEPT : 0;
}

const struct rm_fault *rm_fault_first(l4_addr_t addr)
{
    for (l4_umword_t i = oldest_kept(); i < kept_count; i++)
        if (((kept[i % RM_FAULTS_KEPT].addr ^ addr) & L4_PAGEMASK) == 0)
            return &kept[i % RM_FAULTS_KEPT];
    return NULL;
}

const struct rm_fault *rm_fault_newest(l4_addr_t addr)
{
    for (l4_umword_t i = kept_count; i-- > oldest_kept();)
        if (((kept[i % RM_FAULTS_KEPT].addr ^ addr) & L4_PAGEMASK) == 0)
            return &kept[i % RM_FAULTS_KEPT];
    return NULL;
}
