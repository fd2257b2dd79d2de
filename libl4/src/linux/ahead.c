/*
 * ahead.c - look-ahead: a stack that is there, and sections without faults (l4/util/ahead.h)
 *
 * In a section the thread has no pager: its fault comes to the region manager as an exception,
 * which names the thread (rm/section.c).
 */
#include "threads.h"

#include <l4/re/c/rm.h>
#include <l4/re/env.h>
#include <l4/sys/thread.h>
#include <l4/util/ahead.h>
#include <l4/util/util.h>

enum { RED_ZONE = 128, OWN_STACK = 1024 };

long l4_stack_reserve(unsigned long bytes)
{
    l4_addr_t sp = (l4_addr_t)__builtin_frame_address(0) - RED_ZONE, start = sp;
    unsigned long size = 1;
    l4re_rm_offset_t offset;
    l4re_rm_flags_t flags;
    l4re_ds_t ds;

    if (bytes > sp || l4re_rm_find(&start, &size, &offset, &flags, &ds) < 0 ||
        sp - bytes < start)
        return -L4_ENOMEM;
    l4_touch_rw((const void *)(sp - bytes), bytes);
    return 0;
}

static long section_call(l4_utcb_t *utcb, l4_umword_t begin)
{
    utcb->msg.mr[0] = L4RE_RM_NO_FAULT_OP;
    utcb->msg.mr[1] = (l4_umword_t)&utcb->self;
    utcb->msg.mr[2] = begin;
    return l4_error_u(l4_ipc_call(l4re_env()->rm, utcb, l4_msgtag(L4RE_PROTO_RM, 3, 0, 0),
                                  L4_IPC_NEVER), utcb);
}

static long pager_set(l4_utcb_t *utcb, l4_cap_idx_t thread, l4_cap_idx_t pager)
{
    l4_thread_control_start_u(utcb);
    l4_thread_control_pager_u(pager, utcb);
    return l4_error_u(l4_thread_control_commit_u(thread, utcb), utcb);
}

/* The last thing that can fault is what leads in, and what leads out is touched before. */
long l4_no_fault_begin(void)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_cap_idx_t thread = linux_own_thread();
    long err;

    if (l4_is_invalid_cap(thread))
        return -L4_ENOENT;
    err = section_call(utcb, 1);
    if (err < 0)
        return err;
    l4_stack_reserve(OWN_STACK);
    l4_touch_ro((const void *)l4_no_fault_end, 1);
    l4_touch_ro((const void *)linux_own_thread, 1);
    err = pager_set(utcb, thread, L4_INVALID_CAP);
    if (err < 0)
        section_call(utcb, 0);
    return err;
}

long l4_no_fault_end(l4_fault_seen_t *first)
{
    l4_utcb_t *utcb = l4_utcb();
    long err = pager_set(utcb, linux_own_thread(), l4re_env()->rm);

    if (err >= 0)
        err = section_call(utcb, 0);
    if (err < 0)
        return err;
    if (first)
        *first = (l4_fault_seen_t){utcb->msg.mr[1], utcb->msg.mr[2]};
    return (long)utcb->msg.mr[0];
}
