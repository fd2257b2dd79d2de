/*
 * managed.c - region maps as dataspaces: parts of other dataspaces, put together
 *
 *   manager gate   FACTORY create(MEM_ALLOC, maps), owner -> account gate
 *   either         FACTORY create(RM, size), owner -> control gate of a new map
 *                  STATS                              what is used
 *   control gate   RM attach, detach, set_handler, get_faults, answer_fault, dataspace
 *                                                  -> dataspace gate, for whoever may see the map
 *   dataspace gate map, info                       managed_fault.c
 *
 * The words of attach and the others are those of a region manager (l4/re/c/rm.h), so the same
 * functions call both; addresses are offsets in the map. A map ends when its control gate is
 * deleted, or with its owner: any object that goes when the program does. The invariants are in
 * managed.h.
 */
#include "managed.h"

#include <abi/env.h>
#include <abi/errors.h>
#include <abi/msg.h>
#include <abi/protocols.h>
#include <abi/stats.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/factory.h>
#include <l4/sys/semaphore.h>
#include <l4/sys/task.h>
#include <l4/util/thread.h>

#include <string.h>

#define MAP_UTCBS 0x90000000UL /* above our image, below RAM that nobody maps here */

struct map maps[MAPS_MAX];
struct lock maps_lock;

static char stacks[MAPS_MAX][MAP_STACK] __attribute__((aligned(16)));
static struct region nodes[MAP_NODES];
static struct region *free_nodes; /* linked through parent */
static l4_cap_idx_t received;     /* where the next capability lands */
static struct {
    l4_cap_idx_t cap;
    unsigned regions; /* that refer to it; 0: free */
    struct map_account *account;
} slots[MAP_SLOTS];
static struct map_account accounts[MAPS_MAX] = {{.quota = MAPS_MAX}};
static struct map_account *const house = accounts;

/* -------------------------------------------------------------------- capabilities attached */

static void cap_drop(l4_cap_idx_t *cap)
{
    if (!(*cap & L4_INVALID_CAP_BIT)) {
        l4_task_release_cap(L4_BASE_TASK_CAP, *cap);
        l4re_util_cap_free(*cap);
    }
    *cap = L4_INVALID_CAP;
}

static unsigned slot_of(l4_cap_idx_t cap)
{
    unsigned i = 0;

    while (i < MAP_SLOTS && (slots[i].regions == 0 || slots[i].cap != cap))
        i++;
    return i;
}

/* `n` regions more, or less, refer to it. */
static void slot_count(l4_cap_idx_t cap, int n)
{
    unsigned i = slot_of(cap);

    if (i == MAP_SLOTS)
        return;
    slots[i].regions += (unsigned)n;
    if (slots[i].regions > 0)
        return;
    slots[i].account->slots--;
    cap_drop(&cap);
}

/* The capability that came with the message is kept; another slot is for the next one. If there is
 * none, whatever comes next replaces it. */
static long cap_keep(l4_cap_idx_t *cap)
{
    l4_cap_idx_t next = l4re_util_cap_alloc();

    if (next & L4_INVALID_CAP_BIT)
        return -L4_ENOMEM;
    *cap = received & L4_CAP_MASK;
    received = next | L4_RCV_ITEM_LOCAL_ID;
    return 0;
}

static long slot_keep(struct map_account *a, l4_cap_idx_t *cap)
{
    unsigned i = 0;

    if (a->slots == a->quota * SLOTS_OF_MAP || cap_keep(cap) != 0)
        return -L4_ENOMEM;
    while (slots[i].regions) /* G5: there is one */
        i++;
    a->slots++;
    slots[i].account = a;
    slots[i].cap = *cap;
    slots[i].regions = 1;
    return 0;
}

/* -------------------------------------------------------------------- life and death */

/* At least `n` spare nodes. False: the account does not allow it. */
static bool nodes_fill(struct map *m, unsigned n)
{
    while (m->regions.spares < n && m->regions.regions < MAP_REGIONS_MAX &&
           m->account->nodes < m->account->quota * REGIONS_OF_MAP) {
        struct region *node = free_nodes;

        free_nodes = node->parent;
        m->account->nodes++;
        region_give(&m->regions, node, 1);
    }
    return m->regions.spares >= n;
}

