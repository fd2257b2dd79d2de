/*
 * bounds/latency.c - how long does a thread of the highest priority wait for the kernel?
 *
 * A watcher of higher priority than everybody sleeps and wakes with each tick of the timer, and
 * writes down when. Between two ticks lie always as many counts of the time stamp counter, so the
 * latest wake-up, compared with the earliest, is the longest that an operation held it up. Under
 * -icount the counter counts instructions. (The plugin of the benchmark sees every instruction
 * and so finds the worst place; this test sees what a program sees, with no help.)
 */
#include "bounds.h"

#include <l4/sys/debugger.h>
#include <l4/util/rdtsc.h>

enum {
    WATCHER = 200,
    WAKES_MAX = 4096,
    MANY = 100000,
    GIB_PAGES = 1 << 18,
    DEPTH = 10000,
    LIMIT = 20000, /* instructions */
    QUIET = 20,    /* ticks to know the period */
};

#define MANY_AT 0x500000000000UL

static l4_uint64_t wake[WAKES_MAX];
static volatile unsigned wakes;
static struct child *watcher;
static l4_uint64_t period;

static void watch(void *unused)
{
    (void)unused;
    for (;;) {
        l4_ipc_sleep(l4_timeout(L4_IPC_TIMEOUT_NEVER, l4_timeout_from_us(1)));
        if (wakes < WAKES_MAX)
            wake[wakes++] = l4_rdtsc();
    }
}

/* The middle of all distances between two wake-ups while nothing happens. */
static l4_uint64_t measured_period(void)
{
    wakes = 0;
    l4_ipc_sleep_ms(QUIET + 2);
    return (wake[QUIET] - wake[0]) / QUIET;
}

static void watcher_start(void)
{
    watcher = child_new();
    watcher->priority = WATCHER;
    child_run(watcher, watch, NULL);
    period = measured_period();
    wakes = 0;
}

/* Latest against earliest, in counts. */
static l4_uint64_t largest_delay(void)
{
    long first = 0, earliest = 0, latest = 0;
    unsigned n = wakes;

    for (unsigned i = 0; i < n; i++) {
        long late = (long)(wake[i] - i * period);

        if (i == 0)
            first = late;
        late -= first;
        /* A tick that came while the one before was still waiting is lost: then the wake-ups are
         * a whole period apart from where they should be, which no limit allows. */
        earliest = late < earliest ? late : earliest;
        latest = late > latest ? late : latest;
    }
    return (l4_uint64_t)(latest - earliest);
}

static void verdict(const char *what, unsigned least_wakes)
{
    l4_uint64_t delay = largest_delay();
    unsigned n = wakes;

    printf("# %s: %u ticks of %lu, held up for at most %lu\n", what, n, period, delay);
    expect(n >= least_wakes);
    expect(delay <= LIMIT);
    child_priority(watcher, 1, 0);
}

static void map_page(l4_cap_idx_t to, l4_cap_idx_t from, l4_addr_t src, l4_addr_t dst)
{
    l4_task_map(to, from, l4_fpage(src, L4_PAGESHIFT, L4_FPAGE_RW), l4_map_control(dst, 0, 0));
}

static void build_many(l4_cap_idx_t task)
{
    for (l4_umword_t i = 0; i < MANY; i++)
        map_page(task, L4_BASE_TASK_CAP, memory, MANY_AT + i * L4_PAGESIZE);
}

static void unmap_many(void)
{
    l4_cap_idx_t task = task_new();

    build_many(task);
    watcher_start();
    l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(memory, L4_PAGESHIFT, L4_FPAGE_RWX),
                  L4_FP_OTHER_SPACES);
    verdict("unmap of 100,000 mappings", 4);
}

static void downgrade_many(void)
{
    l4_cap_idx_t task = task_new();

    build_many(task);
    watcher_start();
    l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(memory, L4_PAGESHIFT, L4_FPAGE_W),
                  L4_FP_OTHER_SPACES);
    verdict("write access taken from 100,000 mappings", 2);
    l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(memory, L4_PAGESHIFT, L4_FPAGE_RWX),
                  L4_FP_OTHER_SPACES);
}

static void ask_many(void)
{
    l4_cap_idx_t task = task_new();

    build_many(task);
    watcher_start();
    l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(memory, L4_PAGESHIFT, 0), L4_FP_OTHER_SPACES);
    verdict("accessed and dirty asked of 100,000 mappings", 2);
}

/* 1 GiB of small pages; the frames are those of 2 MiB, again and again. */
static void large_task_dies(void)
{
    l4_cap_idx_t task = task_new(), source = task_new();
    l4_umword_t pages;

    for (l4_umword_t i = 0; i < 512; i++) /* one by one, or they would be a superpage */
        map_page(source, L4_BASE_TASK_CAP, memory + i * L4_PAGESIZE, MANY_AT + i * L4_PAGESIZE);
    for (l4_umword_t i = 0; i < GIB_PAGES / 512; i++)
        expect_eq(l4_error(l4_task_map(task, source, l4_fpage(MANY_AT, 21, L4_FPAGE_RW),
                                       l4_map_control(MANY_AT + (i << 21), 0, 0))), 0);
    pages = counter(task, L4_DBG_CNT_PAGES_MAPPED);
    expect_eq(pages, GIB_PAGES);
    watcher_start();
    expect_eq(destroy(task), 0);
    verdict("death of a task with 1 GiB of small pages", 10);
}

