/*
 * l4/sys/thread.h - threads: where they run, who handles their faults
 *
 * l4_thread_control_start(), some of _pager, _exc_handler, _bind, _alien, then _commit: one
 * message, so nothing else may use the UTCB in between.
 */
#pragma once

#include <l4/sys/ipc.h>
#include <l4/sys/kernel_object.h>

/*
 * Set instruction and stack pointer; ~0 keeps. flags: enum l4_thread_ex_regs_flags. The first
 * call starts a thread (once l4_scheduler_run_thread has been called too).
 */
L4_INLINE l4_msgtag_t l4_thread_ex_regs_u(l4_cap_idx_t thread, l4_addr_t ip, l4_addr_t sp,
                                          l4_umword_t flags, l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);

    m->mr[0] = L4_THREAD_EX_REGS_OP | flags;
    m->mr[1] = ip;
    m->mr[2] = sp;
    return l4_ipc_call(thread, utcb, l4_msgtag(L4_PROTO_THREAD, 3, 0, 0), L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t l4_thread_ex_regs(l4_cap_idx_t thread, l4_addr_t ip, l4_addr_t sp,
                                        l4_umword_t flags)
{
    return l4_thread_ex_regs_u(thread, ip, sp, flags, l4_utcb());
}

/* The same, returning the old values. */
L4_INLINE l4_msgtag_t l4_thread_ex_regs_ret_u(l4_cap_idx_t thread, l4_addr_t *ip, l4_addr_t *sp,
                                              l4_umword_t *flags, l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);
    l4_msgtag_t tag = l4_thread_ex_regs_u(thread, *ip, *sp, *flags, utcb);

    if (l4_error_u(tag, utcb) == 0) {
        *flags = m->mr[0];
        *ip = m->mr[1];
        *sp = m->mr[2];
    }
    return tag;
}

L4_INLINE l4_msgtag_t l4_thread_ex_regs_ret(l4_cap_idx_t thread, l4_addr_t *ip, l4_addr_t *sp,
                                            l4_umword_t *flags)
{
    return l4_thread_ex_regs_ret_u(thread, ip, sp, flags, l4_utcb());
}

L4_INLINE void l4_thread_control_start_u(l4_utcb_t *utcb)
{
    utcb->msg.mr[L4_THREAD_CONTROL_MR_IDX_FLAGS] = L4_THREAD_CONTROL_OP;
    utcb->msg.mr[L4_THREAD_CONTROL_MR_IDX_FLAG_VALS] = 0;
}

L4_INLINE void l4_thread_control_start(void)
{
    l4_thread_control_start_u(l4_utcb());
}

/* An index in the capability table of the task that the thread runs in. */
L4_INLINE void l4_thread_control_pager_u(l4_cap_idx_t pager, l4_utcb_t *utcb)
{
    utcb->msg.mr[L4_THREAD_CONTROL_MR_IDX_FLAGS] |= L4_THREAD_CONTROL_SET_PAGER;
    utcb->msg.mr[L4_THREAD_CONTROL_MR_IDX_PAGER] = pager;
}

L4_INLINE void l4_thread_control_pager(l4_cap_idx_t pager)
{
    l4_thread_control_pager_u(pager, l4_utcb());
}

L4_INLINE void l4_thread_control_exc_handler_u(l4_cap_idx_t exc_handler, l4_utcb_t *utcb)
{
    utcb->msg.mr[L4_THREAD_CONTROL_MR_IDX_FLAGS] |= L4_THREAD_CONTROL_SET_EXC_HANDLER;
    utcb->msg.mr[L4_THREAD_CONTROL_MR_IDX_EXC_HANDLER] = exc_handler;
}

L4_INLINE void l4_thread_control_exc_handler(l4_cap_idx_t exc_handler)
{
    l4_thread_control_exc_handler_u(exc_handler, l4_utcb());
}

/* Once in a thread's life: its task, and its UTCB in that task's kernel-user memory. */
L4_INLINE void l4_thread_control_bind_u(l4_utcb_t *thread_utcb, l4_cap_idx_t task,
                                        l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);

    m->mr[L4_THREAD_CONTROL_MR_IDX_FLAGS] |= L4_THREAD_CONTROL_BIND_TASK;
    m->mr[L4_THREAD_CONTROL_MR_IDX_BIND_UTCB] = (l4_umword_t)thread_utcb;
    __l4_add_obj_item(m, L4_THREAD_CONTROL_MR_IDX_BIND_TASK, task);
}

L4_INLINE void l4_thread_control_bind(l4_utcb_t *thread_utcb, l4_cap_idx_t task)
{
    l4_thread_control_bind_u(thread_utcb, task, l4_utcb());
}

/* An alien's system calls go to its exception handler. */
L4_INLINE void l4_thread_control_alien_u(l4_utcb_t *utcb, int on)
{
    utcb->msg.mr[L4_THREAD_CONTROL_MR_IDX_FLAGS] |= L4_THREAD_CONTROL_ALIEN;
    utcb->msg.mr[L4_THREAD_CONTROL_MR_IDX_FLAG_VALS] |= on ? L4_THREAD_CONTROL_ALIEN : 0;
}

