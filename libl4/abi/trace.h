/*
 * abi/trace.h - the kernel's trace ring: fixed records, oldest overwritten
 *
 * Read through the debugger capability (L4_DBG_TRACE_READ_OP), switched on by
 * L4_DBG_TRACE_CTL_OP; off, an event costs one test.
 */
#pragma once

#include <abi/types.h>

#define L4_TRACE_EVENTS(X)                                                                         \
    X(FAULT, "page fault: a = address and access bits, b = instruction pointer")                   \
    X(MAP, "mapping entered: a = address | order, b = frame | rights, other = destination task")   \
    X(UNMAP, "mapping removed: a = address | order, b = frame, other = task that lost it")         \
    X(RESUME, "page fault answered: a = message tag")                                              \
    X(EXCEPTION, "exception: a = trap number, b = instruction pointer")                            \
    X(IPC, "message: a = tag, b = label, other = receiver")

enum l4_trace_event {
#define X(name, text) L4_TRACE_##name,
    L4_TRACE_EVENTS(X)
#undef X
};

typedef struct l4_trace_record {
    l4_uint64_t tsc;
    l4_uint64_t a;
    l4_uint64_t b;
    l4_uint32_t thread; /* debugger id of the thread that ran */
    l4_uint16_t event;
    l4_uint16_t other; /* low bits of a debugger id */
} l4_trace_record;

_Static_assert(sizeof(l4_trace_record) == 32, "record size");
