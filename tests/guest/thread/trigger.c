/*
 * thread/trigger.c - ex_regs that raises an exception, in every state of its thread
 *
 * The exception comes before the thread's next instruction: what the thread was doing ends as it
 * would have, and its results stand in the registers.
 */
#include "seen.h"
#include "sets.h"

static void trigger(struct child *c)
{
    expect_eq(l4_error(l4_thread_ex_regs(c->thread, ~0UL, ~0UL,
                                         L4_THREAD_EX_REGS_TRIGGER_EXCEPTION)), 0);
}

static struct seen seen_trigger(void)
{
    struct seen s = seen_exception();

    expect_eq(s.regs.trapno, TRAP_TRIGGERED);
    expect_eq(s.regs.err, 0);
    return s;
}

/* Exactly one: its answer lets the job be done, and nothing else comes. */
static void expect_one(const struct job *j)
{
    struct seen s = seen_trigger();

    expect(!j->done);
    answer_regs(&s.regs);
    expect(j->done);
    expect(!seen_next().any);
}

static void send_to(struct child *c, unsigned message, unsigned words)
{
    l4_utcb_t *u = l4_utcb();

    for (unsigned i = 0; i < words; i++)
        u->msg.mr[i] = WORD(message, i);
    expect_eq(l4_ipc_error(l4_ipc_send(c->thread, u, l4_msgtag(7, words, 0, 0),
                                       L4_IPC_SEND_TIMEOUT_0), u), 0);
}

/* ---- running ---- */

extern char spin_begin[], spin_end[];
void spin(void *counter);
__asm__(".globl spin, spin_begin, spin_end\n"
        "spin: mov $0x5913, %ebx; mov $0x1234567, %r12\n"
        "spin_begin: incq (%rdi); jmp spin_begin\n"
        "spin_end:\n");

static volatile l4_umword_t spins;

static void running(void)
{
    struct child *c = watched_child();

    c->priority = 20;
    child_run(c, spin, (void *)&spins);
    for (unsigned i = 0; i < 3; i++) {
        l4_umword_t before;
        struct seen s;

        l4_ipc_sleep_ms(2);
        trigger(c);
        s = seen_trigger();
        expect(s.regs.ip >= (l4_umword_t)spin_begin && s.regs.ip < (l4_umword_t)spin_end);
        expect_eq(s.regs.rbx, 0x5913);
        expect_eq(s.regs.r12, 0x1234567);
        before = spins;
        l4_ipc_sleep_ms(2);
        expect_eq(spins, before);
        answer_regs(&s.regs);
        l4_ipc_sleep_ms(2);
        expect(spins > before);
    }
}

static volatile long own_result;

static void trigger_itself(void *arg)
{
    (void)arg;
    own_result = l4_error(l4_thread_ex_regs(CHILD_THREAD, ~0UL, ~0UL,
                                            L4_THREAD_EX_REGS_TRIGGER_EXCEPTION));
}

static void itself(void)
{
    struct child *c = watched_child();
    struct seen s;

    own_result = 1;
    child_run(c, trigger_itself, NULL);
    s = seen_trigger();
    expect(!c->finished);
    expect_eq(s.regs.rax & 0xffff0fffUL, 3); /* the answer of the call: three words, no error */
    answer_regs(&s.regs);
    expect(c->finished);
    expect_eq(own_result, 0);
}

/* An object that is just dying does not make the exception forgotten. */
static void delete_and_trigger(void *arg)
{
    (void)arg;
    l4_task_delete_obj(CHILD_TASK, CHILD_CAP(5));
    trigger_itself(NULL);
}

static void while_something_dies(void)
{
    struct child *c = watched_child();
    l4_cap_idx_t task = task_new();
    struct seen s;

    expect_eq(l4_error(l4_task_map(c->task, L4_BASE_TASK_CAP,
                                   l4_obj_fpage(task, 0, L4_CAP_FPAGE_RWSD),
                                   l4_map_obj_control(CHILD_CAP(5), 0))), 0);
    own_result = 1;
    child_run(c, delete_and_trigger, NULL);
    s = seen_trigger();
    answer_regs(&s.regs);
    expect(c->finished);
}

/* ---- blocked: raised when the IPC ends ---- */