L4_INLINE void l4_thread_control_alien(int on)
{
    l4_thread_control_alien_u(l4_utcb(), on);
}

L4_INLINE l4_msgtag_t l4_thread_control_commit_u(l4_cap_idx_t thread, l4_utcb_t *utcb)
{
    l4_umword_t flags = utcb->msg.mr[L4_THREAD_CONTROL_MR_IDX_FLAGS];
    unsigned items = (flags & L4_THREAD_CONTROL_BIND_TASK) != 0;

    return l4_ipc_call(thread, utcb, l4_msgtag(L4_PROTO_THREAD, 6, items, 0), L4_IPC_NEVER);
}

#ifdef L4_LIBC_THREADS
/*
 * Of programs on the full C library: what the library keeps for each thread (errno, thread-local
 * variables) is made ready for the thread of this task that is bound to thread_utcb, so that it may
 * use the library. -L4_ENOMEM, or the kernel's error.
 */
L4_CV long l4_thread_libc(l4_cap_idx_t thread, l4_utcb_t *thread_utcb);

L4_INLINE l4_msgtag_t l4_thread_control_commit(l4_cap_idx_t thread)
{
    l4_umword_t *mr = l4_utcb_mr()->mr;
    int bind = (mr[L4_THREAD_CONTROL_MR_IDX_FLAGS] & L4_THREAD_CONTROL_BIND_TASK) &&
               mr[L4_THREAD_CONTROL_MR_IDX_BIND_TASK + 1] >> L4_CAP_SHIFT ==
                   L4_BASE_TASK_CAP >> L4_CAP_SHIFT;
    l4_utcb_t *thread_utcb = (l4_utcb_t *)mr[L4_THREAD_CONTROL_MR_IDX_BIND_UTCB];
    l4_msgtag_t tag = l4_thread_control_commit_u(thread, l4_utcb());
    long err = bind && !l4_msgtag_has_error(tag) && l4_msgtag_label(tag) >= 0
                   ? l4_thread_libc(thread, thread_utcb)
                   : 0;

    return err < 0 ? l4_msgtag(err, 0, 0, 0) : tag;
}
#else
L4_INLINE l4_msgtag_t l4_thread_control_commit(l4_cap_idx_t thread)
{
    return l4_thread_control_commit_u(thread, l4_utcb());
}
#endif

/* Let the other threads of this priority run. */
L4_INLINE l4_msgtag_t l4_thread_yield(void)
{
    l4_ipc_sleep(L4_IPC_BOTH_TIMEOUT_0);
    return l4_msgtag(0, 0, 0, 0);
}

/* Give the rest of the time slice to a thread. */
L4_INLINE l4_msgtag_t l4_thread_switch_u(l4_cap_idx_t to_thread, l4_utcb_t *utcb)
{
    utcb->msg.mr[0] = L4_THREAD_SWITCH_OP;
    return l4_ipc_call(to_thread, utcb, l4_msgtag(L4_PROTO_THREAD, 1, 0, 0), L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t l4_thread_switch(l4_cap_idx_t to_thread)
{
    return l4_thread_switch_u(to_thread, l4_utcb());
}

/* *us: microseconds that the thread has run. */
L4_INLINE l4_msgtag_t l4_thread_stats_time_u(l4_cap_idx_t thread, l4_kernel_clock_t *us,
                                             l4_utcb_t *utcb)
{
    l4_msgtag_t tag;

    utcb->msg.mr[0] = L4_THREAD_STATS_OP;
    tag = l4_ipc_call(thread, utcb, l4_msgtag(L4_PROTO_THREAD, 1, 0, 0), L4_IPC_NEVER);
    if (l4_error_u(tag, utcb) >= 0)
        *us = utcb->msg.mr[0];
    return tag;
}

L4_INLINE l4_msgtag_t l4_thread_stats_time(l4_cap_idx_t thread, l4_kernel_clock_t *us)
{
    return l4_thread_stats_time_u(thread, us, l4_utcb());
}

/* Segment bases of a thread: thread-local storage of the program (fs) or its own use (gs). */
enum { L4_THREAD_AMD64_SEGMENT_FS = 0, L4_THREAD_AMD64_SEGMENT_GS = 1 };

L4_INLINE l4_msgtag_t fiasco_amd64_set_segment_base(l4_cap_idx_t thread, unsigned segr,
                                                    l4_umword_t base, l4_utcb_t *utcb)
{
    utcb->msg.mr[0] = L4_THREAD_SET_SEGMENT_BASE_AMD64_OP | (l4_umword_t)segr << 16;
    utcb->msg.mr[1] = base;
    return l4_ipc_call(thread, utcb, l4_msgtag(L4_PROTO_THREAD, 2, 0, 0), L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t fiasco_amd64_set_fs(l4_cap_idx_t thread, l4_umword_t base, l4_utcb_t *utcb)
{
    return fiasco_amd64_set_segment_base(thread, L4_THREAD_AMD64_SEGMENT_FS, base, utcb);
}
