/*
 * main.c - what memory and a start cost a program under the usual system, in instructions
 *
 * A fault goes from the kernel to this task's region manager, from there to the dataspace manager
 * anon, and back. What is measured is marked for the plugin, too.
 */
#include "mark.h"

#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/starter.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/sys/consts.h>
#include <l4/sys/task.h>
#include <l4/util/rdtsc.h>

#include <stdlib.h>

enum { COUNT = 61, MiB = 1 << 20, TOUCH_MIB = 64, SMALL_BLOCK = 64, LARGE_BLOCK = MiB };

static uint32_t sample[BENCH_SAMPLES], other_sample[BENCH_SAMPLES];

static l4re_ds_t dataspace(unsigned long size, unsigned long flags)
{
    l4re_ds_t ds = l4re_util_cap_alloc();
    long err = l4re_ma_alloc((long)size, ds, flags);

    if (err < 0)
        bench_fail("a dataspace", err);
    return ds;
}

static volatile char *attach(l4re_ds_t ds, unsigned long size, unsigned char align)
{
    void *at = NULL;
    long err = l4re_rm_attach(&at, size, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW, ds, 0, align);

    if (err < 0)
        bench_fail("attaching", err);
    return at;
}

static void release(volatile char *at)
{
    l4re_ds_t ds;
    long err = l4re_rm_detach_ds((void *)at, &ds);

    if (err < 0)
        bench_fail("detaching", err);
    l4re_util_cap_free_um(ds);
}

static uint32_t touch(volatile char *page)
{
    uint32_t t = bench_start();

    *page = 1;
    return bench_stop(t);
}

/* Our mapping of a page goes; the dataspace manager keeps its own. */
static void forget(volatile char *page)
{
    bench_must(l4_task_unmap(L4RE_THIS_TASK_CAP,
                             l4_fpage((l4_addr_t)page, L4_PAGESHIFT, L4_FPAGE_RWX),
                             L4_FP_ALL_SPACES), "unmapping a page");
}

/* Pages of one dataspace one after another: first never seen, then taken from us only. */
static void faults(void)
{
    enum { FIRST = 64 };
    unsigned long size = (FIRST + COUNT + 1) * L4_PAGESIZE;
    volatile char *at = attach(dataspace(size, 0), size, L4_SUPERPAGESHIFT);

    for (unsigned i = 0; i < FIRST; i++)
        touch(at + i * L4_PAGESIZE);
    for (unsigned i = 0; i < COUNT; i++) {
        MARK_BEGIN(REGION_fault_2_fresh);
        sample[i] = touch(at + (FIRST + i) * L4_PAGESIZE);
        MARK_END(REGION_fault_2_fresh);
    }
    bench_row("fault_2_fresh_median", bench_median(sample, COUNT));
    for (unsigned i = 0; i < COUNT; i++) {
        volatile char *page = at + (FIRST + i) * L4_PAGESIZE;

        forget(page);
        MARK_BEGIN(REGION_fault_2_refault);
        sample[i] = touch(page);
        MARK_END(REGION_fault_2_refault);
    }
    bench_row("fault_2_refault", bench_median(sample, COUNT));
    release(at);
}

/* Fresh pages again, but with what comes once for many of them: more memory from sigma0, page
 * tables, the clearing of both. The mean is the honest figure. */
static void fresh_faults(void)
{
    enum { PAGES = 1024 };
    unsigned long size = PAGES * L4_PAGESIZE, sum = 0;
    volatile char *at = attach(dataspace(size, 0), size, L4_SUPERPAGESHIFT);

    for (unsigned i = 0; i < PAGES; i++)
        sum += touch(at + i * L4_PAGESIZE);
    bench_row("fault_2_fresh", (sum + PAGES - 1) / PAGES);
    release(at);
}

static void regions(void)
{
    l4re_ds_t ds = dataspace(L4_PAGESIZE, 0);

    for (unsigned i = 0; i < COUNT; i++) {
        void *at = NULL;
        uint32_t t;
        long err;

        MARK_BEGIN(REGION_rm_attach);
        t = bench_start();
        err = l4re_rm_attach(&at, L4_PAGESIZE, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW, ds, 0,
                             L4_PAGESHIFT);
        sample[i] = bench_stop(t);
        MARK_END(REGION_rm_attach);
        if (err < 0)
            bench_fail("attaching a page", err);
        MARK_BEGIN(REGION_rm_detach);
        t = bench_start();
        err = l4re_rm_detach(at);
        other_sample[i] = bench_stop(t);
        MARK_END(REGION_rm_detach);
        if (err < 0)
            bench_fail("detaching a page", err);
    }
    bench_row("rm_attach", bench_median(sample, COUNT));
    bench_row("rm_detach", bench_median(other_sample, COUNT));
}

