/*
 * service.c - the region manager's protocol: attach, detach, find, areas, statistics
 *
 * <l4/re/c/rm.h> has the words of each message. An operation reads its request from the message
 * first, and writes its answer last, because serving needs the message for calls of its own.
 */
#include "rm.h"

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
static long request_dataspace(l4_utcb_t *utcb, l4_msgtag_t tag, l4_cap_idx_t *ds)
{
    unsigned words = l4_msgtag_words(tag);
    l4_fpage_t fp;

    if (!l4_msgtag_items(tag) || words + 2 > L4_UTCB_GENERIC_DATA_SIZE)
        return -L4_ENOENT;
    fp.raw = utcb->msg.mr[words + 1];
    switch (utcb->msg.mr[words] & L4_ITEM_RET_MASK) {
    case L4_ITEM_RET_MAPPED:
        return rm_slot_keep(utcb, ds);
    case L4_ITEM_RET_FPAGE:
        if (l4_fpage_type(fp) != L4_FPAGE_OBJ)
            return -L4_EINVAL;
        *ds = l4_fpage_obj(fp);
        return rm_slot_ref(*ds) ? 0 : -L4_ENOENT;
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
    tag = l4_ipc_call(ds, utcb, l4_msgtag(L4RE_PROTO_DATASPACE, 1, 0, 0), L4_IPC_NEVER);
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

/* ---------------------------------------------------------------- attach */

static long map_all(l4_utcb_t *utcb, const struct region *r)
{
    l4_addr_t at = r->start;
    long err = 0;

    while (!err && at < r->end)
        err = rm_map_page(utcb, r, at, r->flags & L4RE_RM_F_RWX, &at);
    return err;
}

/* Take the region out again, with what has been mapped of it. */
static void undo_attach(l4_utcb_t *utcb, struct region *r)
{
    struct region *dead;

    if (region_detach(&rm_map, r->start, r->end - r->start, L4RE_RM_DETACH_EXACT, &dead) < 0)
        return;
    if (!unmap(utcb, dead->start, dead->end))
        region_reap(&rm_map, dead);
}

static long attach_place(l4_utcb_t *utcb, struct region_request *q, struct region **r)
{
    long err = 0;

    if (!(q->flags & L4RE_RM_F_RESERVED))
        err = check_rights(utcb, q->ds, q->flags);
    if (!err)
        err = region_attach(&rm_map, q, r);
    if (L4_LIKELY(err || !(q->flags & L4RE_RM_F_EAGER_MAP) || (*r)->kind != REGION_DATASPACE))
        return err;
    err = map_all(utcb, *r);
    if (err)
        undo_attach(utcb, *r);
    return err;
}

static l4_msgtag_t attach(l4_utcb_t *utcb, l4_msgtag_t tag)
{
    struct region_request q = {
        .start = utcb->msg.mr[1],
        .size = utcb->msg.mr[2],
        .flags = utcb->msg.mr[3],
        .offset = utcb->msg.mr[4],
        .align = utcb->msg.mr[5] > 63 ? 63 : (unsigned)utcb->msg.mr[5],
        .ds = L4_INVALID_CAP,
    };
    struct region *r;
    long err = 0;

    if (q.flags & L4RE_RM_F_KERNEL)
        return answer(-L4_EINVAL, 0);
    if ((q.flags & (L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_IN_AREA)) == L4RE_RM_F_SEARCH_ADDR &&
        q.start < L4_PAGESIZE)
        q.start = QUIRE_ATTACH_MIN;
    if (!(q.flags & L4RE_RM_F_RESERVED))
        err = request_dataspace(utcb, tag, &q.ds);
    else if (l4_msgtag_items(tag))
        rm_slot_drop(utcb);
    if (err)
        return answer(err, 0);
    err = attach_place(utcb, &q, &r);
    if (err) {
        rm_slot_unref(utcb, q.ds);
        return answer(err, 0);
    }
    utcb->msg.mr[0] = r->start;
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

static l4_msgtag_t detach(l4_utcb_t *utcb, l4_msgtag_t tag)
{
    l4_umword_t flags = utcb->msg.mr[3];
    struct region *dead;
    int result = region_detach(&rm_map, utcb->msg.mr[1], utcb->msg.mr[2],
                               flags & ~(l4_umword_t)L4RE_RM_DETACH_NO_UNMAP, &dead);
    l4_addr_t start, size;
    bool free_it;
    l4_cap_idx_t ds;
    long err;

    (void)tag;
    if (result < 0)
        return answer(result, 0);
    start = dead->start;
    size = dead->end - start;
    /* The region is dead: from here on faults find nothing, so nothing comes back. */
    if (!(flags & L4RE_RM_DETACH_NO_UNMAP)) {
        err = unmap(utcb, start, dead->end);
        if (err)
            return answer(err, 0); /* the addresses stay taken: there may be pages of it */
    }
    ds = dead->ds;
    free_it = (dead->flags & L4RE_RM_F_DETACH_FREE) && !(flags & L4RE_RM_DETACH_KEEP);
    region_reap(&rm_map, dead);
    if ((result & L4RE_RM_DETACH_RESULT_MASK) == L4RE_RM_SPLIT_DS)
        rm_slot_ref(ds);
    if ((result & L4RE_RM_DETACH_RESULT_MASK) == L4RE_RM_DETACHED_DS && ds != L4_INVALID_CAP)
        ds = dataspace_leaves(utcb, ds, free_it);
    utcb->msg.mr[0] = start;
    utcb->msg.mr[1] = size;
    utcb->msg.mr[2] = ds;
    return answer(result, 3);
}

/* ---------------------------------------------------------------- find, areas, lists */

/* MR3 may be missing. */
static l4_msgtag_t find(l4_utcb_t *utcb, l4_msgtag_t tag)
{
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

static l4_msgtag_t reserve_area(l4_utcb_t *utcb, l4_msgtag_t tag)
{
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

static l4_msgtag_t free_area(l4_utcb_t *utcb, l4_msgtag_t tag)
{
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

static l4_msgtag_t get_regions(l4_utcb_t *utcb, l4_msgtag_t tag)
{
    (void)tag;
    return list(utcb, region_first);
}

static l4_msgtag_t get_areas(l4_utcb_t *utcb, l4_msgtag_t tag)
{
    (void)tag;
    return list(utcb, region_first_area);
}

static l4_msgtag_t get_info(l4_utcb_t *utcb, l4_msgtag_t tag)
{
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

static void show_list(const char *what, lister *first)
{
    const struct region *r = first(&rm_map, 0, L4_USER_END);

    for (; r; r = first(&rm_map, r->end, L4_USER_END))
        rm_log("  %s 0x%012lx-0x%012lx flags 0x%03lx ds 0x%lx offset 0x%lx %.23s", what, r->start,
               r->end - 1, r->flags, r->ds, r->offset, r->name ? r->name : "");
}

static l4_msgtag_t show_lists(l4_utcb_t *utcb, l4_msgtag_t tag)
{
    (void)utcb;
    (void)tag;
    rm_log("region manager of task %.31s: %u regions, %u areas", rm_env()->task_name,
           rm_map.regions, rm_map.areas);
    show_list("region", region_first);
    show_list("area  ", region_first_area);
    return answer(0, 0);
}

/* ---------------------------------------------------------------- foreign system calls */

static l4_msgtag_t set_foreign(l4_utcb_t *utcb, l4_msgtag_t tag)
{
    (void)tag;
    if (utcb->msg.mr[1] >= L4_USER_END || utcb->msg.mr[2] >= L4_USER_END)
        return answer(-L4_EINVAL, 0);
    rm_foreign = (struct foreign){utcb->msg.mr[1], utcb->msg.mr[2]};
    return answer(0, 0);
}

/* ---------------------------------------------------------------- messages */

/* With the words that each needs, the opcode among them. */
static const struct {
    l4_msgtag_t (*serve)(l4_utcb_t *utcb, l4_msgtag_t tag);
    unsigned words;
} operations[] = {
    [L4RE_RM_ATTACH_OP] = {attach, 6},
    [L4RE_RM_DETACH_OP] = {detach, 4},
    [L4RE_RM_FIND_OP] = {find, 3},
    [L4RE_RM_RESERVE_AREA_OP] = {reserve_area, 5},
    [L4RE_RM_FREE_AREA_OP] = {free_area, 2},
    [L4RE_RM_GET_REGIONS_OP] = {get_regions, 2},
    [L4RE_RM_GET_AREAS_OP] = {get_areas, 2},
    [L4RE_RM_GET_INFO_OP] = {get_info, 2},
    [L4RE_RM_SHOW_LISTS_OP] = {show_lists, 1},
    [L4RE_RM_SET_FOREIGN_OP] = {set_foreign, 3},
};

l4_msgtag_t rm_serve(l4_utcb_t *utcb, l4_msgtag_t tag)
{
    unsigned words = l4_msgtag_words(tag);
    l4_umword_t op = utcb->msg.mr[0] & 0xffff;

    rm_counts.calls++;
    if (words < 1)
        return answer(-L4_EMSGTOOSHORT, 0);
    if (op >= sizeof(operations) / sizeof(operations[0]) || !operations[op].serve)
        return answer(-L4_ENOSYS, 0);
    if (words < operations[op].words)
        return answer(-L4_EMSGTOOSHORT, 0);
    tag = operations[op].serve(utcb, tag);
    rm_memory_refill(utcb);
    return tag;
}

/* ---------------------------------------------------------------- statistics */

static l4_msgtag_t stats_counts(l4_utcb_t *utcb)
{
    utcb->msg.mr[0] = rm_counts.faults;
    utcb->msg.mr[1] = rm_counts.faults - rm_counts.rejected;
    utcb->msg.mr[2] = rm_counts.rejected;
    utcb->msg.mr[3] = rm_map.regions;
    utcb->msg.mr[4] = rm_counts.map_calls;
    utcb->msg.mr[5] = rm_counts.calls;
    return l4_msgtag(0, 6, 0, 0);
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

l4_msgtag_t rm_stats(l4_utcb_t *utcb, l4_msgtag_t tag)
{
    unsigned words = l4_msgtag_words(tag);

    if (words < 1)
        return l4_msgtag(-L4_EMSGTOOSHORT, 0, 0, 0);
    switch (utcb->msg.mr[0] & 0xffff) {
    case L4RE_STATS_GET_OP:
        return stats_counts(utcb);
    case L4RE_STATS_LAST_FAULT_OP:
        return words < 2 ? l4_msgtag(-L4_EMSGTOOSHORT, 0, 0, 0) : stats_fault(utcb);
    default:
        return l4_msgtag(-L4_ENOSYS, 0, 0, 0);
    }
}
