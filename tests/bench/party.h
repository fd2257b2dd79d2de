/*
 * party.h - tasks, threads and gates for a bare program to measure against
 *
 * A helper task sees this program's image at the same addresses, so a helper thread is a function
 * of the program, wherever it runs; static variables are shared by all of them.
 */
#pragma once

#include <abi/env.h>
#include <stdbool.h>

#include "bench.h"

#include <l4/sys/task.h>

/* Places in our own space, far above all memory that sigma0 maps one to one. */
#define PLACE_BIG 0x10000000000UL   /* 4 MiB in superpages */
#define PLACE_SMALL 0x10040000000UL /* the same frames, page by page */
#define PLACE_DEST 0x20000000000UL  /* where measured mappings go, here or in other tasks */

enum { PLACE_ORDER = 22, PLACE_PAGES = 1 << (PLACE_ORDER - 12) };
enum { PARTY_SAME = 254, PARTY_LOW = 1, PARTY_TIMER = 255 }; /* priorities; ours is PARTY_SAME */

typedef void (*party_fn)(void);

/* Get the memory of PLACE_BIG and PLACE_SMALL. Before anything else here. */
void party_init(void);

/* An unused slot of our capability table. */
l4_cap_idx_t party_slot(void);

/* A task with 2^utcb_order bytes for UTCBs at QUIRE_UTCB_ADDR; 0: none. */
l4_cap_idx_t party_task(unsigned utcb_order);
/* The same, with our image and PLACE_SMALL mapped one to one. */
l4_cap_idx_t party_task_with_image(void);

/* UTCB number n of our own task or of a helper's. */
l4_utcb_t *party_own_utcb(unsigned n);
l4_utcb_t *party_utcb(unsigned n);

/* A thread that runs fn, which never returns; pager is a slot of `task`. */
l4_cap_idx_t party_thread(l4_cap_idx_t task, l4_utcb_t *utcb, party_fn fn, unsigned priority,
                          l4_cap_idx_t pager);
l4_cap_idx_t party_gate(l4_cap_idx_t thread);

/* Let every thread that has been started run until it waits. */
void party_settle(void);

/* Copy one of our capabilities into the same slot of a task. */
void party_give(l4_cap_idx_t task, l4_cap_idx_t cap);

/* Map 2^order bytes at `from` in our task to `to` in `task`. */
void party_map(l4_cap_idx_t task, l4_addr_t from, l4_addr_t to, unsigned order);
/* Take away what was mapped from 2^order bytes of ours, or what `task` has there. */
void party_unmap_children(l4_addr_t from, unsigned order);
void party_unmap(l4_cap_idx_t task, l4_addr_t at, unsigned order);

/* What helper threads run. Answers as many words as it was sent. */
void party_echo(void);
/* The same; and what makes the calling thread one that has used the FPU. */
void party_echo_fpu(void);
void party_use_fpu(void);
/* Has the pages of PLACE_SMALL, and answers faults and calls with the first of them. */
void party_pager(void);

/* Call a gate; its thread runs what it is asked to, and answers. */
void party_call(l4_cap_idx_t gate);
