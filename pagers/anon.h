/*
 * anon.h - inside anon: what its files share
 *
 *   anon.c   the table of functions          pages.c  pages: made, dropped
 *   ram.c    frames: from sigma0, and back   cow.c    pages that several dataspaces share
 *   frames.c, pageindex.c: pool and index    zero.c   the zero page, for what is only read
 *
 *   sigma0 <--chunk--> pool --frame--> page of one dataspace or of several --unmap--> pool
 *
 * A1  A frame is in the pool, or a page of dataspaces, or a node of one index, or holds structures
 *     or counts: frames total = free + frames + index frames + object frames.
 * A2  A frame that goes back to the pool is mapped nowhere but here.
 * A3  A fixed dataspace (continuous or pinned) has all its pages from the start and never gives
 *     them back, nor shares them, while it lives.
 * A4  The 512 entries of a block (an aligned part of a dataspace as large as a superpage) are all
 *     marked ENTRY_SUPER or none is. If they are, its frames are one superpage, in order. The mark
 *     goes before the first of the frames does.
 * A5  A frame without ENTRY_SHARED has one entry. One with it has as many as the pool counts
 *     owners, exactly one of them with ENTRY_PAYS: its dataspace is charged for the frame, and
 *     nobody else is.
 * A6  Nobody has a shared frame mapped for writing.
 * A7  Free frames are at least as many as all reserves together, but within a function.
 */
#pragma once

#include "frames.h"
#include "pageindex.h"

#include <l4/pager.h>

/* The low bits of an index entry. */
enum {
    ENTRY_NEW = 1,    /* made by the running allocate() */
    ENTRY_SUPER = 2,  /* A4 */
    ENTRY_SHARED = 4, /* other dataspaces may have the frame, too */
    ENTRY_PAYS = 8,   /* A5; with ENTRY_SHARED only */
    ENTRY_LOST = 16,  /* no frame: who paid for it went, and nobody else could */
    ENTRY_SEEN = 32,  /* with ENTRY_SHARED: clients of this dataspace may have it mapped */
    ENTRY_SPECIAL = ENTRY_SUPER | ENTRY_SHARED | ENTRY_LOST,
};

/* Why making a page takes longer: bits of anon_ds.slow. */
enum {
    SLOW_SUPER = 1, /* superpages are wanted */
    SLOW_AHEAD = 2, /* map-ahead is wanted */
    SLOW_ZERO = 4,  /* somebody may have the zero page mapped where no page is yet */
    SLOW_RUN = 8,   /* continuous: pages are there, and mapped in the largest flexpages */
};

enum { BLOCK = CHUNK_FRAMES };
_Static_assert((int)BLOCK == (int)INDEX_FANOUT, "a block is a node of the lowest level");

struct anon_ds {
    struct dataspace ds;
    struct page_index index;
    unsigned slow;
    bool fixed; /* A3 */
    l4_addr_t run; /* continuous: the first frame, otherwise 0 */
    /* map-ahead: pages */
    l4_umword_t ahead_max;
    l4_umword_t ahead; /* the window now */
    l4_umword_t next;  /* page that comes next if pages are touched in sequence */
    /* relatives: they share frames, page p of this one with page p + base - their base */
    struct anon_ds *older; /* a ring; itself: no relatives */
    struct anon_ds *younger;
    l4_umword_t base;
    l4_umword_t shared; /* entries with ENTRY_SHARED; 0: no relatives */
    unsigned zero; /* number of its view of the zero page, 0: none */
};

static inline struct anon_ds *anon_of(struct dataspace *ds)
{
    return (struct anon_ds *)ds;
}

static inline l4_umword_t anon_pages(const struct anon_ds *a)
{
    return (a->ds.size + L4_PAGESIZE - 1) >> L4_PAGESHIFT;
}

static inline char *entry_frame(l4_umword_t entry)
{
    return (char *)(entry & L4_PAGEMASK);
}

extern const struct manager anon_manager;

