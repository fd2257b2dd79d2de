/*
 * source.h - inside the framework: what a stranger's dataspace is asked
 *
 * An answer may take five seconds. Then there is an error.
 */
#pragma once

#include <abi/types.h>

/* Pages of others are seen here, one for each copier: above all RAM, which is mapped 1:1. */
#define SOURCE_WINDOW 0x7e0000000000UL

/*
 * Copy `size` bytes at `offset`, which lie in one page, to `to`. They are read at `window`, where
 * nothing is mapped afterwards. 0, -L4_EIO: the manager answered, but mapped nothing, or its error,
 * or the IPC's.
 */
long source_read(l4_cap_idx_t ds, l4_umword_t offset, l4_addr_t window, void *to, l4_umword_t size);

/* Its size in bytes, or an error like those of source_read(). */
long source_size(l4_cap_idx_t ds, l4_umword_t *size);
