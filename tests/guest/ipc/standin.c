/*
 * ipc/standin.c - threads that stand in for the thread behind a gate
 */
#include "sets.h"

enum { LABEL = 0x7700, SERVERS = 3 };

static struct child *client, *server[SERVERS];
static l4_cap_idx_t gate;

/* The first server is behind the gate; all may receive from it, the client may call it. */
static void cast(void)
{
    for (unsigned i = 0; i < SERVERS; i++)
        server[i] = child_new();
    client = child_new();
    gate = gate_new(server[0]->thread, LABEL);
    for (unsigned i = 0; i < SERVERS; i++)
        give(server[i], gate, CHILD_CAP(0), L4_CAP_FPAGE_RWS);
    give(client, gate, CHILD_CAP(0), L4_CAP_FPAGE_RW);
}

static struct job *does(struct child *c, unsigned op, l4_cap_idx_t to)
{
    struct job *j = job_new(op, to);

    job_start(c, j);
    return j;
}

static struct job *stands_in(unsigned i)
{
    return does(server[i], L4_SYSF_RECV, CHILD_CAP(0));
}

static struct job *sends(unsigned message)
{
    struct job *j = job_new(L4_SYSF_SEND, CHILD_CAP(0));

    job_words(j, message, 2, 5);
    job_start(client, j);
    return j;
}

static void owner_first(void)
{
    struct job *first, *second;

    cast();
    first = receiver(server[0]);
    second = stands_in(1);
    sends(1);
    expect(first->done && !second->done);
}

static void busy_owner(void)
{
    struct job *second, *third, *next;

    cast();
    second = stands_in(1);
    third = stands_in(2);
    expect(sends(1)->done);
    expect(second->done && !third->done);
    expect_eq(second->got_label, LABEL | L4_CAP_FPAGE_W);
    expect_eq(second->got[1], WORD(1, 1));
    next = receiver(server[1]);
    sends(2);
    expect(next->done && !third->done); /* the gate is the second's now */
    sends(3);
    expect(third->done);
}

static void queued_before(void)
{
    struct child *other;
    struct job *a, *b, *s, *next;

    cast();
    other = child_new();
    give(other, gate, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    a = sends(1);
    b = job_new(L4_SYSF_SEND, CHILD_CAP(0));
    job_words(b, 2, 2, 5);
    job_start(other, b);
    expect(!a->done && !b->done);
    s = stands_in(1);
    next = receiver(server[1]);
    expect(a->done && b->done && s->done && next->done);
    expect_eq(s->got[0], WORD(1, 0));
    expect_eq(next->got[0], WORD(2, 0));
}

static void owner_dies(void)
{
    struct job *s;

    cast();
    s = stands_in(1);
    expect_eq(destroy(server[0]->thread), 0);
    expect(!s->done);
    sends(1);
    expect(s->done);
    expect_eq(s->got_label, LABEL | L4_CAP_FPAGE_W);
}

static void calls_are_answered(void)
{
    struct job *s, *answer, *call;

    cast();
    s = stands_in(1);
    call = does(client, L4_SYSF_CALL, CHILD_CAP(0));
    expect(s->done && !call->done);
    answer = does(server[1], L4_SYSF_REPLY | L4_SYSF_SEND, L4_INVALID_CAP);
    expect(answer->done && call->done);
    expect_eq(call->got_error, 0);
}

static void bound_again(void)
{
    struct job *s, *waits, *queued;

    cast();
    queued = sends(1);
    expect_eq(l4_error(l4_rcv_ep_bind_thread(gate, server[1]->thread, LABEL)), 0);
    waits = receiver(server[1]); /* who queues for the thread before queues for the new one */
    expect(queued->done && waits->done);
    s = stands_in(2);
    expect(!s->done);
    sends(2);
    expect(s->done);
}

static void leaves(void)
{
    struct job *s = job_new(L4_SYSF_RECV, CHILD_CAP(0)), *t, *r;

    cast();
    s->timeout = receive_within(3 * TICK_US);
    job_start(server[1], s);
    l4_ipc_sleep_ms(10);
    expect(s->done);
    expect_eq(s->got_error, L4_IPC_RETIMEOUT);
    t = stands_in(1);
    expect_eq(l4_error(l4_thread_ex_regs(server[1]->thread, ~0UL, ~0UL,
                                         L4_THREAD_EX_REGS_CANCEL)), 0);
    expect_eq(t->got_error, L4_IPC_RECANCELED);
    stands_in(1);
    expect_eq(destroy(server[1]->thread), 0);
    r = stands_in(2);
    sends(1);
    expect(r->done);
}

static void gate_goes(void)
{
    struct job *s;

    cast();
    s = stands_in(1);
    expect_eq(destroy(gate), 0);
    expect(s->done);
    expect_eq(s->got_error, L4_IPC_ENOT_EXISTENT | 1);
}

static void rights(void)
{
    struct job *s;

    cast();
    s = does(client, L4_SYSF_RECV, CHILD_CAP(0));
    expect_eq(s->got_error, L4_IPC_ENOT_EXISTENT | 1);
}

static l4_umword_t owes_an_answer(struct child *c)
{
    l4_kernel_clock_t us;

    expect_eq(l4_error(l4_thread_stats_time(c->thread, &us)), 0);
    return l4_utcb()->msg.mr[1];
}

static void owed_answers(void)
{
    cast();
    receiver(server[0]);
    expect_eq(owes_an_answer(server[0]), 0);
    does(client, L4_SYSF_CALL, CHILD_CAP(0));
    expect_eq(owes_an_answer(server[0]), 1);
    expect_eq(destroy(client->thread), 0);
    expect_eq(owes_an_answer(server[0]), 0);
}

const struct test standin_tests[] = {
    {"a gate's own thread is served first", owner_first},
    {"a message that finds it busy goes to who stands in, and the gate with it", busy_owner},
    {"who stands in late gets the messages that wait, in order", queued_before},
    {"a gate whose thread dies goes over to who stands in", owner_dies},
    {"who stands in answers calls", calls_are_answered},
    {"who queues for a thread follows the gate to another", bound_again},
    {"standing in ends by timeout, cancellation, death", leaves},
    {"and with the gate", gate_goes},
    {"it needs the right to bind the gate", rights},
    {"a thread's statistics say whether it owes an answer", owed_answers},
    {0, 0},
};
