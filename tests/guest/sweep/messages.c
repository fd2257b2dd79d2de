/*
 * sweep/messages.c - first operations that are messages with items, and their other ends
 */
#include "sweep.h"

#include "messages.h"

#define D_FIRST CHILD_CAP(0)
#define D_SELF CHILD_CAP(1)

enum { CROWD_UTCB = 2, ANSWERS = 3 };

static void put_item(unsigned mr, bool second_area, unsigned char give_rights, unsigned grant)
{
    l4_utcb_t *u = l4_utcb();
    enum kind k = sweep_first->kind;

    u->msg.mr[mr] = l4_map_control(0, 0, (unsigned char)grant);
    u->msg.mr[mr + 1] = fpage_of(k, second_area, give_rights).raw;
}

static void open_window(bool second_area)
{
    l4_utcb_t *u = l4_utcb();
    enum kind k = sweep_first->kind;

    u->buf.bdr = 0;
    u->buf.br[0] = L4_ITEM_MAP;
    u->buf.br[1] = fpage_of(k, second_area, 0).raw;
    u->buf.br[2] = 0;
}

/* Error, or label and what was said of the item behind one word. */
static l4_umword_t received(l4_msgtag_t tag)
{
    if (l4_msgtag_has_error(tag))
        return code(tag);
    return 0x100 | (l4_utcb()->msg.mr[1] & L4_ITEM_RET_MASK) | l4_msgtag_items(tag) << 4;
}

l4_umword_t send_items(void)
{
    l4_utcb()->msg.mr[0] = 0x1234;
    put_item(1, false, L4_FPAGE_RW, 0);
    return code(l4_ipc_send(S_GATE, l4_utcb(), l4_msgtag(0, 1, 1, 0), L4_IPC_NEVER));
}

l4_umword_t call_granting(void)
{
    l4_utcb()->msg.mr[0] = 0x1234;
    put_item(1, false, L4_FPAGE_RO, L4_MAP_ITEM_GRANT);
    return code(l4_ipc_call(S_GATE, l4_utcb(), l4_msgtag(0, 1, 1, 0), L4_IPC_NEVER));
}

l4_umword_t receive_items(void)
{
    l4_umword_t label;

    open_window(true);
    return received(l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER));
}

l4_umword_t fault(void)
{
    struct touched t = touch_read(AREA_B, 0);

    return t.refused ? REFUSED : t.value;
}

/* The partner: one message into the window of area A. */
static void receive_one(bool answer)
{
    l4_umword_t label;

    open_window(false);
    w.result[PARTNER] = received(l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER));
    if (answer)
        w.result[FURTHER] = code(l4_ipc(L4_INVALID_CAP, l4_utcb(), L4_SYSF_SEND | L4_SYSF_REPLY, 0,
                                        l4_msgtag(7, 0, 0, 0), &label, L4_IPC_SEND_TIMEOUT_0));
}

void receive(void *unused)
{
    (void)unused;
    receive_one(false);
}

void answer(void *unused)
{
    (void)unused;
    receive_one(true);
}

void send_to_first(void *unused)
{
    (void)unused;
    l4_utcb()->msg.mr[0] = 0x1234;
    put_item(1, false, L4_FPAGE_RW, 0);
    w.result[PARTNER] = code(l4_ipc_send(D_FIRST, l4_utcb(), l4_msgtag(0, 1, 1, 0), L4_IPC_NEVER));
}

/* A pager: a fault may come again, when its page went before it was used. Not for ever: when there
 * is nothing to give, whoever asks again and again is left waiting. */
void answer_fault(void *unused)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);

    (void)unused;
    for (unsigned i = 0; i < ANSWERS && l4_msgtag_is_page_fault(tag); i++) {
        u->msg.mr[0] = l4_map_control(AREA_B, 0, 0);
        u->msg.mr[1] = fpage_of(MEMORY, false, L4_FPAGE_RW).raw;
        tag = l4_ipc_reply_and_wait(u, l4_msgtag(0, 0, 1, 0), &label, L4_IPC_NEVER);
        while (l4_msgtag_has_error(tag))
            tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);
    }
    w.result[PARTNER] = code(tag);
}

void prepare_sender(void)
{
    prepare_dest();
    give(w.partner, w.first->thread, D_FIRST, L4_CAP_FPAGE_RW);
}

void prepare_fault(void)
{
    prepare_dest();
    expect_eq(child_handlers(w.first, S_GATE, ~0UL), 0);
}

static void call_partner(void *number)
{
    unsigned long i = (unsigned long)number;

    w.result[FURTHER + i] = code(l4_ipc_call(S_GATE, l4_utcb(), l4_msgtag(0, 1, 0, 0),
                                             L4_IPC_NEVER));
}

static void receive_from_partner(void *number)
{
    unsigned long i = (unsigned long)number;

    w.result[FURTHER + i] = code(l4_ipc_receive(D_SELF, l4_utcb(), L4_IPC_NEVER));
}

void prepare_crowd(void)
{
    prepare_plain();
    give(w.partner, w.partner->thread, D_SELF, L4_CAP_FPAGE_RW);
    for (unsigned long i = 0; i < RESULTS - FURTHER; i++)
        child_run(child_thread(i < 2 ? w.first : w.partner, CROWD_UTCB + i % 2),
                  i < 2 ? call_partner : receive_from_partner, (void *)i);
}
