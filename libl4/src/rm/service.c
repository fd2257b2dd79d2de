/*
 * service.c - the region manager's protocol: attach, detach, find, areas, statistics
 *
 * <l4/re/c/rm.h> has the words of each message. An operation reads its request from the message
 * first, and writes its answer last, because serving needs the message for calls of its own. All
 * but those that wait for others are served with the lock.
 */
#include "rm.h"

#include <abi/stats.h>
#include <l4/re/c/rm.h>
#include <l4/sys/task.h>
#include <l4/sys/utcb.h>

enum {
    ANSWER_WORDS_MAX = 62,
    REGION_WORDS = 3,
    NAME_WORDS = 3,
    UNMAP_WORD = 2, /* the first flexpage of an unmap message */
};

static l4_msgtag_t answer(long label, unsigned words)
{
    return l4_msgtag(label, words, 0, 0);
}

/* ---------------------------------------------------------------- the dataspace of an attach */

/* The capability that came along: the program's own (same task, so its index is as good for us), or
 * a new one in our slot. */
static inline long request_cap(struct rm_worker *w, l4_msgtag_t tag, l4_cap_idx_t *ds)
{
    const l4_utcb_t *utcb = w->utcb;
    unsigned words = l4_msgtag_words(tag);
    l4_fpage_t fp;
    long err;

    if (!l4_msgtag_items(tag) || words + 2 > L4_UTCB_GENERIC_DATA_SIZE)
        return -L4_ENOENT;
    fp.raw = utcb->msg.mr[words + 1];
    switch (utcb->msg.mr[words] & L4_ITEM_RET_MASK) {
    case L4_ITEM_RET_MAPPED:
        rm_lock();
        err = rm_slot_keep(w, ds);
        rm_unlock();
        return err;
    case L4_ITEM_RET_FPAGE:
        if (l4_fpage_type(fp) != L4_FPAGE_OBJ)
            return -L4_EINVAL;
        *ds = l4_fpage_obj(fp);
        if (L4_LIKELY(!rm_slot_is_ours(*ds)))
            return 0;
        rm_lock();
        err = rm_slot_ref(*ds) ? 0 : -L4_ENOENT;
        rm_unlock();
        if (err)
            *ds = L4_INVALID_CAP; /* there is nothing to give back */
        return err;
    case L4_ITEM_RET_LABEL:
        return -L4_EINVAL; /* a gate of our own: we are no dataspace */
    default:
        return -L4_ENOENT;
    }
}

/* A manager that does not tell what its dataspace allows will say no when it is asked for it. */
static long check_rights(l4_utcb_t *utcb, l4_cap_idx_t ds, l4_umword_t flags)
{
    l4_msgtag_t tag;
    long err;

    utcb->msg.mr[0] = L4RE_DS_INFO_OP;
    utcb->buf.bdr = RM_BDR_NONE;
    tag = l4_ipc_call(ds, utcb, l4_msgtag(L4RE_PROTO_DATASPACE, 1, 0, 0), rm_patience());
    utcb->buf.bdr = RM_BDR_WAIT;
    err = l4_error_u(tag, utcb);
    if (L4_LIKELY(err >= 0))
        return flags & L4RE_RM_F_RWX & ~utcb->msg.mr[1] ? -L4_EPERM : 0;
    if (err == -L4_ENOSYS || err == -L4_EBADPROTO)
        return 0;
    return err <= -L4_EIPC_LO ? -L4_ENOENT : err;
}

/* ---------------------------------------------------------------- unmapping */

/* Order of the largest flexpage at `addr` that ends at or before `end`. */
static unsigned flexpage_order(l4_addr_t addr, l4_addr_t end)
{
    unsigned room = 63 - (unsigned)__builtin_clzl(end - addr);
    unsigned aligned = addr ? (unsigned)__builtin_ctzl(addr) : 63;

    return room < aligned ? room : aligned;
}

