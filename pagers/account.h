/*
 * account.h - who pays: a limit in bytes and what is used of it
 *
 * C1  used <= quota at any time; a charge that would break this changes nothing.
 */
#pragma once

#include <abi/errors.h>
#include <abi/types.h>

/* 0, or -L4_ENOMEM and nothing charged. */
static inline long account_charge(l4_umword_t quota, l4_umword_t *used, l4_umword_t bytes)
{
    if (quota - *used < bytes)
        return -L4_ENOMEM;
    *used += bytes;
    return 0;
}

static inline void account_credit(l4_umword_t *used, l4_umword_t bytes)
{
    *used -= bytes;
}
