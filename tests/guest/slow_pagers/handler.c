/*
 * slow_pagers/handler.c - the fault handler of the whole map, in the same task
 */
#include "slow.h"

#include <l4/sys/irq.h>

/* ---- the fault handler of the whole map ---- */

static l4_cap_idx_t irq;
static l4re_rm_pending_t list[8];

static void irq_new(void)
{
    irq = l4re_util_cap_alloc();
    l4_factory_create_irq(l4re_env()->factory, irq);
    l4_rcv_ep_bind_thread(irq, l4re_env()->main_thread, 0);
}

static int attach_fresh(l4re_ds_t ds, l4_addr_t place, l4re_rm_flags_t flags)
{
    void *at = (void *)place;

    return l4re_rm_attach(&at, L4_PAGESIZE, flags, ds, 0, 0);
}

static void handler_attaches(l4re_ds_t ds)
{
    l4_umword_t woken = rm_stat(L4RE_RM_STATS_WOKEN);
    unsigned before = refused;

    check_eq(l4re_rm_set_fault_handler(irq), 0, "a fault handler for the whole map");
    for (unsigned i = 0; i < 3; i++)
        touch_start(i, EMPTY_PLACE + i * L4_PAGESIZE + 8, i == 1);
    check(!l4_ipc_error(l4_irq_receive(irq, L4_IPC_NEVER), l4_utcb()), "is triggered");
    EVENTUALLY(l4re_rm_get_faults(0, list, 8) == 3);
    check_eq(l4re_rm_get_faults(0, list, 8), 3, "and sees the faults that wait");
    check(list[0].addr == EMPTY_PLACE + 8 && list[1].addr == EMPTY_PLACE + L4_PAGESIZE + 8 &&
               list[1].access == L4_PF_WRITE && list[0].access == 0 &&
               list[0].ip == (l4_addr_t)touch_read_at && list[0].id < list[1].id,
           "in their order, with address, access and instruction");
    check_eq(l4re_rm_get_faults(list[0].id, list, 1), 1, "from any of them on");
    check_eq(touch_fresh(4), 4, "who has a region does not wait");
    check_eq(l4re_rm_answer_fault(list[0].id, 0), 0, "a thread may be woken for nothing");
    EVENTUALLY(l4re_rm_get_faults(0, list, 8) == 3);
    check_eq(l4re_rm_get_faults(0, list, 8), 3, "and waits again");
    check_eq(attach_fresh(ds, EMPTY_PLACE + L4_PAGESIZE, L4RE_RM_F_R), 0, "an attach without W");
    check_eq((long)(rm_stat(L4RE_RM_STATS_WOKEN) - woken), 0, "does not serve a write");
    l4re_rm_detach((void *)(EMPTY_PLACE + L4_PAGESIZE));
    check_eq(attach_fresh(ds, EMPTY_PLACE + L4_PAGESIZE, L4RE_RM_F_RW), 0, "one with W");
    check_eq((long)(rm_stat(L4RE_RM_STATS_WOKEN) - woken), 1, "wakes exactly whom it serves");
    check(EVENTUALLY(touched[1]) && !touched[0] && !touched[2] && refused == before,
           "which goes on");
    check_eq(l4re_rm_get_faults(0, list, 8), 2, "the others wait");
}

static void handler_refuses(l4re_ds_t ds)
{
    unsigned before = refused;

    check_eq(l4re_rm_answer_fault(list[0].id, -L4_EACCESS), 0, "the handler refuses one");
    check(EVENTUALLY(refused == before + 1), "which is a clean fault");
    check_eq(l4re_rm_answer_fault(list[0].id, 0), -L4_ENOENT, "a fault is answered once");
    check_eq(l4re_rm_answer_fault(list[1].id, 5), -L4_EINVAL, "and not with a positive number");
    for (unsigned i = 0; i < 3; i++)
        touch_done(i);
    check_eq(l4re_rm_get_faults(0, list, 8), 0, "the one that is killed while it waits is gone");
    check_eq((long)rm_stat(L4RE_RM_STATS_BUSY), 0, "and its worker is free");
    l4re_rm_detach((void *)(EMPTY_PLACE + L4_PAGESIZE));
    check_eq(attach_fresh(ds, EMPTY_PLACE, L4RE_RM_F_R), 0, "a region to be read");
    touch_start(0, EMPTY_PLACE, true);
    check(EVENTUALLY(l4re_rm_get_faults(0, list, 8) == 1), "a write there is told, too");
    check_eq(l4re_rm_set_fault_handler(L4_INVALID_CAP), 0, "the handler is taken away");
    check(EVENTUALLY(touched[0]) && refused == before + 2, "then who waits is refused");
    touch_done(0);
    l4re_rm_detach((void *)EMPTY_PLACE);
}

/* Another one takes the place, and hears of those who wait already. */
static void handler_replaced(void)
{
    l4_cap_idx_t first = irq, gone = l4re_util_cap_alloc();
    unsigned before = refused;

    l4re_rm_set_fault_handler(irq);
    touch_start(0, EMPTY_PLACE, false);
    l4_irq_receive(irq, L4_IPC_NEVER);
    EVENTUALLY(l4re_rm_get_faults(0, list, 8) == 1);
    irq_new();
    check_eq(l4re_rm_set_fault_handler(irq), 0, "another handler");
    check(!l4_ipc_error(l4_irq_receive(irq, L4_IPC_NEVER), l4_utcb()) &&
              l4re_rm_get_faults(0, list, 8) == 1,
          "hears of the fault that the first one has left");
    check_eq(l4re_rm_set_fault_handler(gone), -L4_ENOENT, "an empty slot is no handler");
    check(l4re_rm_get_faults(0, list, 8) == 1 && refused == before, "and changes nothing");
    l4re_util_cap_free_um(irq);
    irq = first;
    check(EVENTUALLY(touched[0]) && refused == before + 1,
          "a handler that is deleted is missed by who waits");
    touch_done(0);
    l4re_util_cap_free(gone);
}

static void handler_dies(void)
{
    unsigned before = refused;

    l4re_rm_set_fault_handler(irq);
    touch_start(0, EMPTY_PLACE, false);
    EVENTUALLY(l4re_rm_get_faults(0, list, 8) == 1);
    l4re_util_cap_free_um(irq);
    touch_start(1, EMPTY_PLACE, false);
    check(EVENTUALLY(touched[0] && touched[1]) && refused == before + 2,
           "with a handler that is gone everybody is refused");
    touch_done(0);
    touch_done(1);
    touch_start(0, EMPTY_PLACE, false);
    check(EVENTUALLY(touched[0]), "as without");
    touch_done(0);
}

void test_handler(void)
{
    l4re_ds_t ds = l4re_util_cap_alloc();

    l4re_ma_alloc(L4_PAGESIZE, ds, 0);
    irq_new();
    handler_attaches(ds);
    handler_refuses(ds);
    handler_replaced();
    handler_dies();
    l4re_util_cap_free_um(ds);
}
