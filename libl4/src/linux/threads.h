/*
 * threads.h - how a thread of L4's kind becomes one of the C library
 */
#pragma once

#include <l4/sys/types.h>
#include <l4/sys/utcb.h>

/*
 * The thread pointer for `thread`, which is bound to `utcb`: the one that the last thread there
 * left, or a new one, which create() has pthread_create() make. One caller at a time. -L4_ENOMEM.
 */
long linux_capture(int (*create)(void), l4_cap_idx_t thread, l4_utcb_t *utcb, l4_umword_t *tls);

/* The capability of the calling thread; L4_INVALID_CAP: nobody told us. */
l4_cap_idx_t linux_own_thread(void);
