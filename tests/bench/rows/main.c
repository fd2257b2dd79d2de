/*
 * main.c - what the kernel's operations cost, in instructions
 *
 * Runs in the root task's place: no region manager, no dataspaces, only the kernel and sigma0.
 */
#include "party.h"
#include "rows.h"

int main(void)
{
    bench_calibrate();
    party_init();
    measure_ipc();
    measure_faults();
    measure_maps();
    measure_objects();
    measure_growth();
    measure_latency();
    bench_calibrate();
    return 0;
}
