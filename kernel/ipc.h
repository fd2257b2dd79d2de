/*
 * ipc.h - messages between threads
 */
#pragma once

#include "gate.h"
#include "object.h"
#include "thread.h"

/* The system call: returns the thread that runs next; NULL: self, in the quickest way. */
struct thread *syscall(struct thread *self, uint64_t label, uint64_t cap_op, uint64_t tag,
                       uint64_t timeouts);

/* All of it but the shortcut. */
struct thread *syscall_slow(struct thread *self, uint64_t label, uint64_t cap_op, uint64_t tag,
                            uint64_t timeouts);

/* What self is asking for, decoded. */
struct ipc {
    struct thread *self;
    unsigned op;       /* L4_SYSF_* */
    uint32_t timeouts; /* send << 16 | receive */
    l4_msgtag_t tag;   /* to send */
};

/* Send self's message (see thread.message) through a capability of its task, then receive as the
 * operation says. Ends with self READY (result set), blocked, or with a continuation. */
void ipc_through(struct ipc *ipc, l4_cap_idx_t cap);
/* The IPC of t is over with an error; a fault goes on as an exception, an exception stops. */
void ipc_fail(struct thread *t, unsigned error);
/* A message has arrived at t (words and items are in place): result, state, queue. */
void ipc_deliver(struct thread *t, l4_msgtag_t tag, uint64_t label);
/* The message from -> to is over: both go on. error: of the sending phase, 0 or even code. */
void ipc_sent(struct thread *from, struct thread *to, l4_msgtag_t tag, unsigned error);
/* act has mapped the items of a message that is over: what it has left half done, or made die, is
 * finished by whoever of the two goes on, before it does. */
void ipc_leave_nothing(struct thread *act, struct thread *other);
/* t, the running thread, waits in `queue` (RECV_FROM) as long as its call's receive timeout says,
 * for what no thread sends: an interrupt, a semaphore. */
void ipc_wait_in(struct thread *t, struct link *queue);
/* Does t's system call have a send phase and then a closed receive? */
bool ipc_is_call(const struct thread *t);
/* Run the same system call again when t is next. */
void ipc_restart(struct thread *t);

/* What becomes of a call that a kernel object has served with result r, in every case. */
void ipc_invoked(struct invocation *iv, long r);

/* The items of from, READY and current, to `to` at once. 0: all mapped, the caller completes the
 * message. Otherwise the message has been completed, or goes on as a continuation. */
int msg_items_now(struct thread *from, struct thread *to);
/* msg.c: words and items from one thread to another; act (one of both) does the work. */
void msg_transfer(struct thread *from, struct thread *to, struct thread *act);
/* One of the two of an unfinished transfer is gone, and the other is told. Returns the error for
 * the one, if it is still there to be told. */
unsigned msg_abort(struct thread *gone);
/* A sender leaves a gate's queue: its message, or its fault, is sent again when it runs. */
void fault_or_call_again(struct thread *t);
