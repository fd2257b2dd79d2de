/*
 * rm.h - inside the region manager: what its files share
 *
 *   main.c     start, server loop          fault.c    page faults, dataspace map calls
 *   worker.c   the threads and the lock    pending.c  faults that wait for the fault handler
 *   service.c  the protocol (attach ...)   report.c   exceptions: report, backtrace
 *   memory.c   nodes and capability slots  region.c   the regions themselves (pure)
 *   section.c  sections without faults
 *
 * The region manager is some threads, the workers, in the task whose address space it manages. One
 * of them has the gate; another one stands in for it. While the first waits for a dataspace
 * manager, a message that comes meanwhile goes to the second, and the gate with it, so whoever has
 * a slow pager waits alone (docs/region-manager.md).
 *
 * M1  They never touch memory that may fault: image, stacks and heap are mapped before they are
 *     used; memory of the program is read only after its page has been made present.
 * M2  The map and everything that workers share is looked at and changed with the lock only, and
 *     nobody who has the lock waits for anybody but the kernel.
 * M3  While a worker waits, its only receive buffer is one empty capability slot; while it asks a
 *     dataspace for a page, only a window inside the region that the page belongs to; otherwise
 *     there is none. The buffers stay where they are, the buffer descriptor says which counts:
 *
 *         BR  0     1       2     3           4
 *             item  window  none  capability  none
 *             ^ RM_BDR_MAP  ^ RM_BDR_NONE
 *                           ^ memory, ^ capabilities: RM_BDR_WAIT
 *
 * M4  A window is open only in the state RM_CALLING, which is entered with the lock. Who takes
 *     addresses away (detach) cancels the calls whose window meets them, and goes on when these
 *     workers have left that state. What such a worker finds afterwards it looks up anew.
 * M5  A cancellation may hit the IPC after the one that was meant: an answer that was cancelled is
 *     sent again; who takes the lock after a call that failed clears what is left of it.
 */
#pragma once

#include "region.h"

#include <abi/env.h>
#include <common/foreign.h>
#include <l4/sys/ipc.h>
#include <l4/sys/utcb.h>

/* A message from one worker to another: look who has the gate. */
enum { RM_PROTO_NUDGE = 0x5180 };

enum { RM_BR_ITEM, RM_BR_WINDOW, RM_BR_NONE, RM_BR_CAP, RM_BR_END };

/* Buffer descriptors (M3): whoever calls somebody sets one, and RM_BDR_WAIT again afterwards. */
#define RM_BDR_WAIT l4_bdr(RM_BR_NONE, RM_BR_NONE, RM_BR_CAP, 0)
#define RM_BDR_MAP l4_bdr(RM_BR_ITEM, RM_BR_NONE, RM_BR_NONE, 0)
#define RM_BDR_NONE l4_bdr(RM_BR_NONE, RM_BR_NONE, RM_BR_NONE, 0)

/* Limits, each with its reason. */
enum {
    RM_REGIONS_MAX = 65536, /* nodes ever made: 10 MiB of the task's memory */
    RM_NODE_RESERVE = 64,   /* spare nodes below which more memory is fetched: a detach needs two,
                             * so there is time for many requests until the fetching succeeds */
    RM_HEAP_STEP = 64 << 10, /* bytes fetched at a time: about 400 nodes */
    RM_STACK_RESERVE = 2 << 20, /* bytes below the top of the stack that the heap stays away from */
    RM_SLOTS = 2048,        /* capabilities that the region manager holds itself */
    RM_WORKERS_MAX = 512,   /* threads: as many faults of the task may be waiting at once */
    RM_HANDLER_LOOK_MS = 50, /* a fault handler that is gone is noticed so soon */
    RM_WORKER_STACK = 8 << 10, /* bytes; a report, the deepest, needs 3 KiB */
    RM_FAULTS_KEPT = 1024,  /* a ring: what STATS can still tell about */
    RM_BACKTRACE_MAX = 24,  /* return addresses: fit on one log line */
    RM_REPORT_REGIONS = 16, /* shown with a report, around the place */
    RM_GATE_LABEL = 0x100,
};

/* 262 ms (512 * 2^9 us), until a manager has taken a request, and again until it has answered: how
 * long the last worker waits for it. More than an honest one needs; and so much of the time of all
 * threads does one cost that hangs. */
#define RM_PATIENCE l4_ipc_timeout(512, 9, 512, 9)

/* 5 s (610 * 2^13 us), until the next life of a manager that ended has taken the request. More than
 * the root task needs; a gate that nobody answers any more must not cost a thread for ever. */
#define RM_NEXT_LIFE l4_ipc_timeout(610, 13, 0, 0)

/* While it is being served, `error` of a record. */
#define RM_FAULT_OPEN 1L

