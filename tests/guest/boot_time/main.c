/*
 * boot_time/main.c - how long the machine needs until the first user thread runs
 *
 * Counted in guest time: one instruction is one nanosecond.
 */
#include <l4/re/env.h>
#include <l4/sys/kip.h>

#include "tap.h"

enum { LIMIT_US = 1000000 };

int main(void)
{
    const l4_kernel_info_t *kip = l4_global_kip;
    unsigned long ticks = kip->tsc_user - kip->tsc_boot;
    unsigned long us = kip->frequency_cpu ? ticks / (kip->frequency_cpu / 1000) : LIMIT_US;

    printf("# %lu us from the kernel's first instruction to the first user thread\n", us);
    tap_ok(kip->magic == L4_KERNEL_INFO_MAGIC, "the kernel information page has its magic");
    tap_ok(kip->tsc_user > kip->tsc_boot, "the kernel tells when it started and when users did");
    tap_ok(us < LIMIT_US, "the first user thread runs within a second of guest time");
    return tap_done();
}
