/*
 * fault/registers.c - all registers, before and after
 */
#include "seen.h"

/* What registers_run() loads before, and stores after, one instruction. */
struct registers {
    l4_umword_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
    l4_umword_t flags;
    l4_umword_t xmm[16][2];
    l4_umword_t mxcsr; /* the low half */
    l4_umword_t fpu_control;
    double st[2];
};

struct registers regs_in, regs_out;
void registers_run(void *unused);
extern char at_place[], behind_place[];

#define EACH_GENERAL(X)                                                                            \
    X(rax, 0) X(rbx, 8) X(rcx, 16) X(rdx, 24) X(rsi, 32) X(rdi, 40) X(rbp, 48) X(r8, 56)           \
    X(r9, 64) X(r10, 72) X(r11, 80) X(r12, 88) X(r13, 96) X(r14, 104) X(r15, 112)
#define LOAD(name, at) "mov regs_in + " #at ", %" #name "\n"
#define STORE(name, at) "mov %" #name ", regs_out + " #at "\n"
#define EACH_XMM(X)                                                                                \
    X(0, 128) X(1, 144) X(2, 160) X(3, 176) X(4, 192) X(5, 208) X(6, 224) X(7, 240) X(8, 256)      \
    X(9, 272) X(10, 288) X(11, 304) X(12, 320) X(13, 336) X(14, 352) X(15, 368)
#define XMM_LOAD(n, at) "movdqu regs_in + " #at ", %xmm" #n "\n"
#define XMM_STORE(n, at) "movdqu %xmm" #n ", regs_out + " #at "\n"

