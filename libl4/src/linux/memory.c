/*
 * memory.c - mmap and its kin: dataspaces of the task's memory allocator
 *
 * Y1  A mapping is one region of the region manager; what is not in our list was mapped by others
 *     (the program's image, its stack, what it attached itself) and is refused.
 * Y2  A dataspace lives as long as a mapping shows a part of it.
 */
#include "linux.h"

#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/consts.h>
#include <src/lock.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct backing {
    l4re_ds_t ds;
    unsigned mappings;
};

struct mapping {
    struct mapping *next;
    l4_addr_t start, end;
    l4_addr_t offset; /* of start in the dataspace */
    struct backing *backing;
    l4re_rm_flags_t rights;
};

static struct mapping *mappings;
static struct lock lock;

static l4re_rm_flags_t rights_of(l4_umword_t prot)
{
    return (prot & PROT_READ ? L4RE_RM_F_R : 0) | (prot & PROT_WRITE ? L4RE_RM_F_RW : 0) |
           (prot & PROT_EXEC ? L4RE_RM_F_RX : 0);
}

/* [start, start + size) rounded to pages, or false: not on a page, empty, or no such addresses. */
static bool range_get(l4_addr_t start, l4_umword_t size, l4_addr_t *end)
{
    if (size == 0 || (start & (L4_PAGESIZE - 1)) || size > L4_USER_END ||
        start > L4_USER_END - size)
        return false;
    *end = l4_round_page(start + size);
    return true;
}

/* ---------------------------------------------------------------- with the lock held */

static void mapping_add(struct mapping *m)
{
    m->next = mappings;
    mappings = m;
    m->backing->mappings++;
}

static void mapping_remove(struct mapping *m)
{
    struct mapping **p = &mappings;

    while (*p != m)
        p = &(*p)->next;
    *p = m->next;
    if (--m->backing->mappings == 0) {
        l4re_util_cap_free_um(m->backing->ds);
        free(m->backing);
    }
    free(m);
}

static struct mapping *mapping_at(l4_addr_t start, l4_addr_t end)
{
    struct mapping *m = mappings;

    while (m && (m->end <= start || m->start >= end))
        m = m->next;
    return m;
}

static long region_attach(l4_addr_t *start, l4_addr_t size, l4re_rm_flags_t flags, l4re_ds_t ds,
                          l4_addr_t offset)
{
    void *at = (void *)*start;
    long err = l4re_rm_attach(&at, size, flags, ds, offset, L4_PAGESHIFT);

    *start = (l4_addr_t)at;
    return err == -L4_EADDRNOTAVAIL ? -EEXIST : err ? -ENOMEM : 0;
}

/* Cut m at `at`, which lies in it: it ends there, a new mapping begins. The region stays whole: the
 * region manager cuts it when a part is detached. */
static long mapping_cut(struct mapping *m, l4_addr_t at)
{
    struct mapping *rest = malloc(sizeof(*rest));

    if (!rest)
        return -ENOMEM;
    *rest = *m;
    rest->start = at;
    rest->offset += at - m->start;
    m->end = at;
    mapping_add(rest);
    return 0;
}

/* Afterwards no mapping reaches over `start` or `end`. */
static long mappings_cut(l4_addr_t start, l4_addr_t end)
{
    const l4_addr_t cuts[] = {start, end};

    for (unsigned i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        struct mapping *m = mapping_at(cuts[i] - 1, cuts[i] + 1);

        while (m && !(m->start < cuts[i] && cuts[i] < m->end))
            m = m->next;
        if (m && mapping_cut(m, cuts[i]))
            return -ENOMEM;
    }
    return 0;
}

static long region_detach(const struct mapping *m)
{
    return l4re_rm_detach_range_srv(l4re_env()->rm, m->start, m->end - m->start,
                                    L4RE_RM_DETACH_EXACT | L4RE_RM_DETACH_KEEP, NULL,
                                    L4_BASE_TASK_CAP);
}

static long range_unmap(l4_addr_t start, l4_addr_t end)
{
    struct mapping *m = mapping_at(start, end);

    if (!m)
        return -EINVAL;
    if (mappings_cut(start, end))
        return -ENOMEM;
    while ((m = mapping_at(start, end)) != NULL) {
        if (region_detach(m) < 0)
            return -ENOMEM;
        mapping_remove(m);
    }
    return 0;
}

/* New memory at *start, or at any place if it is 0. */
static long range_map(l4_addr_t *start, l4_umword_t size, l4re_rm_flags_t rights)
{
    struct mapping *m = malloc(sizeof(*m));
    struct backing *b = malloc(sizeof(*b));
    l4re_ds_t ds = l4re_util_cap_alloc();
    l4re_rm_flags_t search = *start ? 0 : L4RE_RM_F_SEARCH_ADDR;
    long err = -ENOMEM;

    if (m && b && l4_is_valid_cap(ds) && l4re_ma_alloc((long)size, ds, 0) >= 0) {
        err = region_attach(start, size, rights | search, ds, 0);
        if (!err) {
            *b = (struct backing){ds, 0};
            *m = (struct mapping){NULL, *start, *start + size, 0, b, rights};
            mapping_add(m);
            return 0;
        }
        l4re_util_cap_free_um(ds);
    } else {
        l4re_util_cap_free(ds);
    }
    free(b);
    free(m);
    return err;
}

