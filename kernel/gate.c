/*
 * gate.c - IPC gates (the invariants are in gate.h)
 */
#include "gate.h"

#include "factory.h"
#include "ipc.h"
#include "irq.h"
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
    list_init(&g->waiting);
    list_init(&g->in_thread);
    if (t)
        list_add(&t->gates, &g->in_thread);
    return g;
}

/* Who queues sends anew: the capability is looked up again. */
static void senders_again(struct link *queue)
{
    for (struct link *l = queue->next, *next; l != queue; l = next) {
        struct thread *s = container_of(l, struct thread, link);

        next = l->next;
        if (irq_of_sender(l))
            continue;
        list_del(l);
        timeout_cancel(s);
        s->state = THREAD_READY;
        fault_or_call_again(s);
        sched_ready(s);
    }
}

void gate_bind(struct gate *g, struct thread *t)
{
    struct link *queue = g->thread ? &g->thread->senders : &g->waiting;

    if (g->thread == t)
        return;
    list_del(&g->in_thread);
    g->thread = t;
    list_add(&t->gates, &g->in_thread);
    senders_again(queue);
}

void gate_pass_on(struct gate *g)
{
    struct thread *t;

    if (list_empty(&g->waiting))
        return;
    t = container_of(g->waiting.next, struct thread, link);
    list_del(&t->link);
    t->state = THREAD_RECV_ANY_SLOW;
    gate_bind(g, t);
}

bool gate_stand_in(struct gate *g, struct thread *t)
{
    if (g->thread && g->thread != t && list_empty(&g->thread->senders)) {
        ipc_wait_in(t, &g->waiting);
        return false;
    }
    gate_bind(g, t);
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
    g->label = mr[1] & ~3UL;
    gate_bind(g, thread_of(o));
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
    gate_pass_on(g);
    if (g->thread == t) {
        list_del(&g->in_thread);
        g->thread = NULL;
    }
    return true;
}

static enum reap gate_reap(struct object *o)
{
    struct gate *g = gate_of(o);

    if (g->thread) /* nobody is heard through it any more: the server may use the label again */
        senders_again(&g->thread->senders);
    list_del(&g->in_thread);
    g->thread = NULL;
    if (list_empty(&g->waiting))
        return REAP_DONE;
    thread_abort_ipc(container_of(g->waiting.next, struct thread, link), L4_IPC_ENOT_EXISTENT);
    return REAP_MORE;
}

static void gate_release(struct object *o)
{
    slab_free(&gate_slab, object_quota(kptr(o->factory)), o);
}

const struct object_ops gate_ops = {"gate", gate_invoke, gate_reap, gate_release};
