/*
 * bench.h - measuring in executed instructions, and telling the host
 *
 * Under `-icount shift=0` the time stamp counter advances by one for each instruction of the
 * guest (REP: one for each iteration), so a difference of two readings is a count. Every program
 * proves that first, with a loop whose length is known.
 *
 *     uint32_t t = bench_start();
 *     what is measured
 *     sample[i] = bench_stop(t);
 *
 * Lines for the host (tools/bench): `bench name value`, `series name x value`, `calibration name
 * value`; `since name count` and `until name count`, from two programs. The names of the rows are
 * those of tools/benchrows.py.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include <l4/sys/ipc.h>

enum { BENCH_SAMPLES = 64 };

/* Instructions between the two readings of an empty measurement; set by bench_calibrate(). */
extern uint32_t bench_cost;

/* The lower half of the counter: what is measured takes less than 2^32 instructions. */
static inline uint32_t bench_start(void)
{
    uint32_t t;

    __asm__ volatile("rdtsc\n\tmov %%eax, %0" : "=r"(t) : : "rax", "rdx", "memory");
    return t;
}

static inline uint32_t bench_stop(uint32_t start)
{
    uint32_t t;

    __asm__ volatile("rdtsc" : "=a"(t) : : "rdx", "memory");
    return t - start - bench_cost;
}

/* Measures the cost of measuring, then a loop of known length; ends the program if they differ. */
void bench_calibrate(void);

/* The middle one of n samples, which are sorted by this. */
uint32_t bench_median(uint32_t *samples, unsigned n);

void bench_row(const char *name, uint64_t value);
void bench_series(const char *name, unsigned x, uint64_t value);

/* Ends the program, and with it the machine, with a sentence. */
void bench_fail(const char *what, long error) __attribute__((noreturn));

/* What must work for the figures to mean anything. */
static inline void bench_must(l4_msgtag_t tag, const char *what)
{
    long err = l4_error(tag);

    if (err < 0)
        bench_fail(what, err);
}