static void nodes_drop(struct map *m, unsigned keep)
{
    while (m->regions.spares > keep) {
        struct region *node = m->regions.spare;

        m->regions.spare = node->parent;
        m->regions.spares--;
        node->parent = free_nodes;
        free_nodes = node;
        m->account->nodes--;
    }
}

/* The first region of `m` that meets [start, end) goes, or what of it does. */
static long regions_drop(struct map *m, l4_addr_t start, l4_addr_t end, l4_umword_t how,
                         l4_addr_t *from, l4_umword_t *size)
{
    struct region *dead;
    struct map *inner;
    l4_cap_idx_t ds;
    int result;

    nodes_fill(m, MAP_SPARES);
    result = region_detach(&m->regions, start, end - start, how, &dead);
    if (result < 0)
        return result;
    m->changes++;
    *from = dead->start;
    *size = dead->end - dead->start;
    inner = region_inner(dead);
    ds = dead->kind == REGION_DATASPACE && !inner ? dead->ds : L4_INVALID_CAP;
    map_unmap(dead->start, dead->end);
    region_reap(&m->regions, dead);
    if (!(ds & L4_INVALID_CAP_BIT))
        slot_count(ds, (result & L4RE_RM_DETACH_RESULT_MASK) - 1);
    return result;
}

static void drop_all(struct map *m)
{
    l4_addr_t start;
    l4_umword_t size;

    while (regions_drop(m, m->base, m->base + m->size, L4RE_RM_DETACH_OVERLAP, &start, &size) >= 0)
        ;
}

/* Whoever has it attached has a hole there. */
static void drop_inner(const struct map *gone)
{
    for (struct map *m = maps; m < maps + MAPS_MAX; m++) {
        struct region *r = m->used ? region_first(&m->regions, m->base, m->base + m->size) : NULL;
        l4_addr_t start;
        l4_umword_t size;

        while (r) {
            l4_addr_t end = r->end;

            if (region_inner(r) == gone)
                regions_drop(m, r->start, end, L4RE_RM_DETACH_EXACT, &start, &size);
            r = region_first(&m->regions, end, m->base + m->size);
        }
    }
}

static void delete(l4_cap_idx_t *cap)
{
    if (*cap & L4_INVALID_CAP_BIT)
        return;
    l4_task_delete_obj(L4_BASE_TASK_CAP, *cap);
    l4re_util_cap_free(*cap);
    *cap = L4_INVALID_CAP;
}

static void handler_drop(struct map *m)
{
    cap_drop(&m->handler);
    map_wake(m, m->base, m->base + m->size, -L4_ENOMEM);
}

/* With the lock, so its thread does not hold it. */
static void map_end(struct map *m)
{
    delete(&m->control_gate);
    delete(&m->faults_gate);
    delete(&m->thread);
    m->wait.in = NULL;
    handler_drop(m);
    drop_all(m);
    drop_inner(m);
    delete(&m->semaphore);
    cap_drop(&m->owner);
    nodes_drop(m, 0);
    m->account->maps--;
    m->used = false;
}

static void account_end(struct map_account *a)
{
    for (struct map *m = maps; m < maps + MAPS_MAX; m++)
        if (m->used && m->account == a)
            map_end(m);
    delete(&a->gate);
    cap_drop(&a->owner);
    house->quota += a->quota;
    a->quota = 0;
}

static bool is_dead(l4_cap_idx_t gate)
{
    return l4_msgtag_label(l4_task_cap_valid(L4_BASE_TASK_CAP, gate)) <= 0;
}

/* Accounts and maps whose gate has been deleted, maps whose owner has died. */
static void garbage(void)
{
    for (struct map_account *a = accounts + 1; a < accounts + MAPS_MAX; a++)
        if (a->quota && (is_dead(a->gate) || is_dead(a->owner)))
            account_end(a);
    for (struct map *m = maps; m < maps + MAPS_MAX; m++)
        if (m->used && (is_dead(m->control_gate) || is_dead(m->owner)))
            map_end(m);
}

L4UTIL_THREAD_STATIC_FUNC(map_thread)
{
    struct l4_server_opts opts = {.main = NULL};

    l4_server_loop(l4_utcb(), &opts);
}

static long control(struct l4_server_object *self, l4_umword_t rights, l4_msgtag_t tag,
                    l4_utcb_t *utcb, l4_msgtag_t *reply);

