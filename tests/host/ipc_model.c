/*
 * ipc_model.c - synchronous IPC as simply as it can be told (see ipc_model.h)
 */
#include "ipc_model.h"

#include <abi/errors.h>
#include <abi/msg.h>
#include <abi/protocols.h>
#include <string.h>

enum { QUANTUM = 10, TICK = 1000 };

struct m_thread m_threads[ALL];
struct m_gate m_gates[GATES];
int m_current;
uint64_t m_now;

static uint64_t stamp;
static int64_t front, back;

void m_reset(void)
{
    memset(m_threads, 0, sizeof(m_threads));
    memset(m_gates, 0, sizeof(m_gates));
    m_now = stamp = 0;
    front = back = 0;
    m_current = NOBODY;
    for (int i = 0; i < ALL; i++)
        m_threads[i] = (struct m_thread){
            .state = M_READY, .partner = NOBODY, .gate = NOBODY, .slice = QUANTUM,
            .pager = NOBODY, .handler = NOBODY};
}

static void queue(int t, bool first)
{
    struct m_thread *x = &m_threads[t];

    if (t == m_current || x->queued)
        return;
    x->queued = true;
    x->ready_since = first ? --front : ++back;
}

void m_make_ready(int t)
{
    queue(t, false);
}

int m_caller(int t)
{
    for (int i = 0; i < ALL; i++)
        if (m_threads[i].state == M_RECV_REPLY && m_threads[i].partner == t)
            return i;
    return NOBODY;
}

static bool is_zero(uint16_t timeout)
{
    return timeout && !(timeout & L4_TIMEOUT_ABS) && !(timeout & 0x3ff);
}

static void set_deadline(struct m_thread *t, uint16_t timeout)
{
    uint64_t us;

    if (!timeout)
        return;
    us = (timeout & L4_TIMEOUT_ABS) ? t->call.absolute_us
                                    : m_now * TICK + ((uint64_t)(timeout & 0x3ff)
                                                      << (timeout >> 10 & 31));
    t->deadline = us / TICK + 1;
    if (t->deadline <= m_now)
        t->deadline = m_now + 1;
    t->timer_since = ++stamp;
}

static void fault_failed(int t);

static void fail(int i, unsigned error)
{
    struct m_thread *t = &m_threads[i];

    t->deadline = 0;
    t->state = M_READY;
    t->partner = t->gate = NOBODY;
    if (t->message == M_UTCB) {
        t->error = error;
        t->rax = L4_MSGTAG_ERROR;
        t->rsi = 0;
    } else {
        fault_failed(i);
    }
    if (t->state == M_READY)
        queue(i, false);
}

/* Send the message of a fault: a call of the pager's or the handler's gate. */
static void fault_send(int i)
{
    struct m_thread *t = &m_threads[i];
    int gate = t->message == M_FAULT ? t->pager : t->handler;
    struct m_call c = {
        .kind = T_GATE,
        .target = gate,
        .op = L4_SYSF_CALL,
        .words = t->message == M_FAULT ? 2 : 26,
        .label = t->message == M_FAULT ? L4_PROTO_PAGE_FAULT : L4_PROTO_EXCEPTION,
    };

    if (gate == NOBODY)
        fault_failed(i);
    else
        m_ipc(i, &c);
}

static void fault_failed(int i)
{
    struct m_thread *t = &m_threads[i];

    if (t->message == M_FAULT) {
        t->message = M_EXCEPTION;
        t->pending = M_AGAIN; /* sent when the thread runs */
        return;
    }
    t->message = M_UTCB;
    t->state = M_STOPPED;
}

static void arrive(int i, const struct m_call *c, uint64_t label)
{
    struct m_thread *t = &m_threads[i];

    t->state = M_READY;
    t->partner = NOBODY;
    if (t->message == M_UTCB) {
        t->rax = (uint64_t)c->label << L4_MSGTAG_LABEL_SHIFT | c->words;
        t->rsi = label;
    } else if (c->label < 0) {
        fault_failed(i);
    } else {
        t->message = M_UTCB;
    }
    if (t->state == M_READY)
        queue(i, true);
}

static void copy(const struct m_thread *from, struct m_thread *to)
{
    if (to->message != M_UTCB || from->message == M_EXCEPTION)
        return; /* 26 words: the test looks at them itself */
    if (from->message == M_FAULT)
        memcpy(to->mr, from->fault_words, sizeof(from->fault_words));
    else
        memcpy(to->mr, from->mr, from->call.words * sizeof(to->mr[0]));
}

