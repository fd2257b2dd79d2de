/*
 * map/superpages.c - mappings of 2 MiB and 1 GiB
 */
#include "pool.h"

#include <abi/sigma0.h>
#include <l4/sigma0/sigma0.h>

static l4_umword_t entries_for(l4_cap_idx_t task, l4_umword_t offset, unsigned order,
                               l4_addr_t address)
{
    l4_umword_t before = entered(task);

    expect_eq(pool_map(task, offset, order, address, L4_FPAGE_RW), 0);
    return entered(task) - before;
}

static void largest_page(void)
{
    l4_cap_idx_t a = task_new();

    expect_eq(entries_for(a, 0, 21, PLACE), 1);
    expect_eq(entries_for(a, 0, 23, PLACE2), 4);
    for (l4_umword_t o = 0; o < POOL_SIZE; o += 0x1ff000)
        expect_eq(page_at(a, PLACE2 + o), o);
}

static void alignment_decides(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    /* The sender has 2 MiB at an odd place, so page by page: the receiver gets pages. */
    for (l4_umword_t o = 0; o < MIB2; o += 0x100000)
        pool_map(a, o, 20, PLACE + o, L4_FPAGE_RW);
    expect_eq(entered(a), 512);
    expect_eq(move(b, a, PLACE, 21, PLACE, L4_FPAGE_RW), 0);
    expect_eq(entered(b), 512);
    /* A part of a superpage. */
    expect_eq(entries_for(b, MIB2, 20, PLACE2), 256);
    expect_eq(page_at(b, PLACE2 + 0xff000), MIB2 + 0xff000);
}

/* Small pages that were there do not force small pages for ever. */
static void after_small_pages(void)
{
    l4_cap_idx_t a = task_new();
    l4_umword_t used = counter(a, L4_DBG_CNT_KMEM_USED);

    expect_eq(entries_for(a, 0x7000, 12, PLACE + 0x7000), 1);
    unmap(a, PLACE + 0x7000, 12, L4_FPAGE_RWX, L4_FP_ALL_SPACES);
    expect_eq(counter(a, L4_DBG_CNT_KMEM_USED), used);
    expect_eq(entries_for(a, 0, 21, PLACE), 1);
    unmap(a, PLACE, 21, L4_FPAGE_RWX, L4_FP_ALL_SPACES);
    expect_eq(counter(a, L4_DBG_CNT_KMEM_USED), used);
}

static void over_small_pages(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    for (unsigned i = 1; i < 40; i += 3)
        pool_map(a, MIB2 + i * KIB4, 12, PLACE + i * KIB4, L4_FPAGE_RW);
    move(b, a, PLACE, 21, PLACE2, L4_FPAGE_RW);
    expect_eq(page_at(b, PLACE2 + KIB4), MIB2 + KIB4);
    expect_eq(entries_for(a, 0, 21, PLACE), 1);
    expect_eq(page_at(a, PLACE + KIB4), KIB4);
    expect_eq(page_at(b, PLACE2 + KIB4), HOLE);
    /* Also over pages of the very superpage. */
    unmap(a, PLACE, 21, L4_FPAGE_RWX, L4_FP_ALL_SPACES);
    pool_map(a, 0, 20, PLACE, L4_FPAGE_RW);
    expect_eq(entries_for(a, 0, 21, PLACE), 1);
    expect_eq(page_at(a, PLACE + 0x1ff000), 0x1ff000);
}

static void small_pages_from_superpage(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    expect_eq(entries_for(a, 0, 21, PLACE), 1);
    for (unsigned i = 0; i < 512; i += 73)
        expect_eq(move(b, a, PLACE + i * KIB4, 12, PLACE2 + i * KIB4, L4_FPAGE_R), 0);
    for (unsigned i = 0; i < 512; i++)
        if (i % 73 < 2)
            expect_eq(page_at(b, PLACE2 + i * KIB4), i % 73 ? HOLE : i * KIB4);
    /* Children of a part go with the part, the others stay. */
    unmap(a, PLACE + 73 * KIB4, 12, L4_FPAGE_RWX, L4_FP_OTHER_SPACES);
    expect_eq(page_at(b, PLACE2 + 73 * KIB4), HOLE);
    expect_eq(page_at(b, PLACE2 + 146 * KIB4), 146 * KIB4);
    expect_eq(page_at(a, PLACE + 73 * KIB4), 73 * KIB4);
    unmap(a, PLACE, 21, L4_FPAGE_RWX, L4_FP_OTHER_SPACES);
    expect_eq(page_at(b, PLACE2 + 146 * KIB4), HOLE);
    expect_eq(page_at(a, PLACE), 0);
}

