/*
 * mapdb.h - the mapping database: who got what from whom
 *
 * A mapping is a node of a tree: memory page, I/O port or capability slot that somebody holds.
 * Its children were mapped from it. 24 bytes each. The database knows neither page tables nor
 * spaces: `entry` is the caller's word (the page-table entry or capability slot).
 *
 *                   r (2 MiB)
 *          child   /   \  parts
 *                 c     [0] [1] ... [511]       c is of r's size: in r's own list
 *                        |       |
 *                        s - s   s              s are smaller: in the list of their part of r
 *
 * A superpage mapping (level 2: 2 MiB, level 3: 1 GiB) keeps children of its own size in `child`
 * and smaller ones in a table of 512 parts, each with the list of children of the next smaller
 * size and, below that, a further table. So one part can be revoked without looking at the
 * others, and a new child is entered in constant time.
 *
 * M1  Lists: the word `prev` refers to holds the node; the last `next` holds the reference of the
 *     list's head | MAPPING_END. So a walk finds its way up without a stack.
 * M2  Every node of a list has the list's owner as parent; its level is the list's.
 * M3  A table of parts exists exactly while some list or table in it is not empty. Tables are
 *     charged to the quota of who holds the mapping that they belong to.
 * M4  A mapping has a page-table entry (or slot) and vice versa; a MAPPING_DYING one keeps the
 *     place but translates nothing, and nothing can be mapped from it.
 * M5  A mapping that has children stays where it is, however long its revoke is interrupted: it
 *     goes after everything below it. So whoever finds a mapping gone knows that all that
 *     stemmed from it is gone, and whoever finds a dying one can finish what others began.
 *
 * How everything below `root` is revoked (walk.c); between two steps anything may happen, other
 * revokes included. top = root; a step:
 *
 *     c = mapdb_child(top)
 *     c, not dying:    cut it: clear its entry (or slot), flush the TLB for its address,
 *                      mapdb_cut(): nothing can be mapped from it any more, what the entry knew
 *                      of accesses is kept in the node
 *     c:               top = c
 *     none, top is not root:   top = parent of top, and top is forgotten: its place in the page
 *                      table or capability table is freed, mapdb_remove()
 *     none, top is root:       done
 *
 * To take root away as well: cut it before, forget it afterwards. Who is preempted keeps `top`
 * in a registered walk, which mapdb_remove() moves up when somebody else takes it away.
 */
#pragma once

#include "kmem.h"

struct mapping {
    kref_t parent; /* mapping; 0: a root */
    kref_t child;  /* first child of the same level */
    kref_t next;   /* sibling in the same list, or the list's head | MAPPING_END */
    kref_t prev;   /* the word that refers to this node: a `next` or the head of its list */
    kref_t entry;  /* page-table entry or capability slot, 0: none */
    kref_t parts;  /* page of struct part (low 12 bits zero) | flags */
};
_Static_assert(sizeof(struct mapping) == 24, "a mapping is 24 bytes");

enum mapping_flags {
    MAPPING_LEVEL = 0x003,    /* 1, 2, 3 */
    MAPPING_KIND = 0x00c,     /* what the entry is: */
    MAPPING_MEMORY = 0x000,
    MAPPING_IO = 0x004,
    MAPPING_CAP = 0x008,
    MAPPING_ACCESSED = 0x010, /* inherited from removed descendants */
    MAPPING_DIRTY = 0x020,
    MAPPING_AD = MAPPING_ACCESSED | MAPPING_DIRTY,
    MAPPING_DYING = 0x040,    /* its entry is already cleared; children are being revoked */
    MAPPING_PARTIAL = 0x100,  /* its entry is a table, some parts may be gone (split.c) */
    MAPPING_FLAGS = 0xfff,
    /* What makes more of a mapping than a leaf that can go in one step. */
    MAPPING_MORE = ~(MAPPING_LEVEL | MAPPING_KIND | MAPPING_AD),
    MAPPING_END = 1,          /* in `next` */
};

