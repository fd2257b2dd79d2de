/*
 * hostile_programs/main.c - the bystander: a program that must not notice the others
 *
 * It computes the same sums again and again, in fresh memory each time, until all the bad programs
 * (boot.cfg) have had their turn. Its priority is the lowest: each of them interrupts it.
 */
#include "tap.h"

#include <abi/stats.h>
#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/stats.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/debugger.h>
#include <l4/sys/kip.h>
#include <l4/util/util.h>

enum { WORDS = 4096, SIZE = WORDS * 8, END_MS = 260, ROUNDS_MIN = 100 };

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

static l4_umword_t frames(unsigned op)
{
    l4_umword_t words[L4RE_DS_STATS_NUM] = {0};

    l4re_stats_get(l4re_env()->mem_alloc, op, 0, words, L4RE_DS_STATS_EXTRA);
    return words[L4RE_DS_STATS_FRAMES];
}

int main(void)
{
    static unsigned long right_memory[WORDS];
    struct sums right = compute(right_memory), s = right;
    unsigned rounds = 0, wrong = 0;
    bool came = true;

    while (came && l4_kip_clock(l4re_kip()) < END_MS * 1000UL) {
        came = round_of(&s);
        wrong += s.whole != right.whole || s.real != right.real;
        rounds++;
    }
    printf("# %u rounds\n", rounds);
    tap_ok(came, "fresh memory comes all the time");
    tap_eq(wrong, 0, "all sums are right");
    tap_ok(rounds >= ROUNDS_MIN, "the bystander had time to compute");
    tap_eq(l4_dbg_check(l4re_env_get_cap("debugger")), 0, "the kernel's own checks hold");
    l4_sleep(20); /* the root task gives back what the dead have left */
    tap_eq((long)frames(L4RE_STATS_TOTALS_OP), (long)frames(L4RE_STATS_GET_OP),
           "nobody but the bystander has frames of the memory manager");
    return tap_done();
}
