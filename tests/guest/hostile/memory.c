/*
 * hostile/memory.c - what a task can and cannot touch, run, or see
 */
#include "sets.h"

#define PLACE 0x20000000UL

static char page[2 * L4_PAGESIZE] __attribute__((aligned(4096)));

enum { RET = 0xc3 };

static void nx(void)
{
    struct child *c = child_new();
    struct probe p;

    memset(page, RET, sizeof(page));
    l4_task_map(c->task, L4_BASE_TASK_CAP, l4_fpage((l4_addr_t)page, 12, L4_FPAGE_RW), PLACE);
    p = probe_run(c, PLACE);
    expect(p.fault);
    expect_eq(p.fault_msg, PLACE | L4_PF_FETCH | L4_PF_PRESENT);
    /* The program's own data, stack and UTCB. */
    expect(probe_run(c, (l4_addr_t)page).fault);
    expect(probe_run(c, (l4_addr_t)c->stack_top - 64).fault);
    expect(probe_run(c, CHILD_UTCB_ADDR).fault);
    l4_task_map(c->task, L4_BASE_TASK_CAP, l4_fpage((l4_addr_t)page, 12, L4_FPAGE_RX), PLACE);
    expect(!probe_run(c, PLACE).fault);
}

static void text_is_read_only(void)
{
    struct child *c = child_new();
    struct probe p = probe_write(c, (l4_addr_t)text_is_read_only & ~7UL, 0);

    expect(p.fault);
    expect_eq(p.fault_msg & 7, L4_PF_WRITE | L4_PF_PRESENT);
    expect(!probe_read(c, (l4_addr_t)text_is_read_only & ~7UL).fault);
    p = probe_write(c, (l4_addr_t)l4_kip(), 0);
    expect(p.fault);
}

/* Nothing of the kernel's half can be read, written or run. */
static void kernel_half(void)
{
    static const l4_addr_t places[] = {
        0xffff800000000000, 0xffff808000000000, 0xffffff8000000000, 0xffffffff80000000,
        0xffffffff80100000, 0xffffffff80101000, 0xffffffff80110000, 0xffffffff80200000,
        0xffffffff90000000, 0xffffffff90001000, 0xffffffffc0000000, 0xffffffffffe00000,
        0xfffffffffffffff8, L4_USER_END,
    };
    struct child *c = child_new();

    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        expect(probe_read(c, places[i]).fault);
        expect(probe_write(c, places[i], 1).fault);
        expect(probe_run(c, places[i]).fault);
    }
}

/* No word that a task can read looks like an address of the kernel. */
static bool kernel_like(l4_umword_t w)
{
    return w >= 0xffffffff80000000 && w < 0xfffffffffffff000;
}

static unsigned kernel_like_words(const void *start, unsigned bytes)
{
    const l4_umword_t *w = start;
    unsigned n = 0;

    for (unsigned i = 0; i < bytes / 8; i++)
        if (kernel_like(w[i])) {
            printf("# word %u: 0x%lx\n", i, w[i]);
            n++;
        }
    return n;
}

static volatile unsigned found;

static void look_at_utcbs(void *arg)
{
    (void)arg;
    found = kernel_like_words((void *)CHILD_UTCB_ADDR, L4_PAGESIZE);
}

static void no_kernel_addresses(void)
{
    struct child *c = child_new();
    struct job *w = job_new(L4_SYSF_WAIT, L4_INVALID_CAP), *s = job_new(L4_SYSF_SEND, c->thread);

    expect_eq(kernel_like_words(l4_kip(), L4_PAGESIZE), 0);
    job_start(c, w);
    job_here(s);
    found = 1;
    child_run(c, look_at_utcbs, NULL);
    expect_eq(found, 0);
    counter(L4_BASE_TASK_CAP, L4_DBG_CNT_MAPS);
    expect_eq(kernel_like_words(l4_utcb(), L4_UTCB_OFFSET), 0);
}

/* A task whose memory was used by a dead one sees what its giver wrote, nothing else: UTCBs of
 * tasks come from the kernel and are zero at first. */
static volatile l4_umword_t left_over;

static void fill_utcb(void *arg)
{
    l4_umword_t *w = (l4_umword_t *)(CHILD_UTCB_ADDR + L4_UTCB_OFFSET);

    (void)arg;
    for (unsigned i = 0; i < 3 * L4_UTCB_OFFSET / 8; i++)
        w[i] = 0x5ec4e75ec4e7;
}