struct part {
    kref_t child; /* children of the part's size */
    kref_t parts; /* page of parts of this part, or 0 | MAPPING_AD: what was inherited for it */
};

enum { MAPPING_PARTS = 512 };

extern struct slab mapping_slab;

/* After kmem_init. */
void mapdb_init(void);

static inline struct mapping *mapping_ptr(kref_t r)
{
    return kptr(r);
}

static inline unsigned mapping_level(const struct mapping *m)
{
    return m->parts & MAPPING_LEVEL;
}

static inline bool mapping_dying(const struct mapping *m)
{
    return m->parts & MAPPING_DYING;
}

static inline bool mapping_partial(const struct mapping *m)
{
    return m->parts & MAPPING_PARTIAL;
}

/* Nothing was mapped from it, nobody is at work on it, and it is whole. */
static inline bool mapping_leaf(const struct mapping *m)
{
    return !(m->child | (m->parts & (kref_t)MAPPING_MORE));
}

/* Pages of 4 KiB in a page of a level. */
static inline uint64_t mapping_pages(unsigned level)
{
    return 1UL << 9 * (level - 1);
}

static inline struct mapping *mapping_parent(const struct mapping *m)
{
    return m->parent ? mapping_ptr(m->parent) : NULL;
}

/* A node without parent, charged to q; NULL: exhausted. */
static inline __attribute__((always_inline)) struct mapping *
mapping_new(struct quota *q, unsigned level_and_kind)
{
    struct mapping *m = slab_take(&mapping_slab, q);

    if (m)
        *m = (struct mapping){ .parts = level_and_kind };
    return m;
}

/* The node is a leaf and out of every list (a failed map, or a root that nobody has). */
static inline void mapping_delete(struct mapping *m, struct quota *q)
{
    kassert(!m->child && m->parts < KPAGE_SIZE && !m->prev);
    slab_free(&mapping_slab, q, m);
}

/* The list of parent's children in a part; makes the tables on the way, charged to q. */
kref_t *mapdb_list_in_parts(struct mapping *parent, unsigned level, uint64_t page, struct quota *q);

/*
 * The head of the list of parent's children of `level` (<= parent's) at `page` (offset from the
 * parent's start in 4 KiB pages, only looked at when level < parent's). q: the quota of who holds
 * the parent, charged if a table of parts has to be made. NULL: exhausted, nothing changed.
 * Follow with mapdb_link.
 */
static inline kref_t *mapdb_list(struct mapping *parent, unsigned level, uint64_t page,
                                 struct quota *q)
{
    if (level == mapping_level(parent))
        return &parent->child;
    return mapdb_list_in_parts(parent, level, page, q);
}

/* The first child in a list in a table of parts. */
void mapdb_parts_use(kref_t *list);

/* Enter a child at the head of a list. */
static inline __attribute__((always_inline)) void
mapdb_link(kref_t *list, struct mapping *parent, struct mapping *child)
{
    kref_t first = *list;

    child->parent = kref(parent);
    child->prev = kref(list);
    if (first) {
        child->next = first;
        mapping_ptr(first)->prev = kref(&child->next);
    } else {
        child->next = kref(list) | MAPPING_END;
        if (mapping_level(child) != mapping_level(parent))
            mapdb_parts_use(list);
    }
    *list = kref(child);
}

/* The last child has left a list in a table of parts: free the tables that became empty. */
void mapdb_parts_unuse(kref_t *list);

/* Take m out of its list; its own words stay as they are. */
static inline void mapdb_leave(struct mapping *m)
{
    kref_t next = m->next;
    kref_t *prev = kptr(m->prev);

    if (!(next & MAPPING_END)) {
        *prev = next;
        mapping_ptr(next)->prev = m->prev;
    } else if (next != (m->prev | MAPPING_END)) {
        *prev = next;
    } else {
        *prev = 0;
        if (mapping_level(m) != mapping_level(mapping_ptr(m->parent)))
            mapdb_parts_unuse(prev);
    }
}

/* Some smaller child of m (in its table of parts); m has one. */
struct mapping *mapdb_first_in_parts(struct mapping *m);

