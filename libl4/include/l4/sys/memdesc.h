/*
 * l4/sys/memdesc.h - the memory descriptors behind the kernel information page
 *
 * Start and end share their words with a type: pages, so 10 or 12 low bits are free.
 */
#pragma once

#include <l4/sys/kip.h>

L4_INLINE l4_kernel_info_mem_desc_t *l4_kernel_info_get_mem_descs(l4_kernel_info_t const *kip)
{
    return (l4_kernel_info_mem_desc_t *)((l4_addr_t)kip + (kip->mem_info >> 32));
}

L4_INLINE unsigned l4_kernel_info_get_num_mem_descs(l4_kernel_info_t const *kip)
{
    return (unsigned)kip->mem_info;
}

L4_INLINE l4_umword_t l4_kernel_info_get_mem_desc_start(l4_kernel_info_mem_desc_t const *md)
{
    return md->l & ~0x3ffUL;
}

/* The last byte. */
L4_INLINE l4_umword_t l4_kernel_info_get_mem_desc_end(l4_kernel_info_mem_desc_t const *md)
{
    return md->h | 0x3ffUL;
}

L4_INLINE l4_umword_t l4_kernel_info_get_mem_desc_type(l4_kernel_info_mem_desc_t const *md)
{
    return md->l & 0xf;
}

L4_INLINE l4_umword_t l4_kernel_info_get_mem_desc_subtype(l4_kernel_info_mem_desc_t const *md)
{
    return md->l >> 4 & 0xf;
}

L4_INLINE l4_umword_t l4_kernel_info_get_mem_desc_is_virtual(l4_kernel_info_mem_desc_t const *md)
{
    return md->l & 0x200;
}

L4_INLINE void l4_kernel_info_set_mem_desc(l4_kernel_info_mem_desc_t *md, l4_addr_t start,
                                           l4_addr_t end, unsigned type, unsigned virt,
                                           unsigned sub_type)
{
    md->l = (start & ~0x3ffUL) | (type & 0xf) | (sub_type & 0xf) << 4 | (virt ? 0x200 : 0);
    md->h = end;
}
