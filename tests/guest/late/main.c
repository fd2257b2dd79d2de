/*
 * late/main.c - pages of the program first, the memory allocator late: what that saves
 */
#include "balance.h"
#include "tap.h"

#include <l4/re/c/starter.h>
#include <l4/sys/consts.h>
#include <l4/util/ram.h>

#include <stdlib.h>
#include <string.h>

enum { PROGRAMS = 50, WRONG = 255 };

static l4_ram_stats_t stats(void)
{
    l4_ram_stats_t s;

    l4_ram_stats(&s);
    return s;
}

/* ---------------------------------------------------------------- the pool */

static bool zero(const char *page, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (page[i] != 0)
            return false;
    return true;
}

static void exhaust(void)
{
    static char *pages[L4_RAM_POOL_PAGES + 2];
    unsigned long before = stats().pool_pages, n = L4_RAM_POOL_PAGES - before;
    int bad = 0;

    for (unsigned long i = 0; i < n; i++) {
        pages[i] = l4_ram_alloc(1 + i % L4_PAGESIZE, 1);
        bad += !pages[i] || ((l4_addr_t)pages[i] & (L4_PAGESIZE - 1)) || !zero(pages[i], 4096);
        memset(pages[i], 1, L4_PAGESIZE);
    }
    tap_eq(bad, 0, "requests up to a page get all 256 pages, zeroed");
    tap_eq((long)stats().service_requests, 0, "and nobody was asked");
    pages[n] = l4_ram_alloc(1, 1);
    tap_ok(pages[n] && zero(pages[n], L4_PAGESIZE) && stats().service_requests == 1 &&
           stats().messages == 4, "one more comes from the allocator, by two calls");
    tap_eq(l4_ram_free(pages[n], 1), 0, "and goes back there");
    tap_eq((long)stats().service_bytes, 0, "with all its bytes");
    for (unsigned long i = 0; i < n; i++)
        bad += l4_ram_free(pages[i], 1 + i % L4_PAGESIZE) != 0;
    tap_eq(bad + (long)stats().pool_pages, (long)before, "all pages are free again");
    pages[0] = l4_ram_alloc(L4_PAGESIZE, 0);
    tap_ok(zero(pages[0], L4_PAGESIZE), "a page that was used comes zeroed");
    l4_ram_free(pages[0], L4_PAGESIZE);
}

static void runs(void)
{
    unsigned long asked = stats().service_requests;
    char *run = l4_ram_alloc(16 * L4_PAGESIZE, 16 * L4_PAGESIZE), *large, *wide;

    tap_ok(run && !((l4_addr_t)run & 0xffff) && stats().service_requests == asked,
           "a run of 16 pages is the program's own");
    large = l4_ram_alloc(16 * L4_PAGESIZE + 1, 0);
    wide = l4_ram_alloc(1, 1 << 20);
    tap_ok(large && wide && !((l4_addr_t)wide & 0xfffff) && stats().service_requests == asked + 2,
           "a larger one, or a wider alignment, is the allocator's");
    tap_eq(l4_ram_free(run, 17 * L4_PAGESIZE), -L4_EINVAL, "more than a run holds is not freed");
    tap_eq(l4_ram_free(run + 1, 1), -L4_EINVAL, "nor from the middle of a page");
    tap_eq(l4_ram_free(large, L4_PAGESIZE), -L4_EINVAL, "nor a part of what the allocator gave");
    tap_eq(l4_ram_free((void *)0x654321000, 1), -L4_EINVAL, "nor what is nobody's");
    tap_eq(l4_ram_free(run, 16 * L4_PAGESIZE), 0, "a run is freed");
    tap_eq(l4_ram_free(run, 16 * L4_PAGESIZE), -L4_EINVAL, "but not twice");
    tap_ok(!l4_ram_free(large, 17 * L4_PAGESIZE) && !l4_ram_free(wide, 1) && !l4_ram_free(NULL, 1),
           "all is given back");
    tap_ok(!l4_ram_alloc(0, 0) && !l4_ram_alloc(~0UL, 0) && !l4_ram_alloc(1UL << 63, 0) &&
           !l4_ram_alloc(1, 3) && !l4_ram_alloc(1, 1UL << 63), "there is no such memory");
}

/* 16 TiB are 2^32 pages: a number of pages does not fit into 32 bits. */
static void huge(void)
{
    const l4_addr_t tebi_16 = 1UL << 44;
    unsigned long pool = stats().pool_requests;
    void *large = l4_ram_alloc(tebi_16 + 1, 0), *wide = l4_ram_alloc(1, tebi_16);

    tap_eq(l4_ram_free(large, tebi_16 + 1), 0, "of more than 16 TiB there is all, or nothing");
    tap_ok(!((l4_addr_t)wide & (tebi_16 - 1)), "an alignment of 16 TiB is kept");
    tap_eq((long)(stats().pool_requests - pool), 0, "and neither is looked for in the pool");
    l4_ram_free(wide, 1);
}

/* ---------------------------------------------------------------- fifty programs */

static long starts(const char *program)
{
    long sum = 0;

    for (int i = 0; i < PROGRAMS; i++) {
        long status = l4re_starter_run(l4re_env_get_cap("starter"), program);

        if (status <= 0 || status == WRONG)
            return -1;
        sum += status;
    }
    return sum;
}

static void programs(void)
{
    struct balance before;
    long early, late;

    early = 4 * starts("early_messages");
    late = 4 * starts("late_messages");
    printf("# %d programs: %ld messages early, %ld late\n", PROGRAMS, early, late);
    tap_ok(late > 0 && early - late >= PROGRAMS * 30, "late switching saves 30 messages a start");
    early = 4 * starts("early_bytes");
    late = 4 * starts("late_bytes");
    printf("# %d programs: %ld KiB early, %ld KiB late\n", PROGRAMS, early, late);
    tap_ok(late > 0 && late < early, "and memory");
    /* By now every page of ours has been touched, and the servers have what they keep. */
    before = balance_look();
    starts("early_bytes");
    starts("late_bytes");
    tap_ok(balance_same(before, balance_look()), "all memory is as before");
}

int main(void)
{
    exhaust();
    runs();
    huge();
    programs();
    return tap_done();
}