static void in_wait(void)
{
    struct child *c = watched_child();
    struct job *w = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);

    job_start(c, w);
    trigger(c);
    expect(!seen_next().any);
    send_to(c, 3, 2);
    expect_one(w);
    expect_eq(w->got_tag.raw, l4_msgtag(7, 2, 0, 0).raw);
    expect_eq(w->got[1], WORD(3, 1));
}

static void in_wait_with_timeout(void)
{
    struct child *c = watched_child();
    struct job *w = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);

    w->timeout = l4_timeout(L4_IPC_TIMEOUT_NEVER, l4_timeout_from_us(3000));
    job_start(c, w);
    trigger(c);
    expect_one(w);
    expect_eq(w->got_error, L4_IPC_RETIMEOUT);
}

static void in_send(void)
{
    struct child *c = watched_child(), *to = child_new();
    struct job *s = job_new(L4_SYSF_SEND, CHILD_CAP(1)), *w = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);

    give(c, to->thread, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    job_words(s, 4, 5, 0);
    job_start(c, s);
    trigger(c);
    expect(!seen_next().any);
    job_start(to, w);
    expect(w->done);
    expect_eq(w->got[4], WORD(4, 4));
    expect_one(s);
    expect_eq(s->got_error, 0);
}

/* The server waits, or comes later; the answer is the end. */
static void in_call(void)
{
    struct child *c = watched_child(), *server = child_new();

    give(c, gate_new(server->thread, 0x70), CHILD_CAP(1), L4_CAP_FPAGE_RW);
    for (unsigned late = 0; late < 2; late++) {
        struct job *call = job_new(L4_SYSF_CALL, CHILD_CAP(1));
        struct job *w = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
        struct job *r = job_new(L4_SYSF_SEND | L4_SYSF_REPLY, L4_INVALID_CAP);

        job_words(call, 1, 1, 0);
        job_words(r, 2, 2, 5);
        if (late) {
            job_start(c, call);
            trigger(c);
            job_start(server, w);
        } else {
            job_start(server, w);
            job_start(c, call);
            trigger(c);
        }
        expect(w->done && !call->done);
        expect(!seen_next().any);
        job_start(server, r);
        expect_one(call);
        expect_eq(call->got[1], WORD(2, 1));
        expect_eq(call->got_tag.raw, l4_msgtag(5, 2, 0, 0).raw);
    }
}

