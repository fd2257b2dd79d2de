/*
 * limits.h - every limit of the kernel, with its reason
 */
#pragma once

/* Tests that interrupt long operations everywhere say 1. */
#ifndef QUIRE_STEPS
#define QUIRE_STEPS 16
#endif

enum {
    /* Steps of a long operation (entries mapped or removed, slots emptied) between two looks at
     * the interrupts: a step is at most 260 instructions, so 5,000 with what may come on top. */
    LIMIT_STEPS = QUIRE_STEPS,
    /* Walks over the mapping database that are preempted at a time; every step that takes a
     * mapping away while there are any looks at all of them. One more finishes the oldest. */
    LIMIT_WALKS = 16,
    /* Fixed priorities; a bitmap of four words finds the highest. */
    LIMIT_PRIORITIES = 256,
    /* Buckets of the timeout wheel: one tick each. */
    LIMIT_TIMEOUT_BUCKETS = 256,
    /* Largest kernel-user memory area: 16 pages hold the UTCBs of 64 threads. */
    LIMIT_KU_MEM_ORDER = 16,
    /* Records of the trace ring: 128 KiB. */
    LIMIT_TRACE_RECORDS = 4096,
    /* Tasks between a task and the first ones, each holding the first capability of the next, if
     * that is granted: a walk of a few hundred instructions. */
    LIMIT_OWNERS = 64,
    /* Default time slice. */
    LIMIT_QUANTUM_US = 10000,
    /* Words of a message, items of a message. */
    LIMIT_WORDS = 63,
};
