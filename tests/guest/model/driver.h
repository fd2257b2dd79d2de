/*
 * driver.h - the sequences of tests/random/model.h, performed by real tasks, beside the model
 *
 * Four tasks; the first has the roots. In each step one of them touches what it has (so the
 * translation buffer is warm), makes one system call, and touches again before anybody else runs:
 * what it could read, write, execute, call and reach, and what it read, must be what the model
 * says, and so must the answer of the call and what each quota has paid. Every eighth step all
 * tasks look.
 *
 * N1  Everything follows from the bytes of the sequence. The kernel on the host does the same.
 * N2  The first word of each page of the roots is its own, and is a `ret` when executed.
 */
#pragma once

#include "harness.h"

#include "random/model.h"

/* What a task could do of what it tried (struct model_look). */
struct slot_seen {
    l4_umword_t id;      /* the kernel's number of the object, ~0: none */
    long valid, equal;   /* task_cap_valid; task_cap_equal to the slot that was tried before */
    long answer;         /* of a call that tells what it is, and rights */
    l4_umword_t a, b;    /* gates: label, rights; tasks: used, limit of the quota that paid */
};

struct seen {
    uint8_t could[MODEL_UNITS];
    l4_umword_t read[MODEL_UNITS];
    struct slot_seen slot[MODEL_SLOTS];
    uint8_t ports;
};

/* A look: what is tried, what with, what came of it. */
struct look {
    struct model_look tried;
    l4_umword_t word[MODEL_UNITS]; /* what may be written, because it is there already */
    uint8_t type[MODEL_SLOTS];     /* how the object there is to be asked */
    struct seen seen;
};

struct step {
    struct model_op op;
    bool looks_before, acts, looks_after;
    struct look before, after;
    unsigned object; /* the number that a new one gets */
    l4_umword_t word; /* what MODEL_TOUCH writes */
    /* what the kernel said */
    long error;
    l4_umword_t status, id;
};

/* ---- where things are (inline: both sides use them) ---- */

/* Slots of all tasks. */
#define TASK_OF(t) CHILD_CAP(t)
#define RECEIVER_OF(t) CHILD_CAP(MODEL_TASKS + (t))
#define SERVER CHILD_CAP(2 * MODEL_TASKS)
#define COMMON CHILD_CAP(2 * MODEL_TASKS + 1)
#define SECOND_PAGE (700UL << L4_CAP_SHIFT) /* of the table of slots: it is always in use */

enum { GATE_LABEL = 0x1000 };
#define FRAME_WORD(page) (0xc3UL | (l4_umword_t)(page) << 8)

static inline l4_addr_t place(unsigned task, unsigned page)
{
    return (task + 1UL) * 0x100000000UL + (l4_addr_t)page * L4_PAGESIZE;
}

static inline l4_cap_idx_t slot_of(unsigned slot)
{
    return (l4_cap_idx_t)(MODEL_FIRST_SLOT + slot) << L4_CAP_SHIFT;
}

/* Units, slots or ports of a task as a flexpage. */
static inline l4_fpage_t flexpage(const struct model_op *o, unsigned task, unsigned first)
{
    if (model_is_memory(o->kind))
        return l4_fpage(place(task, model_page(first)), o->order, o->rights);
    if (model_is_port(o->kind))
        return __l4_fpage_generic((l4_umword_t)model_port(first) << 12, L4_FPAGE_IO, o->order,
                                  o->rights);
    return l4_obj_fpage(slot_of(first), o->order, o->rights);
}

static inline l4_umword_t send_base(const struct model_op *o)
{
    return l4_map_control(flexpage(o, o->to, o->dst).raw & ~0xfffUL, 0,
                          o->grant ? L4_MAP_ITEM_GRANT : 0);
}

/* ---- by an actor (actor.c) ---- */

void act(void *step);

/* ---- the tasks, and what is behind everything (world.c) ---- */

/* Once: memory, ports, the server behind all gates. */
void world_init(void);
/* The tasks of a sequence; task 0 has the roots. */
void world_begin(void);
/* They go, with all that they made. False: something was left, or somebody wrote where he could
 * not (said). */
bool world_end(void);
/* The task does its step. False: it did not come back. */
bool world_run(struct step *s);
/* A thread of the task waits for an item; whether it got one, and something with it. */
void world_receive(const struct model_op *o);
unsigned world_received(void);
void world_kill(unsigned task);
/* Quotas are as the model has them: rests are taken away, or given back. */
void world_squeeze(const struct model *m);
/* What the model says about quotas that the kernel can be asked for; NULL: it is so. */
const char *world_quotas(const struct model *m, l4_umword_t *seen, l4_umword_t *wanted);

/* ---- sequences (driver.c) ---- */

/* Where a sequence came from, for the reader of a failure. */
struct origin {
    const char *file; /* NULL: a seed */
    l4_umword_t seed, number;
};

bool sequence(const struct origin *from, const uint8_t *bytes, size_t n);
extern unsigned long steps_done, looks_done, refused_done, errors_done;
