/*
 * harness.h - what the guest tests of the bare kernel share
 *
 * A test program replaces the root task. Its memory is mapped one to one, so a test can give its
 * own code and data to tasks that it makes: a child runs a function of the program in a fresh task
 * and leaves what it saw in the program's variables.
 *
 *   priority 255 sigma0 | 120 the fault handler | 60 children | 40 the test | 10 the bystander
 *
 * A child that is started, or woken by a message, runs before the test goes on, until it blocks:
 * no test has to guess how long something takes.
 *
 * H1  Every test starts with fresh tasks. When it is over, everything it made is taken away, and
 *     kernel memory used and free must be what they were; the kernel's own checks must hold; and
 *     the bystander, a task that computes a known answer all the time, must still be right.
 */
#pragma once

#include <abi/env.h>
#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>
#include <l4/sys/ipc_gate.h>
#include <l4/sys/kip.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/task.h>
#include <l4/sys/thread.h>
#include <l4/sys/utcb.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* ---- tests (run.c) ---- */

struct test {
    const char *sentence;
    void (*run)(void);
};

/* Runs sets of tests, each ending with a null sentence; returns what main() returns. */
int tests_run(const struct test *const sets[], unsigned count);

/* A wrong one is shown with its place and makes the running test fail; the test goes on. */
bool expect_true(bool good, const char *what, const char *file, unsigned line);
bool expect_equal(l4_umword_t seen, l4_umword_t wanted, const char *what, const char *file,
                  unsigned line);
