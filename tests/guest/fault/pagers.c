/*
 * fault/pagers.c - pagers that are dead, silent, poor, their own, or in a circle
 */
#include "seen.h"

static volatile l4_umword_t dummy;

static void write_place(void *arg)
{
    (void)arg;
    *(volatile l4_umword_t *)(PLACE + 8) = 1;
}

static void read_place(void *arg)
{
    dummy = *(volatile l4_umword_t *)arg;
}

static void fault_in(struct child *c)
{
    child_run(c, write_place, NULL);
    expect(!c->finished);
}

static void rejected(void)
{
    struct child *c = watched_child();
    struct seen s;

    fault_in(c);
    seen_fault();
    answer_label(-L4_ENOMEM);
    s = seen_exception();
    expect_eq(s.regs.trapno, TRAP_PF);
    expect_eq(s.regs.err, 6); /* user, write, not present */
    expect_eq(s.regs.pfa, PLACE + 8);
    answer_label(0); /* go on: the same fault again */
    expect_eq(seen_fault().mr[0], (PLACE + 8) | L4_PF_WRITE);
}

static void no_pager(void)
{
    struct child *c = watched_child();
    static const l4_cap_idx_t none[] = {0, CHILD_CAP(99), L4_INVALID_CAP, ~0UL << 11,
                                        L4_CAP_SLOTS << 12, CHILD_TASK, CHILD_LOG};

    for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        expect_eq(child_handlers(c, none[i], CHILD_CAP(0)), 0);
        fault_in(c);
        expect_eq(seen_exception().regs.trapno, TRAP_PF);
    }
}

