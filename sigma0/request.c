/*
 * sigma0/request.c - the protocols of the root pager
 *
 *   label            meaning
 *   PAGE_FAULT -2    MR0 address | bits                   -> the page, one to one
 *   SIGMA0 -6        MR0 ~0xff | op, MR1 flexpage         -> a block of memory, the KIP, a dump
 *   IO_PAGE_FAULT -8 MR0 flexpage of I/O ports            -> these ports
 *   FACTORY -15      MR0 SIGMA0, MR1..2 quota in bytes    -> a gate to a new account
 *   MEM_ALLOC 0x400b MR0 op, MR1 order or flexpage        -> allocate, free, query, release
 *   STATS 0x5100     MR0 0                                -> counters
 *
 * Q1  Every message gets exactly one answer; an answer with a negative label carries nothing.
 */
#include "request.h"

#include <abi/errors.h>
#include <abi/fpage.h>
#include <abi/msg.h>
#include <abi/protocols.h>
#include <abi/sigma0.h>

static void memory(struct answer *a, l4_addr_t start, unsigned order, unsigned rights)
{
    a->item = ANSWER_MEMORY;
    a->start = start;
    a->order = order;
    a->rights = rights;
}

/* Address and order of a memory flexpage; -L4_EINVAL when it cannot be one. */
static int flexpage(l4_umword_t raw, l4_addr_t *start, unsigned *order)
{
    unsigned type = raw >> L4_FPAGE_TYPE_SHIFT & 3;

    *order = raw >> L4_FPAGE_SIZE_SHIFT & 0x3f;
    *start = raw & L4_PAGEMASK;
    if (type != L4_FPAGE_MEMORY || *order < L4_PAGESHIFT || *order > RAM_ORDER_MAX)
        return -L4_EINVAL;
    return 0;
}

static long page_fault(struct ram *r, struct request_stats *stats, l4_addr_t kip,
                       const struct request *q, struct answer *a)
{
    l4_addr_t page = q->mr[0] & L4_PAGEMASK;
    bool is_kip = page == kip && !(q->mr[0] & (L4_PF_WRITE | L4_PF_FETCH));
    int err = is_kip ? 0 : ram_claim(r, q->client, page, L4_PAGESHIFT);

    if (err)
        return err;
    memory(a, page, L4_PAGESHIFT, is_kip ? L4_FPAGE_RO : L4_FPAGE_RWX);
    stats->faults++;
    return 0;
}

/* I/O ports are the root client's, all of them: who else may have them is for it to decide. */
static long ports(const struct request *q, struct answer *a, l4_umword_t raw)
{
    unsigned order = raw >> L4_FPAGE_SIZE_SHIFT & 0x3f;
    l4_umword_t first = raw >> L4_FPAGE_ADDR_SHIFT;

    if ((raw >> L4_FPAGE_TYPE_SHIFT & 3) != L4_FPAGE_IO || order > L4_WHOLE_IOADDRESS_SPACE ||
        first + (1UL << order) > L4_IOPORT_MAX)
        return -L4_EINVAL;
    if (q->client != RAM_ROOT)
        return -L4_ENOMEM;
    a->item = ANSWER_PORTS;
    a->start = first;
    a->order = order;
    return 0;
}

/* A flexpage at its place: RAM or a device. */
static long sigma0_page(struct ram *r, const struct request *q, struct answer *a, unsigned op)
{
    l4_addr_t start;
    unsigned order;
    int err = flexpage(q->mr[1], &start, &order);

    if (op == SIGMA0_REQ_ID_FPAGE_IOMEM && (q->mr[1] >> L4_FPAGE_TYPE_SHIFT & 3) == L4_FPAGE_IO)
        return ports(q, a, q->mr[1]);
    if (err)
        return err;
    if (op == SIGMA0_REQ_ID_FPAGE_RAM) {
        err = ram_claim(r, q->client, start, order);
        memory(a, start, order, L4_FPAGE_RWX);
        return err;
    }
    err = ram_claim_device(r, q->client, start, order);
    memory(a, start, order, L4_FPAGE_RW);
    a->attributes = op == SIGMA0_REQ_ID_FPAGE_IOMEM ? L4_FPAGE_UNCACHEABLE : L4_FPAGE_CACHEABLE;
    return err;
}

static long sigma0_any(struct ram *r, const struct request *q, struct answer *a)
{
    l4_addr_t start = 0;
    unsigned order;
    int err = flexpage(q->mr[1], &start, &order);

    if (!err)
        err = ram_alloc(r, q->client, order, &start);
    if (!err)
        memory(a, start, order, L4_FPAGE_RWX);
    return err;
}

