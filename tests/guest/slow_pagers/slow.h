/*
 * slow.h - what the sets of this test share: threads that touch, and what became of them
 *
 *   toucher --fault--> region manager --map--> pager
 *      |
 *      | refused
 *      v
 *   exception handler: notes the address, lets the toucher go on behind its access
 */
#pragma once

#include "balance.h"

#include <l4/sys/ipc.h>

/* The sets; a set prints its results. */
void test_pagers(void);
void test_too_many(void);
void test_handler(void);
void test_foreign_handler(void);
bool check(bool good, const char *sentence);
bool check_eq(long seen, long expected, const char *sentence);

enum { STACK = 8192, TOUCHERS = 6, PAGER, HANDLER, THREADS };

struct thread {
    l4_cap_idx_t cap;
    l4_utcb_t *utcb;
};

#define SLOW_PLACE 0x500000000UL
#define FRESH_PLACE 0x600000000UL
#define EMPTY_PLACE 0x700000000UL

/* A thread of this task with one of the stacks, or with another one that ends at `sp`. */
bool thread_start(struct thread *t, unsigned n, void (*pc)(void), l4_addr_t sp,
                  unsigned priority, l4_cap_idx_t handler);
void thread_end(struct thread *t);
l4_addr_t stack_of(unsigned n);

/* Thread n touches `at`, once. */
extern volatile bool touched[TOUCHERS];
void touch_start(unsigned n, l4_addr_t at, bool write);
void touch_done(unsigned n);
void touch(l4_addr_t at, int write);
extern const char touch_read_at[], touch_write_at[], touch_end[];

/* What the exception handler has seen. */
extern volatile unsigned refused;
extern volatile l4_addr_t refused_at;
extern l4_cap_idx_t handler_gate;
void refusals_start(void);

/* A fresh page of anonymous memory each time; how many the region manager resolved. */
enum { FRESH = 64 };
long touch_fresh(unsigned n);
