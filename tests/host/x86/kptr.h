/*
 * x86/kptr.h - 32-bit references to host memory
 *
 * Stands in for kernel/x86/kptr.h: a reference is the distance from host_pool, so whatever is
 * static in the test program can be referred to, and nothing else (no stack, no heap).
 */
#pragma once

#include <stdint.h>
#include <stdlib.h>

typedef uint32_t kref_t; /* 0: none */

#define HOST_POOL_SIZE (64UL << 20)
/* A multiple of the page size, so a page's reference ends in twelve zero bits. */
#define HOST_KREF_BIAS 0x40000000L

extern unsigned char host_pool[HOST_POOL_SIZE] __attribute__((aligned(4096)));

static inline kref_t kref(const void *p)
{
    intptr_t distance = (intptr_t)((uintptr_t)p - (uintptr_t)host_pool) + HOST_KREF_BIAS;

    if (!p)
        return 0;
    if (distance <= 0 || distance > UINT32_MAX)
        abort();
    return (kref_t)distance;
}

static inline void *kptr(kref_t r)
{
    return r ? (void *)((uintptr_t)host_pool + r - HOST_KREF_BIAS) : NULL;
}
