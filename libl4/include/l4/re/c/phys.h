/*
 * l4/re/c/phys.h - memory by its physical address (manager `phys`; Quire's own)
 *
 * `phys` is the manager's gate: caps=phys in the boot script. The dataspaces are attached like
 * others, and end like others.
 */
#pragma once

#include <abi/protocols.h>
#include <l4/re/c/dataspace.h>

/*
 * The memory [address, address + size) of a device. flags: 0 or L4RE_PHYS_CACHED. -L4_EINVAL: not a
 * page's address; -L4_ENOMEM: it is no device's, or somebody else's; -L4_EBUSY: open already.
 */
L4_CV long l4re_phys_device(l4_cap_idx_t phys, l4_addr_t address, l4re_ds_size_t size,
                            unsigned long flags, l4re_ds_t ds);
/* Contiguous, zeroed memory, aligned to 2^align. flags: 0 or L4RE_PHYS_BELOW_4G. -L4_ENOMEM. */
L4_CV long l4re_phys_memory(l4_cap_idx_t phys, l4re_ds_size_t size, unsigned align,
                            unsigned long flags, l4re_ds_t ds);
/* The physical address of the byte at `offset`: what a device has to be told. Any dataspace whose
 * page is there has one; only continuous and pinned ones keep it. -L4_ENOENT, -L4_ERANGE. */
L4_CV long l4re_phys_address(l4re_ds_t ds, l4re_ds_offset_t offset, l4_addr_t *address);
