/*
 * l4/sys/utcb.h - the thread's own control block (layout: abi/utcb.h)
 */
#pragma once

#include <abi/utcb.h>

#include <l4/sys/compiler.h>
#include <l4/sys/types.h>

#define L4_UTCB_MSG_REGS_OFFSET 0
#define L4_UTCB_BUF_REGS_OFFSET (8 * L4_UTCB_BDR_WORD)
#define L4_UTCB_THREAD_REGS_OFFSET (8 * L4_UTCB_TCR_WORD)

/* The kernel keeps the running thread's UTCB behind gs; word 63 holds its own address. */
L4_INLINE l4_utcb_t *l4_utcb_direct(void)
{
    l4_utcb_t *u;

    __asm__("mov %%gs:0, %0" : "=r"(u));
    return u;
}

L4_INLINE l4_utcb_t *l4_utcb(void)
{
    return l4_utcb_direct();
}

L4_INLINE l4_msg_regs_t *l4_utcb_mr_u(l4_utcb_t *u)
{
    return &u->msg;
}

L4_INLINE l4_buf_regs_t *l4_utcb_br_u(l4_utcb_t *u)
{
    return &u->buf;
}

L4_INLINE l4_thread_regs_t *l4_utcb_tcr_u(l4_utcb_t *u)
{
    return &u->tcr;
}

L4_INLINE l4_exc_regs_t *l4_utcb_exc_u(l4_utcb_t *u)
{
    return (l4_exc_regs_t *)(void *)u;
}

L4_INLINE l4_msg_regs_t *l4_utcb_mr(void)
{
    return l4_utcb_mr_u(l4_utcb());
}

L4_INLINE l4_buf_regs_t *l4_utcb_br(void)
{
    return l4_utcb_br_u(l4_utcb());
}

L4_INLINE l4_thread_regs_t *l4_utcb_tcr(void)
{
    return l4_utcb_tcr_u(l4_utcb());
}

L4_INLINE l4_exc_regs_t *l4_utcb_exc(void)
{
    return l4_utcb_exc_u(l4_utcb());
}

L4_INLINE l4_umword_t l4_utcb_exc_pc(l4_exc_regs_t const *u)
{
    return u->ip;
}

L4_INLINE void l4_utcb_exc_pc_set(l4_exc_regs_t *u, l4_addr_t pc)
{
    u->ip = pc;
}

L4_INLINE unsigned long l4_utcb_exc_typeval(l4_exc_regs_t const *u)
{
    return u->trapno;
}

L4_INLINE int l4_utcb_exc_is_pf(l4_exc_regs_t const *u)
{
    return u->trapno == 14;
}

/* Fault address, with bit 1 set for a write. */
L4_INLINE l4_addr_t l4_utcb_exc_pfa(l4_exc_regs_t const *u)
{
    return (u->pfa & ~7UL) | (u->err & 2);
}

/* The exception that L4_THREAD_EX_REGS_TRIGGER_EXCEPTION asked for. */
L4_INLINE int l4_utcb_exc_is_ex_regs_exception(l4_exc_regs_t const *u)
{
    return u->trapno == 0xff;
}

L4_INLINE void l4_utcb_inherit_fpu_u(l4_utcb_t *u, int switch_on)
{
    if (switch_on)
        u->buf.bdr |= L4_UTCB_INHERIT_FPU;
    else
        u->buf.bdr &= ~(l4_umword_t)L4_UTCB_INHERIT_FPU;
}

L4_INLINE void l4_utcb_inherit_fpu(int switch_on)
{
    l4_utcb_inherit_fpu_u(l4_utcb(), switch_on);
}

/* Buffer descriptor from the numbers of the first memory, I/O and object buffer registers. */
L4_INLINE l4_umword_t l4_bdr(l4_umword_t mem, l4_umword_t io, l4_umword_t obj, l4_umword_t flags)
{
    return mem << L4_BDR_MEM_SHIFT | io << L4_BDR_IO_SHIFT | obj << L4_BDR_OBJ_SHIFT | flags;
}

/* Absolute timeout: the clock value lies in buffer register br. */
L4_INLINE l4_timeout_s l4_timeout_abs_u(l4_kernel_clock_t pint, int br, l4_utcb_t *u)
{
    l4_timeout_s s = {(l4_uint16_t)(L4_TIMEOUT_ABS | br)};

    u->buf.br[br] = pint;
    return s;
}

L4_INLINE l4_timeout_s l4_timeout_abs(l4_kernel_clock_t pint, int br)
{
    return l4_timeout_abs_u(pint, br, l4_utcb());
}

L4_INLINE unsigned l4_utcb_mr64_idx(unsigned idx)
{
    return idx;
}
