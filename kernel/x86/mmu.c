/*
 * mmu.c - the kernel's own page tables, and what must be flushed when
 *
 *   KERNEL_BASE  image: text r-x, constants r--, data rw-, guard pages absent   4 KiB pages
 *   POOL_BASE    memory pool rw-                                               2 MiB pages
 *   DEVICE_BASE  device registers rw-, uncached                                4 KiB pages
 *
 * X1  No page of the kernel is both writable and executable.
 * X2  Every kernel entry is global and supervisor; they are the same in all spaces (entry 511).
 */
#include "x86/mmu.h"

#include "kassert.h"
#include "ptab.h"

#define TABLE __attribute__((aligned(4096)))

uint64_t mmu_pool_delta;

static uint64_t root_table[512] TABLE;
static uint64_t top_table[512] TABLE;      /* entry 511 of the root: the last 512 GiB */
static uint64_t image_dir[512] TABLE;      /* 0x80000000..: image and pool */
static uint64_t upper_dir[512] TABLE;      /* 0xc0000000..: pool and devices */
static uint64_t image_pages[2][512] TABLE; /* the first 4 MiB of it */
static uint64_t device_pages[512] TABLE;
static unsigned device_count;

extern char kernel_start[], text_end[], rodata_end[], kernel_end[];
extern char stack_guard[], df_guard[];

static uint64_t phys_of(const void *image_addr)
{
    return (uint64_t)image_addr - KERNEL_BASE;
}

static uint64_t image_rights(uint64_t va)
{
    if (va == (uint64_t)stack_guard || va == (uint64_t)df_guard)
        return 0;
    if (va < (uint64_t)text_end)
        return PTE_P | PTE_G | PTE_A;
    if (va < (uint64_t)rodata_end)
        return PTE_P | PTE_G | PTE_A | PTE_NX;
    return PTE_P | PTE_W | PTE_G | PTE_A | PTE_D | PTE_NX;
}

static void map_image(void)
{
    for (uint64_t va = (uint64_t)kernel_start; va < (uint64_t)kernel_end; va += 4096) {
        uint64_t off = va - KERNEL_BASE;
        uint64_t rights = image_rights(va);

        image_pages[off >> 21][off >> 12 & 511] = rights ? off | rights : 0;
    }
    image_dir[0] = phys_of(image_pages[0]) | PTE_P | PTE_W;
    image_dir[1] = phys_of(image_pages[1]) | PTE_P | PTE_W;
}

static void map_pool(uint64_t phys, uint64_t size)
{
    for (uint64_t off = 0; off < size; off += 1UL << 21) {
        uint64_t va = POOL_BASE + off;
        uint64_t *dir = (va >> 30 & 1) ? upper_dir : image_dir;

        dir[va >> 21 & 511] =
            (phys + off) | PTE_P | PTE_W | PTE_PS | PTE_G | PTE_A | PTE_D | PTE_NX;
    }
    mmu_pool_delta = POOL_BASE - phys;
}

void mmu_init(uint64_t pool_phys, uint64_t pool_size)
{
    kassert((pool_phys & 0x1fffff) == 0 && pool_size <= POOL_MAX);
    map_image();
    map_pool(pool_phys, pool_size);
    upper_dir[DEVICE_BASE >> 21 & 511] = phys_of(device_pages) | PTE_P | PTE_W;
    top_table[510] = phys_of(image_dir) | PTE_P | PTE_W;
    top_table[511] = phys_of(upper_dir) | PTE_P | PTE_W;
    root_table[511] = phys_of(top_table) | PTE_P | PTE_W;
    mmu_load_kernel();
}

void mmu_load_kernel(void)
{
    cpu0.root_loaded = phys_of(root_table);
    mmu_load_root(cpu0.root_loaded);
}

volatile void *mmu_map_device(uint64_t phys)
{
    uint64_t va = DEVICE_BASE + 4096UL * device_count;

    kassert(device_count < 512);
    device_pages[device_count++] =
        (phys & PTE_FRAME) | PTE_P | PTE_W | PTE_PWT | PTE_PCD | PTE_G | PTE_A | PTE_D | PTE_NX;
    mmu_invlpg(va);
    return (volatile void *)(va + (phys & 4095));
}

void mmu_alias(const void *image_page, const void *pool_page)
{
    uint64_t off = phys_of(image_page);

    image_pages[off >> 21][off >> 12 & 511] =
        mmu_phys(pool_page) | PTE_P | PTE_G | PTE_A | PTE_NX;
    mmu_invlpg((uint64_t)image_page);
}

void mmu_copy_kernel_half(uint64_t *root)
{
    pte_store(&root[511], root_table[511]);
}

void mmu_flush_page(struct space *s, uint64_t va)
{
    if (s->root_phys == cpu0.root_loaded)
        mmu_invlpg(va);
}

void mmu_flush_space(struct space *s)
{
    if (s->root_phys == cpu0.root_loaded)
        mmu_load_root(s->root_phys);
}