/* Both sizes below one superpage, through two tasks. */
static void mixed_children(void)
{
    l4_cap_idx_t a = task_new(), b = task_new(), c = task_new();

    pool_map(a, 0, 21, PLACE, L4_FPAGE_RW);
    move(b, a, PLACE, 21, PLACE, L4_FPAGE_RW);
    move(c, b, PLACE + 0x3000, 12, PLACE, L4_FPAGE_RW);
    move(c, a, PLACE + 0x4000, 12, PLACE + KIB4, L4_FPAGE_RW);
    move(b, c, PLACE, 13, PLACE2, L4_FPAGE_R);
    expect_eq(page_at(b, PLACE2), 0x3000);
    expect_eq(page_at(b, PLACE2 + KIB4), 0x4000);
    unmap(b, PLACE, 21, L4_FPAGE_RWX, L4_FP_ALL_SPACES);
    expect_eq(page_at(c, PLACE), HOLE);
    expect_eq(page_at(b, PLACE2), HOLE);
    expect_eq(page_at(c, PLACE + KIB4), 0x4000);
    expect_eq(page_at(b, PLACE2 + KIB4), 0x4000);
    unmap(L4_BASE_TASK_CAP, pool, 21, L4_FPAGE_RWX, L4_FP_OTHER_SPACES);
    expect_eq(page_at(b, PLACE2 + KIB4), HOLE);
    expect_eq(page_at(a, PLACE), HOLE);
    expect_eq(removed(a), 1);
}

/* ---- 1 GiB: device memory that there is none of, so nobody touches it ---- */

#define GIB (1UL << 30)
#define GIANT (3 * GIB)

static bool giant_there;

static l4_umword_t giant_request(void)
{
    l4_umword_t before = entered(L4_BASE_TASK_CAP);
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = SIGMA0_REQ_FPAGE_IOMEM;
    u->msg.mr[1] = l4_fpage(1 * GIB, 30, L4_FPAGE_RW).raw;
    u->buf.bdr = 0;
    u->buf.br[0] = L4_ITEM_MAP;
    u->buf.br[1] = l4_fpage(GIANT, 30, 0).raw;
    l4_ipc_call(L4_BASE_PAGER_CAP, u, l4_msgtag(L4_PROTO_SIGMA0, 2, 0, 0), L4_IPC_NEVER);
    return entered(L4_BASE_TASK_CAP) - before;
}

void giant_start(void)
{
    giant_request(); /* pages of the program that are touched for the first time count, too */
    unmap(L4_BASE_TASK_CAP, GIANT, 30, L4_FPAGE_RWX, L4_FP_ALL_SPACES);
    giant_there = giant_request() == 1;
}

static l4_umword_t giant_entries(l4_cap_idx_t to, l4_cap_idx_t from, l4_addr_t source,
                                 unsigned order, l4_addr_t at)
{
    l4_umword_t before = entered(to);

    expect_eq(move(to, from, source, order, at, L4_FPAGE_RW), 0);
    return entered(to) - before;
}

static void one_gibibyte(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    if (!expect(giant_there))
        return;
    expect_eq(giant_entries(a, L4_BASE_TASK_CAP, GIANT, 30, 5 * GIB), 1);
    expect_eq(giant_entries(b, a, 5 * GIB, 30, 7 * GIB), 1);
    /* A part of it: 2 MiB pages, or small ones. */
    expect_eq(giant_entries(b, a, 5 * GIB + 16 * MIB2, 23, 9 * GIB), 4);
    expect_eq(giant_entries(b, a, 5 * GIB + 0x5000, 12, PLACE + 0x5000), 1);
    unmap(a, 5 * GIB, 30, L4_FPAGE_RWX, L4_FP_OTHER_SPACES);
    expect_eq(removed(b), 6);
    expect_eq(removed(a), 0);
    unmap(L4_BASE_TASK_CAP, GIANT, 30, L4_FPAGE_RWX, L4_FP_OTHER_SPACES);
    expect_eq(removed(a), 1);
}

/* Children of three sizes; a part takes along what lies in it. */
static void parts_of_one_gibibyte(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    if (!expect(giant_there))
        return;
    expect_eq(giant_entries(a, L4_BASE_TASK_CAP, GIANT, 30, 5 * GIB), 1);
    expect_eq(giant_entries(b, a, 5 * GIB + 4 * MIB2, 21, 7 * GIB), 1);
    expect_eq(giant_entries(b, a, 5 * GIB + 4 * MIB2 + 0x7000, 12, 8 * GIB), 1);
    expect_eq(giant_entries(b, a, 5 * GIB + 5 * MIB2, 12, 9 * GIB), 1);
    unmap(a, 5 * GIB + 4 * MIB2, 21, L4_FPAGE_RWX, L4_FP_OTHER_SPACES);
    expect_eq(removed(b), 2);
    unmap(a, 5 * GIB + 4 * MIB2, 24, L4_FPAGE_RWX, L4_FP_OTHER_SPACES);
    expect_eq(removed(b), 3);
    expect_eq(removed(a), 0);
}

const struct test superpages_tests[] = {
    {"2 MiB are one entry where both sides allow it", largest_page},
    {"alignment of the sender's pages and of the flexpage decides on the page size",
     alignment_decides},
    {"an emptied page table makes room for a superpage, and costs nothing", after_small_pages},
    {"a superpage replaces the small pages in its place", over_small_pages},
    {"small pages mapped from a superpage, and taken back part by part",
     small_pages_from_superpage},
    {"children of both sizes below one superpage", mixed_children},
    {"1 GiB is one entry, its parts are smaller ones", one_gibibyte},
    {"unmap of a part of 1 GiB takes the children in that part", parts_of_one_gibibyte},
    {NULL, NULL},
};
