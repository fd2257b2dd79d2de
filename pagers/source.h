/*
 * source.h - inside the framework: reading a page of another manager's dataspace
 */
#pragma once

#include <abi/types.h>

/*
 * Make the page of dataspace `ds` at `offset` readable: *at. One at a time; source_unmap() ends it.
 * 0, -L4_EIO: the manager answered, but mapped nothing, or its error, or the IPC's.
 */
long source_map(l4_cap_idx_t ds, l4_umword_t offset, const char **at);

/* 0, or -L4_EIO: the page was taken away meanwhile, and what has been read of it is worth nothing.
 */
long source_unmap(void);

/* Its size in bytes, or an error like those of source_map(). */
long source_size(l4_cap_idx_t ds, l4_umword_t *size);
