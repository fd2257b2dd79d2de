/*
 * sigma0/pool.h - memory for sigma0's own records, and capability slots, with a reserve
 *
 * A service that gives out memory needs memory itself: a record for each account, each piece of
 * device memory and each block of its own, and a capability slot for each gate. Records lie in
 * slabs of a page, slots are entries of nodes of 16 KiB. Both are blocks like all memory, and
 * each such block has a record, too. So getting a record may need a block, which needs a record:
 * without provision this does not end.
 *
 *   request --record--> slab --block--> record of the block --> slab --> ...
 *
 * Therefore there are spare ones of everything, and the spare ones are replaced after a request
 * has been served, never while.
 *
 * P1  After every request ram_reserve_ok(): at least level_min of everything is spare, which is
 *     enough for two more requests of any kind, including what replacing takes.
 * P2  A request that takes something is only begun when level_full of everything is spare. So one
 *     request cannot break P1, even if nothing can be replaced after it.
 * P3  All blocks together are at most POOL_KEPT frames, which nobody was promised. A slab is made
 *     when all others are full, so the bound holds after any history.
 * P4  A slab begins with the address of its block's record; that record lies in a slab of blocks.
 */
#pragma once

#include <abi/types.h>

#include <stdbool.h>

#ifndef RAM_RESERVE
#define RAM_RESERVE 1 /* 0: only in a host test that shows what happens without */
#endif

struct ram;
struct account;

/* What can run out. The first are records, in slabs. */
enum pool_kind {
    POOL_BLOCK,   /* records of our own blocks; first: the others need them */
    POOL_DEVICE,
    POOL_ACCOUNT,
    POOL_RECORDS, /* number of the kinds of records */
    POOL_SLOT = POOL_RECORDS,
    POOL_SMALL,   /* blocks of 4 KiB, for slabs */
    POOL_LARGE,   /* blocks of 16 KiB, for nodes of slots */
    POOL_KINDS,
};

enum {
    POOL_SMALL_ORDER = 12,
    POOL_LARGE_ORDER = 14,
    POOL_NODES_MAX = 8,
    POOL_NODE_SLOTS = 1 << (POOL_LARGE_ORDER - 3),
    POOL_SLOTS_MAX = POOL_NODES_MAX * POOL_NODE_SLOTS,
    POOL_SPARE_BLOCKS = 5, /* longest list of spare blocks */
    POOL_KEPT = 320, /* frames: 4096 accounts, their slots, devices, the reserve; see P3 */
    POOL_DEPTH_MAX = 64, /* nested requests for blocks: more is a recursion without end */
};

/* A block that sigma0 uses itself: a slab or a node. */
struct block {
    struct block *next; /* slabs of this kind with free records */
    struct block *prev;
    l4_addr_t start;
    void *free; /* slab: free records, linked through their first word */
    l4_uint16_t used;
    l4_uint8_t order;
    l4_uint8_t kind; /* enum pool_kind: what is in it */
};

struct records {
    struct block *partial; /* slabs with free records */
    l4_uint16_t size;
    l4_uint16_t per_slab;
};

struct pool {
    struct records records[POOL_RECORDS];
    l4_umword_t spare[POOL_KINDS];
    l4_umword_t low[POOL_KINDS]; /* the lowest that spare[] ever was after a request */
    l4_addr_t small[POOL_SPARE_BLOCKS];
    l4_addr_t large[POOL_SPARE_BLOCKS];
    l4_umword_t *node[POOL_NODES_MAX]; /* an account, or (the next free slot << 1 | 1) */
    unsigned nodes;
    l4_umword_t free_slot;  /* 0: none */
    l4_umword_t frames;     /* that are ours, now */
    bool touched;           /* something was taken since the last pool_refill() */
    unsigned depth;         /* requests for blocks within requests for blocks, now */
    unsigned deepest;       /* ever */
    l4_umword_t grown_inside; /* slabs and nodes made while a request needed them: always 0 */
};

/* With the first blocks in place. Before the first account. False: too little free RAM. */
bool pool_init(struct ram *r);

/* A zeroed record. The caller has asked pool_ready() (P2), so NULL means a test without reserve. */
void *pool_take(struct ram *r, enum pool_kind kind);
void pool_give(struct ram *r, enum pool_kind kind, void *record);

/* A slot that refers to this account; 0: none, as above. Slot 0 itself is nobody's. */
unsigned pool_slot_take(struct ram *r, struct account *a);
void pool_slot_give(struct ram *r, unsigned slot);
/* To whom the slot refers, NULL: it is free, or there is none. */
struct account *pool_slot_account(const struct ram *r, l4_umword_t slot);

/* May a request begin that takes records or slots? */
bool pool_ready(struct ram *r);
/* After a request: replace what was taken, as far as memory is there. */
void pool_refill(struct ram *r);
/* P1: enough for two requests. */
bool ram_reserve_ok(const struct ram *r);
