/*
 * gate.h - an IPC gate: the name under which a thread can be called
 *
 * G1  `thread` is NULL or a living thread in whose list of gates the gate stands.
 * G2  In `waiting` are senders while there is no thread, otherwise threads that stand in for it:
 *     the gate goes over to the first when a message finds the thread busy.
 */
#pragma once

#include "list.h"
#include "object.h"

struct gate {
    struct object obj;
    uint64_t label; /* the low two bits are zero: they carry the sender's rights */
    struct thread *thread;
    struct link in_thread;
    struct link waiting;
} OBJECT_ALIGNED;

extern const struct object_ops gate_ops;
extern struct slab gate_slab;

static inline struct gate *gate_of(struct object *o)
{
    return (struct gate *)o;
}

struct gate *gate_create(struct object *factory, uint64_t label, struct thread *t);
/* From now on messages through g are t's; who queues for the thread before it tries again. */
void gate_bind(struct gate *g, struct thread *t);
/* If somebody stands in for g's thread, the gate is his, and he waits for anybody. */
void gate_pass_on(struct gate *g);
/* t receives from g: it stands in for g's thread, or (true) g is t's and t may wait openly. */
bool gate_stand_in(struct gate *g, struct thread *t);
/* The thread dies: its gates lose it. One gate a call; false: none is left. */
bool gate_unbind_one(struct thread *t);
