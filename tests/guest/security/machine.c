/*
 * security/machine.c - what the processor is told to forbid
 */
#include "sets.h"

enum { TRAP_GP = 13, FLAG_AC = 0x40000, LEAF_FEATURES = 7, UMIP_BIT = 2, INSTRUCTIONS = 5 };

static char room[64];

static void do_sgdt(void *arg)
{
    __asm__ volatile("sgdt (%0)" : : "r"(arg) : "memory");
}

static void do_sidt(void *arg)
{
    __asm__ volatile("sidt (%0)" : : "r"(arg) : "memory");
}

static void do_sldt(void *arg)
{
    __asm__ volatile("sldt (%0)" : : "r"(arg) : "memory");
}

static void do_str(void *arg)
{
    __asm__ volatile("str (%0)" : : "r"(arg) : "memory");
}

static void do_smsw(void *arg)
{
    __asm__ volatile("smsw (%0)" : : "r"(arg) : "memory");
}

static bool cpu_has_umip(void)
{
    unsigned a = LEAF_FEATURES, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return c >> UMIP_BIT & 1;
}

static void tables(void)
{
    static void (*const instruction[INSTRUCTIONS])(void *) = {do_sgdt, do_sidt, do_sldt, do_str,
                                                              do_smsw};

    for (unsigned i = 0; i < INSTRUCTIONS; i++) {
        struct child *c = child_new();

        memset(room, 0x55, sizeof(room));
        child_run(c, instruction[i], room);
        if (cpu_has_umip()) {
            expect(!c->finished); /* it was stopped by an exception */
            expect_eq(room[0], 0x55);
        }
    }
    printf("# UMIP: %s\n", cpu_has_umip() ? "yes" : "this processor has none");
}

static volatile l4_umword_t flags_after;

/* With AC set user mode has alignment checks only; the kernel must not run with it. */
static void call_with_ac(void *arg)
{
    l4_umword_t flags;

    (void)arg;
    __asm__ volatile("pushfq; orq %0, (%%rsp); popfq" : : "i"(FLAG_AC) : "memory", "cc");
    for (unsigned i = 0; i < 100; i++)
        l4_task_cap_valid(L4_BASE_TASK_CAP, L4_BASE_THREAD_CAP);
    __asm__ volatile("pushfq; popq %0" : "=r"(flags) : : "memory");
    __asm__ volatile("pushfq; andq %0, (%%rsp); popfq"
                     :
                     : "r"(~(l4_umword_t)FLAG_AC)
                     : "memory", "cc");
    flags_after = flags;
}

static void alignment_flag(void)
{
    struct child *c = child_new();

    flags_after = 0;
    child_run(c, call_with_ac, NULL);
    expect(c->finished);
    expect(flags_after & FLAG_AC);
}

const struct test machine_tests[] = {
    {"where the kernel's tables are is not told", tables},
    {"the flag AC of a user is not the kernel's, and comes back", alignment_flag},
    {0},
};
