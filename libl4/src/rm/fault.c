/*
 * fault.c - page faults: from the address to the dataspace, and its page into the region
 *
 *   kernel --(address, access, ip)--> region manager --map(offset, window)--> dataspace manager
 *
 * The kernel's map item puts the page straight into this task, which is the faulting thread's too;
 * the answer to the fault is therefore empty.
 */
#include "rm.h"

#include <l4/sys/task.h>

enum { LIVES = 64 }; /* of a manager, that one fault may see end */

/* The last faults, and those that are still being served, in a ring. */
static struct rm_fault kept[RM_FAULTS_KEPT];
static struct rm_fault *next = kept;

/* ---------------------------------------------------------------- asking a dataspace */

static inline void window_open(l4_utcb_t *utcb, l4_addr_t base, unsigned order)
{
    utcb->buf.br[RM_BR_WINDOW] = l4_fpage(base, order, L4_FPAGE_RWX).raw;
}

/*
 * The hot spot is the offset in the dataspace. Within a window it says the same as the address
 * (region_window() lets both agree there); if the manager sends more than the window holds, it says
 * which part of the flexpage is meant, which the address could not. again: the manager has ended.
 */
L4_ALWAYS_INLINE long map_call(l4_utcb_t *utcb, l4_cap_idx_t ds, l4_addr_t offset,
                               l4_umword_t flags, bool again, unsigned *order)
{
    l4_umword_t item;
    l4_msgtag_t tag;

    utcb->msg.mr[0] = L4RE_DS_MAP_OP;
    utcb->msg.mr[1] = offset;
    utcb->msg.mr[2] = offset;
    utcb->msg.mr[3] = flags;
    utcb->buf.bdr = RM_BDR_MAP;
    tag = l4_ipc_call(ds, utcb, l4_msgtag(L4RE_PROTO_DATASPACE, 4, 0, 0),
                      again && rm_may_wait() ? RM_NEXT_LIFE : rm_patience());
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
 * So one pager cannot reach another pager's region. The lock goes: others are served meanwhile. */
L4_ALWAYS_INLINE long map_in_region(struct rm_worker *w, const struct region *r, l4_addr_t addr,
                                    l4_umword_t rights, bool again, unsigned *window,
                                    unsigned *order)
{
    l4_addr_t base, offset = region_offset(r, addr & L4_PAGEMASK);
    l4_umword_t flags = rights | (r->flags & L4RE_DS_F_CACHING_MASK);
    l4_cap_idx_t ds = r->ds;
    long err;

    *window = region_window(r, addr, &base);
    window_open(w->utcb, base, *window);
    rm_counts.map_calls++;
    rm_set_state(w, RM_CALLING);
    rm_unlock();
    err = map_call(w->utcb, ds, offset, flags, again, order);
    rm_set_state(w, RM_WAITING);
    return err;
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
    unsigned sent = 0;
    long err;

    window_open(utcb, base, *order);
    utcb->buf.br[RM_BR_ITEM] = L4_ITEM_MAP;
    rm_lock();
    rm_counts.map_calls++;
    rm_unlock();
    err = map_call(utcb, ds, offset, flags, false, &sent);
    if (!err)
        *order = mapped_order(*order, sent);
    return err;
}

long rm_map_page(struct rm_worker *w, l4_addr_t addr, l4_cap_idx_t ds, unsigned rights,
                 l4_addr_t *mapped)
{
    unsigned window = 0, order = 0;
    l4_umword_t size;
    long err;

    rm_lock();
    do {
        const struct region *r = region_find(&rm_map, addr);

        if (!r || r->kind != REGION_DATASPACE || (ds != L4_INVALID_CAP && r->ds != ds)) {
            rm_unlock();
            return -L4_ENOENT;
        }
        err = map_in_region(w, r, addr, rights ? rights : r->flags & L4RE_RM_F_RWX, false,
                            &window, &order);
        rm_set_state(w, RM_WORKING);
        rm_lock();
        rm_settle();
    } while (rm_cancelled(err));
    rm_unlock();
    if (!err && mapped) {
        size = 1UL << mapped_order(window, order);
        *mapped = (addr & ~(size - 1)) + size;
    }
    return err;
}

/* ---------------------------------------------------------------- serving a fault */

/* What an access needs of the region, by enum l4_page_fault_bits. */
static const unsigned char rights_needed[L4_PF_BITS + 1] = {
    [0] = L4RE_RM_F_R,
    [L4_PF_PRESENT] = L4RE_RM_F_R,
    [L4_PF_WRITE] = L4RE_RM_F_RW,
    [L4_PF_WRITE | L4_PF_PRESENT] = L4RE_RM_F_RW,
    [L4_PF_FETCH] = L4RE_RM_F_RX,
    [L4_PF_FETCH | L4_PF_PRESENT] = L4RE_RM_F_RX,
    [L4_PF_FETCH | L4_PF_WRITE] = L4RE_RM_F_RW,
    [L4_PF_FETCH | L4_PF_WRITE | L4_PF_PRESENT] = L4RE_RM_F_RW,
};

unsigned rm_rights_needed(const struct rm_fault *f)
{
    return rights_needed[f->access];
}

static inline void record_region(struct rm_fault *f, const struct region *r)
{
    f->start = r->start;
    f->end = r->end;
    f->ds = r->ds;
    f->offset = region_offset(r, f->addr & L4_PAGEMASK);
}

/* PF-4: the region manager finds the region that holds the address and checks its rights. */
static long find_region(struct rm_fault *f, const struct region **out)
{
    const struct region *r = region_find(&rm_map, f->addr);

    *out = r;
    if (!r || r->kind != REGION_DATASPACE) {
        f->start = f->end = f->offset = 0;
        f->ds = L4_INVALID_CAP;
        return -L4_ENOMEM;
    }
    record_region(f, r);
    return rights_needed[f->access] & ~r->flags ? -L4_EACCESS : 0;
}

/* Executable pages are asked for as such at once: reading one is followed by running it. Writing
 * is not asked for before it happens, so a manager may share what is read. */
L4_ALWAYS_INLINE long map_for(struct rm_worker *w, const struct region *r, l4_addr_t addr,
                           unsigned need, bool again)
{
    unsigned window, order;

    return map_in_region(w, r, addr, need | (r->flags & L4RE_RM_F_X), again, &window, &order);
}

/* With the lock. Did the manager end while it was asked, and its gate outlive it? Then its next
 * life is asked, or whoever takes the gate; LIVES bounds what a gate without any of them costs. */
static bool ask_again(struct rm_worker *w, const struct rm_fault *f, long err, unsigned *lives)
{
    if (err != -(L4_EIPC_LO + L4_IPC_ENOT_EXISTENT) &&
        err != -(L4_EIPC_LO + (L4_IPC_ENOT_EXISTENT | 1)))
        return false;
    return ++*lives <= LIVES &&
           l4_error_u(l4_task_cap_valid_u(L4_BASE_TASK_CAP, f->ds, w->utcb), w->utcb) > 0;
}

/*
 * A fault that is not served at once. `asked`: err is what came of a call, and the lock is not
 * held; otherwise it is, and the region is still to be looked for.
 *
 * A call that was cancelled says nothing: the region may have gone or changed, or the thread.
 */
static __attribute__((noinline)) long serve_on(struct rm_worker *w, struct rm_fault *f, long err,
                                               bool asked)
{
    const struct region *r;
    unsigned lives = 0;

    for (;;) {
        if (asked) {
            rm_lock();
            rm_settle();
            if (rm_cancelled(err) ? !rm_owes(w, w->utcb) : !ask_again(w, f, err, &lives))
                break;
        }
        err = find_region(f, &r);
        asked = !err;
        if (asked)
            err = map_for(w, r, f->addr, rights_needed[f->access], lives > 0);
        else
            err = rm_pending_wait(w, f, err);
        if (!asked && err)
            break;
        if (asked && !err) {
            f->error = 0;
            return 0;
        }
    }
    rm_counts.rejected++;
    f->error = err;
    rm_unlock();
    return err;
}

static inline struct rm_fault *record_new(void)
{
    struct rm_fault *f = next;

    while (L4_UNLIKELY(f->error == RM_FAULT_OPEN)) /* fewer workers than records */
        f = f + 1 == kept + RM_FAULTS_KEPT ? kept : f + 1;
    next = f + 1 == kept + RM_FAULTS_KEPT ? kept : f + 1;
    return f;
}

/* With the lock. Faults come in rows: the region of the last one is looked at first. */
L4_ALWAYS_INLINE long serve_now(struct rm_worker *w, l4_umword_t label)
{
    const l4_umword_t *mr = w->utcb->msg.mr;
    const struct region *r = rm_map.hit;
    struct rm_fault *f = record_new();
    l4_addr_t addr = mr[0] & ~(l4_umword_t)L4_PF_BITS;
    unsigned need = rights_needed[mr[0] & L4_PF_BITS];
    long err;

    rm_counts.faults++;
    f->addr = addr;
    f->access = mr[0] & L4_PF_BITS;
    f->ip = mr[1];
    f->label = label;
    f->error = RM_FAULT_OPEN;
    if (L4_UNLIKELY(!r || addr - r->start >= r->end - r->start || r->kind != REGION_DATASPACE ||
                    (need & ~r->flags)))
        return serve_on(w, f, 0, false);
    record_region(f, r);
    err = map_for(w, r, addr, need, false);
    if (L4_UNLIKELY(err))
        return serve_on(w, f, err, true);
    f->error = 0;
    return 0;
}

static __attribute__((noinline)) long serve_after_wait(struct rm_worker *w, l4_umword_t label)
{
    rm_lock();
    return serve_now(w, label);
}

/* Everything that is not usual is called last, so that nothing has to be saved for it. */
long rm_fault_serve(struct rm_worker *w, l4_umword_t label)
{
    if (L4_UNLIKELY(!rm_try_lock()))
        return serve_after_wait(w, label);
    return serve_now(w, label);
}

/* ---------------------------------------------------------------- what is kept */

static bool in_page(const struct rm_fault *f, l4_addr_t addr)
{
    return f->label && ((f->addr ^ addr) & L4_PAGEMASK) == 0;
}

/* The n-th record, beginning with the oldest. */
static const struct rm_fault *record(unsigned n)
{
    return &kept[((unsigned)(next - kept) + n) % RM_FAULTS_KEPT];
}

const struct rm_fault *rm_fault_first(l4_addr_t addr)
{
    for (unsigned i = 0; i < RM_FAULTS_KEPT; i++)
        if (in_page(record(i), addr))
            return record(i);
    return NULL;
}

const struct rm_fault *rm_fault_newest(l4_addr_t addr)
{
    for (unsigned i = RM_FAULTS_KEPT; i-- > 0;)
        if (in_page(record(i), addr))
            return record(i);
    return NULL;
}
