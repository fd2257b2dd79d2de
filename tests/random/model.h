/*
 * random/model.h - a small system as a model: tasks with memory, capabilities, ports; sequences
 *
 * An operation is MODEL_BYTES bytes, and any bytes are an operation; so a sequence is a string that
 * a generator, a fuzzer or a file can give, and that replays exactly. The same model serves the
 * kernel on the host (tests/host/random_host.c) and the booted one. Who drives it performs each
 * operation, compares the result (model_agrees), and looks at what every task now has.
 *
 * No libc, no allocation. Task 0 has the roots: two superpages, two blocks of ports. A superpage is
 * three units: its first page, its second one, and the other 510, which are never mapped apart from
 * the first two and are taken away together. A block of ports is three ports that are looked at.
 */
#pragma once

#define SPEC_SPACES 4
#define SPEC_PAGES 6
#define SPEC_SUPER 3
#include "../../kernel/mapdb_spec.h"

enum {
    MODEL_BYTES = 5,
    MODEL_TASKS = SPEC_SPACES,
    MODEL_UNITS = SPEC_PAGES,
    MODEL_SLOTS = 6,
    MODEL_CAPS = MODEL_TASKS * MODEL_SLOTS,
    MODEL_OBJECTS = 8, /* so many can exist; the quota of who makes them has room for no more */
    MODEL_DELETE_RIGHT = 8,
    MODEL_REST = 2, /* unit % SPEC_SUPER of the 510 pages */
};

enum model_kind {
    MODEL_MAP,       /* memory: units [src, +count) of task from to [dst, +count) of task to */
    MODEL_UNMAP,     /* [dst, +count) of task to */
    MODEL_TOUCH,     /* task to reads or writes (rights & 1) unit dst, if it may */
    MODEL_CAP_MAP,   /* slot src of from to slot dst of to */
    MODEL_CAP_UNMAP, /* slot dst of to */
    MODEL_CAP_NEW,   /* a new object, its first capability in slot dst of to if that is empty */
    MODEL_CAP_DELETE,/* the object of slot dst of to goes, if the capability may delete it */
    MODEL_IO_MAP,    /* port src of from to to */
    MODEL_IO_UNMAP,  /* port dst of to */
    MODEL_KILL,      /* task to (not 0) is destroyed, an empty one takes its place */
};

struct model_op {
    enum model_kind kind;
    uint8_t from, to, src, dst, count;
    uint8_t order;  /* of the flexpage; memory: less than 12 now and then */
    uint8_t rights; /* four bits */
    bool grant, self;
};

struct model_slot {
    uint8_t object; /* 0: empty */
    uint8_t rights;
    int8_t parent;  /* task * MODEL_SLOTS + slot; SPEC_ROOT */
};

struct model {
    struct spec memory, ports;
    struct model_slot slot[MODEL_CAPS];
};

void model_init(struct model *m);
struct model_op model_decode(const uint8_t bytes[MODEL_BYTES]);
/*
 * What the operation gives: of maps, not 0 if something was mapped; of unmaps, what is known of
 * accesses; of MODEL_CAP_NEW the number of the object, 0: the slot is taken, or -L4_ENOMEM.
 */
long model_apply(struct model *m, const struct model_op *o);
/* The kernel's result is one that the model allows. The model learns what it may forget (S3). */
bool model_agrees(struct model *m, const struct model_op *o, long expected, long result);

/* The (first) page or port that a unit stands for, from the first of all on. */
static inline unsigned model_offset(unsigned unit)
{
    return unit / SPEC_SUPER * 512 + unit % SPEC_SUPER;
}

/* Unmaps of 510 pages are eight flexpages, others one. The n-th: its order, and its first page from
 * that of unit dst on; false: no more. */
static inline bool model_flexpage(const struct model_op *o, unsigned n, unsigned *page,
                                  unsigned *order)
{
    bool rest = o->kind == MODEL_UNMAP && o->order == 12 && o->dst % SPEC_SUPER == MODEL_REST;

    *page = rest && n ? (2u << n) - 2 : 0;
    *order = rest ? 13 + n : o->order;
    return n < (rest ? 8u : 1u);
}

static inline bool model_has_port(const struct model *m, unsigned task, unsigned unit)
{
    return m->ports.page[task * SPEC_PAGES + unit].used;
}
