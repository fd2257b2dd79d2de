/*
 * foreign.h - a system call that is not L4's, turned back to the program that made it
 *
 * The kernel tells the thread's exception handler of it. The handler does not serve it: it lets the
 * thread go on at the program's own entry for such calls, as a Linux kernel would go on at its own.
 * So the call runs in the thread that made it, with its rights, its stack and its time.
 *
 *     at `entry`: rcx = where to return, r11 = flags, as the processor's syscall leaves them; all
 *     other registers are the caller's
 *
 * The program copies from and to the caller's memory with one `rep movsb`, at `copy`. When that
 * faults for good, it is left out: rcx tells how much was not copied.
 */
#pragma once

#include <abi/fpage.h>
#include <abi/msg.h>
#include <abi/utcb.h>

#include <stdbool.h>

enum {
    TRAP_STACK = 12,
    TRAP_PROTECTION = 13,
    TRAP_PAGE_FAULT = 14,
    TRAP_FOREIGN_CALL = 256, /* its number in rax */
};

enum {
    FOREIGN_ARCH_PRCTL = 158, /* Linux's numbers */
    FOREIGN_ARCH_SET_FS = 0x1002,
    FOREIGN_EPERM = -1,
    FOREIGN_COPY_LENGTH = 2, /* bytes of rep movsb */
};

struct foreign {
    l4_addr_t entry; /* 0: this program has none */
    l4_addr_t copy;
};

/* False: the exception is of another kind, the registers are as they were. */
static inline bool foreign_turn(const struct foreign *f, l4_exc_regs_t *regs)
{
    if (f->entry == 0)
        return false;
    if (regs->ip == f->copy && regs->trapno >= TRAP_STACK && regs->trapno <= TRAP_PAGE_FAULT) {
        regs->ip += FOREIGN_COPY_LENGTH;
        return true;
    }
    if (regs->trapno != TRAP_FOREIGN_CALL || (regs->rax & L4_SYSCALL_MARK))
        return false;
    if (regs->rax == FOREIGN_ARCH_PRCTL && regs->rdi == FOREIGN_ARCH_SET_FS) {
        /* The thread pointer is a register, which only the handler can set without more ado. */
        regs->rax = regs->rsi < L4_USER_END ? 0 : (l4_umword_t)FOREIGN_EPERM;
        if (regs->rax == 0)
            regs->fs_base = regs->rsi;
        return true;
    }
    regs->rcx = regs->ip;
    regs->r11 = regs->flags;
    regs->ip = f->entry;
    return true;
}
