/*
 * l4/re/c/rm.h - the region manager of a task: attach dataspaces, detach, find, set areas aside
 *
 * Messages to a region manager (label L4RE_PROTO_RM). The label of the answer is the result, 0 or
 * above, or -L4_E...; sizes are bytes, alignments orders:
 *
 *   operation     MR0  MR1      MR2   MR3    MR4     MR5    item  answer
 *   attach         0   start    size  flags  offset  align  ds    MR0 start
 *   detach         1   address  size  how                         MR0 start, MR1 size, MR2 ds
 *   find           2   address  size  [1]                         MR0 start, MR1 size, MR2 offset,
 *                                                                 MR3 flags, MR4 ds [item ds]
 *   reserve_area   3   start    size  flags  align                MR0 start
 *   free_area      4   address
 *   get_regions    5   from                                       MR0 n, n * (start, size, flags)
 *   get_areas      6   from                                       MR0 n, n * (start, size, flags)
 *   get_info       7   address                                    MR0 offset, MR1..3 name
 *   show_lists     8                                              (on the log)
 *   set_handler    9                                     [irq]
 *   get_faults    10   behind                                     MR0 n, n * (id, address | access,
 *                                                                 instruction pointer, label)
 *   answer_fault  11   id       error
 *   set_foreign   16   entry    copy                              (common/foreign.h)
 *   no_fault      17   gs       begin                             (l4/util/ahead.h)
 *
 * `ds` in a message word is a capability index in the region manager's task: who shares that task
 * can use it; another asks find with MR3 = 1 (L4RE_RM_FIND_CAP) and a receive buffer for the item.
 * A reserved region is attached without item. `how`: enum l4re_rm_detach_flags, or
 * L4RE_RM_DETACH_NO_UNMAP.
 */
#pragma once

#include <abi/protocols.h>

#include <l4/re/c/dataspace.h>
#include <l4/re/env.h>

enum l4re_rm_flags_values {
    L4RE_RM_F_NO_ALIAS = 0x200,
    L4RE_RM_F_CACHING = L4RE_DS_F_CACHING_MASK,
    L4RE_RM_F_CACHE_NORMAL = L4RE_DS_F_NORMAL,
    L4RE_RM_F_CACHE_BUFFERED = L4RE_DS_F_BUFFERABLE,
    L4RE_RM_F_CACHE_UNCACHED = L4RE_DS_F_UNCACHEABLE,
    L4RE_RM_CACHING_SHIFT = 4,
    L4RE_RM_REGION_FLAGS = 0xffff,
    L4RE_RM_F_ATTACH_FLAGS = 0x1f0000,
};

/* Quire's own, in the messages above. */
enum {
    L4RE_RM_SHOW_LISTS_OP = 8,
    L4RE_RM_SET_HANDLER_OP = 9,
    L4RE_RM_GET_FAULTS_OP = 10,
    L4RE_RM_ANSWER_FAULT_OP = 11,
    L4RE_RM_SET_FOREIGN_OP = 16,
    L4RE_RM_NO_FAULT_OP = 17,
    L4RE_RM_FIND_CAP = 1,
    L4RE_RM_DETACH_NO_UNMAP = 0x100,
};

typedef l4_uint32_t l4re_rm_flags_t; /* enum l4re_rm_flags_t */
typedef l4_uint64_t l4re_rm_offset_t;

/*
 * Set [*start, *start + size) aside: nothing is attached there but with L4RE_RM_F_IN_AREA, and with
 * L4RE_RM_F_RESERVED in `flags` nothing at all. L4RE_RM_F_SEARCH_ADDR: the first free place from
 * *start on, which is returned. 0, -L4_EADDRNOTAVAIL, -L4_EINVAL, -L4_ENOMEM.
 */
L4_CV int l4re_rm_reserve_area_srv(l4_cap_idx_t rm, l4_addr_t *start, unsigned long size,
                                   l4re_rm_flags_t flags, unsigned char align) L4_NOTHROW;

/* The area that holds `addr` is none any more; regions in it stay. -L4_ENOENT: there is none. */
L4_CV int l4re_rm_free_area_srv(l4_cap_idx_t rm, l4_addr_t addr) L4_NOTHROW;

/*
 * Make `size` bytes (rounded up to pages) of the dataspace from `offs` on visible at *start
 * (rounded down), with the rights in `flags`. L4RE_RM_F_SEARCH_ADDR: at the first free place from
 * *start on, aligned to 2^align; the place is returned; *start 0: from QUIRE_ATTACH_MIN on.
 * L4RE_RM_F_IN_AREA: in the area that holds *start.
 * L4RE_RM_F_EAGER_MAP: all pages at once; if one cannot be had, nothing is attached.
 * L4RE_RM_F_RESERVED: no dataspace, every access is an error.
 * 0; -L4_EADDRNOTAVAIL: occupied, out of range, no place; -L4_ENOENT: no dataspace, no area;
 * -L4_EPERM: more rights than the dataspace gives; -L4_EINVAL: size 0, unknown flags; -L4_ENOMEM.
 */
