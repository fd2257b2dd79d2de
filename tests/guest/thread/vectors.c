/*
 * thread/vectors.c - exceptions that fault/exceptions.c does not raise
 */
#include "seen.h"
#include "sets.h"

#define CODE(name, instructions)                                                                   \
    void name(void *arg);                                                                          \
    extern char name##_at[];                                                                       \
    __asm__(".globl " #name ", " #name "_at\n" #name ":\n" instructions "    ret\n")

CODE(overflow, "mov $4, %eax; .byte 0xcd, 4\noverflow_at:\n");
CODE(breakpoint_long, ".byte 0xcd, 3\nbreakpoint_long_at:\n");
CODE(in_circuit, ".byte 0xf1\nin_circuit_at:\n");
CODE(quotient, "mov $1, %edx; xor %eax, %eax; mov $1, %ecx; quotient_at: div %ecx\n");
CODE(simd, "sub $8, %rsp; movl $0, (%rsp); ldmxcsr (%rsp); add $8, %rsp\n"
           "pxor %xmm0, %xmm0; simd_at: divss %xmm0, %xmm0\n");
CODE(no_segment, "mov $0x38, %eax; no_segment_at: mov %ax, %ds\n");
CODE(beyond_table, "mov $0x1003, %eax; beyond_table_at: mov %ax, %es\n");
CODE(local_table, "mov $0x17, %eax; local_table_at: mov %ax, %fs\n");
CODE(null_stack, "xor %eax, %eax; null_stack_at: mov %ax, %ss\n");
CODE(kernel_code, "pushq $0x08; pushq $0; kernel_code_at: lretq\n");
CODE(interrupt_return, "pushq $0x10; pushq $0; pushq $2; pushq $0x08; pushq $0\n"
                       "interrupt_return_at: iretq\n");
CODE(double_fault, "double_fault_at: int $8\n");
CODE(nmi, "nmi_at: int $2\n");
CODE(page_fault, "page_fault_at: int $14\n");
CODE(spurious, "spurious_at: int $0xff\n");
CODE(no_stub, "no_stub_at: int $0x90\n");
CODE(prefix_lock, "prefix_lock_at: .byte 0xf0, 0x90\n");
CODE(xsetbv, "xor %ecx, %ecx; xsetbv_at: xsetbv\n");
CODE(write_fs_base, "write_fs_base_at: wrfsbase %rax\n");
CODE(monitor, "monitor_at: monitor\n");
CODE(read_counter, "mov $0x7ffff, %ecx; read_counter_at: rdpmc\n");
CODE(noncanonical_jump, "mov $0x800000000000, %rax; noncanonical_jump_at: jmp *%rax\n");

enum { TRAP_OF = 4, TRAP_NP = 11, TRAP_XM = 19, ANY = ~0U, IN_IDT = ~1U };

static const struct cause {
    void (*run)(void *);
    char *at;
    unsigned trap;
    unsigned error; /* ANY, IN_IDT: bit 1 of what the emulator says */
    const char *name;
} causes[] = {
#define CAUSE(name, trap, error) {name, name##_at, trap, error, #name}
    CAUSE(overflow, TRAP_OF, 0),
    CAUSE(breakpoint_long, TRAP_BP, 0),
    CAUSE(in_circuit, TRAP_DB, 0),
    CAUSE(quotient, TRAP_DE, 0),
    CAUSE(simd, TRAP_XM, 0),
    CAUSE(no_segment, TRAP_GP, 0x38),
    CAUSE(beyond_table, TRAP_GP, 0x1000),
    CAUSE(local_table, TRAP_GP, 0x14),
    CAUSE(null_stack, TRAP_GP, 0),
    CAUSE(kernel_code, TRAP_GP, 0x08),
    CAUSE(interrupt_return, TRAP_GP, 0x08),
    CAUSE(double_fault, TRAP_GP, IN_IDT),
    CAUSE(nmi, TRAP_GP, IN_IDT),
    CAUSE(page_fault, TRAP_GP, IN_IDT),
    CAUSE(spurious, TRAP_GP, IN_IDT),
    CAUSE(no_stub, TRAP_GP, IN_IDT),
    CAUSE(prefix_lock, TRAP_UD, 0),
    CAUSE(xsetbv, TRAP_UD, 0),
    CAUSE(write_fs_base, TRAP_UD, 0),
    CAUSE(monitor, TRAP_UD, 0),
    CAUSE(read_counter, TRAP_GP, 0),
};

static void messages(void)
{
    struct child *c = watched_child();

    for (unsigned i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        const struct cause *k = &causes[i];
        struct seen s;

        child_run(c, k->run, NULL);
        s = seen_next();
        if (!expect(!c->finished && s.any && l4_msgtag_is_exception(s.tag) &&
                    s.regs.trapno == k->trap && s.regs.ip == (l4_umword_t)k->at) ||
            !expect(k->error == IN_IDT ? (s.regs.err & 7) == 2 : s.regs.err == k->error))
            printf("# %s: trap %lu, error 0x%lx, ip 0x%lx, not 0x%lx\n", k->name, s.regs.trapno,
                   s.regs.err, s.regs.ip, (l4_umword_t)k->at);
    }
}

/* The jump itself is refused, or the fetch behind it: both tell the address. */
static void jump_to_no_address(void)
{
    struct child *c = watched_child();
    struct seen s;

    child_run(c, noncanonical_jump, NULL);
    s = seen_next();
    expect(s.any && !c->finished);
    if (l4_msgtag_is_exception(s.tag))
        expect_eq(s.regs.trapno, TRAP_GP);
}

/* A flag of the debugger's in the middle of user code does not reach the kernel's. */
static void nested_task_flag(void)
{
    struct child *c = watched_child();
    struct seen s;

    child_run(c, overflow, NULL);
    s = seen_exception();
    expect_eq(s.regs.rax, 4);
    s.regs.flags |= 0x4000 | 0x20000; /* nested task, virtual 8086 */
    answer_regs(&s.regs);
    expect(c->finished);
}

const struct test vectors_tests[] = {
    {"the other exceptions that user mode can raise are messages, too", messages},
    {"a jump to no address at all is the thread's own trouble", jump_to_no_address},
    {"a handler cannot set the flags of tasks and of virtual machines", nested_task_flag},
    {NULL, NULL},
};
