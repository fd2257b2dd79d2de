/*
 * accounting/rights.c - nobody ever has more than he was given from, as the kernel sees it
 */
#include "accounting.h"

#include <l4/sys/debugger.h>

/* A capability is passed on, and then granted with fewer rights. */
static void granted_capability(void)
{
    struct child *a = child_new(), *b = child_new(), *c = child_new();
    l4_cap_idx_t gate = gate_new(L4_INVALID_CAP, 0);

    expect_eq(give(a, gate, CHILD_CAP(0), L4_CAP_FPAGE_RWS), 0);
    expect_eq(l4_error(l4_task_map(b->task, a->task,
                                   l4_obj_fpage(CHILD_CAP(0), 0, L4_CAP_FPAGE_RWS),
                                   l4_map_obj_control(CHILD_CAP(0), 0))), 0);
    expect_eq(l4_error(l4_task_map(c->task, a->task, l4_obj_fpage(CHILD_CAP(0), 0, L4_CAP_FPAGE_R),
                                   l4_map_obj_control(CHILD_CAP(0), L4_MAP_ITEM_GRANT))), 0);
    expect_eq(l4_dbg_check(L4_BASE_DEBUGGER_CAP), 0);
}

/* The same with a page. */
static void granted_page(void)
{
    l4_addr_t at = 0x100000000000UL;
    struct child *a = child_new(), *b = child_new(), *c = child_new();

    expect_eq(l4_error(l4_task_map(a->task, L4_BASE_TASK_CAP, l4_fpage(memory, 12, L4_FPAGE_RW),
                                   l4_map_control(at, 0, 0))), 0);
    expect_eq(l4_error(l4_task_map(b->task, a->task, l4_fpage(at, 12, L4_FPAGE_RW),
                                   l4_map_control(at, 0, 0))), 0);
    expect(!probe_write(b, at, 1).fault);
    expect_eq(l4_error(l4_task_map(c->task, a->task, l4_fpage(at, 12, L4_FPAGE_RO),
                                   l4_map_control(at, 0, L4_MAP_ITEM_GRANT))), 0);
    expect(probe_write(b, at, 1).fault);
    expect(!probe_read(b, at).fault);
    expect_eq(l4_dbg_check(L4_BASE_DEBUGGER_CAP), 0);
}

const struct test rights_tests[] = {
    {"a capability granted with fewer rights takes them from those below, too", granted_capability},
    {"a page granted with fewer rights takes them from those below, too", granted_page},
    {NULL, NULL},
};
