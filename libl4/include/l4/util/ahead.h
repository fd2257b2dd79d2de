/*
 * l4/util/ahead.h - look-ahead: memory is touched before it must not fault, and what faults is seen
 *
 *     if (!l4_stack_reserve(16384) && !l4_heap_reserve(65536) && !l4_no_fault_begin()) {
 *         ... what must not wait for a pager ...
 *         faults = l4_no_fault_end(&first);
 *     }
 *
 * A fault in the section is served all the same. Each thread has its own section; faults of others
 * meanwhile are not counted in it. For programs with a region manager, on the full C library.
 */
#pragma once

#include <l4/sys/compiler.h>
#include <l4/sys/types.h>

typedef struct l4_fault_seen_t {
    l4_addr_t address;
    l4_addr_t ip;
} l4_fault_seen_t;

/*
 * The next `bytes` of the calling thread's stack are present and writable when this returns. 0;
 * -L4_ENOMEM: the region that holds the stack does not reach so far, nothing was touched.
 */
L4_CV long l4_stack_reserve(unsigned long bytes);

/*
 * The next blocks of malloc() and its kin are made of memory that is present when this returns, as
 * long as they fit into `bytes`, where each counts with its size, rounded up to 16 bytes, 16 more,
 * and what its alignment skips: they come without a fault and without a message. It is the heap
 * of all threads. Such blocks are freed and resized as others; what is freed is not reserved again.
 * What is left of an earlier call counts, or goes if it is not enough; with `bytes` 0 it goes.
 * 0; -L4_ENOMEM and what else the memory allocator says: then all is as before.
 */
L4_CV long l4_heap_reserve(unsigned long bytes);

/*
 * From here on the calling thread must not fault. 0; -L4_EBUSY: it is in such a section already;
 * -L4_ENOENT: a thread that the C library does not know; -L4_ENOMEM.
 */
L4_CV long l4_no_fault_begin(void);

/*
 * How many faults there were since l4_no_fault_begin(); *first (may be NULL): of the first, where
 * and by which instruction. -L4_ENOENT: the thread is in no such section.
 */
L4_CV long l4_no_fault_end(l4_fault_seen_t *first);
