/*
 * growth.c - how costs grow with the number of children, siblings, pages, and with depth
 */
#include "party.h"
#include "rows.h"

#include <l4/sys/factory.h>

enum { TASKS = 1000, DEPTH = 10000, REPEATS = 5 };

#define SOURCE PLACE_SMALL
#define OTHER_SOURCE (PLACE_SMALL + L4_PAGESIZE)
#define MANY_AT (PLACE_DEST + 0x100000000UL + L4_PAGESIZE) /* the page before it stays */
#define PAGES_AT (PLACE_DEST + 0x200000000UL)
#define CHAIN_AT (PLACE_DEST + 0x10000000000UL)

static uint32_t sample[BENCH_SAMPLES], other_sample[BENCH_SAMPLES];
static l4_cap_idx_t task, third, tasks[TASKS];

static uint32_t timed_unmap(l4_cap_idx_t from, l4_addr_t at, unsigned order, l4_umword_t mask)
{
    uint32_t t = bench_start();
    l4_msgtag_t tag = l4_task_unmap(from, l4_fpage(at, order, L4_FPAGE_RWX), mask);

    t = bench_stop(t);
    bench_must(tag, "an unmap");
    return t;
}

static uint32_t timed_map(l4_cap_idx_t to, l4_cap_idx_t from, l4_addr_t src, l4_addr_t dst,
                          unsigned order)
{
    uint32_t t = bench_start();
    l4_msgtag_t tag = l4_task_map(to, from, l4_fpage(src, order, L4_FPAGE_RWX),
                                  l4_map_control(dst, 0, L4_MAP_ITEM_MAP));

    t = bench_stop(t);
    bench_must(tag, "a map");
    return t;
}

static void children_in_one_task(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        party_map(task, SOURCE, MANY_AT + i * L4_PAGESIZE, L4_PAGESHIFT);
}

static void children_in_tasks(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        party_map(tasks[i], SOURCE, MANY_AT, L4_PAGESHIFT);
}

static uint32_t unmap_with(void (*build)(unsigned), unsigned n)
{
    unsigned repeats = n > 1000 ? 1 : REPEATS;

    for (unsigned r = 0; r < repeats; r++) {
        build(n);
        sample[r] = timed_unmap(L4_BASE_TASK_CAP, SOURCE, L4_PAGESHIFT, L4_FP_OTHER_SPACES);
    }
    return bench_median(sample, repeats);
}

/* The row: what each further child costs, where it costs more. */
static void unmap_growth(void)
{
    uint32_t one[6], many[4];
    unsigned per_child, per_task, n = 1;

    for (unsigned i = 0; i < 6; i++, n *= 10) {
        one[i] = unmap_with(children_in_one_task, n);
        bench_series("unmap_children_one_task", n, one[i]);
    }
    n = 1;
    for (unsigned i = 0; i < 4; i++, n *= 10) {
        many[i] = unmap_with(children_in_tasks, n);
        bench_series("unmap_children_n_tasks", n, many[i]);
    }
    per_child = (one[3] - one[0] + 998) / 999;
    per_task = (many[3] - many[0] + 998) / 999;
    bench_row("unmap_child_one_task", per_child);
    bench_row("unmap_child_n_tasks", per_task);
    bench_row("unmap_child", per_child > per_task ? per_child : per_task);
}

static void sibling_growth(void)
{
    for (unsigned n = 1; n <= 10000; n *= 10) {
        for (unsigned r = 0; r < REPEATS; r++) {
            children_in_one_task(n);
            other_sample[r] = timed_map(third, task, MANY_AT, MANY_AT, L4_PAGESHIFT);
            party_unmap(third, MANY_AT, L4_PAGESHIFT);
            sample[r] = timed_unmap(task, MANY_AT, L4_PAGESHIFT, L4_FP_ALL_SPACES);
            party_unmap_children(SOURCE, L4_PAGESHIFT);
        }
        bench_series("lookup_unmap", n, bench_median(sample, REPEATS));
        bench_series("lookup_map", n, bench_median(other_sample, REPEATS));
    }
}

/* A chain of mappings: each from the one before it. */
static void depth_growth(void)
{
    l4_addr_t last = SOURCE;
    unsigned depth = 0;

    for (unsigned n = 1; n <= DEPTH; n *= 10) {
        for (; depth < n; depth++) {
            l4_addr_t next = CHAIN_AT + depth * L4_PAGESIZE;

            party_map(L4_BASE_TASK_CAP, last, next, L4_PAGESHIFT);
            last = next;
        }
        for (unsigned r = 0; r < REPEATS; r++) {
            sample[r] = timed_map(third, L4_BASE_TASK_CAP, last, MANY_AT, L4_PAGESHIFT);
            party_unmap(third, MANY_AT, L4_PAGESHIFT);
        }
        bench_series("chain_map", n, bench_median(sample, REPEATS));
    }
    party_unmap_children(SOURCE, L4_PAGESHIFT);
    for (unsigned n = 1; n <= DEPTH; n *= 10) {
        last = SOURCE;
        for (depth = 0; depth < n; depth++, last = CHAIN_AT + (depth - 1) * L4_PAGESIZE)
            party_map(L4_BASE_TASK_CAP, last, CHAIN_AT + depth * L4_PAGESIZE, L4_PAGESHIFT);
        bench_series("chain_unmap", n, timed_unmap(L4_BASE_TASK_CAP, SOURCE, L4_PAGESHIFT,
                                                   L4_FP_OTHER_SPACES));
    }
}

/* Flexpages of 1 .. 512 pages. */
static void page_growth(void)
{
    for (unsigned order = 12; order <= 21; order++) {
        for (unsigned r = 0; r < REPEATS; r++) {
            sample[r] = timed_map(third, L4_BASE_TASK_CAP, PLACE_SMALL, PAGES_AT, order);
            other_sample[r] = timed_unmap(L4_BASE_TASK_CAP, PLACE_SMALL, order,
                                          L4_FP_OTHER_SPACES);
        }
        bench_series("map_pages", 1U << (order - 12), bench_median(sample, REPEATS));
        bench_series("unmap_pages", 1U << (order - 12), bench_median(other_sample, REPEATS));
    }
}

void measure_growth(void)
{
    task = party_task(0);
    third = party_task(0);
    for (unsigned i = 0; i < TASKS; i++) {
        tasks[i] = party_task(0);
        party_map(tasks[i], OTHER_SOURCE, MANY_AT - L4_PAGESIZE, L4_PAGESHIFT);
    }
    party_map(task, OTHER_SOURCE, MANY_AT - L4_PAGESIZE, L4_PAGESHIFT);
    party_map(third, OTHER_SOURCE, MANY_AT - L4_PAGESIZE, L4_PAGESHIFT);
    unmap_growth();
    sibling_growth();
    depth_growth();
    page_growth();
}