static int first_sender(int to)
{
    int first = NOBODY;

    for (int i = 0; i < ALL; i++)
        if (m_threads[i].state == M_SEND && m_threads[i].partner == to &&
            (first == NOBODY || m_threads[i].since < m_threads[first].since))
            first = i;
    return first;
}

static void receive(int i, bool any, int from);

/* s's message goes to r, who was waiting for it or asks for it now. */
static void deliver(int s, int r)
{
    struct m_thread *from = &m_threads[s], *to = &m_threads[r];
    struct m_call c = from->call;
    bool call = (c.op & L4_SYSF_RECV) && !(c.op & L4_SYSF_OPEN_WAIT);
    uint64_t label = from->sent_label;
    int lost;

    to->state = M_READY;
    to->partner = NOBODY;
    to->deadline = from->deadline = 0;
    from->state = M_READY;
    from->partner = NOBODY;
    copy(from, to);
    if (call) {
        lost = m_caller(r);
        if (lost != NOBODY)
            fail(lost, L4_IPC_REABORTED);
        if (is_zero(c.receive_timeout)) {
            fail(s, L4_IPC_RETIMEOUT);
        } else {
            from->state = M_RECV_REPLY;
            from->partner = r;
            set_deadline(from, c.receive_timeout);
        }
    }
    arrive(r, &c, label);
    if (call)
        return;
    from->rax = from->rsi = 0;
    if (c.op & L4_SYSF_RECV) {
        if (first_sender(s) != NOBODY)
            from->pending = M_RECEIVE;
        else
            receive(s, true, NOBODY);
    }
    if (from->state == M_READY)
        queue(s, false);
}

static bool accepts(const struct m_thread *to, int s)
{
    return to->state == M_RECV_ANY ||
           ((to->state == M_RECV_FROM || to->state == M_RECV_REPLY) && to->partner == s);
}

static void send(int s, int r)
{
    struct m_thread *from = &m_threads[s], *to = &m_threads[r];
    bool waits = accepts(to, s);

    from->sent_label = from->call.kind == T_GATE && !(from->call.op & L4_SYSF_REPLY)
                           ? m_gates[from->call.target].label
                           : 0;
    if (to->state == M_DEAD || r == s) {
        fail(s, L4_IPC_ENOT_EXISTENT);
    } else if (waits) {
        deliver(s, r);
    } else if (is_zero(from->call.send_timeout)) {
        fail(s, L4_IPC_SETIMEOUT);
    } else {
        from->state = M_SEND;
        from->partner = r;
        from->since = ++stamp;
        set_deadline(from, from->call.send_timeout);
    }
}

/* The first thread in that state at the gate, NOBODY: none. */
static int first_at(int g, enum m_state state)
{
    int first = NOBODY;

    for (int i = 0; i < ALL; i++)
        if (m_threads[i].state == state && m_threads[i].gate == g &&
            (first == NOBODY || m_threads[i].since < m_threads[first].since))
            first = i;
    return first;
}

/* Whoever waits for thread `old`, or at the gate if that is nobody, tries again. */
static void senders_again(int old, int g)
{
    int first;

    while ((first = old == NOBODY ? first_at(g, M_SEND) : first_sender(old)) != NOBODY) {
        m_threads[first].state = M_READY;
        m_threads[first].partner = m_threads[first].gate = NOBODY;
        m_threads[first].deadline = 0;
        m_threads[first].pending = M_AGAIN;
        queue(first, false);
    }
}

/* The gate is to's. */
static void bind_to(int g, int to)
{
    int old = m_gates[g].thread;

    m_gates[g].thread = to;
    if (old != to)
        senders_again(old, g);
}

/* Who stands in takes over. */
static void pass_on(int g)
{
    int i = first_at(g, M_RECV_FROM);

    if (i == NOBODY)
        return;
    m_threads[i].state = M_RECV_ANY;
    m_threads[i].gate = NOBODY;
    bind_to(g, i);
}

static void send_to_gate(int s, int g)
{
    struct m_thread *t = &m_threads[s];

    if (!m_gates[g].dead && m_gates[g].thread != NOBODY &&
        !accepts(&m_threads[m_gates[g].thread], s))
        pass_on(g);
    if (m_gates[g].dead) {
        fail(s, L4_IPC_ENOT_EXISTENT);
    } else if (m_gates[g].thread != NOBODY) {
        send(s, m_gates[g].thread);
    } else if (is_zero(t->call.send_timeout)) {
        fail(s, L4_IPC_SETIMEOUT);
    } else {
        t->state = M_SEND;
        t->gate = g;
        t->since = ++stamp;
        set_deadline(t, t->call.send_timeout);
    }
}

