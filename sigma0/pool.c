/*
 * sigma0/pool.c - memory for sigma0's own records, and capability slots; the picture: pool.h
 */
#include "pool.h"

#include "ram.h"

/*
 * How much is spare. One request takes one record of an account or a device, or one slot, or one
 * of each. To replace what two requests took makes at most a slab of each kind and a node: three
 * small blocks, a large one, four records of blocks.
 */
enum { ON = RAM_RESERVE };
static const l4_umword_t level_min[POOL_KINDS] = {
    [POOL_BLOCK] = 4 * ON, [POOL_DEVICE] = 2 * ON, [POOL_ACCOUNT] = 2 * ON,
    [POOL_SLOT] = 2 * ON,  [POOL_SMALL] = 3 * ON,  [POOL_LARGE] = 1 * ON,
};
/* The same for three, so that one may be begun (P2). */
static const l4_umword_t level_full[POOL_KINDS] = {
    [POOL_BLOCK] = 6 * ON, [POOL_DEVICE] = 3 * ON, [POOL_ACCOUNT] = 3 * ON,
    [POOL_SLOT] = 3 * ON,  [POOL_SMALL] = 5 * ON,  [POOL_LARGE] = 2 * ON,
};

static bool levels_reached(const struct pool *p, const l4_umword_t *level)
{
    for (unsigned k = 0; k < POOL_KINDS; k++)
        if (p->spare[k] < level[k])
            return false;
    return true;
}

static void zero(void *at, l4_umword_t size)
{
    for (l4_umword_t *w = at; size; size -= sizeof(*w))
        *w++ = 0;
}

/* ---- blocks ---- */

/* Frames of sigma0's own (P3). */
static bool frames_take(struct ram *r, unsigned order, l4_addr_t *start)
{
    l4_umword_t frames = 1UL << (order - L4_PAGESHIFT);

    if (r->pool.frames + frames > POOL_KEPT || !ram_own_take(r, order, start))
        return false;
    r->pool.frames += frames;
    return true;
}

static void frames_give(struct ram *r, l4_addr_t start, unsigned order)
{
    r->pool.frames -= 1UL << (order - L4_PAGESHIFT);
    ram_own_give(r, start, order);
}

/* The lists of spare blocks as long as they shall be. */
static void spare_blocks(struct ram *r)
{
    struct pool *p = &r->pool;

    while (p->spare[POOL_SMALL] < level_full[POOL_SMALL] &&
           frames_take(r, POOL_SMALL_ORDER, &p->small[p->spare[POOL_SMALL]]))
        p->spare[POOL_SMALL]++;
    while (p->spare[POOL_LARGE] < level_full[POOL_LARGE] &&
           frames_take(r, POOL_LARGE_ORDER, &p->large[p->spare[POOL_LARGE]]))
        p->spare[POOL_LARGE]++;
}

static bool block_frames(struct ram *r, unsigned order, l4_addr_t *start)
{
    struct pool *p;

    if (!RAM_RESERVE)
        return frames_take(r, order, start);
    p = &r->pool;
    if (order == POOL_SMALL_ORDER && p->spare[POOL_SMALL])
        *start = p->small[--p->spare[POOL_SMALL]];
    else if (order == POOL_LARGE_ORDER && p->spare[POOL_LARGE])
        *start = p->large[--p->spare[POOL_LARGE]];
    else
        return false;
    return true;
}

/* A block with its record: here memory for records needs a record. */
static struct block *block_new(struct ram *r, unsigned order, enum pool_kind kind)
{
    struct pool *p = &r->pool;
    struct block *b;

    if (++p->depth > p->deepest)
        p->deepest = p->depth;
    if (p->depth > POOL_DEPTH_MAX)
        ram_bug("a record needs a block, which needs a record, without end");
    b = pool_take(r, POOL_BLOCK);
    p->depth--;
    if (!b)
        return NULL;
    if (!block_frames(r, order, &b->start)) {
        pool_give(r, POOL_BLOCK, b);
        return NULL;
    }
    b->order = (l4_uint8_t)order;
    b->kind = (l4_uint8_t)kind;
    return b;
}

/* ---- slabs ---- */

