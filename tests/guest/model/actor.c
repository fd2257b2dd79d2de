/*
 * actor.c - one step, done by a thread of one of the tasks
 */
#include "model.h"

/* A capability is called: the server behind the gate tells label and rights. */
static void look_at_slot(l4_cap_idx_t slot, struct look *l, unsigned p)
{
    l4_utcb_t *u = l4_utcb();

    if (l4_msgtag_has_error(l4_ipc_call(slot, u, l4_msgtag(0, 0, 0, 0), L4_IPC_NEVER)))
        return;
    l->could[p] = (uint8_t)(CAN_READ | u->msg.mr[1]);
    l->read[p] = u->msg.mr[0];
}

static void look(const struct step *s, struct look *l)
{
    for (unsigned p = 0; p < SPEC_PAGES; p++) {
        l4_addr_t at = s->base + ((l4_addr_t)p << s->order);
        struct touched t = {0, 1};

        l->could[p] = 0;
        if (!l->tried[p])
            continue;
        if (s->universe == SLOTS) {
            look_at_slot(at, l, p);
            continue;
        }
        if (s->universe == PORTS) {
            l->could[p] = touch_port(at, 0).refused ? 0 : CAN_READ;
            continue;
        }
        if (l->tried[p] & CAN_READ)
            t = touch_read(at, 0);
        l->read[p] = t.value;
        l->could[p] |= t.refused ? 0 : CAN_READ;
        if ((l->tried[p] & CAN_WRITE) && !touch_write(at, l->write[p]).refused)
            l->could[p] |= CAN_WRITE;
        if ((l->tried[p] & CAN_RUN) && !touch_run(at, 0).refused)
            l->could[p] |= CAN_RUN;
    }
}

void act(void *arg)
{
    struct step *s = arg;
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag = l4_msgtag(0, 0, 0, 0);

    look(s, &s->before);
    switch (s->kind) {
    case STEP_MAP:
        tag = l4_task_map(s->to, s->from, (l4_fpage_t){s->fpage}, s->item);
        break;
    case STEP_SEND:
        u->msg.mr[0] = s->item;
        u->msg.mr[1] = s->fpage;
        tag = l4_ipc_send(s->to, u, l4_msgtag(0, 0, 1, 0), L4_IPC_SEND_TIMEOUT_0);
        break;
    case STEP_UNMAP:
        tag = l4_task_unmap(s->to, (l4_fpage_t){s->fpage}, s->mask);
        s->answer = u->msg.mr[0];
        break;
    case STEP_LOOK:
        break;
    }
    s->error = l4_error_u(tag, u);
    look(s, &s->after);
}
