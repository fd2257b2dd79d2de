/*
 * idle/main.c - what is left over goes while nobody runs
 *
 * Elsewhere a bystander computes all the time. Here nobody does, so that whoever deletes itself
 * leaves the machine idle, its page tables being the last that were used.
 */
#include "harness.h"

#include <l4/sys/debugger.h>

enum { PAGES = 512, MANY_AT = 0x20000000, PRIO_BELOW = 20 };

void bystander_start(void)
{
}

bool bystander_well(void)
{
    return true;
}

/* Runs only when the test sleeps. */
static struct child *low_child(void)
{
    struct child *c = child_new();

    c->priority = PRIO_BELOW;
    return c;
}

static void delete_what(void *cap)
{
    l4_task_delete_obj(CHILD_TASK, (l4_cap_idx_t)cap);
}

static l4_umword_t used(void)
{
    return counter(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED);
}

/* No call of ours is between its end and the count, so nobody else has taken it apart. */
static void gone_after_a_sleep(struct child *c, l4_cap_idx_t what, l4_umword_t least)
{
    l4_umword_t before, after;

    expect_eq(give(c, what, CHILD_CAP(0), L4_CAP_FPAGE_RWSD), 0);
    child_run(c, delete_what, (void *)CHILD_CAP(0));
    before = used();
    l4_ipc_sleep_ms(20);
    after = used();
    expect(after + least <= before);
    l4_ipc_sleep_ms(5);
    expect_eq(used(), after);
    expect(!c->finished);
}

static void thread(void)
{
    struct child *c = low_child();

    gone_after_a_sleep(c, c->thread, 512);
}

static void task(void)
{
    static char page[L4_PAGESIZE] __attribute__((aligned(L4_PAGESIZE)));
    struct child *c = low_child();

    *(volatile char *)page = 1;
    for (l4_addr_t i = 0; i < PAGES; i++)
        l4_task_map(c->task, L4_BASE_TASK_CAP, l4_fpage((l4_addr_t)page, 12, L4_FPAGE_RW),
                    MANY_AT + i * L4_PAGESIZE);
    gone_after_a_sleep(c, c->task, PAGES * 32UL);
}

/* Somebody wakes in the middle of it, again and again, and it goes on when they sleep. */
static volatile l4_umword_t wakes;

static void wake_often(void *arg)
{
    (void)arg;
    for (;; wakes++)
        l4_ipc_sleep_us(TICK_US);
}

static void task_with_wakers(void)
{
    struct child *waker = child_new();

    child_run(waker, wake_often, NULL);
    wakes = 0;
    task();
    expect(wakes > 5);
}

int main(void)
{
    static const struct test tests[] = {
        {"a thread that deletes itself is gone when the machine has been idle", thread},
        {"a task that deletes itself is gone when the machine has been idle", task},
        {"so it is when others wake now and then", task_with_wakers},
        {NULL, NULL},
    };
    static const struct test *const sets[] = {tests};

    return tests_run(sets, 1);
}
