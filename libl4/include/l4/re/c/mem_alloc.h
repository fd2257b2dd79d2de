/*
 * l4/re/c/mem_alloc.h - anonymous memory: a new dataspace from an allocator
 *
 * The allocator is a factory (label L4_PROTO_FACTORY): MR0 L4RE_PROTO_DATASPACE, then as typed
 * arguments size (signed), flags, alignment; BR0 the slot; the answer is one capability item.
 *
 * Quire's own flags: L4RE_MA_RESERVED sets memory and quota aside at once, for the page index, too,
 * so that no page of the dataspace can fail later. Without it both are taken at the first touch; if
 * there is none, that touch fails, and nothing else does. L4RE_MA_AHEAD(order): pages touched in
 * sequence are made and mapped up to 2^order bytes at a time.
 */
#pragma once

#include <l4/re/c/dataspace.h>
#include <l4/re/env.h>
#include <l4/sys/consts.h>

/*
 * A dataspace of `size` bytes in the slot `mem`. flags: enum l4re_ma_flags. align: order, at least
 * that of a page whatever it says, with L4RE_MA_SUPER_PAGES of a superpage. 0; -L4_ERANGE: a size
 * that is not supported; -L4_ENOMEM: over quota, or the machine is out of memory.
 */
L4_CV long l4re_ma_alloc_align_srv(l4_cap_idx_t srv, long size, l4re_ds_t const mem,
                                   unsigned long flags, unsigned long align) L4_NOTHROW;

L4_CV L4_INLINE long l4re_ma_alloc_align(long size, l4re_ds_t const mem, unsigned long flags,
                                         unsigned long align) L4_NOTHROW
{
    return l4re_ma_alloc_align_srv(l4re_global_env->mem_alloc, size, mem, flags, align);
}

L4_CV L4_INLINE long l4re_ma_alloc(long size, l4re_ds_t const mem, unsigned long flags) L4_NOTHROW
{
    return l4re_ma_alloc_align(size, mem, flags, 0);
}

/*
 * Quire's own: a dataspace `mem` with the size and the contents that `source` has now; writing to
 * one does not show in the other. The pages are shared until one of them is written to if `source`
 * has the same manager as `srv`, and copied before this returns if not. flags: enum l4re_ma_flags.
 * 0; -L4_ENOMEM; -L4_EMSGMISSARG: no source; -L4_EBUSY: too many copies from other managers are
 * under way; or the error of the source.
 */
L4_CV long l4re_ma_snapshot_srv(l4_cap_idx_t srv, l4re_ds_t source, l4re_ds_t const mem,
                                unsigned long flags) L4_NOTHROW;
L4_CV L4_INLINE long l4re_ma_snapshot(l4re_ds_t source, l4re_ds_t const mem,
                                      unsigned long flags) L4_NOTHROW
{
    return l4re_ma_snapshot_srv(l4re_global_env->mem_alloc, source, mem, flags);
}

/* Does nothing: a dataspace ends with its capability (l4re_util_cap_free_um). Kept for programs
 * that were written when it did. */
L4_CV long l4re_ma_free_srv(l4_cap_idx_t srv, l4re_ds_t const mem) L4_NOTHROW
    L4_DEPRECATED("a dataspace ends with its capability");

L4_CV long l4re_ma_free(l4re_ds_t const mem) L4_NOTHROW
    L4_DEPRECATED("a dataspace ends with its capability");
