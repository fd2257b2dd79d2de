/*
 * l4/sys/scheduler.h - priorities, quanta, processors
 */
#pragma once

#include <l4/sys/ipc.h>
#include <l4/sys/kernel_object.h>

/* Processors offset .. offset + 63 * 2^granularity: granularity << 24 | offset, and a bit map. */
typedef struct l4_sched_cpu_set_t {
    l4_umword_t gran_offset;
    l4_umword_t map;
} l4_sched_cpu_set_t;

typedef struct l4_sched_param_t {
    l4_sched_cpu_set_t affinity;
    l4_umword_t prio;    /* 1..255 */
    l4_umword_t quantum; /* microseconds; 0: the default */
} l4_sched_param_t;

L4_INLINE l4_sched_cpu_set_t l4_sched_cpu_set(l4_umword_t offset, unsigned char granularity,
                                              l4_umword_t map)
{
    l4_sched_cpu_set_t s = {(l4_umword_t)granularity << 24 | (offset & 0xffffff), map};

    return s;
}

/* Anywhere, with this priority. */
L4_INLINE l4_sched_param_t l4_sched_param(unsigned prio, l4_umword_t quantum)
{
    l4_sched_param_t p = {l4_sched_cpu_set(0, 0xff, 1), prio, quantum};

    return p;
}

/* cpus->gran_offset selects the processors; cpus->map: which are online; cpu_max may be NULL. */
L4_INLINE l4_msgtag_t l4_scheduler_info_u(l4_cap_idx_t scheduler, l4_umword_t *cpu_max,
                                          l4_sched_cpu_set_t *cpus, l4_umword_t *sched_classes,
                                          l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);
    l4_msgtag_t tag;

    m->mr[0] = L4_SCHEDULER_INFO_OP;
    m->mr[1] = cpus->gran_offset;
    tag = l4_ipc_call(scheduler, utcb, l4_msgtag(L4_PROTO_SCHEDULER, 2, 0, 0), L4_IPC_NEVER);
    if (l4_error_u(tag, utcb) < 0)
        return tag;
    cpus->map = m->mr[0];
    if (cpu_max)
        *cpu_max = m->mr[1];
    if (sched_classes)
        *sched_classes = 1UL << 1; /* fixed priorities */
    return tag;
}

L4_INLINE l4_msgtag_t l4_scheduler_info(l4_cap_idx_t scheduler, l4_umword_t *cpu_max,
                                        l4_sched_cpu_set_t *cpus)
{
    return l4_scheduler_info_u(scheduler, cpu_max, cpus, NULL, l4_utcb());
}

/* Set the parameters and make the thread ready (it runs once ex_regs has told it where). */
L4_INLINE l4_msgtag_t l4_scheduler_run_thread_u(l4_cap_idx_t scheduler, l4_cap_idx_t thread,
                                                l4_sched_param_t const *sp, l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);

    m->mr[0] = L4_SCHEDULER_RUN_THREAD_OP;
    m->mr[1] = sp->affinity.gran_offset;
    m->mr[2] = sp->affinity.map;
    m->mr[3] = sp->prio;
    m->mr[4] = sp->quantum;
    __l4_add_obj_item(m, 5, thread);
    return l4_ipc_call(scheduler, utcb, l4_msgtag(L4_PROTO_SCHEDULER, 5, 1, 0), L4_IPC_NEVER);
}

L4_INLINE l4_msgtag_t l4_scheduler_run_thread(l4_cap_idx_t scheduler, l4_cap_idx_t thread,
                                              l4_sched_param_t const *sp)
{
    return l4_scheduler_run_thread_u(scheduler, thread, sp, l4_utcb());
}

/* *us: microseconds that these processors had nothing to do. */
L4_INLINE l4_msgtag_t l4_scheduler_idle_time_u(l4_cap_idx_t scheduler,
                                               l4_sched_cpu_set_t const *cpus,
                                               l4_kernel_clock_t *us, l4_utcb_t *utcb)
{
    l4_msg_regs_t *m = l4_utcb_mr_u(utcb);
    l4_msgtag_t tag;

    m->mr[0] = L4_SCHEDULER_IDLE_TIME_OP;
    m->mr[1] = cpus->gran_offset;
    m->mr[2] = cpus->map;
    tag = l4_ipc_call(scheduler, utcb, l4_msgtag(L4_PROTO_SCHEDULER, 3, 0, 0), L4_IPC_NEVER);
    if (l4_error_u(tag, utcb) >= 0)
        *us = m->mr[0];
    return tag;
}

L4_INLINE l4_msgtag_t l4_scheduler_idle_time(l4_cap_idx_t scheduler,
                                             l4_sched_cpu_set_t const *cpus,
                                             l4_kernel_clock_t *us)
{
    return l4_scheduler_idle_time_u(scheduler, cpus, us, l4_utcb());
}

L4_INLINE int l4_scheduler_is_online_u(l4_cap_idx_t scheduler, l4_umword_t cpu, l4_utcb_t *utcb)
{
    l4_sched_cpu_set_t s = {cpu, 0};

    return l4_error_u(l4_scheduler_info_u(scheduler, NULL, &s, NULL, utcb), utcb) >= 0 &&
           (s.map & 1);
}

L4_INLINE int l4_scheduler_is_online(l4_cap_idx_t scheduler, l4_umword_t cpu)
{
    return l4_scheduler_is_online_u(scheduler, cpu, l4_utcb());
}
