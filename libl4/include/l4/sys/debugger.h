/*
 * l4/sys/debugger.h - names and identities of kernel objects; counters, trace, power off
 *
 * l4_debugger_* as in L4Re, through L4_BASE_DEBUGGER_CAP. l4_dbg_* are Quire's own and take the
 * debugger capability (L4_BASE_DEBUGGER_CAP, or the one named "debugger" in the environment).
 */
#pragma once

#include <abi/trace.h>

#include <l4/sys/ipc.h>
#include <l4/sys/kernel_object.h>

/* A name for reports and traces; cut to what fits a message. */
L4_INLINE l4_msgtag_t l4_debugger_set_object_name_u(l4_cap_idx_t cap, const char *name,
                                                    l4_utcb_t *utcb)
{
    char *dst = (char *)&utcb->msg.mr[1];
    unsigned max = 8 * (L4_UTCB_GENERIC_DATA_SIZE - 4);
    unsigned n = 0;

    utcb->msg.mr[0] = L4_DEBUGGER_NAME_SET_OP;
    for (; n < max && name[n]; n++)
        dst[n] = name[n];
    dst[n] = 0;
    return l4_invoke_debugger(cap, l4_msgtag(0, 1 + l4_bytes_to_mwords(n + 1), 0, 0), utcb);
}

L4_INLINE l4_msgtag_t l4_debugger_set_object_name(l4_cap_idx_t cap, const char *name)
{
    return l4_debugger_set_object_name_u(cap, name, l4_utcb());
}

/* ~0: no such object, or no debugger. */
L4_INLINE unsigned long l4_debugger_global_id_u(l4_cap_idx_t cap, l4_utcb_t *utcb)
{
    utcb->msg.mr[0] = L4_DEBUGGER_GLOBAL_ID_OP;
    if (l4_error_u(l4_invoke_debugger(cap, l4_msgtag(0, 1, 0, 0), utcb), utcb) < 0)
        return ~0UL;
    return utcb->msg.mr[0];
}

L4_INLINE unsigned long l4_debugger_global_id(l4_cap_idx_t cap)
{
    return l4_debugger_global_id_u(cap, l4_utcb());
}

L4_INLINE l4_msgtag_t __l4_dbg_call(l4_cap_idx_t dbg, l4_umword_t op, l4_umword_t arg)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = op;
    u->msg.mr[1] = arg;
    return l4_ipc_call(dbg, u, l4_msgtag(L4_PROTO_DEBUGGER, 2, 0, 0), L4_IPC_NEVER);
}

/* Power off with an exit status of 0..127. Returns only if the capability does not allow it. */
L4_INLINE long l4_dbg_shutdown(l4_cap_idx_t dbg, unsigned status)
{
    return l4_error(__l4_dbg_call(dbg, L4_DBG_SHUTDOWN_OP, status));
}

/* Counters of a task, or of the machine (task invalid): L4_DBG_CNT_NUM words. */
L4_INLINE long l4_dbg_counters(l4_cap_idx_t dbg, l4_cap_idx_t task,
                               l4_umword_t counters[L4_DBG_CNT_NUM])
{
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag = l4_msgtag(L4_PROTO_DEBUGGER, 1, 0, 0);
    long err;

    u->msg.mr[0] = L4_DBG_COUNTERS_OP;
    if (l4_is_valid_cap(task)) {
        __l4_add_obj_item(&u->msg, 1, task);
        tag.raw += 1 << L4_MSGTAG_ITEMS_SHIFT;
    }
    err = l4_error(l4_ipc_call(dbg, u, tag, L4_IPC_NEVER));
    if (err >= 0)
        __builtin_memcpy(counters, u->msg.mr, L4_DBG_CNT_NUM * sizeof(l4_umword_t));
    return err;
}

/* mode 0 off, 1 on, 2 on and emptied. */
L4_INLINE long l4_dbg_trace_ctl(l4_cap_idx_t dbg, unsigned mode)
{
    return l4_error(__l4_dbg_call(dbg, L4_DBG_TRACE_CTL_OP, mode));
}

enum { L4_DBG_TRACE_READ_MAX = (L4_UTCB_GENERIC_DATA_SIZE - 2) / 4 };

/*
 * Up to L4_DBG_TRACE_READ_MAX records from number *next on; *next is advanced. Returns how many,
 * 0 at the end, or -L4_E...
 */
L4_INLINE long l4_dbg_trace_read(l4_cap_idx_t dbg, l4_umword_t *next,
                                 l4_trace_record records[L4_DBG_TRACE_READ_MAX])
{
    l4_utcb_t *u = l4_utcb();
    long err = l4_error(__l4_dbg_call(dbg, L4_DBG_TRACE_READ_OP, *next));
    unsigned long n = u->msg.mr[1];

    if (err < 0)
        return err;
    if (n > L4_DBG_TRACE_READ_MAX)
        n = L4_DBG_TRACE_READ_MAX;
    *next = u->msg.mr[0];
    __builtin_memcpy(records, &u->msg.mr[2], n * sizeof(l4_trace_record));
    return (long)n;
}

/* Kernel memory in bytes; each pointer may be NULL. */
L4_INLINE long l4_dbg_kmem(l4_cap_idx_t dbg, l4_umword_t *total, l4_umword_t *free,
                           l4_umword_t *low_water)
{
    l4_utcb_t *u = l4_utcb();
    long err = l4_error(__l4_dbg_call(dbg, L4_DBG_KMEM_OP, 0));

    if (err < 0)
        return err;
    if (total)
        *total = u->msg.mr[0];
    if (free)
        *free = u->msg.mr[1];
    if (low_water)
        *low_water = u->msg.mr[2];
    return 0;
}

/* Let the kernel check its invariants: 0, -L4_EINVAL, or -L4_ENOSYS (built without checks). */
L4_INLINE long l4_dbg_check(l4_cap_idx_t dbg)
{
    return l4_error(__l4_dbg_call(dbg, L4_DBG_CHECK_OP, 0));
}

/* The n-th allocation of kernel memory from now on fails, and those behind it, `count` in all;
 * n = 0: none. The kernel first gives back to its pool what it keeps aside for speed. */
L4_INLINE long l4_dbg_kmem_fail(l4_cap_idx_t dbg, l4_umword_t n, l4_umword_t count)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = L4_DBG_KMEM_FAIL_OP;
    u->msg.mr[1] = n;
    u->msg.mr[2] = count;
    return l4_error(l4_ipc_call(dbg, u, l4_msgtag(L4_PROTO_DEBUGGER, 3, 0, 0), L4_IPC_NEVER));
}
