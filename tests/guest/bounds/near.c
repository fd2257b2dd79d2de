/*
 * bounds/near.c - what is near the last page is found without a search, and neighbours go together
 *
 * Each sentence compares two ways to do as much, in instructions: pages of one table after each
 * other, and pages of two tables by turns, so that the other one was always looked at last.
 */
#include "bounds.h"

#include <l4/util/rdtsc.h>

enum { CALLS = 16, ROUNDS = 4, BASE = L4_BASE_TASK_CAP };

#define TABLE (1UL << 21)
#define SMALL 0x500000000000UL  /* small pages of ours, in two tables */
#define PLACE 0x510000000000UL  /* and of the other task's */

static l4_cap_idx_t other;

/* In which of two tables the n-th call is, and at which of its pages. */
static l4_addr_t turn(unsigned n, bool far)
{
    return (far ? n % 2 * TABLE : 0) + n * L4_PAGESIZE;
}

static void map_page(l4_addr_t from, l4_addr_t to)
{
    l4_task_map(other, BASE, l4_fpage(from, L4_PAGESHIFT, L4_FPAGE_RW), l4_map_control(to, 0, 0));
}

static void unmap(l4_cap_idx_t task, l4_addr_t at, unsigned order, l4_umword_t mask)
{
    l4_task_unmap(task, l4_fpage(at, order, L4_FPAGE_RWX), mask);
}

/* Each table has a page that stays. */
static void prepare(void)
{
    other = task_new();
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned n = 0; n < 128; n++)
            l4_task_map(BASE, BASE,
                        l4_fpage(memory + n * L4_PAGESIZE, L4_PAGESHIFT, L4_FPAGE_RW),
                        l4_map_control(SMALL + i * TABLE + n * L4_PAGESIZE, 0, 0));
        map_page(memory, PLACE + i * TABLE + 511 * L4_PAGESIZE);
    }
}

static void to_tables(unsigned n, bool far)
{
    map_page(memory, PLACE + turn(n, far));
}

static void from_tables(unsigned n, bool far)
{
    map_page(SMALL + turn(n, far), PLACE + n * L4_PAGESIZE);
}

static void from_superpages(unsigned n, bool far)
{
    map_page((far && n % 2 ? memory2 : memory) + n * L4_PAGESIZE, PLACE + n * L4_PAGESIZE);
}

static void take_children(unsigned n, bool far)
{
    unmap(BASE, SMALL + turn(n, far), L4_PAGESHIFT, L4_FP_OTHER_SPACES);
}

static void take_pages(unsigned n, bool far)
{
    unmap(other, PLACE + turn(n, far), L4_PAGESHIFT, L4_FP_ALL_SPACES);
}

typedef void call(unsigned n, bool far);

static l4_uint64_t cost(call *before, call *measured, bool far)
{
    l4_uint64_t least = ~0UL;

    for (unsigned round = 0; round < ROUNDS; round++) {
        l4_uint64_t began, took;

        unmap(other, PLACE, 20, L4_FP_ALL_SPACES);
        unmap(other, PLACE + TABLE, 20, L4_FP_ALL_SPACES);
        for (unsigned n = 0; before && n < CALLS; n++)
            before(n, far);
        began = l4_rdtsc();
        for (unsigned n = 0; n < CALLS; n++)
            measured(n, far);
        took = l4_rdtsc() - began;
        least = took < least ? took : least;
    }
    return least;
}

/* Far costs [least, most] per cent of near: a search is saved, and is no more than a search. */
static void compare(const char *what, call *before, call *measured, unsigned least, unsigned most)
{
    l4_uint64_t near, far;

    prepare();
    near = cost(before, measured, false);
    far = cost(before, measured, true);
    printf("# %s: near %lu, far %lu\n", what, near / CALLS, far / CALLS);
    expect(100 * far >= least * near && 100 * far <= most * near);
    unmap(BASE, SMALL, 22, L4_FP_ALL_SPACES);
}

static void near_maps(void)
{
    compare("to a table", NULL, to_tables, 105, 118);
    compare("from a table", NULL, from_tables, 105, 118);
    compare("from a superpage", NULL, from_superpages, 105, 118);
}

static void child_of(unsigned n, bool far)
{
    map_page(SMALL + turn(n, far), PLACE + n * L4_PAGESIZE);
}

static void near_unmaps(void)
{
    compare("the only child", child_of, take_children, 140, 160);
    compare("a page itself", to_tables, take_pages, 140, 160);
}

/* ---- neighbours ---- */

enum { ORDER = 6, PAGES = 1 << ORDER };

static void whole_window(l4_addr_t from, unsigned order)
{
    l4_task_map(other, BASE, l4_fpage(from, order, L4_FPAGE_RW), l4_map_control(PLACE, 0, 0));
}

/* Instructions for a flexpage of 2^order bytes: to map it, to take it from the other task, or
 * to take it back. */
static void cost_of_window(l4_addr_t from, unsigned order, l4_uint64_t took[3])
{
    l4_uint64_t at[6];

    took[0] = took[1] = took[2] = ~0UL;
    for (unsigned round = 0; round < ROUNDS; round++) {
        at[0] = l4_rdtsc();
        whole_window(from, order);
        at[1] = l4_rdtsc();
        unmap(other, PLACE, order, L4_FP_ALL_SPACES);
        at[2] = l4_rdtsc();
        whole_window(from, order);
        at[3] = l4_rdtsc();
        unmap(BASE, from, order, L4_FP_OTHER_SPACES);
        at[4] = l4_rdtsc();
        took[0] = at[1] - at[0] < took[0] ? at[1] - at[0] : took[0];
        took[1] = at[2] - at[1] < took[1] ? at[2] - at[1] : took[1];
        took[2] = at[4] - at[3] < took[2] ? at[4] - at[3] : took[2];
    }
}

/*
 * One page alone, two, and many: what is asked for most has a way of its own, and those behind the
 * first page of many cost a third of it at most.
 */
static void compare_windows(const char *where, l4_addr_t from, unsigned kinds)
{
    static const char *const what[] = {"map", "unmap of all", "unmap of others"};
    l4_uint64_t one[3], two[3], many[3];

    cost_of_window(from, L4_PAGESHIFT, one);
    cost_of_window(from, L4_PAGESHIFT + 1, two);
    cost_of_window(from, L4_PAGESHIFT + ORDER, many);
    for (unsigned k = 0; k < kinds; k++) {
        l4_uint64_t more = (many[k] - two[k]) / (PAGES - 2);

        printf("# %s, %s: one page %lu, two %lu, each further one %lu\n", what[k], where, one[k],
               two[k], more);
        expect(one[k] + more < two[k]);
        expect(3 * more < one[k]);
    }
}

static void together(void)
{
    prepare();
    compare_windows("small pages", SMALL, 3);
    compare_windows("parts of a superpage", memory, 2);
    unmap(BASE, SMALL, 22, L4_FP_ALL_SPACES);
}

const struct test near_tests[] = {
    {"a page is mapped to and from a table at hand without a search", near_maps},
    {"a page of a table at hand is taken away without a search", near_unmaps},
    {"a page alone goes a shorter way, and neighbours go together", together},
    {NULL, NULL},
};
