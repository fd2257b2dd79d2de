/*
 * factory.c - making objects
 *
 * MR0 names the protocol of the new object, typed arguments follow (length << 16 | type, value),
 * the receive item 0 of the caller names the slot. Everything is decoded and checked before
 * anything is made; then at most the allocations can fail.
 */
#include "factory.h"

#include "gate.h"
#include "irq.h"
#include "kassert.h"
#include "map.h"
#include "task.h"
#include "thread.h"

enum { ARGS_MAX = 4 };

struct slab factory_slab;
struct factory root_factory;

/* Decoded words behind MR0. */
struct args {
    unsigned count;
    uint64_t value[ARGS_MAX];
    unsigned type[ARGS_MAX];
};

static inline int item_check(uint32_t ref, uint64_t fp, enum object_type type, unsigned rights,
                             struct object **o)
{
    if (!ref)
        return -L4_ENOENT;
    *o = kptr(ref & ~(uint32_t)CAP_RIGHTS);
    if ((*o)->live_type != type) /* what is dying is not there any more */
        return (*o)->dying ? -L4_ENOENT : -L4_EINVAL;
    return (ref & fp & rights) == rights ? 0 : -L4_EPERM;
}

static __attribute__((noinline)) int item_far(const struct task *t, uint64_t fp,
                                              enum object_type type, unsigned rights,
                                              struct object **o)
{
    const struct cap *c = cap_slot_slow(t, fp >> L4_FPAGE_ADDR_SHIFT);

    return item_check(c ? c->ref : 0, fp, type, rights, o);
}

int item_object(const struct invocation *iv, unsigned i, enum object_type type, unsigned rights,
                struct object **o)
{
    const uint64_t *item = iv->utcb->msg.mr + msgtag_words(iv->tag) + 2 * i;
    const struct task *t = iv->self->task;
    uint64_t fp, slot;

    if (i >= msgtag_items(iv->tag) || !(item[0] & L4_ITEM_MAP))
        return -L4_EMSGMISSARG;
    fp = item[1];
    if ((fp >> L4_FPAGE_TYPE_SHIFT & 3) != L4_FPAGE_OBJ)
        return -L4_EMSGMISSARG;
    slot = fp >> L4_FPAGE_ADDR_SHIFT;
    if (__builtin_expect(slot >= CAPS_PER_PAGE, 0))
        return item_far(t, fp, type, rights, o);
    return item_check(t->caps[index_below(slot, CAPS_PER_PAGE)].ref, fp, type, rights, o);
}

static int decode(const struct invocation *iv, struct args *a)
{
    const uint64_t *mr = iv->utcb->msg.mr;
    unsigned words = msgtag_words(iv->tag);

    a->count = 0;
    for (unsigned i = 1; i < words && a->count < ARGS_MAX;) {
        uint64_t head = mr[i];
        unsigned len = (unsigned)((head >> 16 & 0xffff) + 7) / 8;

        if (len > words - i - 1)
            return -L4_EMSGTOOSHORT;
        a->type[a->count] = head & 0xff;
        a->value[a->count++] = len ? mr[i + 1] : 0;
        i += 1 + len;
    }
    return 0;
}

static struct object *make_task(struct invocation *iv, struct args *a, int *err)
{
    l4_fpage_t area = {0};
    struct task *t;

    if (a->count && a->type[0] == L4_VARG_TYPE_FPAGE)
        area.raw = a->value[0];
    *err = INVOKE_AGAIN;
    if (!task_ku_mem_ready(area))
        return NULL;
    t = task_create(iv->obj, area, err);
    if (t) {
        iv->utcb->msg.mr[0] = area.raw;
        iv->words = 1;
    }
    return t ? &t->obj : NULL;
}

static struct object *make_thread(struct invocation *iv, struct args *a, int *err)
{
    struct thread *t = thread_create(iv->obj);

    (void)a;
    *err = -L4_ENOMEM;
    return t ? &t->obj : NULL;
}

static struct object *make_factory(struct invocation *iv, struct args *a, int *err)
{
    struct quota *q = object_quota(iv->obj);
    struct factory *f;

    *err = -L4_EINVAL;
    if (a->count < 1 || a->type[0] != L4_VARG_TYPE_UMWORD)
        return NULL;
    *err = -L4_ENOMEM;
    f = slab_alloc(&factory_slab, q);
    if (!f)
        return NULL;
    if (!quota_take(q, a->value[0])) {
        slab_free(&factory_slab, q, f);
        return NULL;
    }
    object_init(&f->obj, OBJ_FACTORY, iv->obj);
    f->quota = (struct quota){.limit = a->value[0], .parent = q};
    return &f->obj;
}

