/*
 * x86/mmu.h - the machine below the page tables
 *
 * Kernel addresses: image at KERNEL_BASE + physical address; the memory pool at POOL_BASE; device
 * registers at DEVICE_BASE. Nothing else of physical memory is mapped in the kernel: it cannot
 * even reach user memory.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "x86/cpu.h"

struct space;

#define KERNEL_BASE 0xffffffff80000000UL
#define POOL_BASE 0xffffffff90000000UL
#define POOL_MAX 0x60000000UL /* 1.5 GiB */
#define DEVICE_BASE 0xfffffffff0000000UL

extern uint64_t mmu_pool_delta; /* virtual - physical address of the pool */

static inline uint64_t mmu_phys(const void *pool_addr)
{
    return (uint64_t)pool_addr - mmu_pool_delta;
}

static inline void *mmu_virt(uint64_t phys)
{
    return (void *)(phys + mmu_pool_delta);
}

/* The one store to a page-table entry. */
static inline void pte_store(uint64_t *e, uint64_t v)
{
    *(volatile uint64_t *)e = v;
}

static inline void mmu_invlpg(uint64_t va)
{
    __asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline void mmu_load_root(uint64_t phys)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(phys) : "memory");
}

/* Entries of the space may be cached for one page, or for all of them. A space that is not
 * loaded has nothing cached: loading CR3 drops all but the kernel's global entries. */
void mmu_flush_page(struct space *s, uint64_t va);
void mmu_flush_space(struct space *s);

/* The kernel half of a new root table. */
void mmu_copy_kernel_half(uint64_t *root);

/* Final kernel tables: image W^X, pool, devices; drops the boot tables. */
void mmu_init(uint64_t pool_phys, uint64_t pool_size);
/* Map one page of device registers for the kernel; returns its address. */
volatile void *mmu_map_device(uint64_t phys);
/* Show a page of the pool, read-only, where a page of the image's data is. */
void mmu_alias(const void *image_page, const void *pool_page);
/* Switch to the tables that hold only the kernel (before a space is destroyed). */
void mmu_load_kernel(void);
