/*
 * ipc/errors.c - the exact error of every way in which an IPC can fail
 *
 * An error of the send phase is even, the same of the receive phase is one more.
 */
#include "sets.h"

enum { LABEL = 0x9900 };

/* A child whose thread sleeps, so that messages to it have to wait. */
static struct child *sleeper(void)
{
    struct child *c = child_new();

    job_start(c, job_new(L4_SYSF_RECV, L4_INVALID_CAP));
    return c;
}

static struct job *started(struct child *c, unsigned op, l4_cap_idx_t to)
{
    struct job *j = job_new(op, to);

    job_start(c, j);
    return j;
}

static void void_capabilities(void)
{
    static const l4_cap_idx_t none[] = {CHILD_CAP(9), CHILD_CAP(300), CHILD_CAP(700), 0,
                                        (L4_CAP_SLOTS - 1) << L4_CAP_SHIFT,
                                        L4_CAP_SLOTS << L4_CAP_SHIFT, 0x7ffffffffffff000UL};
    struct child *c = child_new();

    for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        struct job *s = started(c, L4_SYSF_SEND, none[i]);
        struct job *call = started(c, L4_SYSF_CALL, none[i]);
        struct job *r = started(c, L4_SYSF_RECV, none[i]);

        expect_eq(s->got_error, L4_IPC_ENOT_EXISTENT);
        expect_eq(call->got_error, L4_IPC_ENOT_EXISTENT);
        expect_eq(r->got_error, L4_IPC_ENOT_EXISTENT | 1);
        jobs_reset();
    }
}

static void dead_thread(void)
{
    struct child *a = child_new(), *b = sleeper();
    struct job *s, *r;

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    expect_eq(destroy(b->thread), 0);
    s = started(a, L4_SYSF_SEND, CHILD_CAP(0));
    r = started(a, L4_SYSF_RECV, CHILD_CAP(0));
    expect_eq(s->got_error, L4_IPC_ENOT_EXISTENT);
    expect_eq(r->got_error, L4_IPC_ENOT_EXISTENT | 1);
}

