/*
 * regions/main.c - what the region manager promises, seen from the program
 */
#include "tap.h"

#include <l4/re/c/dataspace.h>
#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/ipc.h>
#include <l4/sys/task.h>

/* More regions than the nodes that the region manager starts with. */
enum { PAGES = 16, MANY = 5000 };
static const l4_addr_t place = 0x200000000;
static const l4_addr_t many_place = 0x300000000;

static l4re_ds_t ds;

static l4_addr_t page(unsigned n)
{
    return place + n * L4_PAGESIZE;
}

static int attach(l4_addr_t *at, unsigned pages, l4re_rm_flags_t flags, unsigned offset_pages)
{
    void *start = (void *)*at;
    int err = l4re_rm_attach(&start, pages * L4_PAGESIZE, flags, ds,
                             offset_pages * L4_PAGESIZE, L4_PAGESHIFT);

    *at = (l4_addr_t)start;
    return err;
}

static int attach_at(l4_addr_t at, unsigned pages, l4re_rm_flags_t flags, unsigned offset_pages)
{
    return attach(&at, pages, flags, offset_pages);
}

static int detach_exact(l4_addr_t at, unsigned pages)
{
    return l4re_rm_detach_range_srv(l4re_env()->rm, at, pages * L4_PAGESIZE, L4RE_RM_DETACH_EXACT,
                                    NULL, L4_BASE_TASK_CAP);
}

static char byte_at(l4_addr_t at)
{
    return *(volatile char *)at;
}

/* Page faults that the region manager has received. */
static l4_umword_t faults(void)
{
    l4_utcb_t *utcb = l4_utcb();

    utcb->msg.mr[0] = 0;
    l4_ipc_call(l4re_env()->rm, utcb, l4_msgtag(L4RE_PROTO_STATS, 1, 0, 0), L4_IPC_NEVER);
    return utcb->msg.mr[0];
}

static void refusals(void)
{
    l4re_rm_flags_t search = L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW;
    void *start = NULL;

    tap_eq(attach_at(page(1), 1, L4RE_RM_F_RW, 0), -L4_EADDRNOTAVAIL,
           "an occupied place is refused");
    tap_eq(attach_at(0, 1, L4RE_RM_F_RW, 0), -L4_EADDRNOTAVAIL, "so is the null page");
    tap_eq(attach_at(QUIRE_RM_ADDR, 1, L4RE_RM_F_RW, 0), -L4_EADDRNOTAVAIL,
           "so is the region manager's place");
    tap_eq(attach_at(L4_USER_END, 1, L4RE_RM_F_RW, 0), -L4_EADDRNOTAVAIL,
           "so is the end of the address space");
    tap_eq(attach_at(0, 0, search, 0), -L4_EINVAL, "size 0 is refused");
    tap_eq(attach_at(0, 1, search | 0x1000000, 0), -L4_EINVAL, "unknown flags are refused");
    tap_eq(l4re_rm_attach(&start, L4_PAGESIZE, search, 900UL << L4_CAP_SHIFT, 0, 0), -L4_ENOENT,
           "an empty slot is no dataspace");
    tap_eq(l4re_rm_attach(&start, L4_PAGESIZE, search, L4_INVALID_CAP, 0, 0), -L4_ENOENT,
           "nor is an invalid capability");
    tap_eq(attach_at(0, 1, search | L4RE_RM_F_IN_AREA, 0), -L4_EADDRNOTAVAIL,
           "nothing goes into the system's areas");
    tap_eq(l4re_rm_free_area(QUIRE_RM_ADDR), -L4_EPERM, "which cannot be freed");
    tap_eq(l4re_rm_detach((void *)(place - 1)), -L4_ENOENT, "detach of nothing finds nothing");
}

static void split_and_trim(void)
{
    l4_addr_t at = page(5);
    unsigned long size = 1;
    l4re_rm_offset_t offset;
    l4re_rm_flags_t flags;
    l4re_ds_t found;

    tap_eq(detach_exact(page(4), 2), L4RE_RM_SPLIT_DS, "an exact detach splits");
    tap_ok(byte_at(page(3)) == 4 && byte_at(page(6)) == 7, "both parts are still there");
    tap_eq(l4re_rm_find(&at, &size, &offset, &flags, &found), -L4_ENOENT, "the middle is not");
    at = page(7);
    tap_eq(l4re_rm_find(&at, &size, &offset, &flags, &found), 0, "find finds");
    tap_ok(at == page(6) && size == 10 * L4_PAGESIZE && offset == 6 * L4_PAGESIZE &&
               flags == L4RE_RM_F_RW && found == ds,
           "the second part with its own offset");
    tap_eq(detach_exact(page(0), 2), L4RE_RM_KEPT_DS, "an exact detach trims");
    tap_eq(byte_at(page(2)), 3, "what is kept shows the same page");
    tap_eq(detach_exact(page(0), PAGES), L4RE_RM_DETACHED_DS | L4RE_RM_DETACH_AGAIN,
           "the result says when there is more");
    tap_eq(l4re_rm_detach_ds((void *)page(15), &found), L4RE_RM_DETACHED_DS, "a whole detach");
    tap_eq((long)found, (long)ds, "tells the dataspace");
}

static l4re_ds_t new_ds(char first)
{
    l4re_ds_t new = l4re_util_cap_alloc();
    void *at = NULL;

    l4re_ma_alloc(2 * L4_PAGESIZE, new, 0);
    l4re_rm_attach(&at, L4_PAGESIZE, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW, new, 0, 0);
    *(volatile char *)at = first;
    l4re_rm_detach(at);
    return new;
}

