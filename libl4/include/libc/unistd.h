/*
 * unistd.h - the little of it that makes sense without files
 */
#pragma once

#include <stddef.h>

#include <l4/util/util.h>

typedef long ssize_t;

static inline unsigned sleep(unsigned seconds)
{
    l4_ipc_sleep_us(1000000UL * seconds);
    return 0;
}

static inline int usleep(unsigned us)
{
    l4_ipc_sleep_us(us);
    return 0;
}