/* One page fault, from its message to its answer. Kept in a ring afterwards. */
struct rm_fault {
    l4_addr_t addr;
    l4_umword_t access; /* enum l4_page_fault_bits */
    l4_addr_t ip;
    l4_umword_t label; /* of the gate */
    long error;        /* 0: the page was mapped */
    l4_addr_t start;   /* the region; end 0: none */
    l4_addr_t end;
    l4_cap_idx_t ds;
    l4_addr_t offset; /* of the page in the dataspace */
};

/* What has happened, in messages. */
struct rm_counts {
    l4_umword_t faults; /* all that are not rejected have been resolved */
    l4_umword_t rejected;
    l4_umword_t map_calls; /* all, with those of attach, backtraces and our own heap */
    l4_umword_t calls;     /* of the region manager protocol */
    l4_umword_t handovers; /* of the gate to who stood in */
    l4_umword_t woken;     /* pending faults, by an attach */
};

enum rm_worker_state {
    RM_WAITING, /* for a message, or about to, or with one that it has only just got */
    RM_CALLING, /* asks a dataspace for a page: a window is open */
    RM_WORKING, /* none of these */
    RM_PENDING, /* its fault waits for the fault handler */
};

struct rm_worker {
    l4_utcb_t *utcb;
    int state; /* enum rm_worker_state */
    unsigned slot; /* it receives capabilities with */
    bool idle;     /* W2 */
    l4_cap_idx_t thread;
    struct rm_worker *next; /* all workers */
    /* RM_PENDING */
    struct rm_worker *behind; /* in the queue */
    const struct rm_fault *fault;
    l4_umword_t id;
    long refusal; /* the error, if nobody does anything about it */
    long verdict; /* RM_FAULT_OPEN: none yet; 0 look again; -L4_E...: refused */
};

extern struct region_map rm_map;
extern struct rm_counts rm_counts;
extern struct rm_worker *rm_owner; /* has the gate, or has just lost it and nobody knows yet */
extern struct foreign rm_foreign; /* where the program serves system calls that are not L4's */

static inline const quire_env_page *rm_env(void)
{
    return (const quire_env_page *)QUIRE_ENV_ADDR;
}

/* worker.c */

extern int rm_locked;
void rm_lock_wait(void);

static inline bool rm_try_lock(void)
{
    return __atomic_exchange_n(&rm_locked, 1, __ATOMIC_ACQUIRE) == 0;
}

static inline void rm_lock(void)
{
    while (L4_UNLIKELY(!rm_try_lock()))
        rm_lock_wait();
}

static inline void rm_unlock(void)
{
    __atomic_store_n(&rm_locked, 0, __ATOMIC_RELEASE);
}

static inline void rm_set_state(struct rm_worker *w, enum rm_worker_state state)
{
    __atomic_store_n(&w->state, state, __ATOMIC_RELEASE);
}

/* The first worker, which runs already, and one that stands in for it. */
long rm_workers_start(void);
/* The next message; error as of an IPC. */
l4_msgtag_t rm_next(struct rm_worker *w, l4_umword_t *label);
/* Answer without waiting. */
void rm_answer(struct rm_worker *w, l4_msgtag_t answer);
/* How many workers stand in; with one this one may wait. */
extern unsigned rm_idle;
static inline bool rm_may_wait(void)
{
    return rm_idle != 0;
}
/* For how long it may wait for a dataspace manager. */
static inline l4_timeout_t rm_patience(void)
{
    return L4_LIKELY(rm_may_wait()) ? L4_IPC_NEVER : RM_PATIENCE;
}
/* With the lock: what is left of a cancellation of this worker ends here (M5). */
void rm_settle(void);
/* With the lock: no call with a window in [start, end) is under way any more (M4). */
void rm_calls_abort(const struct rm_worker *self, l4_addr_t start, l4_addr_t end);
/* Whether the thread whose message the worker serves still waits for the answer. */
bool rm_owes(const struct rm_worker *w, l4_utcb_t *utcb);
/* With the lock: calls made for threads that are gone end; *count of workers, and of those that
 * call or are pending. */
void rm_workers_collect(l4_utcb_t *utcb, unsigned *workers, unsigned *busy);
/* main.c: what a worker does. */
L4_NORETURN void rm_server_loop(struct rm_worker *w);

/* Whether an error is that of a cancelled IPC. */
static inline bool rm_cancelled(long err)
{
    return err == -(L4_EIPC_LO + L4_IPC_SECANCELED) || err == -(L4_EIPC_LO + L4_IPC_RECANCELED);
}

/* pending.c, all with the lock */

/* The fault cannot be served (-L4_ENOMEM, -L4_EACCESS): wait until the handler has done something
 * about it. 0: look again; otherwise the fault is refused with that error. */
