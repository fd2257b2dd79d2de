/*
 * gate.c - IPC gates (the invariants are in gate.h)
 */
#include "gate.h"

#include "factory.h"
#include "ipc.h"
#include "kassert.h"
#include "map.h"
#include "sched.h"
#include "task.h"

struct slab gate_slab;

struct gate *gate_create(struct object *factory, uint64_t label, struct thread *t)
{
    struct gate *g = slab_alloc(&gate_slab, object_quota(factory));

    if (!g)
        return NULL;
    object_init(&g->obj, OBJ_GATE, factory);
    g->label = label & ~3UL;
    g->thread = t;
    list_init(&g->senders);
    list_init(&g->in_thread);
    if (t)
        list_add(&t->gates, &g->in_thread);
    return g;
}

/* The threads that waited for a thread behind the gate try again: one a step. */
static bool wake_one(struct gate *g, unsigned error)
{
    struct thread *t;

    if (list_empty(&g->senders))
        return false;
    t = container_of(g->senders.next, struct thread, link);
    list_del(&t->link);
    timeout_cancel(t);
    if (error) {
        ipc_fail(t, error);
    } else {
        t->state = THREAD_READY;
        fault_or_call_again(t);
        sched_ready(t);
    }
    return true;
}

static long bind(struct invocation *iv)
{
    struct gate *g = gate_of(iv->obj);
    const uint64_t *mr = iv->utcb->msg.mr;
    struct object *o;
    int err;

    if (!(iv->rights & L4_CAP_FPAGE_S))
        return -L4_EPERM;
    if (msgtag_words(iv->tag) < 2)
        return -L4_EMSGTOOSHORT;
    err = item_object(iv, 0, OBJ_THREAD, L4_CAP_FPAGE_S, &o);
    if (err)
        return err;
    if (thread_of(o)->state == THREAD_DEAD)
        return -L4_EINVAL;
    list_del(&g->in_thread);
    g->label = mr[1] & ~3UL;
    g->thread = thread_of(o);
    list_add(&g->thread->gates, &g->in_thread);
    while (wake_one(g, 0))
        ;
    return 0;
}

static long gate_invoke(struct invocation *iv)
{
    if (msgtag_label(iv->tag) != L4_PROTO_KOBJECT)
        return -L4_EBADPROTO;
    if (msgtag_words(iv->tag) < 1)
        return -L4_EMSGTOOSHORT;
    switch (iv->utcb->msg.mr[0] & 0xffff) {
    case L4_RCV_EP_BIND_OP:
        return bind(iv);
    case L4_IPC_GATE_GET_INFO_OP:
        if (!(iv->rights & L4_CAP_FPAGE_S))
            return -L4_EPERM;
        iv->utcb->msg.mr[0] = gate_of(iv->obj)->label;
        iv->words = 1;
        return 0;
    default:
        return -L4_ENOSYS;
    }
}

bool gate_unbind_one(struct thread *t)
{
    struct gate *g;

    if (list_empty(&t->gates))
        return false;
    g = container_of(t->gates.next, struct gate, in_thread);
    list_del(&g->in_thread);
    g->thread = NULL;
    return true;
}

static enum reap gate_reap(struct object *o)
{
    struct gate *g = gate_of(o);

    list_del(&g->in_thread);
    return wake_one(g, L4_IPC_ENOT_EXISTENT) ? REAP_MORE : REAP_DONE;
}

static void gate_release(struct object *o)
{
    slab_free(&gate_slab, object_quota(kptr(o->factory)), o);
}

const struct object_ops gate_ops = {"gate", gate_invoke, gate_reap, gate_release};
