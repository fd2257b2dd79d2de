/*
 * faults.c - what a thread can do wrong without a system call
 *
 * The handler (world.c) lets a lane that faulted go on with its next call. Runs in the hostile
 * tasks.
 */
#include "fuzz.h"

static void touch(struct lane *l)
{
    l4_addr_t at = below(l, 3) ? odd_number(l) : SMALL_PLACE + (below(l, 2 * POOL_SMALL) << 12);

    if (below(l, 8) == 0)
        at = (l4_addr_t)l->utcb + below(l, 2048); /* UTCBs as bytes */
    switch (below(l, 3)) {
    case 0:
        l->hash = fuzz_mix(l->hash, *(volatile uint8_t *)at);
        break;
    case 1:
        if (at < SUPER_PLACE && at >= 0x10000) /* not the program's own */
            break;
        *(volatile uint64_t *)at = noise(l);
        break;
    default:
        __asm__ volatile("call *%0" : : "r"(at) : "memory", "rax", "rcx", "rdx");
    }
}

/* A stack pointer that points nowhere, over a system call and over a trap. */
static void wild_stack(struct lane *l)
{
    l4_umword_t sp = odd_number(l), rax = L4_SYSCALL_MARK | below(l, 4),
                rdx = (L4_BASE_THREAD_CAP) | below(l, 16), rsi = 0;
    register l4_umword_t r8 __asm__("r8") = L4_IPC_BOTH_TIMEOUT_0.raw;

    __asm__ volatile("mov %%rsp, %%r12; mov %[sp], %%rsp; syscall; int3; mov %%r12, %%rsp"
                     : "+a"(rax), "+d"(rdx), "+S"(rsi)
                     : [sp] "r"(sp), "r"(r8)
                     : "rcx", "r11", "r12", "r15", "memory", "cc");
}

static void port(struct lane *l)
{
    uint16_t p = (uint16_t)(below(l, 4) ? PORTS_FIRST + below(l, 80) : noise(l));
    uint32_t v = 0;

    switch (below(l, 4)) {
    case 0:
        __asm__ volatile("inb %w1, %b0" : "+a"(v) : "d"(p));
        break;
    case 1:
        __asm__ volatile("inl %w1, %0" : "+a"(v) : "d"(p));
        break;
    case 2:
        __asm__ volatile("outw %w0, %w1" : : "a"(v), "d"(p));
        break;
    default:
        __asm__ volatile("insb" : : "d"(p), "D"(odd_number(l)) : "memory");
    }
    l->hash = fuzz_mix(l->hash, v);
}

static void flags(struct lane *l)
{
    l4_umword_t f = noise(l) & 0xffffffff;

    __asm__ volatile("push %0; popfq; nop; cld; pushq $0x202; popfq" : : "r"(f) : "memory", "cc");
}

static void instruction(struct lane *l)
{
    switch (below(l, 14)) {
    case 0:
        __asm__ volatile("ud2");
        break;
    case 1:
        __asm__ volatile("int3");
        break;
    case 2:
        __asm__ volatile("int $0x80");
        break;
    case 3:
        __asm__ volatile("int $0x30"); /* the gates of interrupts */
        break;
    case 4:
        __asm__ volatile("div %b0" : : "r"(0), "a"(1) : "cc");
        break;
    case 5:
        __asm__ volatile("hlt");
        break;
    case 6:
        __asm__ volatile("cli");
        break;
    case 7:
        __asm__ volatile("mov %0, %%cr3" : : "r"(noise(l)));
        break;
    case 8:
        __asm__ volatile("wrmsr" : : "c"(0xc0000082), "a"(0), "d"(0));
        break;
    case 9:
        __asm__ volatile("swapgs");
        break;
    case 10:
        __asm__ volatile("lidt (%0)" : : "r"(SMALL_PLACE));
        break;
    case 11:
        __asm__ volatile("mov %w0, %%ss" : : "r"((unsigned)noise(l)));
        break;
    case 12:
        __asm__ volatile("mov %w0, %%fs; mov %w0, %%gs" : : "r"((unsigned)noise(l)));
        break;
    default:
        __asm__ volatile("sysretq" : : "c"(odd_number(l)) : "r11");
    }
}

void do_harm(struct lane *l)
{
    l->deeds.instructions++;
    switch (below(l, 8)) {
    case 0:
        wild_stack(l);
        break;
    case 1:
        port(l);
        break;
    case 2:
        flags(l);
        break;
    case 3:
    case 4:
        instruction(l);
        break;
    default:
        touch(l);
    }
}
