/*
 * clib/end/main.c - the ways a program may end, one for each argument
 */
#include <assert.h>
#include <errno.h>
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

enum { IN_THREAD = 23, IN_RAW = 24, BY_LAST = 25, WITHOUT_FILES = 26, STACK = 16384 };

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

/* Nobody gave us the rom: the library's functions say so, each in its way. */
static int without_files(void)
{
    char line[8];

    if (fopen("end.elf", "r") || errno != ENOENT || fopen("end.elf", "w") || errno != EROFS ||
        fopen("end.elf", "a+") || errno != EROFS || fopen("end.elf", "?") || errno != EINVAL)
        return 1;
    if (tmpfile() || remove("end.elf") != -1 || errno != ENOSYS || rename("a", "b") != -1 ||
        errno != ENOSYS || access("a", 0) != -1 || errno != ENOSYS || chdir("/") != -1 ||
        popen("a", "r") || fork() != -1 || errno != ENOSYS)
        return 2;
    if (fgets(line, sizeof(line), stdin) || fputs("nothing\n", stdin) >= 0 || errno == 0)
        return 3;
    return printf("there are no files\n") > 0 && fflush(NULL) == 0 ? WITHOUT_FILES : 4;
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
    if (strcmp(way, "files") == 0)
        return without_files();
    if (strcmp(way, "null") == 0)
        return *(volatile char *)0x28;
    if (argc == 1) {
        printf("a manager prints with the C library\n");
        for (;;)
            pause();
    }
    return 1;
}
