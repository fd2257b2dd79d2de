/*
 * l4/sys/kip.h - the kernel information page (layout: abi/kip.h)
 */
#pragma once

#include <abi/kip.h>

#include <l4/sys/compiler.h>
#include <l4/sys/l4int.h>

/* Set by the start-up code. */
extern l4_kernel_info_t const *l4_global_kip;

L4_INLINE l4_kernel_info_t const *l4_kip(void)
{
    return l4_global_kip;
}

L4_INLINE l4_umword_t l4_kip_version(l4_kernel_info_t const *kip)
{
    return kip->version;
}

L4_INLINE const char *l4_kip_version_string(l4_kernel_info_t const *kip)
{
    return kip->version_string;
}

/* Microseconds since boot, as of the last timer tick. */
L4_INLINE l4_cpu_time_t l4_kip_clock(l4_kernel_info_t const *kip)
{
    return *(volatile l4_uint64_t const *)&kip->clock;
}

/* Nanoseconds since boot: no finer than l4_kip_clock(). */
L4_INLINE l4_uint64_t l4_kip_clock_ns(l4_kernel_info_t const *kip)
{
    return l4_kip_clock(kip) * 1000;
}