/* Nothing is mapped in [start, end) afterwards, nor anywhere else from there. Untouched regions
 * are no exception: the program may have mapped into them itself (l4re_ds_map()). */
static long unmap(l4_utcb_t *utcb, l4_addr_t start, l4_addr_t end)
{
    long err = 0;

    while (start < end && err >= 0) {
        unsigned words = UNMAP_WORD;

        for (; start < end && words < L4_UTCB_GENERIC_DATA_SIZE; words++) {
            unsigned order = flexpage_order(start, end);

            utcb->msg.mr[words] = l4_fpage(start, order, L4_FPAGE_RWX).raw;
            start += 1UL << order;
        }
        utcb->msg.mr[0] = L4_TASK_UNMAP_OP;
        utcb->msg.mr[1] = L4_FP_ALL_SPACES;
        err = l4_error_u(l4_ipc_call(L4_BASE_TASK_CAP, utcb, l4_msgtag(L4_PROTO_TASK, words, 0, 0),
                                     L4_IPC_NEVER), utcb);
    }
    return err < 0 ? err : 0;
}

/* With the lock, which is given up meanwhile: [start, end) is dead, its addresses still taken. */
static long unmap_dead(struct rm_worker *w, l4_addr_t start, l4_addr_t end)
{
    long err;

    rm_calls_abort(w, start, end);
    rm_unlock();
    err = unmap(w->utcb, start, end);
    rm_lock();
    return err;
}

/* ---------------------------------------------------------------- attach */

static long map_all(struct rm_worker *w, l4_addr_t at, l4_addr_t end, l4_cap_idx_t ds)
{
    long err = 0;

    while (!err && at < end)
        err = rm_map_page(w, at, ds, 0, &at);
    return err;
}

/* Take the region out again, with what has been mapped of it. */
static void undo_attach(struct rm_worker *w, l4_addr_t start, l4_umword_t size)
{
    struct region *dead;

    rm_lock();
    if (region_detach(&rm_map, start, size, L4RE_RM_DETACH_EXACT, &dead) >= 0 &&
        !unmap_dead(w, dead->start, dead->end))
        region_reap(&rm_map, dead);
    rm_unlock();
}

/* A place for the region; whose fault lies there tries again. */
static long attach_place(struct rm_worker *w, struct region_request *q)
{
    struct region *r;
    long err;

    rm_lock();
    err = region_attach(&rm_map, q, &r);
    if (L4_UNLIKELY(!err && rm_pending))
        rm_pending_wake(w->utcb, r);
    rm_unlock();
    if (L4_LIKELY(err || !(q->flags & L4RE_RM_F_EAGER_MAP) || (q->flags & L4RE_RM_F_RESERVED)))
        return err;
    err = map_all(w, q->start, q->start + q->size, q->ds);
    if (err)
        undo_attach(w, q->start, q->size);
    return err;
}

/* What an attach shows: a dataspace that came along and allows what is wanted, or nothing. */
static long attach_what(struct rm_worker *w, l4_msgtag_t tag, struct region_request *q)
{
    long err;

    if (L4_UNLIKELY(q->flags & L4RE_RM_F_RESERVED)) {
        if (l4_msgtag_items(tag))
            rm_slot_drop(w);
        return 0;
    }
    err = request_cap(w, tag, &q->ds);
    return err ? err : check_rights(w->utcb, q->ds, q->flags);
}

static l4_msgtag_t attach(struct rm_worker *w, l4_msgtag_t tag)
{
    const l4_umword_t *mr = w->utcb->msg.mr;
    struct region_request q = {
        .start = mr[1],
        .size = mr[2],
        .flags = mr[3],
        .offset = mr[4],
        .align = mr[5] > 63 ? 63 : (unsigned)mr[5],
        .ds = L4_INVALID_CAP,
    };
    long err;

    if (q.flags & L4RE_RM_F_KERNEL)
        return answer(-L4_EINVAL, 0);
    if ((q.flags & (L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_IN_AREA)) == L4RE_RM_F_SEARCH_ADDR &&
        q.start < L4_PAGESIZE)
        q.start = QUIRE_ATTACH_MIN;
    err = attach_what(w, tag, &q);
    if (!err)
        err = attach_place(w, &q);
    if (L4_UNLIKELY(err)) {
        rm_lock();
        rm_slot_unref(w->utcb, q.ds);
        rm_unlock();
        return answer(err, 0);
    }
    w->utcb->msg.mr[0] = q.start;
    return answer(0, 1);
}

