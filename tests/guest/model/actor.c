/*
 * actor.c - one step, done by a thread of one of the tasks
 */
#include "driver.h"

#include <l4/sys/debugger.h>
#include <l4/sys/semaphore.h>

enum { NO_PROTOCOL = 999 };

/* ---- looks ---- */

/* What only an object of this type answers so, and only with these rights. */
static void ask(l4_cap_idx_t slot, unsigned type, struct slot_seen *s)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t counters[L4_DBG_CNT_NUM];

    switch (type) {
    case MODEL_GATE:
        s->answer = l4_error(l4_ipc_call(slot, u, l4_msgtag(0, 0, 0, 0), L4_IPC_NEVER));
        s->a = u->msg.mr[0];
        s->b = u->msg.mr[1];
        break;
    case MODEL_IRQ:
        s->answer = l4_error(l4_irq_detach(slot));
        break;
    case MODEL_THREAD:
        s->answer = l4_error(l4_thread_ex_regs(slot, ~0UL, ~0UL, 0));
        break;
    case MODEL_FACTORY:
        s->answer = l4_error(l4_factory_create(slot, NO_PROTOCOL, L4_INVALID_CAP));
        break;
    case MODEL_TASK:
        s->answer = l4_error(l4_task_unmap(slot, l4_fpage(0, 0, 0), L4_FP_ALL_SPACES));
        if (l4_dbg_counters(L4_BASE_DEBUGGER_CAP, slot, counters) == 0) {
            s->a = counters[L4_DBG_CNT_KMEM_USED];
            s->b = counters[L4_DBG_CNT_KMEM_LIMIT];
        }
        break;
    default:
        break;
    }
}

static void look_at_slots(struct look *l)
{
    unsigned last = MODEL_SLOTS;

    for (unsigned i = 0; i < MODEL_SLOTS; i++) {
        struct slot_seen *s = &l->seen.slot[i];

        if (!(l->tried.slots >> i & 1))
            continue;
        s->id = l4_debugger_global_id(slot_of(i));
        s->valid = l4_error(l4_task_cap_valid(CHILD_TASK, slot_of(i)));
        if (last != MODEL_SLOTS)
            s->equal = l4_error(l4_task_cap_equal(CHILD_TASK, slot_of(i), slot_of(last)));
        last = i;
        ask(slot_of(i), l->type[i], s);
    }
}

static void look(unsigned task, struct look *l)
{
    struct seen *seen = &l->seen;

    for (unsigned i = 0; i < MODEL_UNITS; i++) {
        l4_addr_t at = place(task, model_page(i) + model_look_page(&l->tried, i));
        unsigned tried = l->tried.memory[i];
        struct touched t = {0, 1};

        if (tried & SPEC_R)
            t = touch_read(at, 0);
        seen->read[i] = t.value;
        seen->could[i] = t.refused ? 0 : SPEC_R;
        if ((tried & SPEC_W) && !touch_write(at, l->word[i]).refused)
            seen->could[i] |= SPEC_W;
        if ((tried & SPEC_X) && !touch_run(at, 0).refused)
            seen->could[i] |= SPEC_X;
    }
    for (unsigned i = 0; i < MODEL_PORTS; i++)
        if ((l->tried.ports >> i & 1) && !touch_port(model_port(i), 0).refused)
            seen->ports |= (uint8_t)(1 << i);
    look_at_slots(l);
}

/* ---- operations ---- */

static l4_msgtag_t map(const struct model_op *o, l4_utcb_t *u)
{
    l4_fpage_t fp = flexpage(o, o->from, o->src);

    if (!o->send)
        return l4_task_map(TASK_OF(o->to), TASK_OF(o->from), fp, send_base(o));
    u->msg.mr[0] = send_base(o);
    u->msg.mr[1] = fp.raw;
    return l4_ipc_send(RECEIVER_OF(o->to), u, l4_msgtag(0, 0, 1, 0), L4_IPC_SEND_TIMEOUT_0);
}

static l4_msgtag_t unmap(struct step *s, l4_utcb_t *u)
{
    const struct model_op *o = &s->op;
    l4_fpage_t fp = flexpage(o, o->to, o->dst);
    l4_msgtag_t tag;

    if (o->kind == MODEL_CAP_DELETE)
        fp.raw &= ~(l4_umword_t)L4_FPAGE_RIGHTS_MASK;
    tag = l4_task_unmap(TASK_OF(o->to), fp,
                        o->kind == MODEL_CAP_DELETE ? L4_FP_DELETE_OBJ
                        : o->self                   ? L4_FP_ALL_SPACES
                                                    : L4_FP_OTHER_SPACES);
    s->status = u->msg.mr[0] & L4_FPAGE_RIGHTS_MASK;
    return tag;
}

static l4_msgtag_t create(const struct step *s)
{
    static const long protocols[MODEL_TYPES] = {
        [MODEL_IRQ] = L4_PROTO_IRQ_SENDER, [MODEL_SEMAPHORE] = L4_PROTO_SEMAPHORE,
        [MODEL_THREAD] = L4_PROTO_THREAD,  [MODEL_TASK] = L4_PROTO_TASK};
    const struct model_op *o = &s->op;
    l4_cap_idx_t factory = o->factory == MODEL_SLOTS ? COMMON : slot_of(o->factory);

    if (o->type == MODEL_GATE)
        return l4_factory_create_gate(factory, slot_of(o->dst), SERVER,
                                      GATE_LABEL + 16 * s->object);
    if (o->type == MODEL_FACTORY)
        return l4_factory_create_factory(factory, slot_of(o->dst), o->limit);
    return l4_factory_create(factory, protocols[o->type], slot_of(o->dst));
}

static void touch(struct step *s)
{
    l4_addr_t at = place(s->op.by, model_page(s->op.dst));
    struct touched t = s->op.rights & 1 ? touch_write(at, s->word) : touch_read(at, 0);

    s->status = !t.refused;
}

static l4_msgtag_t operate(struct step *s, l4_utcb_t *u)
{
    const struct model_op *o = &s->op;

    switch (o->kind) {
    case MODEL_MAP:
    case MODEL_CAP_MAP:
    case MODEL_IO_MAP:
        return map(o, u);
    case MODEL_UNMAP:
    case MODEL_CAP_UNMAP:
    case MODEL_IO_UNMAP:
    case MODEL_CAP_DELETE:
        return unmap(s, u);
    case MODEL_CAP_NEW:
        return create(s);
    case MODEL_CAP_USE:
        return o->rights & 1 ? l4_semaphore_up(slot_of(o->dst))
                             : l4_semaphore_down(slot_of(o->dst), L4_IPC_BOTH_TIMEOUT_0);
    case MODEL_TOUCH:
        touch(s);
        break;
    default:
        break;
    }
    return l4_msgtag(0, 0, 0, 0);
}

void act(void *arg)
{
    struct step *s = arg;
    l4_utcb_t *u = l4_utcb();

    if (s->looks_before)
        look(s->op.by, &s->before);
    if (s->acts)
        s->error = l4_error_u(operate(s, u), u);
    if (s->acts && s->op.kind == MODEL_CAP_NEW)
        s->id = l4_debugger_global_id(slot_of(s->op.dst));
    if (s->looks_after)
        look(s->op.by, &s->after);
}
