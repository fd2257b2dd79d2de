/*
 * hostile_programs/main.c - the bystander: a program that must not notice the others
 *
 * It starts each of the bad programs of the boot script, twice, and computes the same sums over and
 * over, in fresh memory each time, while they run. Its priority is the lowest: each of them
 * interrupts it. After the second life of each, kernel memory and frames must be as before it.
 */
#include "balance.h"
#include "tap.h"

#include <l4/re/c/starter.h>
#include <l4/sys/kip.h>
#include <l4/util/util.h>

enum { WORDS = 4096, SIZE = WORDS * 8, LIVES = 2 };

static const char *const bad[] = {
    "null_read", "null_write", "null_call", "wild", "kernel_read", "high", "high_return",
    "high_thread", "no_utcb", "bad_utcb", "rights", "dead_gate", "dead_ds", "rm_jump",
    "rm_memory", "everything", "division", "overflow", "foreign",
};

struct sums {
    unsigned long whole;
    double real;
};

/* A sum of pseudo-random numbers, by way of memory, and one with the SSE registers. */
static struct sums compute(unsigned long *memory)
{
    struct sums s = {0, 1};
    unsigned long x = 88172645463325252UL;

    for (unsigned i = 0; i < WORDS; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memory[i] += x;
    }
    for (unsigned i = 0; i < WORDS; i++) {
        s.whole += memory[i] ^ i;
        s.real = s.real * 0.9990234375 + (double)(memory[i] & 0xff) * 0.03125;
    }
    return s;
}

/* In memory that comes, zeroed, and goes again. False: it did not come. */
static bool round_of(struct sums *s)
{
    l4re_ds_t ds = l4re_util_cap_alloc();
    void *memory = NULL;

    if (l4re_ma_alloc(SIZE, ds, 0) < 0 ||
        l4re_rm_attach(&memory, SIZE, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW, ds, 0,
                       L4_PAGESHIFT) < 0)
        return false;
    *s = compute(memory);
    l4re_rm_detach(memory);
    l4re_util_cap_free_um(ds);
    return true;
}

static l4_umword_t frames_of(unsigned op)
{
    return ds_stat(l4re_env()->mem_alloc, op, L4RE_DS_STATS_FRAMES);
}

struct watch {
    unsigned rounds, wrong, idle; /* idle: lives that ended before one sum was computed */
    bool came;
};

/* One life of a bad program, and what the bystander computed meanwhile. */
static void life(const char *name, const struct sums *right, struct watch *w)
{
    l4_cap_idx_t starter = l4re_env_get_cap("starter");
    unsigned before = w->rounds;
    struct sums s;
    int status;

    if (l4re_starter_start(starter, name) < 0)
        return;
    do {
        w->came &= round_of(&s);
        w->wrong += s.whole != right->whole || s.real != right->real;
        w->rounds++;
    } while (l4re_starter_state(starter, name, &status) == L4RE_STARTER_RUNNING);
    w->idle += w->rounds == before + 1;
}

int main(void)
{
    static unsigned long right_memory[WORDS];
    struct sums right = compute(right_memory);
    struct watch w = {.came = true};

    l4_sleep(20); /* those that start at boot have ended */
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct balance b = {0};

        for (unsigned n = 0; n < LIVES; n++) {
            b = balance_look();
            life(bad[i], &right, &w);
        }
        tap_ok(balance_same(b, balance_look()), bad[i]);
    }
    printf("# %u rounds\n", w.rounds);
    tap_ok(w.came, "fresh memory comes all the time");
    tap_eq(w.wrong, 0, "all sums are right");
    tap_eq(w.idle, 0, "the bystander had time to compute in each life");
    tap_eq(l4_dbg_check(l4re_env_get_cap("debugger")), 0, "the kernel's own checks hold");
    tap_eq((long)frames_of(L4RE_STATS_TOTALS_OP), (long)frames_of(L4RE_STATS_GET_OP),
           "nobody but the bystander has frames of the memory manager");
    return tap_done();
}
