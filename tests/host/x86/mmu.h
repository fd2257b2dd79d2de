/*
 * x86/mmu.h - what page tables need from the machine
 *
 * Stands in for kernel/x86/mmu.h. The physical address of pool memory is its reference. Every
 * store to an entry is reported to host_pte_watch, every flush is counted.
 */
#pragma once

#include <stdint.h>

#include "x86/cpu.h"
#include "x86/kptr.h"

struct space;

#define KERNEL_BASE 0xffffffff80000000UL
#define POOL_MAX 0x60000000UL /* 1.5 GiB */

extern void (*host_pte_watch)(uint64_t *e, uint64_t old, uint64_t value); /* NULL: nobody */
extern void (*host_flush_watch)(struct space *s, uint64_t va);
extern uint64_t host_pte_stores;
extern uint64_t host_flushes;
extern uint64_t host_root; /* what CR3 holds; 1: the tables without a user half */

static inline void pte_store(uint64_t *e, uint64_t value)
{
    host_pte_stores++;
    if (host_pte_watch)
        host_pte_watch(e, *e, value);
    *e = value;
}

static inline uint64_t mmu_phys(const void *pool_addr)
{
    return kref(pool_addr);
}

static inline void *mmu_virt(uint64_t phys)
{
    return kptr((kref_t)phys);
}

static inline void mmu_load_root(uint64_t phys)
{
    host_root = phys;
}

static inline void mmu_load_kernel(void)
{
    cpu0.root_loaded = 1;
    mmu_load_root(1);
}

/* One page of the space that is loaded. */
static inline void mmu_invlpg(uint64_t va)
{
    host_flushes++;
    if (host_flush_watch)
        host_flush_watch(NULL, va);
}

static inline void mmu_flush_page(struct space *s, uint64_t va)
{
    host_flushes++;
    if (host_flush_watch)
        host_flush_watch(s, va);
}

static inline void mmu_flush_space(struct space *s)
{
    mmu_flush_page(s, 0);
}

/* The kernel half of a root table: one entry, so that tests see it stay. */
static inline void mmu_copy_kernel_half(uint64_t *root)
{
    root[511] = 0x1003;
}
