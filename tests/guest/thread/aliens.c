/*
 * thread/aliens.c - threads whose system calls are exceptions
 */
#include "seen.h"
#include "sets.h"

enum { TRAP_CALL = 0x100 };

/* One system call with a value of its own in every register; what they are behind it. */
struct call_registers {
    l4_umword_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
};

struct call_registers call_in, call_out;
void call_run(void *unused);
extern char call_behind[];

#define EACH(X)                                                                                    \
    X(rax, 0) X(rbx, 8) X(rcx, 16) X(rdx, 24) X(rsi, 32) X(rdi, 40) X(rbp, 48) X(r8, 56)           \
    X(r9, 64) X(r10, 72) X(r11, 80) X(r12, 88) X(r13, 96) X(r14, 104) X(r15, 112)
#define LOAD(name, at) "mov call_in + " #at ", %" #name "\n"
#define STORE(name, at) "mov %" #name ", call_out + " #at "\n"
__asm__(".globl call_run, call_behind\n"
        "call_run:\n"
        "    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        EACH(LOAD)
        "    syscall\n"
        "call_behind:\n"
        EACH(STORE)
        "    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "    ret\n");

static void alien(struct child *c, int on)
{
    l4_thread_control_start();
    l4_thread_control_alien(on);
    expect_eq(l4_error(l4_thread_control_commit(c->thread)), 0);
}

static struct child *alien_child(void)
{
    struct child *c = watched_child();

    alien(c, 1);
    return c;
}

/* A receive that ends at once; the other registers hold what nobody else has. */
static void call_prepare(void)
{
    l4_umword_t *w = (l4_umword_t *)&call_in;

    for (unsigned i = 0; i < sizeof(call_in) / 8; i++)
        w[i] = 0xca11000000000000UL + 0x1010101UL * i;
    call_in.rax = L4_SYSCALL_MARK;
    call_in.rdx = L4_INVALID_CAP | L4_SYSF_RECV;
    call_in.r8 = L4_IPC_BOTH_TIMEOUT_0.raw;
    memset(&call_out, 0, sizeof(call_out));
}

static void expect_registers(const l4_exc_regs_t *x, const struct call_registers *r)
{
    expect_eq(x->rax, r->rax);
    expect_eq(x->rbx, r->rbx);
    expect_eq(x->rdx, r->rdx);
    expect_eq(x->rsi, r->rsi);
    expect_eq(x->rdi, r->rdi);
    expect_eq(x->rbp, r->rbp);
    expect_eq(x->r8, r->r8);
    expect_eq(x->r9, r->r9);
    expect_eq(x->r10, r->r10);
    expect_eq(x->r12, r->r12);
    expect_eq(x->r13, r->r13);
    expect_eq(x->r14, r->r14);
    expect_eq(x->r15, r->r15);
}

static struct seen seen_call(void)
{
    struct seen s = seen_exception();

    expect_eq(s.regs.trapno, TRAP_CALL);
    expect_eq(s.regs.err, 0);
    return s;
}

static void allow(void)
{
    l4_msgtag_t tag = l4_msgtag(L4_PROTO_ALLOW_SYSCALL, 0, 0, 0);

    tag = l4_ipc_reply(L4_INVALID_CAP, l4_utcb(), tag, L4_IPC_SEND_TIMEOUT_0);
    expect_eq(l4_ipc_error(tag, l4_utcb()), 0);
}

/* The call does not happen; what the handler says is what the thread sees. */
static void every_call(void)
{
    struct child *c = alien_child();
    struct seen s;

    expect_eq(child_handlers(c, ~0UL, ~0UL), 0); /* says nothing of aliens */
    call_prepare();
    child_run(c, call_run, NULL);
    s = seen_call();
    expect_registers(&s.regs, &call_in);
    expect_eq(s.regs.ip, (l4_umword_t)call_behind);
    expect_eq(s.regs.rcx, (l4_umword_t)call_behind);
    expect_eq(s.regs.r11, s.regs.flags);
    s.regs.rax = 0x7777, s.regs.r15 = 0x1515, s.regs.rcx = 0xcc, s.regs.r11 = 0x1111;
    answer_regs(&s.regs);
    expect(c->finished);
    expect_eq(call_out.rax, 0x7777);
    expect_eq(call_out.r15, 0x1515);
    expect_eq(call_out.rcx, 0xcc);
    expect_eq(call_out.r11, 0x1111);
    expect_eq(call_out.rsi, call_in.rsi);
    expect_eq(call_out.rdi, call_in.rdi);
}

static void allowed(void)
{
    struct child *c = alien_child();

    call_prepare();
    child_run(c, call_run, NULL);
    seen_call();
    allow();
    seen_call(); /* the child's sleep */
    expect(c->finished);
    expect_eq(call_out.rax, L4_MSGTAG_ERROR);
    expect_eq(call_out.rdi, call_in.rdi);
    expect_eq(call_out.rbx, call_in.rbx);
    expect_eq(call_out.r14, call_in.r14);
}

/* Whatever the call is: to a server, to a kernel object; each is asked for. */
static void allowed_once(void)
{
    struct child *c = alien_child(), *server = child_new();
    struct job *first = job_new(L4_SYSF_CALL, CHILD_CAP(1)), *second, *object;
    struct job *w = job_new(L4_SYSF_WAIT, L4_INVALID_CAP), *r = job_new(L4_SYSF_REPLY_AND_WAIT, 0);

    r->to = L4_INVALID_CAP;
    w->next = r;
    job_words(r, 9, 3, 0x77);
    job_start(server, w);
    give(c, gate_new(server->thread, 0x4560), CHILD_CAP(1), L4_CAP_FPAGE_RWS);
    job_words(first, 5, 2, 0x66);
    second = first->next = job_new(L4_SYSF_SEND, CHILD_CAP(1));
    job_words(second, 6, 4, 0x88);
    object = second->next = job_new(L4_SYSF_CALL, CHILD_TASK);
    object->mr[0] = 0xfff;
    object->tag = l4_msgtag(L4_PROTO_TASK, 1, 0, 0);
    job_start(c, first);
    seen_call();
    expect(!first->done && !w->done);
    allow();
    expect(w->done && first->done && !second->done && !r->done);
    expect_eq(w->got_label, 0x4560 | L4_CAP_FPAGE_W | L4_CAP_FPAGE_S);
    expect_eq(first->got[2], WORD(9, 2));
    seen_call();
    allow();
    expect(second->done && r->done && !object->done);
    expect_eq(r->got[3], WORD(6, 3));
    seen_call();
    allow();
    expect(object->done);
    expect_eq(l4_error(object->got_tag), -L4_ENOSYS);
    seen_call();
}

/* The handler changes the call, then lets it pass. */
static void allowed_with_changes(void)
{
    struct child *c = alien_child();
    struct seen s;

    call_prepare();
    child_run(c, call_run, NULL);
    s = seen_call();
    s.regs.rdx = CHILD_CAP(40) | L4_SYSF_SEND;
    memcpy(l4_utcb()->msg.mr, &s.regs, sizeof(s.regs));
    l4_ipc_reply(L4_INVALID_CAP, l4_utcb(), l4_msgtag(L4_PROTO_ALLOW_SYSCALL, 26, 0, 0),
                 L4_IPC_SEND_TIMEOUT_0);
    expect(c->finished);
    expect_eq(call_out.rax, L4_MSGTAG_ERROR);
    expect_eq(call_out.rdx, CHILD_CAP(40) | L4_SYSF_SEND);
}

static void touch_and_call(void *arg)
{
    *(volatile l4_umword_t *)arg = 1;
    __asm__ volatile("ud2");
    call_run(NULL);
}

/* The label allows system calls, not what else an alien does. */
static void other_messages(void)
{
    struct child *c = alien_child();
    struct seen s;

    call_prepare();
    child_run(c, touch_and_call, (void *)PLACE);
    s = seen_fault();
    expect_eq(s.mr[0], PLACE | L4_PF_WRITE);
    expect_eq(l4_error(l4_task_map(c->task, L4_BASE_TASK_CAP,
                                   l4_fpage(page_of(0, 0), L4_PAGESHIFT, L4_FPAGE_RW), PLACE)), 0);
    answer_label(L4_PROTO_ALLOW_SYSCALL);
    s = seen_exception();
    expect_eq(s.regs.trapno, TRAP_UD);
    s.regs.ip += 2;
    memcpy(l4_utcb()->msg.mr, &s.regs, sizeof(s.regs));
    l4_ipc_reply(L4_INVALID_CAP, l4_utcb(), l4_msgtag(L4_PROTO_ALLOW_SYSCALL, 26, 0, 0),
                 L4_IPC_SEND_TIMEOUT_0);
    s = seen_call();
    expect_eq(s.regs.ip, (l4_umword_t)call_behind);
    expect_eq(s.regs.rax, call_in.rax);
}

/* A call that is none of ours stays that, allowed or not. */
static void foreign_calls(void)
{
    struct child *c = alien_child();
    struct seen s;

    call_prepare();
    call_in.rax = 39;
    child_run(c, call_run, NULL);
    for (unsigned i = 0; i < 3; i++) {
        s = seen_call();
        expect_registers(&s.regs, &call_in);
        expect_eq(s.regs.ip, (l4_umword_t)call_behind);
        allow();
    }
    s = seen_call();
    s.regs.rax = 4711;
    answer_regs(&s.regs);
    expect(c->finished);
    expect_eq(call_out.rax, 4711);
    seen_call(); /* and what is one of ours is asked for, as before */
}

/* A thread in the middle of a call becomes one: the call ends as it would have. */
static void turned_on_and_off(void)
{
    struct child *c = watched_child();
    struct job *w = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    l4_utcb_t *u = l4_utcb();

    w->next = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    job_start(c, w);
    alien(c, 1);
    expect(!seen_next().any);
    u->msg.mr[0] = 0x1234;
    l4_ipc_send(c->thread, u, l4_msgtag(3, 1, 0, 0), L4_IPC_SEND_TIMEOUT_0);
    expect(w->done);
    expect_eq(w->got[0], 0x1234);
    expect(!w->next->done);
    seen_call();
    alien(c, 0);
    allow(); /* no alien any more: the call counts as made by the handler */
    expect_eq(w->next->got_error, 0);
    expect(!seen_next().any);
}

static void no_handler(void)
{
    struct child *c = child_new();

    expect_eq(child_handlers(c, ~0UL, L4_INVALID_CAP), 0);
    alien(c, 1);
    call_prepare();
    child_run(c, call_run, NULL);
    expect(!c->finished);
    expect_eq(call_out.rax, 0);
}

const struct test aliens_tests[] = {
    {"a system call of an alien is an exception with all registers, and does not happen",
     every_call},
    {"the handler can let it pass, then it is what it would have been", allowed},
    {"each call of an alien is asked for, to servers and to the kernel", allowed_once},
    {"the handler can change a call and let it pass", allowed_with_changes},
    {"to let pass what is no system call means nothing", other_messages},
    {"a foreign call of an alien is an exception however often it may pass", foreign_calls},
    {"a thread may become an alien, and cease to be one, in the middle of a call",
     turned_on_and_off},
    {"an alien that nobody handles stops, with a report", no_handler},
    {NULL, NULL},
};
