/*
 * l4/sigma0/sigma0.h - memory from the root pager
 *
 * Addresses of memory are physical. Errors are -enum l4sigma0_return_flags_t, as in L4Re.
 */
#pragma once

#include <abi/protocols.h>

#include <l4/sys/compiler.h>
#include <l4/sys/kip.h>
#include <l4/sys/types.h>

#define SIGMA0_IS_MAGIC_REQ(d1) (((d1) & ~0xffUL) == ~0xffUL)
#define SIGMA0_REQ(x) (~0xffUL + SIGMA0_REQ_ID_##x)
#define SIGMA0_REQ_FPAGE_RAM SIGMA0_REQ(FPAGE_RAM)
#define SIGMA0_REQ_FPAGE_IOMEM SIGMA0_REQ(FPAGE_IOMEM)
#define SIGMA0_REQ_FPAGE_IOMEM_CACHED SIGMA0_REQ(FPAGE_IOMEM_CACHED)
#define SIGMA0_REQ_FPAGE_ANY SIGMA0_REQ(FPAGE_ANY)
#define SIGMA0_REQ_KIP SIGMA0_REQ(KIP)
#define SIGMA0_REQ_DEBUG_DUMP SIGMA0_REQ(DEBUG_DUMP)

enum l4sigma0_return_flags_t {
    L4SIGMA0_OK,
    L4SIGMA0_NOTALIGNED,
    L4SIGMA0_IPCERROR,
    L4SIGMA0_NOFPAGE,
    L4SIGMA0_4,
    L4SIGMA0_5,
    L4SIGMA0_SMALLERFPAGE,
};

/* Into the window of 2^log2_size bytes at addr; where it is mapped, or NULL. */
L4_CV l4_kernel_info_t *l4sigma0_map_kip(l4_cap_idx_t sigma0, void *addr, unsigned log2_size);

/* [phys, phys + size) to virt, all whole pages. Superpages where phys and virt allow. */
L4_CV int l4sigma0_map_mem(l4_cap_idx_t sigma0, l4_addr_t phys, l4_addr_t virt, l4_addr_t size);
L4_CV int l4sigma0_map_iomem(l4_cap_idx_t sigma0, l4_addr_t phys, l4_addr_t virt, l4_addr_t size,
                             int cached);

/*
 * Any 2^sz bytes of free memory into the window of 2^log2_map_size bytes at map_area. *base: its
 * physical address.
 */
L4_CV int l4sigma0_map_anypage(l4_cap_idx_t sigma0, l4_addr_t map_area, unsigned log2_map_size,
                               l4_addr_t *base, unsigned sz);

L4_CV void l4sigma0_debug_dump(l4_cap_idx_t sigma0);

/* Text of an error of the functions above. */
L4_CV char const *l4sigma0_map_errstr(int err);
