/*
 * lock.h - a lock for the library's own few lines
 *
 * Who does not get it sleeps instead of spinning: with fixed priorities a spinning thread would
 * keep the holder from running forever.
 */
#pragma once

#include <l4/sys/ipc.h>

enum { LOCK_SLEEP_US = 100 };

struct lock {
    int taken;
};

static inline void lock_take(struct lock *l)
{
    while (__atomic_exchange_n(&l->taken, 1, __ATOMIC_ACQUIRE))
        l4_ipc_sleep_us(LOCK_SLEEP_US);
}

static inline void lock_drop(struct lock *l)
{
    __atomic_store_n(&l->taken, 0, __ATOMIC_RELEASE);
}
