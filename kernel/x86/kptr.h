/*
 * x86/kptr.h - 32-bit references to kernel memory
 *
 * The kernel image and its memory pool lie in the top 2 GiB of the address space, so the low
 * half of an address, sign-extended, is the address. A reference takes half the room of a
 * pointer and costs nothing to follow (movslq instead of mov). Host tests shadow this header.
 */
#pragma once

#include <stdint.h>

typedef uint32_t kref_t; /* 0: none */

static inline kref_t kref(const void *p)
{
    return (kref_t)(uintptr_t)p;
}

static inline void *kptr(kref_t r)
{
    return (void *)(intptr_t)(int32_t)r;
}
