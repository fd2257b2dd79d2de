/*
 * l4/sys/consts.h - constants of the interface, and rounding
 */
#pragma once

#include <abi/msg.h>
#include <abi/protocols.h>
#include <abi/types.h>

#include <stddef.h>

#include <l4/sys/compiler.h>
#include <l4/sys/l4int.h>

#define L4_CAP_SIZE L4_CAP_OFFSET

enum l4_sched_consts_t { L4_SCHED_MIN_PRIO = 1, L4_SCHED_MAX_PRIO = 255 };

enum l4_buffer_desc_consts_t {
    L4_BDR_MEM_SHIFT = 0,
    L4_BDR_IO_SHIFT = 5,
    L4_BDR_OBJ_SHIFT = 10,
    L4_BDR_OFFSET_MASK = (1UL << 20) - 1,
};

#define L4_INVALID_ADDR (~0UL)
#define L4_INVALID_PTR ((void *)L4_INVALID_ADDR)

/* Round down or up to pages, or to 2^bits. */
L4_INLINE l4_addr_t l4_trunc_page(l4_addr_t address)
{
    return address & L4_PAGEMASK;
}

L4_INLINE l4_addr_t l4_trunc_size(l4_addr_t address, unsigned char bits)
{
    return address & (~0UL << bits);
}

L4_INLINE l4_addr_t l4_round_page(l4_addr_t address)
{
    return (address + L4_PAGESIZE - 1) & L4_PAGEMASK;
}

L4_INLINE l4_addr_t l4_round_size(l4_addr_t value, unsigned char bits)
{
    return (value + (1UL << bits) - 1) & (~0UL << bits);
}

/* Words needed for `size` bytes. */
L4_INLINE unsigned l4_bytes_to_mwords(unsigned size)
{
    return (size + sizeof(l4_umword_t) - 1) / sizeof(l4_umword_t);
}
