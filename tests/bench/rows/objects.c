/*
 * objects.c - tasks and threads made and deleted; bytes of kernel memory
 */
#include "party.h"
#include "rows.h"

#include <l4/sys/debugger.h>
#include <l4/sys/factory.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/thread.h>

enum { COUNT = 21, PAGES = 512, OBJECTS = 16 };

static uint32_t make_sample[BENCH_SAMPLES], delete_sample[BENCH_SAMPLES];
static l4_cap_idx_t slots[OBJECTS];

/* Bytes charged to our quota. */
static uint64_t used(void)
{
    l4_umword_t counter[L4_DBG_CNT_NUM];
    long err = l4_dbg_counters(L4_BASE_DEBUGGER_CAP, L4_INVALID_CAP, counter);

    if (err < 0)
        bench_fail("the counters", err);
    return counter[L4_DBG_CNT_KMEM_USED];
}

static void delete_object(l4_cap_idx_t cap)
{
    bench_must(l4_task_delete_obj(L4_BASE_TASK_CAP, cap), "deleting an object");
}

static void tasks(void)
{
    l4_cap_idx_t task = party_slot();

    for (unsigned i = 0; i < COUNT; i++) {
        l4_fpage_t area = l4_fpage(QUIRE_UTCB_ADDR, L4_PAGESHIFT, L4_FPAGE_RW);
        l4_msgtag_t tag;
        uint32_t t = bench_start();

        tag = l4_factory_create_task(L4_BASE_FACTORY_CAP, task, &area);
        make_sample[i] = bench_stop(t);
        bench_must(tag, "a task");
        t = bench_start();
        tag = l4_task_delete_obj(L4_BASE_TASK_CAP, task);
        delete_sample[i] = bench_stop(t);
        bench_must(tag, "deleting a task");
    }
    bench_row("task_create", bench_median(make_sample, COUNT));
    bench_row("task_delete", bench_median(delete_sample, COUNT));
}

static void never(void)
{
    for (;;)
        l4_ipc_sleep(L4_IPC_NEVER);
}

/* Create, bind, start; the last error. The thread has a low priority, so it does not run here. */
static inline long start_thread(l4_cap_idx_t thread, l4_utcb_t *utcb, l4_cap_idx_t task,
                                l4_sched_param_t *param)
{
    long err = l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, thread));

    l4_thread_control_start();
    l4_thread_control_pager(L4_BASE_PAGER_CAP);
    l4_thread_control_bind(utcb, task);
    err |= l4_error(l4_thread_control_commit(thread));
    err |= l4_error(l4_thread_ex_regs(thread, (l4_addr_t)never, 0, 0));
    return err | l4_error(l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, thread, param));
}

static void threads(void)
{
    l4_cap_idx_t task = party_task(L4_PAGESHIFT), thread = party_slot();
    l4_sched_param_t param = l4_sched_param(PARTY_LOW, 0);

    for (unsigned i = 0; i < COUNT; i++) {
        uint32_t t = bench_start();
        long err = start_thread(thread, party_utcb(0), task, &param);
        l4_msgtag_t tag;

        make_sample[i] = bench_stop(t);
        if (err < 0)
            bench_fail("starting a thread", err);
        t = bench_start();
        tag = l4_task_delete_obj(L4_BASE_TASK_CAP, thread);
        delete_sample[i] = bench_stop(t);
        bench_must(tag, "deleting a thread");
    }
    delete_object(task);
    bench_row("thread_start", bench_median(make_sample, COUNT));
    bench_row("thread_delete", bench_median(delete_sample, COUNT));
}

/* What a capability costs its holder beside the object. */
static uint64_t bytes_capability(void)
{
    uint64_t before = used(), after;

    for (unsigned i = 0; i < OBJECTS; i++)
        bench_must(l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP,
                               l4_obj_fpage(L4_BASE_LOG_CAP, 0, L4_CAP_FPAGE_RWS),
                               l4_map_obj_control(slots[i], 0)), "a capability");
    after = used();
    bench_must(l4_task_unmap(L4_BASE_TASK_CAP,
                             l4_obj_fpage(L4_BASE_LOG_CAP, 0, L4_CAP_FPAGE_RWSD),
                             L4_FP_OTHER_SPACES), "revoking capabilities");
    return (after - before) / OBJECTS;
}

static l4_msgtag_t make_task(l4_cap_idx_t slot)
{
    l4_fpage_t area = l4_fpage(QUIRE_UTCB_ADDR, L4_PAGESHIFT, L4_FPAGE_RW);

    return l4_factory_create_task(L4_BASE_FACTORY_CAP, slot, &area);
}

static l4_msgtag_t make_thread(l4_cap_idx_t slot)
{
    return l4_factory_create_thread(L4_BASE_FACTORY_CAP, slot);
}

static l4_msgtag_t make_gate(l4_cap_idx_t slot)
{
    return l4_factory_create_gate(L4_BASE_FACTORY_CAP, slot, L4_BASE_THREAD_CAP, 0x1000);
}

static uint64_t bytes_of(l4_msgtag_t (*make)(l4_cap_idx_t), uint64_t capability)
{
    uint64_t before = used(), after;

    for (unsigned i = 0; i < OBJECTS; i++)
        bench_must(make(slots[i]), "an object");
    after = used();
    for (unsigned i = 0; i < OBJECTS; i++)
        delete_object(slots[i]);
    return (after - before) / OBJECTS - capability;
}

/* A page table's worth of mappings, without the page table itself but with all beside it. */
static uint64_t bytes_mapping(void)
{
    l4_cap_idx_t task = party_task(0);
    l4_addr_t at = PLACE_DEST;
    uint64_t before;

    party_map(task, PLACE_SMALL, at + L4_SUPERPAGESIZE, L4_PAGESHIFT);
    before = used();
    party_map(task, PLACE_SMALL, at, 21);
    before = used() - before - L4_PAGESIZE;
    delete_object(task);
    return (before + PAGES - 1) / PAGES;
}

static void bytes(void)
{
    uint64_t cap;

    for (unsigned i = 0; i < OBJECTS; i++)
        slots[i] = party_slot();
    make_gate(slots[OBJECTS - 1]); /* the last page of the capability table is there */
    delete_object(slots[OBJECTS - 1]);
    cap = bytes_capability();
    bench_row("bytes_capability", cap);
    bench_row("bytes_thread", bytes_of(make_thread, cap));
    bench_row("bytes_task", bytes_of(make_task, cap));
    bench_row("bytes_gate", bytes_of(make_gate, cap));
    bench_row("bytes_mapping", bytes_mapping());
}

void measure_objects(void)
{
    tasks();
    threads();
    bytes();
}
