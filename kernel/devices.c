/*
 * devices.c - the kernel objects that exist once: log, scheduler, debugger
 */
#include "devices.h"

#include "check.h"
#include "factory.h"
#include "gate.h"
#include "io.h"
#include "irq.h"
#include "kassert.h"
#include "klog.h"
#include "kmem.h"
#include "limits.h"
#include "map.h"
#include "sched.h"
#include "task.h"
#include "trace.h"

struct object log_object OBJECT_ALIGNED, scheduler_object OBJECT_ALIGNED;
struct object debugger_object OBJECT_ALIGNED;

enum reap object_never_reap(struct object *o)
{
    (void)o;
    return REAP_LATER;
}

void object_never_release(struct object *o)
{
    (void)o;
}

static long log_read(struct invocation *iv)
{
    uint64_t *mr = iv->utcb->msg.mr;
    unsigned max = mr[0] >> 16 & 0xffff, n = 0;
    char *out = (char *)&mr[1];
    int c = 0;

    while (n < max && n < L4_VCON_READ_SIZE && (c = serial_get()) >= 0)
        out[n++] = (char)c;
    mr[0] = n | (c < 0 ? L4_VCON_READ_STAT_DONE : 0);
    iv->words = 1 + (n + 7) / 8;
    return 0;
}

static long log_invoke(struct invocation *iv)
{
    const uint64_t *mr = iv->utcb->msg.mr;
    uint64_t size;

    if (msgtag_label(iv->tag) != L4_PROTO_LOG)
        return -L4_EBADPROTO;
    if (msgtag_words(iv->tag) < 1)
        return -L4_EMSGTOOSHORT;
    switch (mr[0] & 0xffff) {
    case L4_VCON_WRITE_OP:
        size = mr[1];
        if (msgtag_words(iv->tag) < 2 || size > (msgtag_words(iv->tag) - 2) * 8)
            return -L4_EMSGTOOSHORT;
        klog_write((const char *)&mr[2], size);
        return 0;
    case L4_VCON_READ_OP:
        return log_read(iv);
    case L4_VCON_SET_ATTR_OP:
        return 0;
    case L4_VCON_GET_ATTR_OP:
        iv->utcb->msg.mr[0] = 0;
        iv->utcb->msg.mr[1] = 0;
        iv->utcb->msg.mr[2] = 0;
        iv->words = 3;
        return 0;
    default:
        return -L4_ENOSYS;
    }
}

static long run_thread(struct invocation *iv)
{
    const uint64_t *mr = iv->utcb->msg.mr;
    struct object *o;
    struct thread *t;
    int err;

    if (msgtag_words(iv->tag) < 5)
        return -L4_EMSGTOOSHORT;
    err = item_object(iv, 0, OBJ_THREAD, L4_CAP_FPAGE_S, &o);
    if (err)
        return err;
    t = thread_of(o);
    if (t->state == THREAD_DEAD || mr[3] >= LIMIT_PRIORITIES || !(mr[2] & 1))
        return -L4_EINVAL; /* mr[2]: the set of CPUs; there is one */
    sched_set_priority(t, (unsigned)mr[3]);
    if (mr[4]) {
        t->quantum_us = mr[4] < UINT32_MAX ? (uint32_t)mr[4] : UINT32_MAX;
        t->slice_us = t->quantum_us;
    }
    t->flags |= THREAD_STARTED;
    thread_try_start(t);
    return 0;
}

static long scheduler_invoke(struct invocation *iv)
{
    uint64_t *mr = iv->utcb->msg.mr;

    if (msgtag_label(iv->tag) != L4_PROTO_SCHEDULER)
        return -L4_EBADPROTO;
    if (msgtag_words(iv->tag) < 1)
        return -L4_EMSGTOOSHORT;
    switch (mr[0] & 0xffff) {
    case L4_SCHEDULER_INFO_OP:
        mr[0] = 1;
        mr[1] = 1;
        iv->words = 2;
        return 0;
    case L4_SCHEDULER_RUN_THREAD_OP:
        return run_thread(iv);
    case L4_SCHEDULER_IDLE_TIME_OP:
        mr[0] = cpu0.idle_ticks * TICK_US;
        iv->words = 1;
        return 0;
    default:
        return -L4_ENOSYS;
    }
}

