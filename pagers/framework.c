/*
 * framework.c - the protocols of dataspaces, and who may ask for what
 *
 * The table that a manager fills in is in <l4/pager.h>, accounts and gates are in objects.c.
 *
 * Each message is decoded, checked and then handed to a function of the manager's table. The
 * numbers of the errors are part of the interface:
 *
 *     map for writing without the right        -L4_EPERM
 *     clear, copy_in without the right         -L4_EACCESS
 *     range outside the dataspace, size 0      -L4_ERANGE
 *     message too short                        -L4_EMSGTOOSHORT
 *     no item where one is needed              -L4_EMSGMISSARG
 *     no such operation, no such protocol      -L4_ENOSYS, -L4_EBADPROTO
 *
 * Message words are copied before anything else is done: other calls overwrite the UTCB.
 */
#include "request.h"

#include <abi/errors.h>
#include <abi/msg.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/sys/ipc.h>
#include <l4/sys/task.h>
#include <l4/sys/utcb.h>

#include <string.h>

enum { DS_MAP_WORDS = 4 };

/* -------------------------------------------------------------------- answers */

static void answer_words(l4_utcb_t *utcb, const l4_umword_t *words, unsigned n, l4_msgtag_t *reply)
{
    memcpy(utcb->msg.mr, words, n * sizeof(words[0]));
    *reply = l4_msgtag(0, n, 0, 0);
}

static void answer_item(l4_utcb_t *utcb, l4_umword_t send_base, l4_fpage_t fp, l4_msgtag_t *reply)
{
    utcb->msg.mr[0] = send_base | L4_ITEM_MAP;
    utcb->msg.mr[1] = fp.raw;
    *reply = l4_msgtag(0, 0, 1, 0);
}

void answer_gate(l4_utcb_t *utcb, l4_cap_idx_t gate, unsigned rights, l4_msgtag_t *reply)
{
    answer_item(utcb, 0, l4_obj_fpage(gate, 0, rights), reply);
}

/* -------------------------------------------------------------------- ranges and rights */

static void count_map(struct dataspace *ds)
{
    ds->counts.maps++;
    ds->account->counts.maps++;
    ds_totals.maps++;
}

void ds_page_widen(struct ds_page *page, l4_addr_t start, l4_addr_t end)
{
    page->order = l4_fpage_max_order(page->order, page->address, start, end,
                                     page->hot_spot & L4_PAGEMASK);
}

/* -------------------------------------------------------------------- dataspace operations */

/* PF-6: the dataspace manager finds or makes the page and replies with a map item.
 * Nearly all messages are this one, so it is read from where it lies. */
static inline long ds_map(struct dataspace *ds, l4_umword_t rights, l4_utcb_t *utcb,
                          l4_msgtag_t *reply)
{
    l4_umword_t offset = utcb->msg.mr[1] & L4_PAGEMASK;
    unsigned asked = (utcb->msg.mr[3] & L4RE_DS_F_RWX) | L4RE_DS_F_R;
    struct ds_page page = {.order = L4_PAGESHIFT, .hot_spot = utcb->msg.mr[2]};
    long err;

    if ((asked & L4RE_DS_F_W) && !writable(ds, rights))
        return -L4_EPERM;
    if (offset >= pages_size(ds))
        return -L4_ERANGE;
    page.rights = asked & ds->rights;
    if ((err = manager->map(ds, offset, &page)) != 0)
        return err;
    count_map(ds);
    answer_item(utcb, page.hot_spot & L4_PAGEMASK,
                l4_fpage(page.address, page.order, page.rights), reply);
    return 0;
}

static long ds_clear(struct dataspace *ds, const struct request *r)
{
    long err;

    if (!writable(ds, r->rights))
        return -L4_EACCESS;
    if ((err = range_check(ds, r->w[1], r->w[2])) != 0)
        return err;
    return manager->clear ? manager->clear(ds, r->w[1], r->w[2]) : -L4_ENOSYS;
}

static long ds_allocate(struct dataspace *ds, const struct request *r)
{
    long err;

    if ((err = range_check(ds, r->w[1], r->w[2])) != 0)
        return err;
    return manager->allocate ? manager->allocate(ds, r->w[1], r->w[2]) : 0;
}

/* Each attach asks. */
static inline long ds_info(struct dataspace *ds, l4_umword_t rights, l4_utcb_t *utcb,
                           l4_msgtag_t *reply)
{
    l4_umword_t size = ds->size;
    unsigned allowed = ds->rights;

    if (manager->info)
        manager->info(ds, &size, &allowed);
    utcb->msg.mr[0] = size;
    utcb->msg.mr[1] = writable(ds, rights) ? allowed : allowed & ~(unsigned)L4RE_DS_F_W;
    *reply = l4_msgtag(0, 2, 0, 0);
    return 0;
}

