/*
 * rm_calls/main.c - the C interface of region managers and dataspaces, function by function
 */
#include "balance.h"
#include "tap.h"

#include <l4/re/c/dataspace.h>
#include <l4/re/c/namespace.h>
#include <l4/re/c/util/cap.h>
#include <l4/re/c/util/kumem_alloc.h>
#include <l4/sys/ipc.h>
#include <l4/sys/task.h>
#include <l4/util/util.h>

#include <string.h>

enum { PAGES = 16, PAGE = L4_PAGESIZE, SEARCH = L4RE_RM_F_SEARCH_ADDR };

#define PLACE 0x300000000UL
#define AREA 0x310000000UL
#define CHILD_UTCB 0xb0000000UL

static l4re_ds_t ds; /* page n begins with the byte n + 1 */

static int at_place(l4_addr_t place, unsigned pages, l4re_rm_flags_t flags, unsigned from_page)
{
    void *at = (void *)place;

    return l4re_rm_attach(&at, (unsigned long)pages * PAGE, flags, ds, from_page * PAGE, 0);
}

static char byte(l4_addr_t at)
{
    return *(volatile char *)at;
}

static int detach_range(unsigned page, unsigned pages, unsigned long how)
{
    return l4re_rm_detach_range_srv(l4re_env()->rm, PLACE + page * PAGE,
                                    (unsigned long)pages * PAGE, how, NULL, L4_BASE_TASK_CAP);
}

/* ---- attach ---- */

static void places(void)
{
    static const unsigned char orders[] = {0, 12, 16, 21, 30};
    void *at, *next = (void *)(PLACE + 5);
    bool good = true;

    for (unsigned i = 0; i < sizeof(orders); i++) {
        at = (void *)(PLACE + PAGE);
        good &= l4re_rm_attach(&at, PAGE, SEARCH | L4RE_RM_F_RW, ds, i * PAGE, orders[i]) == 0 &&
                ((l4_addr_t)at & ((1UL << orders[i]) - 1)) == 0 && (l4_addr_t)at > PLACE &&
                byte((l4_addr_t)at) == (char)(i + 1) && l4re_rm_detach(at) == 0;
    }
    tap_ok(good, "a search from a place on keeps every alignment");
    at = NULL;
    tap_eq(l4re_rm_attach(&at, PAGE, SEARCH | L4RE_RM_F_R, ds, 0, 47), -L4_EINVAL,
           "that of half the address space is none");
    tap_ok(l4re_rm_attach(&next, 1, L4RE_RM_F_R, ds, 3 * PAGE + 77, 0) == 0 &&
               next == (void *)PLACE && byte(PLACE) == 4,
           "place, size and offset are rounded to pages");
    l4re_rm_detach(next);
    at = NULL;
    tap_eq(l4re_rm_attach(&at, ~0UL, SEARCH | L4RE_RM_F_R, ds, 0, 0), -L4_EADDRNOTAVAIL,
           "no region of 2^64 bytes");
    tap_eq(l4re_rm_attach(&at, 1UL << 47, SEARCH | L4RE_RM_F_R, ds, 0, 0), -L4_EADDRNOTAVAIL,
           "nor one of all addresses");
    tap_eq(at_place(L4_USER_END - PAGE, 2, L4RE_RM_F_R, 0), -L4_EADDRNOTAVAIL,
           "nor one over their end");
}

/* The rights of the region and of the capability hold, whichever are fewer. */
static void rights(void)
{
    l4_cap_idx_t reader = l4re_util_cap_alloc();
    l4re_ds_stats_t info;
    void *at = NULL;

    l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(ds, 0, L4_CAP_FPAGE_RO),
                l4_map_obj_control(reader, 0));
    tap_eq(l4re_rm_attach(&at, PAGE, SEARCH | L4RE_RM_F_RW, reader, 0, 0), -L4_EPERM,
           "a capability to read gives no region to write");
    tap_eq(l4re_rm_attach(&at, PAGE, SEARCH | L4RE_RM_F_R, reader, 0, 0), 0, "but one to read");
    tap_eq(byte((l4_addr_t)at), 1, "which shows it");
    tap_ok(l4re_ds_info(reader, &info) == 0 && !(info.flags & L4RE_DS_F_W) &&
               info.size == PAGES * PAGE && l4re_ds_flags(reader) == info.flags &&
               l4re_ds_size(reader) == info.size,
           "info, flags and size say so");
    l4re_rm_detach(at);
    l4re_util_cap_release(reader);
    tap_eq(l4re_rm_attach(&at, PAGE, SEARCH | L4RE_RM_F_R, reader, 0, 0), -L4_ENOENT,
           "a capability that is given up is none");
    tap_eq((long)l4re_ds_size(reader), 0, "and has no size");
    l4re_util_cap_free(reader);
}

