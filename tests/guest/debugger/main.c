/*
 * debugger/main.c - the debugger's object: whose counters there are, what the trace keeps
 */
#include "harness.h"

#include <l4/sys/debugger.h>

#include <abi/errors.h>

enum { RING = 4096, EVENTS = 3000, PLACE = 0x20000000 };

/* Also fails when a wrong capability is taken for a task: the counters would be anything. */
static void counters_of(void)
{
    l4_umword_t counters[L4_DBG_CNT_NUM] = {0};
    struct child *c = child_new();

    expect_eq(l4_dbg_counters(L4_BASE_DEBUGGER_CAP, c->task, counters), 0);
    expect(counters[L4_DBG_CNT_KMEM_LIMIT] > 0);
    expect_eq(l4_dbg_counters(L4_BASE_DEBUGGER_CAP, c->thread, counters), -L4_EINVAL);
    expect_eq(l4_dbg_counters(L4_BASE_DEBUGGER_CAP, slot_new(), counters), -L4_ENOENT);
    expect_eq(l4_dbg_counters(L4_BASE_SCHEDULER_CAP, c->task, counters), -L4_EBADPROTO);
}

/* Number of events ever, and how many of them were read; `first` is the first of these. */
static l4_umword_t read_all(l4_umword_t *first, l4_umword_t *count)
{
    l4_trace_record records[L4_DBG_TRACE_READ_MAX];
    l4_umword_t next = 0;
    l4_uint64_t last = 0;
    long n;

    for (*count = 0; (n = l4_dbg_trace_read(L4_BASE_DEBUGGER_CAP, &next, records)) > 0;
         *count += (l4_umword_t)n) {
        if (!*count)
            *first = next - (l4_umword_t)n;
        for (long i = 0; i < n; last = records[i++].tsc)
            expect(records[i].tsc >= last);
    }
    expect_eq(n, 0);
    return next;
}

/* Each round is at least one event for the map and one for the unmap. */
static void map_and_unmap(l4_cap_idx_t task, l4_addr_t page, unsigned rounds)
{
    while (rounds--) {
        l4_task_map(task, L4_BASE_TASK_CAP, l4_fpage(page, 12, L4_FPAGE_RW), PLACE);
        l4_task_unmap(task, l4_fpage(PLACE, 12, L4_FPAGE_RWX), L4_FP_ALL_SPACES);
    }
}

static void ring(void)
{
    static char page[L4_PAGESIZE] __attribute__((aligned(L4_PAGESIZE)));
    l4_umword_t first, count, all, before;
    l4_cap_idx_t task = task_new();

    *(volatile char *)page = 1;
    expect_eq(l4_dbg_trace_ctl(L4_BASE_DEBUGGER_CAP, 2), 0);
    map_and_unmap(task, (l4_addr_t)page, 10);
    expect_eq(l4_dbg_trace_ctl(L4_BASE_DEBUGGER_CAP, 0), 0);
    before = read_all(&first, &count);
    expect(first == 0 && count == before && count >= 20);
    map_and_unmap(task, (l4_addr_t)page, 10); /* it is off */
    expect_eq(read_all(&first, &count), before);
    expect_eq(l4_dbg_trace_ctl(L4_BASE_DEBUGGER_CAP, 1), 0);
    map_and_unmap(task, (l4_addr_t)page, EVENTS);
    expect_eq(l4_dbg_trace_ctl(L4_BASE_DEBUGGER_CAP, 0), 0);
    all = read_all(&first, &count);
    expect(all >= before + 2 * EVENTS);
    expect_eq(count, RING);
    expect_eq(first, all - RING);
}

int main(void)
{
    static const struct test tests[] = {
        {"there are counters of tasks, and of nothing else", counters_of},
        {"the trace keeps the last 4096 events, in order, with their numbers", ring},
        {NULL, NULL},
    };
    static const struct test *const sets[] = {tests};

    return tests_run(sets, 1);
}