/* Some child of m; NULL: none. */
static inline struct mapping *mapdb_child(struct mapping *m)
{
    if (m->child)
        return mapping_ptr(m->child);
    return m->parts < KPAGE_SIZE ? NULL : mapdb_first_in_parts(m);
}

/* Some child of m within the part `page` (as in mapdb_list) of `level` < m's: of the part's size
 * or smaller. NULL: none. */
struct mapping *mapdb_child_in(struct mapping *m, unsigned level, uint64_t page);
/* m is 1 GiB: some 2 MiB child that contains `page`. NULL: none. */
struct mapping *mapdb_child_over(struct mapping *m, uint64_t page);

/*
 * What m inherited for a part of itself: MAPPING_AD. With `reset` it is forgotten, if there is a
 * place to remember that the other parts still have it (a table of parts; parts of the next
 * smaller size only). A level of m's own: all of it.
 */
unsigned mapdb_inherited(struct mapping *m, unsigned level, uint64_t page, bool reset);

/* c's entry has just been cleared; ad: what it said, MAPPING_ACCESSED | MAPPING_DIRTY. */
static inline void mapdb_cut(struct mapping *c, unsigned ad)
{
    c->parts |= MAPPING_DYING | ad;
}

/*
 * A walk over a mapping and what is below it, parents before children: the mapping itself, its
 * children of its own size with what is below them, then the smaller ones. One move is bounded.
 *     struct mapwalk w = mapwalk_start(r);
 *     do { if (!w.up) visit(w.at); } while (mapwalk_move(&w));
 *
 * A walk can be confined to a part of the root: then it visits what covers the part or lies in
 * it. While it is registered the tree may change: a walk whose place is taken away moves on, and
 * whatever it has not visited when it ends, stems from something that it had visited.
 *
 * A climb goes the other way, from a mapping up towards its root.
 */
struct mapwalk {
    struct mapping *root; /* NULL: it has ended, or the root is gone; of a climb: the ancestor */
    struct mapping *at;
    struct mapping *from; /* of a climb: where it began; NULL: not a climb */
    uint64_t page;        /* the part, in pages of 4 KiB from the root's start */
    uint64_t sub;         /* the visitor's: how much of `at` it has dealt with */
    uint8_t level;        /* of the part */
    bool up;              /* `at` and all below have been visited */
    struct mapwalk *next; /* registered ones */
};

extern struct mapwalk *mapdb_walks;

static inline struct mapwalk mapwalk_start(struct mapping *root)
{
    return (struct mapwalk){.root = root, .at = root, .level = (uint8_t)mapping_level(root)};
}

bool mapwalk_move(struct mapwalk *w);
void mapwalk_register(struct mapwalk *w);
/* (One whose root has gone is not registered any more.) */
void mapwalk_unregister(struct mapwalk *w);

/* c is about to go. Only when mapdb_walks. */
void mapdb_walks_leave(struct mapping *c);

/* c is dying and has no children left: out of its list (if it has a parent, which inherits its
 * accessed and dirty), and freed. q: the quota that paid for it. */
static inline void mapdb_remove(struct mapping *c, struct quota *q)
{
    kassert(!c->child && c->parts < KPAGE_SIZE);
    if (__builtin_expect(mapdb_walks != NULL, 0))
        mapdb_walks_leave(c);
    if (c->parent) {
        mapping_ptr(c->parent)->parts |= c->parts & MAPPING_AD;
        mapdb_leave(c);
    }
    slab_free(&mapping_slab, q, c);
}

/*
 * Grant: m now belongs to another holder. Its place in the tree, its children and its flags stay;
 * the charge (node and tables of parts) moves from one quota to the other. False: `to` cannot
 * pay, nothing changed. The caller has entered m beside the new page-table entry.
 */
bool mapdb_move(struct mapping *m, kref_t new_entry, struct quota *from, struct quota *to);

/* M1, M2, M3 for root and everything below. */
bool mapdb_ok(const struct mapping *root);
