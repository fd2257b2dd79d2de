/*
 * ma_alloc/main.c - memory the L4Re way: allocate a dataspace, attach it, use it, give it back
 *
 * Nothing here knows of Quire: the same file compiles for L4Re.
 */
#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/sys/consts.h>
#include <l4/sys/err.h>

#include <stdio.h>
#include <string.h>

/* A dataspace of `size` bytes somewhere in our address space. */
static int allocate_mem(unsigned long size, unsigned long flags, void **virt_addr)
{
    l4re_ds_t ds = l4re_util_cap_alloc();
    int r;

    if (l4_is_invalid_cap(ds))
        return -L4_ENOMEM;
    size = l4_trunc_page(size + L4_PAGESIZE - 1);
    r = l4re_ma_alloc(size, ds, flags);
    if (r < 0) {
        l4re_util_cap_free(ds);
        return r;
    }
    *virt_addr = NULL;
    r = l4re_rm_attach(virt_addr, size, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW, ds, 0,
                       flags & L4RE_MA_SUPER_PAGES ? L4_SUPERPAGESHIFT : L4_PAGESHIFT);
    if (r < 0)
        l4re_util_cap_free_um(ds);
    return r;
}

/* Detach whatever lies at virt_addr and free the dataspace behind it. */
static int free_mem(void *virt_addr)
{
    l4re_ds_t ds;
    int r = l4re_rm_detach_ds(virt_addr, &ds);

    if (r < 0)
        return r;
    if (r == L4RE_RM_DETACHED_DS)
        l4re_util_cap_free_um(ds);
    return 0;
}

/* What was never written reads as zero, and what was written stays. */
static int use_mem(unsigned char *mem, unsigned long size)
{
    for (unsigned long at = 0; at < size; at += L4_PAGESIZE)
        if (mem[at + 17] != 0)
            return 1;
    memset(mem, 0x12, size);
    for (unsigned long at = 0; at < size; at++)
        if (mem[at] != 0x12)
            return 1;
    return 0;
}

int main(void)
{
    static const unsigned long sizes[] = {1, 4 * 1024, 100 * 1024, 4 * 1024 * 1024};

    /* More rounds than the account could pay for if nothing came back. */
    for (int round = 0; round < 6; round++) {
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            void *mem;
            int r = allocate_mem(sizes[i], 0, &mem);

            if (r < 0) {
                printf("ma_alloc: allocating %lu bytes in round %d: %d\n", sizes[i], round, r);
                return 1;
            }
            if (use_mem(mem, l4_round_page(sizes[i])) != 0) {
                printf("ma_alloc: memory of %lu bytes is not what it should be\n", sizes[i]);
                return 1;
            }
            if ((r = free_mem(mem)) < 0) {
                printf("ma_alloc: freeing %lu bytes: %d\n", sizes[i], r);
                return 1;
            }
        }
    }
    printf("ma_alloc: all memory came, was clean, and went\n");
    return 0;
}