static struct object *make_gate(struct invocation *iv, struct args *a, int *err)
{
    struct object *t = NULL;
    struct gate *g;

    if (msgtag_items(iv->tag)) {
        *err = item_object(iv, 0, OBJ_THREAD, L4_CAP_FPAGE_S, &t);
        if (*err == 0 && thread_of(t)->state == THREAD_DEAD)
            *err = -L4_EINVAL;
        if (*err)
            return NULL;
    }
    *err = -L4_ENOMEM;
    g = gate_create(iv->obj, a->count ? a->value[0] : 0, t ? thread_of(t) : NULL);
    return g ? &g->obj : NULL;
}

static struct object *make_irq(struct invocation *iv, struct args *a, int *err)
{
    bool semaphore = (long)iv->utcb->msg.mr[0] == L4_PROTO_SEMAPHORE;
    struct irq *i = irq_create(iv->obj, semaphore ? OBJ_SEMAPHORE : OBJ_IRQ);

    (void)a;
    *err = -L4_ENOMEM;
    return i ? &i->ep.obj : NULL;
}

static const struct maker {
    long protocol;
    struct object *(*make)(struct invocation *iv, struct args *a, int *err);
} makers[] = {
    {L4_PROTO_TASK, make_task},       {L4_PROTO_THREAD, make_thread},
    {L4_PROTO_FACTORY, make_factory}, {L4_PROTO_NONE, make_gate},
    {L4_PROTO_IRQ, make_irq},         {L4_PROTO_IRQ_SENDER, make_irq},
    {L4_PROTO_SEMAPHORE, make_irq},
};

/* The slot that the caller's first object receive item names. */
static int target_slot(const struct invocation *iv, uint64_t *slot)
{
    const l4_buf_regs_t *buf = &iv->utcb->buf;
    unsigned i = buf->bdr >> 10 & 31;
    uint64_t word = buf->br[i];

    if ((word & L4_RCV_ITEM_SINGLE_CAP) == L4_RCV_ITEM_SINGLE_CAP)
        *slot = word >> L4_CAP_SHIFT;
    else if ((word & L4_ITEM_MAP) && (buf->br[i + 1] >> L4_FPAGE_TYPE_SHIFT & 3) == L4_FPAGE_OBJ)
        *slot = buf->br[i + 1] >> L4_FPAGE_ADDR_SHIFT;
    else
        return -L4_EMSGMISSARG;
    return *slot < L4_CAP_SLOTS ? 0 : -L4_EINVAL;
}

/* Undo an object that could not be entered: it has no capability yet. */
static void unmake(struct object *o)
{
    object_die(o);
}

static long factory_invoke(struct invocation *iv)
{
    const struct maker *m = makers, *end = makers + sizeof(makers) / sizeof(makers[0]);
    struct object *o;
    struct args args;
    uint64_t slot;
    struct cap *c;
    int err = 0;

    if (msgtag_label(iv->tag) != L4_PROTO_FACTORY)
        return -L4_EBADPROTO;
    if (msgtag_words(iv->tag) < 1)
        return -L4_EMSGTOOSHORT;
    while (m < end && m->protocol != (long)iv->utcb->msg.mr[0])
        m++;
    if (m == end)
        return -L4_ENODEV;
    if ((err = decode(iv, &args)) != 0 || (err = target_slot(iv, &slot)) != 0)
        return err;
    c = cap_slot(iv->self->task, slot << L4_CAP_SHIFT);
    if (c && c->node && !cap_revoke(c))
        return INVOKE_AGAIN;
    o = m->make(iv, &args, &err);
    if (!o)
        return err;
    err = cap_enter_root(iv->self->task, slot, o, L4_CAP_FPAGE_RWSD);
    if (err) {
        iv->words = 0;
        unmake(o);
    }
    return err;
}

void factory_user_gone(struct factory *f)
{
    kassert(f->users > 0);
    if (--f->users == 0 && f->obj.refs == 0)
        object_die(&f->obj);
}

static enum reap factory_reap(struct object *o)
{
    return factory_of(o)->users ? REAP_LATER : REAP_DONE;
}

static void factory_release(struct object *o)
{
    struct factory *f = factory_of(o);
    struct quota *parent = f->quota.parent;

    kassert(f->quota.used == 0);
    quota_give(parent, f->quota.limit);
    slab_free(&factory_slab, parent, f);
}

const struct object_ops factory_ops = {"factory", factory_invoke, factory_reap, factory_release};