static int attach_ds(l4_addr_t at, l4re_ds_t what, l4re_rm_flags_t flags)
{
    void *start = (void *)at;

    return l4re_rm_attach(&start, L4_PAGESIZE, flags, what, 0, 0);
}

/* Whatever has been mapped into a region, by whom ever, does not outlive it. */
static void nothing_stays(void)
{
    l4_addr_t at = 0x500000000;
    l4re_ds_t a = new_ds('a'), b = new_ds('b');

    tap_eq(attach_ds(at, a, L4RE_RM_F_R), 0, "a dataspace");
    tap_eq(byte_at(at), 'a', "is touched");
    l4re_rm_detach((void *)at);
    tap_eq(attach_ds(at, b, L4RE_RM_F_R), 0, "another one at its place");
    tap_eq(byte_at(at), 'b', "shows itself");
    l4re_rm_detach((void *)at);
    attach_ds(at, a, L4RE_RM_F_R);
    tap_eq(l4re_ds_map(a, 0, L4RE_DS_F_R, at, at, at + L4_PAGESIZE), 0,
           "a page that the program has mapped into a region itself");
    l4re_rm_detach((void *)at);
    attach_ds(at, b, L4RE_RM_F_R);
    tap_eq(byte_at(at), 'b', "goes with it too");
    l4re_rm_detach((void *)at);
    l4re_util_cap_free_um(a);
    l4re_util_cap_free_um(b);
}

/* The same slot holds a dataspace that gives much, then one that gives less, then much again. */
static void rights(void)
{
    l4_addr_t at = 0x500000000;
    l4re_ds_t full = new_ds('f'), slot = l4re_util_cap_alloc();
    static const unsigned char capability_rights[] = {L4_CAP_FPAGE_RWS, L4_CAP_FPAGE_RO,
                                                      L4_CAP_FPAGE_RWS};
    static const long expected[] = {0, -L4_EPERM, 0};

    for (unsigned i = 0; i < 3; i++) {
        l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP,
                    l4_obj_fpage(full, 0, capability_rights[i]), l4_map_obj_control(slot, 0));
        tap_eq(attach_ds(at, slot, L4RE_RM_F_RW), expected[i],
               expected[i] ? "no more rights than the dataspace gives" : "as many as it gives");
        l4re_rm_detach((void *)at);
        tap_eq(attach_ds(at, slot, L4RE_RM_F_R), 0, "or fewer");
        l4re_rm_detach((void *)at);
        l4_task_release_cap(L4_BASE_TASK_CAP, slot);
    }
    l4re_util_cap_free_um(full);
}

static void eager(void)
{
    l4re_rm_flags_t flags = L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_R | L4RE_RM_F_EAGER_MAP;
    l4_addr_t at = 0;
    l4_umword_t before;

    before = faults();
    tap_eq(attach(&at, 8, flags, 4), 0, "an eager attach");
    tap_ok(byte_at(at) == 5 && byte_at(at + 7 * L4_PAGESIZE) == 12, "shows the dataspace");
    tap_eq((long)(faults() - before), 0, "without a fault");
    tap_eq(l4re_rm_detach((void *)at), 0, "and goes");
    tap_eq(attach_at(at, 32, L4RE_RM_F_R | L4RE_RM_F_EAGER_MAP, 0), -L4_ERANGE,
           "an eager attach beyond the dataspace fails");
    tap_eq(l4re_rm_detach((void *)at), -L4_ENOENT, "and leaves nothing");
}

static void areas(void)
{
    l4_addr_t area = 0, at;

    tap_eq(l4re_rm_reserve_area(&area, 1UL << 20, L4RE_RM_F_SEARCH_ADDR, 20), 0, "an area");
    tap_eq((long)(area & ((1UL << 20) - 1)), 0, "is aligned");
    tap_eq(attach_at(area, 1, L4RE_RM_F_R, 0), -L4_EADDRNOTAVAIL, "keeps others out");
    at = area;
    tap_eq(attach(&at, 1, L4RE_RM_F_RW | L4RE_RM_F_IN_AREA | L4RE_RM_F_SEARCH_ADDR, 0), 0,
           "lets in who asks for it");
    tap_eq((long)at, (long)area, "at its first page");
    tap_eq(l4re_rm_free_area(area), 0, "goes");
    tap_eq(l4re_rm_free_area(area), -L4_ENOENT, "once");
    tap_eq(byte_at(at), 1, "what was in it stays");
    tap_eq(l4re_rm_detach((void *)at), 0, "until it is detached");
}

static void many(void)
{
    unsigned i, bad = 0;

    for (i = 0; i < MANY; i++)
        bad += attach_at(many_place + i * 2 * L4_PAGESIZE, 1, L4RE_RM_F_RW, i % PAGES) != 0;
    tap_eq(bad, 0, "the region manager gets memory for thousands of regions");
    for (i = bad = 0; i < MANY; i++)
        bad += byte_at(many_place + i * 2 * L4_PAGESIZE) != (char)(i % PAGES + 1);
    tap_eq(bad, 0, "each shows its own page");
    for (i = bad = 0; i < MANY; i++)
        bad += l4re_rm_detach((void *)(many_place + i * 2 * L4_PAGESIZE)) != 0;
    tap_eq(bad, 0, "and all go");
}

int main(void)
{
    unsigned i;

    ds = l4re_util_cap_alloc();
    tap_eq(l4re_ma_alloc(PAGES * L4_PAGESIZE, ds, 0), 0, "a dataspace");
    tap_eq(attach_at(place, PAGES, L4RE_RM_F_RW, 0), 0, "is attached");
    for (i = 0; i < PAGES; i++)
        *(volatile char *)page(i) = (char)(i + 1);
    refusals();
    split_and_trim();
    nothing_stays();
    rights();
    eager();
    areas();
    many();
    return tap_done();
}
