/*
 * fault/seen.h - the test as pager and exception handler of its children
 */
#pragma once

#include "harness.h"

extern const struct test pages_tests[], pagers_tests[], registers_tests[], exceptions_tests[],
    handlers_tests[];

#define PLACE 0x20000000UL
#define FAULT_LABEL 0x5550UL

enum { TRAP_DE, TRAP_DB, TRAP_BP = 3, TRAP_UD = 6, TRAP_SS = 12, TRAP_GP, TRAP_PF, TRAP_MF = 16,
       TRAP_TRIGGERED = 0xff };
enum { FLAG_CF = 1, FLAG_TF = 0x100, FLAG_IF = 0x200, FLAG_DF = 0x400, FLAG_IOPL = 0x3000 };

/* A message that has arrived at the test. */
struct seen {
    bool any; /* false: none came in time */
    l4_msgtag_t tag;
    l4_umword_t label;
    union {
        l4_umword_t mr[L4_UTCB_GENERIC_DATA_SIZE];
        l4_exc_regs_t regs;
    };
};

/* A child whose faults and exceptions come to the test, in slot CHILD_CAP(0). */
struct child *watched_child(void);
/* The next message; what is queued already, or comes while others run. */
struct seen seen_next(void);
/* Must be a page fault (an exception) of a watched child. */
struct seen seen_fault(void);
struct seen seen_exception(void);

/* Answers to the message seen last. Page fault: with a page of memory at its place. */
void answer_page(l4_addr_t source, l4_addr_t address, unsigned rights);
void answer_label(long label);
/* Exception: go on with these registers. */
void answer_regs(const l4_exc_regs_t *regs);

/* A page of the test's own memory, whose first word is `name`. */
l4_addr_t page_of(unsigned i, l4_umword_t name);
