/*
 * fault/handlers.c - answers to exceptions that try to make trouble; ex_regs; the way of sysret
 */
#include "seen.h"

static void trap(void *arg)
{
    (void)arg;
    __asm__ volatile("ud2");
}

static struct seen trap_of(struct child *c)
{
    struct seen s;

    child_run(c, trap, NULL);
    s = seen_exception();
    expect_eq(s.regs.trapno, TRAP_UD);
    return s;
}

/* The kernel must not return to such an address; the thread faults there. */
static void bad_instruction_pointers(void)
{
    static const l4_umword_t bad[] = {L4_USER_END, 0x7fffffffffff, 0x800000000000,
                                      0xffff7fffffffffff, 0xffff800000000000, 0xffffffff80100000,
                                      0xdead000000000000, ~0UL, 1UL << 63};
    struct child *c = watched_child();

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct seen s = trap_of(c);

        s.regs.ip = bad[i];
        answer_regs(&s.regs);
        s = seen_next();
        expect(s.any && !c->finished);
        /* Each becomes the first address behind user space: no way back ever sees another. */
        expect_eq(s.tag.raw, l4_msgtag(L4_PROTO_PAGE_FAULT, 2, 0, 0).raw);
        expect_eq(s.mr[0], L4_USER_END | L4_PF_FETCH);
        expect_eq(s.mr[1], L4_USER_END);
    }
}

static void bad_stack_pointers(void)
{
    static const l4_umword_t bad[] = {0x800000000000, 0xffffffff80100000, ~0UL, 1, 0};
    struct child *c = watched_child();

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct seen s = trap_of(c);

        s.regs.sp = bad[i];
        answer_regs(&s.regs); /* the same ud2 again */
        s = seen_exception();
        expect_eq(s.regs.trapno, TRAP_UD);
        expect_eq(s.regs.sp, bad[i]);
    }
}

static void bad_segment_bases(void)
{
    static const l4_umword_t bad[] = {L4_USER_END, 0x800000000000, 0xffffffff80000000, ~0UL};
    struct child *c = watched_child();
    struct seen s;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        l4_umword_t gs;

        s = trap_of(c);
        gs = s.regs.gs_base;
        s.regs.fs_base = bad[i];
        s.regs.gs_base = bad[i];
        answer_regs(&s.regs);
        s = seen_exception();
        expect_eq(s.regs.fs_base, 0);
        expect_eq(s.regs.gs_base, gs);
        expect_eq(l4_error(fiasco_amd64_set_fs(c->thread, bad[i], l4_utcb())), -L4_EINVAL);
    }
    s = trap_of(c);
    s.regs.fs_base = 0x123456000;
    answer_regs(&s.regs);
    expect_eq(seen_exception().regs.fs_base, 0x123456000);
    expect_eq(l4_error(fiasco_amd64_set_fs(c->thread, 0x777000, l4_utcb())), 0);
    expect_eq(trap_of(c).regs.fs_base, 0x777000);
}

/* Too few words: the registers stay, the thread goes on (and traps again). */
static void short_answers(void)
{
    struct child *c = watched_child();
    struct seen s = trap_of(c);

    for (unsigned words = 0; words < 26; words += 5) {
        l4_umword_t ip = s.regs.ip;
        l4_utcb_t *u = l4_utcb();

        memset(u->msg.mr, 0x5a, sizeof(u->msg.mr));
        l4_ipc_reply(L4_INVALID_CAP, u, l4_msgtag(0, words, 0, 0), L4_IPC_NEVER);
        s = seen_exception();
        expect_eq(s.regs.ip, ip);
        expect_eq(s.regs.trapno, TRAP_UD);
    }
}

/* Items in the answer to an exception: it has no window for them. */
static void items_in_the_answer(void)
{
    struct child *c = watched_child();
    struct seen s = trap_of(c);
    l4_utcb_t *u = l4_utcb();

    memcpy(u->msg.mr, &s.regs, sizeof(s.regs));
    u->msg.mr[26] = l4_map_obj_control(CHILD_CAP(30), 0);
    u->msg.mr[27] = l4_obj_fpage(L4_BASE_LOG_CAP, 0, L4_CAP_FPAGE_RW).raw;
    l4_ipc_reply(L4_INVALID_CAP, u, l4_msgtag(0, 26, 1, 0), L4_IPC_SEND_TIMEOUT_0);
    expect_eq(l4_error(l4_task_cap_valid(c->task, CHILD_CAP(30))), 0);
}

