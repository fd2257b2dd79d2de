/*
 * host.c - the machine and the kernel's rest for modules that run on the host
 */
#include "kassert.h"
#include "x86/kptr.h"
#include "x86/mmu.h"

#include <stdio.h>
#include <stdlib.h>

unsigned char host_pool[HOST_POOL_SIZE] __attribute__((aligned(4096)));
void (*host_pte_watch)(uint64_t *e, uint64_t old, uint64_t value);
void (*host_flush_watch)(struct space *s, uint64_t va);
uint64_t host_pte_stores;
uint64_t host_flushes;
uint64_t host_root;
struct cpu cpu0;
void (*host_window)(void);
uint64_t host_windows;
uint64_t host_msr[3];
uint64_t host_tsc;

void kassert_fail(const char *expr, const char *file, int line)
{
    printf("# %s:%d: assertion: %s\n", file, line, expr);
    fflush(stdout);
    abort();
}
