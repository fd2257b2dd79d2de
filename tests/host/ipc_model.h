/*
 * ipc_model.h - synchronous IPC as simply as it can be told
 *
 * No queues, no lists: who is first is who has the smallest number. Every question is answered by
 * looking at all threads. What the kernel does is compared with this after every step.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { THREADS = 6, IDLER = THREADS, ALL = THREADS + 1, GATES = 5, MRS = 8, NOBODY = -1 };

enum m_state { M_READY, M_RECV_ANY, M_RECV_FROM, M_RECV_REPLY, M_SEND, M_STOPPED, M_DEAD };
enum m_message { M_UTCB, M_FAULT, M_EXCEPTION };
enum m_pending { M_NOTHING, M_RECEIVE, M_AGAIN };
enum m_target { T_GATE, T_THREAD, T_SELF, T_VOID };

/* One system call. */
struct m_call {
    enum m_target kind;
    int target; /* gate or thread */
    unsigned op, words;
    long label;
    uint16_t send_timeout, receive_timeout;
    uint64_t absolute_us; /* for L4_TIMEOUT_ABS */
};

struct m_thread {
    enum m_state state;
    enum m_message message;
    enum m_pending pending;
    int partner, gate;   /* whom we send to or receive from */
    uint64_t since;      /* order in which senders and receivers came */
    int64_t ready_since; /* order in the ready queue */
    bool queued;
    bool cancel;
    int prio;
    unsigned slice; /* ticks left */
    uint64_t deadline, timer_since;
    int pager, handler; /* gates, or NOBODY */
    uint64_t fault_words[2];
    struct m_call call; /* under way, a fault's included */
    uint64_t sent_label; /* of the gate, when the message was sent */
    uint64_t rax, rsi, error;
    uint64_t mr[MRS];
};

struct m_gate {
    bool dead;
    int thread;
    uint64_t label;
};

extern struct m_thread m_threads[ALL];
extern struct m_gate m_gates[GATES];
extern int m_current;
extern uint64_t m_now; /* ticks */

void m_reset(void);
/* What the current thread does. */
void m_ipc(int t, const struct m_call *c);
void m_page_fault(int t, uint64_t w0, uint64_t w1);
void m_exception(int t);
void m_tick(void);
/* Calls of the kernel's objects: the answer's label, or -L4_E... */
long m_cancel(int t);
long m_set_prio(int t, int prio);
long m_bind(int g, int t, uint64_t label);
long m_yield_to(int t);
void m_kill(int t);
void m_delete_gate(int g);
/* Who runs next: m_current. */
void m_schedule(void);
/* Who waits for t's answer, or NOBODY. */
int m_caller(int t);
void m_make_ready(int t);
