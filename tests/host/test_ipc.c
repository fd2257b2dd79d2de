/*
 * test_ipc.c - several user threads, played, against the model of IPC in ipc_model.c
 *
 * The thread that the kernel says runs next does something by chance; the model does the same.
 * After every step states, partners, deadlines, results, message words and the one who runs must
 * agree, and T1..T3, G1, G2, S1, S2 hold. Each sequence runs twice, with and without the
 * shortcuts of fastpath.c, and must look the same from outside.
 */
#include "machine.h"

#include <common/fpage.h>

#include "devices.h"
#include "ipc_model.h"
#include "limits.h"
#include "test.h"

enum {
    SLOT_TASK = 1,
    SLOT_SCHEDULER = 7,
    SLOT_GATES = 16,
    SLOT_THREADS = 32,
    SLOT_VOID = 100,
    TASKS = 3,
    START_IP = 0x400000,
    STEPS = 500,
};
enum { NEVER = 0, ZERO = L4_TIMEOUT_ZERO, MS1 = 1000, MS3 = 750 | 2 << 10, ZERO_TOO = 9 << 10 };

static struct factory *factory;
static struct task *tasks[TASKS + 1]; /* the last: holder of everything, with the idler */
static struct thread *threads[ALL];
static struct gate *gates[GATES];
static uint64_t trail[2][STEPS + 1]; /* what could be seen after each step */

/* With TEST_VERBOSE in the environment every step is told. */
static bool verbose;

#define SAY(...) (verbose ? (void)printf("# " __VA_ARGS__) : (void)0)

/* ---- the world, twice ---- */

static void enter(uint64_t slot, struct object *o)
{
    CHECK(cap_enter_root(tasks[TASKS], slot, o, L4_CAP_FPAGE_RWSD) == 0);
}

static void make_objects(void)
{
    for (int i = TASKS; i >= 0; i--) {
        tasks[i] = machine_task(&factory->obj);
        CHECK(tasks[i]);
        enter(200 + (uint64_t)i, &tasks[i]->obj);
        machine_pass(tasks[TASKS], 200 + (uint64_t)i, tasks[i], SLOT_TASK, 15);
    }
    for (int i = 0; i < ALL; i++) {
        static const int prios[] = {10, 10, 20, 20, 30, 10};
        int prio = i == IDLER ? 1 : prios[i];

        threads[i] = machine_thread(&factory->obj, tasks[i == IDLER ? TASKS : i % TASKS],
                                    (unsigned)i, (unsigned)prio);
        m_threads[i].prio = prio;
        enter(SLOT_THREADS + (uint64_t)i, &threads[i]->obj);
    }
    for (int g = 0; g < GATES; g++) {
        int t = g < GATES - 1 ? g : NOBODY;

        m_gates[g].label = ((uint64_t)g + 1) << 4;
        m_gates[g].thread = t;
        gates[g] = gate_create(&factory->obj, m_gates[g].label, t == NOBODY ? NULL : threads[t]);
        CHECK(gates[g]);
        m_gates[g].label |= 3;
        enter(SLOT_GATES + (uint64_t)g, &gates[g]->obj);
    }
    enter(SLOT_SCHEDULER, &scheduler_object);
}

static void start(unsigned flags)
{
    machine_boot(4UL << 20, flags);
    factory = machine_factory(&root_factory.obj, 2UL << 20);
    m_reset();
    make_objects();
    for (int i = 0; i < TASKS; i++) {
        machine_pass(tasks[TASKS], SLOT_SCHEDULER, tasks[i], SLOT_SCHEDULER, 15);
        for (uint64_t g = 0; g < GATES; g++)
            machine_pass(tasks[TASKS], SLOT_GATES + g, tasks[i], SLOT_GATES + g, 15);
        for (uint64_t t = 0; t < THREADS; t++)
            machine_pass(tasks[TASKS], SLOT_THREADS + t, tasks[i], SLOT_THREADS + t, 15);
    }
    for (int i = 0; i < THREADS; i++) {
        m_threads[i].pager = i < 3 ? (i + 1) % GATES : NOBODY;
        m_threads[i].handler = i < 4 ? (i + 2) % GATES : NOBODY;
        if (i < 3)
            threads[i]->pager = (SLOT_GATES + (uint64_t)m_threads[i].pager) << L4_CAP_SHIFT;
        if (i < 4)
            threads[i]->exc_handler = (SLOT_GATES + (uint64_t)m_threads[i].handler) << L4_CAP_SHIFT;
        m_make_ready(i);
    }
    m_make_ready(IDLER);
    CHECK(sched_next(&idle_thread) == threads[4]);
    m_threads[4].queued = false;
    m_current = 4;
}

