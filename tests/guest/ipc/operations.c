/*
 * ipc/operations.c - send, receive, wait, call, reply, and their combinations
 */
#include "sets.h"

enum { LABEL = 0x8800 };

static void send_to_who_waits(void)
{
    struct child *from = child_new(), *to = child_new();
    struct job *r = receiver(to), *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));

    give(from, to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    expect(!r->done);
    job_words(s, 1, 2, 3);
    job_start(from, s);
    expect(r->done && s->done);
    expect_eq(s->got_error, 0);
    expect_eq(r->got_error, 0);
    expect_eq(r->got[0], WORD(1, 0));
}

static void send_waits_for_receiver(void)
{
    struct child *from = child_new(), *to = child_new();
    struct job *s = job_new(L4_SYSF_SEND, CHILD_CAP(0)), *r;

    give(from, to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    job_words(s, 1, 2, 3);
    job_start(to, job_new(L4_SYSF_RECV, L4_INVALID_CAP));
    job_start(from, s);
    expect(!s->done);
    r = receiver(to);
    expect(r->done && s->done);
    expect_eq(r->got[1], WORD(1, 1));
    expect_eq(s->got_error, 0);
}

static void senders_in_order(void)
{
    struct child *to = child_new(), *from[4];
    struct job *first = NULL;

    job_start(to, job_new(L4_SYSF_RECV, L4_INVALID_CAP));
    for (unsigned i = 0; i < 4; i++) {
        struct job *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));

        from[i] = child_new();
        give(from[i], to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
        job_words(s, i, 1, 0);
        job_start(from[i], s);
    }
    for (unsigned i = 0; i < 4; i++) {
        struct job *r = receiver(to);

        first = first ? first : r;
        expect(r->done);
        expect_eq(r->got[0], WORD(i, 0));
    }
}