static void eager(void)
{
    l4_umword_t before;

    at_place(PLACE, PAGES, L4RE_RM_F_RW | L4RE_RM_F_EAGER_MAP, 0);
    before = faults();
    for (unsigned i = 0; i < PAGES; i++)
        *(volatile char *)(PLACE + i * PAGE) = (char)(i + 1);
    tap_eq((long)(faults() - before), 0, "an eager region to write is written without a fault");
    l4re_rm_detach((void *)PLACE);
    tap_eq(at_place(PLACE, 4, L4RE_RM_F_R | L4RE_RM_F_NO_EAGER_MAP, 0), 0, "a lazy one");
    before = faults();
    byte(PLACE);
    tap_ok(faults() - before >= 1, "comes with the first fault");
    tap_ok(at_place(PLACE, 4, L4RE_RM_F_R | L4RE_RM_F_EAGER_MAP, 0) == -L4_EADDRNOTAVAIL &&
               byte(PLACE + PAGE) == 2,
           "an eager attach to an occupied place changes nothing");
    l4re_rm_detach((void *)PLACE);
}

/* ---- detach ---- */

static void overlaps(void)
{
    at_place(PLACE, 4, L4RE_RM_F_R, 0);
    at_place(PLACE + 6 * PAGE, 4, L4RE_RM_F_R, 6);
    tap_eq(detach_range(3, 6, L4RE_RM_DETACH_OVERLAP), L4RE_RM_DETACHED_DS | L4RE_RM_DETACH_AGAIN,
           "overlap takes all of the first region, and says that there is another one");
    tap_ok(byte(PLACE + 6 * PAGE) == 7 && detach_range(0, 6, L4RE_RM_DETACH_OVERLAP) == -L4_ENOENT,
           "which is untouched");
    tap_eq(detach_range(8, 8, L4RE_RM_DETACH_EXACT), L4RE_RM_KEPT_DS, "exact trims its end");
    tap_eq(detach_range(4, 3, L4RE_RM_DETACH_EXACT), L4RE_RM_KEPT_DS, "and its beginning");
    tap_eq(byte(PLACE + 7 * PAGE), 8, "what is left shows what it showed");
    tap_eq(detach_range(7, 1, L4RE_RM_DETACH_EXACT), L4RE_RM_DETACHED_DS, "the last page goes");
    at_place(PLACE, 5, L4RE_RM_F_R, 0);
    tap_eq(detach_range(1, 1, L4RE_RM_DETACH_EXACT), L4RE_RM_SPLIT_DS, "exact splits");
    tap_eq(detach_range(3, 1, L4RE_RM_DETACH_EXACT), L4RE_RM_SPLIT_DS, "and again");
    tap_eq(detach_range(0, 5, L4RE_RM_DETACH_EXACT), L4RE_RM_DETACHED_DS | L4RE_RM_DETACH_AGAIN,
           "the first of three parts goes");
    tap_eq(detach_range(0, 5, L4RE_RM_DETACH_EXACT), L4RE_RM_DETACHED_DS | L4RE_RM_DETACH_AGAIN,
           "the second");
    tap_eq(detach_range(0, 5, L4RE_RM_DETACH_EXACT), L4RE_RM_DETACHED_DS, "the third");
    tap_eq(detach_range(0, 5, L4RE_RM_DETACH_EXACT), -L4_ENOENT, "and there is none");
    tap_ok(detach_range(0, 0, L4RE_RM_DETACH_EXACT) == -L4_EINVAL &&
               detach_range(0, 1, 0x40) == -L4_EINVAL && detach_range(0, 1, 3) == -L4_EINVAL,
           "no detach of no pages, nor in an unknown way");
}

