/*
 * pages.c - pages for a program: its own first, the memory allocator late
 *
 * R1  Bit n of `used`: page n of the pool is given out. Bit n of `dirty`: it was once, so it is
 *     cleared before it is given out again. The others were never touched and read as zero.
 * R2  Single pages are taken from the end of the pool, runs of pages from its beginning.
 * R3  What the allocator gave is one dataspace, attached as one region.
 */
#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/consts.h>
#include <l4/sys/err.h>
#include <l4/util/ram.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lock.h"

enum { PAGES = L4_RAM_POOL_PAGES, RUN_MAX = L4_RAM_POOL_LARGEST * L4_PAGESIZE, BITS = 64 };
enum { CALL = 2, SERVICE_ALLOC = 2 * CALL, SERVICE_FREE = 2 * CALL }; /* messages */

static char pool[PAGES][L4_PAGESIZE] __attribute__((aligned(RUN_MAX)));
static unsigned long used[PAGES / BITS], dirty[PAGES / BITS];
static l4_ram_stats_t stats;
static struct lock lock;

static bool is_set(const unsigned long *bits, unsigned n)
{
    return bits[n / BITS] >> n % BITS & 1;
}

static bool early(void)
{
    static int known; /* 1 early, 2 late */
    const char *word;

    if (!known) {
        word = getenv("L4_RAM");
        known = word && strcmp(word, "early") == 0 ? 1 : 2;
    }
    return known == 1;
}

/* ---------------------------------------------------------------- the pool, with the lock held */

static bool run_free(unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++)
        if (is_set(used, i))
            return false;
    return true;
}

static int run_find(unsigned count, unsigned align)
{
    if (count == 1 && align == 1) {
        for (int n = PAGES - 1; n >= 0; n--)
            if (!is_set(used, (unsigned)n))
                return n;
        return -1;
    }
    for (unsigned n = 0; n + count <= PAGES; n += align)
        if (run_free(n, count))
            return (int)n;
    return -1;
}

static void *pool_alloc(size_t size, size_t align)
{
    unsigned count = (unsigned)(size / L4_PAGESIZE);
    int first = -1;

    if (size <= RUN_MAX && align <= RUN_MAX && !early())
        first = run_find(count, (unsigned)(align / L4_PAGESIZE));
    if (first < 0)
        return NULL;
    for (unsigned n = (unsigned)first; n < (unsigned)first + count; n++) {
        if (is_set(dirty, n))
            memset(pool[n], 0, L4_PAGESIZE);
        used[n / BITS] |= 1UL << n % BITS;
        dirty[n / BITS] |= 1UL << n % BITS;
    }
    stats.pool_requests++;
    stats.pool_pages += count;
    stats.messages_saved += SERVICE_ALLOC;
    stats.bytes_saved += size;
    return pool[first];
}

static int pool_free(unsigned first, unsigned count)
{
    for (unsigned n = first; n < first + count; n++)
        if (n >= PAGES || !is_set(used, n))
            return -L4_EINVAL;
    for (unsigned n = first; n < first + count; n++)
        used[n / BITS] &= ~(1UL << n % BITS);
    stats.pool_pages -= count;
    stats.messages_saved += SERVICE_FREE;
    return 0;
}

/* ---------------------------------------------------------------- the allocator */

static void *service_alloc(size_t size, unsigned order)
{
    l4re_ds_t ds = l4re_util_cap_alloc();
    void *base = NULL;

    if (l4_is_invalid_cap(ds))
        return NULL;
    if (l4re_ma_alloc((long)size, ds, 0) < 0) {
        l4re_util_cap_free(ds);
        return NULL;
    }
    if (l4re_rm_attach(&base, size, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW, ds, 0,
                       (unsigned char)order) < 0) {
        l4re_util_cap_free_um(ds);
        return NULL;
    }
    return base;
}

static int service_free(void *p, size_t size)
{
    l4_addr_t start = (l4_addr_t)p;
    unsigned long region = 1;
    l4re_rm_offset_t offset;
    l4re_rm_flags_t flags;
    l4re_ds_t ds;

    if (l4re_rm_find(&start, &region, &offset, &flags, &ds) < 0 || start != (l4_addr_t)p ||
        region != size || l4re_rm_detach(p) < 0)
        return -L4_EINVAL;
    l4re_util_cap_free_um(ds);
    return 0;
}

/* ---------------------------------------------------------------- both */

void *l4_ram_alloc(size_t size, size_t align)
{
    void *p;

    if (size == 0 || size > L4_USER_END || align > L4_USER_END || (align & (align - 1)))
        return NULL;
    size = l4_round_page(size);
    align = align < L4_PAGESIZE ? L4_PAGESIZE : align;
    lock_take(&lock);
    p = pool_alloc(size, align);
    lock_drop(&lock);
    if (p)
        return p;
    p = service_alloc(size, (unsigned)__builtin_ctzl(align));
    lock_take(&lock);
    stats.messages += SERVICE_ALLOC;
    stats.service_requests += p != NULL;
    stats.service_bytes += p ? size : 0;
    lock_drop(&lock);
    return p;
}

int l4_ram_free(void *p, size_t size)
{
    l4_addr_t at = (l4_addr_t)p - (l4_addr_t)pool;
    int err;

    if (!p)
        return 0;
    if (((l4_addr_t)p & (L4_PAGESIZE - 1)) || size == 0 || size > L4_USER_END)
        return -L4_EINVAL;
    size = l4_round_page(size);
    if (at >= sizeof(pool)) {
        err = service_free(p, size);
        lock_take(&lock);
        stats.messages += SERVICE_FREE;
        stats.service_bytes -= err ? 0 : size;
        lock_drop(&lock);
        return err;
    }
    lock_take(&lock);
    err = size <= sizeof(pool) ? pool_free((unsigned)(at / L4_PAGESIZE),
                                           (unsigned)(size / L4_PAGESIZE))
                               : -L4_EINVAL;
    lock_drop(&lock);
    return err;
}

void l4_ram_stats(l4_ram_stats_t *out)
{
    lock_take(&lock);
    *out = stats;
    lock_drop(&lock);
}