static void closed_receive(void)
{
    struct child *a = child_new(), *b = child_new(), *to = child_new();
    struct job *sa = job_new(L4_SYSF_SEND, CHILD_CAP(0)), *sb = job_new(L4_SYSF_SEND, CHILD_CAP(0));
    struct job *r = job_new(L4_SYSF_RECV, CHILD_CAP(1)), *w;

    give(a, to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    give(b, to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    give(to, b->thread, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    job_words(sa, 1, 1, 0);
    job_words(sb, 2, 1, 0);
    job_start(to, r);
    job_start(a, sa);
    expect(!r->done && !sa->done);
    job_start(b, sb);
    expect(r->done && sb->done && !sa->done);
    expect_eq(r->got[0], WORD(2, 0));
    w = receiver(to);
    expect(w->done && sa->done);
    expect_eq(w->got[0], WORD(1, 0));
}

static void closed_receive_passes_queue(void)
{
    struct child *a = child_new(), *b = child_new(), *to = child_new();
    struct job *sa = job_new(L4_SYSF_SEND, CHILD_CAP(0)), *sb = job_new(L4_SYSF_SEND, CHILD_CAP(0));
    struct job *r = job_new(L4_SYSF_RECV, CHILD_CAP(1));

    give(a, to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    give(b, to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    give(to, b->thread, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    job_words(sb, 2, 1, 0);
    job_start(to, job_new(L4_SYSF_RECV, L4_INVALID_CAP));
    job_start(a, sa);
    job_start(b, sb);
    job_start(to, r);
    expect(r->done && sb->done && !sa->done);
    expect_eq(r->got[0], WORD(2, 0));
}

/* Client calls, server waits, then replies with another job. */
static struct job *call_arrives(struct child *client, struct child *server, struct job **call)
{
    l4_cap_idx_t gate = gate_new(server->thread, LABEL);
    struct job *r = receiver(server);

    give(client, gate, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    *call = job_new(L4_SYSF_CALL, CHILD_CAP(0));
    job_words(*call, 1, 3, 0x11);
    job_start(client, *call);
    expect(r->done && !(*call)->done);
    expect_eq(r->got_label, LABEL | 1);
    return r;
}

static struct job *reply(unsigned message, unsigned words)
{
    struct job *j = job_new(L4_SYSF_SEND | L4_SYSF_REPLY, L4_INVALID_CAP);

    job_words(j, message, words, 0x22);
    return j;
}

static void call_and_reply(void)
{
    struct child *client = child_new(), *server = child_new();
    struct job *call, *answer;

    call_arrives(client, server, &call);
    answer = reply(2, 4);
    job_start(server, answer);
    expect(call->done && answer->done);
    expect_eq(answer->got_error, 0);
    expect_eq(call->got_tag.raw, l4_msgtag(0x22, 4, 0, 0).raw);
    expect_eq(call->got[3], WORD(2, 3));
    expect_eq(call->got[4], POISON + 4);
}

static void reply_once(void)
{
    struct child *client = child_new(), *server = child_new();
    struct job *call, *answer = NULL, *again;

    call_arrives(client, server, &call);
    answer = reply(2, 1);
    again = reply(3, 1);
    answer->next = again;
    job_start(server, answer);
    expect(call->done && again->done);
    expect_eq(call->got[0], WORD(2, 0));
    expect_eq(again->got_error, L4_IPC_ENOT_EXISTENT);
    expect(again->got_tag.raw & L4_MSGTAG_ERROR);
}

static void reply_to_nobody(void)
{
    struct child *from = child_new(), *to = child_new();
    struct job *r = receiver(to), *s = job_new(L4_SYSF_SEND, CHILD_CAP(0)), *answer;

    give(from, to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    job_start(from, s);
    expect(r->done);
    answer = reply(1, 1);
    job_start(to, answer);
    expect_eq(answer->got_error, L4_IPC_ENOT_EXISTENT);
}

static void reply_and_wait(void)
{
    struct child *a = child_new(), *b = child_new(), *server = child_new();
    struct job *call, *next, *r, *answer = NULL;

    r = call_arrives(a, server, &call);
    next = job_new(L4_SYSF_CALL, CHILD_CAP(0));
    give(b, server->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    job_words(next, 5, 2, 0x55);
    job_start(b, next);
    expect(!next->done);
    answer = job_new(L4_SYSF_REPLY_AND_WAIT, L4_INVALID_CAP);
    job_words(answer, 6, 1, 0x66);
    job_start(server, answer);
    expect(call->done && answer->done && r->done && !next->done);
    expect_eq(call->got_tag.raw, l4_msgtag(0x66, 1, 0, 0).raw);
    expect_eq(answer->got_tag.raw, l4_msgtag(0x55, 2, 0, 0).raw);
    expect_eq(answer->got[1], WORD(5, 1));
    r = reply(7, 1);
    job_start(server, r);
    expect(next->done);
    expect_eq(next->got[0], WORD(7, 0));
}

/* The send half fails at once; then there is nothing to wait for. */
static void reply_and_wait_to_nobody(void)
{
    struct child *server = child_new();
    struct job *j = job_new(L4_SYSF_REPLY_AND_WAIT, L4_INVALID_CAP);

    job_start(server, j);
    expect(j->done);
    expect_eq(j->got_error, L4_IPC_ENOT_EXISTENT);
}

static void send_and_wait(void)
{
    struct child *a = child_new(), *b = child_new(), *c = child_new();
    struct job *j = job_new(L4_SYSF_SEND_AND_WAIT, CHILD_CAP(0)), *r = receiver(b);
    struct job *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    give(c, a->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    job_words(j, 1, 1, 1);
    job_start(a, j);
    expect(r->done && !j->done);
    expect_eq(r->got[0], WORD(1, 0));
    job_words(s, 2, 1, 2);
    job_start(c, s);
    expect(j->done);
    expect_eq(j->got[0], WORD(2, 0));
}

/* A call sends, and then receives from nobody but the one it has sent to. */
static void call_takes_no_other_message(void)
{
    struct child *client = child_new(), *server = child_new(), *other = child_new();
    struct job *call, *s, *answer;

    call_arrives(client, server, &call);
    give(other, client->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    s = job_new(L4_SYSF_SEND, CHILD_CAP(0));
    job_start(other, s);
    expect(!s->done && !call->done);
    answer = reply(2, 1);
    job_start(server, answer);
    expect(call->done && !s->done);
    expect_eq(call->got[0], WORD(2, 0));
}

/* A second call before the first is answered: the first does not wait for ever. */
static void one_reply_capability(void)
{
    struct child *a = child_new(), *b = child_new(), *server = child_new();
    struct job *call, *second = NULL, *r, *answer;

    call_arrives(a, server, &call);
    give(b, server->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    r = receiver(server);
    expect(!call->done);
    second = job_new(L4_SYSF_CALL, CHILD_CAP(0));
    job_words(second, 2, 1, 0);
    job_start(b, second);
    expect(r->done && !second->done && call->done);
    expect_eq(call->got_error, L4_IPC_REABORTED);
    answer = reply(3, 1);
    job_start(server, answer);
    expect(second->done);
    expect_eq(second->got[0], WORD(3, 0));
}

/* Waiting with a caller unanswered: the caller can still be answered afterwards. */
static void wait_keeps_caller(void)
{
    struct child *client = child_new(), *server = child_new(), *other = child_new();
    struct job *call, *r, *s, *answer;

    call_arrives(client, server, &call);
    r = receiver(server);
    give(other, server->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    s = job_new(L4_SYSF_SEND, CHILD_CAP(0));
    job_start(other, s);
    expect(r->done && s->done && !call->done);
    answer = reply(4, 1);
    job_start(server, answer);
    expect(call->done);
    expect_eq(call->got[0], WORD(4, 0));
}

static void no_operation(void)
{
    struct child *to = child_new();
    struct job *j = job_new(L4_SYSF_NONE, gate_new(to->thread, LABEL)), *r = receiver(to);

    for (unsigned i = 0; i < 2; i++) {
        job_words(j, 1, 1, 5);
        job_here(j);
        expect_eq(j->got_tag.raw, 0);
        expect_eq(j->got[0], WORD(1, 0));
        j->timeout = L4_IPC_BOTH_TIMEOUT_0;
    }
    expect(!r->done);
}

static void gate_without_thread(void)
{
    struct child *from = child_new(), *to = child_new();
    l4_cap_idx_t gate = gate_new(L4_INVALID_CAP, 0);
    struct job *call = job_new(L4_SYSF_CALL, CHILD_CAP(0)), *r = receiver(to), *answer;

    give(from, gate, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    job_words(call, 1, 63, 0x31);
    job_start(from, call);
    expect(!call->done && !r->done);
    expect_eq(l4_error(l4_rcv_ep_bind_thread(gate, to->thread, 0xabc0)), 0);
    expect(r->done && !call->done);
    expect_eq(r->got_label, 0xabc0 | L4_CAP_FPAGE_W);
    expect_eq(r->got_tag.raw, l4_msgtag(0x31, 63, 0, 0).raw);
    expect_eq(r->got[62], WORD(1, 62));
    answer = reply(2, 1);
    job_start(to, answer);
    expect(call->done);
    expect_eq(call->got[0], WORD(2, 0));
}

static void gate_bound_anew(void)
{
    struct child *a = child_new(), *b = child_new();
    l4_cap_idx_t gate = gate_new(a->thread, LABEL);
    struct job *ra = receiver(a), *rb = receiver(b), *s = job_new(L4_SYSF_SEND, gate);
    l4_umword_t label = 0;

    expect_eq(l4_error(l4_ipc_gate_get_infos(gate, &label)), 0);
    expect_eq(label, LABEL);
    expect_eq(l4_error(l4_rcv_ep_bind_thread(gate, b->thread, 0x9990)), 0);
    expect_eq(l4_error(l4_ipc_gate_get_infos(gate, &label)), 0);
    expect_eq(label, 0x9990);
    job_here(s);
    expect(!ra->done && rb->done);
    expect_eq(rb->got_label, 0x9990 | 3);
}

static void gate_control_needs_rights(void)
{
    struct child *to = child_new();
    l4_cap_idx_t gate = gate_new(to->thread, LABEL), weak = slot_new();
    l4_umword_t label = 0;

    l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(gate, 0, L4_CAP_FPAGE_RW),
                l4_map_obj_control(weak, 0));
    expect_eq(l4_error(l4_rcv_ep_bind_thread(weak, to->thread, 0)), -L4_EPERM);
    expect_eq(l4_error(l4_ipc_gate_get_infos(weak, &label)), -L4_EPERM);
    expect_eq(l4_error(l4_rcv_ep_bind_thread(gate, to->task, 0)), -L4_EINVAL);
    expect_eq(l4_error(l4_rcv_ep_bind_thread(gate, slot_new(), 0)), -L4_ENOENT);
}

/* The utcb of a thread may move words between two messages; a call in between disturbs nothing. */
static void nested_calls(void)
{
    struct child *a = child_new(), *b = child_new();
    l4_utcb_t *u = l4_utcb();

    child_run(a, echo_server, NULL);
    child_run(b, echo_server, NULL);
    for (unsigned i = 0; i < 50; i++) {
        l4_cap_idx_t to = i % 2 ? a->thread : b->thread;
        l4_msgtag_t tag;

        u->msg.mr[0] = i;
        u->msg.mr[i % 60 + 1] = 7 * i;
        tag = l4_ipc_call(to, u, l4_msgtag((long)i, i % 60 + 2, 0, 0), L4_IPC_NEVER);
        expect_eq(tag.raw, l4_msgtag((long)i + 1, i % 60 + 2, 0, 0).raw);
        expect_eq(u->msg.mr[0], ~(l4_umword_t)i);
        expect_eq(u->msg.mr[i % 60 + 1], ~(7UL * i));
    }
}

const struct test operations_tests[] = {
    {"a send reaches a thread that waits", send_to_who_waits},
    {"a send waits for its receiver", send_waits_for_receiver},
    {"senders that wait are received in the order in which they came", senders_in_order},
    {"a closed receive takes a message from its partner only", closed_receive},
    {"a closed receive finds its partner behind others in the queue", closed_receive_passes_queue},
    {"a call gets the answer of the reply capability", call_and_reply},
    {"a reply capability is usable once", reply_once},
    {"after a plain send there is nobody to reply to", reply_to_nobody},
    {"reply and wait answers one caller and takes the next", reply_and_wait},
    {"reply and wait without a caller ends with an error", reply_and_wait_to_nobody},
    {"send and wait sends, then takes a message from anybody", send_and_wait},
    {"a call takes no message but the answer", call_takes_no_other_message},
    {"a second call that arrives ends the first, unanswered one", one_reply_capability},
    {"a caller can be answered after a plain message was taken", wait_keeps_caller},
    {"no operation bits at all: nothing happens", no_operation},
    {"a call through a gate without thread waits until one is bound", gate_without_thread},
    {"a gate can be bound to another thread, with another label", gate_bound_anew},
    {"control of a gate needs the right S, and a thread", gate_control_needs_rights},
    {"calls to two servers in turn", nested_calls},
    {NULL, NULL},
};
