/*
 * entry.S - the doors between user mode and the kernel
 *
 * E1  Interrupts are off in the kernel, except in cpu_window() and cpu_idle().
 * E2  A door saves the user's registers in the current thread object, calls C on the CPU's one
 *     stack, and gets back the thread that runs next.
 * E3  sysret is used only for a thread whose `vector` is VECTOR_SYSCALL; its rip is then below
 *     L4_USER_END, so never non-canonical (thread.c keeps that).
 */
#include "x86/regs.h"

    .text
    .section .text.hot, "ax"

/*
 * syscall: rdx = capability | operation, rax = tag, rsi = label, r8 = timeouts.
 * r15 is scratch by the calling convention; a foreign call gets it back from the CPU's word.
 */
    .global syscall_entry
    .align 64
syscall_entry:
    swapgs
    mov %r15, %gs:CPU_SCRATCH
    mov %gs:CPU_CURRENT, %r15
    mov %rsp, REGS_RSP(%r15)
    mov %gs:CPU_STACK, %rsp
    mov %rcx, REGS_RIP(%r15)
    mov %r11, REGS_RFLAGS(%r15)
    movl $VECTOR_SYSCALL, REGS_VECTOR(%r15)
    mov %rdx, REGS_RDX(%r15)
    mov %rdi, REGS_RDI(%r15)
    mov %r8, REGS_R8(%r15)
    mov %r9, REGS_R9(%r15)
    mov %r10, REGS_R10(%r15)
    mov %rbx, REGS_RBX(%r15)
    mov %rbp, REGS_RBP(%r15)
    mov %r12, REGS_R12(%r15)
    mov %r13, REGS_R13(%r15)
    mov %r14, REGS_R14(%r15)
    mov %r15, %rdi
    mov %rax, %rcx
    call syscall
    test %rax, %rax
    jnz return_to_user

/* The same thread goes on: r15 and what C preserves are as they were. */
    mov REGS_RIP(%r15), %rcx
    mov REGS_RFLAGS(%r15), %r11
    mov REGS_R10(%r15), %r10
    mov REGS_R9(%r15), %r9
    mov REGS_R8(%r15), %r8
    mov REGS_RDI(%r15), %rdi
    mov REGS_RDX(%r15), %rdx
    mov REGS_RSI(%r15), %rsi
    mov REGS_RSP(%r15), %rsp
    mov REGS_RAX(%r15), %rax
    xor %r15d, %r15d
    swapgs
    sysretq

/* rax = the thread to run; its address space and FPU state are loaded already. */
    .global return_to_user
    .align 64
return_to_user:
    cmpl $VECTOR_SYSCALL, REGS_VECTOR(%rax)
    jne 1f
    mov REGS_RIP(%rax), %rcx
    mov REGS_RFLAGS(%rax), %r11
    mov REGS_R14(%rax), %r14
    mov REGS_R13(%rax), %r13
    mov REGS_R12(%rax), %r12
    mov REGS_RBP(%rax), %rbp
    mov REGS_RBX(%rax), %rbx
    mov REGS_R10(%rax), %r10
    mov REGS_R9(%rax), %r9
    mov REGS_R8(%rax), %r8
    mov REGS_RDI(%rax), %rdi
    mov REGS_RDX(%rax), %rdx
    mov REGS_RSI(%rax), %rsi
    mov REGS_RSP(%rax), %rsp
    xor %r15d, %r15d
    mov REGS_RAX(%rax), %rax
    swapgs
    sysretq
1:  mov %rax, %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    swapgs
    iretq

/* A stub of 16 bytes for each vector that can happen (cpu.c: 0 to 63 and the last 16): the error
 * code (the CPU's or 0), the vector, the common part. */
    .macro trap_stub vector
    .align 16
    .if (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) || (\vector == 21)
    .else
    pushq $0
    .endif
    pushq $\vector
    .if \vector == 2
    jmp trap_nmi
    .elseif (\vector == 8) || (\vector == 18)
    jmp trap_fatal
    .else
    jmp trap_common
    .endif
    .endm

    .global trap_stubs
    .align 16
trap_stubs:
    .set n, 0
    .rept 64
    trap_stub n
    .set n, n + 1
    .endr
    .set n, 0xf0
    .rept 16
    trap_stub n
    .set n, n + 1
    .endr

    .macro push_registers
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    .endm

    .macro pop_registers
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    add $16, %rsp
    .endm

/* PF-1: the CPU traps and pushes the faulting registers straight into the thread object. */
    .align 64
trap_common:
    testb $3, 24(%rsp)
    jz trap_kernel_mode
    swapgs
    push_registers
    cld
    .global clac_site
clac_site:
    nopl (%rax)                 /* three bytes; becomes clac where the CPU has SMAP */
    mov %rsp, %rdi
    mov %gs:CPU_STACK, %rsp
    call trap_from_user
    jmp return_to_user

/* Interrupts in cpu_window() or cpu_idle(); anything else is a bug of the kernel. */
trap_kernel_mode:
    push_registers
    cld
    mov %rsp, %rdi
    call trap_from_kernel
    pop_registers
    iretq

/* On a stack of its own, from anywhere, GS unknown: touches nothing but its frame. */
trap_nmi:
    push_registers
    cld
    mov %rsp, %rdi
    call trap_nmi_seen
    pop_registers
    iretq

trap_fatal:
    push_registers
    cld
    mov %rsp, %rdi
    call trap_is_fatal
    ud2

/* The first way out: leave the boot stack for good. */
    .global return_to_user_first
return_to_user_first:
    mov %rdi, %rax
    mov %gs:CPU_STACK, %rsp
    jmp return_to_user