static void stop(void)
{
    host_window = NULL;
    machine_destroy(&tasks[TASKS]->obj); /* with it the last capabilities, and the factory */
    CHECK(root_factory.quota.used == 0 && kmem_ok());
}

static void leaks(void)
{
    uint64_t total, free, low;

    kmem_stats(&total, &free, &low);
    CHECK(free == machine_free_at_start);
}

/* ---- invariants ---- */

static bool stands_in(const struct thread *t, const struct link *queue)
{
    for (const struct link *l = queue->next; l != queue; l = l->next)
        if (l == &t->link)
            return true;
    return false;
}

static int number_of(const struct thread *t)
{
    for (int i = 0; i < ALL; i++)
        if (threads[i] == t && m_threads[i].state != M_DEAD)
            return i;
    return NOBODY;
}

/* T1, T2, T3 */
static void thread_ok(const struct thread *t)
{
    CHECK(t->regs.rip < L4_USER_END + 1);
    CHECK(t->state != THREAD_DEAD && t->state != THREAD_XFER && !t->xfer_active);
    if (t->state == THREAD_SEND)
        CHECK(t->partner ? stands_in(t, &t->partner->senders) : !list_empty(&t->link));
    else if (t->state == THREAD_RECV_FROM)
        CHECK(!t->partner || stands_in(t, &t->partner->waiters));
    else
        CHECK(list_empty(&t->link) == (t == cpu0.current || t->state != THREAD_READY));
    if (t->caller)
        CHECK(t->caller->state == THREAD_RECV_REPLY && t->caller->partner == t);
    if (t->state == THREAD_RECV_REPLY)
        CHECK(t->partner->caller == t);
    if (t->state == THREAD_RECV_ANY)
        CHECK(!t->deadline && !t->caller && !t->cont);
}

/* G1, G2 */
static void gate_ok(int g)
{
    const struct gate *gate = gates[g];

    if (m_gates[g].dead)
        return;
    CHECK(number_of(gate->thread) == m_gates[g].thread);
    CHECK((gate->label | 3) == (m_gates[g].label | 3));
    if (gate->thread)
        CHECK(gate->thread->state != THREAD_DEAD);
    for (const struct link *l = gate->waiting.next; l != &gate->waiting; l = l->next)
        CHECK(container_of(l, struct thread, link)->state ==
              (gate->thread ? THREAD_RECV_FROM : THREAD_SEND));
}

/* ---- kernel and model ---- */

static enum m_state state_of(const struct thread *t)
{
    static const enum m_state states[] = {
        [THREAD_READY] = M_READY,         [THREAD_RECV_ANY] = M_RECV_ANY,
        [THREAD_RECV_ANY_SLOW] = M_RECV_ANY, [THREAD_RECV_FROM] = M_RECV_FROM,
        [THREAD_RECV_REPLY] = M_RECV_REPLY, [THREAD_SEND] = M_SEND,
        [THREAD_STOPPED] = M_STOPPED};

    return states[t->state];
}

static void compare_thread(int i)
{
    const struct m_thread *m = &m_threads[i];
    const struct thread *t = threads[i];

    if (m->state == M_DEAD)
        return;
    thread_ok(t);
    CHECK(state_of(t) == m->state);
    CHECK(t->deadline == m->deadline && t->priority == m->prio);
    CHECK((t->message == MESSAGE_UTCB) == (m->message == M_UTCB));
    CHECK(number_of(t->caller) == m_caller(i));
    CHECK(memcmp(t->utcb->msg.mr, m->mr, sizeof(m->mr)) == 0);
    if (m->state == M_RECV_REPLY || m->state == M_RECV_FROM ||
        (m->state == M_SEND && m->gate == NOBODY))
        CHECK(number_of(t->partner) == m->partner);
    if (m->state != M_READY)
        return;
    CHECK(t->cont || m->pending == M_NOTHING); /* it may have destruction to finish, too */
    if (m->pending == M_NOTHING && m->message == M_UTCB && m->rax)
        CHECK(t->regs.rax == m->rax && t->regs.rsi == m->rsi);
    if (m->rax & L4_MSGTAG_ERROR)
        CHECK(t->utcb->tcr.error == m->error);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    return (h ^ v) * 0x9e3779b97f4a7c15UL >> 1;
}

