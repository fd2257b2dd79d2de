/*
 * fault.c - page faults: from the address to the dataspace, and its page into the region
 *
 *   kernel --(address, access, ip)--> region manager --map(offset, window)--> dataspace manager
 *
 * The kernel's map item puts the page straight into this task, which is the faulting thread's too;
 * the answer to the fault is therefore empty.
 */
#include "rm.h"

/* The last RM_FAULTS_KEPT faults; number n lies at n % RM_FAULTS_KEPT. */
static struct rm_fault kept[RM_FAULTS_KEPT];

/* ---------------------------------------------------------------- asking a dataspace */

/*
 * The hot spot is the offset in the dataspace. Within a window it says the same as the address
 * (region_window() lets both agree there); if the manager sends more than the window holds, it says
 * which part of the flexpage is meant, which the address could not.
 */
static inline long map_call(l4_utcb_t *utcb, l4_cap_idx_t ds, l4_addr_t offset, l4_umword_t flags,
                            l4_fpage_t window, unsigned *order)
{
    l4_umword_t item;
    l4_msgtag_t tag;

    utcb->msg.mr[0] = L4RE_DS_MAP_OP;
    utcb->msg.mr[1] = offset;
    utcb->msg.mr[2] = offset;
    utcb->msg.mr[3] = flags;
    utcb->buf.br[RM_BR_WINDOW] = window.raw;
    utcb->buf.bdr = RM_BDR_MAP;
    rm_counts.map_calls++;
    tag = l4_ipc_call(ds, utcb, l4_msgtag(L4RE_PROTO_DATASPACE, 4, 0, 0), L4_IPC_NEVER);
    utcb->buf.bdr = RM_BDR_WAIT;
    if (L4_UNLIKELY(l4_msgtag_has_error(tag) || l4_msgtag_label(tag) < 0))
        return l4_error_u(tag, utcb);
    if (L4_UNLIKELY(l4_msgtag_items(tag) == 0 || l4_msgtag_words(tag) > 61))
        return -L4_EFAULT;
    item = utcb->msg.mr[l4_msgtag_words(tag)];
    if (L4_UNLIKELY((item & L4_ITEM_RET_MASK) != L4_ITEM_RET_MAPPED))
        return -L4_EFAULT;
    *order = item >> L4_FPAGE_SIZE_SHIFT & 63;
    return 0;
}

/* PF-5: it calls the dataspace; the receive window is restricted to the region.
 * So one pager cannot reach another pager's region. */
static inline long map_in_region(l4_utcb_t *utcb, const struct region *r, l4_addr_t addr,
                                 l4_umword_t rights, unsigned *window, unsigned *order)
{
    l4_addr_t base;

    *window = region_window(r, addr, &base);
    return map_call(utcb, r->ds, region_offset(r, addr & L4_PAGEMASK),
                    rights | (r->flags & L4RE_DS_F_CACHING_MASK),
                    l4_fpage(base, *window, L4_FPAGE_RWX), order);
}

/* What has been mapped, at most the window. */
static unsigned mapped_order(unsigned window, unsigned order)
{
    if (order > window)
        return window;
    return order < L4_PAGESHIFT ? L4_PAGESHIFT : order;
}

long rm_map_window(l4_utcb_t *utcb, l4_cap_idx_t ds, l4_addr_t offset, unsigned flags,
                   l4_addr_t base, unsigned *order)
{
    unsigned sent;
    long err = map_call(utcb, ds, offset, flags, l4_fpage(base, *order, L4_FPAGE_RWX), &sent);

    if (!err)
        *order = mapped_order(*order, sent);
    return err;
}

long rm_map_page(l4_utcb_t *utcb, const struct region *r, l4_addr_t addr, unsigned rights,
                 l4_addr_t *mapped)
{
    unsigned window, order;
    long err = map_in_region(utcb, r, addr, rights, &window, &order);
    l4_umword_t size;

    if (!err && mapped) {
        size = 1UL << mapped_order(window, order);
        *mapped = (addr & ~(size - 1)) + size;
    }
    return err;
}

/* ---------------------------------------------------------------- serving a fault */

/* What the access needs of the region, by L4_PF_WRITE and L4_PF_FETCH. */
static inline unsigned rights_needed(l4_umword_t access)
{
    if (access & L4_PF_WRITE)
        return L4RE_RM_F_RW;
    return access & L4_PF_FETCH ? L4RE_RM_F_RX : L4RE_RM_F_R;
}

/* PF-4: the region manager finds the region that holds the address and checks its rights. */
static inline long find_region(struct rm_fault *f, unsigned need, const struct region **out)
{
    const struct region *r = region_find(&rm_map, f->addr);

    *out = r;
    if (L4_UNLIKELY(!r || r->kind != REGION_DATASPACE)) {
        f->start = f->end = f->offset = 0;
        f->ds = L4_INVALID_CAP;
        return -L4_ENOMEM;
    }
    f->start = r->start;
    f->end = r->end;
    f->ds = r->ds;
    f->offset = region_offset(r, f->addr & L4_PAGEMASK);
    return (r->flags & need) == need ? 0 : -L4_EACCESS;
}

long rm_fault_serve(l4_utcb_t *utcb, l4_umword_t label)
{
    struct rm_fault *f = &kept[rm_counts.faults++ % RM_FAULTS_KEPT];
    unsigned need, window, order;
    const struct region *r;
    long err;

    f->addr = utcb->msg.mr[0] & ~(l4_umword_t)L4_PF_BITS;
    f->access = utcb->msg.mr[0] & L4_PF_BITS;
    f->ip = utcb->msg.mr[1];
    f->label = label;
    need = rights_needed(f->access);
    err = find_region(f, need, &r);
    /* Executable pages are asked for as such at once: reading one is followed by running it.
     * Writing is not asked for before it happens, so a manager may share what is read. */
    if (L4_LIKELY(!err))
        err = map_in_region(utcb, r, f->addr, need | (r->flags & L4RE_RM_F_X), &window, &order);
    if (L4_UNLIKELY(err))
        rm_counts.rejected++;
    f->error = err;
    return err;
}

/* ---------------------------------------------------------------- what is kept */

static l4_umword_t oldest_kept(void)
{
    return rm_counts.faults > RM_FAULTS_KEPT ? rm_counts.faults - RM_FAULTS_KEPT : 0;
}

const struct rm_fault *rm_fault_first(l4_addr_t addr)
{
    for (l4_umword_t i = oldest_kept(); i < rm_counts.faults; i++)
        if (((kept[i % RM_FAULTS_KEPT].addr ^ addr) & L4_PAGEMASK) == 0)
            return &kept[i % RM_FAULTS_KEPT];
    return NULL;
}

const struct rm_fault *rm_fault_newest(l4_addr_t addr)
{
    for (l4_umword_t i = rm_counts.faults; i-- > oldest_kept();)
        if (((kept[i % RM_FAULTS_KEPT].addr ^ addr) & L4_PAGEMASK) == 0)
            return &kept[i % RM_FAULTS_KEPT];
    return NULL;
}