long rm_pending_wait(struct rm_worker *w, const struct rm_fault *f, long err);
extern struct rm_worker *rm_pending;
/* A region is there: those wake up whose fault it serves. */
void rm_pending_wake(l4_utcb_t *utcb, const struct region *r);
/* Those whose thread is gone leave. Returns how many are left. */
unsigned rm_pending_collect(l4_utcb_t *utcb);
/* The operations of the protocol. */
l4_msgtag_t rm_set_handler(struct rm_worker *w, l4_cap_idx_t handler);
l4_msgtag_t rm_get_faults(l4_utcb_t *utcb);
l4_msgtag_t rm_answer_fault(l4_utcb_t *utcb);

/* fault.c */

/* The fault in the message: the answer's label, 0, or -L4_E... for the kernel to make an exception
 * of. */
long rm_fault_serve(struct rm_worker *w, l4_umword_t label);

/* What the access needs of the region: L4RE_RM_F_R, RW or RX. */
unsigned rm_rights_needed(const struct rm_fault *f);

/*
 * Ask for the page at `addr`, which a region with that dataspace holds, with the region's rights or
 * (0) those in `rights`; only a window in the region can be filled. *mapped (may be NULL): first
 * address behind what has been mapped.
 * -L4_ENOENT: no such region; -L4_EFAULT: the manager answered, but mapped nothing. Or the
 * manager's or the IPC's error.
 */
long rm_map_page(struct rm_worker *w, l4_addr_t addr, l4_cap_idx_t ds, unsigned rights,
                 l4_addr_t *mapped);

/* Same for a window that is in no region. `order`, on return: what has been mapped. */
long rm_map_window(l4_utcb_t *utcb, l4_cap_idx_t ds, l4_addr_t offset, unsigned flags,
                   l4_addr_t base, unsigned *order);

/* The oldest or the newest kept fault in the page of `addr`, NULL: none. */
const struct rm_fault *rm_fault_first(l4_addr_t addr);
const struct rm_fault *rm_fault_newest(l4_addr_t addr);

/* report.c: say what happened, and have the task stopped. There is no answer to the thread. */
void rm_exception_report(struct rm_worker *w);
/* One line on the log, as printf, with its newline. */
void rm_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* All regions and areas, on the log. With the lock. */
void rm_show_lists(void);

/* memory.c */
/* Nodes. */
void rm_memory_start(void);
/* The buffer registers as M3 wants them. */
void rm_buffers_set(struct rm_worker *w);
/* Fetch memory for nodes and stacks if there is little. May call our memory allocator; keeps the
 * message. Without the lock. */
void rm_memory_fetch(struct rm_worker *w);
static inline void rm_memory_refill(struct rm_worker *w)
{
    if (L4_UNLIKELY(rm_map.spares < RM_NODE_RESERVE))
        rm_memory_fetch(w);
}
/* The top of a stack for a worker, and its UTCB; 0: there is none. With the lock. */
l4_addr_t rm_stack_new(void);
unsigned rm_stacks_left(void);
l4_utcb_t *rm_utcb_new(l4_utcb_t *utcb);
/* A slot for capabilities that come, -L4_ENOMEM. With the lock. */
long rm_slot_new(unsigned *slot);
l4_cap_idx_t rm_slot_cap(unsigned slot);
/* The capability that has been received is kept, another slot is for the next one. -L4_ENOMEM: no
 * slot would be left to receive with; it has been dropped. With the lock, as the next but one. */
long rm_slot_keep(struct rm_worker *w, l4_cap_idx_t *out);
/* It is not kept. */
void rm_slot_drop(struct rm_worker *w);
/* One more region refers to the capability; false: the slot is ours, and empty. One less: ours is
 * dropped with the last one, then true. The program's own capabilities are not counted. */
enum { RM_SLOT_FIRST = L4_CAP_SLOTS / 2 };
static inline bool rm_slot_is_ours(l4_cap_idx_t cap)
{
    return (cap >> L4_CAP_SHIFT) - RM_SLOT_FIRST < RM_SLOTS;
}
bool rm_slot_ref(l4_cap_idx_t cap);
bool rm_slot_unref(l4_utcb_t *utcb, l4_cap_idx_t cap);

/* section.c: the operation that begins or ends a section (with the lock), and an exception: false:
 * it is no fault in a section, or was refused; the message is as it was. */
l4_msgtag_t rm_section(struct rm_worker *w, l4_msgtag_t tag);
bool rm_section_fault(struct rm_worker *w, l4_umword_t label);

/* service.c: a message of label L4RE_PROTO_RM or L4RE_PROTO_STATS; the answer. */
l4_msgtag_t rm_serve(struct rm_worker *w, l4_msgtag_t tag);
l4_msgtag_t rm_stats(struct rm_worker *w, l4_msgtag_t tag);