/* ---------------------------------------------------------------- detach */

static bool dataspace_in_use(l4_cap_idx_t ds)
{
    struct region *r = region_first(&rm_map, 0, L4_USER_END);

    for (; r; r = region_first(&rm_map, r->end, L4_USER_END))
        if (r->kind == REGION_DATASPACE && r->ds == ds)
            return true;
    return false;
}

/* A whole region is gone: what becomes of its capability. Returns what the client may know. */
static l4_cap_idx_t dataspace_leaves(l4_utcb_t *utcb, l4_cap_idx_t ds, bool free_it)
{
    if (free_it && !dataspace_in_use(ds))
        l4_task_delete_obj_u(L4_BASE_TASK_CAP, ds, utcb);
    return rm_slot_unref(utcb, ds) ? L4_INVALID_CAP : ds;
}

/* With the lock. The region is dead first: from there on faults find nothing, so nothing comes
 * back. If it cannot be unmapped its addresses stay taken: there may be pages of it. */
static long detach_locked(struct rm_worker *w, l4_addr_t start, l4_umword_t size, l4_umword_t flags)
{
    struct region *dead;
    long result = region_detach(&rm_map, start, size,
                                flags & ~(l4_umword_t)L4RE_RM_DETACH_NO_UNMAP, &dead);
    l4_umword_t kind = (l4_umword_t)result & L4RE_RM_DETACH_RESULT_MASK;
    l4_umword_t *mr = w->utcb->msg.mr;
    l4_addr_t first, end;
    bool free_it;
    l4_cap_idx_t ds;
    long err;

    if (result < 0)
        return result;
    first = dead->start;
    end = dead->end;
    ds = dead->ds;
    free_it = (dead->flags & L4RE_RM_F_DETACH_FREE) && !(flags & L4RE_RM_DETACH_KEEP);
    if (kind == L4RE_RM_SPLIT_DS)
        rm_slot_ref(ds);
    if (!(flags & L4RE_RM_DETACH_NO_UNMAP)) {
        err = unmap_dead(w, first, end);
        if (err)
            return err;
    } else {
        rm_calls_abort(w, first, end);
    }
    region_reap(&rm_map, dead);
    if (kind == L4RE_RM_DETACHED_DS && ds != L4_INVALID_CAP)
        ds = dataspace_leaves(w->utcb, ds, free_it);
    mr[0] = first;
    mr[1] = end - first;
    mr[2] = ds;
    return result;
}

static l4_msgtag_t detach(struct rm_worker *w, l4_msgtag_t tag)
{
    const l4_umword_t *mr = w->utcb->msg.mr;
    long result;

    (void)tag;
    rm_lock();
    result = detach_locked(w, mr[1], mr[2], mr[3]);
    rm_unlock();
    return answer(result, result < 0 ? 0 : 3);
}

/* ---------------------------------------------------------------- find, areas, lists */