/* Pages that a snapshot shares are written to, some of which have been read there: the medians of
 * such faults. */
static void copies(void)
{
    enum { FIRST = 64, PASSES = 9, PAGES = FIRST + 2 * (COUNT + PASSES) };
    unsigned long size = PAGES * L4_PAGESIZE;
    l4re_ds_t ds = dataspace(size, 0), snapshot = l4re_util_cap_alloc();
    volatile char *at = attach(ds, size, L4_SUPERPAGESHIFT), *copy, *page;
    long err;

    for (unsigned i = 0; i < PAGES; i++)
        touch(at + i * L4_PAGESIZE);
    err = l4re_ma_snapshot(ds, snapshot, 0);
    if (err < 0)
        bench_fail("a snapshot", err);
    copy = page = attach(snapshot, size, L4_SUPERPAGESHIFT);
    for (unsigned i = 0; i < FIRST; i++, page += L4_PAGESIZE)
        touch(page);
    for (unsigned i = 0; i < COUNT; i++, page += L4_PAGESIZE)
        sample[i] = touch(page);
    bench_row("fault_cow", bench_median(sample, COUNT));
    MARKED(REGION_fault_cow, PASSES, *page = 1, page += L4_PAGESIZE);
    for (unsigned i = 0; i < COUNT + PASSES; i++)
        (void)page[i * L4_PAGESIZE];
    for (unsigned i = 0; i < COUNT; i++, page += L4_PAGESIZE)
        sample[i] = touch(page);
    bench_row("fault_cow_read", bench_median(sample, COUNT));
    MARKED(REGION_fault_cow_read, PASSES, *page = 1, page += L4_PAGESIZE);
    release(copy);
    release(at);
}

/* The first touch of 64 MiB, in sequence, with all that happens on the way. */
static void sequence(const char *row, unsigned long flags)
{
    unsigned long size = (unsigned long)TOUCH_MIB * MiB;
    volatile char *at = attach(dataspace(size, flags), size, L4_SUPERPAGESHIFT);
    uint32_t t = bench_start();

    for (unsigned long off = 0; off < size; off += L4_PAGESIZE)
        at[off] = 1;
    bench_row(row, bench_stop(t) / TOUCH_MIB);
    release(at);
}

/* From the word to the root task that starts a program until the program is somewhere: it says when
 * that is (../empty/main.c). */
static void start(const char *row)
{
    long status = 0;

    for (int i = 0; i < 2 && status == 0; i++) { /* the second time counts */
        printf("since %s %lu\n", row, l4_rdtsc());
        status = l4re_starter_run(l4re_env_get_cap("starter"), row);
    }
    if (status != 0)
        bench_fail(row, status);
}

static void starts(void)
{
    start("program_start");
    start("program_exit");
    start("start_small");
    start("exit_small");
}

/* The same in a short sequence with map-ahead, marked for the plugin. */
static void marked(void)
{
    unsigned long size = 4 * MiB;
    volatile char *at = attach(dataspace(size, L4RE_MA_AHEAD(18)), size, L4_SUPERPAGESHIFT);

    MARKED(REGION_touch_ahead, 1,
           for (unsigned long off = 0; off < size; off += L4_PAGESIZE) at[off] = 1,);
    release(at);
}

/* malloc() and free() of a block, with memory at hand: the median of pairs. */
static void blocks(const char *row, size_t size)
{
    for (unsigned i = 0; i < COUNT; i++) {
        uint32_t t = bench_start();
        void *volatile block = malloc(size);

        free(block);
        sample[i] = bench_stop(t);
        if (!block)
            bench_fail(row, -1);
    }
    bench_row(row, bench_median(sample, COUNT));
}

int main(void)
{
    bench_print_regions();
    bench_calibrate();
    starts(); /* before the memory manager has much to clear */
    faults();
    fresh_faults();
    regions();
    copies();
    sequence("touch_4k", 0);
    sequence("touch_ahead", L4RE_MA_AHEAD(18));
    sequence("touch_2m", L4RE_MA_SUPER_PAGES);
    blocks("malloc_free", SMALL_BLOCK);
    blocks("malloc_free_large", LARGE_BLOCK);
    marked();
    bench_calibrate();
    return 0;
}