static void pager_gate_dies(void)
{
    struct child *c = watched_child();
    l4_cap_idx_t gate = gate_new(L4_BASE_THREAD_CAP, FAULT_LABEL);

    give(c, gate, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    expect_eq(child_handlers(c, CHILD_CAP(1), CHILD_CAP(0)), 0);
    expect_eq(destroy(gate), 0);
    fault_in(c);
    expect_eq(seen_exception().regs.trapno, TRAP_PF);
}

/* The pager dies before it has taken the message, and after. */
static void pager_dies(void)
{
    for (unsigned taken = 0; taken < 2; taken++) {
        struct child *c = watched_child(), *pager = child_new();

        job_start(pager, job_new(taken ? L4_SYSF_WAIT : L4_SYSF_RECV, L4_INVALID_CAP));
        give(c, gate_new(pager->thread, 0), CHILD_CAP(1), L4_CAP_FPAGE_RW);
        expect_eq(child_handlers(c, CHILD_CAP(1), CHILD_CAP(0)), 0);
        fault_in(c);
        expect_eq(destroy(pager->thread), 0);
        expect_eq(seen_exception().regs.trapno, TRAP_PF);
        answer_label(-1);
        destroy(c->task);
        destroy(pager->task);
        children_reset();
    }
}

static void nobody(void)
{
    struct child *c = child_new();
    struct probe p;

    expect_eq(child_handlers(c, L4_INVALID_CAP, L4_INVALID_CAP), 0);
    fault_in(c);
    l4_ipc_sleep_ms(1);
    expect(!c->finished);
    /* It is stopped, not dead: it can be started again. */
    expect_eq(child_handlers(c, CHILD_PAGER, CHILD_PAGER), 0);
    p = probe_write(c, PLACE + 8, 1);
    expect(p.fault);
}

static void handler_rejects(void)
{
    struct child *c = watched_child();

    fault_in(c);
    seen_fault();
    answer_label(-1);
    seen_exception();
    answer_label(-1);
    expect(!c->finished);
    expect(!seen_next().any);
}

/* A dead pager that is the exception handler, too. */
static void both_die(void)
{
    struct child *c = child_new(), *pager = child_new();
    l4_cap_idx_t gate = gate_new(pager->thread, 0);

    job_start(pager, job_new(L4_SYSF_WAIT, L4_INVALID_CAP));
    give(c, gate, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    expect_eq(child_handlers(c, CHILD_CAP(1), CHILD_CAP(1)), 0);
    fault_in(c);
    expect_eq(destroy(gate), 0);
    expect_eq(destroy(pager->thread), 0);
    expect(!c->finished);
}

static void pager_is_itself(void)
{
    struct child *c = watched_child();

    expect_eq(child_handlers(c, CHILD_THREAD, CHILD_CAP(0)), 0);
    fault_in(c);
    expect_eq(seen_exception().regs.trapno, TRAP_PF);
    answer_label(-1);
    c = child_new();
    expect_eq(child_handlers(c, CHILD_THREAD, CHILD_THREAD), 0);
    fault_in(c); /* reported, stopped */
    expect(!c->finished);
}

/* Each is the other's pager, and both fault: they wait for each other, and can be killed. */
static void circle(void)
{
    struct child *a = child_new(), *b = child_new();

    give(a, b->thread, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    give(b, a->thread, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    expect_eq(child_handlers(a, CHILD_CAP(1), CHILD_CAP(1)), 0);
    expect_eq(child_handlers(b, CHILD_CAP(1), CHILD_CAP(1)), 0);
    fault_in(a);
    fault_in(b);
    l4_ipc_sleep_ms(1);
    expect(!a->finished && !b->finished);
    expect_eq(destroy(a->thread), 0); /* b's fault becomes an exception, then a report */
    expect(!b->finished);
}

/* A pager that never answers keeps nobody else waiting, and its client can be killed. */
static void silent_pager(void)
{
    struct child *c[3];
    struct seen s;

    for (unsigned i = 0; i < 3; i++) {
        c[i] = watched_child();
        fault_in(c[i]);
    }
    s = seen_fault();
    expect(s.any);
    expect_eq(destroy(c[0]->thread), 0);
    expect_eq(destroy(c[1]->task), 0);
    expect_eq(seen_fault().mr[0], (PLACE + 8) | L4_PF_WRITE);
    expect(!seen_next().any);
}

/* ex_regs gets a thread out of a fault that nobody answers. */
static void cancelled_fault(void)
{
    struct child *c = watched_child();
    l4_umword_t label;

    fault_in(c);
    expect_eq(child_handlers(c, CHILD_PAGER, CHILD_PAGER), 0);
    expect(!probe_read(c, 0x400000).fault);
    /* The same when the message has been taken already: the answer comes too late. */
    expect_eq(child_handlers(c, CHILD_CAP(0), CHILD_CAP(0)), 0);
    fault_in(c);
    seen_fault();
    expect_eq(child_handlers(c, CHILD_PAGER, CHILD_PAGER), 0);
    expect(!probe_read(c, 0x400000).fault);
    l4_ipc_reply(L4_INVALID_CAP, l4_utcb(), l4_msgtag(0, 0, 0, 0), L4_IPC_SEND_TIMEOUT_0);
    expect_eq(l4_utcb()->tcr.error, L4_IPC_ENOT_EXISTENT);
    (void)label;
}

/* The faulting task cannot pay for the page: the pager is told, the thread gets an exception. */
static void no_memory_for_the_page(void)
{
    l4_cap_idx_t factory = slot_new();
    struct child *c;
    l4_utcb_t *u = l4_utcb();
    unsigned i = 0;

    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, factory, 60000)), 0);
    c = child_new_from(factory);
    if (!expect(c != NULL))
        return;
    give(c, gate_new(L4_BASE_THREAD_CAP, FAULT_LABEL), CHILD_CAP(0), L4_CAP_FPAGE_RW);
    expect_eq(child_handlers(c, CHILD_CAP(0), CHILD_CAP(0)), 0);
    while (give(c, L4_BASE_LOG_CAP, CHILD_CAP(1 + i), L4_CAP_FPAGE_R) == 0 && i < 5000)
        i++;
    fault_in(c);
    seen_fault();
    u->msg.mr[0] = l4_map_control(PLACE, 0, 0);
    u->msg.mr[1] = l4_fpage(page_of(0, 0), 12, L4_FPAGE_RW).raw;
    expect_eq(l4_ipc_error(l4_ipc_reply(L4_INVALID_CAP, u, l4_msgtag(0, 0, 1, 0), L4_IPC_NEVER),
                           u), L4_IPC_SEMAPFAILED);
    expect_eq(seen_exception().regs.trapno, TRAP_PF);
}

/* A gate without thread: the fault waits until there is a pager. */
static void pager_comes_late(void)
{
    struct child *c = watched_child();
    l4_cap_idx_t gate = gate_new(L4_INVALID_CAP, 0);

    give(c, gate, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    expect_eq(child_handlers(c, CHILD_CAP(1), CHILD_CAP(0)), 0);
    fault_in(c);
    expect(!seen_next().any);
    expect_eq(l4_error(l4_rcv_ep_bind_thread(gate, L4_BASE_THREAD_CAP, FAULT_LABEL)), 0);
    expect_eq(seen_fault().mr[0], (PLACE + 8) | L4_PF_WRITE);
    answer_page(page_of(0, 0), PLACE, L4_FPAGE_RW);
    expect(c->finished);
    /* And one whose gate goes while it waits there. */
    c = watched_child();
    gate = gate_new(L4_INVALID_CAP, 0);
    give(c, gate, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    expect_eq(child_handlers(c, CHILD_CAP(1), CHILD_CAP(0)), 0);
    fault_in(c);
    expect_eq(destroy(gate), 0);
    expect_eq(seen_exception().regs.trapno, TRAP_PF);
}

/* Many at once: each gets its own page. */
static void many_faulters(void)
{
    struct child *c[4];

    for (unsigned i = 0; i < 4; i++) {
        c[i] = watched_child();
        child_run(c[i], read_place, (void *)(PLACE + i * 0x1000));
    }
    for (unsigned i = 0; i < 4; i++) {
        struct seen s = seen_fault();

        expect_eq(s.mr[0], PLACE + i * 0x1000);
        answer_page(page_of(i, i), s.mr[0], L4_FPAGE_R);
        expect(c[i]->finished);
    }
}

const struct test pagers_tests[] = {
    {"a negative label rejects the fault, which becomes an exception", rejected},
    {"without a pager a page fault is an exception", no_pager},
    {"so it is when the pager's gate is gone", pager_gate_dies},
    {"the pager's death in the middle of a fault makes it an exception", pager_dies},
    {"without any handler the thread stops, with a report", nobody},
    {"a handler that rejects stops the thread, with a report", handler_rejects},
    {"pager and handler in one, and dead", both_die},
    {"a thread that is its own pager has none", pager_is_itself},
    {"pagers in a circle wait for each other, harm nobody, can be killed", circle},
    {"clients of a silent pager can be killed, the others are served", silent_pager},
    {"ex_regs takes a thread out of its fault", cancelled_fault},
    {"a page that cannot be paid for: the pager is told, the fault is an exception",
     no_memory_for_the_page},
    {"a pager may be bound after the fault", pager_comes_late},
    {"faults of several threads are served one by one", many_faulters},
    {NULL, NULL},
};
