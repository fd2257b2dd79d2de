/*
 * stacks/main.c - stacks with a guard below: what they give, refuse and give back
 */
#include "balance.h"
#include "tap.h"

#include <l4/re/c/starter.h>
#include <l4/util/stack.h>

enum { SIZE = 4 * L4_PAGESIZE, MANY = 300, KILLED = 255 };

static long looked(unsigned which)
{
    return (long)ds_stat(l4re_env()->mem_alloc, L4RE_STATS_GET_OP, which);
}

static long regions(void)
{
    return (long)rm_stat(L4RE_RM_STATS_REGIONS);
}

static void gives(void)
{
    l4_addr_t top = 0, other = 0;
    void *at;

    tap_eq(l4util_stack_alloc(SIZE - 5, &top), 0, "a stack of four pages");
    tap_ok((top & (L4_PAGESIZE - 1)) == 0 && top > SIZE, "ends at a page");
    for (l4_addr_t p = top - 8; p >= top - SIZE; p -= 512)
        *(volatile l4_umword_t *)p = p;
    tap_ok(*(volatile l4_umword_t *)(top - 8) == top - 8, "all of it can be written to");
    at = (void *)(top - SIZE - L4_PAGESIZE);
    tap_eq(l4re_rm_attach(&at, L4_PAGESIZE, L4RE_RM_F_RESERVED, L4_INVALID_CAP, 0, 0),
           -L4_EADDRNOTAVAIL, "nothing is attached in the guard");
    at = (void *)(top - SIZE - L4_STACK_GUARD);
    tap_eq(l4re_rm_attach(&at, L4_PAGESIZE, L4RE_RM_F_RESERVED, L4_INVALID_CAP, 0, 0),
           -L4_EADDRNOTAVAIL, "not at its beginning, either");
    tap_eq(l4util_stack_alloc(SIZE, &other), 0, "another one");
    tap_ok(other - SIZE - L4_STACK_GUARD >= top || top - SIZE - L4_STACK_GUARD >= other,
           "has a guard of its own");
    tap_eq(l4util_stack_free(top, SIZE), 0, "a stack goes");
    tap_eq(l4util_stack_free(top, SIZE), -L4_EINVAL, "once");
    at = (void *)(top - SIZE - L4_STACK_GUARD);
    tap_eq(l4re_rm_attach(&at, L4_STACK_GUARD, L4RE_RM_F_RESERVED, L4_INVALID_CAP, 0, 0), 0,
           "its guard is free again");
    l4re_rm_detach(at);
    l4util_stack_free(other, SIZE);
}

static void refuses(void)
{
    l4_addr_t top = 77, stack;
    int here;

    tap_eq(l4util_stack_alloc(0, &top), -L4_EINVAL, "no stack of no bytes");
    tap_ok(l4util_stack_alloc(~0UL, &top) < 0 && l4util_stack_alloc(1UL << 47, &top) < 0 &&
               l4util_stack_alloc((1UL << 47) - L4_STACK_GUARD, &top) < 0,
           "nor one as large as all memory");
    tap_eq((long)top, 77, "and there is no address of them");
    l4util_stack_alloc(SIZE, &stack);
    tap_ok(l4util_stack_free(stack, SIZE - L4_PAGESIZE) == -L4_EINVAL &&
               l4util_stack_free(stack, SIZE + 1) == -L4_EINVAL &&
               l4util_stack_free(stack - L4_PAGESIZE, SIZE) == -L4_EINVAL &&
               l4util_stack_free(stack, 0) == -L4_EINVAL &&
               l4util_stack_free(stack, ~0UL) == -L4_EINVAL &&
               l4util_stack_free(~0UL, SIZE) == -L4_EINVAL && l4util_stack_free(0, 1) < 0 &&
               l4util_stack_free((l4_addr_t)&here & L4_PAGEMASK, L4_PAGESIZE) == -L4_EINVAL,
           "what is no such stack does not go");
    *(volatile char *)(stack - SIZE) = 1;
    tap_eq(l4util_stack_free(stack, SIZE), 0, "the stack itself does");
}

static void gives_back(void)
{
    long frames, dataspaces, before;
    l4_addr_t top;
    unsigned good = 0;

    l4util_stack_alloc(SIZE, &top);
    l4util_stack_free(top, SIZE);
    frames = looked(L4RE_DS_STATS_FRAMES);
    dataspaces = looked(L4RE_DS_STATS_DATASPACES);
    before = regions();
    for (unsigned i = 0; i < MANY; i++) {
        good += l4util_stack_alloc(SIZE, &top) == 0;
        *(volatile char *)(top - 1) = 1;
        good += l4util_stack_free(top, SIZE) == 0;
    }
    tap_eq(good, 2 * MANY, "300 stacks come and go");
    tap_ok(looked(L4RE_DS_STATS_FRAMES) == frames && regions() == before &&
               looked(L4RE_DS_STATS_DATASPACES) == dataspaces,
           "no frame, dataspace or region is left of them");
}

/* Whichever call of its own fails, nothing is left. */
static void exhausted(void)
{
    static l4_cap_idx_t slots[L4_CAP_SLOTS];
    long dataspaces = looked(L4RE_DS_STATS_DATASPACES), before = regions();
    l4_addr_t area = 1UL << 32, top = 0;
    unsigned n = 0;

    while (n < L4_CAP_SLOTS && !(slots[n] = l4re_util_cap_alloc(), l4_is_invalid_cap(slots[n])))
        n++;
    tap_eq(l4util_stack_alloc(SIZE, &top), -L4_ENOMEM, "without a capability slot");
    while (n > 0)
        l4re_util_cap_free(slots[--n]);
    tap_eq(l4re_rm_reserve_area(&area, (1UL << 47) - 2 * (1UL << 32), 0, 0), 0, "without a place");
    tap_eq(l4util_stack_alloc(1UL << 32, &top), -L4_EADDRNOTAVAIL, "there is no stack");
    l4re_rm_free_area(area);
    tap_ok(looked(L4RE_DS_STATS_DATASPACES) == dataspaces && regions() == before,
           "and nothing is left of the attempts");
    tap_eq(l4util_stack_alloc(SIZE, &top), 0, "later there is one");
    l4util_stack_free(top, SIZE);
}

int main(void)
{
    l4_cap_idx_t starter = l4re_env_get_cap("starter");

    gives();
    refuses();
    gives_back();
    exhausted();
    tap_eq(l4re_starter_run(starter, "deep"), KILLED, "a stack too small ends in its guard");
    tap_eq(l4re_starter_run(starter, "deep_p"), KILLED, "so does one of the C library");
    tap_eq(l4re_starter_run(starter, "deep_m"), KILLED, "and the first thread's");
    return tap_done();
}