/* The handler as thread without a gate, and a handler that answers late. */
static void handler_is_a_thread(void)
{
    struct child *c = watched_child();
    struct seen s;

    give(c, L4_BASE_THREAD_CAP, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    expect_eq(child_handlers(c, CHILD_CAP(1), CHILD_CAP(1)), 0);
    child_run(c, trap, NULL);
    s = seen_next();
    expect_eq(s.tag.raw, l4_msgtag(L4_PROTO_EXCEPTION, 26, 0, 0).raw);
    expect_eq(s.label, 0);
}

static void triggered(void)
{
    struct child *c = watched_child();
    struct job *w = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    struct seen s;

    job_start(c, w);
    expect_eq(l4_error(l4_thread_ex_regs(c->thread, ~0UL, ~0UL,
                                         L4_THREAD_EX_REGS_CANCEL |
                                             L4_THREAD_EX_REGS_TRIGGER_EXCEPTION)), 0);
    s = seen_exception();
    expect_eq(s.regs.trapno, TRAP_TRIGGERED);
    expect(!w->done);
    answer_regs(&s.regs);
    expect(w->done);
    expect_eq(w->got_error, L4_IPC_RECANCELED);
}

/* ---- sysret: what comes behind the system call ---- */

static volatile l4_umword_t code_page[512] __attribute__((aligned(4096)));

static void jump(void *to)
{
    l4_umword_t rax = L4_SYSCALL_MARK, rdx = L4_INVALID_CAP | L4_SYSF_RECV;
    register l4_umword_t r8 __asm__("r8") = 0x04000400;

    __asm__ volatile("jmp *%3" : "+a"(rax), "+d"(rdx) : "r"(r8), "D"(to)
                     : "memory", "rcx", "r11", "r15", "rsi");
    __builtin_unreachable();
}

/* A system call as the last instruction of user space: the next address is its end. */
static void last_instruction(void)
{
    struct child *c = watched_child();
    l4_addr_t last = L4_USER_END - L4_PAGESIZE;
    struct seen s;

    code_page[511] = 0x050f000000000000; /* syscall */
    expect_eq(l4_error(l4_task_map(c->task, L4_BASE_TASK_CAP,
                                   l4_fpage((l4_addr_t)code_page, 12, L4_FPAGE_RX), last)), 0);
    child_run(c, jump, (void *)(L4_USER_END - 2));
    s = seen_fault();
    expect_eq(s.mr[0], L4_USER_END | L4_PF_FETCH);
    expect_eq(s.mr[1], L4_USER_END);
}

/* A page must not get behind the end: a system call there would return to no address at all. */
static void no_page_behind_the_end(void)
{
    struct child *c = watched_child();
    struct seen s;

    child_run(c, jump, (void *)(L4_USER_END + 0xffe));
    s = seen_fault();
    expect_eq(s.mr[0] & ~7UL, (L4_USER_END + 0xffe) & ~7UL);
    answer_page((l4_addr_t)code_page, L4_USER_END, L4_FPAGE_RX);
    s = seen_fault();
    expect_eq(s.mr[0] & ~7UL, (L4_USER_END + 0xffe) & ~7UL);
}

/* ex_regs on a thread in the middle of a system call: it goes on with the new registers. */
static volatile l4_umword_t came_from;

static void arrive(void *arg)
{
    came_from = (l4_umword_t)arg;
}

static void ex_regs_in_every_state(void)
{
    struct child *c = watched_child(), *server = child_new();
    static const unsigned ops[] = {L4_SYSF_WAIT, L4_SYSF_RECV, L4_SYSF_SEND, L4_SYSF_CALL};

    job_start(server, job_new(L4_SYSF_RECV, L4_INVALID_CAP));
    give(c, server->thread, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    for (unsigned i = 0; i < 4; i++) {
        job_start(c, job_new(ops[i], ops[i] == L4_SYSF_WAIT ? L4_INVALID_CAP : CHILD_CAP(1)));
        child_run(c, arrive, (void *)(l4_umword_t)(i + 1));
        expect(c->finished);
        expect_eq(came_from, i + 1);
    }
    trap_of(c);
    child_run(c, arrive, (void *)9UL);
    expect(c->finished);
    expect_eq(came_from, 9);
}

const struct test handlers_tests[] = {
    {"an instruction pointer that is no user address faults in user mode",
     bad_instruction_pointers},
    {"any stack pointer is the thread's own trouble", bad_stack_pointers},
    {"segment bases outside user space are refused", bad_segment_bases},
    {"an answer with fewer than 26 words changes no register", short_answers},
    {"the answer to an exception brings no capabilities", items_in_the_answer},
    {"a thread can be handler without a gate", handler_is_a_thread},
    {"ex_regs can raise an exception", triggered},
    {"a system call at the very end of user space returns to a fault", last_instruction},
    {"no page gets behind the end of user space", no_page_behind_the_end},
    {"ex_regs sets a thread going again in every state", ex_regs_in_every_state},
    {NULL, NULL},
};
