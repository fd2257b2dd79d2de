/*
 * machine.h - a whole kernel on the host: booted, with tasks and threads that the test plays
 *
 * Everything but kernel/x86, kernel/boot and main.c is compiled unchanged. A user thread is its
 * thread object: user_call() stores what entry.S stores and calls the same functions; what they
 * return is the thread that runs next.
 */
#pragma once

#include "check.h"
#include "factory.h"
#include "fault.h"
#include "gate.h"
#include "ipc.h"
#include "map.h"
#include "sched.h"
#include "task.h"

enum { MACHINE_UTCB = 0x70000000, MACHINE_UTCB_ORDER = 14 };

/* Free bytes of the pool after boot; what is free at the end must be the same. */
extern uint64_t machine_free_at_start;
/* How many reports of stopped threads the kernel wrote. */
extern unsigned machine_reports;

/* Kernel memory of `bytes`, nobody runs; flags that new threads start with. */
void machine_boot(uint64_t bytes, unsigned thread_flags);
/* A task with UTCBs, paid by the factory; it lives until somebody deletes it. */
struct task *machine_task(struct object *factory);
struct factory *machine_factory(struct object *parent, uint64_t limit);
/* A thread with the given UTCB, ready to run in user mode. */
struct thread *machine_thread(struct object *factory, struct task *t, unsigned utcb,
                              unsigned priority);
/* Make the object die and take all dying ones apart. */
void machine_destroy(struct object *o);
/* Copy a capability from one task to another (as a child). */
void machine_pass(struct task *from, uint64_t src, struct task *to, uint64_t dst, unsigned rights);

/* The three doors. Each returns who runs next. */
struct thread *user_call(struct thread *t, uint64_t label, uint64_t cap_op, l4_msgtag_t tag,
                         uint32_t timeouts);
struct thread *user_trap(struct thread *t, unsigned vector, uint64_t address, uint64_t err);
struct thread *user_tick(struct thread *t);
/* A call of a kernel object: label of the answer. The thread must be the one that goes on. */
long user_invoke(struct thread *t, uint64_t slot, long label, unsigned words, unsigned items);
/* The capability item for such a call. */
void user_item(struct thread *t, unsigned mr, uint64_t slot, unsigned rights);
