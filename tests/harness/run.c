/*
 * run.c - runs tests, each between two looks at kernel memory, the kernel's checks, the bystander
 */
#include "harness.h"

#include "tap.h"

#include <l4/sigma0/sigma0.h>
#include <l4/sys/debugger.h>

enum { SLOT_FIRST = 64, SLOT_END = 512, SETTLE_TRIES = 50 };

static unsigned slot_next = SLOT_FIRST;
static unsigned failures; /* of the running test */

bool expect_true(bool good, const char *what, const char *file, unsigned line)
{
    if (!good) {
        printf("# %s:%u: not true: %s\n", file, line, what);
        failures++;
    }
    return good;
}

bool expect_equal(l4_umword_t seen, l4_umword_t wanted, const char *what, const char *file,
                  unsigned line)
{
    if (seen != wanted) {
        printf("# %s:%u: %s is 0x%lx (%ld), not 0x%lx (%ld)\n", file, line, what, seen,
               (long)seen, wanted, (long)wanted);
        failures++;
    }
    return seen == wanted;
}

l4_cap_idx_t slot_new(void)
{
    if (slot_next == SLOT_END) {
        printf("Bail out! no free slot\n");
        l4_dbg_shutdown(L4_BASE_DEBUGGER_CAP, 99);
    }
    return (l4_cap_idx_t)slot_next++ << L4_CAP_SHIFT;
}

void slots_empty(void)
{
    static const struct {
        unsigned first, order;
    } parts[] = {{64, 6}, {128, 7}, {256, 8}};
    l4_fpage_t pages[3];

    for (unsigned i = 0; i < 3; i++)
        pages[i] = l4_obj_fpage((l4_cap_idx_t)parts[i].first << L4_CAP_SHIFT, parts[i].order,
                                L4_CAP_FPAGE_RWSD);
    l4_task_unmap_batch(L4_BASE_TASK_CAP, pages, 3, L4_FP_ALL_SPACES);
    slot_next = SLOT_FIRST;
}

l4_umword_t counter(l4_cap_idx_t task, enum l4_dbg_counter which)
{
    l4_umword_t counters[L4_DBG_CNT_NUM] = {0};

    expect_eq(l4_dbg_counters(L4_BASE_DEBUGGER_CAP, task, counters), 0);
    return counters[which];
}

l4_umword_t kernel_memory_free(void)
{
    l4_umword_t free = 0;

    l4_dbg_kmem(L4_BASE_DEBUGGER_CAP, NULL, &free, NULL);
    return free;
}

l4_addr_t memory_new(unsigned order)
{
    l4_addr_t base = 0;

    if (l4sigma0_map_anypage(L4_BASE_PAGER_CAP, 0, L4_WHOLE_ADDRESS_SPACE, &base, order) != 0)
        return 0;
    return base;
}

/* Every page of the image is there before the first test counts kernel memory. */
static void touch_image(void)
{
    extern char __executable_start[], _end[];

    for (char *p = __executable_start; p < _end; p += L4_PAGESIZE)
        *(volatile char *)p;
    l4_kip_clock(l4_kip());
}

struct balance {
    l4_umword_t used, free;
};

static struct balance balance(void)
{
    struct balance b = {counter(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED), kernel_memory_free()};

    return b;
}

/* What died is taken apart by the next who has nothing better to do: give that some time. */
static void check_balance(struct balance before)
{
    struct balance now = balance();

    for (unsigned i = 0; i < SETTLE_TRIES && (now.used != before.used || now.free != before.free);
         i++) {
        l4_ipc_sleep_ms(1);
        now = balance();
    }
    expect_equal(now.used, before.used, "kernel memory used", "after the test", 0);
    expect_equal(now.free, before.free, "kernel memory free", "after the test", 0);
    expect_equal((l4_umword_t)l4_dbg_check(L4_BASE_DEBUGGER_CAP), 0, "the kernel's own check",
                 "after the test", 0);
}

static void run_one(const struct test *t)
{
    struct balance before;

    failures = 0;
    before = balance();
    t->run();
    own_priority(PRIO_TEST);
    slots_empty();
    children_reset();
    jobs_reset();
    memset(&l4_utcb()->buf, 0, sizeof(l4_utcb()->buf));
    check_balance(before);
    expect_true(bystander_well(), "the bystander is well", "after the test", 0);
    tap_ok(failures == 0, t->sentence);
}

int tests_run(const struct test *const sets[], unsigned count)
{
    touch_image();
    own_priority(PRIO_TEST);
    handler_start();
    bystander_start();
    for (unsigned i = 0; i < count; i++)
        for (const struct test *t = sets[i]; t->sentence; t++)
            run_one(t);
    return tap_done();
}
