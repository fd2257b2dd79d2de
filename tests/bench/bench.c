/*
 * bench.c - calibration, medians, the lines that the host reads
 */
#include "bench.h"

#include <stdlib.h>

enum { ROUNDS = 15, LOOP_TURNS = 5000, REP_TURNS = 512 };

uint32_t bench_cost;

uint32_t bench_median(uint32_t *samples, unsigned n)
{
    for (unsigned i = 1; i < n; i++) {
        uint32_t v = samples[i];
        unsigned at = i;

        for (; at > 0 && samples[at - 1] > v; at--)
            samples[at] = samples[at - 1];
        samples[at] = v;
    }
    return samples[n / 2];
}

void bench_row(const char *name, uint64_t value)
{
    printf("bench %s %lu\n", name, value);
}

void bench_series(const char *name, unsigned x, uint64_t value)
{
    printf("series %s %u %lu\n", name, x, value);
}

void bench_fail(const char *what, long error)
{
    printf("bench-failed %s: %ld\n", what, error);
    exit(1);
}

static void tell(const char *name, uint64_t value)
{
    printf("calibration %s %lu\n", name, value);
}

static uint32_t empty(void)
{
    uint32_t sample[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t t = bench_start();

        sample[i] = bench_stop(t);
    }
    return bench_median(sample, ROUNDS);
}

/* Two instructions a turn. */
static uint32_t loop(void)
{
    uint32_t sample[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t turns = LOOP_TURNS;
        uint32_t t;

        __asm__ volatile("" : "+r"(turns));
        t = bench_start();
        __asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(turns) : : "cc");
        sample[i] = bench_stop(t);
    }
    return bench_median(sample, ROUNDS);
}

static uint32_t rep(void)
{
    static uint64_t memory[REP_TURNS];
    uint32_t sample[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t turns = REP_TURNS, *to = memory;
        uint32_t t;

        __asm__ volatile("" : "+c"(turns), "+D"(to));
        t = bench_start();
        __asm__ volatile("rep stosq" : "+c"(turns), "+D"(to) : "a"(0UL) : "memory");
        sample[i] = bench_stop(t);
    }
    return bench_median(sample, ROUNDS);
}

void bench_calibrate(void)
{
    uint32_t measured;

    bench_cost = 0;
    bench_cost = empty();
    measured = loop();
    tell("rdtsc_cost", bench_cost);
    tell("loop_instructions", 2 * LOOP_TURNS);
    tell("loop_measured", measured);
    tell("rep_iterations", REP_TURNS);
    tell("rep_measured", rep());
    if (measured != 2 * LOOP_TURNS)
        bench_fail("calibration: the counter does not count instructions", (long)measured);
}
