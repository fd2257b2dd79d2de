/*
 * clib/end/main.c - the ways a program may end, one for each argument
 */
#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/c/util/kumem_alloc.h>
#include <l4/re/env.h>
#include <l4/util/thread.h>
#include <l4/util/util.h>

enum { IN_THREAD = 23, IN_RAW = 24, BY_LAST = 25, STACK = 16384 };

static void at_exit(void)
{
    printf("atexit in a second thread\n");
}

static void *exits(void *status)
{
    exit((int)(long)status);
}

static void *sleeps(void *unused)
{
    pause();
    return unused;
}

/* While the others sleep, and main() too. */
static void in_thread(void)
{
    pthread_t t;

    atexit(at_exit);
    pthread_create(&t, NULL, sleeps, NULL);
    pthread_create(&t, NULL, exits, (void *)IN_THREAD);
    pthread_join(t, NULL);
}

static void raw_exits(void)
{
    exit(IN_RAW);
}

static void in_raw(void)
{
    static char stack[STACK] __attribute__((aligned(16)));

    l4util_create_thread(l4re_util_cap_alloc(), l4re_util_utcb_alloc(), l4re_env()->factory,
                         (l4_umword_t)raw_exits, (l4_umword_t)(stack + STACK), l4re_env()->rm,
                         L4RE_THIS_TASK_CAP, l4re_env()->scheduler, l4_sched_param(90, 0));
    l4_sleep_forever();
}

static void *last(void *first)
{
    pthread_join(*(pthread_t *)first, NULL);
    exit(BY_LAST);
}

/* The main thread ends, the program goes on. */
static void by_last(void)
{
    static pthread_t self;
    pthread_t t;

    self = pthread_self();
    pthread_create(&t, NULL, last, &self);
    pthread_exit(NULL);
}

int main(int argc, char **argv)
{
    const char *way = argc == 2 ? argv[1] : "";

    if (strcmp(way, "thread") == 0)
        in_thread();
    if (strcmp(way, "raw") == 0)
        in_raw();
    if (strcmp(way, "last") == 0)
        by_last();
    if (strcmp(way, "abort") == 0)
        abort();
    if (strcmp(way, "assert") == 0)
        assert(argc == 0);
    if (strcmp(way, "signal") == 0)
        raise(SIGTERM);
    if (strcmp(way, "null") == 0)
        return *(volatile char *)0x28;
    if (argc == 1) {
        printf("a manager prints with the C library\n");
        for (;;)
            pause();
    }
    return 1;
}
