/*
 * l4/sys/__l4_fpage.h - making flexpages and reading them (layout: abi/fpage.h)
 */
#pragma once

#include <abi/fpage.h>
#include <abi/msg.h>

#include <l4/sys/compiler.h>
#include <l4/sys/consts.h>

#define L4_FPAGE_TYPE_MASK 0x30UL
#define L4_FPAGE_SIZE_MASK 0xfc0UL
#define L4_FPAGE_ADDR_MASK (~0xfffUL)
#define L4_FPAGE_CONTROL_MASK (~0xfffUL)
#define L4_FPAGE_CONTROL_OFFSET_SHIFT 12
#define L4_WHOLE_ADDRESS_SPACE_ORDER L4_WHOLE_ADDRESS_SPACE

L4_INLINE l4_fpage_t __l4_fpage_generic(unsigned long address, unsigned type, unsigned order,
                                        unsigned char rights)
{
    l4_fpage_t f;

    f.raw = (address & L4_FPAGE_ADDR_MASK) | ((l4_umword_t)order << L4_FPAGE_SIZE_SHIFT & 0xfc0UL) |
            ((l4_umword_t)type << L4_FPAGE_TYPE_SHIFT & 0x30UL) |
            (rights & (l4_umword_t)L4_FPAGE_RIGHTS_MASK);
    return f;
}

/* 2^order bytes of memory at `address`. */
L4_INLINE l4_fpage_t l4_fpage(l4_addr_t address, unsigned order, unsigned char rights)
{
    return __l4_fpage_generic(address, L4_FPAGE_MEMORY, order, rights);
}

/* Everything, of every type: the window of somebody who trusts the sender. */
L4_INLINE l4_fpage_t l4_fpage_all(void)
{
    return __l4_fpage_generic(0, L4_FPAGE_SPECIAL, L4_WHOLE_ADDRESS_SPACE, 0);
}

L4_INLINE l4_fpage_t l4_fpage_invalid(void)
{
    return __l4_fpage_generic(0, L4_FPAGE_SPECIAL, 0, 0);
}

/* 2^order I/O ports from `port` on. */
L4_INLINE l4_fpage_t l4_iofpage(unsigned long port, unsigned order)
{
    return __l4_fpage_generic(port << L4_FPAGE_ADDR_SHIFT, L4_FPAGE_IO, order, L4_FPAGE_RW);
}

/* 2^order capability slots from `obj` on. */
L4_INLINE l4_fpage_t l4_obj_fpage(l4_cap_idx_t obj, unsigned order, unsigned char rights)
{
    return __l4_fpage_generic(obj, L4_FPAGE_OBJ, order, rights);
}

L4_INLINE unsigned l4_fpage_rights(l4_fpage_t f)
{
    return f.raw & L4_FPAGE_RIGHTS_MASK;
}

L4_INLINE unsigned l4_fpage_type(l4_fpage_t f)
{
    return (f.raw & L4_FPAGE_TYPE_MASK) >> L4_FPAGE_TYPE_SHIFT;
}

L4_INLINE unsigned l4_fpage_size(l4_fpage_t f)
{
    return (f.raw & L4_FPAGE_SIZE_MASK) >> L4_FPAGE_SIZE_SHIFT;
}

L4_INLINE unsigned long l4_fpage_page(l4_fpage_t f)
{
    return f.raw >> L4_FPAGE_ADDR_SHIFT;
}

L4_INLINE l4_addr_t l4_fpage_memaddr(l4_fpage_t f)
{
    return f.raw & L4_FPAGE_ADDR_MASK;
}

L4_INLINE l4_cap_idx_t l4_fpage_obj(l4_fpage_t f)
{
    return f.raw & L4_FPAGE_ADDR_MASK;
}

L4_INLINE unsigned long l4_fpage_ioport(l4_fpage_t f)
{
    return f.raw >> L4_FPAGE_ADDR_SHIFT;
}

L4_INLINE l4_fpage_t l4_fpage_set_rights(l4_fpage_t src, unsigned char new_rights)
{
    src.raw = (src.raw & ~(l4_umword_t)L4_FPAGE_RIGHTS_MASK) | (new_rights & L4_FPAGE_RIGHTS_MASK);
    return src;
}

L4_INLINE int l4_is_fpage_writable(l4_fpage_t f)
{
    return l4_fpage_rights(f) & L4_FPAGE_W;
}

L4_INLINE int l4_is_fpage_valid(l4_fpage_t f)
{
    return l4_fpage_type(f) != L4_FPAGE_SPECIAL || l4_fpage_size(f) != 0;
}

/* True if 2^order bytes at addr lie within the flexpage. */
L4_INLINE int l4_fpage_contains(l4_fpage_t f, l4_addr_t addr, unsigned order)
{
    l4_addr_t start = l4_fpage_memaddr(f);

    return start <= addr && addr + (1UL << order) <= start + (1UL << l4_fpage_size(f));
}

/*
 * The largest order, at least `order` and below 31, of a flexpage around addr that lies within
 * [min_addr, max_addr) and agrees with the hot spot in all bits below; ~0 as hot spot: no growth.
 */
L4_INLINE unsigned char l4_fpage_max_order(unsigned char order, l4_addr_t addr, l4_addr_t min_addr,
                                           l4_addr_t max_addr, l4_addr_t hotspot)
{
    for (; order < 30 && hotspot != ~0UL; order++) {
        l4_addr_t low_bits = (2UL << order) - 1;
        l4_addr_t base = addr & ~low_bits;

        if (base < min_addr || base + low_bits > max_addr - 1 || ((addr ^ hotspot) & low_bits))
            break;
    }
    return order;
}

/* First word of a send item: send base, cacheability (enum l4_fpage_cacheability_opt_t), grant. */
L4_INLINE l4_umword_t l4_map_control(l4_umword_t spot, unsigned char cache, unsigned grant)
{
    return (spot & L4_FPAGE_CONTROL_MASK) | ((l4_umword_t)cache << L4_ITEM_ATTR_SHIFT) |
           L4_ITEM_MAP | grant;
}

L4_INLINE l4_umword_t l4_map_obj_control(l4_umword_t spot, unsigned grant)
{
    return l4_map_control(spot, 0, grant);
}