static void receive(int i, bool any, int from)
{
    struct m_thread *t = &m_threads[i];

    if (any)
        from = first_sender(i);
    if (from != NOBODY && m_threads[from].state == M_SEND && m_threads[from].partner == i) {
        deliver(from, i);
    } else if (is_zero(t->call.receive_timeout)) {
        if (!any && from == NOBODY)
            t->slice = 0; /* sleep for no time: yield */
        fail(i, L4_IPC_RETIMEOUT);
    } else {
        t->state = any ? M_RECV_ANY : M_RECV_FROM;
        t->partner = any ? NOBODY : from;
        t->since = ++stamp;
        set_deadline(t, t->call.receive_timeout);
    }
}

/* A closed receive from a gate. */
static void stand_in(int i, int g)
{
    struct m_thread *t = &m_threads[i];
    int old = m_gates[g].thread;

    if (old == NOBODY || old == i || first_sender(old) != NOBODY) {
        bind_to(g, i);
        receive(i, true, NOBODY);
    } else if (is_zero(t->call.receive_timeout)) {
        fail(i, L4_IPC_RETIMEOUT);
    } else {
        t->state = M_RECV_FROM;
        t->gate = g;
        t->since = ++stamp;
        set_deadline(t, t->call.receive_timeout);
    }
}

void m_ipc(int i, const struct m_call *call)
{
    struct m_thread *t = &m_threads[i];
    struct m_call c = *call;

    t->call = c;
    if (t->cancel && t->message == M_UTCB) { /* a fault is not the program's own */
        t->cancel = false;
        fail(i, (c.op & L4_SYSF_SEND) ? L4_IPC_SECANCELED : L4_IPC_RECANCELED);
    } else if ((c.op & L4_SYSF_SEND) && (c.op & L4_SYSF_REPLY)) {
        if (m_caller(i) == NOBODY)
            fail(i, L4_IPC_ENOT_EXISTENT);
        else
            send(i, m_caller(i));
    } else if (c.op & L4_SYSF_SEND) {
        if (c.kind == T_GATE)
            send_to_gate(i, c.target);
        else if (c.kind == T_THREAD)
            send(i, c.target);
        else
            fail(i, L4_IPC_ENOT_EXISTENT);
    } else if (c.op & L4_SYSF_OPEN_WAIT) {
        receive(i, true, NOBODY);
    } else if (c.op & L4_SYSF_RECV) {
        if (c.kind == T_SELF)
            receive(i, false, NOBODY);
        else if (c.kind == T_THREAD && m_threads[c.target].state != M_DEAD)
            receive(i, false, c.target);
        else if (c.kind == T_GATE && !m_gates[c.target].dead)
            stand_in(i, c.target);
        else
            fail(i, L4_IPC_ENOT_EXISTENT | 1);
    } else {
        t->rax = t->rsi = 0; /* nothing asked, nothing done */
    }
}

void m_page_fault(int t, uint64_t w0, uint64_t w1)
{
    m_threads[t].message = M_FAULT;
    m_threads[t].fault_words[0] = w0;
    m_threads[t].fault_words[1] = w1;
    fault_send(t);
}

void m_exception(int t)
{
    m_threads[t].message = M_EXCEPTION;
    fault_send(t);
}

/* End what t waits in. */
static void stop(int i, unsigned send_error)
{
    struct m_thread *t = &m_threads[i];

    if (t->state == M_SEND)
        fail(i, send_error);
    else if (t->state == M_RECV_ANY || t->state == M_RECV_FROM || t->state == M_RECV_REPLY)
        fail(i, send_error | 1);
}

void m_tick(void)
{
    struct m_thread *t = &m_threads[m_current];

    m_now++;
    t->slice -= t->slice > 0;
    for (;;) {
        int first = NOBODY;

        for (int i = 0; i < ALL; i++)
            if (m_threads[i].deadline && m_threads[i].deadline <= m_now &&
                (first == NOBODY || m_threads[i].timer_since < m_threads[first].timer_since))
                first = i;
        if (first == NOBODY)
            return;
        stop(first, L4_IPC_SETIMEOUT);
    }
}

