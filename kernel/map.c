/*
 * map.c - a flexpage on its way: decode, choose the kind, go through it in bounded pieces
 */
#include "map.h"

#include <common/fpage.h>

#include "kassert.h"
#include "trace.h"

static unsigned space_order(unsigned type)
{
    return type == L4_FPAGE_IO ? L4_WHOLE_IOADDRESS_SPACE : L4_WHOLE_ADDRESS_SPACE;
}

void map_request_init(struct map_request *r, struct task *from, struct task *to, uint64_t item,
                      uint64_t fpage, uint64_t window_base, unsigned window_order)
{
    l4_fpage_t fp = {fpage};
    bool memory = fpage_type(fp) == L4_FPAGE_MEMORY;
    unsigned unit = memory ? 0 : L4_FPAGE_ADDR_SHIFT;
    struct meeting m = fpage_meet(fpage_addr(fp) >> unit, fpage_order(fp), window_base >> unit,
                                  window_order, (item & ~0xfffUL) >> unit);

    *r = (struct map_request){
        .from = from,
        .to = to,
        .src = m.src,
        .dst = m.dst,
        .type = fpage_type(fp),
        .order = m.order,
        .rights = fpage_rights(fp),
        .attributes = item & L4_ITEM_ATTR_MASK,
        .grant = item & L4_MAP_ITEM_GRANT,
    };
    r->empty = memory && (m.order < L4_PAGESHIFT || !(r->rights & L4_FPAGE_R));
    if (m.order > space_order(r->type))
        r->order = space_order(r->type);
}

int map_run(struct map_request *r)
{
    int err = 0;

    if (r->empty)
        return 0;
    if (r->type == L4_FPAGE_MEMORY)
        err = map_memory(r);
    else if (r->type == L4_FPAGE_OBJ)
        err = map_caps(r);
    if (err != MAP_PREEMPTED)
        trace_count_map();
    return err;
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
    default:
        return 0;
    }
}