/* A gate whose thread has died is a gate without thread: a new one may take over. */
static void gate_outlives_thread(void)
{
    struct child *a = child_new(), *b = sleeper(), *c = child_new();
    l4_cap_idx_t gate = gate_new(b->thread, LABEL);
    struct job *s, *r;

    give(a, gate, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    expect_eq(destroy(b->thread), 0);
    s = started(a, L4_SYSF_SEND, CHILD_CAP(0));
    expect(!s->done);
    r = receiver(c);
    expect_eq(l4_error(l4_rcv_ep_bind_thread(gate, c->thread, LABEL)), 0);
    expect(s->done && r->done);
    expect_eq(s->got_error, 0);
}

static void queued_sender_and_dying_receiver(void)
{
    struct child *a = child_new(), *b = sleeper(), *c = child_new();
    l4_cap_idx_t gate = gate_new(b->thread, LABEL);
    struct job *s, *call;

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    give(c, gate, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    s = started(a, L4_SYSF_SEND, CHILD_CAP(0));
    call = started(c, L4_SYSF_CALL, CHILD_CAP(0));
    expect(!s->done && !call->done);
    expect_eq(destroy(b->thread), 0);
    expect(s->done && call->done);
    expect_eq(s->got_error, L4_IPC_ENOT_EXISTENT);
    expect_eq(call->got_error, L4_IPC_ENOT_EXISTENT);
}

static void caller_and_dying_server(void)
{
    struct child *a = child_new(), *b = child_new();
    struct job *r = receiver(b), *call;

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    call = started(a, L4_SYSF_CALL, CHILD_CAP(0));
    expect(r->done && !call->done);
    expect_eq(destroy(b->thread), 0);
    expect(call->done);
    expect_eq(call->got_error, L4_IPC_ENOT_EXISTENT | 1);
}

static void receiver_and_dying_partner(void)
{
    struct child *a = child_new(), *b = sleeper();
    struct job *r;

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    r = started(a, L4_SYSF_RECV, CHILD_CAP(0));
    expect(!r->done);
    expect_eq(destroy(b->thread), 0);
    expect(r->done);
    expect_eq(r->got_error, L4_IPC_ENOT_EXISTENT | 1);
}

/* With the task its threads go, in whatever state they are. */
static void partner_task_dies(void)
{
    struct child *a = child_new(), *b = child_new(), *c = child_new(), *server = child_new();
    struct job *call, *s, *r, *w;

    w = receiver(server);
    give(a, server->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    give(b, server->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    give(c, server->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    call = started(a, L4_SYSF_CALL, CHILD_CAP(0));
    s = started(b, L4_SYSF_SEND, CHILD_CAP(0));
    r = started(c, L4_SYSF_RECV, CHILD_CAP(0));
    expect(w->done && !call->done && !s->done && !r->done);
    expect_eq(destroy(server->task), 0);
    expect(call->done);
    expect_eq(call->got_error, L4_IPC_ENOT_EXISTENT | 1);
    expect_eq(destroy(server->thread), 0);
    expect(s->done && r->done);
    expect_eq(s->got_error, L4_IPC_ENOT_EXISTENT);
    expect_eq(r->got_error, L4_IPC_ENOT_EXISTENT | 1);
}

static void unbound_gate_dies(void)
{
    struct child *a = child_new(), *b = child_new();
    l4_cap_idx_t gate = gate_new(L4_INVALID_CAP, 0);
    struct job *s, *call;

    give(a, gate, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    give(b, gate, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    s = started(a, L4_SYSF_SEND, CHILD_CAP(0));
    call = started(b, L4_SYSF_CALL, CHILD_CAP(0));
    expect(!s->done && !call->done);
    expect_eq(destroy(gate), 0);
    expect(s->done && call->done);
    expect_eq(s->got_error, L4_IPC_ENOT_EXISTENT);
    expect_eq(call->got_error, L4_IPC_ENOT_EXISTENT);
}

/* Between call and answer the gate is no longer needed. */
static void gate_dies_during_call(void)
{
    struct child *a = child_new(), *b = child_new();
    l4_cap_idx_t gate = gate_new(b->thread, LABEL);
    struct job *r = receiver(b), *call, *answer;

    give(a, gate, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    call = started(a, L4_SYSF_CALL, CHILD_CAP(0));
    expect(r->done);
    expect_eq(destroy(gate), 0);
    expect(!call->done);
    answer = job_new(L4_SYSF_SEND | L4_SYSF_REPLY, L4_INVALID_CAP);
    job_words(answer, 1, 1, 0);
    job_start(b, answer);
    expect(call->done);
    expect_eq(call->got_error, 0);
    expect_eq(call->got[0], WORD(1, 0));
}

/* The one who blocks dies: nobody is left with a pointer to it. */
static void sender_dies(void)
{
    struct child *a = child_new(), *b = sleeper(), *c = child_new();
    struct job *s, *r, *next;

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    give(c, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    s = started(a, L4_SYSF_SEND, CHILD_CAP(0));
    expect_eq(destroy(a->thread), 0);
    r = receiver(b);
    expect(!r->done && !s->done);
    next = job_new(L4_SYSF_SEND, CHILD_CAP(0));
    job_words(next, 4, 1, 0);
    job_start(c, next);
    expect(r->done);
    expect_eq(r->got[0], WORD(4, 0));
}

static void caller_dies(void)
{
    struct child *a = child_new(), *b = child_new();
    struct job *r = receiver(b), *answer;

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    started(a, L4_SYSF_CALL, CHILD_CAP(0));
    expect(r->done);
    expect_eq(destroy(a->thread), 0);
    answer = started(b, L4_SYSF_SEND | L4_SYSF_REPLY, L4_INVALID_CAP);
    expect_eq(answer->got_error, L4_IPC_ENOT_EXISTENT);
}

static void receivers_die(void)
{
    struct child *a = child_new(), *b = child_new(), *c = child_new();
    struct job *s;

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    give(b, a->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    receiver(a);
    started(c, L4_SYSF_RECV, L4_INVALID_CAP);
    expect_eq(destroy(a->thread), 0);
    expect_eq(destroy(c->thread), 0);
    s = started(b, L4_SYSF_SEND, CHILD_CAP(0));
    expect_eq(s->got_error, L4_IPC_ENOT_EXISTENT);
    a = child_new();
    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    started(a, L4_SYSF_RECV, CHILD_CAP(0));
    expect_eq(destroy(a->thread), 0); /* out of the partner's list of waiters */
    expect_eq(destroy(b->thread), 0);
}

static void sender_at_gate_dies(void)
{
    struct child *a = child_new(), *b = child_new();
    l4_cap_idx_t gate = gate_new(L4_INVALID_CAP, 0);
    struct job *r = receiver(b);

    give(a, gate, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    started(a, L4_SYSF_SEND, CHILD_CAP(0));
    expect_eq(destroy(a->thread), 0);
    expect_eq(l4_error(l4_rcv_ep_bind_thread(gate, b->thread, LABEL)), 0);
    expect(!r->done);
}

static void to_itself(void)
{
    struct child *a = child_new();
    l4_cap_idx_t gate = gate_new(a->thread, LABEL);
    struct job *s, *call, *g;

    give(a, gate, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    s = started(a, L4_SYSF_SEND, CHILD_THREAD);
    call = started(a, L4_SYSF_CALL, CHILD_THREAD);
    g = started(a, L4_SYSF_CALL, CHILD_CAP(0));
    expect_eq(s->got_error, L4_IPC_ENOT_EXISTENT);
    expect_eq(call->got_error, L4_IPC_ENOT_EXISTENT);
    expect_eq(g->got_error, L4_IPC_ENOT_EXISTENT);
}

static void too_long(void)
{
    struct child *a = child_new(), *b = child_new();
    struct job *r = receiver(b), *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    s->tag = l4_msgtag(0, 62, 1, 0);
    job_start(a, s);
    expect_eq(s->got_error, L4_IPC_SEMSGCUT);
    s->tag = l4_msgtag(0, 0, 32, 0);
    job_start(a, s);
    expect_eq(s->got_error, L4_IPC_SEMSGCUT);
    s->tag = l4_msgtag(0, 63, 63, 0);
    job_start(a, s);
    expect_eq(s->got_error, L4_IPC_SEMSGCUT);
    expect(!r->done);
}

static void no_buffer(void)
{
    struct child *a = child_new(), *b = child_new();
    struct job *r = receiver(b), *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    job_words(s, 1, 2, 5);
    s->tag = l4_msgtag(5, 2, 1, 0);
    s->mr[2] = l4_map_obj_control(0, 0);
    s->mr[3] = l4_obj_fpage(CHILD_TASK, 0, L4_CAP_FPAGE_RW).raw;
    job_start(a, s);
    expect(s->done && r->done);
    expect_eq(s->got_error, L4_IPC_SEMSGCUT);
    expect_eq(r->got_error, L4_IPC_REMSGCUT);
}

static void map_fails(void)
{
    l4_cap_idx_t factory = slot_new();
    struct child *a = child_new(), *b;
    struct job *r = job_new(L4_SYSF_WAIT, L4_INVALID_CAP), *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));
    unsigned i = 0;

    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, factory, 60000)), 0);
    b = child_new_from(factory);
    if (!expect(b != NULL))
        return;
    while (give(b, a->task, CHILD_CAP(i), L4_CAP_FPAGE_R) == 0 && i < 5000)
        i++;
    r->br[0] = CHILD_CAP(i) | L4_RCV_ITEM_SINGLE_CAP;
    job_start(b, r);
    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    s->tag = l4_msgtag(0, 0, 1, 0);
    s->mr[0] = l4_map_obj_control(0, 0);
    s->mr[1] = l4_obj_fpage(CHILD_TASK, 0, L4_CAP_FPAGE_RW).raw;
    job_start(a, s);
    expect(s->done && r->done);
    expect_eq(s->got_error, L4_IPC_SEMAPFAILED);
    expect_eq(r->got_error, L4_IPC_REMAPFAILED);
}

/* ex_regs with CANCEL, keeping instruction and stack pointer. */
static void cancel(struct child *c)
{
    expect_eq(l4_error(l4_thread_ex_regs(c->thread, ~0UL, ~0UL, L4_THREAD_EX_REGS_CANCEL)), 0);
}

static void cancelled(void)
{
    struct child *a = child_new(), *b = sleeper(), *c = child_new();
    l4_cap_idx_t gate = gate_new(L4_INVALID_CAP, 0);
    struct job *j;

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    give(a, gate, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    give(a, c->thread, CHILD_CAP(2), L4_CAP_FPAGE_RW);
    static const struct {
        unsigned op, cap;
        l4_umword_t error;
    } cases[] = {
        {L4_SYSF_SEND, 0, L4_IPC_SECANCELED}, {L4_SYSF_CALL, 0, L4_IPC_SECANCELED},
        {L4_SYSF_SEND, 1, L4_IPC_SECANCELED}, {L4_SYSF_RECV, 0, L4_IPC_RECANCELED},
        {L4_SYSF_WAIT, 0, L4_IPC_RECANCELED}, {L4_SYSF_CALL, 2, L4_IPC_RECANCELED},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].cap == 2)
            receiver(c);
        j = started(a, cases[i].op, CHILD_CAP(cases[i].cap));
        expect(!j->done);
        cancel(a);
        expect(j->done);
        expect_eq(j->got_error, cases[i].error);
    }
    /* The cancelled caller's reply capability went with it. */
    j = started(c, L4_SYSF_SEND | L4_SYSF_REPLY, L4_INVALID_CAP);
    expect_eq(j->got_error, L4_IPC_ENOT_EXISTENT);
}

static volatile bool go_on;

static void spin_then_send(void *job)
{
    while (!go_on)
        ;
    job_here(job);
}

/* A thread that was in no IPC: the next one ends at once, the one after that is as usual. */
static void cancelled_in_advance(void)
{
    struct child *a = child_new(), *b = child_new();
    struct job *r = receiver(b), *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    job_words(s, 1, 1, 0);
    go_on = false;
    a->priority = PRIO_TEST - 5;
    child_run(a, spin_then_send, s);
    l4_ipc_sleep_ms(2);
    cancel(a);
    go_on = true;
    l4_ipc_sleep_ms(2);
    expect(s->done && !r->done);
    expect_eq(s->got_error, L4_IPC_SECANCELED);
    job_start(a, s);
    l4_ipc_sleep_ms(1);
    expect(r->done);
    expect_eq(s->got_error, 0);
}

const struct test errors_tests[] = {
    {"a void capability does not exist, wherever its index points", void_capabilities},
    {"a deleted thread does not exist", dead_thread},
    {"a gate outlives its thread and can be bound to another", gate_outlives_thread},
    {"the death of a receiver ends all sends to it", queued_sender_and_dying_receiver},
    {"the death of a server ends a call to it", caller_and_dying_server},
    {"the death of a partner ends a closed receive", receiver_and_dying_partner},
    {"the death of a task ends what others want from its threads", partner_task_dies},
    {"the end of a gate without thread ends sends and calls through it", unbound_gate_dies},
    {"the end of a gate does not end a call that has arrived", gate_dies_during_call},
    {"a sender that dies is received from by nobody", sender_dies},
    {"a caller that dies takes its reply capability along", caller_dies},
    {"receivers may die in every receive state", receivers_die},
    {"a sender may die at a gate without thread", sender_at_gate_dies},
    {"nobody can send to himself", to_itself},
    {"more words and items than message registers are not sent", too_long},
    {"an item without receive buffer cuts the message, for both", no_buffer},
    {"an item that the receiver cannot pay for fails, for both", map_fails},
    {"cancel ends an IPC in every state, with the error of its phase", cancelled},
    {"cancel of a running thread ends its next IPC only", cancelled_in_advance},
    {NULL, NULL},
};
