/*
 * fault/exceptions.c - every way to cause an exception in user mode
 */
#include "seen.h"

/* Each piece of code: where it traps, and where it goes on. */
#define CODE(name, instructions)                                                                   \
    void name(void *arg);                                                                          \
    extern char name##_at[], name##_behind[];                                                      \
    __asm__(".globl " #name ", " #name "_at, " #name "_behind\n" #name ":\n" instructions          \
            #name "_behind:\n    ret\n")

CODE(divide, "xor %ecx, %ecx; mov $1, %eax; xor %edx, %edx; divide_at: div %ecx\n");
CODE(undefined, "undefined_at: ud2\n");
CODE(breakpoint, "int3\nbreakpoint_at:\n");
CODE(interrupt80, "interrupt80_at: int $0x80\n");
CODE(interrupt_timer, "interrupt_timer_at: int $0x20\n");
CODE(noncanonical_read, "mov $0x800000000000, %rax; noncanonical_read_at: mov (%rax), %rax\n");
CODE(noncanonical_write, "mov $0xdead000000000000, %rax\n"
     "noncanonical_write_at: mov %eax, (%rax)\n");
CODE(noncanonical_stack, "mov %rsp, %r12; mov $0x800000000008, %rsp\n"
     "noncanonical_stack_at: push %rax\n");
CODE(halt, "halt_at: hlt\n");
CODE(cli, "cli_at: cli\n");
CODE(sti, "sti_at: sti\n");
CODE(read_msr, "mov $0xc0000082, %ecx; read_msr_at: rdmsr\n");
CODE(write_msr, "mov $0xc0000082, %ecx; write_msr_at: wrmsr\n");
CODE(read_cr0, "read_cr0_at: mov %cr0, %rax\n");
CODE(write_cr3, "xor %eax, %eax; write_cr3_at: mov %rax, %cr3\n");
CODE(write_cr4, "xor %eax, %eax; write_cr4_at: mov %rax, %cr4\n");
CODE(write_dr7, "xor %eax, %eax; write_dr7_at: mov %rax, %dr7\n");
CODE(load_gdt, "load_gdt_at: lgdt (%rsp)\n");
CODE(load_idt, "load_idt_at: lidt (%rsp)\n");
CODE(load_tr, "xor %eax, %eax; load_tr_at: ltr %ax\n");
CODE(swap_gs, "swap_gs_at: swapgs\n");
CODE(sys_return, "xor %ecx, %ecx; sys_return_at: sysretq\n");
CODE(invalidate, "invalidate_at: invlpg (%rsp)\n");
CODE(write_back, "write_back_at: wbinvd\n");
CODE(clear_ts, "clear_ts_at: clts\n");
CODE(set_ac, "set_ac_at: stac\n");
CODE(store_gdt, "sub $16, %rsp; store_gdt_at: sgdt (%rsp)\n");
CODE(store_idt, "sub $16, %rsp; store_idt_at: sidt (%rsp)\n");
CODE(store_ldt, "store_ldt_at: sldt %rax\n");
CODE(store_tr, "store_tr_at: str %rax\n");
CODE(store_msw, "store_msw_at: smsw %rax\n");
CODE(load_kernel_segment, "mov $0x10, %eax; load_kernel_segment_at: mov %ax, %ss\n");
CODE(x87, "sub $8, %rsp; movw $0x0300, (%rsp); fninit; fldcw (%rsp); add $8, %rsp\n"
          "fldz; fldz; fdivp; x87_at: fwait\n");

/* Where emulators differ from processors: the index in an error code, and #GP instead of #SS. */
enum { IN_IDT = 2, ERROR_KIND = 7, STACK = 0x100 };

static const struct cause {
    void (*run)(void *);
    char *at, *behind;
    unsigned trap;
    l4_umword_t error;
    const char *name;
} causes[] = {
#define CAUSE(name, trap, error) {name, name##_at, name##_behind, trap, error, #name}
    CAUSE(divide, TRAP_DE, 0),
    CAUSE(undefined, TRAP_UD, 0),
    CAUSE(breakpoint, TRAP_BP, 0),
    CAUSE(interrupt80, TRAP_GP, IN_IDT),
    CAUSE(interrupt_timer, TRAP_GP, IN_IDT),
    CAUSE(noncanonical_read, TRAP_GP, 0),
    CAUSE(noncanonical_write, TRAP_GP, 0),
    CAUSE(noncanonical_stack, STACK, 0),
    CAUSE(halt, TRAP_GP, 0),
    CAUSE(cli, TRAP_GP, 0),
    CAUSE(sti, TRAP_GP, 0),
    CAUSE(read_msr, TRAP_GP, 0),
    CAUSE(write_msr, TRAP_GP, 0),
    CAUSE(read_cr0, TRAP_GP, 0),
    CAUSE(write_cr3, TRAP_GP, 0),
    CAUSE(write_cr4, TRAP_GP, 0),
    CAUSE(write_dr7, TRAP_GP, 0),
    CAUSE(load_gdt, TRAP_GP, 0),
    CAUSE(load_idt, TRAP_GP, 0),
    CAUSE(load_tr, TRAP_GP, 0),
    CAUSE(swap_gs, TRAP_GP, 0),
    CAUSE(sys_return, TRAP_GP, 0),
    CAUSE(invalidate, TRAP_GP, 0),
    CAUSE(write_back, TRAP_GP, 0),
    CAUSE(clear_ts, TRAP_GP, 0),
    CAUSE(set_ac, TRAP_UD, 0),
    CAUSE(store_gdt, TRAP_GP, 0),
    CAUSE(store_idt, TRAP_GP, 0),
    CAUSE(store_ldt, TRAP_GP, 0),
    CAUSE(store_tr, TRAP_GP, 0),
    CAUSE(store_msw, TRAP_GP, 0),
    CAUSE(load_kernel_segment, TRAP_GP, 0x10),
    CAUSE(x87, TRAP_MF, 0),
};

/* The exception of one cause; false: another one, shown. */
static bool as_expected(const struct cause *k, const struct seen *s)
{
    bool trap = k->trap == STACK ? s->regs.trapno == TRAP_SS || s->regs.trapno == TRAP_GP
                                 : s->regs.trapno == k->trap;
    l4_umword_t error = k->error == IN_IDT ? s->regs.err & ERROR_KIND : s->regs.err;

    if (s->any && trap && error == k->error && s->regs.ip == (l4_umword_t)k->at)
        return true;
    printf("# %s: message %u, trap %lu, error 0x%lx, ip 0x%lx instead of 0x%lx\n", k->name, s->any,
           s->regs.trapno, s->regs.err, s->regs.ip, (l4_umword_t)k->at);
    return false;
}

static void messages(void)
{
    struct child *c = watched_child();

    for (unsigned i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        struct seen s;

        child_run(c, causes[i].run, NULL);
        if (!expect(!c->finished)) {
            printf("# %s went through\n", causes[i].name);
            continue;
        }
        s = seen_next();
        expect(l4_msgtag_is_exception(s.tag));
        expect_eq(l4_msgtag_words(s.tag), 26);
        expect(as_expected(&causes[i], &s));
    }
    expect_eq(counter(c->task, L4_DBG_CNT_EXCEPTIONS), sizeof(causes) / sizeof(causes[0]));
}

/* The same without handler: a report each, the bystander goes on. */
static void unhandled(void)
{
    for (unsigned i = 0; i < sizeof(causes) / sizeof(causes[0]); i += 5) {
        struct child *c = child_new();

        expect_eq(child_handlers(c, L4_INVALID_CAP, L4_INVALID_CAP), 0);
        child_run(c, causes[i].run, NULL);
        expect(!c->finished);
        destroy(c->task);
        destroy(c->thread);
        children_reset();
    }
    struct child *c = child_new();
    expect_eq(child_handlers(c, L4_INVALID_CAP, L4_INVALID_CAP), 0);
    child_run(c, undefined, NULL);
    expect(!c->finished);
}

static void skipped(void)
{
    struct child *c = watched_child();

    for (unsigned i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        struct seen s;

        if (causes[i].run == noncanonical_stack || causes[i].run == store_gdt ||
            causes[i].run == store_idt || causes[i].run == x87)
            continue; /* these have moved the stack, or trap again */
        child_run(c, causes[i].run, NULL);
        s = seen_exception();
        s.regs.ip = (l4_umword_t)causes[i].behind;
        answer_regs(&s.regs);
        expect(c->finished);
    }
}

/* ---- single step ---- */

extern char step1[], step2[], step3[], step_call[], step_called[];
void step(void *arg);
__asm__(".globl step, step1, step2, step3, step_call, step_called\n"
        "step:\n"
        "    pushfq\n"
        "    orq $0x100, (%rsp)\n"
        "    popfq\n"
        "step1: nop\n"
        "step2: nop\n"
        "step3: mov $0x4000, %eax; mov $-4096, %rdx; or $2, %rdx; mov $0x04000400, %r8d\n"
        "step_call: syscall\n"
        "step_called: nop\n"
        "    nop\n"
        "    ret\n");

static void single_step(void)
{
    struct child *c = watched_child();
    l4_umword_t last = 0;
    unsigned n = 0;
    bool called = false;

    child_run(c, step, NULL);
    for (; n < 40 && !c->finished; n++) {
        struct seen s = seen_exception();

        if (!s.any)
            break;
        expect_eq(s.regs.trapno, TRAP_DB);
        expect(s.regs.ip != last);
        if (n == 0)
            expect_eq(s.regs.ip, (l4_umword_t)step2);
        called |= s.regs.ip > (l4_umword_t)step_call;
        last = s.regs.ip;
        if (s.regs.ip > (l4_umword_t)step_called)
            s.regs.flags &= ~(l4_umword_t)FLAG_TF;
        answer_regs(&s.regs);
    }
    expect(c->finished && called);
    expect(n >= 6);
}

/* ---- system calls that are none of ours ---- */

l4_umword_t foreign_call(l4_umword_t number, l4_umword_t rdi, l4_umword_t rsi, l4_umword_t rdx);
extern char at_foreign[];
__asm__(".globl foreign_call, at_foreign\n"
        "foreign_call:\n"
        "    mov %rdi, %rax; mov %rsi, %rdi; mov %rdx, %rsi; mov %rcx, %rdx\n"
        "    mov $0xa, %r10d; mov $0x8, %r8d; mov $0x9, %r9d\n"
        "    push %r15; mov $0x15151515, %r15d\n"
        "    syscall\n"
        "at_foreign:\n"
        "    pop %r15\n"
        "    ret\n");

static volatile l4_umword_t foreign_result;

static void foreign(void *number)
{
    foreign_result = foreign_call((l4_umword_t)number, 0x111, 0x222, 0x333);
}

static void foreign_system_calls(void)
{
    static const l4_umword_t numbers[] = {0, 1, 39, 60, 231, 334, 0x3fff, 0xffffffffffff3fff, 4096};
    struct child *c = watched_child();

    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct seen s;

        child_run(c, foreign, (void *)numbers[i]);
        s = seen_exception();
        expect_eq(s.regs.rax, numbers[i]);
        expect_eq(s.regs.rdi, 0x111);
        expect_eq(s.regs.rsi, 0x222);
        expect_eq(s.regs.rdx, 0x333);
        expect_eq(s.regs.r8, 8);
        expect_eq(s.regs.r9, 9);
        expect_eq(s.regs.r10, 0xa);
        expect_eq(s.regs.r15, 0x15151515);
        expect_eq(s.regs.ip, (l4_umword_t)at_foreign);
        expect_eq(s.regs.rcx, (l4_umword_t)at_foreign);
        expect_eq(s.regs.r11, s.regs.flags);
        expect(s.regs.trapno > 31); /* none of the CPU's */
        s.regs.rax = 1000 + i;
        answer_regs(&s.regs);
        expect(c->finished);
        expect_eq(foreign_result, 1000 + i);
    }
}

const struct test exceptions_tests[] = {
    {"every exception is a message with number, error code and place", messages},
    {"without handler each is a report", unhandled},
    {"a handler can skip the instruction", skipped},
    {"single step, over a system call as well", single_step},
    {"a system call that is none of ours is an exception with all its arguments",
     foreign_system_calls},
    {NULL, NULL},
};