L4_CV int l4re_rm_attach_srv(l4_cap_idx_t rm, void **start, unsigned long size,
                             l4re_rm_flags_t flags, l4re_ds_t mem, l4re_rm_offset_t offs,
                             unsigned char align) L4_NOTHROW;

/*
 * Detach the region that holds `addr`, and unmap its pages from the region manager's task before
 * this returns; in `task` too, if that is another one; nowhere if it is L4_INVALID_CAP. *ds (may be
 * NULL): the dataspace. 0 (L4RE_RM_DETACHED_DS) or -L4_E...; -L4_ENOENT: no region there.
 */
L4_CV int l4re_rm_detach_srv(l4_cap_idx_t rm, l4_addr_t addr, l4re_ds_t *ds,
                             l4_cap_idx_t task) L4_NOTHROW;

/*
 * Detach a range (Quire's own name for what L4Re has in C++ only): `how` is L4RE_RM_DETACH_EXACT,
 * for what of the first region lies in [addr, addr + size), or L4RE_RM_DETACH_OVERLAP, for all of
 * that region. Result: enum l4re_rm_detach_results, with L4RE_RM_DETACH_AGAIN if another region
 * meets the range.
 */
L4_CV int l4re_rm_detach_range_srv(l4_cap_idx_t rm, l4_addr_t addr, unsigned long size,
                                   unsigned long how, l4re_ds_t *ds, l4_cap_idx_t task) L4_NOTHROW;

/*
 * The first region that meets [*addr, *addr + *size): its start, size, offset, flags and dataspace.
 * If there is none but an area: that, with L4RE_RM_F_IN_AREA in *flags. -L4_ENOENT: neither.
 */
L4_CV int l4re_rm_find_srv(l4_cap_idx_t rm, l4_addr_t *addr, unsigned long *size,
                           l4re_rm_offset_t *offset, l4re_rm_flags_t *flags,
                           l4re_ds_t *m) L4_NOTHROW;

/* Name (at most `len` bytes with its zero; empty: none) and offset of the region at `addr`. */
L4_CV int l4re_rm_get_info_srv(l4_cap_idx_t rm, l4_addr_t addr, char *name, unsigned int len,
                               l4re_rm_offset_t *backing_offset) L4_NOTHROW;

/*
 * Quire's own: where threads of the region manager's task go on after a system call that is not
 * L4's, and where the one instruction lies that may fail (common/foreign.h). -L4_EINVAL: no user
 * address.
 */
L4_CV int l4re_rm_set_foreign_srv(l4_cap_idx_t rm, l4_addr_t entry, l4_addr_t copy) L4_NOTHROW;

/* All regions and areas, on the log. */
L4_CV void l4re_rm_show_lists_srv(l4_cap_idx_t rm) L4_NOTHROW;

/* One region or area of a list. */
typedef struct l4re_rm_range_t {
    l4_addr_t start;
    unsigned long size;
    unsigned long flags;
} l4re_rm_range_t;

/* The first regions (areas) that end behind `from`, at most `n` and at most 20: how many. */
L4_CV long l4re_rm_get_regions_srv(l4_cap_idx_t rm, l4_addr_t from, l4re_rm_range_t *list,
                                   unsigned n) L4_NOTHROW;
L4_CV long l4re_rm_get_areas_srv(l4_cap_idx_t rm, l4_addr_t from, l4re_rm_range_t *list,
                                 unsigned n) L4_NOTHROW;

/* Call `f` for each region in the order of addresses until it returns something else than 0, which
 * is then the result. Others may attach and detach meanwhile. */
L4_CV long l4re_rm_each_srv(l4_cap_idx_t rm, long (*f)(const l4re_rm_range_t *r, void *arg),
                            void *arg) L4_NOTHROW;

/*
 * The fault handler of the whole map: `irq`, an interrupt object or a semaphore, is triggered when
 * a thread faults where no region is, or against a region's rights. The thread waits; whoever waits
 * for `irq` looks (get_faults) and attaches something there, which wakes exactly the threads that
 * it serves, or refuses (answer_fault). L4_INVALID_CAP: no handler any more; the threads that wait
 * are refused, as everybody is without a handler, or when `irq` has been deleted. 0; -L4_ENOENT:
 * there is no `irq`, who was the handler is it still; -L4_ENOMEM.
 */
L4_CV long l4re_rm_set_fault_handler_srv(l4_cap_idx_t rm, l4_cap_idx_t irq) L4_NOTHROW;

