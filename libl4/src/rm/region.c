/*
 * region.c - which part of an address space is whose
 *
 * Two levels of balanced (AVL) trees of disjoint ranges, ordered by address: one tree of the map,
 * one inside each area. The nodes of a tree are also linked in order, so each knows the gap before
 * it, and the largest gap in its subtree: a free place is found without visiting the regions
 * before it. A change is carried upwards only as far as it changes a height or a largest gap.
 *
 * R1  The ranges of one tree are disjoint and in order; they are whole pages and not empty.
 * R2  The ranges of the map lie in [min, max), those of an area in the area.
 * R3  The heights of two sibling subtrees differ by at most one.
 * R4  prev and next are the neighbours in order; hole and height of a node are what its children
 *     and its own gap say.
 * R5  Areas hold regions, never areas; a region's `area` is the area whose tree it is in.
 * R6  regions and areas are the numbers of nodes in the trees; spares that of the spare list.
 * R7  hit is a live region, or NULL.
 *
 * Nothing here recurses; loops are bounded by the height of a tree, by the number of regions of a
 * freed area, or (search) by the number of holes that are large enough but badly aligned.
 */
#include "region.h"

enum { LEFT, RIGHT };

/* ---------------------------------------------------------------- the tree */

static unsigned height(const struct region *n)
{
    return n ? n->height : 0;
}

static l4_addr_t larger(l4_addr_t a, l4_addr_t b)
{
    return a > b ? a : b;
}

/* Free bytes between a range and the one before it; 0 for the first. */
static l4_addr_t gap(const struct region *n)
{
    return n->prev ? n->start - n->prev->end : 0;
}

/* R4 for one node whose children are right. *changed: it was not so. Returns by how much the right
 * subtree is higher. */
static inline int node_update(struct region *n, bool *changed)
{
    const struct region *l = n->child[LEFT];
    const struct region *r = n->child[RIGHT];
    unsigned left = 0, right = 0, high;
    l4_addr_t hole = gap(n);

    if (l) {
        left = l->height;
        hole = larger(hole, l->hole);
    }
    if (r) {
        right = r->height;
        hole = larger(hole, r->hole);
    }
    high = 1 + (left > right ? left : right);
    *changed = high != n->height || hole != n->hole;
    n->height = high;
    n->hole = hole;
    return (int)(right - left);
}

static void node_link(struct region *parent, unsigned side, struct region *n)
{
    parent->child[side] = n;
    if (n)
        n->parent = parent;
}

/* `n` (or nothing) takes the place of `old` below old's parent. */
static void node_replace(struct region **root, struct region *old, struct region *n)
{
    if (!old->parent)
        *root = n;
    else
        old->parent->child[old->parent->child[RIGHT] == old] = n;
    if (n)
        n->parent = old->parent;
}

/* The child on the other side comes up, `n` goes down to `side`. Returns who came up. */
static struct region *node_rotate(struct region **root, struct region *n, unsigned side)
{
    struct region *up = n->child[!side];
    bool changed;

    node_replace(root, n, up);
    node_link(n, !side, up->child[side]);
    node_link(up, side, n);
    node_update(n, &changed);
    node_update(up, &changed);
    return up;
}

/* R3 for one node whose subtrees are balanced and differ by two. Returns the new top. */
static struct region *node_balance(struct region **root, struct region *n, unsigned heavy)
{
    struct region *c = n->child[heavy];

    if (height(c->child[!heavy]) > height(c->child[heavy]))
        node_rotate(root, c, heavy);
    return node_rotate(root, n, !heavy);
}

/* Something changed at `n`: make R3 and R4 true again from there up, as far as it can be seen. */
static void tree_repair(struct region **root, struct region *n)
{
    while (n) {
        bool changed;
        int lean = node_update(n, &changed);

        if (lean < -1 || lean > 1)
            n = node_balance(root, n, lean > 0);
        else if (!changed)
            return;
        n = n->parent;
    }
}

static struct region *tree_end(struct region *n, unsigned side)
{
    while (n && n->child[side])
        n = n->child[side];
    return n;
}

