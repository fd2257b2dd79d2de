/*
 * trace.h - the trace ring and the kernel's own counters
 */
#pragma once

#include <abi/trace.h>
#include <stdbool.h>
#include <stdint.h>

extern bool trace_on;
extern uint64_t trace_maps, trace_unmaps; /* flexpages mapped and unmapped since boot */

void trace_record(unsigned event, uint64_t a, uint64_t b, uint32_t other);

/* Off, an event costs one test. */
static inline void trace(unsigned event, uint64_t a, uint64_t b, uint32_t other)
{
    if (__builtin_expect(trace_on, 0))
        trace_record(event, a, b, other);
}

static inline void trace_count_map(void)
{
    trace_maps++;
}

/* Switch on or off; `empty` forgets what is there. */
void trace_control(bool on, bool empty);
/* Copy at most n records from sequence number *seq (moved up to the oldest kept); how many. */
unsigned trace_read(uint64_t *seq, l4_trace_record *out, unsigned n);
