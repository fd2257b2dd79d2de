/*
 * uninit/uninit.h - the sets of tests, one a file
 */
#pragma once

#include "crowd.h"
#include "harness.h"

extern const struct test memory_tests[], calls_tests[];

/* The top 2 GiB, where the kernel is. Small negative numbers are errors. */
static inline bool is_kernel_address(l4_umword_t w)
{
    return w >= 0xffffffff80000000UL && w < (l4_umword_t)-0x100000L;
}