/* The first range that ends behind `addr`: it holds addr or lies above it. */
static struct region *tree_first_behind(struct region *n, l4_addr_t addr)
{
    struct region *best = NULL;

    while (n) {
        if (n->end > addr) {
            best = n;
            n = n->child[LEFT];
        } else {
            n = n->child[RIGHT];
        }
    }
    return best;
}

/* Put `n` before `next` (NULL: behind all). Of two neighbours one is below the other, so one of
 * them has a free link on that side. */
static void tree_insert(struct region **root, struct region *n, struct region *next)
{
    struct region *prev = next ? next->prev : tree_end(*root, RIGHT), *parent = NULL;

    n->prev = prev;
    n->next = next;
    n->child[LEFT] = n->child[RIGHT] = NULL;
    n->height = 1;
    n->hole = gap(n);
    if (prev)
        prev->next = n;
    if (next)
        next->prev = n;
    if (prev && !prev->child[RIGHT])
        (parent = prev)->child[RIGHT] = n;
    else if (next)
        (parent = next)->child[LEFT] = n;
    else
        *root = n;
    n->parent = parent;
    tree_repair(root, parent);
    if (next != parent)
        tree_repair(root, next);
}

/* Whoever comes to n's place is compared with what the nodes above know of n. */
static void tree_remove(struct region **root, struct region *n)
{
    struct region *next = n->next, *damaged = n->parent, *heir;

    if (n->prev)
        n->prev->next = next;
    if (next)
        next->prev = n->prev;
    if (n->child[LEFT] && n->child[RIGHT]) {
        heir = next; /* the first one on the right */
        damaged = heir;
        if (heir->parent != n) {
            damaged = heir->parent;
            node_link(damaged, LEFT, heir->child[RIGHT]);
            node_link(heir, RIGHT, n->child[RIGHT]);
        }
        node_link(heir, LEFT, n->child[LEFT]);
        heir->height = n->height;
        heir->hole = n->hole;
    } else {
        heir = n->child[LEFT] ? n->child[LEFT] : n->child[RIGHT];
    }
    node_replace(root, n, heir);
    tree_repair(root, damaged);
    if (next != damaged)
        tree_repair(root, next);
}

/* ---------------------------------------------------------------- a free place */

/* `n` has a hole of `size` bytes in its subtree: the range behind the first such hole. */
static struct region *hole_in(struct region *n, l4_umword_t size)
{
    for (;;) {
        if (n->child[LEFT] && n->child[LEFT]->hole >= size)
            n = n->child[LEFT];
        else if (gap(n) >= size)
            return n;
        else
            n = n->child[RIGHT];
    }
}

/* The next range behind `n` that has `size` free bytes before it, NULL: none. */
static struct region *hole_behind(struct region *n, l4_umword_t size)
{
    for (;;) {
        struct region *below = n->child[RIGHT];

        if (below && below->hole >= size)
            return hole_in(below, size);
        while (n->parent && n->parent->child[RIGHT] == n)
            n = n->parent;
        n = n->parent;
        if (!n || gap(n) >= size)
            return n;
    }
}

/* The lowest free place in [low, high), aligned: *out, and the range behind it. False: none. */
static bool tree_search(struct region *root, l4_addr_t low, l4_addr_t high, l4_umword_t size,
                        unsigned align, l4_addr_t *out, struct region **behind)
{
    l4_addr_t mask = (1UL << align) - 1;
    struct region *next = tree_first_behind(root, low);

    if (next && next->start <= low) {
        low = next->end;
        next = next->next;
    }
    for (;;) {
        l4_addr_t end = next && next->start < high ? next->start : high;
        l4_addr_t at = (low + mask) & ~mask;

        if (at >= low && at < end && end - at >= size) {
            *out = at;
            *behind = next;
            return true;
        }
        if (!next || next->start >= high)
            return false;
        next = hole_behind(next, size);
        low = (next ? next->prev : tree_end(root, RIGHT))->end;
    }
}

/* ---------------------------------------------------------------- nodes */

void region_map_init(struct region_map *map, l4_addr_t min, l4_addr_t max)
{
    *map = (struct region_map){.min = min, .max = max};
}

