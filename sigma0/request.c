/*
 * sigma0/request.c - the protocols of the root pager
 *
 *   label            meaning
 *   PAGE_FAULT -2    MR0 address | bits                   -> the page, one to one
 *   SIGMA0 -6        MR0 ~0xff | op, MR1 flexpage         -> a block of memory, the KIP, a dump
 *   IO_PAGE_FAULT -8 MR0 flexpage of I/O ports            -> these ports
 *   FACTORY -15      MR0 SIGMA0, MR1..2 quota in bytes    -> a gate to a new account
 *   MEM_ALLOC 0x400b MR0 op, ...                          -> the RAM service (service.c)
 *   STATS 0x5100     MR0 0                                -> counters
 *
 * Q1  Every message gets exactly one answer; an answer with a negative label carries nothing.
 * Q2  After every answer the reserve is there for two more requests (pool.h, P1).
 */
#include "request.h"

#include <abi/errors.h>
#include <abi/fpage.h>
#include <abi/msg.h>
#include <abi/protocols.h>
#include <abi/sigma0.h>

void answer_memory(struct answer *a, l4_addr_t start, unsigned order, unsigned rights)
{
    a->item = ANSWER_MEMORY;
    a->items = 1;
    a->piece[0].start = start;
    a->piece[0].order = order;
    a->one_to_one = true;
    a->rights = rights;
}

int request_flexpage(l4_umword_t raw, l4_addr_t *start, unsigned *order)
{
    unsigned type = raw >> L4_FPAGE_TYPE_SHIFT & 3;

    *order = raw >> L4_FPAGE_SIZE_SHIFT & 0x3f;
    *start = raw & L4_PAGEMASK;
    if (type != L4_FPAGE_MEMORY || *order < L4_PAGESHIFT || *order > RAM_ORDER_MAX)
        return -L4_EINVAL;
    return 0;
}

static long page_fault(struct service *s, struct account *c, const struct request *q,
                       struct answer *a)
{
    l4_addr_t page = q->mr[0] & L4_PAGEMASK;
    bool is_kip = page == s->kip && !(q->mr[0] & (L4_PF_WRITE | L4_PF_FETCH));
    int err = is_kip ? 0 : ram_claim(&s->ram, c, page, L4_PAGESHIFT);

    if (err)
        return err;
    answer_memory(a, page, L4_PAGESHIFT, is_kip ? L4_FPAGE_RO : L4_FPAGE_RWX);
    s->faults++;
    return 0;
}

/* I/O ports are the root client's, all of them: who else may have them is for it to decide. */
static long ports(const struct account *c, struct answer *a, l4_umword_t raw)
{
    unsigned order = raw >> L4_FPAGE_SIZE_SHIFT & 0x3f;
    l4_umword_t first = raw >> L4_FPAGE_ADDR_SHIFT;

    if ((raw >> L4_FPAGE_TYPE_SHIFT & 3) != L4_FPAGE_IO || order > L4_WHOLE_IOADDRESS_SPACE ||
        first + (1UL << order) > L4_IOPORT_MAX)
        return -L4_EINVAL;
    if (c->parent)
        return -L4_ENOMEM;
    a->item = ANSWER_PORTS;
    a->piece[0].start = first;
    a->piece[0].order = order;
    return 0;
}

/* A flexpage at its place: RAM or a device. */
static long sigma0_page(struct ram *r, struct account *c, const struct request *q,
                        struct answer *a, unsigned op)
{
    l4_addr_t start;
    unsigned order;
    int err = request_flexpage(q->mr[1], &start, &order);

    if (op == SIGMA0_REQ_ID_FPAGE_IOMEM && (q->mr[1] >> L4_FPAGE_TYPE_SHIFT & 3) == L4_FPAGE_IO)
        return ports(c, a, q->mr[1]);
    if (err)
        return err;
    if (op == SIGMA0_REQ_ID_FPAGE_RAM) {
        err = ram_claim(r, c, start, order);
        answer_memory(a, start, order, L4_FPAGE_RWX);
        return err;
    }
    err = ram_claim_device(r, c, start, order);
    answer_memory(a, start, order, L4_FPAGE_RW);
    a->attributes = op == SIGMA0_REQ_ID_FPAGE_IOMEM ? L4_FPAGE_UNCACHEABLE : L4_FPAGE_CACHEABLE;
    return err;
}

