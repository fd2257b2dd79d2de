/*
 * map.h - flexpages from one task to another: memory, I/O ports, capabilities
 */
#pragma once

#include <abi/fpage.h>
#include <abi/msg.h>

#include "task.h"

/* One flexpage on its way. */
struct map_request {
    struct task *from, *to;
    uint64_t src, dst; /* address, or number of the port or slot */
    unsigned type;     /* enum l4_fpage_type */
    unsigned order;    /* log2 of bytes, ports or slots */
    unsigned rights;
    unsigned attributes; /* bits 4..7 of the send item */
    bool grant;
    uint64_t keep, add; /* page-table bits (map_memory.c) */
    bool empty;      /* decoded, and nothing is to be mapped */
    uint64_t end;    /* bytes or slots in all */
    uint64_t done;   /* bytes or slots behind us: where to go on after a preemption */
    uint64_t mapped; /* entries made or widened */
};

enum { MAP_PREEMPTED = 1 };

/* Decode a send item into a window (the window rule). */
void map_request_init(struct map_request *r, struct task *from, struct task *to, uint64_t item,
                      uint64_t fpage, uint64_t window_base, unsigned window_order);
/* Go on from r->done. 0: finished; MAP_PREEMPTED: call again; -L4_ENOMEM: r->to or, for parts of
 * a superpage, r->from has no kernel memory left; what was mapped before stays. */
int map_run(struct map_request *r);

/* One flexpage to be revoked. */
struct unmap_request {
    struct task *task;
    l4_fpage_t fp;
    uint64_t mask;   /* enum l4_unmap_flags_t */
    uint64_t done;   /* bytes or slots behind us */
    unsigned status; /* collects L4_FPAGE_REFERENCED and _DIRTY */
    unsigned step;   /* since the last look at the interrupts */
};

/* Go on from u->done. 0 or MAP_PREEMPTED: call again, what is gone is gone. */
int unmap_run(struct unmap_request *u);

/* map_memory.c, map_caps.c, map_io.c */
int map_memory(struct map_request *r);
int map_caps(struct map_request *r);
int map_io(struct map_request *r);
int unmap_memory(struct unmap_request *u, uint64_t start, unsigned order);
int unmap_caps(struct unmap_request *u, uint64_t slot, unsigned order);
int unmap_io(struct unmap_request *u, uint64_t port, unsigned order);
/* Give [start, end) of physical memory one to one to sigma0, as roots of the mapping database,
 * with the largest pages. Only at boot. */
int map_roots(struct task *t, uint64_t start, uint64_t end, unsigned rights, bool cached);

/* Revoke one capability and all that stem from it. False: preempted. */
bool cap_revoke(struct cap *c);