static long gate_new(l4_cap_idx_t gate, l4_cap_idx_t thread, struct l4_server_object *object)
{
    return gate & L4_INVALID_CAP_BIT ? -L4_ENOMEM : l4_server_register(object, gate, thread);
}

/* Its thread, its semaphore, its gates. */
static long map_objects(struct map *m)
{
    unsigned n = (unsigned)(m - maps);
    const quire_env_page *page = (const quire_env_page *)QUIRE_ENV_ADDR;
    l4re_env_t *env = l4re_global_env;
    long err;

    m->control_gate = l4re_util_cap_alloc();
    m->faults_gate = l4re_util_cap_alloc();
    m->thread = l4re_util_cap_alloc();
    m->semaphore = l4re_util_cap_alloc();
    if ((m->semaphore | m->thread) & L4_INVALID_CAP_BIT)
        return -L4_ENOMEM;
    err = l4_error(l4_factory_create(env->factory, L4_PROTO_SEMAPHORE, m->semaphore));
    if (err >= 0)
        err = l4util_create_thread(m->thread, (l4_utcb_t *)(MAP_UTCBS + n * L4_UTCB_OFFSET),
                                   env->factory, (l4_umword_t)map_thread,
                                   (l4_umword_t)(stacks[n] + MAP_STACK), QUIRE_PARENT_CAP,
                                   L4_BASE_TASK_CAP, env->scheduler,
                                   l4_sched_param(page->priority, 0));
    if (err >= 0)
        err = gate_new(m->control_gate, L4_BASE_THREAD_CAP, &m->control);
    if (err >= 0)
        err = gate_new(m->faults_gate, m->thread, &m->faults);
    return err < 0 ? err : 0;
}

/* The owner's capability has come with the message. */
static long map_new(struct map_account *a, l4_umword_t size, struct map **out)
{
    struct map *m = maps;
    long err;

    if (size == 0 || size > 1UL << MAP_ORDER_MAX)
        return -L4_ERANGE;
    garbage();
    if (a->maps >= a->quota) /* the account may have ended just now */
        return -L4_ENOMEM;
    while (m->used) /* G5: there is one */
        m++;
    memset(m, 0, sizeof(*m));
    m->used = true;
    m->account = a;
    a->maps++;
    m->control.dispatch = control;
    m->faults.dispatch = map_faults;
    m->owner = m->handler = m->control_gate = m->faults_gate = m->thread = L4_INVALID_CAP;
    m->semaphore = L4_INVALID_CAP;
    m->size = (size + L4_PAGESIZE - 1) & L4_PAGEMASK;
    m->base = (l4_addr_t)(m - maps + 1) << MAP_ORDER_MAX;
    region_map_init(&m->regions, m->base, m->base + m->size);
    err = nodes_fill(m, MAP_SPARES) ? cap_keep(&m->owner) : -L4_ENOMEM;
    if (err != 0 || (err = map_objects(m)) != 0)
        map_end(m);
    *out = m;
    return err;
}

/* -------------------------------------------------------------------- attach */

/* Can one come from `from` to `to`, in at most `depth` steps? What is deeper counts as yes. */
static bool reaches(struct map *from, const struct map *to, unsigned depth)
{
    const struct region *r;

    if (from == to || depth == 0)
        return true;
    if (from->mark)
        return false;
    from->mark = true;
    for (r = region_first(&from->regions, from->base, from->base + from->size); r;
         r = region_first(&from->regions, r->end, from->base + from->size))
        if (region_inner(r) && reaches(region_inner(r), to, depth - 1))
            return true;
    return false;
}

/* A map inside a map: not inside itself, nor deeper than a path can be. */
static long inner_check(struct map *m, struct map *inner)
{
    for (struct map *each = maps; each < maps + MAPS_MAX; each++)
        each->mark = false;
    return reaches(inner, m, MAP_DEPTH_MAX - 1) ? -L4_EINVAL : 0;
}

/* What came with the message: one of our maps (*inner), or a capability that we keep. */
static long attach_source(struct map *m, const l4_umword_t *item, l4_umword_t flags,
                          struct map **inner, l4_cap_idx_t *ds)
{
    l4_umword_t label = item[1];
    struct l4_server_object *object = (struct l4_server_object *)(label & ~3UL);

