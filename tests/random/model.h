/*
 * random/model.h - a small system as a model: tasks, memory, objects, quotas, capabilities, ports
 *
 * An operation is MODEL_BYTES bytes, and any bytes are an operation; so a sequence is a string that
 * a generator, a fuzzer or a file can give, and that replays exactly. The same model and the same
 * sequences serve the kernel on the host (tests/host/random_host.c) and the booted one
 * (tests/guest/model). Who drives it lets one task perform each operation, compares the result
 * (model_agrees), and looks at what tasks now have.
 *
 * No libc, no allocation. Four tasks; the first has the roots. Each has room for
 *
 *   memory       two superpages of ten units: 1, 1, 2, 4, ... 256 pages, each of which fares as a
 *                whole; and eight small pages. Flexpages of all sizes within them, and both
 *   capabilities sixteen slots, on two pages of the table
 *   ports        four of each of two blocks
 *
 * D1  Everything follows from the bytes and the model; nothing depends on the machine but the sizes
 *     of objects (model_cost), which decide what fits in a quota.
 * D2  Objects are paid by the factory that made them, at first the tasks' common one; its quota and
 *     those of factories made from it are followed to the byte. A task's own quota has room for
 *     everything, or, when MODEL_SQUEEZE has taken the rest, for so many capabilities more.
 */
#pragma once

#include <stddef.h>

#define SPEC_SPACES 4
#define SPEC_PAGES 30 /* units 28 and 29 are not used */
#define SPEC_SUPER 10
#include "../../kernel/mapdb_spec.h"

enum {
    MODEL_BYTES = 8,
    MODEL_OPERATIONS = 300, /* of a sequence that comes from a seed */
    MODEL_ROUND = 8,        /* after so many, all tasks look */
    MODEL_TASKS = SPEC_SPACES,
    MODEL_SMALL = 2 * SPEC_SUPER, /* the first unit of the small pages */
    MODEL_UNITS = MODEL_SMALL + 8,
    MODEL_SLOTS = 16,
    MODEL_CAPS = MODEL_TASKS * MODEL_SLOTS,
    MODEL_PORTS = 8,
    MODEL_PORTS_BLOCK = 4, /* of a block */
    MODEL_OBJECTS = 128, /* each has a capability, or is a factory that others keep alive */
    MODEL_FIRST_SLOT = 504, /* of a task's table, pages of which have 512 */
    MODEL_FIRST_PORT = 0x1000,
    MODEL_PLENTY = -1,
    MODEL_TIMEOUT = -2003, /* there was nothing to wait for */
    MODEL_S = 2, /* rights of capabilities beside SPEC_R */
    MODEL_D = 8,
};

#define MODEL_KINDS(X)                                                                             \
    X(MAP, "map")               /* units [src, +count) of task from to [dst, +count) of task to */ \
    X(UNMAP, "unmap")           /* [dst, +count) of task to */                                     \
    X(TOUCH, "touch")           /* task by reads or writes (rights & 1) unit dst */                \
    X(CAP_MAP, "cap map")       /* slots of from to slots of to */                                 \
    X(CAP_UNMAP, "cap unmap")   /* slots of to */                                                  \
    X(CAP_NEW, "new")           /* task by makes an object, first capability in its slot dst */    \
    X(CAP_DELETE, "delete")     /* the object of slot dst of to goes, if the capability may */     \
    X(CAP_USE, "use")           /* task by: semaphore of slot dst up (rights & 1) or down */       \
    X(IO_MAP, "io map")         /* ports [src, +count) of from to to */                            \
    X(IO_UNMAP, "io unmap")     /* ports [dst, +count) of to */                                    \
    X(KILL, "kill")             /* task to (not 0) is destroyed, an empty one takes its place */   \
    X(SQUEEZE, "squeeze")       /* the quota of task to: room for n capabilities, or all again */

enum model_kind {
#define X(name, text) MODEL_##name,
    MODEL_KINDS(X)
#undef X
        MODEL_KINDS_END
};

enum model_type {
    MODEL_NOTHING,
    MODEL_GATE,
    MODEL_IRQ,
    MODEL_SEMAPHORE,
    MODEL_THREAD,
    MODEL_FACTORY,
    MODEL_TASK,
    MODEL_TYPES
};

struct model_op {
    enum model_kind kind;
    uint8_t by; /* the task that does it */
    uint8_t from, to, src, dst, count;
    uint8_t order;   /* of the flexpage; memory: less than 12 now and then */
    uint8_t rights;  /* four bits */
    bool grant, self;
    bool send;       /* maps: a message from `from`, who then is `by`, to a thread of `to` */
    bool window;     /* its window is of the flexpage's size, not everything */
    uint8_t type;    /* MODEL_CAP_NEW */
    uint8_t factory; /* the slot of `by` that holds the factory; MODEL_SLOTS: the common one */
    uint32_t limit;  /* of a new factory, bytes */
    int8_t room;     /* MODEL_SQUEEZE */
    uint32_t look;   /* what is looked at follows from this */
};

struct model_slot {
    uint8_t object; /* 0: empty */
    uint8_t rights;
    int8_t parent;  /* task * MODEL_SLOTS + slot; SPEC_ROOT */
};

