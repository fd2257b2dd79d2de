/*
 * model.h - random map, grant and unmap by real tasks, beside kernel/mapdb_spec.c
 *
 * Four tasks; the first has the memory at the beginning. In each step one of them touches its pages
 * (the translation buffer is warm), makes one system call, and touches its pages again before
 * anybody else runs: what it could read, write and execute, and what it read, must be what the
 * specification says, and so must the answer of the call. Every few steps all tasks look.
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

enum step_kind { STEP_MAP, STEP_SEND, STEP_UNMAP, STEP_LOOK };

struct step {
    enum step_kind kind;
    l4_addr_t base; /* the actor's first page */
    unsigned order; /* of a page of the specification */
    l4_cap_idx_t to, from; /* tasks (or the thread that is sent to), in the actor's slots */
    l4_umword_t item, fpage, mask;
    struct look before, after;
    /* what the kernel said */
    long error;
    l4_umword_t answer; /* of unmap: MR0 */
};

/* By an actor (actor.c). */
void act(void *step);

/* Histories from `seed`, so many steps in all, in small pages or in superpages; false: something
 * was wrong, and has been told. */
extern l4_addr_t super_frames; /* a superpage of the driver */
bool histories(uint64_t seed, unsigned long steps, bool super);
extern unsigned long steps_done, looks_done, refused_done;
