/*
 * cpu.c - descriptor tables, control bits and system-call registers of the CPU
 */
#include "x86/cpu.h"

#include <abi/types.h>

#include "klog.h"
#include "x86/mmu.h"

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map;
} __attribute__((packed));

struct idt_gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_mid;
    uint32_t offset_high;
    uint32_t reserved;
};

struct table_register {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

struct cpu cpu0;
uint8_t fpu_initial[512] __attribute__((aligned(16)));

/* TSS at an offset that makes rsp[0] 8-byte aligned: 4 bytes into an aligned block. The port
 * bitmap has two pages of its own, where the running task's is mapped. */
static struct {
    uint32_t pad;
    struct tss tss;
    uint8_t rest[4096 - 4 - sizeof(struct tss)];
    uint8_t ports[8192];
    uint8_t end; /* all ones: the CPU reads a byte more than it needs */
} __attribute__((packed, aligned(4096))) tss_block;

enum { IO_MAP = 4096 - 4, IO_MAP_NONE = 0xffff, TSS_LIMIT = IO_MAP + 8192 };

static uint64_t gdt[8];
static struct idt_gate idt[256];

extern char trap_stubs[], syscall_entry[], stack_top[], df_stack_top[], nmi_stack_top[];

enum {
    CR4_OSFXSR = 1 << 9,
    CR4_OSXMMEXCPT = 1 << 10,
    CR4_UMIP = 1 << 11,
    CR4_PCIDE = 1 << 17,
    CR4_SMEP = 1 << 20,
    CR4_SMAP = 1 << 21,
    CR4_PAE = 1 << 5,
    CR4_PGE = 1 << 7,
    MSR_EFER = 0xc0000080,
    MSR_STAR = 0xc0000081,
    MSR_LSTAR = 0xc0000082,
    MSR_SFMASK = 0xc0000084,
    RFLAGS_TF = 0x100,
    RFLAGS_IF = 0x200,
    RFLAGS_DF = 0x400,
    RFLAGS_IOPL = 0x3000,
    RFLAGS_NT = 0x4000,
    RFLAGS_RF = 0x10000,
    RFLAGS_AC = 0x40000,
};

static void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
                     : "a"(leaf), "c"(sub));
}

static uint32_t cpu_features(void)
{
    uint32_t r[4], f = 0;

    cpuid(0, 0, r);
    if (r[0] >= 7) {
        cpuid(7, 0, r);
        f |= (r[1] >> 7 & 1) ? CPU_SMEP : 0;
        f |= (r[1] >> 20 & 1) ? CPU_SMAP : 0;
        f |= (r[2] >> 2 & 1) ? CPU_UMIP : 0;
    }
    cpuid(1, 0, r);
    f |= (r[2] >> 17 & 1) ? CPU_PCID : 0;
    cpuid(0x80000001, 0, r);
    f |= (r[3] >> 26 & 1) ? CPU_1G : 0;
    return f;
}

static void tables_load(void)
{
    uint64_t base = (uint64_t)&tss_block.tss;
    struct table_register reg = {sizeof(gdt) - 1, (uint64_t)gdt};

    gdt[SEL_KCODE / 8] = 0x00af9b000000ffff;
    gdt[SEL_KDATA / 8] = 0x00cf93000000ffff;
    gdt[SEL_UDATA / 8] = 0x00cff3000000ffff;
    gdt[SEL_UCODE / 8] = 0x00affb000000ffff;
    gdt[SEL_TSS / 8] = TSS_LIMIT | (base & 0xffffff) << 16 | 0x89UL << 40 |
                       (base >> 24 & 0xff) << 56;
    gdt[SEL_TSS / 8 + 1] = base >> 32;
    tss_block.tss.ist[0] = (uint64_t)df_stack_top;
    tss_block.tss.ist[1] = (uint64_t)nmi_stack_top;
    tss_block.tss.io_map = IO_MAP_NONE;
    tss_block.end = 0xff;
    __asm__ volatile("lgdt %0" : : "m"(reg));
    __asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
    /* No local table: the one that the CPU starts with is at address 0, which users can map. */
    __asm__ volatile("lldt %w0" : : "r"(0));

    for (unsigned i = 0; i < 256; i++) {
        unsigned n = i < 64 ? i : i - (0xf0 - 64); /* entry.S: which have a stub */
        uint64_t stub = (uint64_t)trap_stubs + 16 * n;

        if (i >= 64 && i < 0xf0)
            continue; /* nothing sends it; `int` with it is a fault anyway */
        idt[i] = (struct idt_gate){
            .offset_low = (uint16_t)stub,
            .selector = SEL_KCODE,
            .ist = i == 2                ? 2
                   : (i == 8 || i == 18) ? 1
                                         : 0,
            /* int3 and into may be raised by user mode, every other gate only by the CPU. */
            .type = (i == 3 || i == 4) ? 0xee : 0x8e,
            .offset_mid = (uint16_t)(stub >> 16),
            .offset_high = (uint32_t)(stub >> 32),
        };
    }
    reg = (struct table_register){sizeof(idt) - 1, (uint64_t)idt};
    __asm__ volatile("lidt %0" : : "m"(reg));
}

/* Before mmu_init() makes the text read-only: the three bytes in entry.S become clac. */
static void patch_clac(void)
{
    extern char clac_site[];
    volatile uint8_t *p = (volatile uint8_t *)clac_site;

    p[0] = 0x0f;
    p[1] = 0x01;
    p[2] = 0xca;
}

static void control_bits(uint32_t f)
{
    uint64_t cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;

    cr4 |= (f & CPU_SMEP) ? CR4_SMEP : 0;
    cr4 |= (f & CPU_SMAP) ? CR4_SMAP : 0;
    cr4 |= (f & CPU_UMIP) ? CR4_UMIP : 0;
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
}

void cpu_init(void)
{
    struct cpu *c = &cpu0;
    uint32_t mxcsr = 0x1f80;

    c->self = c;
    c->stack = (uint64_t)stack_top;
    c->tss_rsp0 = &tss_block.tss.rsp[0];
    c->features = cpu_features();
    if (c->features & CPU_SMAP)
        patch_clac();
    tables_load();
    wrmsr(MSR_GS_BASE, (uint64_t)c);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    wrmsr(MSR_STAR, (uint64_t)SEL_KCODE << 32 | (uint64_t)(SEL_UDATA - 8) << 48);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
    wrmsr(MSR_SFMASK,
          RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC);
    control_bits(c->features);
    __asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
    fpu_save(fpu_initial);
    /* What fxsave leaves in the register images after reset is not ours to hand out. */
    for (unsigned i = 32; i < sizeof(fpu_initial); i++)
        fpu_initial[i] = 0;
    fpu_load(fpu_initial);
    fpu_off();
}

void cpu_show_ports(const uint8_t *bitmap)
{
    static const uint8_t *shown;

    if (bitmap && bitmap != shown) {
        mmu_alias(&tss_block.ports[0], bitmap);
        mmu_alias(&tss_block.ports[4096], bitmap + 4096);
        shown = bitmap;
    }
    tss_block.tss.io_map = bitmap ? IO_MAP : IO_MAP_NONE;
}

void cpu_halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}