/* MR3 may be missing. */
static l4_msgtag_t find(struct rm_worker *w, l4_msgtag_t tag)
{
    l4_utcb_t *utcb = w->utcb;
    l4_umword_t *mr = utcb->msg.mr;
    l4_addr_t start = mr[1] & L4_PAGEMASK;
    l4_addr_t end = mr[1] + (mr[2] ? mr[2] : 1);
    bool with_cap = l4_msgtag_words(tag) > 3 && (mr[3] & L4RE_RM_FIND_CAP);
    const struct region *r;
    l4_umword_t area_flag = 0;

    if (end < start)
        return answer(-L4_EINVAL, 0);
    r = region_first(&rm_map, start, end);
    if (!r) {
        r = region_first_area(&rm_map, start, end);
        area_flag = L4RE_RM_F_IN_AREA;
    }
    if (!r)
        return answer(-L4_ENOENT, 0);
    mr[0] = r->start;
    mr[1] = r->end - r->start;
    mr[2] = r->offset;
    mr[3] = r->flags | area_flag;
    mr[4] = r->ds;
    if (!with_cap || r->kind != REGION_DATASPACE)
        return answer(0, 5);
    mr[5] = L4_ITEM_MAP;
    mr[6] = l4_obj_fpage(r->ds, 0, L4_CAP_FPAGE_RWS).raw;
    return l4_msgtag(0, 5, 1, 0);
}

static l4_msgtag_t reserve_area(struct rm_worker *w, l4_msgtag_t tag)
{
    l4_utcb_t *utcb = w->utcb;
    struct region_request q = {
        .start = utcb->msg.mr[1],
        .size = utcb->msg.mr[2],
        .flags = utcb->msg.mr[3],
        .align = utcb->msg.mr[4] > 63 ? 63 : (unsigned)utcb->msg.mr[4],
    };
    struct region *area;
    long err;

    (void)tag;
    if (q.flags & L4RE_RM_F_KERNEL)
        return answer(-L4_EINVAL, 0);
    if ((q.flags & L4RE_RM_F_SEARCH_ADDR) && q.start < L4_PAGESIZE)
        q.start = QUIRE_ATTACH_MIN;
    err = region_reserve_area(&rm_map, &q, &area);
    if (err)
        return answer(err, 0);
    utcb->msg.mr[0] = area->start;
    return answer(0, 1);
}

static l4_msgtag_t free_area(struct rm_worker *w, l4_msgtag_t tag)
{
    l4_utcb_t *utcb = w->utcb;
    (void)tag;
    return answer(region_free_area(&rm_map, utcb->msg.mr[1]), 0);
}

typedef struct region *lister(const struct region_map *map, l4_addr_t start, l4_addr_t end);

static l4_msgtag_t list(l4_utcb_t *utcb, lister *first)
{
    l4_umword_t *mr = utcb->msg.mr;
    l4_addr_t at = mr[1];
    unsigned n = 0;

    while (1 + (n + 1) * REGION_WORDS <= ANSWER_WORDS_MAX) {
        const struct region *r = first(&rm_map, at, L4_USER_END);

        if (!r)
            break;
        mr[1 + n * REGION_WORDS] = r->start;
        mr[2 + n * REGION_WORDS] = r->end - r->start;
        mr[3 + n * REGION_WORDS] = r->flags;
        at = r->end;
        n++;
    }
    mr[0] = n;
    return answer(0, 1 + n * REGION_WORDS);
}

static l4_msgtag_t get_regions(struct rm_worker *w, l4_msgtag_t tag)
{
    l4_utcb_t *utcb = w->utcb;
    (void)tag;
    return list(utcb, region_first);
}

static l4_msgtag_t get_areas(struct rm_worker *w, l4_msgtag_t tag)
{
    l4_utcb_t *utcb = w->utcb;
    (void)tag;
    return list(utcb, region_first_area);
}

static l4_msgtag_t get_info(struct rm_worker *w, l4_msgtag_t tag)
{
    l4_utcb_t *utcb = w->utcb;
    const struct region *r = region_find(&rm_map, utcb->msg.mr[1]);
    l4_umword_t *name = &utcb->msg.mr[1];
    char *to = (char *)name;

    (void)tag;
    if (!r)
        return answer(-L4_ENOENT, 0);
    utcb->msg.mr[0] = r->offset;
    for (unsigned i = 0; i < NAME_WORDS; i++)
        name[i] = 0;
    for (unsigned i = 0; r->name && r->name[i] && i < NAME_WORDS * sizeof(*name) - 1; i++)
        to[i] = r->name[i];
    return answer(0, 1 + NAME_WORDS);
}