static long ds_release(struct dataspace *ds, const struct request *r)
{
    if (!writable(ds, r->rights))
        return -L4_EACCESS;
    in_use[0] = NULL;
    dataspace_release(ds);
    return 0;
}

/* -------------------------------------------------------------------- statistics */

static void stats_fill(l4_umword_t *w, const struct ds_counts *c, l4_umword_t used,
                       l4_umword_t quota, l4_umword_t dataspaces)
{
    w[L4RE_DS_STATS_MAPS] = c->maps;
    w[L4RE_DS_STATS_FRAMES] = c->frames;
    w[L4RE_DS_STATS_FILLED] = c->filled;
    w[L4RE_DS_STATS_USED] = used;
    w[L4RE_DS_STATS_SIGMA0_REQUESTS] = 0;
    w[L4RE_DS_STATS_SOURCE_MAPS] = c->source_maps;
    w[L4RE_DS_STATS_INDEX_FRAMES] = c->index_frames;
    w[L4RE_DS_STATS_QUOTA] = quota;
    w[L4RE_DS_STATS_DATASPACES] = dataspaces;
    w[L4RE_DS_STATS_RESERVE] = c->reserve;
}

static void stats_totals(l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    l4_umword_t words[L4RE_DS_STATS_NUM] = {0};

    manager_gc();
    stats_fill(words, &ds_totals, accounts_used(), accounts_quota(), dataspaces_open());
    if (manager->totals)
        manager->totals(words);
    answer_words(utcb, words, L4RE_DS_STATS_NUM, reply);
}

static long stats_ds(struct dataspace *ds, const struct request *r, l4_utcb_t *utcb,
                     l4_msgtag_t *reply)
{
    const struct ds_counts *c = &ds->counts;
    l4_umword_t words[L4RE_DS_STATS_EXTRA];
    l4_mword_t frame;

    switch (request_op(r)) {
    case L4RE_STATS_GET_OP:
        stats_fill(words, c, (c->frames + c->index_frames + c->reserve) << L4_PAGESHIFT,
                   ds->account->quota, 1);
        answer_words(utcb, words, L4RE_DS_STATS_EXTRA, reply);
        return 0;
    case L4RE_STATS_FRAME_OP:
        if (r->w[1] >= pages_size(ds))
            return -L4_ERANGE;
        frame = manager->frame ? manager->frame(ds, r->w[1] & L4_PAGEMASK) : -L4_ENOSYS;
        if (frame < 0)
            return frame;
        words[0] = frame;
        answer_words(utcb, words, 1, reply);
        return 0;
    case L4RE_STATS_TOTALS_OP:
        stats_totals(utcb, reply);
        return 0;
    default:
        return -L4_ENOSYS;
    }
}

static long stats_account(struct account *a, const struct request *r, l4_utcb_t *utcb,
                          l4_msgtag_t *reply)
{
    l4_umword_t words[L4RE_DS_STATS_EXTRA];
    unsigned op = request_op(r);

    if (op == L4RE_STATS_TOTALS_OP || (a == &house && op == L4RE_STATS_GET_OP)) {
        stats_totals(utcb, reply);
        return 0;
    }
    if (op != L4RE_STATS_GET_OP)
        return -L4_ENOSYS;
    manager_gc();
    stats_fill(words, &a->counts, a->used, a->quota, a->dataspaces);
    answer_words(utcb, words, L4RE_DS_STATS_EXTRA, reply);
    return 0;
}

/* -------------------------------------------------------------------- the dataspace gate */

/* What ds_map() and ds_info() are not for. */
static long dataspace_op(struct dataspace *ds, const struct request *r, l4_utcb_t *utcb,
                         l4_msgtag_t *reply)
{
    static const unsigned char words_needed[] = {
        [L4RE_DS_MAP_OP] = DS_MAP_WORDS,
        [L4RE_DS_CLEAR_OP] = 3,
        [L4RE_DS_INFO_OP] = 1,
        [L4RE_DS_COPY_IN_OP] = 4,
        [L4RE_DS_ALLOCATE_OP] = 3,
        [L4RE_DS_RELEASE_OP] = 1,
    };
    unsigned op = request_op(r);

    if (l4_msgtag_words(r->tag) == 0)
        return -L4_EMSGTOOSHORT;
    if (op >= sizeof(words_needed))
        return -L4_ENOSYS;
    if (l4_msgtag_words(r->tag) < words_needed[op])
        return -L4_EMSGTOOSHORT;
    switch (op) {
    case L4RE_DS_CLEAR_OP:
        return ds_clear(ds, r);
    case L4RE_DS_COPY_IN_OP:
        return ds_copy_in(ds, r, utcb, reply);
    case L4RE_DS_ALLOCATE_OP:
        return ds_allocate(ds, r);
    default:
        return ds_release(ds, r);
    }
}