/* A detach reaches the pages that another task got from here. */
static void other_tasks(void)
{
    l4_fpage_t area = l4_fpage(CHILD_UTCB, L4_PAGESHIFT, L4_FPAGE_RW);
    l4_cap_idx_t child = l4re_util_cap_alloc();
    l4re_ds_t found = 0;

    l4_factory_create_task(l4re_env()->factory, child, &area);
    at_place(PLACE, 1, L4RE_RM_F_RW, 0);
    byte(PLACE);
    l4_task_map(child, L4_BASE_TASK_CAP, l4_fpage(PLACE, L4_PAGESHIFT, L4_FPAGE_RO), PLACE);
    tap_eq(l4re_rm_detach_ds_unmap((void *)PLACE, &found, child), 0, "detach, in two tasks");
    tap_eq((long)found, (long)ds, "tells the dataspace");
    at_place(PLACE, 1, L4RE_RM_F_R, 2);
    tap_eq(byte(PLACE), 3, "nothing of it is left here");
    tap_eq(l4re_rm_detach_unmap(PLACE, L4_INVALID_CAP), 0, "detach without unmapping");
    tap_eq(byte(PLACE), 3, "leaves the page");
    tap_ok(l4_error(l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(PLACE, L4_PAGESHIFT, L4_FPAGE_RWX),
                                  L4_FP_ALL_SPACES)) >= 0 &&
               l4re_rm_detach_unmap(PLACE, child) == -L4_ENOENT,
           "until somebody unmaps it");
    tap_eq(l4re_rm_detach_srv(l4re_env()->rm, L4_USER_END + PAGE, NULL, L4_BASE_TASK_CAP),
           -L4_ENOENT, "beyond the address space there is nothing to detach");
    l4re_util_cap_free_um(child);
}

/* ---- find, info, lists ---- */

static void finding(void)
{
    l4_addr_t at = PLACE + 5 * PAGE + 9;
    unsigned long size = 1;
    l4re_rm_offset_t offset = 0;
    l4re_rm_flags_t flags = 0;
    l4re_ds_t found = 0;
    char name[24] = "?";

    at_place(PLACE, 4, L4RE_RM_F_RW, 4);
    tap_eq(l4re_rm_find(&at, &size, &offset, &flags, &found), -L4_ENOENT, "nothing to find there");
    at = PLACE - PAGE;
    size = 2 * PAGE;
    tap_ok(l4re_rm_find(&at, &size, &offset, &flags, &found) == 0 && at == PLACE &&
               size == 4 * PAGE && offset == 4 * PAGE && flags == L4RE_RM_F_RW && found == ds,
           "a range finds the region that it meets");
    size = ~0UL;
    tap_eq(l4re_rm_find(&at, &size, &offset, &flags, &found), -L4_EINVAL, "a range has an end");
    tap_ok(l4re_rm_get_info(PLACE + 5, name, sizeof(name), &offset) == 0 && offset == 4 * PAGE &&
               name[0] == 0,
           "info of a region without name");
    tap_ok(l4re_rm_get_info((l4_addr_t)finding, name, sizeof(name), &offset) == 0 &&
               strncmp(name, "rm_calls.elf", 12) == 0,
           "the program's text has one");
    tap_ok(l4re_rm_get_info((l4_addr_t)finding, name, 4, &offset) == 0 && !strcmp(name, "rm_"),
           "it is cut to the room that there is");
    tap_eq(l4re_rm_get_info(PLACE - 1, name, sizeof(name), &offset), -L4_ENOENT,
           "where nothing is there is no info");
}

static long count(const l4re_rm_range_t *r, void *sum)
{
    unsigned long *n = sum;

    n[0]++;
    n[1] += r->start == PLACE && r->size == 4 * PAGE && r->flags == L4RE_RM_F_RW;
    return n[0] == n[2] ? 77 : 0;
}

