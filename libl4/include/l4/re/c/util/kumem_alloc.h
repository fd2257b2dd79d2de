/*
 * l4/re/c/util/kumem_alloc.h - more room for UTCBs
 */
#pragma once

#include <l4/sys/compiler.h>
#include <l4/sys/types.h>

/*
 * 2^pages_order pages of kernel-user memory for `task`, at an address that `rm` (may be invalid)
 * reserves. *mem: where. 0 or -L4_E...
 */
L4_CV int l4re_util_kumem_alloc(l4_addr_t *mem, unsigned pages_order, l4_cap_idx_t task,
                                l4_cap_idx_t rm);

/* Quire: a free UTCB of this task, from its UTCB area first, or NULL. */
L4_CV struct l4_utcb_t *l4re_util_utcb_alloc(void);
L4_CV void l4re_util_utcb_free(struct l4_utcb_t *utcb);
