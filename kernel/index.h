/*
 * index.h - an index that a user controls is bounded without a branch
 *
 * A branch may be predicted wrongly; what is loaded then, from wherever the index points, leaves
 * traces in the caches (Spectre, variant 1). So behind the check, which says what is an error,
 * stands this, which the processor cannot guess its way around.
 */
#pragma once

#include <stdint.h>

/* i, which has been found to be below n, a power of two. */
#define index_below(i, n)                                                                          \
    ({                                                                                             \
        uint64_t index_ = (i);                                                                     \
        _Static_assert(((n) & ((n) - 1)) == 0, "a mask must do");                                  \
        __asm__("" : "+r"(index_)); /* the compiler, too, believes that it is below n */           \
        index_ & ((n) - 1);                                                                        \
    })