static void node_put(struct region_map *map, struct region *n)
{
    n->parent = map->spare;
    map->spare = n;
    map->spares++;
}

/* There is one. */
static struct region *node_get(struct region_map *map)
{
    struct region *n = map->spare;

    map->spare = n->parent;
    map->spares--;
    return n;
}

void region_give(struct region_map *map, struct region *nodes, unsigned count)
{
    /* Backwards, so that they are used in the order of their addresses. */
    while (count--)
        node_put(map, nodes + count);
}

static struct region **root_of(struct region_map *map, const struct region *r)
{
    return r->area ? &r->area->inner : &map->root;
}

/* ---------------------------------------------------------------- attach */

static l4_addr_t page_down(l4_addr_t addr)
{
    return addr & L4_PAGEMASK;
}

/* Size and alignment of a request in whole pages; -L4_EINVAL, -L4_EADDRNOTAVAIL. */
static int request_round(struct region_request *q, l4_umword_t known_flags)
{
    if (q->size == 0 || (q->flags & ~known_flags) || q->align > 46)
        return -L4_EINVAL;
    q->offset = page_down(q->offset);
    if (q->size > L4_USER_END || q->start > L4_USER_END)
        return -L4_EADDRNOTAVAIL;
    q->size = page_down(q->size + L4_PAGESIZE - 1);
    q->start = page_down(q->start);
    return 0;
}

/* A free place in one tree, whose ranges lie in [min, max). Sets q->start; *behind is the range
 * that follows. */
static int request_place(struct region *root, l4_addr_t min, l4_addr_t max,
                         struct region_request *q, struct region **behind)
{
    if (q->flags & L4RE_RM_F_SEARCH_ADDR) {
        l4_addr_t low = q->start < min ? min : q->start;

        return tree_search(root, low, max, q->size, q->align, &q->start, behind)
                   ? 0 : -L4_EADDRNOTAVAIL;
    }
    if (q->start < min || q->start >= max || q->size > max - q->start)
        return -L4_EADDRNOTAVAIL;
    *behind = tree_first_behind(root, q->start);
    return !*behind || (*behind)->start >= q->start + q->size ? 0 : -L4_EADDRNOTAVAIL;
}

static struct region *commit(struct region_map *map, struct region *area,
                             const struct region_request *q, enum region_kind kind,
                             struct region *behind)
{
    struct region *n = node_get(map);

    n->dead = false;
    n->kind = kind;
    n->start = q->start;
    n->end = q->start + q->size;
    n->area = area;
    n->inner = NULL;
    n->offset = q->offset;
    n->ds = q->ds;
    n->flags = q->flags & REGION_FLAGS_KEPT;
    n->name = q->name;
    tree_insert(root_of(map, n), n, behind);
    if (kind == REGION_AREA)
        map->areas++;
    else
        map->regions++;
    return n;
}

int region_attach(struct region_map *map, struct region_request *q, struct region **out)
{
    struct region *area = NULL, *behind;
    enum region_kind kind;
    int err = request_round(q, REGION_FLAGS_KEPT | REGION_FLAGS_HOW);

    if (err)
        return err;
    if (q->flags & L4RE_RM_F_IN_AREA) {
        area = region_first_area(map, q->start, q->start + 1);
        if (!area)
            return -L4_ENOENT;
        if (area->flags & L4RE_RM_F_RESERVED)
            return -L4_EADDRNOTAVAIL;
        err = request_place(area->inner, area->start, area->end, q, &behind);
    } else {
        err = request_place(map->root, map->min, map->max, q, &behind);
    }
    if (err)
        return err;
    if (!map->spares)
        return -L4_ENOMEM;
    kind = q->flags & L4RE_RM_F_RESERVED ? REGION_BLOCKED : REGION_DATASPACE;
    *out = map->hit = commit(map, area, q, kind, behind);
    return 0;
}

/* ---------------------------------------------------------------- detach */

/* A new node for [start, end) of `r`, not in a tree yet. */
static struct region *part_of(struct region_map *map, const struct region *r, l4_addr_t start,
                              l4_addr_t end)
{
    struct region *n = node_get(map);

    *n = *r;
    n->start = start;
    n->end = end;
    n->offset = region_offset(r, start);
    map->regions++;
    return n;
}

