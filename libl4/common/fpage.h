/*
 * common/fpage.h - flexpages: making, reading, cutting; the rule of the two windows
 *
 * Used by the kernel and by every server, so that both sides agree by construction. Pure
 * functions: no memory, no assembly.
 */
#pragma once

#include <abi/fpage.h>
#include <stdbool.h>

#define FPAGE_WHOLE_SPACE 63u /* an order */

static inline l4_fpage_t fpage_make(unsigned type, l4_umword_t addr, unsigned order,
                                    unsigned rights)
{
    l4_fpage_t f;

    f.raw = (addr & ~0xfffUL) | order << L4_FPAGE_SIZE_SHIFT | type << L4_FPAGE_TYPE_SHIFT | rights;
    return f;
}

static inline l4_fpage_t fpage_mem(l4_addr_t addr, unsigned order, unsigned rights)
{
    return fpage_make(L4_FPAGE_MEMORY, addr, order, rights);
}

static inline unsigned fpage_rights(l4_fpage_t f)
{
    return f.raw & L4_FPAGE_RIGHTS_MASK;
}

static inline unsigned fpage_type(l4_fpage_t f)
{
    return f.raw >> L4_FPAGE_TYPE_SHIFT & 3;
}

static inline unsigned fpage_order(l4_fpage_t f)
{
    return f.raw >> L4_FPAGE_SIZE_SHIFT & 63;
}

/* Bits 12..: a memory address, or a port or slot number << 12. Not aligned to the order. */
static inline l4_umword_t fpage_addr(l4_fpage_t f)
{
    return f.raw & ~0xfffUL;
}

/* A port or slot number. */
static inline l4_umword_t fpage_index(l4_fpage_t f)
{
    return f.raw >> L4_FPAGE_ADDR_SHIFT;
}

static inline l4_umword_t align_down(l4_umword_t x, unsigned order)
{
    return order > 63 ? 0 : x >> order << order;
}

/* [0, 2^order) as a mask; order 63 and above is the whole space. */
static inline l4_umword_t order_mask(unsigned order)
{
    return order >= FPAGE_WHOLE_SPACE ? ~0UL : (1UL << order) - 1;
}

/* What a flexpage names: [base, base + 2^order), base aligned; order 63: base 0, everything. */
struct window {
    l4_umword_t base;
    unsigned order;
};

static inline struct window fpage_window(l4_fpage_t f)
{
    unsigned order = fpage_order(f);
    struct window w = {fpage_addr(f) & ~order_mask(order), order};

    return w;
}

/* The parts of a send and a receive window that meet: src + i is seen at dst + i, i < 2^order. */
struct meeting {
    l4_umword_t src;
    l4_umword_t dst;
    unsigned order;
};

/*
 * The window rule. Units are bytes, ports or slots alike; bases need not be aligned to their
 * orders. The smaller window lies in the larger one where the hot spot says; of the hot spot only
 * the bits below the larger order count. Both orders 63: everything, at 0.
 */
struct meeting fpage_meet(l4_umword_t send_base, unsigned send_order, l4_umword_t rcv_base,
                          unsigned rcv_order, l4_umword_t hot_spot);