/* Many tables with a few pages each; made and destroyed while the watcher watches. */
static void scattered_task_dies(void)
{
    enum { ROUNDS = 12, TABLES = 100, PAGES = 40 };
    l4_cap_idx_t task = slot_new();
    l4_fpage_t area = l4_fpage(QUIRE_UTCB_ADDR, L4_PAGESHIFT, L4_FPAGE_RW);

    watcher_start();
    for (unsigned round = 0; round < ROUNDS; round++) {
        expect_eq(l4_error(l4_factory_create_task(L4_BASE_FACTORY_CAP, task, &area)), 0);
        for (l4_umword_t t = 0; t < TABLES; t++)
            for (l4_umword_t i = 0; i < PAGES; i++)
                map_page(task, L4_BASE_TASK_CAP, memory + i * L4_PAGESIZE,
                         MANY_AT + (t << 30) + i * 12 * L4_PAGESIZE);
        expect_eq(destroy(task), 0);
    }
    verdict("tasks with scattered pages", ROUNDS);
}

static void chain(void)
{
    l4_cap_idx_t task = task_new();
    l4_addr_t last = memory;

    expect_eq(l4_error(l4_task_map(task, L4_BASE_TASK_CAP, l4_fpage(memory, 12, L4_FPAGE_RW),
                                   l4_map_control(MANY_AT, 0, 0))), 0);
    last = MANY_AT;
    for (l4_umword_t i = 1; i < DEPTH; i++, last += L4_PAGESIZE)
        map_page(task, task, last, last + L4_PAGESIZE);
    watcher_start();
    /* To where the chain begins: is the source below it? The kernel has to look at all of it. */
    for (unsigned i = 0; i < 20; i++)
        map_page(task, task, last, MANY_AT);
    l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(memory, L4_PAGESHIFT, L4_FPAGE_RWX),
                  L4_FP_OTHER_SPACES);
    verdict("a chain 10,000 deep", 1);
}

static void sixteen_pages(void)
{
    watcher_start();
    for (unsigned i = 0; i < 200; i++) {
        l4_fpage_t area = l4_fpage(QUIRE_UTCB_ADDR, 16, L4_FPAGE_RW);
        l4_cap_idx_t task = 500UL << L4_CAP_SHIFT;

        l4_factory_create_task(L4_BASE_FACTORY_CAP, task, &area);
        l4_task_add_ku_mem(task, &(l4_fpage_t){l4_fpage(MANY_AT, 16, L4_FPAGE_RW).raw});
        destroy(task);
    }
    verdict("kernel-user memory made and freed", 4);
}

/* All go on at once: thirty threads that wait at a gate, and thirty in the same tick. */
static void many_at_once(void)
{
    static struct crowd crowd;
    l4_cap_idx_t gate = gate_new(L4_INVALID_CAP, 0);
    extern void wait_at_gate(unsigned long), wait_a_tick(unsigned long);

    crowd_start(&crowd);
    crowd_give(&crowd, gate, CROWD_CAP(0));
    watcher_start();
    for (unsigned i = 0; i < 60; i++)
        crowd_run(&crowd, crowd_join(&crowd, L4_INVALID_CAP, L4_INVALID_CAP),
                  i < 30 ? wait_at_gate : wait_a_tick, PRIO_TEST - 1);
    l4_ipc_sleep_ms(20);
    l4_rcv_ep_bind_thread(gate, crowd.thread[59], 0x1000);
    l4_ipc_sleep_ms(20);
    verdict("thirty threads at a gate that gets a thread, thirty in one tick", 20);
}

void wait_at_gate(unsigned long n)
{
    (void)n;
    for (;;)
        l4_ipc_call(CROWD_CAP(0), l4_utcb(), l4_msgtag(0, 0, 0, 0), L4_IPC_NEVER);
}

void wait_a_tick(unsigned long n)
{
    (void)n;
    for (;;)
        l4_ipc_sleep_us(1);
}

const struct test latency_tests[] = {
    {"100,000 mappings are unmapped in bounded steps", unmap_many},
    {"they lose a right in bounded steps", downgrade_many},
    {"they are asked for accessed and dirty in bounded steps", ask_many},
    {"a task with 1 GiB of small pages dies in bounded steps", large_task_dies},
    {"a task with pages in many tables dies in bounded steps", scattered_task_dies},
    {"a chain of 10,000 mappings is dealt with in bounded steps", chain},
    {"kernel-user memory is cleared in bounded steps", sixteen_pages},
    {"thirty threads become ready at once, and again thirty", many_at_once},
    {NULL, NULL},
};
