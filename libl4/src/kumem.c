/*
 * kumem.c - kernel-user memory: room for UTCBs
 *
 * K1  A UTCB is taken from the free list, else from the task's UTCB area (first_free_utcb moves
 *     up), else from new kernel-user memory, a page at a time.
 */
#include <l4/re/c/rm.h>
#include <l4/re/c/util/kumem_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/task.h>
#include <l4/sys/utcb.h>

#include "lock.h"

static struct lock lock;
static l4_utcb_t *free_list; /* chained through the first user word */
static l4_addr_t page_next, page_end;
static l4_addr_t bare_next; /* without region manager: addresses above the UTCB area */

/* An address range of `size` bytes, aligned to it. */
static int range_reserve(l4_addr_t *start, l4_addr_t size, l4_cap_idx_t rm)
{
    l4_fpage_t area = l4re_env()->utcb_area;
    l4_addr_t limit;

    if (l4_is_valid_cap(rm)) {
        *start = QUIRE_ATTACH_MIN;
        return (int)l4re_rm_reserve_area_srv(rm, start, size, L4RE_RM_F_SEARCH_ADDR,
                                             (unsigned char)__builtin_ctzl(size));
    }
    if (bare_next == 0)
        bare_next = l4_fpage_memaddr(area) + (1UL << l4_fpage_size(area));
    *start = (bare_next + size - 1) & ~(size - 1);
    /* Tasks with an environment page have their UTCBs below it, sigma0 and root at the top. */
    limit = *start < QUIRE_ENV_ADDR ? QUIRE_ENV_ADDR : L4_USER_END;
    if (*start + size > limit)
        return -L4_ENOMEM;
    bare_next = *start + size;
    return 0;
}

int l4re_util_kumem_alloc(l4_addr_t *mem, unsigned pages_order, l4_cap_idx_t task, l4_cap_idx_t rm)
{
    unsigned order = pages_order + L4_PAGESHIFT;
    l4_fpage_t f;
    int err;

    if (order > 30)
        return -L4_EINVAL;
    err = range_reserve(mem, 1UL << order, rm);
    if (err < 0)
        return err;
    f = l4_fpage(*mem, order, L4_FPAGE_RW);
    err = (int)l4_error(l4_task_add_ku_mem(task, &f));
    if (err < 0) {
        if (l4_is_valid_cap(rm))
            l4re_rm_free_area_srv(rm, *mem);
        return err;
    }
    *mem = l4_fpage_memaddr(f);
    return 0;
}

/* The next UTCB that was never used, with the lock held. */
static l4_utcb_t *fresh_take(void)
{
    l4re_env_t *e = l4re_env();
    l4_addr_t area_end = l4_fpage_memaddr(e->utcb_area) + (1UL << l4_fpage_size(e->utcb_area));
    l4_addr_t at;

    if (e->first_free_utcb + L4_UTCB_OFFSET <= area_end) {
        at = e->first_free_utcb;
        e->first_free_utcb += L4_UTCB_OFFSET;
        return (l4_utcb_t *)at;
    }
    if (page_next == page_end) {
        if (l4re_util_kumem_alloc(&page_next, 0, L4_BASE_TASK_CAP, e->rm) < 0) {
            page_next = page_end;
            return NULL;
        }
        page_end = page_next + L4_PAGESIZE;
    }
    at = page_next;
    page_next += L4_UTCB_OFFSET;
    return (l4_utcb_t *)at;
}

l4_utcb_t *l4re_util_utcb_alloc(void)
{
    l4_utcb_t *u;

    lock_take(&lock);
    u = free_list;
    if (u)
        free_list = (l4_utcb_t *)u->tcr.user[0];
    else
        u = fresh_take();
    lock_drop(&lock);
    return u;
}

void l4re_util_utcb_free(l4_utcb_t *u)
{
    lock_take(&lock);
    u->tcr.user[0] = (l4_umword_t)free_list;
    free_list = u;
    lock_drop(&lock);
}
