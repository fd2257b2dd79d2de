/*
 * roottask/root.h - what the parts of the root task share
 *
 * Two threads: the loader (the boot thread: it calls servers, so it may have to wait for them)
 * and the supervisor (it calls nobody but the kernel and so always hears of faults). A record of
 * a task belongs to one of them at a time, as its state says:
 *
 *   FREE --loader--> LOADING --loader--> RUNNING --supervisor--> DEAD --loader--> GONE
 *
 * A program of the kind `later` goes from GONE to LOADING again. A manager that is restarted goes
 * from DEAD to LOADING and RUNNING, all three by the keeper (keeper.c), who may also end one that
 * does not answer: whoever ends a task has claimed it first.
 */
#pragma once

#include "elf.h"
#include "script.h"

#include <abi/kip.h>
#include <l4/sys/types.h>

#include <stdbool.h>

/* ---- messages to the user; main.c ---- */

/* Print "roottask: ..." and power off with status 1. */
void fatal(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* The same with the script's name and a line. */
void fatal_at(unsigned line, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));
/* One line, in one piece. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Power off with the exit status of a program. */
void power_off(int status) __attribute__((noreturn));
extern bool interactive; /* kernel option: stay up when the main program has ended */

/* ---- boot modules; modules.c ---- */

struct module {
    l4_addr_t start; /* physical, and here: mapped one to one */
    l4_umword_t size;
    const char *name;
    const char *args;
};

/* Find the table through the KIP and map all modules here. */
void modules_init(const l4_kernel_info_t *kip);
unsigned modules_count(void);
struct module modules_get(unsigned i);
/* By name; false: no such module. */
bool modules_find(const char *name, struct module *m);
const char *modules_cmdline(void);
/* Address of the two pages of struct l4mod_info. */
l4_addr_t modules_table(void);

/* ---- memory; memory.c ---- */

/* Addresses and orders as in sigma0's protocols; `account` is a gate to an account of sigma0. */
long memory_account_create(l4_cap_idx_t account, l4_umword_t quota, l4_cap_idx_t target);
long memory_account_left(l4_cap_idx_t account, l4_umword_t *bytes);
long memory_account_release(l4_cap_idx_t account);
/* A zeroed block, mapped here at its physical address. */
long memory_alloc(l4_cap_idx_t account, unsigned order, l4_addr_t *start);
/* Dedicated memory of ours, mapped here. */
long memory_request(l4_addr_t start, l4_umword_t size);
/* Our pages [from, from + size) appear in `task` at `to`. */
long memory_map(l4_cap_idx_t task, l4_addr_t from, l4_addr_t to, l4_umword_t size,
                unsigned rights);
/*
 * New pages [to, to + size) for a task, filled with `bytes` bytes of `data` from to + skip on,
 * the rest zero.
 */
long memory_give(l4_cap_idx_t account, l4_cap_idx_t task, l4_addr_t to, l4_umword_t size,
                 unsigned rights, l4_umword_t skip, const void *data, l4_umword_t bytes);

/* ---- calls to dataspace managers; services.c ---- */

long service_account_create(l4_cap_idx_t manager, l4_umword_t quota, l4_cap_idx_t target);
long service_account_release(l4_cap_idx_t account);
long service_dataspace_create(l4_cap_idx_t account, l4_umword_t size, l4_cap_idx_t target);
/* `slot` is free: it holds a capability while the copy runs. */
long service_copy_in(l4_cap_idx_t to, l4_umword_t to_offset, l4_cap_idx_t from,
                     l4_umword_t from_offset, l4_umword_t size, l4_cap_idx_t slot);
long service_open(l4_cap_idx_t manager, const char *name, l4_cap_idx_t target);

/* ---- tasks; tasks.c ---- */

enum task_state { TASK_FREE, TASK_LOADING, TASK_RUNNING, TASK_ENDING, TASK_DEAD, TASK_GONE };

/* Capabilities that belong to a task record, in its block of slots. */
enum task_slot {
    /* objects made for the task: the supervisor deletes them */
    SLOT_TASK = 0,
    SLOT_FACTORY,
    SLOT_THREAD,    /* the main thread */
    SLOT_RM_THREAD, /* programs only */
    SLOT_GATE,      /* the manager's or the region manager's own gate */
    SLOT_PARENT,    /* to our supervisor */
    SLOT_KEEPER,    /* manager that is restarted: factory of the gates that outlive it */
    SLOT_OBJECTS_ORDER = 3,
    /* things that servers gave for the task: the loader gives them back */
    SLOT_RAM = 8,  /* account at sigma0: manager's memory, or a program's region manager */
    SLOT_OWN_RAM,  /* program with caps=sigma0: its own account there; manager that is restarted:
                    * the account of its image */
    SLOT_MEM,      /* account at the program's memory manager */
    SLOT_FILE,     /* dataspace of the program file */
    SLOT_STACK,    /* dataspace of the stack */
    SLOT_DATA,     /* dataspaces of the writable segments, up to ELF_SEGMENTS_MAX */
    SLOT_BLOCK_ORDER = 5,
};

