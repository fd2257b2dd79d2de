/*
 * common/min.h - the smaller and the larger of two numbers
 */
#pragma once

#include <stdint.h>

static inline uint64_t min_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}