static long sigma0_any(struct ram *r, struct account *c, const struct request *q,
                       struct answer *a)
{
    l4_addr_t start = 0;
    unsigned order;
    int err = request_flexpage(q->mr[1], &start, &order);

    if (!err)
        err = ram_alloc(r, c, order, &start);
    if (!err)
        answer_memory(a, start, order, L4_FPAGE_RWX);
    a->fresh = c->number;
    return err;
}

static long sigma0_request(struct service *s, struct account *c, const struct request *q,
                           struct answer *a)
{
    unsigned op = (unsigned)q->mr[0] & SIGMA0_REQ_ID_MASK;
    bool known = (q->mr[0] & (l4_umword_t)(long)SIGMA0_REQ_MASK) ==
                     (l4_umword_t)(long)SIGMA0_REQ_MAGIC &&
                 !(q->mr[0] & 0xf);

    if (!known)
        return -L4_ENOSYS;
    if (op >= SIGMA0_REQ_ID_FPAGE_RAM && op <= SIGMA0_REQ_ID_FPAGE_ANY && q->words < 2)
        return -L4_EMSGTOOSHORT;
    switch (op) {
    case SIGMA0_REQ_ID_FPAGE_RAM:
    case SIGMA0_REQ_ID_FPAGE_IOMEM:
    case SIGMA0_REQ_ID_FPAGE_IOMEM_CACHED:
        return sigma0_page(&s->ram, c, q, a, op);
    case SIGMA0_REQ_ID_FPAGE_ANY:
        return sigma0_any(&s->ram, c, q, a);
    case SIGMA0_REQ_ID_KIP:
        answer_memory(a, s->kip, L4_PAGESHIFT, L4_FPAGE_RO);
        return 0;
    case SIGMA0_REQ_ID_DEBUG_DUMP:
        request_dump(s);
        return 0;
    default:
        return -L4_ENOSYS;
    }
}

static long dispatch(struct service *s, struct account *c, const struct request *q,
                     struct answer *a)
{
    switch (q->label) {
    case L4_PROTO_PAGE_FAULT:
        return page_fault(s, c, q, a);
    case L4_PROTO_IO_PAGE_FAULT:
        return ports(c, a, q->mr[0]);
    case L4_PROTO_SIGMA0:
        return sigma0_request(s, c, q, a);
    case L4_PROTO_FACTORY:
        return ram_factory(s, c, q, a);
    case L4RE_PROTO_MEM_ALLOC:
        return ram_service(s, c, q, a);
    case L4RE_PROTO_STATS:
        return ram_statistics(s, c, q, a);
    default:
        return -L4_EBADPROTO;
    }
}

/* An account that is ending can only be asked to go on with that. */
static bool may_ask(const struct account *c, const struct request *q)
{
    return c && (!c->ending || (q->label == L4RE_PROTO_MEM_ALLOC && q->words >= 1 &&
                                (q->mr[0] & 0xffff) == SIGMA0_RAM_RELEASE));
}

void request_handle(struct service *s, const struct request *q, struct answer *a)
{
    struct account *c = account_find(&s->ram, q->gate);

    s->requests++;
    a->words = 0;
    a->item = ANSWER_NO_ITEM;
    a->attributes = 0;
    a->slot_taken = false;
    a->fresh = 0;
    quota_expire(&s->ram, q->now);
    if (!may_ask(c, q))
        a->label = -L4_EACCESS;
    else if (q->words < 1)
        a->label = -L4_EMSGTOOSHORT;
    else
        a->label = dispatch(s, c, q, a);
    if (a->label < 0) {
        a->item = ANSWER_NO_ITEM;
        a->words = 0;
        a->fresh = 0;
    }
    pool_refill(&s->ram);
    if (RAM_RESERVE && !ram_reserve_ok(&s->ram))
        ram_bug("the reserve is used up");
}

void request_undo(struct service *s, const struct answer *a)
{
    struct account *c = a->fresh ? account_find(&s->ram, a->fresh & 0xffff) : NULL;

    if (!c || c->number != a->fresh)
        return;
    if (a->item == ANSWER_GATE) {
        account_end(&s->ram, c);
        account_end_step(&s->ram);
        return;
    }
    for (unsigned i = 0; i < a->items; i++)
        ram_free(&s->ram, c, a->piece[i].start, a->piece[i].start + (1UL << a->piece[i].order));
}
