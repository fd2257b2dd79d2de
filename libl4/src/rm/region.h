/*
 * region.h - which part of an address space is whose: regions, and areas that hold regions
 *
 *   map     |....[region]..[ area                          ]....[region][region].....|
 *                            |                                    dead: still occupies its
 *                            +-- [region]....[region][region]     addresses, found by nobody
 *
 * A region is a range of pages with what stands behind it: dataspace, offset, flags. An area is a
 * range set aside: regions get in only with L4RE_RM_F_IN_AREA, or not at all (RESERVED).
 *
 * The module neither allocates nor does IPC: nodes come from the caller (region_give), taken-out
 * nodes go back to the spares. It runs unchanged on the host.
 */
#pragma once

#include <abi/errors.h>
#include <abi/protocols.h>
#include <abi/types.h>

#include <stdbool.h>

enum region_kind {
    REGION_DATASPACE,
    REGION_BLOCKED, /* attached with RESERVED: occupies its addresses, every access is an error */
    REGION_AREA,
};

struct region {
    /* tree links and what the subtree knows: region.c's */
    struct region *parent;
    struct region *child[2];
    struct region *prev; /* neighbours in the order of their addresses, in the same tree */
    struct region *next;
    l4_addr_t hole;  /* bytes of the largest gap before a range of the subtree */
    unsigned height; /* 1: a leaf */

    /* what it is: read-only for users of the module */
    bool dead;
    enum region_kind kind;
    l4_addr_t start;
    l4_addr_t end;        /* first byte behind */
    struct region *area;  /* the area that holds this region, NULL: none */
    struct region *inner; /* an area's own tree */
    l4_addr_t offset;     /* of `start` in the dataspace, bytes */
    l4_cap_idx_t ds;
    l4_umword_t flags; /* L4RE_RM_F_*: rights, caching, what outlives attach */

    /* the user's: kept, and copied when the region is cut */
    const char *name; /* NULL: none */
};

struct region_map {
    struct region *root;
    struct region *hit; /* the region found or attached last: where the next fault will be */
    struct region *spare; /* linked through parent */
    unsigned spares;
    unsigned regions; /* live and dead ones, in areas too */
    unsigned areas;
    l4_addr_t min; /* nothing lies below */
    l4_addr_t max; /* nothing lies at or above */
};

struct region_request {
    l4_addr_t start; /* rounded down to a page */
    l4_umword_t size; /* bytes, rounded up to pages */
    l4_umword_t flags;
    unsigned align; /* order; every place is page aligned anyway */
    l4_addr_t offset; /* rounded down to a page */
    l4_cap_idx_t ds;
    const char *name;
};

/* Flags that describe a region for its whole life, and those that only say how to attach. */
#define REGION_FLAGS_KEPT                                                                         \
    (L4RE_RM_F_RWX | 0x30UL | L4RE_RM_F_DETACH_FREE | L4RE_RM_F_PAGER | L4RE_RM_F_RESERVED |       \
     L4RE_RM_F_KERNEL)
#define REGION_FLAGS_HOW                                                                          \
    (L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_IN_AREA | L4RE_RM_F_EAGER_MAP | L4RE_RM_F_NO_EAGER_MAP)

/* An empty map of [min, max), page aligned. */
void region_map_init(struct region_map *map, l4_addr_t min, l4_addr_t max);

/* The map may use these nodes from now on, for ever. An attach needs one, a reserve_area one, a
 * detach up to two until the dead region is reaped. */
void region_give(struct region_map *map, struct region *nodes, unsigned count);

/*
 * Put a region at request.start, or (SEARCH_ADDR) at the lowest fitting place from there on; with
 * IN_AREA in the area that holds request.start, otherwise outside all areas. RESERVED: no
 * dataspace. *out: the region.
 * The request is rounded in place.
 * -L4_EINVAL size 0, unknown flags, alignment without sense; -L4_ENOENT no such area;
 * -L4_EADDRNOTAVAIL occupied, out of range, nothing free; -L4_ENOMEM no spare node.
 */
int region_attach(struct region_map *map, struct region_request *request, struct region **out);

/*
 * Take the first region that meets [start, start + size) out: the whole of it
 * (L4RE_RM_DETACH_OVERLAP), or what lies in the range (L4RE_RM_DETACH_EXACT). *dead: the part taken
 * out, found by nobody any more, its addresses still occupied. The caller unmaps its pages, then
 * calls region_reap().
 * Returns L4RE_RM_DETACHED_DS, _KEPT_DS (trimmed) or _SPLIT_DS, with L4RE_RM_DETACH_AGAIN if
 * another region meets the range; -L4_EINVAL bad range or flags; -L4_ENOENT no region there;
 * -L4_ENOMEM fewer spare nodes than the cut needs.
 */
int region_detach(struct region_map *map, l4_addr_t start, l4_umword_t size, l4_umword_t flags,
                  struct region **dead);

/* The addresses of a dead region are free again; the node is spare. */
void region_reap(struct region_map *map, struct region *dead);

/*
 * Set an area aside: request.start, size, align, flags (SEARCH_ADDR, RESERVED, KERNEL). *out: the
 * area. KERNEL: it can never be freed. Errors as of region_attach().
 */
int region_reserve_area(struct region_map *map, struct region_request *request,
                        struct region **out);

/* The area that holds `addr` is none any more; its regions stay where they are. -L4_ENOENT: no
 * area there; -L4_EPERM: it is the system's. */
int region_free_area(struct region_map *map, l4_addr_t addr);

/* The live region (never an area) that holds `addr`, NULL: none. */
struct region *region_search(struct region_map *map, l4_addr_t addr);

static inline struct region *region_find(struct region_map *map, l4_addr_t addr)
{
    struct region *hit = map->hit;

    return hit && addr - hit->start < hit->end - hit->start ? hit : region_search(map, addr);
}

/* The first live region, or the first area, that meets [start, end), NULL: none. */
struct region *region_first(const struct region_map *map, l4_addr_t start, l4_addr_t end);
struct region *region_first_area(const struct region_map *map, l4_addr_t start, l4_addr_t end);

/*
 * Order and base of the largest flexpage that holds `addr`, lies in the region, and agrees with the
 * dataspace: base and its offset in the dataspace are both multiples of its size. At least a page.
 *
 * It lies in the region if it holds neither the byte before the region nor the one behind it: its
 * order is at most the highest bit in which addr differs from them.
 */
static inline unsigned region_window(const struct region *r, l4_addr_t addr, l4_addr_t *base)
{
    unsigned order = 63 - (unsigned)__builtin_clzl(addr ^ r->end);
    unsigned below = 63 - (unsigned)__builtin_clzl(addr ^ (r->start - 1));
    l4_addr_t shift = r->start - r->offset;

    if (below < order)
        order = below;
    if (shift && (unsigned)__builtin_ctzl(shift) < order)
        order = (unsigned)__builtin_ctzl(shift);
    *base = addr & ~((1UL << order) - 1);
    return order;
}

/* Where `addr` lies in the dataspace, bytes. */
static inline l4_addr_t region_offset(const struct region *r, l4_addr_t addr)
{
    return r->offset + (addr - r->start);
}

/* Every invariant of region.c holds; walks everything. */
bool region_ok(const struct region_map *map);
