/*
 * sigma0/service.c - the RAM service: accounts, memory by wish, quota (abi/sigma0.h)
 *
 * Every operation is bounded: it clears at most RAM_CLEAR_STEP bytes and looks at RAM_LOOK_STEP
 * bytes' worth of owners. What needs more says SIGMA0_RAM_MORE and how far it is; the client goes
 * on with the next message, and sigma0 has served others in between. All that is known about
 * such an operation lies in the marks of the frames and in the client's message, so a client
 * that never goes on leaves nothing half done but its own memory.
 */
#include "request.h"

#include <abi/errors.h>
#include <abi/fpage.h>
#include <abi/msg.h>
#include <abi/protocols.h>
#include <abi/sigma0.h>
#include <abi/stats.h>

enum { FACTORY_STEPS = 16 }; /* towards the end of dead children, before a new one is refused */

/* Bytes in whole pages; 0: none, or too many to be counted. */
static l4_umword_t pages(l4_umword_t size)
{
    return (size + L4_PAGESIZE - 1) & L4_PAGEMASK;
}

static long more(struct answer *a, l4_umword_t how_far)
{
    a->mr[0] = how_far;
    a->words = 1;
    return SIGMA0_RAM_MORE;
}

/* ---- accounts ---- */

long ram_factory(struct service *s, struct account *c, const struct request *q, struct answer *a)
{
    struct account *new;
    unsigned type;
    int err;

    if ((long)q->mr[0] != L4_PROTO_SIGMA0)
        return -L4_ENODEV;
    if (q->words < 3)
        return -L4_EMSGTOOSHORT;
    type = q->mr[1] & 0xff & ~(unsigned)L4_VARG_TYPE_SIGN;
    if (type != L4_VARG_TYPE_UMWORD || (q->mr[1] >> 16 & 0xffff) != sizeof(l4_umword_t))
        return -L4_EINVAL;
    account_gc_step(&s->ram);
    err = account_create(&s->ram, c, q->mr[2] & L4_PAGEMASK, &new);
    for (unsigned i = 0; err && i < FACTORY_STEPS && account_gc_children(&s->ram, c); i++) {
        account_end_step(&s->ram);
        err = account_create(&s->ram, c, q->mr[2] & L4_PAGEMASK, &new);
    }
    if (err)
        return err;
    err = request_gate(account_slot(new));
    if (err) {
        account_end(&s->ram, new);
        account_end_step(&s->ram);
        return err;
    }
    a->item = ANSWER_GATE;
    a->fresh = new->number;
    a->gate = account_slot(new);
    a->mr[0] = new->number;
    a->words = 1;
    return 0;
}

static long query(const struct account *c, struct answer *a)
{
    a->mr[SIGMA0_QUERY_QUOTA] = c->quota;
    a->mr[SIGMA0_QUERY_USED] = c->used;
    a->mr[SIGMA0_QUERY_ACCOUNT] = c->number;
    a->mr[SIGMA0_QUERY_CHILDREN] = c->below;
    a->mr[SIGMA0_QUERY_YIELD] = c->yield ? c->yield - c->yielded : 0;
    a->mr[SIGMA0_QUERY_DEADLINE] = c->yield ? c->deadline : 0;
    a->words = SIGMA0_QUERY_WORDS;
    return 0;
}

static long release(struct ram *r, struct account *c, struct answer *a)
{
    unsigned slot = account_slot(c);

    if (c == r->root)
        return -L4_EPERM;
    if (!c->ending)
        account_end(r, c);
    account_end_step(r); /* which may free the record */
    return account_find(r, slot) ? more(a, c->frames << L4_PAGESHIFT) : 0;
}

/* ---- TAKE ---- */

/* Memory of children that somebody has deleted comes back first; then the parent may help. */
static long over_quota(struct ram *r, struct account *c, const struct request *q,
                       l4_umword_t missing, struct answer *a)
{
    long err;

    if (account_gc_children(r, c)) {
        account_end_step(r);
        return more(a, 0); /* the same message again */
    }
    if (!(q->mr[SIGMA0_TAKE_FLAGS] & SIGMA0_RAM_WAIT))
        return -L4_ENOMEM;
    if (!q->slot)
        return -L4_EMSGMISSARG;
    if (!pool_ready(r))
        return -L4_ENOMEM;
    err = quota_ask(c, missing, q->slot);
    a->slot_taken = err == -L4_EAGAIN;
    return err;
}

