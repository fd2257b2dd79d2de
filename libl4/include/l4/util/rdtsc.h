/*
 * l4/util/rdtsc.h - the time stamp counter; its frequency is in the kernel information page
 */
#pragma once

#include <l4/sys/compiler.h>
#include <l4/sys/kip.h>
#include <l4/sys/l4int.h>

L4_INLINE l4_cpu_time_t l4_rdtsc(void)
{
    l4_umword_t low, high;

    __asm__ __volatile__("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return high << 32 | low;
}

L4_INLINE l4_uint32_t l4_rdtsc_32(void)
{
    return (l4_uint32_t)l4_rdtsc();
}

L4_INLINE l4_uint64_t l4_tsc_to_ns(l4_cpu_time_t tsc)
{
    l4_uint64_t khz = l4_kip()->frequency_cpu;
    l4_uint64_t whole;

    if (khz == 0)
        return 0;
    whole = tsc / khz; /* milliseconds: 128-bit division would need a library */
    return whole * 1000000 + (tsc - whole * khz) * 1000000 / khz;
}

L4_INLINE l4_uint64_t l4_tsc_to_us(l4_cpu_time_t tsc)
{
    return l4_tsc_to_ns(tsc) / 1000;
}

L4_INLINE l4_cpu_time_t l4_ns_to_tsc(l4_uint64_t ns)
{
    l4_uint64_t khz = l4_kip()->frequency_cpu;

    return ns / 1000000 * khz + ns % 1000000 * khz / 1000000;
}

L4_INLINE void l4_busy_wait_ns(l4_uint64_t ns)
{
    l4_cpu_time_t start = l4_rdtsc(), time = l4_ns_to_tsc(ns);

    while (l4_rdtsc() - start < time)
        __asm__ __volatile__("pause");
}

L4_INLINE void l4_busy_wait_us(l4_uint64_t us)
{
    l4_busy_wait_ns(us * 1000);
}

/* Nothing to calibrate: returns nanoseconds per tick as a 5.27 fixed-point number, as L4Re. */
L4_INLINE l4_uint32_t l4_calibrate_tsc(l4_kernel_info_t const *kip)
{
    return kip->frequency_cpu ? (l4_uint32_t)((1000000UL << 27) / kip->frequency_cpu) : 0;
}

L4_INLINE l4_uint32_t l4_tsc_init(l4_kernel_info_t const *kip)
{
    return l4_calibrate_tsc(kip);
}

L4_INLINE l4_uint32_t l4_get_hz(void)
{
    return (l4_uint32_t)(l4_kip()->frequency_cpu * 1000);
}