static l4_msgtag_t show_lists(struct rm_worker *w, l4_msgtag_t tag)
{
    (void)w;
    (void)tag;
    rm_show_lists();
    return answer(0, 0);
}

/* ---------------------------------------------------------------- the fault handler */

/* A capability of our own: the program's slot may hold something else some day. With the lock.
 * -L4_ENOENT: there is nothing in that slot. */
static long own_copy(l4_utcb_t *utcb, l4_cap_idx_t *cap)
{
    l4_cap_idx_t from = *cap;
    unsigned slot;
    long err;

    if (rm_slot_is_ours(from))
        return 0;
    if (rm_slot_new(&slot))
        return -L4_ENOMEM;
    *cap = rm_slot_cap(slot);
    err = l4_error_u(l4_task_map_u(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP,
                                   l4_obj_fpage(from, 0, L4_CAP_FPAGE_RWS),
                                   l4_map_obj_control(*cap, 0), utcb),
                     utcb);
    if (err >= 0 && !l4_error_u(l4_task_cap_valid_u(L4_BASE_TASK_CAP, *cap, utcb), utcb))
        err = -L4_ENOENT;
    if (err < 0)
        rm_slot_unref(utcb, *cap);
    return err < 0 ? err : 0;
}

/* Without an item there is none any more. */
static l4_msgtag_t set_handler(struct rm_worker *w, l4_msgtag_t tag)
{
    l4_cap_idx_t handler = L4_INVALID_CAP;
    long err = 0;

    if (l4_msgtag_items(tag))
        err = request_cap(w, tag, &handler);
    if (err)
        return answer(err, 0);
    rm_lock();
    if (l4_is_valid_cap(handler))
        err = own_copy(w->utcb, &handler);
    tag = err ? answer(err, 0) : rm_set_handler(w, handler);
    rm_unlock();
    return tag;
}

static l4_msgtag_t get_faults(struct rm_worker *w, l4_msgtag_t tag)
{
    (void)tag;
    return rm_get_faults(w->utcb);
}

static l4_msgtag_t answer_fault(struct rm_worker *w, l4_msgtag_t tag)
{
    (void)tag;
    return rm_answer_fault(w->utcb);
}

/* ---------------------------------------------------------------- foreign system calls */

static l4_msgtag_t set_foreign(struct rm_worker *w, l4_msgtag_t tag)
{
    l4_utcb_t *utcb = w->utcb;
    (void)tag;
    if (utcb->msg.mr[1] >= L4_USER_END || utcb->msg.mr[2] >= L4_USER_END)
        return answer(-L4_EINVAL, 0);
    rm_foreign = (struct foreign){utcb->msg.mr[1], utcb->msg.mr[2]};
    return answer(0, 0);
}

/* ---------------------------------------------------------------- messages */

/* With the words that each needs, the opcode among them. */
static const struct {
    l4_msgtag_t (*serve)(struct rm_worker *w, l4_msgtag_t tag);
    unsigned char words;
    bool waits; /* takes the lock itself */
} operations[] = {
    [L4RE_RM_ATTACH_OP] = {attach, 6, true},
    [L4RE_RM_DETACH_OP] = {detach, 4, true},
    [L4RE_RM_FIND_OP] = {find, 3, false},
    [L4RE_RM_RESERVE_AREA_OP] = {reserve_area, 5, false},
    [L4RE_RM_FREE_AREA_OP] = {free_area, 2, false},
    [L4RE_RM_GET_REGIONS_OP] = {get_regions, 2, false},
    [L4RE_RM_GET_AREAS_OP] = {get_areas, 2, false},
    [L4RE_RM_GET_INFO_OP] = {get_info, 2, false},
    [L4RE_RM_SHOW_LISTS_OP] = {show_lists, 1, false},
    [L4RE_RM_SET_HANDLER_OP] = {set_handler, 1, true},
    [L4RE_RM_GET_FAULTS_OP] = {get_faults, 2, false},
    [L4RE_RM_ANSWER_FAULT_OP] = {answer_fault, 3, false},
    [L4RE_RM_SET_FOREIGN_OP] = {set_foreign, 3, false},
    [L4RE_RM_NO_FAULT_OP] = {rm_section, 3, false},
};