static void lists(void)
{
    l4re_rm_range_t list[25] = {{0, 0, 0}};
    unsigned long n[3] = {0}, stop[3] = {0, 0, 2};
    l4_cap_idx_t rm = l4re_env()->rm;
    l4_addr_t area = AREA;
    long some;

    tap_eq(l4re_rm_reserve_area(&area, 16 * PAGE, 0, 0), 0, "an area at a place");
    some = l4re_rm_get_regions_srv(rm, PLACE, list, 1);
    tap_ok(some == 1 && list[0].start == PLACE && list[0].size == 4 * PAGE,
           "the regions from a place on");
    tap_eq(l4re_rm_get_regions_srv(rm, L4_USER_END - 1, list, 25), 0, "are none behind the last");
    tap_eq(l4re_rm_get_regions_srv(rm, 0, list, 0), 0, "or as few as wanted");
    tap_ok(l4re_rm_get_areas_srv(rm, AREA, list, 25) >= 1 && list[0].start == AREA &&
               list[0].size == 16 * PAGE,
           "areas have a list of their own");
    tap_ok(l4re_rm_each(count, n) == 0 && n[1] == 1 && n[0] == rm_stat(L4RE_RM_STATS_REGIONS),
           "each region is seen once");
    tap_ok(l4re_rm_each(count, stop) == 77 && stop[0] == 2, "until somebody has seen enough");
    for (unsigned i = 0; i < 25; i++)
        at_place(PLACE + (2 * i + 8) * PAGE, 1, L4RE_RM_F_R, 0);
    some = l4re_rm_get_regions_srv(rm, PLACE, list, 25);
    tap_ok(some == 20 && list[19].start == PLACE + 44 * PAGE, "a list has twenty at most");
    memset(n, 0, sizeof(n));
    tap_ok(l4re_rm_each(count, n) == 0 && n[0] == rm_stat(L4RE_RM_STATS_REGIONS),
           "each goes on behind them");
    l4re_rm_show_lists();
    for (unsigned i = 0; i < 25; i++)
        l4re_rm_detach((void *)(PLACE + (2 * i + 8) * PAGE));
    l4re_rm_free_area(AREA);
    l4re_rm_detach((void *)PLACE);
}

/* ---- areas ---- */

static void areas(void)
{
    const l4re_rm_flags_t in = L4RE_RM_F_R | L4RE_RM_F_IN_AREA;
    l4_addr_t area = AREA + 3, again = AREA + PAGE, reserved = AREA + 32 * PAGE, found = AREA;
    unsigned long size = 1;
    l4re_rm_offset_t offset;
    l4re_rm_flags_t flags = 0;
    void *at = (void *)AREA;
    l4re_ds_t none;

    tap_ok(l4re_rm_reserve_area(&area, 4 * PAGE - 3, 0, 0) == 0 && area == AREA,
           "an area is whole pages");
    tap_ok(l4re_rm_find(&found, &size, &offset, &flags, &none) == 0 && found == AREA &&
               (flags & L4RE_RM_F_IN_AREA),
           "find finds it");
    tap_eq(l4re_rm_reserve_area(&again, PAGE, 0, 0), -L4_EADDRNOTAVAIL, "no area in an area");
    tap_eq(l4re_rm_reserve_area(&again, 0, 0, 0), -L4_EINVAL, "none of no pages");
    tap_eq(l4re_rm_reserve_area(&again, PAGE, 0x1000000, 0), -L4_EINVAL, "nor with unknown flags");
    tap_eq(at_place(AREA + 2 * PAGE, 4, in, 0), -L4_EADDRNOTAVAIL, "no region over its end");
    tap_eq(at_place(AREA - PAGE, 2, L4RE_RM_F_R, 0), -L4_EADDRNOTAVAIL, "nor over its beginning");
    tap_eq(at_place(AREA + 8 * PAGE, 1, in, 0), -L4_ENOENT, "where none is, none is meant");
    for (unsigned i = 0; i < 4; i++) {
        at = (void *)AREA;
        l4re_rm_attach(&at, PAGE, in | SEARCH, ds, i * PAGE, 0);
    }
    tap_ok(at == (void *)(AREA + 3 * PAGE) && byte(AREA + 2 * PAGE) == 3, "a search fills it");
    tap_eq(l4re_rm_attach(&at, PAGE, in | SEARCH, ds, 0, 0), -L4_EADDRNOTAVAIL, "then it is full");
    tap_eq(l4re_rm_reserve_area(&reserved, PAGE, L4RE_RM_F_RESERVED, 0), 0, "a reserved area");
    tap_eq(at_place(reserved, 1, in, 0), -L4_EADDRNOTAVAIL, "keeps everybody out");
    tap_ok(l4re_rm_free_area(reserved) == 0 && at_place(reserved, 1, L4RE_RM_F_R, 0) == 0,
           "until it is freed");
    l4re_rm_detach((void *)reserved);
    tap_ok(l4re_rm_free_area(AREA + 2 * PAGE) == 0 && byte(AREA) == 1, "freed by any address");
    for (unsigned i = 0; i < 4; i++)
        l4re_rm_detach((void *)(AREA + i * PAGE));
}