/* All that a program could see. */
static uint64_t seen(void)
{
    uint64_t h = (uint64_t)m_current;

    for (int i = 0; i < ALL; i++) {
        const struct m_thread *m = &m_threads[i];

        h = mix(h, m->state);
        if (m->state == M_DEAD)
            continue;
        if (m->state == M_READY && m->rax)
            h = mix(mix(mix(h, threads[i]->regs.rax), threads[i]->regs.rsi), m->error);
        for (int k = 0; k < MRS; k++)
            h = mix(h, threads[i]->utcb->msg.mr[k]);
    }
    return h;
}

static void compare(struct thread *next)
{
    CHECK(next == cpu0.current && number_of(next) == m_current);
    CHECK(!cpu0.resched && next->state == THREAD_READY && !next->cont);
    CHECK(next->message == MESSAGE_UTCB && sched_ok());
    CHECK(host_root == next->task->space.root_phys);
    CHECK(host_msr[2] == next->gs_base);
    for (int i = 0; i < ALL; i++)
        compare_thread(i);
    for (int g = 0; g < GATES; g++)
        gate_ok(g);
}

/* ---- what a thread may do ---- */

static uint64_t cap_of(const struct m_call *c)
{
    switch (c->kind) {
    case T_GATE:
        return (SLOT_GATES + (uint64_t)c->target) << L4_CAP_SHIFT;
    case T_THREAD:
        return (SLOT_THREADS + (uint64_t)c->target) << L4_CAP_SHIFT;
    case T_SELF:
        return L4_INVALID_CAP;
    default:
        return (SLOT_VOID << L4_CAP_SHIFT) | (random_below(2) ? 0x10 : 0);
    }
}

static uint16_t random_timeout(void)
{
    static const uint16_t some[] = {NEVER, NEVER, NEVER, NEVER, NEVER, ZERO, MS1, MS3, ZERO_TOO,
                                    L4_TIMEOUT_ABS | 5};

    return some[random_below(sizeof(some) / sizeof(some[0]))];
}

static void random_words(int i)
{
    for (int k = 0; k < MRS; k++)
        m_threads[i].mr[k] = threads[i]->utcb->msg.mr[k] = random_bits();
}

/* Mostly what servers and clients do; sometimes nonsense. */
static struct m_call random_call(void)
{
    static const uint8_t ops[] = {L4_SYSF_CALL,          L4_SYSF_CALL, L4_SYSF_CALL, L4_SYSF_WAIT,
                                  L4_SYSF_REPLY_AND_WAIT, L4_SYSF_REPLY_AND_WAIT, L4_SYSF_WAIT,
                                  L4_SYSF_SEND,          L4_SYSF_RECV, L4_SYSF_SEND_AND_WAIT};
    static const long labels[] = {0, 0, 0, 5, -3};
    static const uint8_t kinds[] = {T_GATE, T_GATE, T_GATE, T_THREAD, T_THREAD, T_SELF, T_VOID};
    struct m_call c = {
        .kind = kinds[random_below(sizeof(kinds))],
        .op = random_below(8) ? ops[random_below(sizeof(ops))] : (unsigned)random_below(16),
        .words = (unsigned)random_below(MRS + 1),
        .label = labels[random_below(sizeof(labels) / sizeof(labels[0]))],
    };

    c.target = (int)random_below(c.kind == T_GATE ? GATES : THREADS);
    if (random_below(3) == 0) {
        c.send_timeout = random_timeout();
        c.receive_timeout = random_timeout();
    }
    c.absolute_us = (m_now + random_below(4)) * TICK_US;
    return c;
}

/* Is the target of a call of the kernel gone? Deleted objects leave a void slot. */
static struct m_call as_model_sees(struct m_call c)
{
    if ((c.kind == T_GATE && m_gates[c.target].dead) ||
        (c.kind == T_THREAD && m_threads[c.target].state == M_DEAD))
        c.kind = T_VOID;
    return c;
}

static struct thread *step_ipc(int i)
{
    struct m_call c = random_call();
    uint64_t op = cap_of(&c) | c.op;
    struct thread *next;
    struct m_call m;