l4_msgtag_t rm_serve(struct rm_worker *w, l4_msgtag_t tag)
{
    unsigned words = l4_msgtag_words(tag);
    l4_umword_t op = w->utcb->msg.mr[0] & 0xffff;

    __atomic_fetch_add(&rm_counts.calls, 1, __ATOMIC_RELAXED);
    if (words < 1)
        return answer(-L4_EMSGTOOSHORT, 0);
    if (op >= sizeof(operations) / sizeof(operations[0]) || !operations[op].serve)
        return answer(-L4_ENOSYS, 0);
    if (words < operations[op].words)
        return answer(-L4_EMSGTOOSHORT, 0);
    if (L4_LIKELY(operations[op].waits)) {
        tag = operations[op].serve(w, tag);
    } else {
        rm_lock();
        tag = operations[op].serve(w, tag);
        rm_unlock();
    }
    rm_memory_refill(w);
    return tag;
}

/* ---------------------------------------------------------------- statistics */

static l4_msgtag_t stats_counts(l4_utcb_t *utcb)
{
    unsigned workers, busy;

    rm_workers_collect(utcb, &workers, &busy);
    utcb->msg.mr[0] = rm_counts.faults;
    utcb->msg.mr[1] = rm_counts.faults - rm_counts.rejected;
    utcb->msg.mr[2] = rm_counts.rejected;
    utcb->msg.mr[3] = rm_map.regions;
    utcb->msg.mr[4] = rm_counts.map_calls;
    utcb->msg.mr[5] = rm_counts.calls;
    utcb->msg.mr[6] = workers;
    utcb->msg.mr[7] = busy;
    utcb->msg.mr[8] = rm_counts.handovers;
    utcb->msg.mr[9] = rm_counts.woken;
    return l4_msgtag(0, L4RE_RM_STATS_NUM, 0, 0);
}

static l4_msgtag_t stats_fault(l4_utcb_t *utcb)
{
    const struct rm_fault *f = rm_fault_first(utcb->msg.mr[1]);

    if (!f)
        return l4_msgtag(-L4_ENOENT, 0, 0, 0);
    utcb->msg.mr[0] = f->addr;
    utcb->msg.mr[1] = f->access;
    utcb->msg.mr[2] = f->ip;
    utcb->msg.mr[3] = f->start;
    utcb->msg.mr[4] = f->end - f->start;
    utcb->msg.mr[5] = f->ds;
    utcb->msg.mr[6] = f->offset;
    utcb->msg.mr[7] = f->label;
    return l4_msgtag(0, 8, 0, 0);
}

l4_msgtag_t rm_stats(struct rm_worker *w, l4_msgtag_t tag)
{
    unsigned words = l4_msgtag_words(tag);
    l4_umword_t op = w->utcb->msg.mr[0] & 0xffff;

    if (words < 1 || (op == L4RE_STATS_LAST_FAULT_OP && words < 2))
        return l4_msgtag(-L4_EMSGTOOSHORT, 0, 0, 0);
    if (op != L4RE_STATS_GET_OP && op != L4RE_STATS_LAST_FAULT_OP)
        return l4_msgtag(-L4_ENOSYS, 0, 0, 0);
    rm_lock();
    tag = op == L4RE_STATS_GET_OP ? stats_counts(w->utcb) : stats_fault(w->utcb);
    rm_unlock();
    return tag;
}