    switch (item[0] & L4_ITEM_RET_MASK) {
    case L4_ITEM_RET_MAPPED:
        return slot_keep(m->account, ds);
    case L4_ITEM_RET_LABEL:
        if ((l4_addr_t)object < L4_SERVER_LABELS || object->dispatch != map_faults)
            return -L4_EINVAL;
        if ((flags & L4RE_RM_F_W) && !(label & L4_CAP_FPAGE_W))
            return -L4_EPERM;
        *inner = (struct map *)((char *)object - __builtin_offsetof(struct map, faults));
        return inner_check(m, *inner);
    default:
        return -L4_ENOENT;
    }
}

static long attach(struct map *m, l4_utcb_t *utcb, l4_msgtag_t tag, l4_msgtag_t *reply)
{
    struct region_request q = {.start = utcb->msg.mr[1] + m->base, .size = utcb->msg.mr[2],
                               .flags = utcb->msg.mr[3], .offset = utcb->msg.mr[4],
                               .align = utcb->msg.mr[5] & 63, .ds = L4_INVALID_CAP};
    unsigned words = l4_msgtag_words(tag);
    l4_umword_t item[2] = {L4_ITEM_RET_NOTHING};
    struct map *inner = NULL;
    struct region *r;
    long err = 0;

    if (words < 6)
        return -L4_EMSGTOOSHORT;
    if (utcb->msg.mr[1] > m->size)
        return -L4_EADDRNOTAVAIL;
    if (l4_msgtag_items(tag) && words + 2 <= L4_UTCB_GENERIC_DATA_SIZE)
        memcpy(item, &utcb->msg.mr[words], sizeof(item));
    if (!nodes_fill(m, MAP_SPARES + 1) || m->account->slots == m->account->quota * SLOTS_OF_MAP)
        garbage();
    if (!m->used || !nodes_fill(m, MAP_SPARES + 1))
        return -L4_ENOMEM;
    if (!(q.flags & L4RE_RM_F_RESERVED))
        err = attach_source(m, item, q.flags, &inner, &q.ds);
    if (err != 0)
        return err;
    q.name = (const char *)inner;
    if ((err = region_attach(&m->regions, &q, &r)) != 0) {
        if (!(q.ds & L4_INVALID_CAP_BIT))
            slot_count(q.ds, -1);
        return err;
    }
    m->changes++;
    map_wake(m, r->start, r->end, 0);
    utcb->msg.mr[0] = r->start - m->base;
    *reply = l4_msgtag(0, 1, 0, 0);
    return 0;
}

static long detach(struct map *m, l4_utcb_t *utcb, l4_msgtag_t tag, l4_msgtag_t *reply)
{
    l4_umword_t start = utcb->msg.mr[1], size = utcb->msg.mr[2], how = utcb->msg.mr[3] & 3;
    l4_addr_t at;
    long result;

    if (l4_msgtag_words(tag) < 4)
        return -L4_EMSGTOOSHORT;
    if (start >= m->size || size > m->size - start)
        return -L4_ENOENT;
    result = regions_drop(m, m->base + start, m->base + start + size, how, &at, &size);
    if (result < 0)
        return result;
    utcb->msg.mr[0] = at - m->base;
    utcb->msg.mr[1] = size;
    utcb->msg.mr[2] = L4_INVALID_CAP; /* the capability was ours */
    *reply = l4_msgtag(result, 3, 0, 0);
    return 0;
}

/* -------------------------------------------------------------------- fault handlers */

static long set_handler(struct map *m, l4_utcb_t *utcb, l4_msgtag_t tag)
{
    bool none = !l4_msgtag_items(tag);
    l4_umword_t item = none ? L4_ITEM_RET_NOTHING : utcb->msg.mr[l4_msgtag_words(tag)];

    handler_drop(m); /* it makes calls, which need the UTCB */
    if (none)
        return 0;
    return (item & L4_ITEM_RET_MASK) == L4_ITEM_RET_MAPPED ? cap_keep(&m->handler) : -L4_EINVAL;
}