struct model_object {
    uint8_t type;    /* MODEL_NOTHING: this number is free */
    uint8_t factory; /* who pays */
    uint16_t users;  /* objects that it pays for */
    uint32_t charge; /* bytes it costs, the limit of a factory included */
    uint32_t limit, used;
    uint32_t count; /* of a semaphore */
};

struct model {
    struct spec memory, ports;
    struct model_slot slot[MODEL_CAPS];
    struct model_object object[MODEL_OBJECTS]; /* [0]: the common factory */
    int8_t room[MODEL_TASKS];
};

/* What an operation gives. */
struct model_result {
    long error;      /* 0 or -L4_E..., MODEL_TIMEOUT */
    unsigned mapped; /* not 0: something; MODEL_UNTOLD: the machine does not tell */
    unsigned status; /* of unmaps of memory */
    unsigned object; /* of MODEL_CAP_NEW: its number */
};
enum { MODEL_UNTOLD = 99 };

/* What a task tries with what it has; with memory SPEC_R, _W, _X on one page of each unit. */
struct model_look {
    uint8_t memory[MODEL_UNITS], page[MODEL_UNITS]; /* rights tried; the page is * its size / 256 */
    uint16_t slots;
    uint8_t ports;
};

/* Bytes that an object costs, from the kernel's headers (cost.c). */
extern const uint32_t model_cost[MODEL_TYPES], model_capability_cost;
/* What the common factory has room for, in all. */
uint32_t model_common_limit(void);

void model_init(struct model *m);
/* The bytes of sequence `number` of a seed. */
void model_sequence(uint64_t seed, uint64_t number, uint8_t *bytes, size_t n);
struct model_op model_decode(const struct model *m, const uint8_t bytes[MODEL_BYTES]);
struct model_result model_apply(struct model *m, const struct model_op *o);
/* The kernel's result is one that the model allows. The model learns what it may forget (S3). */
bool model_agrees(struct model *m, const struct model_op *o, const struct model_result *expected,
                  const struct model_result *seen);

/* What task o->by looks at, before (again is NULL), or after it looked at `again`. */
void model_plan(const struct model *m, const struct model_op *o, const struct model_look *again,
                struct model_look *look);
/* What of that it can do, rights by unit; the model knows that it has done so. */
void model_look(struct model *m, unsigned task, const struct model_look *look,
                uint8_t could[MODEL_UNITS]);

/* What a task looks at in between (MODEL_ROUND): all kinds. An operation that does nothing. */
struct model_op model_round(unsigned task, size_t step);

/* One line for a reader, as a comment of TAP. */
void model_tell(unsigned long step, const struct model_op *o);

/* objects.c */
void model_objects_init(struct model *m);
void model_objects_apply(struct model *m, const struct model_op *o, struct model_result *r);
void model_objects_kill(struct model *m, unsigned task);
/* The kernel could do it in two ways, by what is still charged: it is to become something else. */
bool model_new_is_open(const struct model *m, const struct model_op *o);

/* ---- where things are ---- */

static inline unsigned model_pages(unsigned unit)
{
    unsigned i = unit % SPEC_SUPER;

    return unit >= MODEL_SMALL || i < 2 ? 1 : 1U << (i - 1);
}

/* The first page of a unit, from a task's first page on. The small ones lie at the end of the
 * pages of a page table. */
static inline unsigned model_page(unsigned unit)
{
    unsigned i = unit % SPEC_SUPER;

    if (unit >= MODEL_SMALL)
        return 3 * 512 - (MODEL_UNITS - MODEL_SMALL) + (unit - MODEL_SMALL);
    return unit / SPEC_SUPER * 512 + (i ? 1U << (i - 1) : 0);
}

/* The page of a unit that is looked at. */
static inline unsigned model_look_page(const struct model_look *l, unsigned unit)
{
    return l->page[unit] * model_pages(unit) / 256;
}

/* The page that is there: its number from the first page of the roots on. */
static inline unsigned model_frame(const struct model *m, unsigned task, unsigned unit)
{
    return model_page(m->memory.page[task * SPEC_PAGES + unit].frame);
}

static inline unsigned model_port(unsigned port)
{
    return MODEL_FIRST_PORT + port / MODEL_PORTS_BLOCK * 512 + port % MODEL_PORTS_BLOCK;
}

/* A port of the model as a page of its specification: a block is a superpage there. */
static inline unsigned model_port_page(unsigned port)
{
    return port / MODEL_PORTS_BLOCK * SPEC_SUPER + port % MODEL_PORTS_BLOCK;
}

static inline bool model_has_port(const struct model *m, unsigned task, unsigned port)
{
    return m->ports.page[task * SPEC_PAGES + model_port_page(port)].used;
}

static inline const struct model_slot *model_slot(const struct model *m, unsigned task,
                                                  unsigned slot)
{
    return &m->slot[task * MODEL_SLOTS + slot];
}

static inline bool model_is_memory(enum model_kind k)
{
    return k <= MODEL_TOUCH;
}

static inline bool model_is_port(enum model_kind k)
{
    return k == MODEL_IO_MAP || k == MODEL_IO_UNMAP;
}
