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
CODE(quotient, "mov $1, %edx; xor %eax, %eax; mov $1, %ecx; quotient_at: div %ecx\n");
CODE(no_segment, "mov $0x38, %eax; no_segment_at: mov %ax, %ds\n");
CODE(beyond_table, "mov $0x1003, %eax; beyond_table_at: mov %ax, %es\n");
CODE(local_table, "mov $0x17, %eax; local_table_at: mov %ax, %fs\n");
CODE(null_stack, "xor %eax, %eax; null_stack_at: mov %ax, %ss\n");
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

enum { NESTED_TASK = 0x4000, VIRTUAL_8086 = 0x20000 };
enum { TRAP_OF = 4, ANY = ~0U, IN_IDT = ~1U, NO_XSAVE = ~0U, XSAVE_BIT = 26 };

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
    CAUSE(quotient, TRAP_DE, 0),
    CAUSE(no_segment, TRAP_GP, 0x38),
    CAUSE(beyond_table, TRAP_GP, 0x1000),
    CAUSE(local_table, TRAP_GP, 0x14),
    CAUSE(null_stack, TRAP_GP, 0),
    CAUSE(double_fault, TRAP_GP, IN_IDT),
    CAUSE(nmi, TRAP_GP, IN_IDT),
    CAUSE(page_fault, TRAP_GP, IN_IDT),
    CAUSE(spurious, TRAP_GP, IN_IDT),
    CAUSE(no_stub, TRAP_GP, IN_IDT),
    CAUSE(prefix_lock, TRAP_UD, 0),
    CAUSE(xsetbv, NO_XSAVE, 0),
    CAUSE(write_fs_base, TRAP_UD, 0),
    CAUSE(monitor, TRAP_UD, 0),
    CAUSE(read_counter, TRAP_GP, 0),
};

/* xsetbv is privileged, where there is such an instruction. */
static unsigned trap_of(const struct cause *k)
{
    unsigned a = 1, b, c = 0, d;

    if (k->trap != NO_XSAVE)
        return k->trap;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return c >> XSAVE_BIT & 1 ? TRAP_GP : TRAP_UD;
}

static void messages(void)
{
    struct child *c = watched_child();

    for (unsigned i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        const struct cause *k = &causes[i];
        struct seen s;

        child_run(c, k->run, NULL);
        s = seen_next();
        if (!expect(!c->finished && s.any && l4_msgtag_is_exception(s.tag) &&
                    s.regs.trapno == trap_of(k) && s.regs.ip == (l4_umword_t)k->at) ||
            !expect(k->error == IN_IDT ? (s.regs.err & 7) == 2 : s.regs.err == k->error))
            printf("# %s: tag 0x%lx, word 0x%lx, trap %lu, error 0x%lx, ip 0x%lx, not 0x%lx\n",
                   k->name, (l4_umword_t)s.tag.raw, s.mr[0], s.regs.trapno, s.regs.err, s.regs.ip,
                   (l4_umword_t)k->at);
    }
}

/* A processor begins with a table of segments at address 0. Nobody can put one there: a call gate
 * in it would be a way into the kernel. */
static void no_local_table(void)
{
    static l4_umword_t table[512] __attribute__((aligned(4096)));
    struct child *c = watched_child();
    struct seen s;

    for (unsigned i = 0; i < 512; i++)
        table[i] = 0x00cff3000000ffff; /* data, for user mode */
    expect_eq(l4_error(l4_task_map(c->task, L4_BASE_TASK_CAP,
                                   l4_fpage((l4_addr_t)table, L4_PAGESHIFT, L4_FPAGE_RW), 0)), 0);
    child_run(c, local_table, NULL);
    s = seen_exception();
    expect(!c->finished);
    expect_eq(s.regs.trapno, TRAP_GP);
    expect_eq(s.regs.err, 0x14);
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

static void nested_task_flag(void)
{
    struct child *c = watched_child();
    struct seen s;

    child_run(c, overflow, NULL);
    s = seen_exception();
    expect_eq(s.regs.rax, 4);
    s.regs.flags |= NESTED_TASK | VIRTUAL_8086;
    s.regs.ip = (l4_umword_t)overflow;
    answer_regs(&s.regs);
    s = seen_exception();
    expect_eq(s.regs.flags & (NESTED_TASK | VIRTUAL_8086), 0);
    answer_regs(&s.regs);
    expect(c->finished);
}

const struct test vectors_tests[] = {
    {"the other exceptions that user mode can raise are messages, too", messages},
    {"there is no table of segments that a task could write", no_local_table},
    {"a jump to no address at all is the thread's own trouble", jump_to_no_address},
    {"a handler cannot set the flags of tasks and of virtual machines", nested_task_flag},
    {NULL, NULL},
};