    SAY("%d: op %x, kind %d target %d, label %ld, words %u, timeouts %x %x\n", i, c.op, c.kind,
        c.target, c.label, c.words, c.send_timeout, c.receive_timeout);
    random_words(i);
    threads[i]->utcb->buf.br[5] = c.absolute_us;
    next = user_call(threads[i], 0, op, msgtag(c.label, c.words, 0, 0),
                     (uint32_t)c.send_timeout << 16 | c.receive_timeout);
    m = as_model_sees(c);
    m_ipc(i, &m);
    return next;
}

static struct thread *step_fault(int i)
{
    uint64_t address = random_bits() & 0xffffff;

    SAY("%d: fault\n", i);
    if (random_below(2)) {
        struct thread *next = user_trap(threads[i], 14, address, 2);

        m_page_fault(i, (address & ~7UL) | L4_PF_WRITE, START_IP);
        return next;
    }
    m_exception(i);
    return user_trap(threads[i], 6, 0, 0);
}

enum kernel_call { K_CANCEL, K_PRIO, K_BIND, K_YIELD, K_KILL, K_DELETE };

/* The words of a call of a kernel object, and its slot. */
static uint64_t compose(struct thread *t, enum kernel_call k, int target, int other, long *label,
                        unsigned *words, unsigned *items)
{
    uint64_t *mr = t->utcb->msg.mr;
    uint64_t thread = SLOT_THREADS + (uint64_t)target, gate = SLOT_GATES + (uint64_t)target;

    *label = L4_PROTO_THREAD;
    *words = 3;
    *items = k == K_PRIO || k == K_BIND;
    mr[0] = mr[1] = mr[2] = ~0UL;
    switch (k) {
    case K_CANCEL:
        mr[0] = L4_THREAD_EX_REGS_OP | L4_THREAD_EX_REGS_CANCEL;
        return thread;
    case K_YIELD:
        mr[0] = L4_THREAD_SWITCH_OP;
        return thread;
    case K_PRIO:
        mr[0] = L4_SCHEDULER_RUN_THREAD_OP;
        mr[2] = 1;
        mr[3] = (uint64_t)other;
        mr[4] = 0;
        *label = L4_PROTO_SCHEDULER;
        *words = 5;
        user_item(t, 5, thread, 15);
        return SLOT_SCHEDULER;
    case K_BIND:
        mr[0] = L4_RCV_EP_BIND_OP;
        mr[1] = ((uint64_t)target + 9) << 4;
        *label = L4_PROTO_KOBJECT;
        *words = 2;
        user_item(t, 2, SLOT_THREADS + (uint64_t)other, 15);
        return gate;
    default:
        mr[0] = L4_TASK_UNMAP_OP;
        mr[1] = L4_FP_DELETE_OBJ;
        mr[2] = fpage_make(L4_FPAGE_OBJ, (k == K_KILL ? thread : gate) << L4_CAP_SHIFT, 0, 15).raw;
        *label = L4_PROTO_TASK;
        return SLOT_TASK;
    }
}

static bool is_void(enum kernel_call k, int target)
{
    if (k == K_BIND || k == K_DELETE)
        return m_gates[target].dead;
    return m_threads[target].state == M_DEAD;
}

/* The model's answer; VOID: an IPC error. */
static long model_call(enum kernel_call k, int target, int other)
{
    bool gone = is_void(k, target);

    switch (k) {
    case K_CANCEL:
        return m_cancel(target);
    case K_PRIO:
        return gone ? -L4_ENOENT : m_set_prio(target, other);
    case K_BIND:
        return m_bind(target, other, (((uint64_t)target + 9) << 4) | 3);
    case K_YIELD:
        return m_yield_to(target);
    case K_KILL:
        if (!gone)
            m_kill(target);
        return 0;
    default:
        if (!gone)
            m_delete_gate(target);
        return 0;
    }
}

static struct thread *step_kernel(int i)
{
    static const enum kernel_call some[] = {K_CANCEL, K_CANCEL, K_PRIO,  K_BIND, K_BIND,
                                            K_YIELD,  K_YIELD,  K_YIELD, K_KILL, K_DELETE};
    enum kernel_call k = some[random_below(random_below(4) ? 8 : 10)];
    bool on_gate = k == K_BIND || k == K_DELETE;
    int target = (int)random_below(on_gate ? GATES : THREADS);
    int other = (int)random_below(k == K_PRIO ? 40 : THREADS);
    struct m_thread *m = &m_threads[i];
    struct thread *t = threads[i], *next;
    unsigned words, items;
    long label, expected;
    uint64_t slot = compose(t, k, target, other, &label, &words, &items);

