/*
 * zero.c - inside anon: the zero page, seen once for each dataspace
 *
 * What is only read needs no frame: the client gets the zero page. When a page is made in that
 * place later, everybody who has the zero page there must lose it, and others should not. So a
 * dataspace has a view of its own, a further mapping of the one zero page, and takes that away from
 * its clients: all its zero pages at once, which come back with the next faults.
 *
 * Z1  View n of the zero page is at views + n pages; it is mapped while a dataspace has number n.
 */
#include "anon.h"

#include <l4/sys/task.h>

/* Dataspaces with a view at a time: two bytes each. Others read frames of their own. */
enum { VIEWS = 4096 };

static const l4_addr_t views = 0x7d0000000000UL; /* above all RAM */
static const char zeros[L4_PAGESIZE] __attribute__((aligned(L4_PAGESIZE)));
static l4_uint16_t free_views[VIEWS]; /* numbers that were used before */
static unsigned free_count, made = 1;

static l4_fpage_t view(unsigned number)
{
    return l4_fpage(views + ((l4_addr_t)number << L4_PAGESHIFT), L4_PAGESHIFT, L4_FPAGE_RWX);
}

static unsigned number_take(void)
{
    if (free_count > 0)
        return free_views[--free_count];
    return made < VIEWS ? made++ : 0;
}

l4_addr_t zero_view(struct anon_ds *a)
{
    unsigned number = a->zero ? a->zero : number_take();

    if (!number)
        return 0;
    if (!a->zero &&
        l4_error(l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP,
                             l4_fpage((l4_addr_t)zeros, L4_PAGESHIFT, L4_FPAGE_RX),
                             l4_map_control(l4_fpage_memaddr(view(number)), 0, 0))) < 0) {
        free_views[free_count++] = number;
        return 0;
    }
    a->zero = number;
    a->slow |= SLOW_ZERO;
    return l4_fpage_memaddr(view(number));
}

void zero_revoke(struct anon_ds *a)
{
    l4_fpage_t page = view(a->zero);

    if (a->slow & SLOW_ZERO)
        ram_unmap(&page, 1);
    a->slow &= ~(unsigned)SLOW_ZERO;
}

void zero_release(struct anon_ds *a)
{
    if (!a->zero)
        return;
    l4_task_unmap(L4_BASE_TASK_CAP, view(a->zero), L4_FP_ALL_SPACES);
    free_views[free_count++] = (l4_uint16_t)a->zero;
    a->zero = 0;
}