static long take_decode(const struct request *q, struct ram_wish *w)
{
    const l4_umword_t *mr = q->mr;
    l4_umword_t flags = mr[SIGMA0_TAKE_FLAGS];
    l4_umword_t known = SIGMA0_RAM_CONTIGUOUS | SIGMA0_RAM_WAIT | SIGMA0_RAM_AT | 0xff00;

    *w = (struct ram_wish){
        .size = pages(mr[SIGMA0_TAKE_SIZE]),
        .align = flags >> 8 & 0xff,
        .min = mr[SIGMA0_TAKE_MIN],
        .max = mr[SIGMA0_TAKE_MAX] ? mr[SIGMA0_TAKE_MAX] : ~0UL,
        .contiguous = flags & SIGMA0_RAM_CONTIGUOUS,
    };
    if (!mr[SIGMA0_TAKE_SIZE] || (flags & ~known) || w->align > RAM_ORDER_MAX ||
        w->min > w->max || (mr[SIGMA0_TAKE_PLACE] & (L4_PAGESIZE - 1)))
        return -L4_EINVAL;
    if (!w->size || mr[SIGMA0_TAKE_PLACE] + w->size < w->size)
        return -L4_ERANGE;
    w->align = w->align < L4_PAGESHIFT ? L4_PAGESHIFT : w->align;
    return 0;
}

/* [start, end) as further items: at most RAM_CLEAR_STEP bytes, which an answer can hold. */
static void add_pieces(struct answer *a, l4_addr_t start, l4_addr_t end)
{
    while (start < end) {
        unsigned order = ram_block_order(start, end);

        a->piece[a->items].start = start;
        a->piece[a->items++].order = order;
        start += 1UL << order;
    }
}

static long take(struct ram *r, struct account *c, const struct request *q, struct answer *a)
{
    struct ram_block blocks[RAM_BLOCKS_MAX];
    struct ram_wish w;
    unsigned count;
    long err = take_decode(q, &w);

    if (err)
        return err;
    if (w.size > account_left(c))
        return over_quota(r, c, q, w.size - account_left(c), a);
    err = ram_take(r, c, &w, blocks, &count);
    if (err)
        return err;
    a->items = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned order = w.contiguous ? 0 : ram_block_order(blocks[i].start, ~0UL);

        while (order && 1UL << order > blocks[i].size)
            order--;
        a->mr[SIGMA0_TAKEN_BLOCK + i] = blocks[i].start | order;
    }
    a->mr[SIGMA0_TAKEN_SIZE] = w.size;
    a->words = SIGMA0_TAKEN_BLOCK + count;
    if (w.size > RAM_CLEAR_STEP)
        return SIGMA0_RAM_MORE;
    for (unsigned i = 0; i < count; i++)
        add_pieces(a, blocks[i].start, blocks[i].start + blocks[i].size);
    a->item = ANSWER_MEMORY;
    a->rights = L4_FPAGE_RWX;
    a->fresh = c->number;
    a->one_to_one = !(q->mr[SIGMA0_TAKE_FLAGS] & SIGMA0_RAM_AT);
    a->place = q->mr[SIGMA0_TAKE_PLACE];
    return 0;
}

/* ---- MAP ---- */

/* Clear and add the piece [at, at + 2^order), from *position on. 0: it is an item now. */
static long map_piece(struct ram *r, const struct account *c, l4_addr_t at, unsigned order,
                      l4_addr_t *position, l4_umword_t *budget, struct answer *a)
{
    int clean;

    if (a->items == RAM_BLOCKS_MAX)
        return SIGMA0_RAM_MORE;
    clean = ram_clean(r, c, at, at + (1UL << order), position, budget);
    if (clean < 0)
        return clean;
    if (!clean)
        return SIGMA0_RAM_MORE;
    a->piece[a->items].start = at;
    a->piece[a->items++].order = order;
    return 0;
}