/* Both phases are one IPC: a message is sent and one is taken, then comes the exception. */
static void in_send_and_wait(void)
{
    struct child *c = watched_child(), *to = child_new(), *from = child_new();

    give(c, to->thread, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    give(from, c->thread, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    give(from, gate_new(c->thread, 0x80), CHILD_CAP(2), L4_CAP_FPAGE_RW);
    for (unsigned queued = 0; queued < 2; queued++) {
        struct job *both = job_new(L4_SYSF_SEND_AND_WAIT, CHILD_CAP(1));
        struct job *w = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
        struct job *s = job_new(L4_SYSF_SEND, CHILD_CAP(1));
        struct job *call = job_new(L4_SYSF_CALL, CHILD_CAP(2));

        job_words(s, 6, 3, 0);
        job_words(call, 6, 3, 0);
        job_start(c, both);
        trigger(c);
        if (queued)
            job_start(from, s);
        job_start(to, w);
        expect(w->done);
        if (!queued) {
            expect(!seen_next().any);
            job_start(from, call); /* the shortest way to a thread that waits */
        }
        expect_one(both);
        expect_eq(both->got_error, 0);
        expect_eq(both->got[2], WORD(6, 2));
    }
}

static void and_cancelled(void)
{
    struct child *c = watched_child(), *to = child_new();
    static const unsigned ops[] = {L4_SYSF_WAIT, L4_SYSF_RECV, L4_SYSF_SEND, L4_SYSF_CALL};

    give(c, to->thread, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    for (unsigned i = 0; i < 4; i++) {
        struct job *j = job_new(ops[i], i ? CHILD_CAP(1) : L4_INVALID_CAP);

        job_start(c, j);
        trigger(c);
        expect_eq(l4_error(l4_thread_ex_regs(c->thread, ~0UL, ~0UL, L4_THREAD_EX_REGS_CANCEL)), 0);
        expect_one(j);
        expect_eq(j->got_error, i < 2 ? L4_IPC_RECANCELED : L4_IPC_SECANCELED);
    }
}

static void partner_dies(void)
{
    struct child *c = watched_child(), *to = child_new();
    struct job *s = job_new(L4_SYSF_SEND, CHILD_CAP(1));

    give(c, to->thread, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    job_start(c, s);
    trigger(c);
    destroy(to->thread);
    expect_one(s);
    expect_eq(s->got_error, L4_IPC_ENOT_EXISTENT);
}

static void touch(void *arg);

/* Cancel is for the IPCs of the program: a fault or an exception that comes first is not one. */
static void running_and_cancelled(void)
{
    struct child *c = watched_child();
    struct seen s;

    c->priority = 20;
    child_run(c, spin, (void *)&spins);
    l4_ipc_sleep_ms(2);
    expect_eq(l4_error(l4_thread_ex_regs(c->thread, ~0UL, ~0UL,
                                         L4_THREAD_EX_REGS_CANCEL |
                                             L4_THREAD_EX_REGS_TRIGGER_EXCEPTION)), 0);
    s = seen_trigger();
    s.regs.ip = (l4_umword_t)touch;
    s.regs.rdi = PLACE;
    answer_regs(&s.regs);
    s = seen_fault();
    expect_eq(s.mr[0], PLACE | L4_PF_WRITE);
}

/* ---- blocked in a fault, in an exception ---- */

static void touch(void *arg)
{
    *(volatile l4_umword_t *)arg = 1;
}

static void undefined(void *arg)
{
    (void)arg;
    __asm__ volatile("ud2");
}

static void in_fault(void)
{
    struct child *c = watched_child();
    struct seen s;

    child_run(c, touch, (void *)PLACE);
    seen_fault();
    trigger(c);
    answer_page(page_of(0, 0), PLACE, L4_FPAGE_RW);
    s = seen_trigger();
    expect(!c->finished);
    answer_regs(&s.regs);
    expect(c->finished);
}

static void in_rejected_fault(void)
{
    struct child *c = watched_child();
    struct seen s;

    child_run(c, touch, (void *)PLACE);
    seen_fault();
    trigger(c);
    answer_label(-L4_EFAULT);
    s = seen_exception();
    expect_eq(s.regs.trapno, TRAP_PF);
    expect_eq(s.regs.pfa, PLACE);
    s.regs.rdi = (l4_umword_t)&spins; /* whatever register it uses: the instruction again */
    answer_regs(&s.regs);
    seen_trigger();
}

static void in_exception(void)
{
    struct child *c = watched_child();
    struct seen s;

    child_run(c, undefined, NULL);
    s = seen_exception();
    trigger(c);
    s.regs.ip += 2;
    answer_regs(&s.regs);
    s = seen_trigger();
    expect(!c->finished);
    answer_regs(&s.regs);
    expect(c->finished);
}

/* Cancelled without a new place, a fault happens again. */
static void fault_again(void)
{
    struct child *c = watched_child();

    child_run(c, touch, (void *)PLACE);
    seen_fault();
    expect_eq(l4_error(l4_thread_ex_regs(c->thread, ~0UL, ~0UL, L4_THREAD_EX_REGS_CANCEL)), 0);
    expect_eq(seen_fault().mr[0], PLACE | L4_PF_WRITE);
    answer_page(page_of(0, 0), PLACE, L4_FPAGE_RW);
    expect(c->finished);
}

/* The pager has come, but the fault is not sent yet when a cancel forgets it: the exception is the
 * first thing all the same, then the fault happens again. */
static void forgotten_fault(void)
{
    struct child *c = watched_child();
    l4_cap_idx_t gate = gate_new(L4_INVALID_CAP, 0);
    struct seen s;

    give(c, gate, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    expect_eq(child_handlers(c, CHILD_CAP(1), CHILD_CAP(0)), 0);
    c->priority = 20;
    child_run(c, touch, (void *)PLACE);
    l4_ipc_sleep_ms(2);
    expect_eq(l4_error(l4_rcv_ep_bind_thread(gate, L4_BASE_THREAD_CAP, FAULT_LABEL)), 0);
    trigger(c);
    expect_eq(l4_error(l4_thread_ex_regs(c->thread, ~0UL, ~0UL, L4_THREAD_EX_REGS_CANCEL)), 0);
    s = seen_trigger();
    answer_regs(&s.regs);
    expect_eq(seen_fault().mr[0], PLACE | L4_PF_WRITE);
    answer_page(page_of(0, 0), PLACE, L4_FPAGE_RW);
    l4_ipc_sleep_ms(2);
    expect(c->finished);
}

/* ---- not started; in the middle of a long call ---- */

static void before_the_start(void)
{
    struct child *c = watched_child();
    struct seen s;

    trigger(c);
    child_run(c, undefined, NULL);
    s = seen_trigger();
    expect(!c->finished);
    answer_regs(&s.regs);
    expect_eq(seen_exception().regs.trapno, TRAP_UD);
}

static void with_new_place(void)
{
    struct child *c = watched_child();
    struct seen s;

    job_start(c, job_new(L4_SYSF_WAIT, L4_INVALID_CAP));
    expect_eq(l4_error(l4_thread_ex_regs(c->thread, 0x123456, 0x7890,
                                         L4_THREAD_EX_REGS_CANCEL |
                                             L4_THREAD_EX_REGS_TRIGGER_EXCEPTION)), 0);
    s = seen_trigger();
    expect_eq(s.regs.ip, 0x123456);
    expect_eq(s.regs.sp, 0x7890);
}

enum { LONG_ORDER = 22 };
static volatile l4_umword_t long_calls, long_errors;

/* Maps and unmaps 1024 pages; each takes a good part of a tick. */
static void long_loop(void *arg)
{
    for (;; long_calls++) {
        long_errors += l4_error(l4_task_map(CHILD_TASK, CHILD_TASK,
                                            l4_fpage((l4_addr_t)arg, LONG_ORDER, L4_FPAGE_RW),
                                            PLACE)) != 0;
        long_errors += l4_error(l4_task_unmap(CHILD_TASK, l4_fpage(PLACE, LONG_ORDER, L4_FPAGE_RWX),
                                              L4_FP_ALL_SPACES)) != 0;
    }
}

static void in_a_long_call(void)
{
    enum { FROM = 0x30000000 };
    static l4_addr_t page;
    struct child *c = watched_child();

    page = page_of(1, 1);
    for (l4_addr_t at = 0; at < 1UL << LONG_ORDER; at += L4_PAGESIZE)
        l4_task_map(c->task, L4_BASE_TASK_CAP, l4_fpage(page, L4_PAGESHIFT, L4_FPAGE_RW),
                    FROM + at);
    c->priority = 20;
    long_calls = long_errors = 0;
    child_run(c, long_loop, (void *)(l4_umword_t)FROM);
    for (unsigned i = 0; i < 30; i++) {
        struct seen s;

        l4_ipc_sleep_ms(1);
        trigger(c);
        s = seen_trigger();
        answer_regs(&s.regs);
    }
    expect(!seen_next().any);
    expect(long_calls > 0);
    expect_eq(long_errors, 0);
}

const struct test trigger_tests[] = {
    {"a running thread is stopped where it is, and goes on there", running},
    {"a thread may raise an exception in itself", itself},
    {"also while an object is being taken apart", while_something_dies},
    {"in a wait the exception comes behind the message", in_wait},
    {"in a wait with a timeout, behind the timeout", in_wait_with_timeout},
    {"in a send, when the message is gone", in_send},
    {"in a call, when the answer is there", in_call},
    {"in a send and wait, behind both phases", in_send_and_wait},
    {"a cancelled IPC has ended: then it comes, too", and_cancelled},
    {"cancelled while it runs, it still faults and raises exceptions", running_and_cancelled},
    {"so it does when the partner dies", partner_dies},
    {"in a page fault, when the page is there", in_fault},
    {"in a page fault that is refused, behind the exception", in_rejected_fault},
    {"in an exception, behind its answer", in_exception},
    {"a cancelled page fault happens again", fault_again},
    {"before a fault that a cancel has forgotten", forgotten_fault},
    {"a thread that has not begun raises it before its first instruction", before_the_start},
    {"the message shows the new instruction and stack pointer", with_new_place},
    {"a long call of the kernel is carried out first", in_a_long_call},
    {NULL, NULL},
};
