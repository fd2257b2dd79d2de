/*
 * crt0.S - the first instructions of every program
 *
 *   rdi = physical address of the kernel information page (sigma0, root task, bare programs),
 *         0 (tasks with an environment page)
 *   rsp = stack, or 0: then the program brings its own (bootstack.S)
 */
    .section .text._start, "ax", @progbits
    .globl _start
    .type _start, @function
_start:
    xorl %ebp, %ebp /* backtraces end here */
    testq %rsp, %rsp
    jnz 1f
    movq $l4_boot_stack_top, %rsp
1:  andq $-16, %rsp
    call l4_start
    ud2
    .size _start, . - _start

    .section .note.GNU-stack, "", @progbits