#define expect(good) expect_true(good, #good, __FILE__, __LINE__)
#define expect_eq(seen, wanted)                                                                    \
    expect_equal((l4_umword_t)(seen), (l4_umword_t)(wanted), #seen, __FILE__, __LINE__)

/* A free capability slot of the root task; emptied, with all derived from it, after the test. */
l4_cap_idx_t slot_new(void);
/* All of them, now: for tests that need more tasks than fit at once. */
void slots_empty(void);

enum {
    PRIO_HANDLER = 120,
    PRIO_CHILD = 60,
    PRIO_TEST = 40,
    PRIO_BYSTANDER = 10,
    TICK_US = 1000,
};

/* ---- children (child.c) ---- */

/* Slots of every child, and where those of the test begin. */
#define CHILD_TASK L4_BASE_TASK_CAP
#define CHILD_THREAD L4_BASE_THREAD_CAP
#define CHILD_PAGER L4_BASE_PAGER_CAP
#define CHILD_LOG L4_BASE_LOG_CAP
#define CHILD_CAP(i) ((16UL + (i)) << L4_CAP_SHIFT)

enum { CHILD_UTCBS = 4, CHILD_UTCB_ORDER = 12, CHILDREN_MAX = 12, CHILD_STACK = 8192 };
#define CHILD_UTCB_ADDR QUIRE_UTCB_ADDR

struct child {
    l4_cap_idx_t task, thread; /* slots of the test */
    l4_addr_t utcb;            /* in the child's task */
    char *stack_top;
    void (*run)(void *);
    void *arg;
    volatile bool finished; /* run has returned; the child sleeps */
    bool started;
    unsigned priority;
};

/* A task with UTCB area, the program's image, its log and the fault handler's gate; a thread
 * bound to it whose pager and exception handler is that gate. */
struct child *child_new(void);
/* The same, paid by a factory of the test. NULL when it cannot pay. */
struct child *child_new_from(l4_cap_idx_t factory);
/* A further thread in a child's task, with the UTCB of that number. */
struct child *child_thread(struct child *in, unsigned utcb);
/* A child whose task is gone, and its second thread (UTCB 1), once more. */
void child_again(struct child *c, struct child *second, l4_cap_idx_t factory);
/* Only a task: UTCB area, no image, no capabilities. */
l4_cap_idx_t task_new(void);
/* Map the program's image into a task; only its text and constants. */
void image_map(l4_cap_idx_t task);
void text_map(l4_cap_idx_t task);
/* Pages of the test, whole, at the same addresses in a task. */
void map_range(l4_cap_idx_t task, l4_addr_t start, l4_addr_t end, unsigned char rights);

/* Make the child run a function, whatever it was waiting for; returns when it blocks. */
void child_run(struct child *c, void (*run)(void *), void *arg);
/* Let it go on as it is, with this priority. */
long child_priority(struct child *c, unsigned priority, unsigned quantum_us);
/* The same for the test itself. */
void own_priority(unsigned priority);
/* A capability of the test for a child, in a slot of its own numbering. */
long give(struct child *c, l4_cap_idx_t cap, l4_cap_idx_t slot, unsigned rights);
/* A gate to a child's thread; L4_INVALID_CAP as thread: to nobody. */
l4_cap_idx_t gate_new(l4_cap_idx_t thread, l4_umword_t label);
/* Delete an object by the capability of the test. */
long destroy(l4_cap_idx_t cap);
/* Pager and exception handler of a child, as slots of its own; ~0 keeps. */
long child_handlers(struct child *c, l4_cap_idx_t pager, l4_cap_idx_t handler);

void children_reset(void);

/* ---- one IPC operation, by a child (job.c) ---- */

struct job {
    /* what to do */
    unsigned op; /* enum l4_syscall_flags_t */
    l4_cap_idx_t to;
    l4_umword_t label;
    l4_msgtag_t tag;
    l4_timeout_t timeout;
    l4_umword_t mr[L4_UTCB_GENERIC_DATA_SIZE]; /* at first: POISON + number */
    l4_umword_t bdr;
    l4_umword_t br[L4_UTCB_GENERIC_BUFFERS_SIZE];
    struct job *next; /* done by the same child after this one */
    unsigned repeat;  /* how often, 0 is once */
    /* what came of it */
    volatile bool done;
    l4_msgtag_t got_tag;
    l4_umword_t got_label;
    l4_umword_t got_error; /* 0 or enum l4_ipc_tcr_error_t */
    l4_umword_t got[L4_UTCB_GENERIC_DATA_SIZE];
    l4_uint64_t clock_before, clock_after; /* microseconds */
    unsigned order;                        /* the how-manieth job that got done in this test */
};

#define POISON 0xbad0000000000000UL
/* The words that a test sends: different for each test message and each word. */
#define WORD(message, i) (0x1000100UL * (message) + (i) + 1)

struct job *job_new(unsigned op, l4_cap_idx_t to);
/* Words 0..n-1 are WORD(message, i), the tag says n and label. */
void job_words(struct job *j, unsigned message, unsigned n, long label);
/* Let a child do a job and those that follow; returns when it blocks or is done. */
void job_start(struct child *c, struct job *j);
void jobs_reset(void);
unsigned jobs_done(void);

/* Do it in the test's own thread. */
void job_here(struct job *j);

/* ---- access to memory, by a child (probe.c) ---- */

struct probe {
    bool fault;            /* the access was refused: */
    l4_umword_t fault_msg; /* first word of the page-fault message */
    l4_umword_t value;     /* what was read */
};

/* The child's fault handler (the usual one) must be in place. */
struct probe probe_read(struct child *c, l4_addr_t address);
struct probe probe_write(struct child *c, l4_addr_t address, l4_umword_t value);
/* Calls the address, where there should be a `ret`. */
struct probe probe_run(struct child *c, l4_addr_t address);

/* What these do, for children that do more than that: refused is 1 when the access faulted. */
struct touched {
    l4_umword_t value, refused;
};
struct touched touch_read(l4_addr_t address, l4_umword_t unused);
struct touched touch_write(l4_addr_t address, l4_umword_t value);
struct touched touch_run(l4_addr_t address, l4_umword_t unused);
struct touched touch_port(l4_umword_t port, l4_umword_t unused); /* in */

void handler_start(void);
/* A further thread in the test's own task, with the UTCB of that number (2..), running fn. */
void own_thread(l4_cap_idx_t slot, unsigned utcb, void (*fn)(void), char *stack_top,
                unsigned priority);
extern l4_cap_idx_t handler_gate;

/* ---- the bystander (bystander.c) ---- */

void bystander_start(void);
/* True: it has made progress since the last look, and all its answers were right. */
bool bystander_well(void);
/* From now on it stops in the middle of each round, registers full, until bystander_well(). */
void bystander_rest(void);

/* ---- memory and counters (run.c) ---- */

/* 2^order bytes from sigma0, one to one, for the rest of the run; 0: there is none. */
l4_addr_t memory_new(unsigned order);
/* Counters of a task (slot of the test). */
l4_umword_t counter(l4_cap_idx_t task, enum l4_dbg_counter which);
/* Bytes of kernel memory free. */
l4_umword_t kernel_memory_free(void);
