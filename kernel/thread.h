/*
 * thread.h - a thread: registers, state, partner
 *
 *               send, partner not ready          partner received
 *    READY ----------------------------> SEND ------------------------> READY or RECV
 *    READY --- receive, nobody sends ---> RECV_ANY / RECV_FROM -------> READY
 *    READY --- call delivered ----------> RECV_REPLY --- reply -------> READY
 *    READY or queued <--- items being mapped ---> XFER (the partner does the work)
 *
 * T1  current is in no queue. A READY thread that is not current stands in the ready queue, a
 *     SEND thread in its partner's queue of senders, a RECV_FROM thread in its partner's queue
 *     of waiters; nobody else stands in a queue (`link`).
 * T2  b->caller == a  <=>  a is RECV_REPLY and a->partner == b.
 * T3  regs.rip < L4_USER_END always, so sysret never sees a non-canonical address.
 * T4  While current has not used the FPU, CR0.TS is set and the FPU's registers hold the initial
 *     state; while it has not THREAD_EXTRA, that is so and the FS base is 0.
 */
#pragma once

#include <abi/utcb.h>

#include "list.h"
#include "object.h"
#include "x86/regs.h"

struct task;
struct gate;

enum thread_state {
    THREAD_READY,
    THREAD_RECV_ANY,
    THREAD_RECV_ANY_SLOW, /* the same, with a timeout or an unanswered caller: no fast path */
    THREAD_RECV_FROM,
    THREAD_RECV_REPLY,
    THREAD_SEND,    /* queued at a thread, or at a gate without thread */
    THREAD_XFER,    /* a partner is mapping items for us */
    THREAD_STOPPED, /* never started, or halted after an unhandled exception */
    THREAD_DEAD,
};

/* What a blocked thread's message is, and what becomes of the answer. */
enum thread_message {
    MESSAGE_UTCB,
    MESSAGE_IO_FAULT,  /* an I/O port that is not held: otherwise as a page fault */
    MESSAGE_FAULT,     /* page fault: two words; the answer resumes or rejects */
    MESSAGE_EXCEPTION, /* 26 words; the answer's words are the new registers */
};

enum thread_flags {
    THREAD_ALIEN = 1,
    THREAD_STARTED = 2,       /* the scheduler has been told to run it */
    THREAD_SLOW = 32,         /* no fast path (kernel option nofast) */
    THREAD_HAS_IP = 16,       /* ex_regs has said where */
    THREAD_CANCEL = 4,        /* the next IPC ends at once */
    THREAD_ALLOW_SYSCALL = 8, /* the handler of an alien let this system call pass */
    THREAD_TRIGGERED = 64, /* an exception is to be raised before its next instruction */
    THREAD_EXTRA = 128,    /* it has more to be switched than all have: `fpu_used`, `fs_base` */
    THREAD_NO_SHORTCUT = THREAD_ALIEN | THREAD_CANCEL | THREAD_ALLOW_SYSCALL | THREAD_SLOW,
};

struct thread {
    struct regs regs;
    struct object obj;
    /* a message, in the object's fourth cache line */
    uint8_t state;
    uint8_t message;
    uint8_t flags;
    uint8_t priority;
    uint8_t fault_bits;
    uint8_t xfer_active;    /* this thread does the work (msg.c) */
    uint8_t xfer_receiving; /* active, and the receiver of the two */
    uint8_t xfer_item;
    struct task *task;      /* NULL: not bound, or dead */
    l4_utcb_t *utcb;        /* the kernel's address */
    struct thread *partner; /* whom we send to, receive from, transfer with */
    struct thread *caller;  /* who waits for our reply */
    union {
        uint64_t gs_base; /* at first, the word in the UTCB that holds its address */
        struct {
            uint32_t gs_base_low, gs_base_high;
        };
    };
    uint64_t fs_base;
    /* waiting */
    struct link senders; /* threads that want to send to us */
    uint64_t deadline;   /* tick at which the IPC ends; 0: never */
    l4_cap_idx_t pager;
    uint64_t fault_address;
    uint64_t send_label; /* label | rights that goes with the queued message */
    uint64_t send_tag;
    uint32_t send_op;   /* operation bits of the IPC under way */
    uint32_t timeouts;  /* send << 16 | receive */
    uint64_t xfer_done; /* bytes or slots of the item done */
    bool xfer_mapped;   /* something of the item has been mapped */
    bool fpu_used;      /* `fpu` says something; otherwise its state is the initial one */
    struct link link;   /* the one queue that the state says */
    /* what to do instead of returning to user mode (a continuation), or NULL */
    struct thread *(*cont)(struct thread *);
    uint64_t progress; /* of a kernel call that was preempted */
    l4_cap_idx_t exc_handler;
    struct link waiters; /* threads that receive from nobody but us */
    struct link in_task;
    struct link gates; /* bound to us */
    /* time */
    uint32_t quantum_us;
    uint32_t slice_us; /* left of the time slice */
    struct link timeout;
    uint64_t ticks; /* timer ticks that hit this thread */
    uint64_t utcb_user;
    uint8_t fpu[512] __attribute__((aligned(64)));
};
_Static_assert(offsetof(struct thread, fs_base) + 8 == 256, "one line holds what a message needs");
_Static_assert(offsetof(struct thread, regs) == 0, "assembly");
_Static_assert(sizeof(struct thread) <= 1360, "three threads a page");

extern const struct object_ops thread_ops;
extern struct slab thread_slab;
extern struct thread idle_thread; /* stands for no thread at all */

static inline struct thread *thread_of(struct object *o)
{
    return container_of(o, struct thread, obj);
}

/* Flags that every new thread starts with. */
extern uint8_t thread_initial_flags;

struct thread *thread_create(struct object *factory);
int thread_bind(struct thread *t, struct task *task, uint64_t utcb_user);
/* Out of every queue, partners told; DEAD. Bounded: its senders are told by the reaper. */
void thread_kill(struct thread *t);
/* One of those who queue for a dead thread, or one gate, learns of it; false: all have. */
bool thread_tell_one(struct thread *t);
/* End the IPC that t is blocked in, with an error code of enum l4_ipc_tcr_error_t. */
void thread_abort_ipc(struct thread *t, unsigned send_error);
/* Addresses outside user space become L4_USER_END, which faults. */
static inline uint64_t thread_valid_ip(uint64_t ip)
{
    return ip < L4_USER_END ? ip : L4_USER_END;
}

/* Set instruction pointer; addresses outside user space become L4_USER_END, which faults. */
void thread_set_ip(struct thread *t, uint64_t ip);
/* t, which has no continuation, raises the exception that ex_regs asked for when it goes on. */
void thread_rearm(struct thread *t);
/* A stopped thread runs once it is bound, has an instruction pointer and has been started. */
void thread_try_start(struct thread *t);
/* Leave the kernel by iret with exactly the registers in the frame. */
static inline void thread_exit_exact(struct thread *t)
{
    t->regs.vector = 0;
}