/* Cut [start, end) out of `r`: 0 spare nodes needed for the whole, 1 for an end, 2 for the
 * middle. */
static struct region *cut(struct region_map *map, struct region *r, l4_addr_t start, l4_addr_t end)
{
    struct region **root = root_of(map, r);
    struct region *behind = NULL;
    struct region *out = r;

    if (start > r->start && end < r->end)
        behind = part_of(map, r, end, r->end);
    if (start > r->start) {
        out = part_of(map, r, start, end);
        r->end = start;
        tree_insert(root, out, r->next);
    } else if (end < r->end) {
        out = part_of(map, r, start, end);
        r->offset = region_offset(r, end);
        r->start = end;
        tree_insert(root, out, r);
    }
    if (behind)
        tree_insert(root, behind, out->next);
    out->dead = true;
    return out;
}

/* What of [*start, *end) to take out of `r`. Returns the number of pieces that remain. */
static unsigned part_to_cut(const struct region *r, l4_umword_t how, l4_addr_t *start,
                            l4_addr_t *end)
{
    if (how == L4RE_RM_DETACH_OVERLAP || *start < r->start)
        *start = r->start;
    if (how == L4RE_RM_DETACH_OVERLAP || *end > r->end)
        *end = r->end;
    return (*start > r->start) + (*end < r->end);
}

int region_detach(struct region_map *map, l4_addr_t start, l4_umword_t size, l4_umword_t flags,
                  struct region **dead)
{
    l4_umword_t how = flags & (L4RE_RM_DETACH_EXACT | L4RE_RM_DETACH_OVERLAP);
    l4_addr_t end = page_down(start + size + L4_PAGESIZE - 1);
    l4_addr_t a = page_down(start), b = end;
    struct region *r;
    unsigned pieces;

    if (size == 0 || start + size < start || end < start + size)
        return -L4_EINVAL;
    if ((how != L4RE_RM_DETACH_EXACT && how != L4RE_RM_DETACH_OVERLAP) ||
        (flags & ~(how | L4RE_RM_DETACH_KEEP)))
        return -L4_EINVAL;
    r = region_find(map, a);
    if (!r)
        r = region_first(map, a, end);
    if (!r)
        return -L4_ENOENT;
    pieces = part_to_cut(r, how, &a, &b);
    if (map->spares < pieces)
        return -L4_ENOMEM;
    *dead = r = cut(map, r, a, b);
    map->hit = NULL;
    if (r->end >= end || !region_first(map, r->end, end))
        return (int)pieces;
    return (int)pieces | L4RE_RM_DETACH_AGAIN;
}

void region_reap(struct region_map *map, struct region *dead)
{
    tree_remove(root_of(map, dead), dead);
    map->regions--;
    node_put(map, dead);
}

/* ---------------------------------------------------------------- areas */

int region_reserve_area(struct region_map *map, struct region_request *q, struct region **out)
{
    struct region *behind;
    int err = request_round(q, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RESERVED | L4RE_RM_F_KERNEL);

    if (err)
        return err;
    q->ds = L4_INVALID_CAP;
    err = request_place(map->root, map->min, map->max, q, &behind);
    if (err)
        return err;
    if (!map->spares)
        return -L4_ENOMEM;
    *out = commit(map, NULL, q, REGION_AREA, behind);
    return 0;
}

int region_free_area(struct region_map *map, l4_addr_t addr)
{
    struct region *area = region_first_area(map, addr, addr + 1);

    if (!area)
        return -L4_ENOENT;
    if (area->flags & L4RE_RM_F_KERNEL)
        return -L4_EPERM;
    tree_remove(&map->root, area);
    while (area->inner) {
        struct region *r = area->inner;

        tree_remove(&area->inner, r);
        r->area = NULL;
        tree_insert(&map->root, r, tree_first_behind(map->root, r->start));
    }
    map->areas--;
    node_put(map, area);
    return 0;
}

/* ---------------------------------------------------------------- find */