/* What waits, in the order of ids, and comes behind the one that was asked for. */
static long get_faults(const struct map *m, l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    enum { WORDS = 4, MOST = 15 };
    l4_umword_t behind = utcb->msg.mr[1], n = 0;

    while (n < MOST) {
        const struct map *next = NULL;

        for (const struct map *w = maps; w < maps + MAPS_MAX; w++)
            if (w->used && w->wait.in == m && w->wait.id > behind &&
                (!next || w->wait.id < next->wait.id))
                next = w;
        if (!next)
            break;
        behind = next->wait.id;
        utcb->msg.mr[1 + WORDS * n] = behind;
        utcb->msg.mr[2 + WORDS * n] = (next->wait.addr - m->base) |
                                      (next->wait.access & L4RE_DS_F_W ? L4_PF_WRITE : 0);
        utcb->msg.mr[3 + WORDS * n] = 0; /* who touched it is known to its region manager */
        utcb->msg.mr[4 + WORDS * n] = 0;
        n++;
    }
    utcb->msg.mr[0] = n;
    *reply = l4_msgtag(0, 1 + WORDS * (unsigned)n, 0, 0);
    return 0;
}

static long answer_fault(const struct map *m, l4_umword_t id, long error)
{
    for (struct map *w = maps; w < maps + MAPS_MAX; w++) {
        if (!w->used || w->wait.in != m || w->wait.id != id)
            continue;
        w->wait.in = NULL;
        w->wait.error = error < 0 ? error : 0;
        l4_semaphore_up(w->semaphore);
        return 0;
    }
    return -L4_ENOENT;
}

/* -------------------------------------------------------------------- gates */

static void answer_gate(l4_utcb_t *utcb, l4_cap_idx_t gate, unsigned rights, l4_msgtag_t *reply)
{
    *reply = l4_msgtag(0, 0, 0, 0);
    l4_server_reply_cap(utcb, reply, gate, (unsigned char)rights);
}

static long control_op(struct map *m, l4_msgtag_t tag, l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    switch (utcb->msg.mr[0] & 0xffff) {
    case L4RE_RM_ATTACH_OP:
        return attach(m, utcb, tag, reply);
    case L4RE_RM_DETACH_OP:
        return detach(m, utcb, tag, reply);
    case L4RE_RM_SET_HANDLER_OP:
        return set_handler(m, utcb, tag);
    case L4RE_RM_GET_FAULTS_OP:
        return l4_msgtag_words(tag) < 2 ? -L4_EMSGTOOSHORT : get_faults(m, utcb, reply);
    case L4RE_RM_ANSWER_FAULT_OP:
        return l4_msgtag_words(tag) < 3 ? -L4_EMSGTOOSHORT
                                        : answer_fault(m, utcb->msg.mr[1],
                                                       (long)utcb->msg.mr[2]);
    case L4RE_MANAGED_DATASPACE_OP:
        answer_gate(utcb, m->faults_gate, L4_CAP_FPAGE_RWS, reply);
        return 0;
    default:
        return -L4_ENOSYS;
    }
}

static long control(struct l4_server_object *self, l4_umword_t rights, l4_msgtag_t tag,
                    l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    struct map *m = (struct map *)self;
    long err;

    if (l4_msgtag_label(tag) != L4RE_PROTO_RM)
        return -L4_EBADPROTO;
    if (l4_msgtag_words(tag) == 0)
        return -L4_EMSGTOOSHORT;
    if (!(rights & L4_CAP_FPAGE_W))
        return -L4_EACCESS;
    lock_take(&maps_lock);
    err = control_op(m, tag, utcb, reply);
    if (m->used)
        nodes_drop(m, MAP_SPARES);
    lock_drop(&maps_lock);
    return err;
}

static long account_request(struct l4_server_object *self, l4_umword_t rights, l4_msgtag_t tag,
                            l4_utcb_t *utcb, l4_msgtag_t *reply);

/* Its quota is the house's no more. */
static long account_new(l4_umword_t quota, struct map_account **out)
{
    struct map_account *a = accounts + 1;
    unsigned left;
    long err;

    if (quota == 0)
        return -L4_ERANGE;
    garbage();
    while (a < accounts + MAPS_MAX && a->quota)
        a++;
    left = house->quota - (unsigned)quota;
    if (a == accounts + MAPS_MAX || quota > house->quota || house->maps > left ||
        house->nodes > left * REGIONS_OF_MAP || house->slots > left * SLOTS_OF_MAP)
        return -L4_ENOMEM;
    *a = (struct map_account){.object.dispatch = account_request, .quota = (unsigned)quota,
                              .gate = l4re_util_cap_alloc(), .owner = L4_INVALID_CAP};
    house->quota = left;
    if ((err = gate_new(a->gate, L4_BASE_THREAD_CAP, &a->object)) != 0 ||
        (err = cap_keep(&a->owner)) != 0)
        account_end(a);
    *out = a;
    return err;
}