/* The instruction in the middle touches PLACE + 8 and changes no register and no flag. */
__asm__(".globl registers_run, at_place, behind_place\n"
        "registers_run:\n"
        "    push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "    fninit\n"
        "    fldcw regs_in + 392\n"
        "    ldmxcsr regs_in + 384\n"
        "    fldl regs_in + 400\n"
        "    fldl regs_in + 408\n"
        EACH_XMM(XMM_LOAD)
        "    pushq regs_in + 120\n"
        "    popfq\n"
        EACH_GENERAL(LOAD)
        "at_place:\n"
        "    mov %r8, 0x20000008\n"
        "behind_place:\n"
        EACH_GENERAL(STORE)
        "    pushfq\n"
        "    cld\n"
        "    popq regs_out + 120\n"
        EACH_XMM(XMM_STORE)
        "    fstpl regs_out + 408\n"
        "    fstpl regs_out + 400\n"
        "    stmxcsr regs_out + 384\n"
        "    fnstcw regs_out + 392\n"
        "    fninit\n"
        "    movl $0x1f80, regs_in + 384\n"
        "    ldmxcsr regs_in + 384\n"
        "    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "    ret\n");

enum { GENERAL = 15 };

static void canaries(void)
{
    l4_umword_t *w = (l4_umword_t *)&regs_in;

    for (unsigned i = 0; i < sizeof(regs_in) / 8; i++)
        w[i] = 0xca0a510000000000UL + 0x1010101UL * i;
    regs_in.flags = 0x200cd7; /* all arithmetic flags, direction, ID; not trap */
    regs_in.mxcsr = 0x7f80;   /* round to zero, all masked */
    regs_in.fpu_control = 0xf7f;
    regs_in.st[0] = 1.5;
    regs_in.st[1] = -3.25e-100;
    memset(&regs_out, 0, sizeof(regs_out));
}

/* All registers of a child that runs registers_run() are as loaded; flags but for IF. */
static void expect_same(void)
{
    const l4_umword_t *in = (const l4_umword_t *)&regs_in, *out = (const l4_umword_t *)&regs_out;

    for (unsigned i = 0; i < GENERAL; i++)
        expect_eq(out[i], in[i]);
    expect_eq(regs_out.flags, regs_in.flags | FLAG_IF);
    expect(memcmp(regs_in.xmm, regs_out.xmm, sizeof(regs_in.xmm)) == 0);
    expect_eq((l4_uint32_t)regs_out.mxcsr, 0x7f80);
    expect_eq((l4_uint16_t)regs_out.fpu_control, 0xf7f);
    expect(regs_out.st[0] == regs_in.st[0] && regs_out.st[1] == regs_in.st[1]);
}

/* Meanwhile somebody else uses all the registers for himself. */
static void after_page_fault(void)
{
    struct child *c = watched_child();
    struct seen s;

    canaries();
    child_run(c, registers_run, NULL);
    s = seen_fault();
    expect_eq(s.mr[0], (PLACE + 8) | L4_PF_WRITE);
    expect_eq(s.mr[1], (l4_umword_t)at_place);
    l4_ipc_sleep_ms(2); /* the bystander computes */
    answer_page(page_of(0, 0), PLACE, L4_FPAGE_RW);
    expect(c->finished);
    expect_same();
}

/* General registers of a message against what was loaded. */
static void expect_message(const l4_exc_regs_t *x, l4_umword_t ip)
{
    const l4_umword_t seen[GENERAL] = {x->rax, x->rbx, x->rcx, x->rdx, x->rsi,
                                       x->rdi, x->rbp, x->r8,  x->r9,  x->r10,
                                       x->r11, x->r12, x->r13, x->r14, x->r15};
    const l4_umword_t *in = (const l4_umword_t *)&regs_in;

    for (unsigned i = 0; i < GENERAL; i++)
        expect_eq(seen[i], in[i]);
    expect_eq(x->ip, ip);
    expect_eq(x->flags & ~0x10000UL, regs_in.flags | FLAG_IF);
    expect_eq(x->cs & 3, 3);
    expect_eq(x->ss & 3, 3);
}

/* The child has faulted with all registers loaded, its pager refused: what its handler hears. */
static struct seen excepted(struct child *c)
{
    canaries();
    child_run(c, registers_run, NULL);
    seen_fault();
    answer_label(-1);
    return seen_exception();
}

static void in_exception_message(void)
{
    struct child *c = watched_child();
    struct seen s = excepted(c);

    expect_message(&s.regs, (l4_umword_t)at_place);
    expect_eq(s.regs.trapno, TRAP_PF);
    expect_eq(s.regs.err, 6);
    expect_eq(s.regs.pfa, PLACE + 8);
    expect_eq(s.regs.sp & 7, 0);
    expect(s.regs.sp < (l4_addr_t)c->stack_top);
    expect(s.regs.sp > (l4_addr_t)c->stack_top - 512);
    expect_eq(s.regs.gs_base, c->utcb + 8 * L4_UTCB_SELF_WORD);
    expect_eq(s.regs.fs_base, 0);
    expect_eq(s.regs.ds_es_fs_gs, 0);
    /* The answer takes the instruction as done. */
    s.regs.ip = (l4_umword_t)behind_place;
    answer_regs(&s.regs);
    expect(c->finished);
    expect_same();
}

/* Every register can be set by the handler. */
static void set_by_handler(void)
{
    struct child *c = watched_child();
    l4_exc_regs_t x = excepted(c).regs;
    const l4_umword_t *out = (const l4_umword_t *)&regs_out;

    x.rax = 100, x.rbx = 101, x.rcx = 102, x.rdx = 103, x.rsi = 104, x.rdi = 105, x.rbp = 106;
    x.r8 = 107, x.r9 = 108, x.r10 = 109, x.r11 = 110, x.r12 = 111, x.r13 = 112, x.r14 = 113;
    x.r15 = 114;
    x.flags = 0x246;
    x.ip = (l4_umword_t)behind_place;
    answer_regs(&x);
    expect(c->finished);
    for (unsigned i = 0; i < GENERAL; i++)
        expect_eq(out[i], 100 + i);
    expect_eq(regs_out.flags, 0x246);
    expect(memcmp(regs_in.xmm, regs_out.xmm, sizeof(regs_in.xmm)) == 0);
}

/* Flags that are not the user's stay as the kernel has them. */
static void flags_of_the_kernel(void)
{
    struct child *c = watched_child();
    struct seen s = excepted(c);

    s.regs.ip = (l4_umword_t)behind_place;
    s.regs.flags = 0x3f7000 | FLAG_CF; /* IOPL 3, NT, VM, VIF, VIP ..., no IF */
    s.regs.flags &= ~0x10000UL & ~0x40000UL;
    s.regs.cs = 8;
    s.regs.ss = 0x10;
    answer_regs(&s.regs);
    expect(c->finished);
    expect_eq(regs_out.flags & ~0x200000UL, FLAG_IF | 2 | FLAG_CF);
}

/* Preempted at any instruction: as if nothing had been. */
static volatile bool stop;
static volatile l4_umword_t laps, wrong_laps;

static void lap_after_lap(void *arg)
{
    (void)arg;
    while (!stop) {
        registers_run(NULL);
        regs_in.mxcsr = 0x7f80;
        if (memcmp(&regs_in, &regs_out, GENERAL * 8) || memcmp(regs_in.xmm, regs_out.xmm, 256) ||
            regs_out.flags != (regs_in.flags | FLAG_IF) ||
            memcmp(regs_in.st, regs_out.st, 16))
            wrong_laps++;
        laps++;
    }
}

static void after_preemption(void)
{
    struct child *c = watched_child();

    l4_task_map(c->task, L4_BASE_TASK_CAP, l4_fpage(page_of(0, 0), 12, L4_FPAGE_RW), PLACE);
    canaries();
    stop = false;
    laps = wrong_laps = 0;
    c->priority = PRIO_BYSTANDER;
    child_run(c, lap_after_lap, NULL);
    expect_eq(child_priority(c, PRIO_BYSTANDER, 1000), 0);
    l4_ipc_sleep_ms(25);
    stop = true;
    expect(laps > 1000);
    expect_eq(wrong_laps, 0);
}

/* ---- the first registers of a new thread ---- */

struct registers first;
void store_first(void);
__asm__(".globl store_first\n"
        "store_first:\n"
        "    mov %rax, first + 0;   mov %rbx, first + 8;   mov %rcx, first + 16\n"
        "    mov %rdx, first + 24;  mov %rsi, first + 32;  mov %rdi, first + 40\n"
        "    mov %rbp, first + 48;  mov %r8, first + 56;   mov %r9, first + 64\n"
        "    mov %r10, first + 72;  mov %r11, first + 80;  mov %r12, first + 88\n"
        "    mov %r13, first + 96;  mov %r14, first + 104; mov %r15, first + 112\n"
        "    pushfq; popq first + 120\n"
#define XMM_FIRST(n, at) "movdqu %xmm" #n ", first + " #at "\n"
        EACH_XMM(XMM_FIRST)
        "    stmxcsr first + 384\n"
        "    fnstcw first + 392\n"
        "    ud2\n");

static void first_registers(void)
{
    struct child *dirty = child_new(), *c = watched_child();
    const l4_umword_t *w = (const l4_umword_t *)&first;

    l4_task_map(dirty->task, L4_BASE_TASK_CAP, l4_fpage(page_of(0, 0), 12, L4_FPAGE_RW), PLACE);
    canaries();
    child_run(dirty, registers_run, NULL);
    destroy(dirty->thread);
    memset(&first, 0xff, sizeof(first));
    expect_eq(l4_error(l4_thread_ex_regs(c->thread, (l4_addr_t)store_first,
                                         (l4_addr_t)c->stack_top, 0)), 0);
    expect_eq(child_priority(c, PRIO_CHILD, 0), 0);
    expect_eq(seen_exception().regs.trapno, TRAP_UD);
    for (unsigned i = 0; i < GENERAL; i++)
        expect_eq(w[i], 0);
    expect_eq(first.flags, 0x202);
    for (unsigned i = 0; i < 16; i++)
        expect(first.xmm[i][0] == 0 && first.xmm[i][1] == 0);
    expect_eq((l4_uint32_t)first.mxcsr, 0x1f80);
    expect_eq((l4_uint16_t)first.fpu_control, 0x37f);
}

const struct test registers_tests[] = {
    {"after a page fault all registers are what they were, SSE and x87 too", after_page_fault},
    {"an exception message holds the registers, 26 words", in_exception_message},
    {"the answer to an exception sets the registers", set_by_handler},
    {"it does not set what is not the user's: interrupt flag, port level, segments",
     flags_of_the_kernel},
    {"preemption changes no register", after_preemption},
    {"a new thread starts with registers that tell nothing", first_registers},
    {NULL, NULL},
};
