/*
 * timer.c - the local APIC: its timer, and the way in for the 8259 controllers
 *
 * The APIC passes on what the 8259 controllers (pic.c) say. Its timer is
 * measured against channel 2 of the 8254 once; it then ticks TICK_HZ times a second. The time
 * stamp counter is measured in the same interval.
 */
#include "x86/cpu.h"
#include "x86/mmu.h"
#include "x86/pic.h"

enum {
    APIC_ID = 0x20,
    APIC_EOI = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_INITIAL = 0x380,
    APIC_CURRENT = 0x390,
    APIC_DIVIDE = 0x3e0,
    LVT_MASKED = 1 << 16,
    LVT_NMI = 4 << 8,
    LVT_EXTINT = 7 << 8,
    LVT_PERIODIC = 1 << 17,
    MSR_APIC_BASE = 0x1b,
    PIT_HZ = 1193182,
    PIT_WAIT = PIT_HZ / 100, /* 10 ms */
    PIT_TRIES = 10000000,    /* a machine without 8254 must not hang */
};

static volatile uint32_t *apic;
static uint64_t tsc_khz;

static void apic_write(unsigned reg, uint32_t v)
{
    apic[reg / 4] = v;
}

/* Let 10 ms pass by the 8254 and say how far the APIC timer and the TSC came. */
static uint32_t apic_ticks_in_10ms(void)
{
    uint64_t t0;

    outb(0x61, (uint8_t)((inb(0x61) & ~2) | 1));
    outb(0x43, 0xb0);
    outb(0x42, PIT_WAIT & 0xff);
    outb(0x42, PIT_WAIT >> 8);
    t0 = rdtsc();
    apic_write(APIC_INITIAL, 0xffffffff);
    for (unsigned i = 0; i < PIT_TRIES && !(inb(0x61) & 0x20); i++)
        __asm__ volatile("pause");
    tsc_khz = (rdtsc() - t0) / 10;
    return 0xffffffff - apic[APIC_CURRENT / 4];
}

void timer_init(void)
{
    uint32_t ticks;

    pic_init();
    apic = mmu_map_device(rdmsr(MSR_APIC_BASE) & 0xfffff000);
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 1 << 11);
    apic_write(APIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    apic_write(APIC_LVT_LINT0, LVT_EXTINT);
    apic_write(APIC_LVT_LINT1, LVT_NMI);
    apic_write(APIC_LVT_ERROR, LVT_MASKED);
    apic_write(APIC_DIVIDE, 0xb); /* by 1 */
    apic_write(APIC_LVT_TIMER, LVT_MASKED);
    ticks = apic_ticks_in_10ms();
    apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
    apic_write(APIC_INITIAL, ticks / (TICK_HZ / 100));
}

void timer_ack(void)
{
    apic_write(APIC_EOI, 0);
}

uint64_t timer_tsc_khz(void)
{
    return tsc_khz;
}
