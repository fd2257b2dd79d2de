/*
 * service.c - the region manager's protocol: attach, detach, find, areas, statistics
 *
 * <l4/re/c/rm.h> has the words of each message. A request is read from the UTCB at once, served,
 * and the answer written at the end, because serving needs the UTCB for calls of its own.
 */
#include "rm.h"

#include <l4/re/c/rm.h>
#include <l4/sys/task.h>
#include <l4/sys/utcb.h>

enum { ANSWER_WORDS_MAX = 62, REGION_WORDS = 3, UNMAP_BATCH = 32, NAME_WORDS = 3 };

struct request {
    l4_umword_t w[6]; /* zero where the message was shorter */
    unsigned words;
    unsigned items;
    l4_umword_t item[2]; /* the first one, as the kernel returned it */
};

struct answer {
    unsigned words;
    bool with_cap; /* w[4] follows as an item too */
    l4_umword_t w[ANSWER_WORDS_MAX];
};

/* ---------------------------------------------------------------- the dataspace of an attach */

/* The capability that came along: the program's own (same task, so its index is as good for us), or
 * a new one in our slot. */
static long request_dataspace(const struct request *q, l4_cap_idx_t *ds)
{
    l4_fpage_t fp = {.raw = q->item[1]};

    if (!q->items)
        return -L4_ENOENT;
    switch (q->item[0] & L4_ITEM_RET_MASK) {
    case L4_ITEM_RET_MAPPED:
        return rm_slot_keep(ds);
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
    utcb->buf.bdr = 0;
    utcb->buf.br[0] = 0;
    tag = l4_ipc_call(ds, utcb, l4_msgtag(L4RE_PROTO_DATASPACE, 1, 0, 0), L4_IPC_NEVER);
    err = l4_error_u(tag, utcb);
    if (err == -L4_ENOSYS || err == -L4_EBADPROTO)
        return 0;
    if (err <= -L4_EIPC_LO)
        return -L4_ENOENT;
    if (err < 0)
        return err;
    return flags & L4RE_RM_F_RWX & ~utcb->msg.mr[1] ? -L4_EPERM : 0;
}

/* ---------------------------------------------------------------- unmapping */

/* Order of the largest flexpage at `addr` that ends at or before `end`. */
static unsigned flexpage_order(l4_addr_t addr, l4_addr_t end)
{
    unsigned room = 63 - (unsigned)__builtin_clzl(end - addr);
    unsigned aligned = addr ? (unsigned)__builtin_ctzl(addr) : 63;

    return room < aligned ? room : aligned;
}

/* Nothing is mapped in [start, end) afterwards, nor anywhere else from there. */
static long unmap(l4_utcb_t *utcb, l4_addr_t start, l4_addr_t end)
{
    l4_fpage_t fp[UNMAP_BATCH];
    long err = 0;

    while (start < end && err >= 0) {
        unsigned n = 0;

        for (; start < end && n < UNMAP_BATCH; n++) {
            unsigned order = flexpage_order(start, end);

            fp[n] = l4_fpage(start, order, L4_FPAGE_RWX);
            start += 1UL << order;
        }
        err = l4_error_u(l4_task_unmap_batch_u(L4_BASE_TASK_CAP, fp, n, L4_FP_ALL_SPACES, utcb),
                         utcb);
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

static long attach_place(l4_utcb_t *utcb, const struct region_request *q, struct answer *a)
{
    struct region *r;
    long err;

    if (!(q->flags & L4RE_RM_F_RESERVED)) {
        err = check_rights(utcb, q->ds, q->flags);
        if (err)
            return err;
    }
    err = region_attach(&rm_map, q, &r);
    if (err)
        return err;
    if ((q->flags & L4RE_RM_F_EAGER_MAP) && r->kind == REGION_DATASPACE) {
        err = map_all(utcb, r);
        if (err) {
            undo_attach(utcb, r);
            return err;
        }
    }
    a->words = 1;
    a->w[0] = r->start;
    return 0;
}

static long attach(l4_utcb_t *utcb, const struct request *m, struct answer *a)
{
    struct region_request q = {
        .start = m->w[1],
        .size = m->w[2],
        .flags = m->w[3],
        .offset = m->w[4],
        .align = m->w[5] > 63 ? 63 : (unsigned)m->w[5],
        .ds = L4_INVALID_CAP,
    };
    long err;

    if (q.flags & L4RE_RM_F_KERNEL)
        return -L4_EINVAL;
    if ((q.flags & (L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_IN_AREA)) == L4RE_RM_F_SEARCH_ADDR &&
        q.start < L4_PAGESIZE)
        q.start = QUIRE_ATTACH_MIN;
    if (!(q.flags & L4RE_RM_F_RESERVED)) {
        err = request_dataspace(m, &q.ds);
        if (err)
            return err;
    } else if (m->items) {
        rm_slot_drop(utcb);
    }
    err = attach_place(utcb, &q, a);
    if (err)
        rm_slot_unref(utcb, q.ds);
    return err;
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

static long detach(l4_utcb_t *utcb, const struct request *m, struct answer *a)
{
    l4_umword_t flags = m->w[3];
    struct region *dead;
    int result = region_detach(&rm_map, m->w[1], m->w[2],
                               flags & ~(l4_umword_t)L4RE_RM_DETACH_NO_UNMAP, &dead);
    bool free_it;
    l4_cap_idx_t ds;
    long err;

    if (result < 0)
        return result;
    /* The region is dead: from here on faults find nothing, so nothing comes back. */
    if (!(flags & L4RE_RM_DETACH_NO_UNMAP)) {
        err = unmap(utcb, dead->start, dead->end);
        if (err)
            return err; /* the addresses stay taken: there may be pages of the old region */
    }
    ds = dead->ds;
    free_it = (dead->flags & L4RE_RM_F_DETACH_FREE) && !(flags & L4RE_RM_DETACH_KEEP);
    a->words = 3;
    a->w[0] = dead->start;
    a->w[1] = dead->end - dead->start;
    region_reap(&rm_map, dead);
    if ((result & L4RE_RM_DETACH_RESULT_MASK) == L4RE_RM_SPLIT_DS)
        rm_slot_ref(ds);
    if ((result & L4RE_RM_DETACH_RESULT_MASK) == L4RE_RM_DETACHED_DS && ds != L4_INVALID_CAP)
        ds = dataspace_leaves(utcb, ds, free_it);
    a->w[2] = ds;
    return result;
}

/* ---------------------------------------------------------------- find, areas, lists */

static long find(const struct request *m, struct answer *a)
{
    l4_addr_t start = m->w[1] & L4_PAGEMASK;
    l4_addr_t end = m->w[1] + (m->w[2] ? m->w[2] : 1);
    const struct region *r;
    l4_umword_t area_flag = 0;

    if (end < start)
        return -L4_EINVAL;
    r = region_first(&rm_map, start, end);
    if (!r) {
        r = region_first_area(&rm_map, start, end);
        area_flag = L4RE_RM_F_IN_AREA;
    }
    if (!r)
        return -L4_ENOENT;
    a->words = 5;
    a->w[0] = r->start;
    a->w[1] = r->end - r->start;
    a->w[2] = r->offset;
    a->w[3] = r->flags | area_flag;
    a->w[4] = r->ds;
    a->with_cap = (m->w[3] & L4RE_RM_FIND_CAP) && r->kind == REGION_DATASPACE;
    return 0;
}

static long reserve_area(const struct request *m, struct answer *a)
{
    struct region_request q = {
        .start = m->w[1],
        .size = m->w[2],
        .flags = m->w[3],
        .align = m->w[4] > 63 ? 63 : (unsigned)m->w[4],
    };
    struct region *area;
    long err;

    if (q.flags & L4RE_RM_F_KERNEL)
        return -L4_EINVAL;
    if ((q.flags & L4RE_RM_F_SEARCH_ADDR) && q.start < L4_PAGESIZE)
        q.start = QUIRE_ATTACH_MIN;
    err = region_reserve_area(&rm_map, &q, &area);
    if (err)
        return err;
    a->words = 1;
    a->w[0] = area->start;
    return 0;
}

typedef struct region *lister(const struct region_map *map, l4_addr_t start, l4_addr_t end);

static long list(const struct request *m, struct answer *a, lister *first)
{
    l4_addr_t at = m->w[1];
    unsigned n = 0;

    while (1 + (n + 1) * REGION_WORDS <= ANSWER_WORDS_MAX) {
        const struct region *r = first(&rm_map, at, L4_USER_END);

        if (!r)
            break;
        a->w[1 + n * REGION_WORDS] = r->start;
        a->w[2 + n * REGION_WORDS] = r->end - r->start;
        a->w[3 + n * REGION_WORDS] = r->flags;
        at = r->end;
        n++;
    }
    a->w[0] = n;
    a->words = 1 + n * REGION_WORDS;
    return 0;
}

static long get_info(const struct request *m, struct answer *a)
{
    const struct region *r = region_find(&rm_map, m->w[1]);
    char *to = (char *)&a->w[1];

    if (!r)
        return -L4_ENOENT;
    a->words = 1 + NAME_WORDS;
    a->w[0] = r->offset;
    for (unsigned i = 0; i < NAME_WORDS; i++)
        a->w[1 + i] = 0;
    for (unsigned i = 0; r->name && r->name[i] && i < NAME_WORDS * sizeof(a->w[0]) - 1; i++)
        to[i] = r->name[i];
    return 0;
}

static void show_list(const char *what, lister *first)
{
    const struct region *r = first(&rm_map, 0, L4_USER_END);

    for (; r; r = first(&rm_map, r->end, L4_USER_END))
        rm_log("  %s 0x%012lx-0x%012lx flags 0x%03lx ds 0x%lx offset 0x%lx %.23s", what, r->start,
               r->end - 1, r->flags, r->ds, r->offset, r->name ? r->name : "");
}

static long show_lists(void)
{
    rm_log("region manager of task %.31s: %u regions, %u areas", rm_env()->task_name,
           rm_map.regions, rm_map.areas);
    show_list("region", region_first);
    show_list("area  ", region_first_area);
    return 0;
}

/* ---------------------------------------------------------------- messages */

static void request_read(const l4_utcb_t *utcb, l4_msgtag_t tag, struct request *q)
{
    q->words = l4_msgtag_words(tag);
    q->items = q->words + 2 <= L4_UTCB_GENERIC_DATA_SIZE ? l4_msgtag_items(tag) : 0;
    for (unsigned i = 0; i < sizeof(q->w) / sizeof(q->w[0]); i++)
        q->w[i] = i < q->words ? utcb->msg.mr[i] : 0;
    q->item[0] = q->items ? utcb->msg.mr[q->words] : 0;
    q->item[1] = q->items ? utcb->msg.mr[q->words + 1] : 0;
}

static l4_msgtag_t answer_write(l4_utcb_t *utcb, long label, const struct answer *a)
{
    l4_fpage_t fp;

    if (label < 0)
        return l4_msgtag(label, 0, 0, 0);
    for (unsigned i = 0; i < a->words; i++)
        utcb->msg.mr[i] = a->w[i];
    if (!a->with_cap)
        return l4_msgtag(label, a->words, 0, 0);
    fp = l4_obj_fpage(a->w[4], 0, L4_CAP_FPAGE_RWS);
    utcb->msg.mr[a->words] = L4_ITEM_MAP;
    utcb->msg.mr[a->words + 1] = fp.raw;
    return l4_msgtag(label, a->words, 1, 0);
}

/* Words each operation needs, the opcode among them. */
static const unsigned char words_needed[] = {
    [L4RE_RM_ATTACH_OP] = 6,      [L4RE_RM_DETACH_OP] = 4,    [L4RE_RM_FIND_OP] = 3,
    [L4RE_RM_RESERVE_AREA_OP] = 5, [L4RE_RM_FREE_AREA_OP] = 2, [L4RE_RM_GET_REGIONS_OP] = 2,
    [L4RE_RM_GET_AREAS_OP] = 2,   [L4RE_RM_GET_INFO_OP] = 2,  [L4RE_RM_SHOW_LISTS_OP] = 1,
};

static long dispatch(l4_utcb_t *utcb, const struct request *q, struct answer *a)
{
    l4_umword_t op = q->w[0] & 0xffff;

    if (q->words < 1)
        return -L4_EMSGTOOSHORT;
    if (op >= sizeof(words_needed))
        return -L4_ENOSYS;
    if (q->words < words_needed[op])
        return -L4_EMSGTOOSHORT;
    switch (op) {
    case L4RE_RM_ATTACH_OP:
        return attach(utcb, q, a);
    case L4RE_RM_DETACH_OP:
        return detach(utcb, q, a);
    case L4RE_RM_FIND_OP:
        return find(q, a);
    case L4RE_RM_RESERVE_AREA_OP:
        return reserve_area(q, a);
    case L4RE_RM_FREE_AREA_OP:
        return region_free_area(&rm_map, q->w[1]);
    case L4RE_RM_GET_REGIONS_OP:
        return list(q, a, region_first);
    case L4RE_RM_GET_AREAS_OP:
        return list(q, a, region_first_area);
    case L4RE_RM_GET_INFO_OP:
        return get_info(q, a);
    default:
        return show_lists();
    }
}

l4_msgtag_t rm_serve(l4_utcb_t *utcb, l4_msgtag_t tag)
{
    struct request q;
    struct answer a;
    long label;

    a.words = 0;
    a.with_cap = false;
    rm_counts.calls++;
    request_read(utcb, tag, &q);
    label = dispatch(utcb, &q, &a);
    rm_memory_refill(utcb);
    return answer_write(utcb, label, &a);
}

/* ---------------------------------------------------------------- statistics */

static l4_msgtag_t stats_counts(l4_utcb_t *utcb)
{
    utcb->msg.mr[0] = rm_counts.faults;
    utcb->msg.mr[1] = rm_counts.resolved;
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