static long counters(struct invocation *iv)
{
    uint64_t *mr = iv->utcb->msg.mr;
    struct object *o = &iv->self->task->obj;
    const struct quota *q;
    const struct task *t;
    int err;

    if (msgtag_items(iv->tag)) {
        err = item_object(iv, 0, OBJ_TASK, 0, &o);
        if (err)
            return err;
    }
    t = task_of(o);
    q = t->space.quota;
    mr[L4_DBG_CNT_PAGE_FAULTS] = t->page_faults;
    mr[L4_DBG_CNT_EXCEPTIONS] = t->exceptions;
    mr[L4_DBG_CNT_IPC_SEND] = t->messages;
    mr[L4_DBG_CNT_INVOCATIONS] = t->invocations;
    mr[L4_DBG_CNT_MAPS] = trace_maps;
    mr[L4_DBG_CNT_PAGES_MAPPED] = t->pages_mapped;
    mr[L4_DBG_CNT_PAGES_UNMAPPED] = t->pages_unmapped;
    mr[L4_DBG_CNT_UNMAPS] = trace_unmaps;
    mr[L4_DBG_CNT_SWITCHES] = 0;
    mr[L4_DBG_CNT_KMEM_USED] = q->used;
    mr[L4_DBG_CNT_KMEM_LIMIT] = q->limit;
    iv->words = L4_DBG_CNT_NUM;
    return 0;
}

static long trace_ring(struct invocation *iv)
{
    enum { RECORDS = (L4_UTCB_GENERIC_DATA_SIZE - 2) * 8 / sizeof(l4_trace_record) };
    uint64_t *mr = iv->utcb->msg.mr;
    uint64_t seq = mr[1];
    unsigned n = trace_read(&seq, (l4_trace_record *)&mr[2], RECORDS);

    mr[0] = seq;
    mr[1] = n;
    iv->words = 2 + n * sizeof(l4_trace_record) / 8;
    return 0;
}

static long object_id(struct invocation *iv)
{
    unsigned at = msgtag_words(iv->tag);
    const struct cap *c;

    if (!msgtag_items(iv->tag))
        return -L4_EMSGMISSARG;
    c = cap_slot(iv->self->task, iv->utcb->msg.mr[at + 1] & ~0xfffUL);
    if (!c || !c->ref)
        return -L4_ENOENT;
    iv->utcb->msg.mr[0] = cap_object(c)->id;
    iv->words = 1;
    return 0;
}

static long debugger_invoke(struct invocation *iv)
{
    uint64_t *mr = iv->utcb->msg.mr;

    if (msgtag_label(iv->tag) != L4_PROTO_DEBUGGER)
        return -L4_EBADPROTO;
    if (msgtag_words(iv->tag) < 1)
        return -L4_EMSGTOOSHORT;
    switch (mr[0] & 0xffff) {
    case L4_DEBUGGER_GLOBAL_ID_OP:
        return object_id(iv);
    case L4_DBG_COUNTERS_OP:
        return counters(iv);
    case L4_DBG_TRACE_CTL_OP:
        trace_control(mr[1] != 0, mr[1] == 2);
        return 0;
    case L4_DBG_TRACE_READ_OP:
        return trace_ring(iv);
    case L4_DBG_SHUTDOWN_OP:
        machine_off((unsigned)(mr[1] > 100 ? 100 : mr[1]));
    case L4_DBG_KMEM_OP:
        kmem_stats(&mr[0], &mr[1], &mr[2]);
        iv->words = 3;
        return 0;
    case L4_DBG_CHECK_OP:
        return check_all();
    case L4_DBG_KMEM_FAIL_OP:
        kmem_fail_some(mr[1], msgtag_words(iv->tag) > 2 && mr[2] ? mr[2] : 1);
        return 0;
    default:
        return -L4_ENOSYS;
    }
}

static const struct object_ops log_ops = {"log", log_invoke, object_never_reap,
                                          object_never_release};
static const struct object_ops scheduler_ops = {"scheduler", scheduler_invoke, object_never_reap,
                                                object_never_release};
static const struct object_ops debugger_ops = {"debugger", debugger_invoke, object_never_reap,
                                               object_never_release};

const struct object_ops *const object_ops[OBJ_TYPES] = {
    [OBJ_TASK] = &task_ops,         [OBJ_THREAD] = &thread_ops, [OBJ_FACTORY] = &factory_ops,
    [OBJ_GATE] = &gate_ops,         [OBJ_LOG] = &log_ops,       [OBJ_SCHEDULER] = &scheduler_ops,
    [OBJ_DEBUGGER] = &debugger_ops, [OBJ_ICU] = &icu_ops,       [OBJ_IRQ] = &irq_ops,
    [OBJ_SEMAPHORE] = &semaphore_ops,
};
