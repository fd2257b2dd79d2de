/*
 * abi/stats.h - the words that servers answer to STATS (label 0x5100)
 *
 * MR0 is the operation, MR1 its argument; the answer is the words of one of the lists below.
 * Quire's own. Counters count from the server's start, unless the text says "now".
 */
#pragma once

#include <abi/protocols.h>

/* Operations beyond enum l4re_stats_ops. */
enum l4re_ds_stats_ops {
    L4RE_STATS_FRAME_OP = 2,  /* dataspace gate, MR1 offset; answer: MR0 frame or -L4_ENOENT */
    L4RE_STATS_TOTALS_OP = 3, /* any gate of a manager: the whole manager's words */
};

/* Dataspace managers. L4RE_STATS_GET_OP counts what belongs to the gate asked: manager, account or
 * dataspace; the last four words come with the manager's totals only. */
#define L4RE_DS_STATS(X)                                                                           \
    X(MAPS, "map requests answered with an item")                                                  \
    X(FRAMES, "frames that hold pages, now")                                                       \
    X(FILLED, "frames handed out zeroed")                                                          \
    X(USED, "bytes charged, now: frames, index frames, reserve")                                   \
    X(SIGMA0_REQUESTS, "requests for memory to sigma0 (totals only)")                              \
    X(SOURCE_MAPS, "pages that copy_in asked other managers for")                                  \
    X(INDEX_FRAMES, "frames of page indexes, now")                                                 \
    X(QUOTA, "bytes allowed; manager: the sum over all accounts")                                  \
    X(DATASPACES, "dataspaces, now")                                                               \
    X(RESERVE, "frames that were reserved and hold nothing, now")                                  \
    X(FRAMES_TOTAL, "frames got from sigma0")                                                      \
    X(FRAMES_FREE, "frames in no use, now")                                                        \
    X(OBJECT_FRAMES, "frames of the manager's own structures")                                     \
    X(SIGMA0_GIVEN, "bytes that sigma0 says it gave to the running manager")

enum l4re_ds_stats {
#define X(name, text) L4RE_DS_STATS_##name,
    L4RE_DS_STATS(X)
#undef X
        L4RE_DS_STATS_NUM,
    L4RE_DS_STATS_EXTRA = L4RE_DS_STATS_FRAMES_TOTAL, /* the first of the totals only */
};

/* The manager `managed`, at an account's gate or its own: the account, or what no account has. */
#define L4RE_MANAGED_STATS(X)                                                                      \
    X(MAPS, "maps, now")                                                                           \
    X(QUOTA, "maps allowed; each allows for some regions and dataspaces")                          \
    X(REGIONS, "nodes for regions, now: each map keeps two more than it has regions")            \
    X(DATASPACES, "dataspaces of other managers attached, now")

enum l4re_managed_stats {
#define X(name, text) L4RE_MANAGED_STATS_##name,
    L4RE_MANAGED_STATS(X)
#undef X
        L4RE_MANAGED_STATS_NUM
};

/* sigma0. Of each of the six kinds of reserve: spare now, and the least that any request left. */
#define L4RE_SIGMA0_STATS(X)                                                                       \
    X(REQUESTS, "messages received")                                                               \
    X(FREE, "frames free, now")                                                                    \
    X(TOTAL, "frames that were free at the start")                                                 \
    X(FAULTS, "page faults answered with a page")                                                  \
    X(USED, "bytes charged to the account that asks")                                              \
    X(OWN, "frames of sigma0's own records and reserve, now")                                      \
    X(ACCOUNTS, "accounts, now")                                                                   \
    X(CLEARED, "frames cleared")                                                                   \
    X(BLOCKS, "spare records of blocks")                                                           \
    X(DEVICES, "spare records of device memory")                                                   \
    X(RECORDS, "spare records of accounts")                                                        \
    X(SLOTS, "spare capability slots")                                                             \
    X(SMALL, "spare blocks of 4 KiB")                                                              \
    X(LARGE, "spare blocks of 16 KiB")                                                             \
    X(BLOCKS_LOW, "records of blocks, lowest")                                                     \
    X(DEVICES_LOW, "records of device memory, lowest")                                             \
    X(RECORDS_LOW, "records of accounts, lowest")                                                  \
    X(SLOTS_LOW, "capability slots, lowest")                                                       \
    X(SMALL_LOW, "blocks of 4 KiB, lowest")                                                        \
    X(LARGE_LOW, "blocks of 16 KiB, lowest")

enum l4re_sigma0_stats {
#define X(name, text) L4RE_SIGMA0_STATS_##name,
    L4RE_SIGMA0_STATS(X)
#undef X
        L4RE_SIGMA0_STATS_NUM
};

/* Region managers. */
#define L4RE_RM_STATS(X)                                                                           \
    X(FAULTS, "page-fault messages received")                                                      \
    X(RESOLVED, "of them answered: the thread goes on")                                            \
    X(REJECTED, "of them refused: the fault became an exception")                                  \
    X(REGIONS, "regions, now")                                                                     \
    X(DS_MAPS, "map calls to dataspace managers")                                                  \
    X(CALLS, "calls of the region manager protocol")                                               \
    X(WORKERS, "threads of the region manager")                                                    \
    X(BUSY, "of them waiting: for a dataspace manager, or with a fault for the handler")           \
    X(HANDOVERS, "messages that found the serving thread busy and went to another")                \
    X(WOKEN, "faults that waited for the handler and that an attach served")

enum l4re_rm_stats {
#define X(name, text) L4RE_RM_STATS_##name,
    L4RE_RM_STATS(X)
#undef X
        L4RE_RM_STATS_NUM
};

/* L4RE_STATS_LAST_FAULT_OP, MR1 = address: the first fault on record in that page, or -ENOENT. */
#define L4RE_RM_FAULT(X)                                                                           \
    X(ADDRESS, "address accessed")                                                                 \
    X(ACCESS, "enum l4_page_fault_bits")                                                           \
    X(IP, "instruction pointer")                                                                   \
    X(START, "start of the region")                                                                \
    X(SIZE, "size of the region, bytes")                                                           \
    X(DS, "capability of the dataspace, in the task")                                              \
    X(OFFSET, "offset in the dataspace, bytes")                                                    \
    X(LABEL, "label with which the fault message came")

enum l4re_rm_fault {
#define X(name, text) L4RE_RM_FAULT_##name,
    L4RE_RM_FAULT(X)
#undef X
        L4RE_RM_FAULT_NUM
};
