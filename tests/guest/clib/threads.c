/*
 * threads.c - threads of the C library, and threads of L4 that use it
 */
#include "balance.h"
#include "sets.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <l4/re/c/util/kumem_alloc.h>
#include <l4/sys/task.h>
#include <l4/util/thread.h>
#include <l4/util/util.h>

enum { THREADS = 8, ROUNDS = 200, STACK = 16384 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static _Thread_local int own = 1;
static int sum, turn, wrong;

/* A count that is lost when two are in it, and what belongs to each thread. */
static void *counts(void *number)
{
    int n = (int)(long)number;

    own += n;
    errno = n;
    for (int i = 0; i < ROUNDS; i++) {
        int seen;

        pthread_mutex_lock(&mutex);
        seen = sum;
        if (i % 50 == n)
            usleep(1);
        sum = seen + 1;
        pthread_mutex_unlock(&mutex);
    }
    wrong += own != 1 + n || errno != n;
    return (void *)(long)own;
}

static void joining(void)
{
    pthread_t t[THREADS];
    int bad = 0;

    for (long i = 0; i < THREADS; i++)
        bad += pthread_create(&t[i], NULL, counts, (void *)i) != 0;
    for (long i = 0; i < THREADS; i++) {
        void *result;

        bad += pthread_join(t[i], &result) != 0 || (long)result != 1 + i;
    }
    check_eq(bad, 0, "eight threads start, end and are joined");
    check_eq(sum, THREADS * ROUNDS, "a mutex keeps their count");
    check_eq(wrong, 0, "errno and thread-local variables are each thread's own");
}

static void *takes_turns(void *number)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        while (turn != (int)(long)number)
            pthread_cond_wait(&changed, &mutex);
        turn = (turn + 1) % 3;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void waiting(void)
{
    struct timespec end;
    pthread_t t[3];
    sem_t sem;

    for (long i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, takes_turns, (void *)i);
    for (long i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    check_eq(turn, 0, "three threads take 200 turns each");
    sem_init(&sem, 0, 1);
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += 2000000;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    check(sem_timedwait(&sem, &end) == 0 && sem_timedwait(&sem, &end) == -1 &&
           errno == ETIMEDOUT, "a wait ends with its time");
}

static void *nothing(void *result)
{
    return result;
}

/* `times` threads one after another, joined, or detached and given time to end. */
static int lives(int times, bool detached)
{
    int bad = 0;

    for (int i = 0; i < times; i++) {
        pthread_t t;

        bad += pthread_create(&t, NULL, nothing, NULL) != 0;
        if (detached) {
            bad += pthread_detach(t) != 0;
            usleep(500);
        } else {
            bad += pthread_join(t, NULL) != 0;
        }
    }
    return bad;
}

static l4_umword_t own_kernel_memory(void)
{
    return kernel_stat(L4_BASE_TASK_CAP, L4_DBG_CNT_KMEM_USED);
}

static void nothing_stays(void)
{
    for (int detached = 0; detached < 2; detached++) {
        l4_umword_t kmem;
        long frames;
        int bad = lives(20, detached);

        kmem = own_kernel_memory();
        frames = frames_used();
        bad += lives(100, detached);
        check_eq(bad, 0, detached ? "a hundred detached threads" : "a hundred joined threads");
        check_eq((long)own_kernel_memory(), (long)kmem, "leave no kernel memory");
        check_eq(frames_used(), frames, "and no frames");
    }
}

static volatile int raw_done;
static char raw_stack[STACK] __attribute__((aligned(16)));

/* Ends as a thread of L4 does: somebody deletes it. */
static void raw(void)
{
    char line[20];

    own += 5;
    errno = ERANGE;
    snprintf(line, sizeof(line), "%d %.1f", own, 2.5);
    wrong = strcmp(line, "6 2.5") != 0 || errno != ERANGE || pthread_self() == NULL;
    pthread_mutex_lock(&mutex);
    free(malloc(1000));
    pthread_mutex_unlock(&mutex);
    own = 1;
    raw_done = 1;
    l4_sleep_forever();
}

static void raw_life(l4_cap_idx_t thread, l4_utcb_t *utcb)
{
    long err = l4util_create_thread(thread, utcb, l4re_env()->factory, (l4_umword_t)raw,
                                    (l4_umword_t)(raw_stack + STACK), l4re_env()->rm,
                                    L4RE_THIS_TASK_CAP, l4re_env()->scheduler,
                                    l4_sched_param(80, 0));

    raw_done = 0;
    while (err == 0 && !raw_done)
        usleep(100);
    l4_task_delete_obj(L4_BASE_TASK_CAP, thread);
}

static void l4_threads(void)
{
    l4_cap_idx_t thread = l4re_util_cap_alloc();
    l4_utcb_t *utcb = l4re_util_utcb_alloc();
    l4_umword_t kmem;
    long frames;

    errno = 0;
    raw_life(thread, utcb);
    check(raw_done && !wrong && errno == 0, "a thread of L4 has an errno, too");
    raw_life(thread, utcb);
    kmem = own_kernel_memory();
    frames = frames_used();
    for (int i = 0; i < 50 && !wrong; i++)
        raw_life(thread, utcb);
    check_eq(wrong, 0, "fifty one after another at the same UTCB");
    check_eq((long)own_kernel_memory(), (long)kmem, "leave no kernel memory");
    check_eq(frames_used(), frames, "and no frames");
}

void test_threads(void)
{
    joining();
    waiting();
    nothing_stays();
    l4_threads();
}