static void sum_utcb(void *arg)
{
    const l4_umword_t *w = (const l4_umword_t *)(CHILD_UTCB_ADDR + L4_UTCB_OFFSET);

    (void)arg;
    left_over = 0;
    for (unsigned i = 0; i < 3 * L4_UTCB_OFFSET / 8; i++)
        left_over |= w[i];
}

static void nothing_left_over(void)
{
    struct child *c = child_new();

    child_run(c, fill_utcb, NULL);
    expect(c->finished);
    destroy(c->task);
    for (unsigned i = 0; i < 4; i++) {
        c = child_new();
        child_run(c, sum_utcb, NULL);
        expect(c->finished);
        expect_eq(left_over, 0);
    }
}

static void unmap_own_memory(void *what)
{
    l4_task_unmap(CHILD_TASK, l4_fpage((l4_addr_t)what, 12, L4_FPAGE_RWX), L4_FP_ALL_SPACES);
}

static void unmap_everything(void *arg)
{
    (void)arg;
    l4_task_unmap(CHILD_TASK, l4_fpage(0, L4_WHOLE_ADDRESS_SPACE, L4_FPAGE_RWX),
                  L4_FP_ALL_SPACES);
}

/* A task takes away its own text, stack, everything: it faults, and is killed. */
static void takes_its_own_memory(void)
{
    static char in_bss[L4_PAGESIZE] __attribute__((aligned(4096)));
    void *const what[] = {(void *)unmap_own_memory, in_bss, NULL};

    for (unsigned i = 0; i < 3; i++) {
        struct child *c = child_new();

        expect_eq(child_handlers(c, L4_INVALID_CAP, L4_INVALID_CAP), 0);
        child_run(c, unmap_own_memory, i < 2 ? what[i] : c->stack_top - 8);
        expect(c->finished == (i == 1));
    }
    struct child *c = child_new();

    expect_eq(child_handlers(c, L4_INVALID_CAP, L4_INVALID_CAP), 0);
    child_run(c, unmap_everything, NULL);
    expect(!c->finished);
}

/* The words of a UTCB that the kernel once set are the task's: it may spoil them. */
static void spoil_own_utcb(void *arg)
{
    l4_utcb_t *u = (l4_utcb_t *)CHILD_UTCB_ADDR;

    (void)arg;
    memset(u, 0xff, sizeof(*u));
    u->self = CHILD_UTCB_ADDR;
    for (unsigned i = 0; i < 100; i++) {
        u->buf.bdr = i * 0x01234567UL;
        l4_ipc_call(CHILD_TASK, u, (l4_msgtag_t){(l4_mword_t)(i * 0x9e3779b97f4a7c15UL) &
                                                 ~0xf000L}, L4_IPC_BOTH_TIMEOUT_0);
    }
    memset(u, 0, sizeof(*u));
    u->self = CHILD_UTCB_ADDR;
}

static void spoiled_utcb(void)
{
    struct child *c = child_new();

    child_run(c, spoil_own_utcb, NULL);
    expect(c->finished);
}

/* Two threads with one UTCB: confusion for them, for nobody else. */
static void shared_utcb(void)
{
    struct child *a = child_new(), *b = child_thread(a, 0);
    struct job *w = job_new(L4_SYSF_WAIT, L4_INVALID_CAP), *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));

    give(a, a->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    job_words(s, 1, 63, 0);
    job_start(a, w);
    job_start(b, s);
    expect(w->done);
    expect_eq(destroy(b->thread), 0);
    expect_eq(destroy(a->task), 0);
}

const struct test memory_tests[] = {
    {"data, stack and UTCB cannot be run", nx},
    {"text and kernel information page cannot be written", text_is_read_only},
    {"nothing of the kernel can be read, written or run", kernel_half},
    {"no word that a task can read is an address of the kernel", no_kernel_addresses},
    {"UTCBs hold nothing of those who had the memory before", nothing_left_over},
    {"a task may take away its own memory, to its own harm", takes_its_own_memory},
    {"a task may spoil its UTCB, to its own harm", spoiled_utcb},
    {"two threads may share a UTCB, to their own harm", shared_utcb},
    {NULL, NULL},
};