/* What is made at the gate of an account, or at our own. Its owner has come with the message. */
static long create(struct map_account *a, l4_msgtag_t tag, l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    l4_umword_t kind = utcb->msg.mr[0], value = utcb->msg.mr[2];
    struct map_account *account;
    struct map *m;
    long err;

    if (l4_msgtag_words(tag) < 3)
        return -L4_EMSGTOOSHORT;
    if (kind != L4RE_PROTO_RM && (kind != L4RE_PROTO_MEM_ALLOC || a != house))
        return -L4_ENODEV;
    if (l4_msgtag_items(tag) == 0 || l4_msgtag_words(tag) > L4_UTCB_GENERIC_DATA_SIZE - 2 ||
        (utcb->msg.mr[l4_msgtag_words(tag)] & L4_ITEM_RET_MASK) != L4_ITEM_RET_MAPPED)
        return -L4_EMSGMISSARG;
    if (kind == L4RE_PROTO_MEM_ALLOC) {
        if ((err = account_new(value, &account)) == 0)
            answer_gate(utcb, account->gate, L4_CAP_FPAGE_RWSD, reply);
    } else if ((err = map_new(a, value, &m)) == 0) {
        answer_gate(utcb, m->control_gate, L4_CAP_FPAGE_RWSD, reply);
    }
    return err;
}

static void statistics(const struct map_account *a, l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    garbage();
    utcb->msg.mr[L4RE_MANAGED_STATS_MAPS] = a->maps;
    utcb->msg.mr[L4RE_MANAGED_STATS_QUOTA] = a->quota;
    utcb->msg.mr[L4RE_MANAGED_STATS_REGIONS] = a->nodes;
    utcb->msg.mr[L4RE_MANAGED_STATS_DATASPACES] = a->slots;
    *reply = l4_msgtag(0, L4RE_MANAGED_STATS_NUM, 0, 0);
}

static long account_op(struct map_account *a, l4_umword_t rights, l4_msgtag_t tag, l4_utcb_t *utcb,
                       l4_msgtag_t *reply)
{
    if (l4_msgtag_words(tag) == 0)
        return -L4_EMSGTOOSHORT;
    switch (l4_msgtag_label(tag)) {
    case L4_PROTO_FACTORY:
        return create(a, tag, utcb, reply);
    case L4RE_PROTO_MEM_ALLOC:
        if ((utcb->msg.mr[0] & 0xffff) != L4RE_MA_RELEASE_OP || a == house)
            return -L4_ENOSYS;
        if (!(rights & L4_CAP_FPAGE_W))
            return -L4_EACCESS;
        account_end(a);
        return 0;
    case L4RE_PROTO_STATS:
        if ((utcb->msg.mr[0] & 0xffff) != L4RE_STATS_GET_OP)
            return -L4_ENOSYS;
        statistics(a, utcb, reply);
        return 0;
    default:
        return -L4_EBADPROTO;
    }
}

static long account_request(struct l4_server_object *self, l4_umword_t rights, l4_msgtag_t tag,
                            l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    long err;

    lock_take(&maps_lock);
    err = account_op((struct map_account *)self, rights, tag, utcb, reply);
    lock_drop(&maps_lock);
    return err;
}

int main(void)
{
    struct l4_server_opts opts = {.main = &house->object, .slots = &received, .slot_count = 1};
    l4_fpage_t utcbs = l4_fpage(MAP_UTCBS, 16, L4_FPAGE_RW);

    _Static_assert(MAPS_MAX * L4_UTCB_OFFSET <= 1 << 16, "a UTCB for each map's thread");
    if (l4_error(l4_task_add_ku_mem(L4_BASE_TASK_CAP, &utcbs)) < 0)
        return 1;
    for (unsigned i = 0; i < MAP_NODES; i++) {
        nodes[i].parent = free_nodes;
        free_nodes = &nodes[i];
    }
    house->object.dispatch = account_request;
    received = l4re_util_cap_alloc() | L4_RCV_ITEM_LOCAL_ID;
    l4_server_loop(l4_utcb(), &opts);
}
