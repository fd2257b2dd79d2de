/*
 * l4/sys/ipc.h - the system call
 *
 * Everything is one instruction, `syscall` (registers: abi/msg.h). The functions differ in the
 * operation bits and are inlined, so that constants fold into the moves before it.
 *
 * A message lies in the UTCB: words at MR0.., then items of two words each. The `utcb` argument is
 * kept for L4Re's sake; the kernel knows the thread's UTCB.
 */
#pragma once

#include <abi/errors.h>

#include <l4/sys/compiler.h>
#include <l4/sys/err.h>
#include <l4/sys/types.h>
#include <l4/sys/utcb.h>

/* With a label to send (only seen by a receiver that is addressed by its thread capability). */
L4_ALWAYS_INLINE l4_msgtag_t __l4_syscall_label(l4_cap_idx_t dest_op, l4_msgtag_t tag,
                                                l4_umword_t *label, l4_timeout_t timeout)
{
    register l4_umword_t to __asm__("r8") = timeout.raw;
    l4_umword_t l = *label;
    l4_mword_t raw = tag.raw | L4_SYSCALL_MARK;

    __asm__ __volatile__("syscall"
                         : "+a"(raw), "+S"(l)
                         : "d"(dest_op), "r"(to)
                         : "rcx", "r11", "r15", "memory", "cc");
    *label = l;
    tag.raw = raw;
    return tag;
}

/* Without: rsi is sent as it is, which nobody looks at who waits for a reply or is not sent to. */
L4_ALWAYS_INLINE l4_msgtag_t __l4_syscall(l4_cap_idx_t dest_op, l4_msgtag_t tag,
                                          l4_umword_t *label, l4_timeout_t timeout)
{
    register l4_umword_t to __asm__("r8") = timeout.raw;
    l4_umword_t l;
    l4_mword_t raw = tag.raw | L4_SYSCALL_MARK;

    __asm__ __volatile__("syscall"
                         : "+a"(raw), "=S"(l)
                         : "d"(dest_op), "r"(to)
                         : "rcx", "r11", "r15", "memory", "cc");
    *label = l;
    tag.raw = raw;
    return tag;
}

/* Any combination of operations (enum l4_syscall_flags_t); rlabel may be NULL. */
L4_ALWAYS_INLINE l4_msgtag_t l4_ipc(l4_cap_idx_t dest, l4_utcb_t *utcb, l4_umword_t flags,
                                    l4_umword_t slabel, l4_msgtag_t tag, l4_umword_t *rlabel,
                                    l4_timeout_t timeout)
{
    l4_umword_t label = slabel;

    (void)utcb;
    tag = __l4_syscall_label(dest | flags, tag, &label, timeout);
    if (rlabel)
        *rlabel = label;
    return tag;
}

/* Send and wait for the answer. */
L4_ALWAYS_INLINE l4_msgtag_t l4_ipc_call(l4_cap_idx_t object, l4_utcb_t *utcb, l4_msgtag_t tag,
                                         l4_timeout_t timeout)
{
    return l4_ipc(object, utcb, L4_SYSF_CALL, 0, tag, NULL, timeout);
}

L4_ALWAYS_INLINE l4_msgtag_t l4_ipc_send(l4_cap_idx_t dest, l4_utcb_t *utcb, l4_msgtag_t tag,
                                         l4_timeout_t timeout)
{
    return l4_ipc(dest, utcb, L4_SYSF_SEND, 0, tag, NULL, timeout);
}

/* Wait for a message from anybody; *label: the gate's label | rights. */
L4_ALWAYS_INLINE l4_msgtag_t l4_ipc_wait(l4_utcb_t *utcb, l4_umword_t *label, l4_timeout_t timeout)
{
    l4_msgtag_t none = {0};

    (void)utcb;
    return __l4_syscall(L4_INVALID_CAP | L4_SYSF_WAIT, none, label, timeout);
}

/* Wait for a message from one thread or interrupt. */
L4_ALWAYS_INLINE l4_msgtag_t l4_ipc_receive(l4_cap_idx_t object, l4_utcb_t *utcb,
                                            l4_timeout_t timeout)
{
    l4_msgtag_t none = {0};
    l4_umword_t label;

    (void)utcb;
    return __l4_syscall(object | L4_SYSF_RECV, none, &label, timeout);
}

/* Answer the caller whose message was received last. */
L4_ALWAYS_INLINE l4_msgtag_t l4_ipc_reply(l4_cap_idx_t reply_cap, l4_utcb_t *utcb, l4_msgtag_t tag,
                                          l4_timeout_t timeout)
{
    l4_umword_t label;

    (void)utcb;
    return __l4_syscall(reply_cap | L4_SYSF_SEND | L4_SYSF_REPLY, tag, &label, timeout);
}