static long map(struct ram *r, const struct account *c, const struct request *q, struct answer *a)
{
    l4_addr_t start = q->mr[1], end = start + pages(q->mr[2]), position = start + q->mr[3];
    l4_umword_t budget = RAM_CLEAR_STEP, looked = 0;
    long err = 0;

    if ((start | position | q->mr[4]) & (L4_PAGESIZE - 1))
        return -L4_EINVAL;
    if (end <= start || position < start || position >= end || q->mr[4] + (end - start) < q->mr[4])
        return -L4_ERANGE;
    if (end > r->frames << L4_PAGESHIFT) /* so that the loop ends soon, too */
        return -L4_EPERM;
    a->items = 0;
    for (l4_addr_t at = start; at < end && !err;) {
        unsigned order = ram_block_order(at, end);
        l4_addr_t next = at + (1UL << order);

        if (position < next) {
            looked += 1UL << order;
            err = looked > RAM_LOOK_STEP ? SIGMA0_RAM_MORE
                                         : map_piece(r, c, at, order, &position, &budget, a);
            if (!err)
                position = next;
        }
        at = next;
    }
    if (err < 0)
        return err;
    a->item = a->items ? ANSWER_MEMORY : ANSWER_NO_ITEM;
    a->rights = L4_FPAGE_RWX;
    a->one_to_one = false;
    if (a->items)
        a->place = q->mr[4] + (a->piece[0].start - start);
    a->mr[0] = position - start;
    a->words = 1;
    return err;
}

/* ---- memory that the account has ---- */

static long give_back(struct ram *r, struct account *c, const struct request *q, struct answer *a)
{
    l4_addr_t start = q->mr[1], end = start + pages(q->mr[2]);
    l4_umword_t size = end - start;
    int err;

    if ((start & (L4_PAGESIZE - 1)) || !q->mr[2])
        return -L4_EINVAL;
    if (end <= start)
        return -L4_ERANGE;
    if (!ram_owns(r, c, start, end))
        return ram_free_device(r, c, start, end);
    if (size > RAM_LOOK_STEP)
        end = start + RAM_LOOK_STEP;
    err = ram_free(r, c, start, end);
    return err || size <= RAM_LOOK_STEP ? err : more(a, RAM_LOOK_STEP);
}

static long next(const struct ram *r, const struct account *c, const struct request *q,
                 struct answer *a)
{
    l4_addr_t start = q->mr[1];
    l4_umword_t size;

    if (start & (L4_PAGESIZE - 1))
        return -L4_EINVAL;
    if (start >= r->frames << L4_PAGESHIFT)
        return -L4_ENOENT;
    if (!ram_next(r, c, &start, &size))
        return start >= r->frames << L4_PAGESHIFT ? -L4_ENOENT : more(a, start);
    a->mr[0] = start;
    a->mr[1] = size;
    a->words = 2;
    return 0;
}

/* ---- quota ---- */

static long trade(struct ram *r, struct account *c, const struct request *q, struct answer *a)
{
    l4_umword_t size = pages(q->mr[2]);
    l4_uint64_t deadline = q->now + q->mr[3];
    long err;

    if (size < q->mr[2])
        return -L4_ERANGE;
    a->words = 1;
    switch (q->mr[0] & 0xffff) {
    case SIGMA0_RAM_GRANT:
        a->words = 0;
        return quota_grant(r, c, q->mr[1], size);
    case SIGMA0_RAM_RETAKE:
        return quota_retake(r, c, q->mr[1], size, &a->mr[0]);
    default: /* SIGMA0_RAM_YIELD */
        if (deadline < q->now)
            return -L4_ERANGE;
        err = quota_yield(r, c, q->mr[1], size, deadline);
        a->mr[0] = deadline;
        return err;
    }
}

static long watch(struct ram *r, struct account *c, const struct request *q, struct answer *a)
{
    if (q->slot && !pool_ready(r))
        return -L4_ENOMEM;
    quota_watch(r, c, q->slot);
    a->slot_taken = q->slot != 0;
    return 0;
}

static long news(struct account *c, struct answer *a)
{
    a->words = SIGMA0_NEWS_WORDS;
    return quota_news(c, a->mr);
}

/* ---- the older forms: one flexpage ---- */

static long alloc(struct ram *r, struct account *c, const struct request *q, struct answer *a)
{
    l4_umword_t order = q->mr[1];
    l4_addr_t start;
    int err;

    if (order > RAM_ORDER_MAX)
        return -L4_EINVAL;
    err = ram_alloc(r, c, (unsigned)order, &start);
    if (err)
        return err;
    answer_memory(a, start, (unsigned)order, L4_FPAGE_RWX);
    a->fresh = c->number;
    a->mr[0] = start;
    a->words = 1;
    return 0;
}