/* ---------------------------------------------------------------- the calls */

long linux_mmap(const struct linux_frame *f)
{
    l4_addr_t start = 0, end;
    long err = 0;

    if (!range_get(f->r10 & MAP_FIXED ? f->rdi : 0, f->rsi, &end))
        return f->rsi == 0 || (f->rdi & (L4_PAGESIZE - 1)) ? -EINVAL : -ENOMEM;
    if (!(f->r10 & MAP_ANONYMOUS))
        return -ENODEV;
    if ((f->r10 & MAP_FIXED) && f->rdi == 0)
        return -EPERM;
    lock_take(&lock);
    if (f->r10 & MAP_FIXED) {
        start = f->rdi;
        err = mapping_at(start, end) ? range_unmap(start, end) : 0;
    }
    if (!err)
        err = range_map(&start, end - (f->r10 & MAP_FIXED ? f->rdi : 0), rights_of(f->rdx));
    lock_drop(&lock);
    return err ? err : (long)start;
}

long linux_munmap(const struct linux_frame *f)
{
    l4_addr_t end;
    long err;

    if (!range_get(f->rdi, f->rsi, &end))
        return -EINVAL;
    lock_take(&lock);
    err = mapping_at(f->rdi, end) ? 0 : -EINVAL;
    lock_drop(&lock);
    if (err || linux_unmap_later(f->rdi, f->rsi))
        return err;
    linux_reap();
    lock_take(&lock);
    err = range_unmap(f->rdi, end);
    lock_drop(&lock);
    return err;
}

/* The same pages with other rights: they are attached anew, and come again when touched. */
static long mapping_protect(struct mapping *m, l4re_rm_flags_t rights)
{
    l4_addr_t start = m->start;
    l4_addr_t size = m->end - m->start;

    if (m->rights == rights)
        return 0;
    if (region_detach(m) < 0)
        return -ENOMEM;
    if (region_attach(&start, size, rights, m->backing->ds, m->offset) == 0) {
        m->rights = rights;
        return 0;
    }
    /* The place is still there, and so is the node that the region manager had for it. */
    if (region_attach(&start, size, m->rights, m->backing->ds, m->offset) != 0)
        mapping_remove(m);
    return -ENOMEM;
}

/* All of [start, end) is ours. */
static bool range_ours(l4_addr_t start, l4_addr_t end)
{
    while (start < end) {
        struct mapping *m = mapping_at(start, start + 1);

        if (!m)
            return false;
        start = m->end;
    }
    return true;
}

long linux_mprotect(const struct linux_frame *f)
{
    l4_addr_t end;
    long err;

    if (!range_get(f->rdi, f->rsi, &end))
        return f->rsi == 0 && !(f->rdi & (L4_PAGESIZE - 1)) ? 0 : -EINVAL;
    lock_take(&lock);
    err = range_ours(f->rdi, end) ? mappings_cut(f->rdi, end) : -ENOMEM;
    for (struct mapping *m = mappings, *next; m && !err; m = next) {
        next = m->next;
        if (m->start < end && f->rdi < m->end)
            err = mapping_protect(m, rights_of(f->rdx));
    }
    lock_drop(&lock);
    return err;
}

/* Memory that is not needed reads as zero afterwards; other advice changes nothing. */
long linux_madvise(const struct linux_frame *f)
{
    l4_addr_t end;
    long err = 0;

    if (!range_get(f->rdi, f->rsi, &end))
        return f->rsi == 0 && !(f->rdi & (L4_PAGESIZE - 1)) ? 0 : -EINVAL;
    lock_take(&lock);
    if (!range_ours(f->rdi, end))
        err = -ENOMEM;
    for (struct mapping *m = mappings; m && !err && f->rdx == MADV_DONTNEED; m = m->next) {
        l4_addr_t from = m->start > f->rdi ? m->start : f->rdi;
        l4_addr_t to = m->end < end ? m->end : end;

        if (from < to && l4re_ds_clear(m->backing->ds, m->offset + (from - m->start), to - from))
            err = -ENOMEM;
    }
    lock_drop(&lock);
    return err;
}

/* Smaller in place; larger only by moving, which copies. */
long linux_mremap(const struct linux_frame *f)
{
    l4_addr_t old_end, new_end, to = 0;
    struct mapping *m;
    long err;

    if (!range_get(f->rdi, f->rsi, &old_end) || !range_get(f->rdi, f->rdx, &new_end) ||
        (f->r10 & ~(l4_umword_t)MREMAP_MAYMOVE))
        return -EINVAL;
    lock_take(&lock);
    m = mapping_at(f->rdi, f->rdi + 1);
    err = !m || !range_ours(f->rdi, old_end) ? -EFAULT : 0;
    if (!err && new_end < old_end)
        err = range_unmap(new_end, old_end);
    if (!err && new_end > old_end) {
        err = f->r10 & MREMAP_MAYMOVE ? range_map(&to, new_end - f->rdi, m->rights | L4RE_RM_F_RW)
                                      : -ENOMEM;
        if (!err && linux_copy((void *)to, (const void *)f->rdi, old_end - f->rdi)) {
            range_unmap(to, to + (new_end - f->rdi));
            err = -EFAULT;
        }
        if (!err)
            range_unmap(f->rdi, old_end);
    }
    lock_drop(&lock);
    return err ? err : (long)(to ? to : f->rdi);
}