/* Answer, and wait for the next message in the same step: the server's operation. */
L4_ALWAYS_INLINE l4_msgtag_t l4_ipc_reply_and_wait(l4_utcb_t *utcb, l4_msgtag_t tag,
                                                   l4_umword_t *label, l4_timeout_t timeout)
{
    (void)utcb;
    return __l4_syscall(L4_INVALID_CAP | L4_SYSF_REPLY_AND_WAIT, tag, label, timeout);
}

L4_ALWAYS_INLINE l4_msgtag_t l4_ipc_send_and_wait(l4_cap_idx_t dest, l4_utcb_t *utcb,
                                                  l4_msgtag_t tag, l4_umword_t *label,
                                                  l4_timeout_t timeout)
{
    return l4_ipc(dest, utcb, L4_SYSF_SEND_AND_WAIT, 0, tag, label, timeout);
}

/* Receive from nobody: always ends with the receive timeout (or is cancelled). */
L4_ALWAYS_INLINE l4_msgtag_t l4_ipc_sleep(l4_timeout_t timeout)
{
    return l4_ipc_receive(L4_INVALID_CAP, NULL, timeout);
}

L4_INLINE l4_msgtag_t l4_ipc_sleep_us(l4_uint64_t us)
{
    return l4_ipc_sleep(l4_timeout(L4_IPC_TIMEOUT_NEVER, l4_timeout_from_us(us)));
}

L4_INLINE l4_msgtag_t l4_ipc_sleep_ms(l4_uint32_t ms)
{
    return l4_ipc_sleep_us((l4_uint64_t)ms * 1000);
}

/* 0 or enum l4_ipc_tcr_error_t of the operation that returned `tag`. */
L4_INLINE l4_umword_t l4_ipc_error(l4_msgtag_t tag, l4_utcb_t *utcb)
{
    return L4_LIKELY(!l4_msgtag_has_error(tag)) ? 0 : utcb->tcr.error & L4_IPC_ERROR_MASK;
}

L4_INLINE int l4_ipc_error_code(l4_utcb_t *utcb)
{
    return utcb->tcr.error & L4_IPC_ERROR_MASK;
}

L4_INLINE int l4_ipc_is_snd_error(l4_utcb_t *utcb)
{
    return (utcb->tcr.error & L4_IPC_SND_ERR_MASK) == 0;
}

L4_INLINE int l4_ipc_is_rcv_error(l4_utcb_t *utcb)
{
    return utcb->tcr.error & L4_IPC_SND_ERR_MASK;
}

L4_INLINE l4_ret_t l4_ipc_to_errno(unsigned long ipc_error_code)
{
    return -(L4_EIPC_LO + (long)ipc_error_code);
}

/* What a call means to its caller: the answer's label, or the IPC error as -L4_EIPC... */
L4_INLINE l4_ret_t l4_error_u(l4_msgtag_t tag, l4_utcb_t *utcb)
{
    if (L4_UNLIKELY(l4_msgtag_has_error(tag)))
        return l4_ipc_to_errno(utcb->tcr.error & L4_IPC_ERROR_MASK);
    return l4_msgtag_label(tag);
}

L4_INLINE l4_ret_t l4_error(l4_msgtag_t tag)
{
    return l4_error_u(tag, l4_utcb());
}

/*
 * Append a map item to the message that `tag` describes. Like in L4Re the item is a compound one:
 * it shares the receiver's window with the items that follow it. 0 or -L4_ENOMEM.
 */
L4_INLINE int l4_sndfpage_add_u(l4_fpage_t const snd_fpage, unsigned long snd_base,
                                l4_msgtag_t *tag, l4_utcb_t *utcb)
{
    unsigned i = l4_msgtag_words(*tag) + 2 * l4_msgtag_items(*tag);

    if (i + 2 > L4_UTCB_GENERIC_DATA_SIZE)
        return -L4_ENOMEM;
    utcb->msg.mr[i] = snd_base | L4_ITEM_MAP | L4_ITEM_CONT;
    utcb->msg.mr[i + 1] = snd_fpage.raw;
    tag->raw += 1 << L4_MSGTAG_ITEMS_SHIFT;
    return 0;
}

L4_INLINE int l4_sndfpage_add(l4_fpage_t const snd_fpage, unsigned long snd_base, l4_msgtag_t *tag)
{
    return l4_sndfpage_add_u(snd_fpage, snd_base, tag, l4_utcb());
}
