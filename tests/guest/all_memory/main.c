/*
 * all_memory/main.c - all RAM that the machine reports can be had, also above 4 GiB
 *
 * The bare kernel: this program asks sigma0 for the superpage at every 64 MiB of physical memory,
 * writes its address into each of its pages, and reads all of them again when all are written: if
 * two addresses led to one frame, one of them would have changed.
 */
#include "tap.h"

#include <abi/stats.h>
#include <l4/re/c/stats.h>
#include <l4/re/env.h>
#include <l4/sigma0/sigma0.h>
#include <l4/sys/kip.h>
#include <l4/sys/memdesc.h>

#define GiB (1UL << 30)
enum { STEP = 64 << 20, PIECES_MAX = 1024 };

static l4_addr_t pieces[PIECES_MAX];
static unsigned piece_count;

struct ram {
    l4_umword_t bytes, free, above_4g;
    l4_addr_t top;
};

/* From the memory descriptors: RAM is what is free, reserved for the kernel, or holds images. */
static struct ram ram_of(const l4_kernel_info_t *kip)
{
    const l4_kernel_info_mem_desc_t *d =
        (const void *)((const char *)kip + (kip->mem_info >> 32));
    struct ram r = {0, 0, 0, 0};

    for (unsigned i = 0; i < (unsigned)kip->mem_info; i++) {
        l4_addr_t start = d[i].l & L4_PAGEMASK, end = (d[i].h | (L4_PAGESIZE - 1)) + 1;
        unsigned type = d[i].l & 15;

        if (type != l4_mem_type_conventional && type != l4_mem_type_dedicated)
            continue;
        r.bytes += end - start;
        r.free += type == l4_mem_type_conventional ? end - start : 0;
        r.top = end > r.top ? end : r.top;
        if (end > 4 * GiB)
            r.above_4g += end - (start > 4 * GiB ? start : 4 * GiB);
    }
    return r;
}

/* The superpages that sigma0 gives us, one in each STEP. */
static void take_pieces(l4_addr_t top)
{
    for (l4_addr_t at = STEP; at <= top && piece_count < PIECES_MAX; at += STEP)
        if (l4sigma0_map_mem(L4_BASE_PAGER_CAP, at - L4_SUPERPAGESIZE, at - L4_SUPERPAGESIZE,
                             L4_SUPERPAGESIZE) == 0)
            pieces[piece_count++] = at - L4_SUPERPAGESIZE;
}

static bool all_zero(void)
{
    for (unsigned i = 0; i < piece_count; i++)
        for (unsigned at = 0; at < L4_SUPERPAGESIZE; at += 512)
            if (*(volatile l4_umword_t *)(pieces[i] + at) != 0)
                return false;
    return true;
}

static void write_addresses(void)
{
    for (unsigned i = 0; i < piece_count; i++)
        for (unsigned at = 0; at < L4_SUPERPAGESIZE; at += L4_PAGESIZE)
            *(volatile l4_umword_t *)(pieces[i] + at) = pieces[i] + at;
}

static bool all_kept(void)
{
    for (unsigned i = 0; i < piece_count; i++)
        for (unsigned at = 0; at < L4_SUPERPAGESIZE; at += L4_PAGESIZE)
            if (*(volatile l4_umword_t *)(pieces[i] + at) != pieces[i] + at)
                return false;
    return true;
}

static unsigned pieces_above(l4_addr_t limit)
{
    unsigned n = 0;

    for (unsigned i = 0; i < piece_count; i++)
        n += pieces[i] >= limit;
    return n;
}

int main(void)
{
    struct ram r = ram_of(l4_global_kip);
    l4_umword_t words[L4RE_DS_STATS_NUM] = {0}, free_bytes;

    printf("# %lu MiB of RAM for users, %lu MiB of it above 4 GiB, top 0x%lx\n", r.bytes >> 20,
           r.above_4g >> 20, r.top);
    tap_ok(l4re_stats_get(L4_BASE_PAGER_CAP, 0, 0, words, 3) >= 3, "sigma0 tells what is free");
    free_bytes = words[1] << L4_PAGESHIFT;
    printf("# %lu MiB free at sigma0\n", free_bytes >> 20);
    tap_ok(free_bytes <= r.free && r.free - free_bytes < r.free / 64 + (1 << 20),
           "sigma0 owns all free RAM but its own records");
    take_pieces(r.top);
    printf("# %u superpages, %u above 4 GiB\n", piece_count, pieces_above(4 * GiB));
    tap_ok(piece_count >= r.top / STEP / 2, "superpages all over the memory can be had");
    /* but where sigma0 keeps its records */
    tap_ok(pieces_above(4 * GiB) + 1 >= r.above_4g / STEP, "above 4 GiB too");
    tap_ok(all_zero(), "they have been cleared");
    write_addresses();
    tap_ok(all_kept(), "no two of them are the same memory");
    return tap_done();
}
