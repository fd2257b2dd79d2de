/*
 * fuzz.h - hostile threads that try everything, each on a lane of its own
 *
 *   controller (40)   makes a hostile task and its partner, lets them run, deletes them, counts
 *   handler (120)     answers the lanes' faults: an error, a page, nothing, other registers
 *   disturber (35)    interrupts the lanes at random instants
 *   lanes (27..30)    three threads of the hostile task, one of the partner
 *   watcher (20)      runs when no lane can: the round is over
 *   bystander (10)    the canary: a task that computes a sum, which must always be right
 *
 * Z1  Everything follows from the seed and the number of the round.
 * Z2  A hostile task has text and constants of this program read-only, and of its data only the
 *     lanes: it can spoil nothing else of the controller, and what a lane says of itself is not
 *     trusted.
 */
#pragma once

#include "harness.h"

enum {
    LANES = 4,
    LANES_HOSTILE = 3, /* the last lane is the partner's */
    PRIO_LANE = 30, /* or up to three less: one that wakes up interrupts long operations */
    PRIO_WATCHER = 20,
    PRIO_DISTURBER = 35,
    ROUND_CALLS = 128, /* all lanes, about */
    LANE_CALLS = 64,   /* at most */
    SLOTS_OWN = 28,  /* slots from here on are empty at first */
    SLOTS_USED = 48, /* most capabilities that the lanes name are below */
    POOL_SMALL = 16, /* pages at SMALL_PLACE */
};
#define SUPER_PLACE 0x40000000UL /* where both tasks have memory to pass on */
#define SMALL_PLACE 0x50000000UL
#define PORTS_FIRST 0x200UL /* sixty-four I/O ports with nothing behind */

/* Slots of the hostile task and its partner, above those that every task has. */
enum {
    SLOT_GATE = 16, /* one for each lane */
    SLOT_THREAD = 20,
    SLOT_PARTNER = 24, /* the other task */
    SLOT_IRQ,
    SLOT_SEMAPHORE,
    SLOT_FREE_GATE, /* bound to nobody */
};

#define PROTOCOLS_USED(X)                                                                          \
    X(TASK) X(THREAD) X(FACTORY) X(KOBJECT) X(IRQ) X(IRQ_SENDER) X(SEMAPHORE) X(SCHEDULER)         \
    X(LOG) X(META) X(DEBUGGER) X(NONE) X(PAGE_FAULT) X(EXCEPTION)
enum protocol_used {
#define X(name) USED_##name,
    PROTOCOLS_USED(X)
#undef X
        USED_OTHER, /* noise, foreign calls */
    USED_COUNT
};

/* What came of a call: 0 success, then the errors of L4_ERRORS, then those of IPC. */
enum { RESULT_ERRORS = 32, RESULT_IPC = RESULT_ERRORS, RESULTS = RESULT_IPC + 20, OPS = 24 };

/* What a lane did besides faults. */
struct deeds {
    uint32_t instructions, foreign, spoilt;
};

struct tally {
    uint32_t of[USED_COUNT][OPS][RESULTS];
    uint32_t faults, resumed, given_up, kicked, cleaned, disturbed;
    struct deeds deeds;
};

struct outcome {
    uint8_t used, op, result;
};

struct lane {
    uint64_t seed, hash;
    volatile uint32_t calls, limit;
    volatile uint32_t stuck; /* faults since the last call */
    volatile bool finished, server, owes; /* owes an answer to a caller */
    uint32_t number;
    l4_utcb_t *utcb;
    struct deeds deeds;
    uint32_t outcomes;
    struct outcome outcome[LANE_CALLS];
    char stack[8192 - 256] __attribute__((aligned(64)));
};
_Static_assert(sizeof(struct lane) == 8192, "whole pages");

extern struct lane lanes[LANES];
extern struct tally tally;

static inline uint64_t fuzz_mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15UL;
    return h ^ h >> 29;
}

/* ---- by a lane (lane.c, calls.c, faults.c) ---- */

uint64_t noise(struct lane *l);
/* One of n. */
static inline unsigned below(struct lane *l, unsigned n)
{
    return (unsigned)(noise(l) >> 33) % n;
}
/* A number at which something ends or begins, or any. */
l4_umword_t odd_number(struct lane *l);
l4_cap_idx_t any_cap(struct lane *l);
l4_umword_t any_fpage(struct lane *l);
l4_timeout_t any_timeout(struct lane *l);

struct call {
    l4_cap_idx_t to;
    unsigned op; /* enum l4_syscall_flags_t */
    l4_msgtag_t tag;
    l4_umword_t label;
    l4_timeout_t timeout;
    enum protocol_used used;
    unsigned opcode;
};

/* A call that makes sense: c and the UTCB. */
void make_call(struct lane *l, struct call *c);
/* An answer to whoever called, and the wait for the next. */
void serve_call(struct lane *l, struct call *c);
/* Instructions that fault, or spoil registers. */
void do_harm(struct lane *l);
/* Where a lane begins, and goes on after a fault. Never returns. */
void lane_main(struct lane *l) __attribute__((noreturn));

/* ---- by the controller (world.c) ---- */

/* A thread of the world; memory that both tasks have. */
l4_cap_idx_t world_thread(unsigned n);
l4_fpage_t world_fpage(struct lane *dice);
/* Threads that last: handler and watcher. */
void world_start(void);
/* Time slices are full, the kernel keeps no memory aside, and a tick has just been: whatever was
 * before, a round begins in the same state. */
void world_settle(void);
/* A hostile task and a partner; their lanes run when the controller waits. */
void world_new(uint64_t seed);
/* Let the lanes run until none can, again and again, until they have made enough calls. */
void world_run(uint64_t seed);
void world_delete(void);
/* Memory that the tasks could write is as it was before them; always: even if nobody has. */
void world_clean(bool always);

/* ---- interruptions (disturb.c) ---- */

void disturb_start(void);
void disturb_settle(void);
void disturb_on(uint64_t seed);
void disturb_off(void);
