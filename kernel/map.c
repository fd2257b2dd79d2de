/*
 * map.c - a flexpage on its way: decode, choose the kind, go through it in bounded pieces
 */
#include "map.h"

#include <common/fpage.h>
#include <common/min.h>

#include "kassert.h"
#include "trace.h"

/* Ports keep their number, so there is no hot spot: what both windows name is mapped. */
static NOINLINE void ports_meet(struct map_request *r, uint64_t base, unsigned order,
                                uint64_t window_base, unsigned window_order)
{
    unsigned large = (unsigned)max_of(order, window_order);
    struct meeting m = fpage_meet(base, order, window_base, window_order, 0);

    r->src = order <= window_order ? m.src : m.dst;
    r->dst = r->src;
    r->order = (unsigned)min_of(m.order, L4_WHOLE_IOADDRESS_SPACE);
    r->empty = align_down(base, large) != align_down(window_base, large) ||
               (r->rights & L4_FPAGE_RW) != L4_FPAGE_RW;
}

static NOINLINE void meet(struct map_request *r, uint64_t base, unsigned order,
                          uint64_t window_base, unsigned window_order, uint64_t hot_spot)
{
    struct meeting m = fpage_meet(base, order, window_base, window_order, hot_spot);

    r->src = m.src;
    r->dst = m.dst;
    r->order = m.order;
    r->empty = r->type == L4_FPAGE_MEMORY && (m.order < L4_PAGESHIFT || !(r->rights & L4_FPAGE_R));
}

void map_request_init(struct map_request *r, struct task *from, struct task *to, uint64_t item,
                      uint64_t fpage, uint64_t window_base, unsigned window_order)
{
    unsigned type = fpage >> L4_FPAGE_TYPE_SHIFT & 3, order = fpage >> L4_FPAGE_SIZE_SHIFT & 63;
    unsigned unit = type == L4_FPAGE_MEMORY ? 0 : L4_FPAGE_ADDR_SHIFT;
    uint64_t base = (fpage & ~0xfffUL) >> unit, hot_spot = (item & ~0xfffUL) >> unit;

    r->from = from;
    r->to = to;
    r->type = type;
    r->rights = fpage & L4_FPAGE_RIGHTS_MASK;
    r->attributes = item & L4_ITEM_ATTR_MASK;
    r->grant = item & L4_MAP_ITEM_GRANT;
    r->done = 0;
    r->mapped = 0;
    if (type == L4_FPAGE_IO) {
        ports_meet(r, base, order, window_base >> unit, window_order);
    } else if (order <= window_order && window_order < L4_WHOLE_ADDRESS_SPACE &&
               type == L4_FPAGE_MEMORY) {
        /* The rule where the receiver's window is the larger one. */
        window_base = window_base >> window_order << window_order;
        hot_spot &= (1UL << window_order) - 1;
        r->src = base >> order << order;
        r->dst = window_base + (hot_spot >> order << order);
        r->order = order;
        r->empty = order < L4_PAGESHIFT || !(r->rights & L4_FPAGE_R);
    } else if (window_order < L4_WHOLE_ADDRESS_SPACE || order == L4_WHOLE_ADDRESS_SPACE) {
        meet(r, base, order, window_base >> unit, window_order, hot_spot);
    } else {
        /* The window rule where the receiver takes it wherever the sender says. */
        r->src = base >> order << order;
        r->dst = hot_spot >> order << order;
        r->order = order;
        r->empty = type == L4_FPAGE_MEMORY && (order < L4_PAGESHIFT || !(r->rights & L4_FPAGE_R));
    }
}

int map_run(struct map_request *r)
{
    if (r->empty)
        return 0;
    if (r->done == 0)
        trace_count_map();
    if (r->type == L4_FPAGE_MEMORY) {
        /* The caller may have written this flexpage over one that was done in ports or slots. */
        r->done &= L4_PAGEMASK;
        return map_memory(r);
    }
    if (r->type == L4_FPAGE_OBJ)
        return map_caps(r);
    return r->type == L4_FPAGE_IO ? map_io(r) : 0;
}

int unmap_run(struct unmap_request *u)
{
    unsigned order = fpage_order(u->fp);

    switch (fpage_type(u->fp)) {
    case L4_FPAGE_MEMORY:
        if (order < L4_PAGESHIFT)
            return 0;
        return unmap_memory(u, fpage_window(u->fp).base, order);
    case L4_FPAGE_OBJ:
        return unmap_caps(u, align_down(fpage_index(u->fp), order), order);
    case L4_FPAGE_IO:
        return unmap_io(u, align_down(fpage_index(u->fp), order), order);
    default:
        return 0;
    }
}
