/*
 * kip.h - the kernel information page, and the first two tasks
 */
#pragma once

#include <abi/kip.h>

#include "boot/bootinfo.h"

struct thread;

extern l4_kernel_info_t *const kip;
uint64_t kip_phys(void);

/* Fill the page from what the boot code found. */
void kip_init(const struct bootinfo *b);

static inline void kip_set_clock(uint64_t us)
{
    kip->clock = us;
}

/* An unhandled exception stopped t: the machine cannot go on without sigma0 or the root task. */
void boot_thread_stopped(const struct thread *t);
