/*
 * explore.h - all states of a compiled module, breadth first, beside its specification
 *
 * The module is compiled unchanged with -O2 and with the compiler's hooks for stores (those of
 * KASAN), so that the explorer knows every word that a call has changed, and can put it back. A
 * state is not stored: it is a number, the state that it came from, the operation that led
 * here, and a key of some bytes by which it is known again. To be in a state is to repeat the
 * operations from the beginning; to try an operation is to run it, look, and undo.
 *
 * E1  From each state each operation is tried, once, whether it makes sense or not.
 * E2  After each, run() has compared the module with the specification; in each new state
 *     check() has looked at the invariants.
 * E3  When all operations of a state have been undone, the module's memory is as it was.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXPLORE_KEY = 32 };

struct explore {
    const char *name;
    unsigned operations;
    size_t key_size; /* at most EXPLORE_KEY */
    /* Put module and specification through an operation, and compare. With `look` false it is one
     * on the way to a state, and has been compared before. */
    void (*run)(unsigned op, int look);
    /* What tells this state from others. False: too large, it is not entered. */
    int (*key)(uint8_t *key);
    /* A state is new. */
    void (*check)(void);
    /* One operation in words, for who has to read what went wrong. */
    void (*tell)(unsigned op);
    void (*show)(void); /* the same of the state */
    void *memory; /* of the module, for E3 */
    size_t memory_size;
    void *beside; /* the specification's state: copied, not logged */
    size_t beside_size;
};

struct explored {
    uint64_t states, transitions, outside; /* outside: led to states that are not entered */
    unsigned depth;
};

struct explored explore(const struct explore *x);
/* A store of the test itself into the module's memory. */
void explore_store(uint64_t *word, uint64_t value);
/* Where we are: the operations that led here. Called when a comparison fails. */
void explore_report(void);

#define EXPECT(expr)                                                                              \
    do {                                                                                          \
        if (!(expr)) {                                                                            \
            printf("# %s:%d: %s\n", __FILE__, __LINE__, #expr);                                   \
            explore_report();                                                                     \
            abort();                                                                              \
        }                                                                                         \
    } while (0)
