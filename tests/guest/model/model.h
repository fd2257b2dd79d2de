/*
 * model.h - random map, grant and unmap by real tasks, beside kernel/mapdb_spec.c
 *
 * Four tasks; the first has the memory at the beginning. In each step one of them touches its pages
 * (the translation buffer is warm), makes one system call, and touches its pages again before
 * anybody else runs: what it could read, write and execute, and what it read, must be what the
 * specification says, and so must the answer of the call. Every few steps all tasks look.
 *
 * The same is done with slots of capability tables (a page is a capability for one of eight gates,
 * looked at by calling it, or for a new one), and with I/O ports.
 *
 * A page of the specification is a small page, or 64 of them that are always named together: then
 * eight of those are a superpage, which is mapped as such and cut to pieces.
 *
 * N1  Everything follows from the seed and the number of the history.
 * N2  The first word of a page of the specification is its frame's, and is a `ret` when executed.
 */
#pragma once

#include "harness.h"

#include "mapdb_spec.h"

enum { CAN_READ = SPEC_R, CAN_WRITE = SPEC_W, CAN_RUN = SPEC_X };

/* What an actor tries with its pages, in the order read, write, run, and what came of it. */
struct look {
    uint8_t tried[SPEC_PAGES], could[SPEC_PAGES];
    l4_umword_t write[SPEC_PAGES], read[SPEC_PAGES];
};

enum universe { SMALL_PAGES, SUPERPAGES, SLOTS, PORTS };
#define FRAME_WORD(frame) (0xc3UL | (l4_umword_t)(frame) << 8)

enum step_kind { STEP_MAP, STEP_SEND, STEP_UNMAP, STEP_LOOK };

struct step {
    enum step_kind kind;
    enum universe universe;
    l4_addr_t base; /* the actor's first page, slot, port */
    unsigned order; /* of a page of the specification */
    l4_cap_idx_t to, from; /* tasks (or the thread that is sent to), in the actor's slots */
    l4_umword_t item, fpage, mask;
    struct look before, after;
    /* what the kernel said */
    long error;
    l4_umword_t answer; /* of unmap: MR0 */
};

/* What is behind a page of the specification (universe.c). */
void universe_init(void);
void universe_roots(enum universe u, struct child *first, struct spec *spec);
bool universe_unspoilt(enum universe u); /* nobody has written what he should not */
unsigned universe_order(enum universe u);
l4_addr_t universe_base(enum universe u, unsigned s);
/* 2^size pages as a flexpage, where they go to, and the window that takes all. */
l4_umword_t universe_fpage(enum universe u, unsigned s, unsigned page, unsigned size,
                           unsigned rights);
l4_umword_t universe_item(enum universe u, unsigned to, unsigned page, bool grant);
l4_umword_t universe_everything(enum universe u);
/* What the rights of a flexpage mean to the specification. */
unsigned universe_map_rights(enum universe u, unsigned rights);
unsigned universe_unmap_rights(enum universe u, unsigned rights);
void universe_object(struct child *c, unsigned page, unsigned frame);

/* By an actor (actor.c). */
void act(void *step);

/* Histories from `seed`, so many steps in all; false: something was wrong, and has been told. */
bool histories(uint64_t seed, unsigned long steps, enum universe u);
extern unsigned long steps_done, looks_done, refused_done;