static __attribute__((noinline)) long dataspace_request(struct dataspace *ds, l4_umword_t rights,
                                                        l4_msgtag_t tag, l4_utcb_t *utcb,
                                                        l4_msgtag_t *reply)
{
    struct request r;

    request_read(&r, rights, tag, utcb);
    switch (l4_msgtag_label(tag)) {
    case L4RE_PROTO_DATASPACE:
        return dataspace_op(ds, &r, utcb, reply);
    case L4RE_PROTO_STATS:
        return stats_ds(ds, &r, utcb, reply);
    default:
        return -L4_EBADPROTO;
    }
}

long dataspace_dispatch(struct l4_server_object *self, l4_umword_t rights, l4_msgtag_t tag,
                        l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    struct dataspace *ds = (struct dataspace *)self;
    unsigned words = l4_msgtag_words(tag), op = utcb->msg.mr[0] & 0xffff;

    in_use[0] = ds;
    if (L4_LIKELY(l4_msgtag_label(tag) == L4RE_PROTO_DATASPACE)) {
        if (L4_LIKELY(op == L4RE_DS_MAP_OP && words >= DS_MAP_WORDS))
            return ds_map(ds, rights, utcb, reply);
        if (op == L4RE_DS_INFO_OP && words > 0)
            return ds_info(ds, rights, utcb, reply);
    }
    return dataspace_request(ds, rights, tag, utcb, reply);
}

/* -------------------------------------------------------------------- the account gate */

/* Words of a factory message: protocol, then (type | length << 16, value) for each argument. */
static long factory_argument(const struct request *r, unsigned i, l4_umword_t *value)
{
    if (l4_msgtag_words(r->tag) < 3 + 2 * i)
        return -L4_EMSGTOOSHORT;
    if ((r->w[1 + 2 * i] & 0xff & ~(l4_umword_t)L4_VARG_TYPE_SIGN) != L4_VARG_TYPE_UMWORD)
        return -L4_EINVAL;
    *value = r->w[2 + 2 * i];
    return 0;
}

static long create_dataspace(struct account *a, const struct request *r, l4_utcb_t *utcb,
                             l4_msgtag_t *reply)
{
    struct ds_request what = {.align = L4_PAGESHIFT};
    struct dataspace *ds;
    l4_umword_t align = 0;
    long err;

    if ((err = factory_argument(r, 0, &what.size)) != 0)
        return err;
    factory_argument(r, 1, &what.flags);
    factory_argument(r, 2, &align);
    if (what.size == 0 || what.size > L4_USER_END) /* a negative size too */
        return -L4_ERANGE;
    if (align > L4_PAGESHIFT && align < L4_WHOLE_ADDRESS_SPACE)
        what.align = align;
    if ((err = dataspace_new(a, &what, dataspace_dispatch, &ds)) != 0)
        return err;
    answer_gate(utcb, ds->gate, manager->gate_rights, reply);
    return 0;
}

static long account_op(struct account *a, const struct request *r, l4_utcb_t *utcb,
                       l4_msgtag_t *reply)
{
    switch (request_op(r)) {
    case L4RE_MA_RELEASE_OP:
        if (!(r->rights & L4_CAP_FPAGE_W))
            return -L4_EACCESS;
        account_release(a);
        return 0;
    case L4RE_MA_SNAPSHOT_OP:
        if (l4_msgtag_words(r->tag) < 2)
            return -L4_EMSGTOOSHORT;
        return account_snapshot(a, r, utcb, reply);
    default:
        return -L4_ENOSYS;
    }
}

static long account_dispatch(struct l4_server_object *self, l4_umword_t rights, l4_msgtag_t tag,
                             l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    struct account *a = (struct account *)self;
    struct request r;

    in_use[0] = NULL;
    request_read(&r, rights, tag, utcb);
    if (l4_msgtag_words(tag) == 0)
        return -L4_EMSGTOOSHORT;
    switch (l4_msgtag_label(tag)) {
    case L4_PROTO_FACTORY:
        if ((l4_mword_t)r.w[0] != L4RE_PROTO_DATASPACE)
            return -L4_ENODEV;
        return create_dataspace(a, &r, utcb, reply);
    case L4RE_PROTO_MEM_ALLOC:
        return account_op(a, &r, utcb, reply);
    case L4RE_PROTO_STATS:
        return stats_account(a, &r, utcb, reply);
    default:
        return -L4_EBADPROTO;
    }
}

