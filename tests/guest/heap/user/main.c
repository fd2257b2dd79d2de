/*
 * user/main.c - what programs do with their heaps: argv[1] says what
 */
#include "../../../traces/replay.h"

#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/c/util/kumem_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/ipc.h>
#include <l4/util/ram.h>
#include <l4/util/thread.h>

#include <stdlib.h>

enum { THREADS = 3, ROUNDS = 3000, BLOCKS = 64, STACK = 16384 };

static int play(const unsigned char *at, const unsigned char *end)
{
    struct replay r = {.get = malloc, .put = free, .change = realloc};

    return replay(&r, at, end) == 0 && r.wrong == 0 && r.calls > 3000 ? 0 : 1;
}

static int replay_all(void)
{
    return play(trace_python, trace_python_end) + play(trace_git, trace_git_end) +
           play(trace_perl, trace_perl_end);
}

/* ---- threads ---- */

static char stacks[THREADS][STACK] __attribute__((aligned(16)));
static volatile int wrong;
static volatile unsigned done;

/* A third of the blocks is large. */
static void work(unsigned who)
{
    static unsigned char *blocks[THREADS][BLOCKS];
    static size_t sizes[THREADS][BLOCKS];
    unsigned seed = who + 1;

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned n = (seed = seed * 1103515245 + 12345) >> 16 & (BLOCKS - 1);
        unsigned char *p = blocks[who][n];

        if (p && (p[0] != (unsigned char)(who * BLOCKS + n) || p[sizes[who][n] - 1] != p[0]))
            wrong = 1;
        free(p);
        sizes[who][n] = 1 + (seed >> 8) % (i % 3 ? 2000 : 40000);
        p = blocks[who][n] = malloc(sizes[who][n]);
        p[0] = p[sizes[who][n] - 1] = (unsigned char)(who * BLOCKS + n);
        if (i % 16 == 0)
            l4_thread_yield();
    }
    for (unsigned n = 0; n < BLOCKS; n++)
        free(blocks[who][n]);
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
}

L4UTIL_THREAD_STATIC_FUNC(worker)
{
    work((unsigned)l4_utcb()->tcr.user[0]);
    for (;;)
        l4_ipc_sleep(L4_IPC_NEVER);
}

static int threads(void)
{
    l4re_env_t *env = l4re_env();

    for (unsigned i = 1; i < THREADS; i++) {
        l4_utcb_t *u = l4re_util_utcb_alloc();

        u->tcr.user[0] = i;
        if (l4util_create_thread(l4re_util_cap_alloc(), u, env->factory, (l4_umword_t)worker,
                                 (l4_umword_t)(stacks[i] + STACK), env->rm, L4_BASE_TASK_CAP,
                                 env->scheduler, l4_sched_param(100, 0)) < 0)
            return 1;
    }
    work(0);
    while (done < THREADS)
        l4_ipc_sleep_ms(1);
    return wrong;
}

/* ---- memory goes back ---- */

static int gives_back(void)
{
    enum { SMALL = 20000, SIZE = 150 };
    static void *p[SMALL];
    l4_ram_stats_t full, empty;
    void *large = malloc(1 << 20);

    for (unsigned i = 0; i < SMALL; i++)
        if (!(p[i] = malloc(SIZE)))
            return 1;
    l4_ram_stats(&full);
    for (unsigned i = 0; i < SMALL; i++)
        free(p[i]);
    free(large);
    l4_ram_stats(&empty);
    return full.service_bytes > 2UL << 20 && empty.service_bytes < full.service_bytes / 3 ? 0 : 1;
}

/* ---- misdeeds ---- */

static int overflow(void)
{
    char *volatile p = malloc(21);

    p[21] = 'x';
    free(p);
    return 0;
}

static int front(void)
{
    char *volatile p = aligned_alloc(64, 100);

    p[-1] ^= 1;
    free(p);
    return 0;
}

static int twice(void)
{
    char *volatile a = malloc(40), *volatile b = malloc(40);

    free(a);
    free(b);
    free(a);
    return 0;
}

static int after(void)
{
    char *volatile p = malloc(64);

    free(p);
    p[20] = 1;
    for (int i = 0; i < 3; i++)
        p = malloc(64);
    return p ? 0 : 1;
}

/* An address in a block that is a multiple of 16, and one that is in none. */
static int inside(void)
{
    char *volatile p = malloc(1300);

    free(p + 16);
    return 0;
}

static int foreign(void)
{
    static char text[4 * 65536];
    char *volatile p = text + 2 * 65536;

    free(p);
    return 0;
}

static int wild(void)
{
    char *volatile p = malloc(64);

    free(p + 8);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } modes[] = {{"replay", replay_all}, {"threads", threads},   {"gives_back", gives_back},
                 {"overflow", overflow}, {"front", front},       {"twice", twice},
                 {"after", after},       {"inside", inside},     {"foreign", foreign},
                 {"wild", wild}};

    for (unsigned i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            return modes[i].run();
    return 99;
}
