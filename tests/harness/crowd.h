/*
 * crowd.h - many threads in one task
 *
 * The members of a crowd run functions of the program, on small stacks, in a task that has the
 * program's image. A member's number is its UTCB. The crowd goes with the test (H1 of harness.h).
 */
#pragma once

#include "harness.h"

enum { CROWD_MAX = 64, CROWD_ORDER = 16, CROWD_STACK = 2048 };

struct crowd {
    l4_cap_idx_t task;
    unsigned members;
    l4_cap_idx_t thread[CROWD_MAX]; /* slots of the test */
};

/* A task for at most CROWD_MAX threads. There is one crowd at a time. */
void crowd_start(struct crowd *c);
/* Where member i's thread and gates lie in the crowd's own table. */
#define CROWD_CAP(i) ((64UL + (i)) << L4_CAP_SHIFT)
/* A thread that is not running yet; its number. Pager and handler are slots of the crowd. */
unsigned crowd_join(struct crowd *c, l4_cap_idx_t pager, l4_cap_idx_t handler);
/* Let it run fn(number), which never returns, until it blocks. */
void crowd_run(struct crowd *c, unsigned member, void (*fn)(unsigned long), unsigned priority);
/* A capability of the test for all of the crowd. */
void crowd_give(struct crowd *c, l4_cap_idx_t cap, l4_cap_idx_t slot);
