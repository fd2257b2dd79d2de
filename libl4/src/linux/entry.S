/*
 * entry.S - where a thread goes on after a system call that is not L4's (common/foreign.h)
 *
 *   sp of the call   | red zone: 128 bytes that are the caller's
 *                    | r11 flags, rcx place to return to, rax, rdi, rsi, rdx, r10, r8, r9
 *                    | rbp
 *
 * All registers but rax, rcx and r11 are the caller's again when the call returns, those of the FPU
 * too, which compilers take for granted: linux.a and libl4.a are compiled to use general registers
 * only.
 */
    .section .text.linux_entry, "ax", @progbits
    .globl linux_entry
    .type linux_entry, @function
linux_entry:
    leaq -128(%rsp), %rsp
    pushq %r11
    pushq %rcx
    pushq %rax
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %r10
    pushq %r8
    pushq %r9
    pushq %rbp
    movq %rsp, %rbp
    andq $-16, %rsp
    cld
    leaq 8(%rbp), %rdi
    call linux_call
    movq %rbp, %rsp
    popq %rbp
linux_return:
    popq %r9
    popq %r8
    popq %r10
    popq %rdx
    popq %rsi
    popq %rdi
    popq %rcx /* rax */
    popq %rcx
    popfq
    leaq 128(%rsp), %rsp
    jmp *%rcx
    .size linux_entry, . - linux_entry

/* A new thread begins here, on a copy of its creator's registers: it returns 0 from clone. */
    .globl linux_child
    .type linux_child, @function
linux_child:
    xorl %eax, %eax
    jmp linux_return
    .size linux_child, . - linux_child

/* size_t linux_copy(void *to, const void *from, size_t n): how many bytes could not be copied. */
    .globl linux_copy
    .globl linux_copy_at
    .type linux_copy, @function
linux_copy:
    movq %rdx, %rcx
linux_copy_at:
    rep movsb
    movq %rcx, %rax
    ret
    .size linux_copy, . - linux_copy

    .section .note.GNU-stack, "", @progbits
