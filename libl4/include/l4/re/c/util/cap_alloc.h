/*
 * l4/re/c/util/cap_alloc.h - which capability slots of this task are in use
 *
 * A program allocates from the environment's first free slot up to QUIRE_PROGRAM_SLOTS_END; the
 * slots above belong to its region manager, which is a second image in the same task.
 */
#pragma once

#include <l4/sys/compiler.h>
#include <l4/sys/types.h>

#define QUIRE_PROGRAM_SLOTS_END (L4_CAP_SLOTS / 2)

/* An unused slot, or L4_INVALID_CAP. Thread-safe, no IPC. */
L4_CV l4_cap_idx_t l4re_util_cap_alloc(void);

/* Give the slot back. What lies in it stays until the slot is used again. */
L4_CV void l4re_util_cap_free(l4_cap_idx_t cap);

/*
 * Give the slot back and delete what lies in it: the object goes with the capability if it came
 * with the delete right (a dataspace of one's own does).
 */
L4_CV void l4re_util_cap_free_um(l4_cap_idx_t cap);

/* The highest slot number ever handed out, as a capability index. */
L4_CV long l4re_util_cap_last(void);

/* Quire: allocate from [first, end) instead, slot numbers. Before the first allocation. */
L4_CV void l4re_util_cap_range(unsigned long first, unsigned long end);
