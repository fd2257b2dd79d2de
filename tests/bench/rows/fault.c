/*
 * fault.c - page faults that a pager in another task resolves
 *
 *   fault_1     we --- fault ---> pager, which has the page
 *   fault_hier  we --- fault ---> first pager --- call ---> second pager, which has the page
 *
 * Both map a page of 4 KiB; after each fault the page is taken away again, from the first pager
 * too. A neighbour stays, so the page tables stay.
 */
#include "party.h"
#include "rows.h"

enum { COUNT = 41 };

#define FAULT_AT (PLACE_DEST + 7 * L4_PAGESIZE)
#define MIDDLE_AT (PLACE_DEST + 0x40000000UL) /* in the first pager */

static uint32_t sample[BENCH_SAMPLES];
static l4_cap_idx_t second_gate, first_task;
static void (*job)(void);

/* Has nothing: asks the second pager, and maps on what it gets. */
static void first_pager(void)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_umword_t *mr = utcb->msg.mr;
    l4_umword_t label;

    utcb->buf.bdr = 0;
    utcb->buf.br[0] = L4_ITEM_MAP;
    utcb->buf.br[1] = l4_fpage(MIDDLE_AT, L4_PAGESHIFT, L4_FPAGE_RWX).raw;
    l4_ipc_wait(utcb, &label, L4_IPC_NEVER);
    for (;;) {
        l4_addr_t place = mr[0] & L4_PAGEMASK;

        l4_ipc_call(second_gate, utcb, l4_msgtag(0, 2, 0, 0), L4_IPC_NEVER);
        mr[0] = place | L4_ITEM_MAP;
        mr[1] = l4_fpage(MIDDLE_AT, L4_PAGESHIFT, L4_FPAGE_RWX).raw;
        l4_ipc_reply_and_wait(utcb, l4_msgtag(0, 0, 1, 0), &label, L4_IPC_NEVER);
    }
}

/* Does what `job` says when it is called. */
static void worker(void)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_umword_t label;

    l4_ipc_wait(utcb, &label, L4_IPC_NEVER);
    for (;;) {
        job();
        l4_ipc_reply_and_wait(utcb, l4_msgtag(0, 0, 0, 0), &label, L4_IPC_NEVER);
    }
}

static void fault_once(uint32_t *result)
{
    volatile char *page = (volatile char *)FAULT_AT;
    uint32_t t = bench_start();

    *page = 1;
    *result = bench_stop(t);
}

static void simple_faults(void)
{
    for (unsigned i = 0; i < COUNT; i++) {
        party_unmap(L4_BASE_TASK_CAP, FAULT_AT, L4_PAGESHIFT);
        fault_once(&sample[i]);
    }
}

static void hierarchical_faults(void)
{
    for (unsigned i = 0; i < COUNT; i++) {
        party_unmap(first_task, MIDDLE_AT, L4_PAGESHIFT);
        fault_once(&sample[i]);
    }
}

static uint32_t run(l4_cap_idx_t gate, void (*what)(void))
{
    job = what;
    party_call(gate);
    return bench_median(sample, COUNT);
}

static l4_cap_idx_t faulter(unsigned utcb, l4_cap_idx_t pager_gate)
{
    return party_gate(party_thread(L4_BASE_TASK_CAP, party_own_utcb(utcb), worker, PARTY_SAME,
                                   pager_gate));
}

void measure_faults(void)
{
    l4_cap_idx_t second_task = party_task_with_image();
    l4_cap_idx_t first_gate, simple, hierarchical;

    second_gate = party_gate(party_thread(second_task, party_utcb(0), party_pager, PARTY_SAME,
                                          L4_INVALID_CAP));
    first_task = party_task_with_image();
    party_give(first_task, second_gate);
    first_gate = party_gate(party_thread(first_task, party_utcb(0), first_pager, PARTY_SAME,
                                         L4_INVALID_CAP));
    party_map(L4_BASE_TASK_CAP, PLACE_SMALL + L4_PAGESIZE, FAULT_AT + L4_PAGESIZE, L4_PAGESHIFT);
    party_map(first_task, PLACE_SMALL + L4_PAGESIZE, MIDDLE_AT + L4_PAGESIZE, L4_PAGESHIFT);
    simple = faulter(3, second_gate);
    hierarchical = faulter(4, first_gate);
    party_settle();
    bench_row("fault_1", run(simple, simple_faults));
    party_unmap(L4_BASE_TASK_CAP, FAULT_AT, L4_PAGESHIFT);
    bench_row("fault_hier", run(hierarchical, hierarchical_faults));
}