    SAY("%d: kernel call %d, target %d, other %d\n", i, k, target, other);
    next = user_call(t, 0, slot << L4_CAP_SHIFT | L4_SYSF_CALL, msgtag(label, words, items, 0), 0);
    if (m->cancel || (is_void(k, target) && k != K_PRIO && k != K_KILL && k != K_DELETE)) {
        struct m_call c = {.kind = T_VOID, .op = L4_SYSF_CALL};

        memcpy(m->mr, t->utcb->msg.mr, sizeof(m->mr));
        m_ipc(i, &c);
        return next;
    }
    expected = model_call(k, target, other);
    if (m->state != M_DEAD && !(k == K_KILL && target == i)) {
        m->rax = t->regs.rax;
        m->rsi = 0;
        memcpy(m->mr, t->utcb->msg.mr, sizeof(m->mr));
        CHECK((long)m->rax >> L4_MSGTAG_LABEL_SHIFT == expected && !(m->rax & L4_MSGTAG_ERROR));
    }
    return next;
}

static struct thread *random_step(int i)
{
    unsigned what = (unsigned)random_below(100);
    struct thread *next;

    if (i == IDLER ? what < 50 : what < 8) {
        SAY("%d: tick\n", i);
        m_tick();
        return user_tick(threads[i]);
    }
    if (i == IDLER || what < 20)
        return step_kernel(i);
    if (what < 27)
        return step_fault(i);
    next = step_ipc(i);
    return next;
}

/* An exception's words are not in the model: the receiver's are as the kernel wrote them. */
static void learn_exceptions(void)
{
    for (int i = 0; i < ALL; i++)
        if (m_threads[i].state == M_READY &&
            (long)m_threads[i].rax >> L4_MSGTAG_LABEL_SHIFT == L4_PROTO_EXCEPTION)
            memcpy(m_threads[i].mr, threads[i]->utcb->msg.mr, sizeof(m_threads[i].mr));
}

/* Destruction is one step for the model: it is not interrupted half-way, only afterwards. */
static void window_after_all(void)
{
    static bool asked;

    asked |= cpu0.resched;
    cpu0.resched = !object_any_dying() && asked;
    asked = asked && !cpu0.resched;
}

static void run(uint64_t seed, unsigned flags, uint64_t *out)
{
    test_seed = seed;
    start(flags);
    host_window = window_after_all;
    for (unsigned n = 0; n < STEPS; n++) {
        struct thread *next = random_step(m_current);

        m_schedule();
        learn_exceptions();
        SAY("step %u of seed %lu: %d runs, by the model %d\n", n, seed, number_of(next), m_current);
        for (int i = 0; verbose && i < ALL; i++)
            SAY("  %d: state %u/%d, rax %lx/%lx, rsi %lx/%lx, message %u/%d\n", i,
                threads[i]->state, m_threads[i].state, threads[i]->regs.rax, m_threads[i].rax,
                threads[i]->regs.rsi, m_threads[i].rsi, threads[i]->message, m_threads[i].message);
        compare(next);
        out[n] = seen();
    }
    stop();
}

TEST(random_threads_do_what_the_model_does)
{
    verbose = getenv("TEST_VERBOSE") != NULL;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        run(seed, THREAD_SLOW, trail[0]);
        leaks();
        run(seed, 0, trail[1]);
        leaks();
        for (unsigned n = 0; n < STEPS; n++)
            CHECK(trail[0][n] == trail[1][n]);
    }
}

/* ---- what chance seldom does ---- */

static void go_to(int i)
{
    for (unsigned n = 0; cpu0.current != threads[i]; n++) {
        struct thread *t = cpu0.current;

        CHECK(n < ALL);
        (void)user_call(t, 0, L4_INVALID_CAP | L4_SYSF_WAIT, msgtag(0, 0, 0, 0), 0);
    }
}

