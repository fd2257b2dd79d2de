/*
 * map.c - l4_task_map and l4_task_unmap
 *
 * The receiver is another task. A neighbour of the measured page stays mapped there, so the rows
 * of one page do without making page tables; those of 4 MiB make them.
 */
#include "party.h"
#include "rows.h"

enum { COUNT = 21, SIBLINGS = 1000, REBUILDS = 7 };

#define MAP_AT (PLACE_DEST + 7 * L4_PAGESIZE)
#define NEIGHBOUR_AT (MAP_AT - L4_PAGESIZE)
#define SIBLINGS_AT (PLACE_DEST + 0x40000000UL + L4_PAGESIZE)
#define SOURCE PLACE_SMALL
#define OTHER_SOURCE (PLACE_SMALL + L4_PAGESIZE)

static uint32_t map_sample[BENCH_SAMPLES], unmap_sample[BENCH_SAMPLES];
static l4_cap_idx_t task, third;

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

static uint32_t timed_unmap(l4_cap_idx_t from, l4_addr_t at, unsigned order, l4_umword_t mask)
{
    uint32_t t = bench_start();
    l4_msgtag_t tag = l4_task_unmap(from, l4_fpage(at, order, L4_FPAGE_RWX), mask);

    t = bench_stop(t);
    bench_must(tag, "an unmap");
    return t;
}

/* Map and take back, again and again; medians under both names. */
static void pair(const char *map, const char *unmap, l4_addr_t src, l4_addr_t dst, unsigned order)
{
    for (unsigned i = 0; i < COUNT; i++) {
        map_sample[i] = timed_map(task, L4_BASE_TASK_CAP, src, dst, order);
        unmap_sample[i] = timed_unmap(L4_BASE_TASK_CAP, src, order, L4_FP_OTHER_SPACES);
    }
    bench_row(map, bench_median(map_sample, COUNT));
    bench_row(unmap, bench_median(unmap_sample, COUNT));
}

/* Superpages where small pages have been before, in both halves. */
static void pair_after_small(void)
{
    l4_addr_t at = PLACE_DEST + 0x80000000UL;

    for (unsigned i = 0; i < COUNT; i++) {
        party_map(task, SOURCE, at, L4_PAGESHIFT);
        party_map(task, SOURCE, at + L4_SUPERPAGESIZE + 5 * L4_PAGESIZE, L4_PAGESHIFT);
        party_unmap(task, at, PLACE_ORDER);
        map_sample[i] = timed_map(task, L4_BASE_TASK_CAP, PLACE_BIG, at, PLACE_ORDER);
        /* The pages of PLACE_SMALL are children too, but not the receiver's. */
        unmap_sample[i] = timed_unmap(task, at, PLACE_ORDER, L4_FP_ALL_SPACES);
    }
    bench_row("map_4m_2m_after", bench_median(map_sample, COUNT));
    bench_row("unmap_4m_2m_after", bench_median(unmap_sample, COUNT));
}

static void superpages(void)
{
    l4_addr_t at = PLACE_DEST + 0xc0000000UL;

    for (unsigned i = 0; i < COUNT; i++) {
        map_sample[i] = timed_map(task, L4_BASE_TASK_CAP, PLACE_BIG, at, PLACE_ORDER);
        unmap_sample[i] = timed_unmap(task, at, PLACE_ORDER, L4_FP_ALL_SPACES);
    }
    bench_row("map_4m_2m", bench_median(map_sample, COUNT));
    bench_row("unmap_4m_2m", bench_median(unmap_sample, COUNT));
}

/* The oldest of n children of one page: unmapping it, and mapping from it. */
static void oldest(unsigned n, const char *unmap, const char *map)
{
    for (unsigned r = 0; r < REBUILDS; r++) {
        for (unsigned i = 0; i < n; i++)
            party_map(task, SOURCE, SIBLINGS_AT + i * L4_PAGESIZE, L4_PAGESHIFT);
        map_sample[r] = timed_map(third, task, SIBLINGS_AT, MAP_AT, L4_PAGESHIFT);
        party_unmap(third, MAP_AT, L4_PAGESHIFT);
        unmap_sample[r] = timed_unmap(task, SIBLINGS_AT, L4_PAGESHIFT, L4_FP_ALL_SPACES);
        party_unmap_children(SOURCE, L4_PAGESHIFT);
    }
    bench_row(unmap, bench_median(unmap_sample, REBUILDS));
    bench_row(map, bench_median(map_sample, REBUILDS));
}

void measure_maps(void)
{
    task = party_task(0);
    third = party_task(0);
    party_map(task, OTHER_SOURCE, NEIGHBOUR_AT, L4_PAGESHIFT);
    party_map(third, OTHER_SOURCE, NEIGHBOUR_AT, L4_PAGESHIFT);
    party_map(task, OTHER_SOURCE, SIBLINGS_AT - L4_PAGESIZE, L4_PAGESHIFT);

    pair("map_4k", "unmap_1", SOURCE, MAP_AT, L4_PAGESHIFT);
    pair("map_4k_tables", "unmap_1_tables", SOURCE, PLACE_DEST << 1, L4_PAGESHIFT);
    oldest(1, "lookup_1", "lookup_1_map");
    oldest(SIBLINGS, "lookup_1000", "lookup_1000_map");
    party_unmap(task, NEIGHBOUR_AT, L4_PAGESHIFT);
    pair("map_4m_4k", "unmap_4m_4k", PLACE_SMALL, PLACE_DEST, PLACE_ORDER);
    superpages();
    pair_after_small();
}
