/*
 * gate.h - an IPC gate: the name under which a thread can be called
 *
 * G1  `thread` is NULL or a living thread in whose list of gates the gate stands.
 * G2  Senders wait in `senders` only while there is no thread.
 */
#pragma once

#include "list.h"
#include "object.h"

struct gate {
    struct object obj;
    uint64_t label; /* the low two bits are zero: they carry the sender's rights */
    struct thread *thread;
    struct link in_thread;
    struct link senders;
} OBJECT_ALIGNED;

extern const struct object_ops gate_ops;
extern struct slab gate_slab;

static inline struct gate *gate_of(struct object *o)
{
    return (struct gate *)o;
}

struct gate *gate_create(struct object *factory, uint64_t label, struct thread *t);
/* The thread dies: its gates lose it. One gate a call; false: none is left. */
bool gate_unbind_one(struct thread *t);
