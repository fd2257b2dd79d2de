/*
 * boot.S - from the boot loader's 32-bit world into the kernel's C
 *
 * Carries the multiboot 1 and 2 headers. Builds page tables that map the first 4 GiB one to one
 * and the first GiB a second time at the kernel's link address, enters long mode and calls
 * kernel_main(magic, info). The one-to-one half disappears with mmu_init().
 */
#include "x86/regs.h"

#define KERNEL_BASE 0xffffffff80000000
#define PHYS(x) ((x) - KERNEL_BASE)

    .section .multiboot, "ax"
    .align 8
mb1_header:
    .long 0x1badb002, 0x3, -(0x1badb002 + 0x3)

    .align 8
mb2_header:
    .long 0xe85250d6, 0, mb2_end - mb2_header, -(0xe85250d6 + (mb2_end - mb2_header))
    .short 6, 0                 /* modules on page boundaries */
    .long 8
    .short 0, 0
    .long 8
mb2_end:

    .text
    .code32
    .global boot_start
boot_start:
    cli
    cld
    mov %eax, %ebp
    mov $PHYS(boot_stack_top), %esp

    /* PD entries: 2048 pages of 2 MiB, present, writable. */
    mov $PHYS(boot_pd), %edi
    mov $0x83, %eax
    xor %edx, %edx
    mov $2048, %ecx
1:  mov %eax, (%edi)
    mov %edx, 4(%edi)
    add $8, %edi
    add $0x200000, %eax
    loop 1b

    mov $PHYS(boot_pdpt), %edi
    mov $PHYS(boot_pd) + 3, %eax
    mov $4, %ecx
2:  mov %eax, (%edi)
    add $8, %edi
    add $0x1000, %eax
    loop 2b
    movl $PHYS(boot_pd) + 3, PHYS(boot_pdpt) + 0x1000 + 510 * 8
    movl $PHYS(boot_pdpt) + 3, PHYS(boot_pml4)
    movl $PHYS(boot_pdpt) + 0x1000 + 3, PHYS(boot_pml4) + 511 * 8

    mov %cr4, %eax
    or $0x620, %eax             /* PAE, OSFXSR, OSXMMEXCPT */
    mov %eax, %cr4
    mov $PHYS(boot_pml4), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx       /* EFER: SCE, LME, NXE */
    rdmsr
    or $0x901, %eax
    wrmsr
    mov $0x80010033, %eax       /* PG, WP, NE, ET, MP, PE */
    mov %eax, %cr0
    lgdt PHYS(boot_gdt_desc)
    ljmp $SEL_KCODE, $PHYS(boot_long)

    .code64
boot_long:
    mov $SEL_KDATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    movabs $boot_stack_top, %rsp
    mov %ebp, %edi
    mov %ebx, %esi
    xor %ebp, %ebp
    movabs $kernel_main, %rax
    call *%rax
    ud2

    .section .rodata
    .align 8
boot_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_desc:
    .short boot_gdt_desc - boot_gdt - 1
    .long PHYS(boot_gdt)

    .section .stack, "aw", @nobits
    .align 4096
    .global boot_pml4, boot_pdpt, boot_pd
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 2 * 4096
boot_pd:
    .skip 4 * 4096
    .global boot_stack, stack_guard, stack_bottom, stack_top
boot_stack:
    .skip STACK_SIZE
boot_stack_top:
    /* The one kernel stack of this CPU, with a page below it that is never mapped. */
stack_guard:
    .skip 4096
stack_bottom:
    .skip STACK_SIZE
stack_top:
    .global df_guard, df_stack_top, nmi_stack_top
df_guard:
    .skip 4096
    .skip 4096
df_stack_top:
    .skip 4096
nmi_stack_top:
