/*
 * deep/main.c - a thread that needs more stack than it has: argv[1] says whose stack it is
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/c/util/kumem_alloc.h>
#include <l4/re/env.h>
#include <l4/util/stack.h>
#include <l4/util/thread.h>
#include <l4/util/util.h>

enum { SIZE = 65536, STEP = 1024 };

static __attribute__((noinline)) unsigned dig(unsigned depth)
{
    volatile char hole[STEP];

    for (unsigned i = 0; i < STEP; i += 64)
        hole[i] = (char)depth;
    if (depth == SIZE / STEP * 3 / 4)
        printf("deep: %u KiB are there\n", SIZE / 1024);
    return depth > 64 * SIZE / STEP ? 0 : dig(depth + 1) + (unsigned char)hole[0];
}

static L4UTIL_THREAD_FUNC(digs)
{
    printf("%u: somebody else's memory\n", dig(0));
    l4_sleep_forever();
}

static void *digs_too(void *unused)
{
    printf("%u: somebody else's memory\n", dig(0));
    return unused;
}

static int own(void)
{
    l4re_env_t *env = l4re_env();
    l4_addr_t top;

    if (l4util_stack_alloc(SIZE, &top) < 0 ||
        l4util_create_thread(l4re_util_cap_alloc(), l4re_util_utcb_alloc(), env->factory,
                             (l4_umword_t)digs, top, env->rm, L4_BASE_TASK_CAP, env->scheduler,
                             l4_sched_param(80, 0)) < 0)
        return 1;
    l4_sleep_forever();
}

int main(int argc, char **argv)
{
    pthread_t t;

    if (argc > 1 && strcmp(argv[1], "own") == 0)
        return own();
    if (argc > 1 && strcmp(argv[1], "pthread") == 0)
        return pthread_create(&t, NULL, digs_too, NULL) || pthread_join(t, NULL);
    digs_too(NULL);
    return 0;
}
