/*
 * ipc/words.c - what of a message arrives: words, tag, label, rights; which registers change
 */
#include "sets.h"

#include <l4/sys/debugger.h>

enum { LABEL = 0x7700, ROUNDS_SLOW = 2 };

static volatile bool slow; /* the server's answer takes the long way, too */

void echo_server(void *arg)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);

    (void)arg;
    for (;;) {
        l4_timeout_t t = slow ? receive_within(10000000) : L4_IPC_NEVER;

        for (unsigned i = 0; i < l4_msgtag_words(tag); i++)
            u->msg.mr[i] = ~u->msg.mr[i];
        tag = l4_ipc_reply_and_wait(u, l4_msgtag(l4_msgtag_label(tag) + 1, l4_msgtag_words(tag), 0,
                                                 0), &label, t);
    }
}

static void echo(l4_cap_idx_t gate, l4_timeout_t timeout)
{
    l4_utcb_t *u = l4_utcb();

    for (unsigned n = 0; n <= L4_UTCB_GENERIC_DATA_SIZE; n++) {
        l4_msgtag_t tag;
        unsigned wrong = 0;

        for (unsigned i = 0; i < L4_UTCB_GENERIC_DATA_SIZE; i++)
            u->msg.mr[i] = i < n ? WORD(n, i) : POISON + i;
        tag = l4_ipc_call(gate, u, l4_msgtag(n + 5, n, 0, 0), timeout);
        for (unsigned i = 0; i < L4_UTCB_GENERIC_DATA_SIZE; i++)
            wrong += u->msg.mr[i] != (i < n ? ~WORD(n, i) : POISON + i);
        expect_eq(wrong, 0);
        expect_eq(tag.raw, l4_msgtag(n + 6, n, 0, 0).raw);
    }
}

static void every_number_of_words(void)
{
    struct child *server = child_new();
    l4_cap_idx_t gate = gate_new(server->thread, LABEL);

    slow = false;
    child_run(server, echo_server, NULL);
    echo(gate, L4_IPC_NEVER);
    slow = true;
    echo(gate, receive_within(10000000));
    echo(server->thread, L4_IPC_NEVER);
}

static void others_stay(void)
{
    struct child *from = child_new(), *to = child_new();
    struct job *r = receiver(to), *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));

    give(from, to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    job_words(s, 1, 7, 0x123);
    job_start(from, s);
    expect(r->done && s->done);
    expect_eq(r->got_tag.raw, l4_msgtag(0x123, 7, 0, 0).raw);
    for (unsigned i = 0; i < L4_UTCB_GENERIC_DATA_SIZE; i++)
        expect_eq(r->got[i], i < 7 ? WORD(1, i) : POISON + i);
    for (unsigned i = 0; i < L4_UTCB_GENERIC_DATA_SIZE; i++)
        expect_eq(s->got[i], s->mr[i]);
    expect_eq(s->got_tag.raw, 0);
}

static void labels_of_tags(void)
{
    static const long labels[] = {0, 1, -2, -5, -6, 0x7fff, -0x8000, 0x12345678, 0x7fffffffffff,
                                  -0x7fffffffffff - 1};
    struct child *from = child_new(), *to = child_new();
    l4_cap_idx_t gate = gate_new(to->thread, LABEL);

    give(from, gate, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    for (unsigned i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        struct job *r = receiver(to), *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));

        job_words(s, i, 2, labels[i]);
        job_start(from, s);
        expect(r->done);
        expect_eq(l4_msgtag_label(r->got_tag), labels[i]);
        expect_eq(r->got[1], WORD(i, 1));
        jobs_reset();
    }
}

/* Flags that only the kernel sets do not travel. */
static void flags_of_tags(void)
{
    struct child *from = child_new(), *to = child_new();
    struct job *r = receiver(to), *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));

    give(from, to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    job_words(s, 1, 3, 9);
    s->tag.raw |= L4_MSGTAG_ERROR;
    job_start(from, s);
    expect(r->done);
    expect_eq(r->got_tag.raw & L4_MSGTAG_ERROR, 0);
    expect_eq(r->got_tag.raw & ~(l4_mword_t)L4_MSGTAG_FLAGS, l4_msgtag(9, 3, 0, 0).raw);
    expect_eq(s->got_error, 0);
}

static void rights_in_label(void)
{
    static const struct {
        unsigned given, seen;
    } cases[] = {{L4_CAP_FPAGE_R, 0},   {L4_CAP_FPAGE_RW, 1},   {L4_CAP_FPAGE_RS, 2},
                 {L4_CAP_FPAGE_RWS, 3}, {L4_CAP_FPAGE_RWSD, 3}, {L4_CAP_FPAGE_RD, 0}};
    struct child *from = child_new(), *to = child_new();
    l4_cap_idx_t gate = gate_new(to->thread, LABEL | 3);

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (unsigned op = L4_SYSF_SEND; op <= L4_SYSF_CALL; op += 2) {
            struct job *r = receiver(to), *s = job_new(op, CHILD_CAP(i));

            expect_eq(give(from, gate, CHILD_CAP(i), cases[i].given), 0);
            job_words(s, 1, 1, 1);
            s->label = 0xdead;
            job_start(from, s);
            expect(r->done);
            expect_eq(r->got_label, LABEL | cases[i].seen);
            jobs_reset();
        }
    }
}

