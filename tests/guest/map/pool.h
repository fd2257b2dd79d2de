/*
 * map/pool.h - memory to map, and eyes to see where it went
 *
 * The pool is 8 MiB that the test has from sigma0 as four superpages. The first word of each of
 * its pages says which page it is, the second is a `ret` instruction. A page is named by its
 * offset in the pool.
 */
#pragma once

#include "harness.h"

extern const struct test rules_tests[], items_tests[], over_tests[], superpages_tests[],
    unmap_tests[], grant_tests[], quota_tests[];

enum { POOL_ORDER = 23 };
#define POOL_SIZE (1UL << POOL_ORDER)
#define HOLE (~0UL)
#define KIB4 (1UL << 12)
#define MIB2 (1UL << 21)

extern l4_addr_t pool;

void pool_start(void);
void giant_start(void); /* superpages.c */

/* Where things lie in tasks that the test makes: free in every one of them. */
#define PLACE 0x20000000UL
#define PLACE2 0x30000000UL

/* Map 2^order bytes at an offset of the pool to an address of a task, as if by l4_task_map. */
long pool_map(l4_cap_idx_t task, l4_umword_t offset, unsigned order, l4_addr_t address,
              unsigned rights);
/* From one task to another. */
long move(l4_cap_idx_t to, l4_cap_idx_t from, l4_addr_t source, unsigned order, l4_addr_t address,
          unsigned rights);
long move_grant(l4_cap_idx_t to, l4_cap_idx_t from, l4_addr_t source, unsigned order,
                l4_addr_t address, unsigned rights);
/* The page of the pool that a task sees there, or HOLE. */
l4_umword_t page_at(l4_cap_idx_t task, l4_addr_t address);
/* Unmap; the rights of the answer: accessed and dirty; negative: error. */
long unmap(l4_cap_idx_t task, l4_addr_t address, unsigned order, unsigned rights,
           l4_umword_t mask);
/* What a child may do at an address: L4_FPAGE_R | _W | _X, or 0. Checks the fault messages. */
unsigned rights_at(struct child *c, l4_addr_t address);

static inline l4_umword_t entered(l4_cap_idx_t task)
{
    return counter(task, L4_DBG_CNT_PAGES_MAPPED);
}

static inline l4_umword_t removed(l4_cap_idx_t task)
{
    return counter(task, L4_DBG_CNT_PAGES_UNMAPPED);
}
