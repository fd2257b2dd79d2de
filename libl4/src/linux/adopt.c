/*
 * adopt.c - a thread of L4's kind gets what the C library keeps for each of its own
 *
 * The C library itself prepares it: pthread_create() believes that it makes a thread, but the call
 * in which it would only keeps the thread pointer (threads.h). So errno, locks and thread-local
 * variables work in the L4 thread, and pthread_exit() in it gives all of that back.
 */
#include "threads.h"

#include <l4/re/env.h>
#include <l4/sys/thread.h>
#include <src/lock.h>

#include <limits.h>
#include <pthread.h>

static struct lock lock;

static void *never(void *unused)
{
    return unused;
}

static int create(void)
{
    pthread_attr_t attr;
    pthread_t self;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN);
    pthread_attr_setguardsize(&attr, 0);
    return pthread_create(&self, &attr, never, NULL);
}

/* Without a region manager there is no memory for it: then the thread has to do without. */
long l4_thread_libc(l4_cap_idx_t thread, l4_utcb_t *thread_utcb)
{
    l4_umword_t tls;
    long err;

    if (l4_is_invalid_cap(l4re_env()->rm))
        return 0;
    lock_take(&lock);
    err = linux_capture(create, thread, thread_utcb, &tls);
    lock_drop(&lock);
    return err ? err : l4_error(fiasco_amd64_set_fs(thread, tls, l4_utcb()));
}