static long sigma0_request(struct ram *r, struct request_stats *stats, l4_addr_t kip,
                           const struct request *q, struct answer *a)
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
        return sigma0_page(r, q, a, op);
    case SIGMA0_REQ_ID_FPAGE_ANY:
        return sigma0_any(r, q, a);
    case SIGMA0_REQ_ID_KIP:
        memory(a, kip, L4_PAGESHIFT, L4_FPAGE_RO);
        return 0;
    case SIGMA0_REQ_ID_DEBUG_DUMP:
        request_dump(r, stats);
        return 0;
    default:
        return -L4_ENOSYS;
    }
}

static long factory(struct ram *r, const struct request *q, struct answer *a)
{
    unsigned type;
    int err;

    if ((long)q->mr[0] != L4_PROTO_SIGMA0)
        return -L4_ENODEV;
    if (q->words < 3)
        return -L4_EMSGTOOSHORT;
    type = q->mr[1] & 0xff & ~(unsigned)L4_VARG_TYPE_SIGN;
    if (type != L4_VARG_TYPE_UMWORD || (q->mr[1] >> 16 & 0xffff) != sizeof(l4_umword_t))
        return -L4_EINVAL;
    err = ram_client_create(r, q->client, q->mr[2] & L4_PAGEMASK, &a->client);
    if (err)
        return err;
    err = request_gate(a->client);
    if (err) {
        ram_client_release(r, a->client);
        return err;
    }
    a->item = ANSWER_GATE;
    return 0;
}

static long ram_service_alloc(struct ram *r, const struct request *q, struct answer *a)
{
    l4_umword_t order = q->mr[1];
    l4_addr_t start;
    int err;

    if (order < L4_PAGESHIFT || order > RAM_ORDER_MAX)
        return -L4_EINVAL;
    err = ram_alloc(r, q->client, (unsigned)order, &start);
    if (err)
        return err;
    memory(a, start, (unsigned)order, L4_FPAGE_RWX);
    a->mr[0] = start;
    a->words = 1;
    return 0;
}

static long ram_service(struct ram *r, const struct request *q, struct answer *a)
{
    unsigned op = q->mr[0] & 0xffff;
    l4_addr_t start;
    unsigned order;
    int err;

    if (op <= SIGMA0_RAM_FREE && q->words < 2)
        return -L4_EMSGTOOSHORT;
    switch (op) {
    case SIGMA0_RAM_ALLOC:
        return ram_service_alloc(r, q, a);
    case SIGMA0_RAM_FREE:
        err = flexpage(q->mr[1], &start, &order);
        return err ? err : ram_free(r, q->client, start, order);
    case SIGMA0_RAM_QUERY:
        a->mr[0] = r->clients[q->client].quota;
        a->mr[1] = r->clients[q->client].used;
        a->words = 2;
        return 0;
    case SIGMA0_RAM_RELEASE:
        return ram_client_release(r, q->client);
    default:
        return -L4_ENOSYS;
    }
}

static long statistics(const struct ram *r, const struct request_stats *stats,
                       const struct request *q, struct answer *a)
{
    if ((q->mr[0] & 0xffff) != L4RE_STATS_GET_OP)
        return -L4_ENOSYS;
    a->mr[0] = stats->requests;
    a->mr[1] = r->free_frames;
    a->mr[2] = r->total_frames;
    a->mr[3] = stats->faults;
    a->mr[4] = r->clients[q->client].used;
    a->words = 5;
    return 0;
}

void request_handle(struct ram *r, struct request_stats *stats, l4_addr_t kip,
                    const struct request *q, struct answer *a)
{
    *a = (struct answer){0};
    stats->requests++;
    if (q->client < RAM_ROOT || q->client >= RAM_CLIENTS_MAX || !r->clients[q->client].live)
        a->label = -L4_EACCESS;
    else if (q->words < 1)
        a->label = -L4_EMSGTOOSHORT;
    else
        switch (q->label) {
        case L4_PROTO_PAGE_FAULT:
            a->label = page_fault(r, stats, kip, q, a);
            break;
        case L4_PROTO_IO_PAGE_FAULT:
            a->label = ports(q, a, q->mr[0]);
            break;
        case L4_PROTO_SIGMA0:
            a->label = sigma0_request(r, stats, kip, q, a);
            break;
        case L4_PROTO_FACTORY:
            a->label = factory(r, q, a);
            break;
        case L4RE_PROTO_MEM_ALLOC:
            a->label = ram_service(r, q, a);
            break;
        case L4RE_PROTO_STATS:
            a->label = statistics(r, stats, q, a);
            break;
        default:
            a->label = -L4_EBADPROTO;
        }
    if (a->label < 0) {
        a->item = ANSWER_NO_ITEM;
        a->words = 0;
    }
}
