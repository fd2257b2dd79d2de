/*
 * map_memory.h - what map_memory.c and unmap_memory.c share
 */
#pragma once

#include "map.h"
#include "ptab.h"
#include "trace.h"
#include "walk.h"

enum { PTE_AD = PTE_A | PTE_D };

/* Who pays for m. */
static inline struct quota *quota_of(const struct mapping *m)
{
    return ptab_space(kptr(m->entry))->quota;
}

static inline unsigned rights_of(pte_t v)
{
    return L4_FPAGE_R | ((v & PTE_W) ? L4_FPAGE_W : 0) | ((v & PTE_NX) ? 0 : L4_FPAGE_X);
}

static inline pte_t pte_rights(unsigned rights)
{
    return PTE_P | PTE_U | ((rights & L4_FPAGE_W) ? PTE_W : 0) |
           ((rights & L4_FPAGE_X) ? 0 : PTE_NX);
}

static inline uint64_t frame_of(pte_t v, unsigned level)
{
    return v & PTE_FRAME & ~((1UL << ptab_shift(level)) - 1);
}

/* The frame of the small page at va, which the leaf translates. */
static inline uint64_t frame_at(pte_t v, unsigned level, uint64_t va)
{
    return frame_of(v, level) + (va & ((1UL << ptab_shift(level)) - 1));
}

/* Present, or the place of a dying mapping. */
static inline bool ptab_occupied(const pte_t *e)
{
    return *e || ptab_mapping(e);
}

/* The bits that the CPU sets, as the mapping database and as unmap tell them. */
_Static_assert(PTE_A >> 1 == MAPPING_ACCESSED && PTE_D >> 1 == MAPPING_DIRTY, "a shift will do");
_Static_assert(MAPPING_ACCESSED >> 4 == L4_FPAGE_REFERENCED && MAPPING_DIRTY >> 4 == L4_FPAGE_DIRTY,
               "a shift will do");

static inline unsigned accessed_dirty(pte_t v)
{
    return v >> 1 & MAPPING_AD;
}

static inline unsigned status_of(unsigned ad)
{
    return (ad & MAPPING_AD) >> 4;
}

extern const struct revoker memory_revoker;
/* m and everything below it goes; *status: what all of them knew of accesses. False: preempted. */
bool revoke_all(struct mapping *m, unsigned *status);

/* Count and trace that an entry goes. */
static inline void note_unmap(struct space *s, pte_t *e, pte_t old, unsigned level)
{
    task_of_space(s)->pages_unmapped++;
    trace(L4_TRACE_UNMAP, ptab_va(e) | ptab_shift(level), old & PTE_FRAME,
          task_of_space(s)->obj.id);
}

/* ---- split.c: superpage mappings of which parts are gone ---- */

/* Nothing is left of a split mapping. */
bool split_empty(const struct mapping *m);
/* Clear some entries of a split mapping, a bounded number. */
void split_cut_piece(struct mapping *m);
/* What a walk does with each mapping. */
enum walk_visit split_revoke(struct walk *k, unsigned *step);
enum walk_visit split_downgrade(struct walk *k, unsigned *step);

/* Take rights from everything below m, at once or (MAP_PREEMPTED) when walk_finish() says so. */
int downgrade_below(struct mapping *m, unsigned rights);
