/*
 * l4/sys/__timeout.h - IPC timeouts (layout: abi/msg.h)
 */
#pragma once

#include <abi/msg.h>

#include <l4/sys/compiler.h>
#include <l4/sys/l4int.h>

#define L4_IPC_TIMEOUT_0 ((l4_timeout_s){L4_TIMEOUT_ZERO})
#define L4_IPC_TIMEOUT_NEVER ((l4_timeout_s){L4_TIMEOUT_NEVER})
#define L4_IPC_NEVER_INITIALIZER {0}
#define L4_IPC_NEVER ((l4_timeout_t){0})
#define L4_IPC_RECV_TIMEOUT_0 ((l4_timeout_t){0x00000400})
#define L4_IPC_SEND_TIMEOUT_0 ((l4_timeout_t){0x04000000})
#define L4_IPC_BOTH_TIMEOUT_0 ((l4_timeout_t){0x04000400})
#define L4_TIMEOUT_US_NEVER (~0ULL)
#define L4_TIMEOUT_US_MAX ((1ULL << 41) - 1)

/* mantissa * 2^exponent microseconds */
L4_INLINE l4_timeout_s l4_timeout_rel(unsigned man, unsigned exp)
{
    l4_timeout_s s = {(l4_uint16_t)((man & 0x3ff) | (exp << 10 & 0x7c00))};

    return s;
}

L4_INLINE l4_timeout_t l4_timeout(l4_timeout_s snd, l4_timeout_s rcv)
{
    l4_timeout_t t = {(l4_uint32_t)snd.t << 16 | rcv.t};

    return t;
}

L4_INLINE l4_timeout_t l4_ipc_timeout(unsigned snd_man, unsigned snd_exp, unsigned rcv_man,
                                      unsigned rcv_exp)
{
    return l4_timeout(l4_timeout_rel(snd_man, snd_exp), l4_timeout_rel(rcv_man, rcv_exp));
}

L4_INLINE void l4_snd_timeout(l4_timeout_s snd, l4_timeout_t *to)
{
    to->p.snd = snd;
}

L4_INLINE void l4_rcv_timeout(l4_timeout_s rcv, l4_timeout_t *to)
{
    to->p.rcv = rcv;
}

/* Microseconds of a relative timeout; never: ~0. */
L4_INLINE l4_kernel_clock_t l4_timeout_rel_get(l4_timeout_s to)
{
    return to.t == 0 ? ~0UL : (l4_kernel_clock_t)(to.t & 0x3ff) << (to.t >> 10 & 0x1f);
}

L4_INLINE unsigned l4_timeout_is_absolute(l4_timeout_s to)
{
    return to.t & L4_TIMEOUT_ABS;
}

L4_INLINE l4_kernel_clock_t l4_timeout_get(l4_kernel_clock_t cur, l4_timeout_s to)
{
    return l4_timeout_is_absolute(to) ? 0 : cur + l4_timeout_rel_get(to);
}

/* The shortest timeout of at least `us` microseconds; more than L4_TIMEOUT_US_MAX: never. */
L4_INLINE l4_timeout_s l4_timeout_from_us(l4_uint64_t us)
{
    unsigned exp = 0;
    l4_uint64_t man = us;

    if (us == 0)
        return L4_IPC_TIMEOUT_0;
    if (us > L4_TIMEOUT_US_MAX)
        return L4_IPC_TIMEOUT_NEVER;
    while (man > 0x3ff && exp < 31) {
        exp++;
        man = (us + (1ULL << exp) - 1) >> exp;
    }
    return l4_timeout_rel(man > 0x3ff ? 0x3ff : (unsigned)man, exp);
}