/* -------------------------------------------------------------------- the manager gate */

static long create_account(const struct request *r, l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    l4_umword_t quota;
    struct account *a;
    long err;

    if ((l4_mword_t)r->w[0] != L4RE_PROTO_MEM_ALLOC)
        return -L4_ENODEV;
    if ((err = factory_argument(r, 0, &quota)) != 0)
        return err;
    if ((err = account_new(quota, account_dispatch, &a)) != 0)
        return err;
    answer_gate(utcb, a->gate, L4_CAP_FPAGE_RWSD, reply);
    return 0;
}

/* What is opened at the manager gate may outlive us: then the client gets the gate by grant. */
static void answer_opened(l4_utcb_t *utcb, const struct dataspace *ds, l4_msgtag_t *reply)
{
    answer_gate(utcb, ds->lasting ? passed_gate : ds->gate, manager->gate_rights, reply);
    if (ds->lasting)
        utcb->msg.mr[0] |= L4_MAP_ITEM_GRANT;
}

/* As at an account, with an address as fourth argument. */
static long open_by_size(const struct request *r, l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    struct ds_request what = {.align = L4_PAGESHIFT, .at_manager = true};
    struct dataspace *ds;
    l4_umword_t align = 0;
    long err;

    if ((err = factory_argument(r, 0, &what.size)) != 0)
        return err;
    factory_argument(r, 1, &what.flags);
    factory_argument(r, 2, &align);
    factory_argument(r, 3, &what.address);
    if (what.size == 0 || what.size > L4_USER_END || what.address > L4_USER_END - what.size)
        return -L4_ERANGE;
    if (align > L4_PAGESHIFT && align < L4_WHOLE_ADDRESS_SPACE)
        what.align = align;
    if ((err = dataspace_new(&house, &what, dataspace_dispatch, &ds)) == 0)
        answer_opened(utcb, ds, reply);
    return err;
}

static long open_by_name(const struct request *r, l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    char name[DATASPACE_NAME_MAX];
    struct ds_request what = {.name = name, .align = L4_PAGESHIFT};
    struct dataspace *ds;
    l4_umword_t length = r->w[1];
    long err;

    if (request_op(r) != L4RE_NS_QUERY_OP)
        return -L4_ENOSYS;
    if (l4_msgtag_words(r->tag) < 2)
        return -L4_EMSGTOOSHORT;
    if (length >= sizeof(name))
        return -L4_ENAMETOOLONG;
    if (length > (l4_msgtag_words(r->tag) - 2) * sizeof(l4_umword_t))
        return -L4_EMSGTOOSHORT;
    memcpy(name, &utcb->msg.mr[2], length);
    name[length] = '\0';
    if ((err = dataspace_new(&house, &what, dataspace_dispatch, &ds)) == 0)
        answer_opened(utcb, ds, reply);
    return err;
}

static long manager_dispatch(struct l4_server_object *self, l4_umword_t rights, l4_msgtag_t tag,
                             l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    struct request r;

    (void)self;
    in_use[0] = NULL;
    request_read(&r, rights, tag, utcb);
    if (l4_msgtag_words(tag) == 0)
        return -L4_EMSGTOOSHORT;
    switch (l4_msgtag_label(tag)) {
    case L4_PROTO_FACTORY:
        return (l4_mword_t)r.w[0] == L4RE_PROTO_DATASPACE && manager->at_manager
                   ? open_by_size(&r, utcb, reply) : create_account(&r, utcb, reply);
    case L4RE_PROTO_NAMESPACE:
        return open_by_name(&r, utcb, reply);
    case L4RE_PROTO_STATS:
        return stats_account(&house, &r, utcb, reply);
    default:
        return -L4_EBADPROTO;
    }
}

int manager_run(const struct manager *m)
{
    struct l4_server_object gate = {.dispatch = manager_dispatch};
    struct l4_server_opts opts = {.main = &gate, .slots = &received_cap, .slot_count = 1};

    objects_init(m);
    received_cap = l4re_util_cap_alloc() | L4_RCV_ITEM_LOCAL_ID;
    dataspaces_restore(dataspace_dispatch);
    l4_server_loop(l4_utcb(), &opts);
}
