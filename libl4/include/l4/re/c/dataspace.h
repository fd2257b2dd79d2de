/*
 * l4/re/c/dataspace.h - containers of pages, as their clients see them
 *
 * Messages to a dataspace (label L4RE_PROTO_DATASPACE); the label of the answer is 0 or -L4_E...:
 *
 *   operation   MR0  MR1       MR2        MR3    item               answer
 *   map          0   offset    hot spot   flags                     one map item
 *   clear        1   offset    size
 *   info         2                                                  MR0 size, MR1 flags
 *   copy_in      3   dst       src        size   source dataspace
 *   allocate     4   offset    size
 *
 * Sizes and offsets are bytes. Map: the receive window in the buffer registers says where pages may
 * go; the hot spot (here always the offset itself) says which part is meant when manager's flexpage
 * and window differ in size. Out of range: -L4_ERANGE; writing without the right: map -L4_EPERM,
 * clear and copy_in -L4_EACCESS.
 *
 * A copy from another manager's dataspace takes a second message: the first is answered with
 * -L4_EAGAIN and a gate, and the copy is done when that is called (l4re_copy_call() does both).
 */
#pragma once

#include <abi/protocols.h>

#include <l4/sys/types.h>
#include <l4/sys/utcb.h>

typedef l4_cap_idx_t l4re_ds_t;
typedef l4_uint64_t l4re_ds_size_t;
typedef l4_uint64_t l4re_ds_offset_t;
typedef l4_uint64_t l4re_ds_map_addr_t;
typedef unsigned long l4re_ds_flags_t; /* enum l4re_ds_flags */

enum { L4RE_DS_F_CACHEABLE = L4RE_DS_F_NORMAL, L4RE_DS_F_CACHING_SHIFT = 4 };

typedef struct {
    l4re_ds_size_t size;
    l4re_ds_flags_t flags; /* what this capability allows */
} l4re_ds_stats_t;

/*
 * Map the page at `offset` to local_addr, and as much around it as manager and alignment allow
 * within [min_addr, max_addr). 0 or -L4_E...; -L4_EINVAL: local_addr is not in the range;
 * -L4_EFAULT: the manager answered, but mapped nothing.
 */
L4_CV int l4re_ds_map(l4re_ds_t ds, l4re_ds_offset_t offset, l4re_ds_flags_t flags,
                      l4re_ds_map_addr_t local_addr, l4re_ds_map_addr_t min_addr,
                      l4re_ds_map_addr_t max_addr) L4_NOTHROW;

/* Map all pages from `offset` on to [min_addr, max_addr). On an error those before stay mapped. */
L4_CV int l4re_ds_map_region(l4re_ds_t ds, l4re_ds_offset_t offset, l4re_ds_flags_t flags,
                             l4re_ds_map_addr_t min_addr, l4re_ds_map_addr_t max_addr) L4_NOTHROW;

/* [offset, offset + size) reads as zero afterwards. */
L4_CV long l4re_ds_clear(l4re_ds_t ds, l4re_ds_offset_t offset, l4re_ds_size_t size) L4_NOTHROW;

/* Have the memory for [offset, offset + size) at hand: later faults there cannot run out of it. */
L4_CV long l4re_ds_allocate(l4re_ds_t ds, l4re_ds_offset_t offset, l4re_ds_size_t size) L4_NOTHROW;

L4_CV int l4re_ds_copy_in(l4re_ds_t ds, l4re_ds_offset_t dst_offs, l4re_ds_t src,
                          l4re_ds_offset_t src_offs, l4re_ds_size_t size) L4_NOTHROW;

/* Bytes; 0 on an error. */
L4_CV l4re_ds_size_t l4re_ds_size(l4re_ds_t ds) L4_NOTHROW;

/* enum l4re_ds_flags; 0 on an error. */
L4_CV l4re_ds_flags_t l4re_ds_flags(l4re_ds_t ds) L4_NOTHROW;

L4_CV int l4re_ds_info(l4re_ds_t ds, l4re_ds_stats_t *stats) L4_NOTHROW;

/*
 * Quire's own: send a message that asks for a copy (`tag`; its words are in the UTCB already), and
 * call the gate that comes with -L4_EAGAIN. `slot` is for that gate; afterwards it has the
 * capability that the last answer brought, if any. 0 or the error; -L4_EBUSY: too many copies are
 * under way, of this account or of all.
 */
L4_CV long l4re_copy_call(l4_cap_idx_t server, l4_msgtag_t tag, l4_cap_idx_t slot,
                          l4_utcb_t *utcb) L4_NOTHROW;
