/*
 * dataspace/main.c - two dataspaces, an area, copy and clear, trimmed and given back
 * expect: ^all of it came and went$
 */
#include <l4/re/c/dataspace.h>
#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/consts.h>
#include <l4/sys/err.h>
#include <l4/sys/task.h>
#include <l4/util/util.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 256 << 10 };

static void check(const char *what, long r)
{
    if (r >= 0)
        return;
    printf("%s: %s (%ld)\n", what, l4sys_errtostr(r), r);
    exit(1);
}

static l4re_ds_t new_ds(unsigned long size, unsigned long flags)
{
    l4re_ds_t ds = l4re_util_cap_alloc();

    if (l4_is_invalid_cap(ds))
        exit(2);
    check("l4re_ma_alloc", l4re_ma_alloc(size, ds, flags));
    return ds;
}

int main(void)
{
    l4re_ds_t a = new_ds(SIZE, 0), b = new_ds(SIZE, L4RE_MA_CONTINUOUS | L4RE_MA_PINNED);
    l4re_ds_stats_t stats;
    l4_addr_t area = 0, found;
    unsigned long size;
    l4re_rm_offset_t offset;
    l4re_rm_flags_t flags;
    l4re_ds_t ds;
    void *pa = 0, *pb = 0;

    check("l4re_ds_info", l4re_ds_info(a, &stats));
    if (stats.size != SIZE || l4re_ds_size(b) != SIZE)
        return 3;

    /* a somewhere, b in an area that we keep for ourselves */
    check("l4re_rm_attach", l4re_rm_attach(&pa, SIZE, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW, a, 0,
                                           L4_PAGESHIFT));
    check("l4re_rm_reserve_area", l4re_rm_reserve_area(&area, 4 * SIZE, L4RE_RM_F_SEARCH_ADDR,
                                                       L4_SUPERPAGESHIFT));
    pb = (void *)(area + SIZE);
    check("l4re_rm_attach", l4re_rm_attach(&pb, SIZE, L4RE_RM_F_IN_AREA | L4RE_RM_F_RW |
                                           L4RE_RM_F_EAGER_MAP, b, 0, L4_PAGESHIFT));
    if ((l4_addr_t)pb != area + SIZE)
        return 4;

    memset(pa, 0x5a, SIZE);
    check("l4re_ds_copy_in", l4re_ds_copy_in(b, 100, a, 0, SIZE - 100));
    check("l4re_ds_clear", l4re_ds_clear(a, L4_PAGESIZE, SIZE - L4_PAGESIZE));
    if (((char *)pb)[99] != 0 || ((char *)pb)[100] != 0x5a || ((char *)pb)[SIZE - 1] != 0x5a ||
        ((char *)pa)[L4_PAGESIZE - 1] != 0x5a || ((char *)pa)[L4_PAGESIZE] != 0)
        return 5;
    l4_touch_rw(pb, SIZE);

    found = (l4_addr_t)pb + 5;
    size = 1;
    check("l4re_rm_find", l4re_rm_find(&found, &size, &offset, &flags, &ds));
    if (found != (l4_addr_t)pb || size != SIZE || offset != 0 || ds != b)
        return 6;

    check("l4re_rm_detach_ds", l4re_rm_detach_ds(pa, &ds));
    if (ds != a)
        return 7;
    l4re_util_cap_free_um(a);
    check("l4re_rm_detach_unmap", l4re_rm_detach_unmap((l4_addr_t)pb, L4RE_THIS_TASK_CAP));
    l4re_util_cap_free_um(b);
    check("l4re_rm_free_area", l4re_rm_free_area(area));
    if (l4_error(l4_task_cap_valid(L4RE_THIS_TASK_CAP, b)) > 0)
        return 8;
    printf("all of it came and went\n");
    return 0;
}
