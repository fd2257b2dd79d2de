/*
 * l4/util/util.h - sleeping and touching
 */
#pragma once

#include <l4/sys/compiler.h>
#include <l4/sys/ipc.h>
#include <l4/sys/types.h>

L4_INLINE l4_timeout_s l4util_micros2l4to(l4_uint64_t us)
{
    return l4_timeout_from_us(us);
}

L4_INLINE void l4_sleep(l4_uint32_t ms)
{
    l4_ipc_sleep_ms(ms);
}

L4_INLINE void l4_usleep(l4_uint64_t us)
{
    l4_ipc_sleep_us(us);
}

L4_INLINE L4_NORETURN void l4_sleep_forever(void)
{
    for (;;)
        l4_ipc_sleep(L4_IPC_NEVER);
}

/* Make every page of [addr, addr + size) present: by reading, by writing what is there. */
L4_INLINE void l4_touch_ro(const void *addr, unsigned long size)
{
    l4_addr_t a = l4_trunc_page((l4_addr_t)addr);

    for (; a < (l4_addr_t)addr + size; a += L4_PAGESIZE)
        (void)*(volatile char const *)a;
}

L4_INLINE void l4_touch_rw(const void *addr, unsigned long size)
{
    l4_addr_t a = l4_trunc_page((l4_addr_t)addr);

    for (; a < (l4_addr_t)addr + size; a += L4_PAGESIZE)
        __asm__ __volatile__("lock orb $0, %0" : "+m"(*(volatile char *)a) : : "memory", "cc");
}
