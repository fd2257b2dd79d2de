/*
 * mapdb_spec.h - what mapping, granting and unmapping memory mean: the specification
 *
 * No tree, no page tables, no references: an array that says of each page of each space which
 * frame is there, with which rights, and from which other page it came. Each operation is a loop
 * over pages. Whoever tests the mapping database compares with this: the exploration of all its
 * states, the random model and its driver in the booted system. Nothing of it is in the kernel.
 *
 * No libc, no allocation, no globals. The universe is set by macros: SPEC_SPACES spaces of
 * SPEC_PAGES pages each; a page of the next size is SPEC_SUPER pages, aligned (where there are
 * such, SPEC_PAGES is a multiple of it). Which address a page number stands for is the tester's
 * choice: SPEC_SUPER may be 3 if the superpages are real and only three of their pages, or groups
 * of pages that are always treated alike, are looked at.
 *
 * S1  A page was mapped from one that has the same frame and at least its rights, in a mapping at
 *     least as large; there is no cycle.
 * S2  Whatever the sizes: each page fares as if it had been mapped alone. Sizes matter in three
 *     places: a grant moves whole mappings only; rights are added in place to equal entries only;
 *     and nothing is mapped over a mapping that the source stems from, whichever page of it.
 * S3  What is known of accesses is never lost: it is in the page, or has gone to its parent's
 *     `inherited`, until somebody asks and resets. The kernel keeps it by mappings, not by pages,
 *     so of superpages it may tell more than is written here, and tell (and then forget) what was a
 *     page's own as if it were inherited; of small pages it tells exactly this.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#ifndef SPEC_SPACES
#define SPEC_SPACES 3
#endif
#ifndef SPEC_PAGES
#define SPEC_PAGES 2
#endif
#ifndef SPEC_SUPER
#define SPEC_SUPER 512
#endif

enum { SPEC_ALL = SPEC_SPACES * SPEC_PAGES, SPEC_ROOT = -1 };
enum { SPEC_X = 1, SPEC_W = 2, SPEC_R = 4, SPEC_RWX = 7 };  /* as in a flexpage */
enum { SPEC_ACCESSED = 1, SPEC_DIRTY = 2, SPEC_STATUS = 3 }; /* as unmap reports them */

struct spec_page {
    bool used;
    uint8_t level;     /* size of its mapping: 1 a page, 2 SPEC_SUPER pages, 3 the square of that */
    uint8_t entry;     /* size of its page-table entry: less than level when parts were changed */
    uint8_t rights;    /* SPEC_R is always among them */
    uint8_t own;       /* SPEC_STATUS since it was last asked and reset */
    uint8_t inherited; /* the same, of mappings that stemmed from it and have gone */
    uint16_t frame;
    int parent;        /* the page it was mapped from, an index of page[]; SPEC_ROOT: none */
};

struct spec {
    struct spec_page page[SPEC_ALL]; /* space * SPEC_PAGES + page */
};

static inline struct spec_page *spec_at(struct spec *s, unsigned space, unsigned page)
{
    return &s->page[space * SPEC_PAGES + page];
}

/* Pages in a page of a level. */
static inline int spec_size(unsigned level)
{
    return level < 2 ? 1 : level == 2 ? SPEC_SUPER : SPEC_SUPER * SPEC_SUPER;
}

/* Page i, which is used, is a, or was mapped from it, directly or not. */
static inline bool spec_stems_from(const struct spec *s, int i, int a)
{
    while (i != a && i != SPEC_ROOT)
        i = s->page[i].parent;
    return i == a;
}

/* Page i, which is used, belongs to the same mapping as page d, or to one that stems from it. */
static inline bool spec_is_origin(const struct spec *s, int d, int i)
{
    int size = spec_size(s->page[d].level);

    while (i != SPEC_ROOT && (i / size != d / size || s->page[i].level != s->page[d].level))
        i = s->page[i].parent;
    return s->page[d].used && i != SPEC_ROOT;
}

/* All zero: nobody has anything. Then mappings that come from nobody: a page of a root. */
static inline void spec_root(struct spec *s, unsigned space, unsigned page, unsigned level,
                             unsigned frame, unsigned rights)
{
    *spec_at(s, space, page) =
        (struct spec_page){true,  (uint8_t)level,  (uint8_t)level, (uint8_t)rights, 0, 0,
                           (uint16_t)frame, SPEC_ROOT};
}

/*
 * Pages [src, src + count) of one space to [dst, dst + count) of another (or the same), with at
 * most these rights. count is a flexpage's, src and dst are multiples of it; all lies within the
 * universe. How many entries were made or widened (0: the item says that nothing was mapped).
 */
unsigned spec_map(struct spec *s, unsigned from, unsigned src, unsigned to, unsigned dst,
                  unsigned count, unsigned rights, bool grant);

/*
 * Rights are taken from all that stems from the pages [first, first + count) of a space, and with
 * `self` from these pages too; with R the mappings go. No rights: nothing is taken, and what was
 * known of accesses is forgotten. What was known: SPEC_STATUS. (A space goes: all pages, R, self.)
 */
unsigned spec_unmap(struct spec *s, unsigned space, unsigned first, unsigned count,
                    unsigned rights, bool self);

/* The CPU has read a page (SPEC_ACCESSED) or written it (both). */
static inline void spec_touch(struct spec *s, unsigned space, unsigned page, unsigned status)
{
    spec_at(s, space, page)->own |= (uint8_t)status;
}

/* What a program can do with a page; 0: nothing is there. */
static inline unsigned spec_rights(const struct spec *s, unsigned space, unsigned page)
{
    const struct spec_page *p = &s->page[space * SPEC_PAGES + page];

    return p->used ? p->rights : 0;
}