long m_cancel(int i)
{
    struct m_thread *t = &m_threads[i];

    if (t->state == M_STOPPED) {
        t->state = M_READY; /* it has an instruction pointer and has been started */
        queue(i, false);
    } else if (t->message != M_UTCB) {
        t->message = M_UTCB; /* whatever the pager says is no longer wanted */
        t->pending = M_NOTHING;
        t->state = M_READY;
        t->partner = t->gate = NOBODY;
        queue(i, false);
    } else if (t->state == M_READY) {
        t->cancel = true;
    } else {
        stop(i, L4_IPC_SECANCELED);
    }
    return 0;
}

long m_set_prio(int i, int prio)
{
    struct m_thread *t = &m_threads[i];
    bool queued = t->queued;

    t->queued = false;
    t->prio = prio;
    if (queued)
        queue(i, false);
    if (t->state == M_STOPPED)
        m_cancel(i);
    return 0;
}

long m_bind(int g, int to, uint64_t label)
{
    if (m_threads[to].state == M_DEAD)
        return -L4_ENOENT;
    m_gates[g].label = label;
    bind_to(g, to);
    return 0;
}

long m_yield_to(int t)
{
    if (t != m_current && m_threads[t].state == M_READY) {
        m_threads[t].queued = false;
        queue(t, true);
    }
    m_threads[m_current].slice = 0;
    return 0;
}

void m_kill(int dead)
{
    struct m_thread *t = &m_threads[dead];
    int caller = m_caller(dead);

    t->state = M_DEAD;
    t->queued = false;
    t->pending = M_NOTHING;
    t->deadline = 0;
    t->partner = t->gate = NOBODY;
    if (caller != NOBODY)
        fail(caller, L4_IPC_ENOT_EXISTENT | 1);
    while (first_sender(dead) != NOBODY)
        fail(first_sender(dead), L4_IPC_ENOT_EXISTENT);
    for (;;) {
        int first = NOBODY;

        for (int i = 0; i < ALL; i++)
            if (m_threads[i].state == M_RECV_FROM && m_threads[i].partner == dead &&
                (first == NOBODY || m_threads[i].since < m_threads[first].since))
                first = i;
        if (first == NOBODY)
            break;
        fail(first, L4_IPC_ENOT_EXISTENT | 1);
    }
    for (int g = 0; g < GATES; g++) {
        if (m_gates[g].thread != dead)
            continue;
        pass_on(g);
        if (m_gates[g].thread == dead)
            m_gates[g].thread = NOBODY;
    }
}

void m_delete_gate(int g)
{
    int first;

    m_gates[g].dead = true;
    if (m_gates[g].thread != NOBODY)
        senders_again(m_gates[g].thread, g);
    m_gates[g].thread = NOBODY;
    while ((first = first_at(g, M_SEND)) != NOBODY)
        fail(first, L4_IPC_ENOT_EXISTENT);
    while ((first = first_at(g, M_RECV_FROM)) != NOBODY)
        fail(first, L4_IPC_ENOT_EXISTENT | 1);
}

/* The best of the queue: highest priority, then who has stood there longest. */
static int best(void)
{
    int b = NOBODY;

    for (int i = 0; i < ALL; i++) {
        const struct m_thread *t = &m_threads[i];

        if (t->queued && (b == NOBODY || t->prio > m_threads[b].prio ||
                          (t->prio == m_threads[b].prio &&
                           t->ready_since < m_threads[b].ready_since)))
            b = i;
    }
    return b;
}

static void switch_to_best(bool put_back, bool first)
{
    int old = m_current, next = best();

    m_current = next;
    m_threads[next].queued = false;
    if (put_back)
        queue(old, first);
}

void m_schedule(void)
{
    for (;;) {
        struct m_thread *t = &m_threads[m_current];
        int b = best();

        if (t->state != M_READY) {
            switch_to_best(false, false);
        } else if (t->slice == 0) {
            t->slice = QUANTUM;
            if (b != NOBODY && m_threads[b].prio >= t->prio)
                switch_to_best(true, false);
        } else if (b != NOBODY && m_threads[b].prio > t->prio) {
            switch_to_best(true, true);
        }
        t = &m_threads[m_current];
        if (t->pending == M_NOTHING)
            return;
        if (t->pending == M_RECEIVE) {
            t->pending = M_NOTHING;
            if (t->cancel) {
                t->cancel = false;
                fail(m_current, L4_IPC_RECANCELED);
            } else {
                receive(m_current, true, NOBODY);
            }
        } else {
            struct m_call c = t->call;

            t->pending = M_NOTHING;
            if (t->message == M_UTCB)
                m_ipc(m_current, &c);
            else
                fault_send(m_current);
        }
    }
}
