/*
 * x86/cpu.h - one CPU: its structure behind GS, its instructions
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "x86/regs.h"

struct thread;
struct io_space;

/* Everything that is per CPU. GS points here while the kernel runs. */
struct cpu {
    /* fixed offsets, see regs.h */
    struct cpu *self;
    struct thread *current;
    uint64_t stack; /* top of the kernel stack */
    uint64_t scratch;
    /* what is loaded */
    uint64_t root_loaded; /* physical address in CR3 */
    uint64_t *tss_rsp0;
    struct io_space *io; /* whose port bitmap the TSS shows; NULL: no port is open */
    /* scheduler */
    uint32_t top_ready; /* highest priority in the ready queue, 0 when it is empty */
    bool resched;       /* the running thread should be put back: slice over or preempted */
    bool idle;
    uint32_t features; /* enum cpu_feature */
    uint64_t idle_ticks;
};
_Static_assert(offsetof(struct cpu, current) == CPU_CURRENT, "assembly");
_Static_assert(offsetof(struct cpu, stack) == CPU_STACK, "assembly");
_Static_assert(offsetof(struct cpu, scratch) == CPU_SCRATCH, "assembly");

enum cpu_feature {
    CPU_SMEP = 1,
    CPU_SMAP = 2,
    CPU_UMIP = 4,
    CPU_1G = 8,
    CPU_PCID = 16,
    CPU_TSC_DEADLINE = 32,
};

extern struct cpu cpu0;

static inline struct cpu *this_cpu(void)
{
    struct cpu *c;
    __asm__("mov %%gs:0, %0" : "=r"(c));
    return c;
}

static inline void outb(uint16_t port, uint8_t v)
{
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t v)
{
    __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t v)
{
    __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t lo, hi;
    __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
    return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static inline void wrmsr_halves(uint32_t msr, uint32_t low, uint32_t high)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"(low), "d"(high) : "memory");
}

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

enum { MSR_FS_BASE = 0xc0000100, MSR_GS_BASE = 0xc0000101, MSR_KERNEL_GS_BASE = 0xc0000102 };

/* Describe the CPU, load GDT, TSS, IDT, system-call registers and the control bits it has. */
void cpu_init(void);
/* in and out in user mode follow this bitmap of 65536 bits (in the pool); NULL: all denied. */
void cpu_show_ports(const uint8_t *bitmap);
/* One instruction with interrupts on: pending ones are taken here. */
static inline void cpu_window(void)
{
    __asm__ volatile("sti; nop; cli" : : : "memory");
}
/* Sleep until an interrupt has been taken. */
static inline void cpu_idle(void)
{
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}
__attribute__((noreturn)) void cpu_halt(void);

/* The timer: interrupts at TICK_HZ. */
enum { TICK_HZ = 1000, TICK_US = 1000 };
void timer_init(void);
void timer_ack(void);
uint64_t timer_tsc_khz(void);

void serial_init(void);
void serial_put(char c);
int serial_get(void); /* -1: nothing there */

/* The state of the FPU (x87, SSE) that every thread starts with. */
extern uint8_t fpu_initial[512];

/* Besides TS, CR0 never changes: PG, WP, NE, ET, MP, PE (boot.S). */
#define CR0_TS 8UL
#define CR0_OTHERS 0x80010033UL

static inline void fpu_save(uint8_t *image)
{
    __asm__ volatile("fxsave %0" : "=m"(*(uint8_t(*)[512])image));
}

static inline void fpu_load(const uint8_t *image)
{
    __asm__ volatile("fxrstor %0" : : "m"(*(const uint8_t(*)[512])image));
}

/* CR0.TS: whoever touches the FPU traps (#NM). */
static inline void fpu_on(void)
{
    __asm__ volatile("clts" : : : "memory");
}

static inline bool fpu_is_on(void)
{
    uint64_t cr0;

    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    return !(cr0 & CR0_TS);
}

static inline void fpu_off(void)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(CR0_TS | CR0_OTHERS) : "memory");
}