static long free_flexpage(struct ram *r, struct account *c, const struct request *q)
{
    l4_addr_t start;
    unsigned order;
    int err = request_flexpage(q->mr[1], &start, &order);

    if (err || start & ((1UL << order) - 1))
        return -L4_EINVAL;
    return ram_free(r, c, start, start + (1UL << order));
}

/* ---- decode ---- */

static long dispatch(struct service *s, struct account *c, const struct request *q,
                     struct answer *a)
{
    struct ram *r = &s->ram;

    switch (q->mr[0] & 0xffff) {
    case SIGMA0_RAM_ALLOC:
        return alloc(r, c, q, a);
    case SIGMA0_RAM_FREE:
        return free_flexpage(r, c, q);
    case SIGMA0_RAM_QUERY:
        return query(c, a);
    case SIGMA0_RAM_RELEASE:
        return release(r, c, a);
    case SIGMA0_RAM_TAKE:
        return take(r, c, q, a);
    case SIGMA0_RAM_MAP:
        return map(r, c, q, a);
    case SIGMA0_RAM_GIVE_BACK:
        return give_back(r, c, q, a);
    case SIGMA0_RAM_NEXT:
        return next(r, c, q, a);
    case SIGMA0_RAM_DENY:
        return quota_deny(r, c, q->mr[1]);
    case SIGMA0_RAM_WATCH:
        return watch(r, c, q, a);
    case SIGMA0_RAM_NEWS:
        return news(c, a);
    case SIGMA0_RAM_CANCEL:
        quota_cancel(r, c);
        return 0;
    default: /* GRANT, RETAKE, YIELD */
        return trade(r, c, q, a);
    }
}

long ram_service(struct service *s, struct account *c, const struct request *q, struct answer *a)
{
    static const unsigned char words_needed[] = {
        [SIGMA0_RAM_ALLOC] = 2,     [SIGMA0_RAM_FREE] = 2,   [SIGMA0_RAM_QUERY] = 1,
        [SIGMA0_RAM_RELEASE] = 1,   [SIGMA0_RAM_TAKE] = 6,   [SIGMA0_RAM_MAP] = 5,
        [SIGMA0_RAM_GIVE_BACK] = 3, [SIGMA0_RAM_NEXT] = 2,   [SIGMA0_RAM_GRANT] = 3,
        [SIGMA0_RAM_RETAKE] = 3,    [SIGMA0_RAM_DENY] = 2,   [SIGMA0_RAM_YIELD] = 4,
        [SIGMA0_RAM_WATCH] = 1,     [SIGMA0_RAM_NEWS] = 1,   [SIGMA0_RAM_CANCEL] = 1,
    };
    unsigned op = q->mr[0] & 0xffff;

    if (op >= sizeof(words_needed))
        return -L4_ENOSYS;
    if (q->words < words_needed[op])
        return -L4_EMSGTOOSHORT;
    account_gc_step(&s->ram);
    if (s->ram.ending && op != SIGMA0_RAM_RELEASE)
        account_end_step(&s->ram);
    return dispatch(s, c, q, a);
}

long ram_statistics(const struct service *s, const struct account *c, const struct request *q,
                    struct answer *a)
{
    const struct ram *r = &s->ram;

    if ((q->mr[0] & 0xffff) != L4RE_STATS_GET_OP)
        return -L4_ENOSYS;
    a->mr[L4RE_SIGMA0_STATS_REQUESTS] = s->requests;
    a->mr[L4RE_SIGMA0_STATS_FREE] = r->free_frames;
    a->mr[L4RE_SIGMA0_STATS_TOTAL] = r->total_frames;
    a->mr[L4RE_SIGMA0_STATS_FAULTS] = s->faults;
    a->mr[L4RE_SIGMA0_STATS_USED] = c->used;
    a->mr[L4RE_SIGMA0_STATS_OWN] = r->pool.frames;
    a->mr[L4RE_SIGMA0_STATS_ACCOUNTS] = r->account_count;
    a->mr[L4RE_SIGMA0_STATS_CLEARED] = r->cleared_frames;
    for (unsigned k = 0; k < POOL_KINDS; k++) {
        a->mr[L4RE_SIGMA0_STATS_BLOCKS + k] = r->pool.spare[k];
        a->mr[L4RE_SIGMA0_STATS_BLOCKS_LOW + k] = r->pool.low[k];
    }
    a->words = L4RE_SIGMA0_STATS_NUM;
    return 0;
}
