/*
 * rm.h - inside the region manager: what its files share
 *
 *   main.c     start, server loop          fault.c    page faults, dataspace map calls
 *   service.c  the protocol (attach ...)   report.c   exceptions: report, backtrace
 *   memory.c   nodes and capability slots  region.c   the regions themselves (pure)
 *
 * The region manager is a thread in the task whose address space it manages.
 *
 * M1  It never touches memory that may fault: its image, stack and heap are mapped before they are
 *     used; memory of the program is read only after its page has been made present.
 * M2  What serving one fault needs is in a struct rm_fault, not in static variables: several
 *     faults can be under way once dataspaces are asked asynchronously.
 * M3  While it waits, its only receive buffer is one empty capability slot; while it asks a
 *     dataspace for a page, only a window inside the region that the page belongs to; otherwise
 *     there is none. The buffers stay where they are, the buffer descriptor says which counts:
 *
 *         BR  0     1       2     3           4
 *             item  window  none  capability  none
 *             ^ RM_BDR_MAP  ^ RM_BDR_NONE
 *                           ^ memory, ^ capabilities: RM_BDR_WAIT
 */
#pragma once

#include "region.h"

#include <abi/env.h>
#include <common/foreign.h>
#include <l4/sys/ipc.h>
#include <l4/sys/utcb.h>

enum { RM_BR_ITEM, RM_BR_WINDOW, RM_BR_NONE, RM_BR_CAP, RM_BR_END };

/* Buffer descriptors (M3): whoever calls somebody sets one, and RM_BDR_WAIT again afterwards. */
#define RM_BDR_WAIT l4_bdr(RM_BR_NONE, RM_BR_NONE, RM_BR_CAP, 0)
#define RM_BDR_MAP l4_bdr(RM_BR_ITEM, RM_BR_NONE, RM_BR_NONE, 0)
#define RM_BDR_NONE l4_bdr(RM_BR_NONE, RM_BR_NONE, RM_BR_NONE, 0)

/* Limits, each with its reason. */
enum {
    RM_REGIONS_MAX = 65536, /* nodes ever made: 10 MiB of the task's memory */
    RM_NODE_RESERVE = 64,   /* spare nodes below which more memory is fetched: a detach needs two,
                             * so there is time for many requests until the fetching succeeds */
    RM_HEAP_STEP = 64 << 10, /* bytes fetched at a time: about 400 nodes */
    RM_STACK_RESERVE = 1 << 20, /* bytes below the top of the stack that the heap stays away from */
    RM_SLOTS = 1024,        /* capabilities that the region manager holds itself */
    RM_FAULTS_KEPT = 1024,  /* a ring: what STATS can still tell about */
    RM_BACKTRACE_MAX = 24,  /* return addresses: fit on one log line */
    RM_GATE_LABEL = 0x100,
};

/* One page fault, from its message to its answer. Kept in a ring afterwards. */
struct rm_fault {
    l4_addr_t addr;
    l4_umword_t access; /* enum l4_page_fault_bits */
    l4_addr_t ip;
    l4_umword_t label; /* of the gate */
    long error;        /* 0: the page was mapped */
    l4_addr_t start;   /* the region; end 0: none */
    l4_addr_t end;
    l4_cap_idx_t ds;
    l4_addr_t offset; /* of the page in the dataspace */
};

/* What has happened, in messages. */
struct rm_counts {
    l4_umword_t faults; /* all that are not rejected have been resolved */
    l4_umword_t rejected;
    l4_umword_t map_calls; /* all, with those of attach, backtraces and our own heap */
    l4_umword_t calls;     /* of the region manager protocol */
};

extern struct region_map rm_map;
extern struct rm_counts rm_counts;
extern struct foreign rm_foreign; /* where the program serves system calls that are not L4's */

static inline const quire_env_page *rm_env(void)
{
    return (const quire_env_page *)QUIRE_ENV_ADDR;
}

/* fault.c */

/* The fault in the message: the answer's label, 0, or -L4_E... for the kernel to make an exception
 * of. */
long rm_fault_serve(l4_utcb_t *utcb, l4_umword_t label);

/*
 * Ask for the page at `addr`, which the region holds, with `rights`; only a window in the region
 * can be filled. *mapped (may be NULL): first address behind what has been mapped.
 * -L4_EFAULT: the manager answered, but mapped nothing. Or the manager's or the IPC's error.
 */
long rm_map_page(l4_utcb_t *utcb, const struct region *r, l4_addr_t addr, unsigned rights,
                 l4_addr_t *mapped);

/* Same for a window that is in no region. `order`, on return: what has been mapped. */
long rm_map_window(l4_utcb_t *utcb, l4_cap_idx_t ds, l4_addr_t offset, unsigned flags,
                   l4_addr_t base, unsigned *order);

/* The oldest or the newest kept fault in the page of `addr`, NULL: none. */
const struct rm_fault *rm_fault_first(l4_addr_t addr);
const struct rm_fault *rm_fault_newest(l4_addr_t addr);

/* report.c: say what happened, and have the task stopped. There is no answer to the thread. */
void rm_exception_report(l4_utcb_t *utcb);
/* One line on the log, as printf, with its newline. */
void rm_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* memory.c */
/* Nodes, and the buffer registers as M3 wants them. */
void rm_memory_start(l4_utcb_t *utcb);
/* Fetch memory for nodes if there are few. May call our memory allocator; keeps the message. */
void rm_memory_fetch(l4_utcb_t *utcb);
static inline void rm_memory_refill(l4_utcb_t *utcb)
{
    if (L4_UNLIKELY(rm_map.spares < RM_NODE_RESERVE))
        rm_memory_fetch(utcb);
}
/* The capability that has been received is kept, another slot is for the next one. -L4_ENOMEM: no
 * slot would be left to receive with; it has been dropped. */
long rm_slot_keep(l4_utcb_t *utcb, l4_cap_idx_t *out);
/* It is not kept. */
void rm_slot_drop(l4_utcb_t *utcb);
/* One more region refers to the capability; false: the slot is ours, and empty. One less: ours is
 * dropped with the last one, then true. The program's own capabilities are not counted. */
bool rm_slot_ref(l4_cap_idx_t cap);
bool rm_slot_unref(l4_utcb_t *utcb, l4_cap_idx_t cap);

/* service.c: a message of label L4RE_PROTO_RM or L4RE_PROTO_STATS; the answer. */
l4_msgtag_t rm_serve(l4_utcb_t *utcb, l4_msgtag_t tag);
l4_msgtag_t rm_stats(l4_utcb_t *utcb, l4_msgtag_t tag);