/* ---- dataspaces, names, memory for UTCBs ---- */

static void mapping(void)
{
    int wrong = 0;

    tap_eq(l4re_ds_map_region(ds, 2 * PAGE, L4RE_DS_F_R, PLACE, PLACE + 5 * PAGE), 0,
           "five pages are mapped without a region");
    for (unsigned i = 0; i < 5; i++)
        wrong += byte(PLACE + i * PAGE) != (char)(i + 3);
    tap_eq(wrong, 0, "each shows what it should");
    l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(PLACE, 16, L4_FPAGE_RWX), L4_FP_ALL_SPACES);
    tap_eq(l4re_ds_map_region(ds, (PAGES - 1) * PAGE, L4RE_DS_F_R, PLACE, PLACE + 2 * PAGE),
           -L4_ERANGE, "beyond the end there is no page");
    tap_eq(l4re_ds_map(ds, 0, L4RE_DS_F_R, PLACE, PLACE + PAGE, PLACE + 2 * PAGE), -L4_EINVAL,
           "a page goes into the window that is meant");
    l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(PLACE, 16, L4_FPAGE_RWX), L4_FP_ALL_SPACES);
}

static void names(void)
{
    l4_cap_idx_t rom = l4re_env_get_cap("rom"), file = l4re_util_cap_alloc();

    tap_eq(l4re_ns_query_to_srv(rom, "rm_calls.elf", file, 100), 0, "a file that is there");
    l4re_util_cap_release(file);
    tap_eq(l4re_ns_query_to_srv(rom, "nothing", file, 3), -L4_ENOENT, "one that does not come");
    tap_ok(l4_is_invalid_cap(l4re_env_get_cap("ro")) && l4_is_invalid_cap(l4re_env_get_cap("romm")),
           "a name is the whole name");
    tap_ok(l4re_env_get_cap_e("rom", l4re_env()) == rom &&
               l4re_env_get_cap_l("rom and more", 3, l4re_env())->cap == rom &&
               !l4re_env_get_cap_l("", 0, l4re_env()),
           "in each of the ways to ask");
    tap_ok(l4re_util_cap_last() >= (long)file, "the last slot given out is known");
    l4re_util_cap_free(file);
}

static void kernel_user_memory(void)
{
    l4_addr_t at = 0, other = 0;

    tap_eq(l4re_util_kumem_alloc(&at, 1, L4_BASE_TASK_CAP, l4re_env()->rm), 0,
           "two pages for UTCBs");
    ((volatile char *)at)[2 * PAGE - 1] = 1;
    tap_ok(at_place(at, 1, L4RE_RM_F_R, 0) == -L4_EADDRNOTAVAIL, "nothing is attached there");
    tap_eq(l4re_util_kumem_alloc(&other, 40, L4_BASE_TASK_CAP, l4re_env()->rm), -L4_EINVAL,
           "2^52 bytes are too many");
    tap_ok(l4re_util_kumem_alloc(&other, 18, L4_BASE_TASK_CAP, l4re_env()->rm) < 0,
           "so are more than the kernel has");
}

int main(void)
{
    ds = new_ds(l4re_env()->mem_alloc, PAGES * PAGE, 0);
    tap_eq(at_place(PLACE, PAGES, L4RE_RM_F_RW, 0), 0, "a dataspace is attached");
    for (unsigned i = 0; i < PAGES; i++)
        *(volatile char *)(PLACE + i * PAGE) = (char)(i + 1);
    l4re_rm_detach((void *)PLACE);
    places();
    rights();
    eager();
    overlaps();
    other_tasks();
    finding();
    lists();
    areas();
    mapping();
    names();
    kernel_user_memory();
    l4re_util_cap_free_um(ds);
    return tap_done();
}
