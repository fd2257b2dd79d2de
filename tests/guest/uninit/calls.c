/*
 * uninit/calls.c - what a system call leaves in registers and UTCB
 *
 * Documented (abi/msg.h): rax and rsi are results; rcx, r11 and r15 are lost. Everything else is
 * what it was, and no word, lost ones included, tells where the kernel is.
 */
#include "uninit.h"

#include <l4/sys/debugger.h>
#include <l4/sys/irq.h>

struct state {
    l4_umword_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
    l4_umword_t xmm[16][2];
    l4_umword_t mxcsr;
};

#define GENERAL(X)                                                                                 \
    X(rax, 0) X(rbx, 8) X(rcx, 16) X(rdx, 24) X(rsi, 32) X(rdi, 40) X(rbp, 48) X(r8, 56)           \
    X(r9, 64) X(r10, 72) X(r11, 80) X(r12, 88) X(r13, 96) X(r14, 104) X(r15, 112)
#define XMM(X)                                                                                     \
    X(0, 120) X(1, 136) X(2, 152) X(3, 168) X(4, 184) X(5, 200) X(6, 216) X(7, 232) X(8, 248)      \
    X(9, 264) X(10, 280) X(11, 296) X(12, 312) X(13, 328) X(14, 344) X(15, 360)
#define LOAD(name, at) "mov call_in + " #at ", %" #name "\n"
#define STORE(name, at) "mov %" #name ", call_out + " #at "\n"
#define XMM_LOAD(n, at) "movdqu call_in + " #at ", %xmm" #n "\n"
#define XMM_STORE(n, at) "movdqu %xmm" #n ", call_out + " #at "\n"

struct state call_in, call_out;
void call_now(void);
__asm__(".globl call_now\n"
        "call_now:\n"
        "    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        XMM(XMM_LOAD)
        GENERAL(LOAD)
        "    syscall\n"
        GENERAL(STORE)
        XMM(XMM_STORE)
        "    stmxcsr call_out + 376\n"
        "    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "    ret\n");

static void canaries(void)
{
    l4_umword_t *w = (l4_umword_t *)&call_in;

    for (unsigned i = 0; i < sizeof(call_in) / 8; i++)
        w[i] = 0x1111111111111111UL * (i % 15 + 1) + i;
}

/* One system call between canaries; what must not change has not. */
static void check_call(l4_cap_idx_t cap, unsigned op, l4_msgtag_t tag, l4_timeout_t timeout)
{
    const l4_umword_t *in = (const l4_umword_t *)&call_in, *out = (const l4_umword_t *)&call_out;
    enum { RAX = 0, RCX = 2, RSI = 4, R11 = 10, R15 = 14 };

    canaries();
    __asm__ volatile("stmxcsr %0" : "=m"(call_in.mxcsr));
    call_in.rdx = cap | op;
    call_in.rax = (l4_umword_t)tag.raw | L4_SYSCALL_MARK;
    call_in.r8 = timeout.raw;
    call_now();
    for (unsigned i = 0; i < 15 + 32; i++)
        if (i != RAX && i != RCX && i != RSI && i != R11 && i != R15)
            expect_eq(out[i], in[i]);
    for (unsigned i = 0; i < 15; i++)
        expect(!is_kernel_address(out[i]));
    expect(call_out.rcx < L4_USER_END);
    expect_eq((l4_uint32_t)call_out.mxcsr, (l4_uint32_t)call_in.mxcsr);
}

static void echo(void *unused)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);

    (void)unused;
    for (;;) {
        __asm__ volatile("xor %%ebx, %%ebx; xor %%r12d, %%r12d; xor %%r13d, %%r13d;"
                         "xor %%r14d, %%r14d; pxor %%xmm0, %%xmm0; pxor %%xmm15, %%xmm15"
                         :
                         :
                         : "rbx", "r12", "r13", "r14", "xmm0", "xmm15");
        tag = l4_ipc_reply_and_wait(u, l4_msgtag(0, l4_msgtag_words(tag), 0, 0), &label,
                                    L4_IPC_NEVER);
        while (l4_msgtag_has_error(tag)) /* it was no call */
            tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);
    }
}

