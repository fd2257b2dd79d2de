/*
 * x86/cpu.h - a CPU that the test plays
 *
 * Stands in for kernel/x86/cpu.h. Privileged instructions leave a note in host_*; a look at the
 * interrupts calls host_window, which may let a tick pass or ask for a preemption.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "x86/regs.h"

struct thread;
struct io_space;

struct cpu {
    struct cpu *self;
    struct thread *current;
    uint64_t stack;
    uint64_t scratch;
    uint64_t root_loaded;
    uint64_t *tss_rsp0;
    struct io_space *io;
    uint32_t top_ready;
    bool resched;
    bool idle;
    uint32_t features;
    uint64_t idle_ticks;
};

enum cpu_feature {
    CPU_SMEP = 1,
    CPU_SMAP = 2,
    CPU_UMIP = 4,
    CPU_1G = 8,
    CPU_PCID = 16,
    CPU_TSC_DEADLINE = 32,
};

enum { MSR_FS_BASE = 0xc0000100, MSR_GS_BASE = 0xc0000101, MSR_KERNEL_GS_BASE = 0xc0000102 };
enum { TICK_HZ = 1000, TICK_US = 1000 };

extern struct cpu cpu0;
extern uint8_t fpu_initial[512];
extern uint8_t host_fpu[512]; /* its registers */
extern bool host_fpu_on;      /* CR0.TS is clear */

static inline void fpu_save(uint8_t *image)
{
    if (!host_fpu_on)
        abort();
    memcpy(image, host_fpu, sizeof(host_fpu));
}

static inline void fpu_load(const uint8_t *image)
{
    if (!host_fpu_on)
        abort();
    memcpy(host_fpu, image, sizeof(host_fpu));
}

static inline void fpu_on(void)
{
    host_fpu_on = true;
}

static inline void fpu_off(void)
{
    host_fpu_on = false;
}

static inline bool fpu_is_on(void)
{
    return host_fpu_on;
}

extern void (*host_window)(void); /* NULL: no interrupt is ever pending */
extern uint64_t host_windows;     /* looks at the interrupts so far */
extern uint64_t host_msr[3];      /* from MSR_FS_BASE on */
extern uint64_t host_tsc;

static inline struct cpu *this_cpu(void)
{
    return &cpu0;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
    if (msr < MSR_FS_BASE || msr > MSR_KERNEL_GS_BASE)
        abort();
    host_msr[msr - MSR_FS_BASE] = v;
}

static inline void wrmsr_halves(uint32_t msr, uint32_t low, uint32_t high)
{
    wrmsr(msr, (uint64_t)high << 32 | low);
}

static inline uint64_t rdtsc(void)
{
    return ++host_tsc;
}

static inline void cpu_window(void)
{
    host_windows++;
    if (host_window)
        host_window();
}

/* Tests keep a thread that is always ready, so nobody sleeps. */
static inline void cpu_idle(void)
{
    abort();
}

void cpu_show_ports(const uint8_t *bitmap);
int serial_get(void);