/* The thread object stays, somebody holds a capability for it: those who queue for it must not. */
TEST(who_waits_for_a_thread_is_told_when_its_task_dies)
{
    uint64_t to0 = (SLOT_THREADS + 0) << L4_CAP_SHIFT;

    test_seed = 1;
    start(0);
    user_call(threads[4], 0, to0 | L4_SYSF_SEND, msgtag(0, 1, 0, 0), 0);
    CHECK(threads[4]->state == THREAD_SEND && cpu0.current->priority == 20);
    go_to(2);
    user_call(threads[2], 0, to0 | L4_SYSF_RECV, msgtag(0, 0, 0, 0), 0);
    CHECK(threads[2]->state == THREAD_RECV_FROM);
    machine_destroy(&tasks[0]->obj); /* with threads 0 and 3 */
    CHECK(threads[0]->state == THREAD_DEAD && threads[0]->obj.refs > 0);
    CHECK(threads[4]->state == THREAD_READY && threads[2]->state == THREAD_READY);
    CHECK(threads[4]->utcb->tcr.error == L4_IPC_ENOT_EXISTENT);
    CHECK(threads[2]->utcb->tcr.error == (L4_IPC_ENOT_EXISTENT | 1));
    CHECK(gates[0]->thread == NULL && gates[3]->thread == NULL && check_all() == 0);
    stop();
}

static uint64_t windows_left;

static void preempt_at_one(void)
{
    if (windows_left && --windows_left == 0)
        thread_abort_ipc(threads[4], L4_IPC_SETIMEOUT); /* as the tick does */
}

/* A call that was preempted and then cancelled leaves nothing behind for the next one. */
TEST(a_cancelled_call_does_not_shorten_the_next_one)
{
    uint64_t *mr;
    struct map_request r;

    start(0);
    go_to(IDLER);
    for (uint64_t i = 0; i < 256; i++)
        machine_pass(tasks[TASKS], SLOT_GATES, tasks[TASKS], 1024 + i, 15);
    mr = threads[IDLER]->utcb->msg.mr;
    mr[0] = L4_TASK_UNMAP_OP;
    mr[1] = L4_FP_ALL_SPACES;
    mr[2] = fpage_make(L4_FPAGE_OBJ, 1024UL << L4_CAP_SHIFT, 8, 15).raw;
    host_window = preempt_at_one;
    windows_left = 2;
    user_call(threads[IDLER], 0, SLOT_TASK << L4_CAP_SHIFT | L4_SYSF_CALL,
              msgtag(L4_PROTO_TASK, 3, 0, 0), 0);
    CHECK(cpu0.current == threads[4] && threads[IDLER]->cont);
    host_window = NULL;
    mr = threads[4]->utcb->msg.mr;
    mr[0] = L4_THREAD_EX_REGS_OP | L4_THREAD_EX_REGS_CANCEL;
    mr[1] = mr[2] = ~0UL;
    CHECK(cap_slot(tasks[TASKS], 1024UL << L4_CAP_SHIFT)->ref == 0);
    machine_pass(tasks[TASKS], SLOT_THREADS + IDLER, tasks[1], 50, 15);
    CHECK(user_invoke(threads[4], 50, L4_PROTO_THREAD, 3, 0) == 0);
    user_call(threads[4], 0, L4_INVALID_CAP | L4_SYSF_WAIT, msgtag(0, 0, 0, 0), 0);
    CHECK(cpu0.current == threads[IDLER]);
    CHECK(threads[IDLER]->regs.rax == L4_MSGTAG_ERROR);
    map_request_init(&r, tasks[TASKS], tasks[TASKS], 1024UL << L4_CAP_SHIFT,
                     fpage_make(L4_FPAGE_OBJ, SLOT_GATES << L4_CAP_SHIFT, 0, 15).raw, 0,
                     L4_WHOLE_ADDRESS_SPACE);
    CHECK(map_run(&r) == 0 && r.mapped == 1);
    mr = threads[IDLER]->utcb->msg.mr;
    mr[0] = L4_TASK_UNMAP_OP;
    mr[1] = L4_FP_ALL_SPACES;
    mr[2] = fpage_make(L4_FPAGE_OBJ, 1024UL << L4_CAP_SHIFT, 8, 15).raw;
    CHECK(user_invoke(threads[IDLER], SLOT_TASK, L4_PROTO_TASK, 3, 0) == 0);
    for (uint64_t i = 0; i < 256; i++) {
        const struct cap *c = cap_slot(tasks[TASKS], (1024 + i) << L4_CAP_SHIFT);

        CHECK(!c || !c->ref);
    }
    stop();
}

#define TESTS(X)                                                                                  \
    X(random_threads_do_what_the_model_does)                                                      \
    X(who_waits_for_a_thread_is_told_when_its_task_dies)                                          \
    X(a_cancelled_call_does_not_shorten_the_next_one)

TEST_MAIN(leaks, TESTS)