static void label_to_thread(void)
{
    struct child *from = child_new(), *to = child_new();
    struct job *r = receiver(to), *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));

    give(from, to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    s->label = 0x123456789abcdef0;
    job_start(from, s);
    expect_eq(r->got_label, 0x123456789abcdef0);
    /* Queued, it goes along as well. */
    s->label = 0x5550;
    s->done = false;
    job_start(to, job_new(L4_SYSF_RECV, L4_INVALID_CAP));
    job_start(from, s);
    expect(!s->done);
    r = receiver(to);
    expect_eq(r->got_label, 0x5550);
}

/* ---- registers ---- */

struct registers {
    l4_umword_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
    l4_umword_t xmm[4];
};

/* Load all registers, make the system call, store all registers. */
void call_with(struct registers *r);
__asm__(".globl call_with\n"
        "call_with:\n"
        "    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdi\n"
        "    mov %rdi, %r15\n"
        "    mov 0(%r15), %rax;   mov 8(%r15), %rbx;   mov 24(%r15), %rdx\n"
        "    mov 32(%r15), %rsi;  mov 40(%r15), %rdi;  mov 48(%r15), %rbp\n"
        "    mov 56(%r15), %r8;   mov 64(%r15), %r9;   mov 72(%r15), %r10\n"
        "    mov 88(%r15), %r12;  mov 96(%r15), %r13;  mov 104(%r15), %r14\n"
        "    movdqu 120(%r15), %xmm0; movdqu 136(%r15), %xmm15\n"
        "    syscall\n"
        "    xchg (%rsp), %rax\n"
        "    mov %rbx, 8(%rax);   mov %rcx, 16(%rax);  mov %rdx, 24(%rax)\n"
        "    mov %rsi, 32(%rax);  mov %rdi, 40(%rax);  mov %rbp, 48(%rax)\n"
        "    mov %r8, 56(%rax);   mov %r9, 64(%rax);   mov %r10, 72(%rax)\n"
        "    mov %r11, 80(%rax);  mov %r12, 88(%rax);  mov %r13, 96(%rax)\n"
        "    mov %r14, 104(%rax); mov %r15, 112(%rax)\n"
        "    movdqu %xmm0, 120(%rax); movdqu %xmm15, 136(%rax)\n"
        "    pop %rcx; mov %rcx, 0(%rax)\n"
        "    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

static struct registers call_registers(l4_cap_idx_t gate, l4_umword_t timeouts)
{
    static struct registers before;
    struct registers r;
    l4_umword_t *w = (l4_umword_t *)&r, *b = (l4_umword_t *)&before;

    for (unsigned i = 0; i < sizeof(r) / sizeof(*w); i++)
        b[i] = 0xc0de000000000000UL + i;
    before.rax = (l4_umword_t)(l4_msgtag(5, 1, 0, 0).raw | L4_SYSCALL_MARK);
    before.rdx = gate | L4_SYSF_CALL;
    before.r8 = timeouts;
    r = before;
    call_with(&r);
    expect_eq(r.rax, l4_msgtag(6, 1, 0, 0).raw);
    for (unsigned i = 0; i < sizeof(r) / sizeof(*w); i++) {
        bool changes = &w[i] == &r.rax || &w[i] == &r.rcx || &w[i] == &r.rsi ||
                       &w[i] == &r.r11 || &w[i] == &r.r15;

        if (!changes)
            expect_eq(w[i], b[i]);
    }
    return r;
}

static void other_registers_stay(void)
{
    struct child *server = child_new();
    l4_cap_idx_t gate = gate_new(server->thread, LABEL);

    slow = false;
    child_run(server, echo_server, NULL);
    call_registers(gate, 0);
    call_registers(gate, receive_within(1000000).raw);
}

static void nothing_leaks_in_clobbered_registers(void)
{
    struct child *server = child_new();
    struct registers r;

    slow = false;
    child_run(server, echo_server, NULL);
    r = call_registers(gate_new(server->thread, LABEL), 0);
    expect(r.rcx >> 47 == 0 && r.rcx < 0x800000);
    expect_eq(r.r11 & ~0xcd5UL, 0x202);
    expect(r.r15 == 0 || r.r15 == 0xc0de000000000000UL + 14);
    expect_eq(r.rsi, 0);
}

/* The kernel counts what it delivers. */
static void messages_are_counted(void)
{
    struct child *server = child_new();
    l4_cap_idx_t gate = gate_new(server->thread, LABEL);
    l4_umword_t before;

    slow = false;
    child_run(server, echo_server, NULL);
    before = counter(server->task, L4_DBG_CNT_IPC_SEND);
    for (unsigned i = 0; i < 10; i++)
        l4_ipc_call(gate, l4_utcb(), l4_msgtag(0, 0, 0, 0), i & 1 ? L4_IPC_NEVER
                                                                 : receive_within(1000000));
    expect_eq(counter(server->task, L4_DBG_CNT_IPC_SEND) - before, 10);
}

const struct test words_tests[] = {
    {"a call and its answer carry any number of words from 0 to 63", every_number_of_words},
    {"words behind those that were sent stay as they were, on both sides", others_stay},
    {"the label of a tag arrives with sign and all 48 bits", labels_of_tags},
    {"a sender cannot set the error flag of a message", flags_of_tags},
    {"a gate delivers its label and the rights W and S of the capability used", rights_in_label},
    {"a message to a thread carries the sender's label", label_to_thread},
    {"a call changes rax, rsi, rcx, r11 and r15, and no other register", other_registers_stay},
    {"what these hold after a call tells nothing about others",
     nothing_leaks_in_clobbered_registers},
    {"every message is counted once, short cut or not", messages_are_counted},
    {NULL, NULL},
};
