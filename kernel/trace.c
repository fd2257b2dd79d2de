/*
 * trace.c - the last LIMIT_TRACE_RECORDS events, for whoever holds the debugger capability
 */
#include "trace.h"

#include "limits.h"
#include "sched.h"

bool trace_on;
uint64_t trace_maps, trace_unmaps;

static l4_trace_record ring[LIMIT_TRACE_RECORDS];
static uint64_t next_record;

void trace_record(unsigned event, uint64_t a, uint64_t b, uint32_t other)
{
    ring[next_record++ % LIMIT_TRACE_RECORDS] = (l4_trace_record){
        .tsc = rdtsc(),
        .a = a,
        .b = b,
        .thread = cpu0.current->obj.id,
        .event = (uint16_t)event,
        .other = (uint16_t)other,
    };
}

void trace_control(bool on, bool empty)
{
    trace_on = on;
    if (empty)
        next_record = 0;
}

unsigned trace_read(uint64_t *seq, l4_trace_record *out, unsigned n)
{
    uint64_t oldest = next_record > LIMIT_TRACE_RECORDS ? next_record - LIMIT_TRACE_RECORDS : 0;
    unsigned i = 0;

    if (*seq < oldest)
        *seq = oldest;
    for (; i < n && *seq < next_record; i++)
        out[i] = ring[(*seq)++ % LIMIT_TRACE_RECORDS];
    return i;
}
