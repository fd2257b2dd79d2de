/*
 * l4/util/thread.h - a thread in one call
 */
#pragma once

#include <l4/sys/scheduler.h>
#include <l4/sys/thread.h>
#include <l4/sys/utcb.h>

/*
 * The first function of a thread, for ex_regs with sp at the very end of a stack: it makes no
 * assumption about the alignment and never returns.
 *
 *   L4UTIL_THREAD_STATIC_FUNC(worker) { ... for (;;) ... }
 */
#define L4UTIL_THREAD_FUNC(name)                                                                  \
    __attribute__((used, noreturn, force_align_arg_pointer)) void name(void)
#define L4UTIL_THREAD_STATIC_FUNC(name)                                                           \
    static __attribute__((used, noreturn, force_align_arg_pointer)) void name(void)

/*
 * Create a thread in slot `id`, bind it to `task` with thread_utcb, start it at pc with stack
 * pointer sp. pager is its exception handler too. 0 or -L4_E...; on error the slot is empty.
 */
L4_CV long l4util_create_thread(l4_cap_idx_t id, l4_utcb_t *thread_utcb, l4_cap_idx_t factory,
                                l4_umword_t pc, l4_umword_t sp, l4_cap_idx_t pager,
                                l4_cap_idx_t task, l4_cap_idx_t scheduler, l4_sched_param_t scp);