struct task {
    int state; /* enum task_state, atomic */
    const struct script_task *script;
    struct module module;
    l4_umword_t quota;       /* bytes, resolved */
    l4_umword_t quota_given; /* manager: bytes promised to programs */
    l4_addr_t entry;         /* of the image; for a program: of its region manager */
    l4_addr_t stack;         /* first stack pointer; 0: the image brings its own */
    int status;              /* exit status, once it is DEAD */
    unsigned lives;          /* manager: how often it was started */
};

extern struct task tasks[SCRIPT_TASKS_MAX];
#define STARTER_CAP (34UL << L4_CAP_SHIFT)

int task_state(const struct task *t);
void task_set_state(struct task *t, int state);
l4_cap_idx_t task_cap(const struct task *t, unsigned slot);
unsigned task_index(const struct task *t);
/* Label of the task's parent gate, and back (NULL: not one of ours). */
l4_umword_t task_label(const struct task *t);
struct task *task_from_label(l4_umword_t label);

/* Everything up to the first instruction: factory, task, threads, gates, capabilities. */
long task_create(struct task *t, l4_cap_idx_t supervisor);
/* A capability of ours into slot `to` of the task. */
long task_give(const struct task *t, l4_cap_idx_t from, l4_cap_idx_t to, unsigned rights);
/* Start the first thread: a manager's main, or a program's region manager. */
long task_start(struct task *t);
/* True for one caller only: a running task is his to end. */
bool task_claim(struct task *t);
/*
 * Stop and delete; nothing of the task runs afterwards. For who has claimed it. Of a manager that
 * begins again (task_restarts) the gates stay, without a thread.
 */
void task_kill(struct task *t);
/* Is it a manager that has another life? */
bool task_restarts(const struct task *t);
/* Give back what sigma0 holds for a life of a manager that is restarted. For the keeper. */
void task_forget(struct task *t);
/* Give back what servers hold for a dead task. For the loader. */
void task_release(struct task *t);

/* ---- loading; loader.c ---- */

/* Build a task from its script record, or fatal(). Managers run afterwards, programs wait. */
void load_manager(struct task *t, l4_cap_idx_t supervisor);
/* A manager's next life. Negative: the reason is on the log, and nothing is left of it. */
long load_manager_again(struct task *t, l4_cap_idx_t supervisor);
/*
 * A program of the kind `later` may fail: the reason is on the log, the result is negative, and
 * nothing is left of it.
 */
long load_program(struct task *t, l4_cap_idx_t supervisor);

/* ---- programs that start when somebody says so; starter.c ---- */

/* Make the starter's gate, which leads to this thread. */
void starter_create(l4_cap_idx_t supervisor);
/* Does a message with this label come from that gate? */
bool starter_label(l4_umword_t label);
/* Answer a request in the UTCB; the label of the reply, whose words are in *words. */
long starter_request(l4_msgtag_t tag, unsigned *words);

/* ---- gates that outlive their manager; gates.c ---- */

/* A message of the PARENT protocol about them, in the UTCB, is answered with *reply. */
long gates_request(struct task *t, unsigned op, unsigned words, l4_msgtag_t *reply);
/* None of the task's are left. */
void gates_drop(const struct task *t);

/* ---- managers that are restarted; keeper.c ---- */

/* Start the keeper's thread. */
void keeper_start(l4_cap_idx_t supervisor);
/* A manager has ended. */
void keeper_wake(void);

/* ---- supervision; super.c ---- */

/* Another thread of this task, with UTCB number `n`. */
l4_cap_idx_t super_thread(unsigned slot, unsigned n, void (*main)(void), char *stack,
                          l4_cap_idx_t handler);
enum { SUPER_STACK_SIZE = 16 << 10 };
/* Who hears of exceptions of our own threads. */
l4_cap_idx_t super_watch(void);

/* Start the supervisor's thread; the capability for gates to it. */
l4_cap_idx_t super_start(void);
