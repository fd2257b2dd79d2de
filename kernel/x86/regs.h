/*
 * x86/regs.h - a thread's user registers, at the start of its thread object
 *
 * A trap from user mode pushes straight into this frame (TSS.rsp0 is its end), the stubs push the
 * rest; `vector` says how the thread came in and so how it goes out: VECTOR_SYSCALL by sysret,
 * everything else by iret. Usable from assembly.
 */
#pragma once

#define REGS_R15 0
#define REGS_R14 8
#define REGS_R13 16
#define REGS_R12 24
#define REGS_RBP 32
#define REGS_RBX 40
#define REGS_R11 48
#define REGS_R10 56
#define REGS_R9 64
#define REGS_R8 72
#define REGS_RDI 80
#define REGS_RSI 88
#define REGS_RDX 96
#define REGS_RCX 104
#define REGS_RAX 112
#define REGS_VECTOR 120
#define REGS_ERR 128
#define REGS_RIP 136
#define REGS_CS 144
#define REGS_RFLAGS 152
#define REGS_RSP 160
#define REGS_SS 168
#define REGS_SIZE 176

#define VECTOR_SYSCALL 0x100
#define VECTOR_TIMER 0x20
#define VECTOR_PIC 0x30 /* sixteen of them */
#define VECTOR_SPURIOUS 0xff

#define SEL_KCODE 0x08
#define SEL_KDATA 0x10
#define SEL_UDATA 0x23
#define SEL_UCODE 0x2b
#define SEL_TSS 0x30

/* struct cpu, through GS */
#define CPU_CURRENT 8
#define CPU_STACK 16
#define CPU_SCRATCH 24

#define STACK_SIZE 8192

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct regs {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
    uint64_t rdi, rsi, rdx, rcx, rax;
    uint64_t vector, err;
    uint64_t rip, cs, rflags, rsp, ss;
};

_Static_assert(offsetof(struct regs, r8) == REGS_R8, "frame");
_Static_assert(offsetof(struct regs, rax) == REGS_RAX, "frame");
_Static_assert(offsetof(struct regs, rip) == REGS_RIP, "frame");
_Static_assert(offsetof(struct regs, ss) == REGS_SS, "frame");
_Static_assert(sizeof(struct regs) == REGS_SIZE, "frame");
#endif
