/*
 * thread/state.c - what belongs to a thread: segment bases and selectors
 */
#include "seen.h"
#include "sets.h"

enum { FS, GS };

static long set_base(l4_cap_idx_t thread, unsigned segment, l4_umword_t base, unsigned words)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = L4_THREAD_SET_SEGMENT_BASE_AMD64_OP | segment << 16;
    u->msg.mr[1] = base;
    return l4_error(l4_ipc_call(thread, u, l4_msgtag(L4_PROTO_THREAD, words, 0, 0),
                                L4_IPC_NEVER));
}

/* What a thread finds through its segments, again and again. */
struct look {
    volatile l4_umword_t fs, gs; /* expected */
    volatile l4_umword_t wrong, looks;
    volatile bool stop;
};

static l4_umword_t block[3][512] __attribute__((aligned(4096)));

static void look(void *arg)
{
    struct look *l = arg;

    while (!l->stop) {
        l4_umword_t fs, gs;

        __asm__ volatile("mov %%fs:8, %0; mov %%gs:16, %1" : "=r"(fs), "=r"(gs));
        l->wrong += fs != l->fs || gs != l->gs;
        l->looks++;
    }
}

/* Word 0 is what every program finds at gs:0. */
static l4_addr_t block_of(unsigned i, const struct child *c)
{
    block[i][0] = c->utcb;
    block[i][1] = 0xf500 + i;
    block[i][2] = 0x6500 + i;
    return (l4_addr_t)block[i];
}

static void per_thread(void)
{
    static struct look looks[3];
    struct child *c[3] = {child_new(), child_new(), NULL};

    c[2] = child_thread(c[0], 1);
    for (unsigned i = 0; i < 3; i++) {
        l4_addr_t at = block_of(i, c[i]);

        looks[i] = (struct look){0xf500 + i, 0x6500 + i, 0, 0, false};
        expect_eq(set_base(c[i]->thread, FS, at, 2), 0);
        expect_eq(set_base(c[i]->thread, GS, at, 2), 0);
        c[i]->priority = 20;
        child_run(c[i], look, &looks[i]);
        child_priority(c[i], 20, TICK_US);
    }
    l4_ipc_sleep_ms(15);
    for (unsigned i = 0; i < 3; i++) {
        looks[i].stop = true;
        expect(looks[i].looks > 0);
        expect_eq(looks[i].wrong, 0);
    }
    l4_ipc_sleep_ms(5);
}

/* The bases of a thread that runs, of one that waits: from its next instruction on. */
static void set_while_it_runs(void)
{
    static struct look l;
    struct child *c = child_new();

    l = (struct look){0xf500, 0x6500, 0, 0, false};
    set_base(c->thread, FS, block_of(0, c), 2);
    set_base(c->thread, GS, block_of(0, c), 2);
    c->priority = 20;
    child_run(c, look, &l);
    for (unsigned i = 0; i < 6; i++) {
        l4_ipc_sleep_ms(1);
        expect_eq(l.wrong, 0);
        l.fs = 0xf500 + i % 3;
        set_base(c->thread, FS, block_of(i % 3, c), 2);
        l.gs = 0x6500 + i % 3;
        set_base(c->thread, GS, block_of(i % 3, c), 2);
        l.wrong = 0; /* it may have read one word before, and one behind the change */
        l4_ipc_sleep_ms(1);
        expect(l.wrong <= 1);
        l.wrong = 0;
    }
    l.stop = true;
    l4_ipc_sleep_ms(2);
}

static volatile l4_umword_t own_fs;

static void set_its_own(void *arg)
{
    if (set_base(CHILD_THREAD, FS, (l4_umword_t)arg, 2) == 0)
        __asm__ volatile("mov %%fs:8, %0" : "=r"(own_fs));
}

static void its_own(void)
{
    struct child *c = child_new();

    own_fs = 0;
    child_run(c, set_its_own, (void *)block_of(1, c));
    expect(c->finished);
    expect_eq(own_fs, 0xf501);
}

static void errors(void)
{
    struct child *c = watched_child();
    l4_cap_idx_t weak = slot_new();
    struct seen s;

    expect_eq(set_base(c->thread, FS, 0x1000, 1), -L4_EMSGTOOSHORT);
    expect_eq(set_base(c->thread, 2, 0x1000, 2), -L4_EINVAL);
    expect_eq(set_base(c->thread, FS, L4_USER_END, 2), -L4_EINVAL);
    expect_eq(set_base(c->thread, GS, 1UL << 63, 2), -L4_EINVAL);
    expect_eq(l4_error(l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP,
                                   l4_obj_fpage(c->thread, 0, L4_CAP_FPAGE_RW),
                                   l4_map_obj_control(weak, 0))), 0);
    expect_eq(set_base(weak, FS, 0x1000, 2), -L4_EPERM);
    expect_eq(set_base(c->thread, FS, L4_USER_END - 1, 2), 0);
    child_run(c, (void (*)(void *))touch_read, (void *)PLACE);
    seen_fault();
    answer_label(-L4_EFAULT);
    s = seen_exception();
    expect_eq(s.regs.fs_base, L4_USER_END - 1);
    expect_eq(s.regs.gs_base, c->utcb + __builtin_offsetof(l4_utcb_t, self));
}

/* ---- selectors: loading one changes the base that the CPU uses ---- */

static volatile bool spoil;

static void load_selectors(void *arg)
{
    unsigned selector = (unsigned)(l4_umword_t)arg;

    while (spoil)
        __asm__ volatile("mov %0, %%fs; mov %0, %%ds; mov %0, %%es" : : "r"(selector));
}

/* Two tasks with the same base take turns; one spoils it for itself. */
static void selectors(void)
{
    static const unsigned values[] = {0, 3, 0x23, 0x2b};

    for (unsigned i = 0; i < 4; i++) {
        static struct look l;
        struct child *bad = child_new(), *good = child_new();

        l = (struct look){0xf500, 0x6500, 0, 0, false};
        expect_eq(set_base(good->thread, GS, block_of(0, good), 2), 0);
        expect_eq(set_base(good->thread, FS, (l4_addr_t)block[0], 2), 0);
        expect_eq(set_base(bad->thread, FS, (l4_addr_t)block[0], 2), 0);
        spoil = true;
        good->priority = bad->priority = 30;
        child_run(good, look, &l);
        child_run(bad, load_selectors, (void *)(l4_umword_t)values[i]);
        child_priority(good, 30, TICK_US);
        child_priority(bad, 30, TICK_US);
        l4_ipc_sleep_ms(10);
        l.stop = true;
        spoil = false;
        l4_ipc_sleep_ms(4);
        expect(good->finished && bad->finished);
        expect(l.looks > 0);
        expect_eq(l.wrong, 0);
        slots_empty();
        children_reset();
    }
}

const struct test state_tests[] = {
    {"FS and GS bases belong to the thread, in one task and in several", per_thread},
    {"set while the thread runs, they count at once", set_while_it_runs},
    {"a thread may set its own", its_own},
    {"bases: every error has its code, the last user address is one", errors},
    {"a selector loaded by one thread spoils no other's base", selectors},
    {NULL, NULL},
};