static void partial_add(struct records *k, struct block *b)
{
    b->prev = NULL;
    b->next = k->partial;
    if (b->next)
        b->next->prev = b;
    k->partial = b;
}

static void partial_remove(struct records *k, struct block *b)
{
    if (b->next)
        b->next->prev = b->prev;
    if (b->prev)
        b->prev->next = b->next;
    else
        k->partial = b->next;
}

/* The first words of the page lead to the block (P4); the rest are records. */
static void slab_format(struct pool *p, struct block *b)
{
    struct records *k = &p->records[b->kind];
    l4_addr_t at = b->start + 2 * sizeof(void *);

    *(struct block **)b->start = b;
    b->free = NULL;
    b->used = 0;
    for (unsigned i = 0; i < k->per_slab; i++, at += k->size) {
        *(void **)at = b->free;
        b->free = (void *)at;
    }
    partial_add(k, b);
    p->spare[b->kind] += k->per_slab;
}

static bool slab_grow(struct ram *r, enum pool_kind kind)
{
    struct block *b = block_new(r, POOL_SMALL_ORDER, kind);

    if (b)
        slab_format(&r->pool, b);
    return b != NULL;
}

static void *slab_take(struct pool *p, struct block *b)
{
    struct records *k = &p->records[b->kind];
    void *record = b->free;

    b->free = *(void **)record;
    b->used++;
    if (b->used == k->per_slab)
        partial_remove(k, b);
    p->spare[b->kind]--;
    p->touched = true;
    zero(record, k->size);
    return record;
}

void *pool_take(struct ram *r, enum pool_kind kind)
{
    struct pool *p = &r->pool;

    if (!p->spare[kind]) {
        p->grown_inside++;
        if (!slab_grow(r, kind))
            return NULL;
    }
    return slab_take(p, p->records[kind].partial);
}

/* An empty slab is memory again, unless it is the reserve. Returns its block's record, or NULL. */
static struct block *slab_shrink(struct ram *r, struct block *b)
{
    struct pool *p = &r->pool;
    struct records *k = &p->records[b->kind];

    if (b->used || p->spare[b->kind] < level_full[b->kind] + k->per_slab)
        return NULL;
    partial_remove(k, b);
    p->spare[b->kind] -= k->per_slab;
    frames_give(r, b->start, b->order);
    return b;
}

void pool_give(struct ram *r, enum pool_kind kind, void *record)
{
    struct pool *p = &r->pool;

    p->touched = true;
    for (; record; kind = POOL_BLOCK) {
        struct block *b = *(struct block **)((l4_addr_t)record & L4_PAGEMASK);

        if (b->used-- == p->records[kind].per_slab)
            partial_add(&p->records[kind], b);
        *(void **)record = b->free;
        b->free = record;
        p->spare[kind]++;
        record = slab_shrink(r, b);
    }
}

/* ---- slots ---- */

static l4_umword_t *entry(const struct pool *p, l4_umword_t slot)
{
    return &p->node[slot / POOL_NODE_SLOTS][slot % POOL_NODE_SLOTS];
}

static void slot_free(struct pool *p, unsigned slot)
{
    *entry(p, slot) = p->free_slot << 1 | 1;
    p->free_slot = slot;
    p->spare[POOL_SLOT]++;
    p->touched = true;
}

static bool node_grow(struct ram *r)
{
    struct pool *p = &r->pool;
    struct block *b;

    if (p->nodes == POOL_NODES_MAX)
        return false;
    b = block_new(r, POOL_LARGE_ORDER, POOL_SLOT);
    if (!b)
        return false;
    p->node[p->nodes] = (l4_umword_t *)b->start;
    p->nodes++;
    for (unsigned i = POOL_NODE_SLOTS; i-- > 0;) /* so that the first is taken first */
        slot_free(p, (p->nodes - 1) * POOL_NODE_SLOTS + i);
    return true;
}

unsigned pool_slot_take(struct ram *r, struct account *a)
{
    struct pool *p = &r->pool;
    unsigned slot;

    if (!p->spare[POOL_SLOT]) {
        p->grown_inside++;
        if (!node_grow(r))
            return 0;
    }
    slot = (unsigned)p->free_slot;
    p->free_slot = *entry(p, slot) >> 1;
    *entry(p, slot) = (l4_umword_t)a;
    p->spare[POOL_SLOT]--;
    p->touched = true;
    return slot;
}

