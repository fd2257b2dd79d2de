/*
 * exhaustion/walk.c - one failing allocation after the other
 */
#include "walk.h"

#include <l4/sys/debugger.h>

enum { MOST = 200, SETTLE = 20 };

static struct child *witness;
static l4_addr_t witness_at;

void witness_start(l4_addr_t at)
{
    witness = child_new();
    witness_at = at;
    *(volatile l4_umword_t *)at = 0x1234567 + at;
    expect_eq(l4_error(l4_task_map(witness->task, L4_BASE_TASK_CAP,
                                   l4_fpage(at, L4_PAGESHIFT, L4_FPAGE_RW),
                                   l4_map_control(at, 0, 0))), 0);
}

void witness_check(void)
{
    struct probe p = probe_read(witness, witness_at);

    expect(!p.fault);
    expect_eq(p.value, 0x1234567 + witness_at);
    p = probe_write(witness, witness_at, 0x1234567 + witness_at);
    expect(!p.fault);
}

static void kmem_fail(unsigned n)
{
    expect_eq(l4_dbg_kmem_fail(L4_BASE_DEBUGGER_CAP, n, ~0UL), 0);
}

struct account {
    l4_umword_t used, free;
};

static struct account account(void)
{
    struct account m = {counter(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED), kernel_memory_free()};

    return m;
}

static bool same(struct account a, struct account b)
{
    return a.used == b.used && a.free == b.free;
}

/* What was made in vain is taken apart by who has time for it. */
static struct account settled(struct account wanted)
{
    struct account m = account();

    for (unsigned i = 0; i < SETTLE && !same(m, wanted); i++) {
        l4_ipc_sleep_ms(1);
        m = account();
    }
    return m;
}

/* Whether all was as it should be. */
static bool after_failure(const struct walk *w, unsigned n, long err, struct account before)
{
    struct account now;
    bool good = expect_eq(err, w->error);

    if (w->failed)
        w->failed();
    if (w->undo)
        w->undo();
    now = settled(before);
    good &= expect_eq(now.used, before.used);
    good &= expect_eq(now.free, before.free);
    good &= expect_eq(l4_dbg_check(L4_BASE_DEBUGGER_CAP), 0);
    if (!good)
        printf("# when allocation %u failed\n", n);
    return good;
}

unsigned walk(const struct walk *w)
{
    struct account before = account();
    unsigned n;

    for (n = 1; n < MOST; n++) {
        long err;

        kmem_fail(n);
        err = w->run();
        kmem_fail(0);
        if (err >= 0)
            break;
        if (!after_failure(w, n, err, before))
            return n;
    }
    expect(n < MOST);
    expect(n - 1 >= w->at_least);
    expect_eq(l4_dbg_check(L4_BASE_DEBUGGER_CAP), 0);
    return n - 1;
}
