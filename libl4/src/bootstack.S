/*
 * bootstack.S - 64 KiB of stack for programs that start without one
 *
 * An image that always gets its stack from others (the region manager) defines the absolute
 * symbol l4_boot_stack_top = 0 itself; this member is then not linked.
 */
    .section .bss.l4_boot_stack, "aw", @nobits
    .balign 4096
    .globl l4_boot_stack
    .type l4_boot_stack, @object
l4_boot_stack:
    .skip 65536
    .size l4_boot_stack, 65536
    .globl l4_boot_stack_top
l4_boot_stack_top:

    .section .note.GNU-stack, "", @progbits
