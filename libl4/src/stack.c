/*
 * stack.c - stacks with a guard below (l4/util/stack.h)
 *
 *   | guard: reserved | stack: a dataspace of its own |
 *                                                      ^ top
 */
#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/consts.h>
#include <l4/sys/err.h>
#include <l4/util/stack.h>

#include <stdbool.h>

enum { GUARD_FLAGS = L4RE_RM_F_RESERVED | L4RE_RM_F_IN_AREA };

/* Guard and stack, into the area that begins at `place`. */
static long stack_attach(l4_addr_t place, unsigned long size, l4re_ds_t ds)
{
    void *guard = (void *)place, *stack = (void *)(place + L4_STACK_GUARD);
    long err = l4re_rm_attach(&guard, L4_STACK_GUARD, GUARD_FLAGS, L4_INVALID_CAP, 0, 0);

    if (err < 0)
        return err;
    err = l4re_rm_attach(&stack, size, L4RE_RM_F_RW | L4RE_RM_F_IN_AREA, ds, 0, 0);
    if (err < 0)
        l4re_rm_detach(guard);
    return err;
}

long l4util_stack_alloc(unsigned long size, l4_addr_t *top)
{
    l4_addr_t place = 0;
    l4re_ds_t ds;
    long err;

    if (size == 0)
        return -L4_EINVAL;
    if (size > L4_USER_END)
        return -L4_ENOMEM;
    size = l4_round_page(size);
    ds = l4re_util_cap_alloc();
    if (l4_is_invalid_cap(ds))
        return -L4_ENOMEM;
    err = l4re_ma_alloc((long)size, ds, 0);
    if (err < 0) {
        l4re_util_cap_free(ds);
        return err;
    }
    err = l4re_rm_reserve_area(&place, L4_STACK_GUARD + size, L4RE_RM_F_SEARCH_ADDR, L4_PAGESHIFT);
    if (err >= 0) {
        err = stack_attach(place, size, ds);
        l4re_rm_free_area(place);
    }
    if (err < 0) {
        l4re_util_cap_free_um(ds);
        return err;
    }
    *top = place + L4_STACK_GUARD + size;
    return 0;
}

/* There is a region exactly there. */
static bool region_is(l4_addr_t start, unsigned long size, l4re_rm_flags_t flags, l4re_ds_t *ds)
{
    l4_addr_t at = start;
    unsigned long n = 1;
    l4re_rm_offset_t offset;
    l4re_rm_flags_t seen;

    return l4re_rm_find(&at, &n, &offset, &seen, ds) >= 0 && at == start && n == size &&
           (seen & (L4RE_RM_F_RESERVED | L4RE_RM_F_IN_AREA | L4RE_RM_F_RWX)) == flags;
}

long l4util_stack_free(l4_addr_t top, unsigned long size)
{
    l4_addr_t stack = top - l4_round_page(size), guard = stack - L4_STACK_GUARD;
    l4re_ds_t none, ds;

    if (size == 0 || size > L4_USER_END || top > L4_USER_END ||
        !region_is(guard, L4_STACK_GUARD, L4RE_RM_F_RESERVED, &none) ||
        !region_is(stack, top - stack, L4RE_RM_F_RW, &ds))
        return -L4_EINVAL;
    l4re_rm_detach((void *)stack);
    l4re_rm_detach((void *)guard);
    l4re_util_cap_free_um(ds);
    return 0;
}
