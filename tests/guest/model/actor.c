/*
 * actor.c - one step, done by a thread of one of the tasks
 */
#include "model.h"

static void look(const struct step *s, struct look *l)
{
    for (unsigned p = 0; p < SPEC_PAGES; p++) {
        l4_addr_t at = s->base + ((l4_addr_t)p << s->order);
        struct touched t = {0, 1};

        l->could[p] = 0;
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
