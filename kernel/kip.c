/*
 * kip.c - the kernel information page
 */
#include "kip.h"

#include "klog.h"
#include "x86/cpu.h"
#include "x86/mmu.h"

static union {
    l4_kernel_info_t info;
    struct {
        char head[L4_KIP_MEM_DESC_OFFSET];
        l4_kernel_info_mem_desc_t desc[L4_KIP_MEM_DESCS_MAX];
    } mem;
} kip_page __attribute__((aligned(4096), section(".kip")));

l4_kernel_info_t *const kip = &kip_page.info;

uint64_t kip_phys(void)
{
    return (uint64_t)&kip_page - KERNEL_BASE;
}

static uint64_t features(void)
{
    uint32_t f = cpu0.features;

    return ((f & CPU_1G) ? L4_KIP_F_1G_PAGES : 0) | ((f & CPU_SMEP) ? L4_KIP_F_SMEP : 0) |
           ((f & CPU_SMAP) ? L4_KIP_F_SMAP : 0) | ((f & CPU_UMIP) ? L4_KIP_F_UMIP : 0) |
           ((f & CPU_PCID) ? L4_KIP_F_PCID : 0);
}

void kip_init(const struct bootinfo *b)
{
    static const char version[] = "Quire 0.1";

    if (b->range_count > L4_KIP_MEM_DESCS_MAX)
        panic("more than %u memory ranges", L4_KIP_MEM_DESCS_MAX);
    for (unsigned i = 0; i < b->range_count; i++) {
        kip_page.mem.desc[i].l = b->ranges[i].start | b->ranges[i].type;
        kip_page.mem.desc[i].h = b->ranges[i].end - 1;
    }
    kip->magic = L4_KERNEL_INFO_MAGIC;
    kip->version = L4_KIP_VERSION;
    kip->mem_info = (uint64_t)L4_KIP_MEM_DESC_OFFSET << 32 | b->range_count;
    kip->frequency_bus = TICK_HZ;
    kip->user_ptr = b->modinfo;
    kip->kmem_start = b->pool_start;
    kip->kmem_end = b->pool_start + b->pool_size - 1;
    kip->features = features();
    __builtin_memcpy(kip->version_string, version, sizeof(version));
}
