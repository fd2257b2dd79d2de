/*
 * fake.S - the smallest kernels that end in each way that tools/machine.py must tell apart
 *
 * END_VALUE: written to the exit port; 0 hangs, negative is a triple fault. TEXT is printed. The
 * code stays in 32-bit mode at its physical address.
 */
.section .text, "ax"
.align 4
.long 0x1badb002, 0, -0x1badb002
.code32
.globl _start
_start:
    cld
    mov $hello, %esi
next:
    lodsb
    test %al, %al
    jz ending
    mov $0x3f8, %dx
    outb %al, %dx
    jmp next
.globl ending
ending:
    mov $0xf4, %dx
    mov $END_VALUE, %eax
    test %eax, %eax
    js fault
    jz hang
    outl %eax, %dx
hang:
    hlt
    jmp hang
fault:
    lidt none
    ud2
.section .rodata, "a"
none:
    .word 0
    .long 0
hello:
    .asciz TEXT
