/*
 * object.h - what a capability refers to
 *
 * O1  An object lives as long as a capability refers to it; all of them stem from the first one,
 *     which the factory entered for its creator (`root`).
 * O2  An object whose last capability is gone stands in the list of the dying until
 *     object_reap() has taken it apart, in bounded steps.
 */
#pragma once

#include <abi/errors.h>
#include <abi/msg.h>
#include <abi/protocols.h>
#include <abi/utcb.h>
#include <stdbool.h>
#include <stdint.h>

#include "kmem.h"
#include "mapdb.h"

struct thread;
struct invocation;

enum object_type {
    OBJ_NONE,
    OBJ_THREAD, /* answers itself, or the kernel for it */
    OBJ_GATE,
    OBJ_TASK, /* from here on the kernel answers */
    OBJ_FACTORY,
    OBJ_LOG,
    OBJ_SCHEDULER,
    OBJ_DEBUGGER,
    OBJ_ICU,
    OBJ_IRQ,
    OBJ_SEMAPHORE,
    OBJ_TYPES,
};

/* The low four bits of a reference to an object are rights. */
#define OBJECT_ALIGNED __attribute__((aligned(16)))

struct object {
    union {
        struct {
            uint8_t type;
            bool dying;
        };
        uint16_t live_type; /* the type, or something else when it is dying: one load for both */
    };
    bool listed; /* stands in the list of the dying */
    uint8_t spare;
    uint32_t id;    /* for the debugger */
    uint32_t refs;  /* capabilities that refer to it */
    kref_t root;    /* mapping of the capability that all others stem from */
    kref_t factory; /* who pays */
    kref_t next_dying;
};
_Static_assert(sizeof(struct object) == 24, "object header");

/* A call of an object: the words are the caller's message registers, read once. */
struct invocation {
    struct thread *self;
    struct object *obj;
    unsigned rights; /* L4_CAP_FPAGE_* of the capability used */
    l4_msgtag_t tag;
    l4_utcb_t *utcb;
    unsigned words; /* of the answer, 0 unless set */
};

/* What invoke() gives besides 0.. and -L4_E... (the label of the answer). */
enum {
    INVOKE_AGAIN = -100000, /* preempted: the same call is repeated when the thread runs again */
    INVOKE_BLOCKED,         /* no answer now */
    INVOKE_SPECIAL,         /* not a result, but greater than the ones above */
};

enum reap {
    REAP_MORE,  /* call again */
    REAP_DONE,  /* only the memory is left */
    REAP_LATER, /* somebody still needs it and will drop it once more */
};

struct object_ops {
    const char *name;
    /* Serve a message: label of the answer, or one of the above. */
    long (*invoke)(struct invocation *iv);
    /* One bounded step of destruction. */
    enum reap (*reap)(struct object *o);
    /* Give the memory back; nothing refers to the object any more. */
    void (*release)(struct object *o);
};

extern const struct object_ops *const object_ops[OBJ_TYPES];

void object_init(struct object *o, enum object_type type, struct object *factory);
/* One capability less; the last one makes the object die. */
void object_drop(struct object *o);
/* Put an object without capabilities into the list of the dying. */
void object_die(struct object *o);
/* Take dying objects apart, and finish what was given up half done (walk.h). False: preempted, call
 * again. */
bool object_reap_all(void);
bool object_any_dying(void);

static inline long msgtag_label(l4_msgtag_t t)
{
    return t.raw >> L4_MSGTAG_LABEL_SHIFT;
}

static inline unsigned msgtag_words(l4_msgtag_t t)
{
    return t.raw & L4_MSGTAG_WORDS_MASK;
}

static inline unsigned msgtag_items(l4_msgtag_t t)
{
    return t.raw >> L4_MSGTAG_ITEMS_SHIFT & 0x3f;
}

static inline l4_msgtag_t msgtag(long label, unsigned words, unsigned items, unsigned flags)
{
    return (l4_msgtag_t){(l4_mword_t)((unsigned long)label << L4_MSGTAG_LABEL_SHIFT | flags |
                                      items << L4_MSGTAG_ITEMS_SHIFT | words)};
}