void pool_slot_give(struct ram *r, unsigned slot)
{
    slot_free(&r->pool, slot);
}

struct account *pool_slot_account(const struct ram *r, l4_umword_t slot)
{
    const struct pool *p = &r->pool;
    l4_umword_t e;

    if (slot >= (l4_umword_t)p->nodes * POOL_NODE_SLOTS)
        return NULL;
    e = *entry(p, slot);
    return e & 1 ? NULL : (struct account *)e;
}

/* ---- the reserve ---- */

/* May this be made bigger without taking what two requests need? Slabs of blocks bring more records
 * than they take. */
static bool may_grow(const struct pool *p, enum pool_kind block, enum pool_kind kind)
{
    return p->spare[block] > level_min[block] &&
           (kind == POOL_BLOCK || p->spare[POOL_BLOCK] > level_min[POOL_BLOCK]);
}

/* True: one step towards level_full was made. */
static bool refill_step(struct ram *r)
{
    struct pool *p = &r->pool;

    spare_blocks(r);
    for (unsigned k = 0; k < POOL_RECORDS; k++)
        if (p->spare[k] < level_full[k] && may_grow(p, POOL_SMALL, k))
            return slab_grow(r, k);
    if (p->spare[POOL_SLOT] < level_full[POOL_SLOT] && may_grow(p, POOL_LARGE, POOL_SLOT))
        return node_grow(r);
    return false;
}

void pool_refill(struct ram *r)
{
    struct pool *p = &r->pool;

    if (!p->touched || !RAM_RESERVE)
        return;
    for (unsigned k = 0; k < POOL_KINDS; k++)
        if (p->spare[k] < p->low[k])
            p->low[k] = p->spare[k];
    while (refill_step(r))
        ;
    /* What could not be replaced is tried again after each request. */
    p->touched = !levels_reached(p, level_full);
}

bool pool_ready(struct ram *r)
{
    pool_refill(r);
    return levels_reached(&r->pool, level_full);
}

bool ram_reserve_ok(const struct ram *r)
{
    return levels_reached(&r->pool, level_min) && r->pool.depth == 0 &&
           r->pool.grown_inside == 0;
}

/* ---- start ---- */

/* The first slab of blocks holds the record of its own block. */
static bool first_slab(struct ram *r)
{
    struct block b = {.order = POOL_SMALL_ORDER, .kind = POOL_BLOCK}, *own;

    if (!frames_take(r, POOL_SMALL_ORDER, &b.start))
        return false;
    slab_format(&r->pool, &b);
    own = slab_take(&r->pool, &b);
    partial_remove(&r->pool.records[POOL_BLOCK], &b);
    *own = b;
    *(struct block **)b.start = own;
    partial_add(&r->pool.records[POOL_BLOCK], own);
    return true;
}

bool pool_init(struct ram *r)
{
    static const l4_uint16_t sizes[POOL_RECORDS] = {
        [POOL_BLOCK] = sizeof(struct block),
        [POOL_DEVICE] = sizeof(struct ram_device),
        [POOL_ACCOUNT] = sizeof(struct account),
    };
    struct pool *p = &r->pool;

    *p = (struct pool){0};
    for (unsigned k = 0; k < POOL_RECORDS; k++) {
        p->records[k].size = (sizes[k] + 15) & ~15;
        p->records[k].per_slab =
            (l4_uint16_t)((L4_PAGESIZE - 2 * sizeof(void *)) / p->records[k].size);
    }
    for (unsigned k = 0; k < POOL_KINDS; k++)
        p->low[k] = ~0UL;
    if (!first_slab(r))
        return false;
    if (RAM_RESERVE)
        pool_refill(r);
    if (!pool_ready(r) || pool_slot_take(r, NULL) != 0)
        return false;
    p->grown_inside = 0;
    for (unsigned k = 0; k < POOL_KINDS; k++)
        p->low[k] = p->spare[k];
    return true;
}
