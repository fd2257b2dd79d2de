/*
 * map_world.h - four tasks that map memory to each other, on the host
 *
 * Task LOADED is the one whose tables the CPU has: what it may still believe of entries that have
 * lost something is counted in `stale` until it is flushed.
 */
#pragma once

#include "machine.h"

#include <common/fpage.h>

#include "map_memory.h"
#include "test.h"

enum { SPACES = 4, LOADED = 1 };

static struct factory *factories[SPACES];
static struct task *tasks[SPACES];
static struct thread *worker[2]; /* in whose name operations run */
static unsigned stale;
static struct { uint64_t va; unsigned shift; } stale_page[1024];

static void watch_store(uint64_t *e, uint64_t old, uint64_t value)
{
    uint64_t lost = (old & ~value & (PTE_P | PTE_W)) | (value & ~old & PTE_NX);

    if (ptab_space(e)->root_phys != cpu0.root_loaded || !(old & PTE_P) ||
        (!lost && !((old ^ value) & PTE_FRAME)))
        return;
    CHECK(stale < sizeof(stale_page) / sizeof(stale_page[0]));
    stale_page[stale].va = ptab_va(e);
    stale_page[stale++].shift = ptab_shift(ptab_level(e));
}

/* NULL: one page of what is loaded, which must have lost it (nobody else's entry is flushed at its
 * cost); address 0: all of it. */
static void watch_flush(struct space *s, uint64_t va)
{
    unsigned before = stale;

    if (s && s->root_phys != cpu0.root_loaded)
        return;
    for (unsigned i = stale; i-- > 0;)
        if (!va || stale_page[i].va >> stale_page[i].shift == va >> stale_page[i].shift)
            stale_page[i] = stale_page[--stale];
    CHECK(s || !va || stale < before);
}

static void start(void)
{
    machine_boot(8UL << 20, 0);
    for (int i = 0; i < SPACES; i++) {
        factories[i] = machine_factory(&root_factory.obj, 1UL << 20);
        tasks[i] = machine_task(&factories[i]->obj);
        CHECK(tasks[i]);
    }
    for (int i = 0; i < 2; i++)
        CHECK((worker[i] = thread_create(&root_factory.obj)) != NULL);
    cpu0.current = worker[0];
    stale = 0;
    cpu0.root_loaded = tasks[LOADED]->space.root_phys;
    host_pte_watch = watch_store;
    host_flush_watch = watch_flush;
}

static void stop(void)
{
    host_window = NULL;
    host_pte_watch = NULL;
    host_flush_watch = NULL;
    for (int i = 0; i < SPACES; i++) {
        if (tasks[i])
            machine_destroy(&tasks[i]->obj);
        CHECK(check_all() == 0);
    }
    machine_destroy(&worker[0]->obj);
    machine_destroy(&worker[1]->obj);
    CHECK(root_factory.quota.used == 0);
}

static void leaks(void)
{
    uint64_t total, free, low;

    kmem_stats(&total, &free, &low);
    CHECK(free == machine_free_at_start);
}

static uint64_t windows_left;

/* For host_window: the look at the interrupts at which there is one. */
__attribute__((unused)) static void preempt_at_one(void)
{
    if (--windows_left == 0)
        cpu0.resched = true;
}

/* Frame of a page of a task, 0: none. */
static uint64_t frame_seen(int space, uint64_t va)
{
    unsigned level;
    const pte_t *e = ptab_find(&tasks[space]->space, va, &level);

    return e ? frame_at(*e, level, va) : 0;
}