/* ---- ram.c ---- */

extern struct frame_pool anon_pool;
extern l4_umword_t sigma0_requests, object_frames;

/* Can a dataspace have `n` frames more without touching what others reserved? NULL: nobody's. */
static inline bool ram_at_hand(const struct anon_ds *a, l4_umword_t n)
{
    return frames_free(&anon_pool) >= ds_totals.reserve + n || (a && a->ds.counts.reserve >= n);
}

/* So many frames more than are reserved, from sigma0. The second one lets garbage go if need be:
 * relatives of dataspaces may disappear. */
bool ram_grow(l4_umword_t n);
bool ram_refill(l4_umword_t n);
/* What is free in excess goes back. */
void ram_shrink(void);
/* A block of sigma0's into the pool. */
bool ram_chunk(unsigned order);
/* Bytes that sigma0 says it gave us since we run, 0 if it does not tell. */
l4_umword_t ram_given(void);

/* A zeroed frame, NULL: no more. */
static inline void *frame_get(const struct anon_ds *a)
{
    if (L4_UNLIKELY(!ram_at_hand(a, 1)) && !ram_refill(1))
        return NULL;
    return frames_take(&anon_pool);
}

/* Take the rights away from everybody else. 0, or the kernel's error. */
long ram_unmap(const l4_fpage_t *fpages, unsigned n);

/* ---- pages.c ---- */

/* The first page of its block. */
static inline l4_umword_t block_of(l4_umword_t page)
{
    return page & ~(l4_umword_t)(BLOCK - 1);
}

/*
 * The word of a page in the index, for writing: it is made, or made its own, if need be. `flag` is
 * set in a new entry. NULL: no memory (-L4_ENOMEM). Garbage may have been released meanwhile.
 */
l4_umword_t *page_make(struct anon_ds *a, l4_umword_t page, l4_umword_t *entry, l4_umword_t flag);
static inline l4_umword_t *page_get(struct anon_ds *a, l4_umword_t page, l4_umword_t flag)
{
    l4_umword_t *entry = index_find(&a->index, page);

    if (L4_LIKELY(entry && *entry && !(*entry & (ENTRY_SHARED | ENTRY_LOST))))
        return entry;
    return page_make(a, page, entry, flag);
}

/* The word of a page, made if need be, without a page in it. NULL: no memory. */
l4_umword_t *entry_have(struct anon_ds *a, l4_umword_t page);
/* A4, before pages of the block are treated one by one. */
void block_split(struct anon_ds *a, l4_umword_t page);
/* Take the pages of [first, end) whose entry has all bits of `flag` away from everybody. */
long pages_drop(struct anon_ds *a, l4_umword_t first, l4_umword_t end, l4_umword_t flag);
/* Nodes of the index that became empty go, and memory in excess. */
void nodes_drop(struct anon_ds *a, l4_umword_t first, l4_umword_t end);

/* ---- cow.c ---- */

/* Pages [from, from + n) of `source` are those of `a` from page `to` on, too, until somebody
 * writes. -L4_ENOSYS: they cannot be shared; -L4_ENOMEM, also if a page of the source is lost: `a`
 * has nothing there. */
long cow_share(struct anon_ds *a, l4_umword_t to, struct anon_ds *source, l4_umword_t from,
               l4_umword_t n);
/* The page's frame is its own from now on; a copy if need be. NULL: no memory. */
l4_umword_t *cow_own(struct anon_ds *a, l4_umword_t page);
/* The page goes; nobody has it mapped through any of its owners any more. */
void cow_leave(struct anon_ds *a, l4_umword_t page, l4_umword_t *entry);

/* ---- zero.c ---- */

/* This dataspace's view of the zero page; 0: cannot be had. */
l4_addr_t zero_view(struct anon_ds *a);
/* Nobody has it mapped any more: before a page is made. */
void zero_revoke(struct anon_ds *a);
/* The dataspace ends. */
void zero_release(struct anon_ds *a);
