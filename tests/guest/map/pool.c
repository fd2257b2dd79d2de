/*
 * map/pool.c - memory to map, and eyes to see where it went
 */
#include "pool.h"

#include <l4/sys/debugger.h>

l4_addr_t pool;

/* Where the test looks at pages of others. */
#define WINDOW 0x500000000UL

enum { RET = 0xc3 };

static void mark(l4_addr_t at, l4_umword_t name)
{
    ((l4_umword_t *)at)[0] = name;
    ((l4_umword_t *)at)[1] = RET;
}

void pool_start(void)
{
    pool = memory_new(POOL_ORDER);
    if (!pool) {
        printf("Bail out! no memory for the pool\n");
        l4_dbg_shutdown(L4_BASE_DEBUGGER_CAP, 99);
    }
    for (l4_umword_t o = 0; o < POOL_SIZE; o += KIB4)
        mark(pool + o, o);
}

long move(l4_cap_idx_t to, l4_cap_idx_t from, l4_addr_t source, unsigned order, l4_addr_t address,
          unsigned rights)
{
    return l4_error(l4_task_map(to, from, l4_fpage(source, order, (unsigned char)rights),
                                l4_map_control(address, 0, L4_MAP_ITEM_MAP)));
}

long move_grant(l4_cap_idx_t to, l4_cap_idx_t from, l4_addr_t source, unsigned order,
                l4_addr_t address, unsigned rights)
{
    return l4_error(l4_task_map(to, from, l4_fpage(source, order, (unsigned char)rights),
                                l4_map_control(address, 0, L4_MAP_ITEM_GRANT)));
}

long pool_map(l4_cap_idx_t task, l4_umword_t offset, unsigned order, l4_addr_t address,
              unsigned rights)
{
    return move(task, L4_BASE_TASK_CAP, pool + offset, order, address, rights);
}

l4_umword_t page_at(l4_cap_idx_t task, l4_addr_t address)
{
    l4_umword_t before = entered(L4_BASE_TASK_CAP), seen = HOLE;

    expect_eq(move(L4_BASE_TASK_CAP, task, address, L4_PAGESHIFT, WINDOW, L4_FPAGE_RO), 0);
    if (entered(L4_BASE_TASK_CAP) != before) {
        seen = *(volatile l4_umword_t *)WINDOW;
        unmap(L4_BASE_TASK_CAP, WINDOW, L4_PAGESHIFT, L4_FPAGE_RWX, L4_FP_ALL_SPACES);
    }
    return seen;
}

long unmap(l4_cap_idx_t task, l4_addr_t address, unsigned order, unsigned rights,
           l4_umword_t mask)
{
    l4_fpage_t fp = l4_fpage(address, order, (unsigned char)rights);
    l4_msgtag_t tag = l4_task_unmap(task, fp, mask);
    l4_umword_t answer = l4_utcb()->msg.mr[0];

    if (l4_error(tag) != 0)
        return l4_error(tag);
    expect_eq(l4_msgtag_words(tag), 1);
    expect_eq(answer & ~0xfUL, fp.raw & ~0xfUL);
    return (long)(answer & 0xf);
}

unsigned rights_at(struct child *c, l4_addr_t address)
{
    struct probe r = probe_read(c, address), w, x;

    w = probe_write(c, address + 16, 1);
    x = probe_run(c, address + 8);
    if (r.fault) {
        expect(w.fault && x.fault);
        expect_eq(r.fault_msg, address & ~7UL);
        expect_eq(w.fault_msg, ((address + 16) & ~7UL) | L4_PF_WRITE);
        expect_eq(x.fault_msg, ((address + 8) & ~7UL) | L4_PF_FETCH);
        return 0;
    }
    if (w.fault)
        expect_eq(w.fault_msg, ((address + 16) & ~7UL) | L4_PF_WRITE | L4_PF_PRESENT);
    if (x.fault)
        expect_eq(x.fault_msg, ((address + 8) & ~7UL) | L4_PF_FETCH | L4_PF_PRESENT);
    return (unsigned)(L4_FPAGE_R | (w.fault ? 0 : L4_FPAGE_W) | (x.fault ? 0 : L4_FPAGE_X));
}