static struct region *search(const struct region_map *map, l4_addr_t addr)
{
    struct region *n = tree_first_behind(map->root, addr);

    if (n && n->kind == REGION_AREA && n->start <= addr)
        n = tree_first_behind(n->inner, addr);
    return n && n->start <= addr && !n->dead ? n : NULL;
}

struct region *region_search(struct region_map *map, l4_addr_t addr)
{
    struct region *r = search(map, addr);

    if (r)
        map->hit = r;
    return r;
}

/* The first live region of one tree that meets [start, end), not looking into areas. */
static struct region *first_live(struct region *root, l4_addr_t start, l4_addr_t end)
{
    struct region *n = tree_first_behind(root, start);

    while (n && n->dead)
        n = n->next;
    return n && n->start < end ? n : NULL;
}

struct region *region_first(const struct region_map *map, l4_addr_t start, l4_addr_t end)
{
    struct region *n = first_live(map->root, start, end);

    while (n && n->start < end) {
        struct region *in = n->kind == REGION_AREA ? first_live(n->inner, start, end) : n;

        if (in && !in->dead)
            return in;
        n = n->next;
    }
    return NULL;
}

struct region *region_first_area(const struct region_map *map, l4_addr_t start, l4_addr_t end)
{
    struct region *n = tree_first_behind(map->root, start);

    while (n && n->kind != REGION_AREA)
        n = n->next;
    return n && n->start < end ? n : NULL;
}

/* ---------------------------------------------------------------- the invariants */

static bool node_ok(const struct region *n)
{
    struct region copy = *n;
    bool changed;
    int lean = node_update(&copy, &changed);

    return !changed && lean >= -1 && lean <= 1 &&
           (!n->child[LEFT] || n->child[LEFT]->parent == n) &&
           (!n->child[RIGHT] || n->child[RIGHT]->parent == n) &&
           (n->prev ? n->prev->next == n : !n->child[LEFT]) &&
           (n->next ? n->next->prev == n : !n->child[RIGHT]);
}

/* How many nodes a tree has, by its links; nothing is believed but parent and child. */
static unsigned tree_count(const struct region *root)
{
    const struct region *n = root, *from = NULL;
    unsigned count = 0;

    while (n) {
        const struct region *came = from;

        from = n;
        if (came == n->parent) {
            count++;
            n = n->child[LEFT] ? n->child[LEFT] : n->child[RIGHT] ? n->child[RIGHT] : n->parent;
        } else if (came == n->child[LEFT] && n->child[RIGHT]) {
            n = n->child[RIGHT];
        } else {
            n = n->parent;
        }
    }
    return count;
}

/* R1 to R5 for one tree; adds its nodes to *regions and *areas. */
static bool tree_ok(struct region *root, const struct region *area, l4_addr_t min, l4_addr_t max,
                    unsigned *regions, unsigned *areas)
{
    unsigned count = 0;

    if (root && root->parent)
        return false;
    for (struct region *n = tree_end(root, LEFT); n; n = n->next) {
        if (!node_ok(n) || n->start < min || n->end > max || n->start >= n->end)
            return false;
        if ((n->start | n->end | n->offset) % L4_PAGESIZE || n->area != area)
            return false;
        min = n->end;
        if (n->kind == REGION_AREA)
            ++*areas;
        else
            ++*regions;
        if (n->kind == REGION_AREA ? area != NULL : n->inner != NULL)
            return false;
        count++;
    }
    return count == tree_count(root);
}

bool region_ok(const struct region_map *map)
{
    unsigned regions = 0, areas = 0, spares = 0;

    if (!tree_ok(map->root, NULL, map->min, map->max, &regions, &areas))
        return false;
    for (struct region *n = tree_end(map->root, LEFT); n; n = n->next)
        if (n->kind == REGION_AREA &&
            !tree_ok(n->inner, n, n->start, n->end, &regions, &areas))
            return false;
    for (const struct region *n = map->spare; n; n = n->parent)
        spares++;
    if (map->hit && search(map, map->hit->start) != map->hit)
        return false;
    return regions == map->regions && areas == map->areas && spares == map->spares;
}
