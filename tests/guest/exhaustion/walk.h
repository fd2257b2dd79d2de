/*
 * exhaustion/walk.h - the same operation again and again, with less and less that it may allocate
 *
 * All allocations of the operation fail from the first on, then from the second, and so on, until
 * the operation makes so few that it succeeds. Each failure must give the documented error, and
 * change nothing: kernel memory used and free are what they were, the kernel's checks hold, and a
 * witness, another task with mappings of the same pages, still has what it had.
 */
#pragma once

#include "harness.h"

extern const struct test objects_tests[], memory_tests[], messages_tests[], quota_tests[],
    io_tests[];

/* 2 MiB each, from sigma0 as superpages; taken before the first test. */
extern l4_addr_t memory, other_memory;
#define EMPTY_AT 0x500000000000UL /* nothing is mapped near it in any task */

struct walk {
    long (*run)(void);       /* 0 or more, or the error */
    void (*undo)(void);      /* after a failure that may leave something behind; NULL: none may */
    void (*failed)(void);    /* what else must hold after a failure; NULL: nothing */
    long error;              /* the documented one */
    unsigned at_least;       /* so many allocations must have been made to fail */
};

/* Returns how many allocations the operation made. It has succeeded when this returns. */
unsigned walk(const struct walk *w);

/* A child with pages of its own, mapped from ours: memory_new(21) at `at`. */
void witness_start(l4_addr_t at);
void witness_check(void);
