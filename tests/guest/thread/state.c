/*
 * thread/state.c - what belongs to a thread: segment bases and selectors, FPU and SSE
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

/* ---- FPU and SSE ---- */

struct fpu_image {
    l4_uint8_t byte[512];
} __attribute__((aligned(16)));

static struct fpu_image images[4];

static void save(void *arg)
{
    __asm__ volatile("fxsave (%0)" : : "r"(arg) : "memory");
}

/* Leaves a value of its own in every register. */
static void fill(void *arg)
{
    struct fpu_image *f = arg;

    __asm__ volatile("fxrstor (%0)" : : "r"(f) : "memory");
    for (;;)
        __asm__ volatile("" : : : "memory");
}

static void fill_image(struct fpu_image *f, l4_uint8_t name)
{
    memset(f, name, sizeof(*f));
    *(l4_uint16_t *)&f->byte[0] = 0x0f7f;  /* control */
    *(l4_uint16_t *)&f->byte[2] = 0x3841;  /* status: top, conditions, invalid */
    *(l4_uint16_t *)&f->byte[4] = 0x00ff;  /* all registers full */
    *(l4_uint32_t *)&f->byte[24] = 0xffbf; /* MXCSR: flush, round, all masks, all flags */
}

/* Whatever ran before, a new thread finds the state after reset. */
static void first_run(void)
{
    const struct fpu_image *f = &images[1];
    struct child *a = child_new(), *b = child_new();

    fill_image(&images[0], 0xa5);
    memset(&images[1], 0, sizeof(images[1])); /* an emulator need not write all of it */
    a->priority = 20;
    child_run(a, fill, &images[0]);
    l4_ipc_sleep_ms(2);
    child_run(b, save, &images[1]);
    expect(b->finished);
    expect_eq(*(const l4_uint16_t *)&f->byte[0], 0x37f);
    expect_eq(*(const l4_uint16_t *)&f->byte[2], 0);
    expect_eq(f->byte[4], 0);
    expect_eq(*(const l4_uint32_t *)&f->byte[24], 0x1f80);
    for (unsigned i = 6; i < 24; i++)
        expect_eq(f->byte[i], 0);
    for (unsigned i = 32; i < 416; i++)
        if (!expect_eq(f->byte[i], 0))
            break;
}

struct keep {
    struct fpu_image in, out;
    volatile l4_umword_t wrong, rounds;
    volatile bool stop;
};

static void keep(void *arg)
{
    struct keep *k = arg;

    __asm__ volatile("fxrstor (%0)" : : "r"(&k->in) : "memory");
    while (!k->stop) {
        unsigned bad = 0;

        __asm__ volatile("fxsave (%0)" : : "r"(&k->out) : "memory");
        for (unsigned i = 0; i < 416 / 8; i++) /* in general registers only */
            bad += ((volatile l4_umword_t *)&k->out)[i] != ((volatile l4_umword_t *)&k->in)[i];
        k->wrong += bad;
        k->rounds++;
        __asm__ volatile("fxrstor (%0)" : : "r"(&k->in) : "memory");
    }
}

/* Three threads, two tasks, other values and modes each, preempted at any place. */
static void kept(void)
{
    static struct keep keeps[3];
    struct child *c[3] = {child_new(), child_new(), NULL};

    c[2] = child_thread(c[0], 1);
    for (unsigned i = 0; i < 3; i++) {
        memset(&keeps[i], 0, sizeof(keeps[i]));
        fill_image(&images[3], (l4_uint8_t)(0x11 * (i + 1)));
        *(l4_uint32_t *)&images[3].byte[24] = 0x1f80 | i << 13;
        __asm__ volatile("fxrstor %0; fxsave %1" : : "m"(images[3]), "m"(keeps[i].in) : "memory");
        c[i]->priority = 20;
        child_run(c[i], keep, &keeps[i]);
        child_priority(c[i], 20, TICK_US);
    }
    __asm__ volatile("fninit; ldmxcsr %0" : : "m"((l4_uint32_t){0x1f80}));
    l4_ipc_sleep_ms(20);
    for (unsigned i = 0; i < 3; i++) {
        keeps[i].stop = true;
        expect(keeps[i].rounds > 10);
        expect_eq(keeps[i].wrong, 0);
    }
    l4_ipc_sleep_ms(8);
}

const struct test state_tests[] = {
    {"FS and GS bases belong to the thread, in one task and in several", per_thread},
    {"set while the thread runs, they count at once", set_while_it_runs},
    {"a thread may set its own", its_own},
    {"bases: every error has its code, the last user address is one", errors},
    {"a selector loaded by one thread spoils no other's base", selectors},
    {"at its first run a thread finds the FPU as after reset", first_run},
    {"FPU, SSE and their modes belong to the thread", kept},
    {NULL, NULL},
};