static void registers(void)
{
    struct child *server = child_new();
    l4_cap_idx_t gate = gate_new(server->thread, 0x1230), nobody = gate_new(L4_INVALID_CAP, 0);
    l4_timeout_t never = L4_IPC_NEVER, now = L4_IPC_BOTH_TIMEOUT_0;
    l4_timeout_t soon = l4_timeout(L4_IPC_TIMEOUT_NEVER, l4_timeout_from_us(TICK_US));
    l4_utcb_t *u = l4_utcb();

    child_run(server, echo, NULL);
    for (unsigned words = 0; words <= 63; words += 21)
        check_call(gate, L4_SYSF_CALL, l4_msgtag(5, words, 0, 0), never);
    check_call(gate, L4_SYSF_CALL, l4_msgtag(5, 3, 0, 0), soon);
    check_call(gate, L4_SYSF_SEND, l4_msgtag(5, 3, 0, 0), now);
    check_call(nobody, L4_SYSF_SEND, l4_msgtag(5, 3, 0, 0), now);
    check_call(nobody, L4_SYSF_CALL, l4_msgtag(5, 3, 0, 0),
               l4_timeout(l4_timeout_from_us(TICK_US), L4_IPC_TIMEOUT_NEVER));
    check_call(L4_INVALID_CAP, L4_SYSF_RECV, l4_msgtag(0, 0, 0, 0), soon);
    check_call(L4_INVALID_CAP, L4_SYSF_RECV | L4_SYSF_OPEN_WAIT, l4_msgtag(0, 0, 0, 0), soon);
    check_call(L4_INVALID_CAP, L4_SYSF_SEND | L4_SYSF_REPLY, l4_msgtag(0, 0, 0, 0), never);
    check_call(500UL << L4_CAP_SHIFT, L4_SYSF_CALL, l4_msgtag(0, 0, 0, 0), never);
    u->msg.mr[0] = L4_TASK_CAP_INFO_OP;
    u->msg.mr[1] = L4_BASE_LOG_CAP;
    check_call(L4_BASE_TASK_CAP, L4_SYSF_CALL, l4_msgtag(L4_PROTO_TASK, 2, 0, 0), never);
    u->msg.mr[0] = L4_TASK_UNMAP_OP;
    u->msg.mr[1] = L4_FP_OTHER_SPACES;
    u->msg.mr[2] = l4_fpage(0x100000000UL, 32, L4_FPAGE_RWX).raw;
    check_call(L4_BASE_TASK_CAP, L4_SYSF_CALL, l4_msgtag(L4_PROTO_TASK, 3, 0, 0), never);
}

/* ---- the UTCB ---- */

#define POISONED(i) (0x7700000000000000UL + (i))

static void poison(void)
{
    l4_umword_t *w = (l4_umword_t *)l4_utcb();

    for (unsigned i = 0; i < 63; i++)
        w[i] = POISONED(i);
}

/* A call to a kernel object: of the message registers only the words of request and answer are
 * touched, and none shows the kernel. */
static void check_object(l4_cap_idx_t cap, long label, unsigned words, const l4_umword_t *request)
{
    l4_umword_t *w = (l4_umword_t *)l4_utcb();
    l4_msgtag_t tag;
    unsigned answer;

    poison();
    for (unsigned i = 0; i < words; i++)
        w[i] = request[i];
    tag = l4_ipc_call(cap, l4_utcb(), l4_msgtag(label, words, 0, 0), L4_IPC_NEVER);
    answer = l4_msgtag_words(tag);
    for (unsigned i = answer > words ? answer : words; i < 63; i++)
        expect_eq(w[i], POISONED(i));
    for (unsigned i = 0; i < 128; i++)
        if (!expect(!is_kernel_address(w[i])))
            printf("# label %ld, operation %lu, word %u: 0x%lx\n", label, request[0], i, w[i]);
}

static void objects_and_operations(void)
{
    static const struct {
        unsigned char slot;
        short label;
    } objects[] = {
        {L4_BASE_TASK_CAP >> 12, L4_PROTO_TASK},
        {L4_BASE_SCHEDULER_CAP >> 12, L4_PROTO_SCHEDULER},
        {L4_BASE_DEBUGGER_CAP >> 12, L4_PROTO_DEBUGGER},
        {L4_BASE_ICU_CAP >> 12, L4_PROTO_IRQ},
        {L4_BASE_FACTORY_CAP >> 12, L4_PROTO_FACTORY},
    };

    for (unsigned i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        for (l4_umword_t op = 0; op < 24; op++) {
            l4_umword_t request[8] = {op, 0x9000, 0x9000, 0, 0, 0, 0, 0};

            if (objects[i].label == L4_PROTO_DEBUGGER && op >= 8)
                break;
            if (objects[i].label == L4_PROTO_TASK && op == L4_TASK_UNMAP_OP)
                request[1] = L4_FP_OTHER_SPACES, request[2] = 0x100000000UL | 20 << 6 | 0x10;
            check_object((l4_cap_idx_t)objects[i].slot << 12, objects[i].label,
                         objects[i].label == L4_PROTO_TASK ? 3 : 8, request);
        }
    }
    for (l4_umword_t op = L4_DBG_COUNTERS_OP; op <= L4_DBG_KMEM_FAIL_OP; op++) {
        l4_umword_t request[2] = {op, 0};

        if (op != L4_DBG_SHUTDOWN_OP && op != L4_DBG_TRACE_READ_OP)
            check_object(L4_BASE_DEBUGGER_CAP, L4_PROTO_DEBUGGER, 2, request);
    }
}

/* The trace may be read by who has the debugger's capability; it speaks of user addresses and
 * frames only. */
static void trace_shows_no_kernel_address(void)
{
    l4_umword_t next = 0, seen = 0;
    l4_trace_record records[L4_DBG_TRACE_READ_MAX];
    struct child *c = child_new();
    long n;

    l4_dbg_trace_ctl(L4_BASE_DEBUGGER_CAP, 2);
    probe_read(c, 0x100000);
    l4_dbg_trace_ctl(L4_BASE_DEBUGGER_CAP, 0);
    while ((n = l4_dbg_trace_read(L4_BASE_DEBUGGER_CAP, &next, records)) > 0) {
        for (long i = 0; i < n; i++, seen++)
            expect(!is_kernel_address(records[i].a) && !is_kernel_address(records[i].b));
    }
    expect(seen >= 3);
}

const struct test calls_tests[] = {
    {"a system call changes only the registers that it may", registers},
    {"calls of kernel objects change only the words of request and answer", objects_and_operations},
    {"the trace shows no address of the kernel", trace_shows_no_kernel_address},
    {NULL, NULL},
};