typedef struct l4re_rm_pending_t {
    unsigned long id; /* grows */
    l4_addr_t addr;
    unsigned long access; /* enum l4_page_fault_bits */
    l4_addr_t ip;
    unsigned long label; /* of the gate that the thread has as its pager */
} l4re_rm_pending_t;

/* Faults that wait, in their order, with ids larger than `behind`; at most `n`, and at most 15: how
 * many. Those of threads that have been deleted are gone. */
L4_CV long l4re_rm_get_faults_srv(l4_cap_idx_t rm, unsigned long behind, l4re_rm_pending_t *list,
                                  unsigned n) L4_NOTHROW;

/* `error` 0: look at the fault again; -L4_E...: refuse it. -L4_ENOENT: it does not wait. */
L4_CV long l4re_rm_answer_fault_srv(l4_cap_idx_t rm, unsigned long id, long error) L4_NOTHROW;

/* The same of the own task. */
L4_CV L4_INLINE int l4re_rm_reserve_area(l4_addr_t *start, unsigned long size,
                                         l4re_rm_flags_t flags, unsigned char align) L4_NOTHROW
{
    return l4re_rm_reserve_area_srv(l4re_global_env->rm, start, size, flags, align);
}

L4_CV L4_INLINE int l4re_rm_free_area(l4_addr_t addr) L4_NOTHROW
{
    return l4re_rm_free_area_srv(l4re_global_env->rm, addr);
}

L4_CV L4_INLINE int l4re_rm_attach(void **start, unsigned long size, l4re_rm_flags_t flags,
                                   l4re_ds_t mem, l4re_rm_offset_t offs,
                                   unsigned char align) L4_NOTHROW
{
    return l4re_rm_attach_srv(l4re_global_env->rm, start, size, flags, mem, offs, align);
}

L4_CV L4_INLINE int l4re_rm_detach(void *addr) L4_NOTHROW
{
    return l4re_rm_detach_srv(l4re_global_env->rm, (l4_addr_t)addr, NULL, L4_BASE_TASK_CAP);
}

L4_CV L4_INLINE int l4re_rm_detach_ds(void *addr, l4re_ds_t *ds) L4_NOTHROW
{
    return l4re_rm_detach_srv(l4re_global_env->rm, (l4_addr_t)addr, ds, L4_BASE_TASK_CAP);
}

L4_CV L4_INLINE int l4re_rm_detach_unmap(l4_addr_t addr, l4_cap_idx_t task) L4_NOTHROW
{
    return l4re_rm_detach_srv(l4re_global_env->rm, addr, NULL, task);
}

L4_CV L4_INLINE int l4re_rm_detach_ds_unmap(void *addr, l4re_ds_t *ds,
                                            l4_cap_idx_t task) L4_NOTHROW
{
    return l4re_rm_detach_srv(l4re_global_env->rm, (l4_addr_t)addr, ds, task);
}

L4_CV L4_INLINE int l4re_rm_find(l4_addr_t *addr, unsigned long *size, l4re_rm_offset_t *offset,
                                 l4re_rm_flags_t *flags, l4re_ds_t *m) L4_NOTHROW
{
    return l4re_rm_find_srv(l4re_global_env->rm, addr, size, offset, flags, m);
}

L4_CV L4_INLINE int l4re_rm_get_info(l4_addr_t addr, char *name, unsigned int len,
                                     l4re_rm_offset_t *backing_offset) L4_NOTHROW
{
    return l4re_rm_get_info_srv(l4re_global_env->rm, addr, name, len, backing_offset);
}

L4_CV L4_INLINE int l4re_rm_set_foreign(l4_addr_t entry, l4_addr_t copy) L4_NOTHROW
{
    return l4re_rm_set_foreign_srv(l4re_global_env->rm, entry, copy);
}

L4_CV L4_INLINE void l4re_rm_show_lists(void) L4_NOTHROW
{
    l4re_rm_show_lists_srv(l4re_global_env->rm);
}

L4_CV L4_INLINE long l4re_rm_each(long (*f)(const l4re_rm_range_t *r, void *arg),
                                  void *arg) L4_NOTHROW
{
    return l4re_rm_each_srv(l4re_global_env->rm, f, arg);
}

L4_CV L4_INLINE long l4re_rm_set_fault_handler(l4_cap_idx_t irq) L4_NOTHROW
{
    return l4re_rm_set_fault_handler_srv(l4re_global_env->rm, irq);
}

L4_CV L4_INLINE long l4re_rm_get_faults(unsigned long behind, l4re_rm_pending_t *list,
                                        unsigned n) L4_NOTHROW
{
    return l4re_rm_get_faults_srv(l4re_global_env->rm, behind, list, n);
}

L4_CV L4_INLINE long l4re_rm_answer_fault(unsigned long id, long error) L4_NOTHROW
{
    return l4re_rm_answer_fault_srv(l4re_global_env->rm, id, error);
}
