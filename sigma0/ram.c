/*
 * sigma0/ram.c - frames and their owners
 *
 *   account 1 (root task)  quota = all RAM that was free at the start, less what sigma0 keeps
 *     +- account 2 (anon)  quota charged to account 1 when the account is made
 *     +- account 3 ...     each pays for its frames and for the quotas of its own children
 *
 * R1  owner[f] == RAM_FREE exactly when frame f is in the buddy.
 * R2  For each account: used = its frames * page size + the quotas of its children, and
 *     used <= quota. What all accounts together may still ask for is free: a quota is a promise.
 * R3  No frame that was not cleared since it left the buddy is mapped: it is marked RAM_DIRTY.
 * R4  No frame enters the buddy before it is revoked from everybody.
 * R5  A failed call changes nothing.
 * R6  Serving a request never waits for memory: see pool.h.
 */
#include "ram.h"

#include <abi/errors.h>

/* The largest block of the buddy, as an order of bytes. */
enum { RAM_BLOCK_MAX = L4_PAGESHIFT + BUDDY_ORDERS - 1 };

static l4_umword_t frame_of(l4_addr_t a)
{
    return a >> L4_PAGESHIFT;
}

/* Is all of [start, end) inside the owner array? */
static bool covered(const struct ram *r, l4_addr_t start, l4_addr_t end)
{
    return start < end && end <= r->frames << L4_PAGESHIFT;
}

static void owner_set(struct ram *r, l4_addr_t start, l4_addr_t end, unsigned owner)
{
    for (l4_umword_t f = frame_of(start); f < frame_of(end); f++)
        r->owner[f] = (l4_uint16_t)owner;
}

unsigned ram_block_order(l4_addr_t at, l4_addr_t end)
{
    unsigned order = L4_PAGESHIFT;

    while (order < RAM_BLOCK_MAX && !(at & (1UL << order)) && end - at >= 2UL << order)
        order++;
    return order;
}

/* End of the run of frames with this owner that starts at `at`. */
static l4_addr_t run_end(const struct ram *r, l4_addr_t at, l4_addr_t end, unsigned owner)
{
    while (at < end && r->owner[frame_of(at)] == owner)
        at += L4_PAGESIZE;
    return at;
}

/* The same for an account's frames, clear or not. */
static l4_addr_t own_end(const struct ram *r, const struct account *a, l4_addr_t at, l4_addr_t end)
{
    unsigned slot = account_slot(a);

    while (at < end && (r->owner[frame_of(at)] & ~RAM_DIRTY) == slot)
        at += L4_PAGESIZE;
    return at;
}

/* ---- start ---- */

void ram_init(struct ram *r, struct buddy *buddy, l4_uint16_t *owner, l4_umword_t frames)
{
    *r = (struct ram){.buddy = buddy, .owner = owner, .frames = frames};
    for (l4_umword_t f = 0; f < frames; f++)
        owner[f] = RAM_ABSENT;
}

void ram_add(struct ram *r, l4_addr_t start, l4_addr_t end)
{
    if (start >= end)
        return;
    if (buddy_add(r->buddy, frame_of(start), frame_of(end - start)) != 0)
        ram_bug("memory is added twice");
    owner_set(r, start, end, RAM_FREE);
    r->free_frames += frame_of(end - start);
}

void ram_withdraw(struct ram *r, l4_addr_t start, l4_addr_t end)
{
    for (l4_umword_t f = frame_of(start); f < frame_of(end) && f < r->frames; f++) {
        if (r->owner[f] != RAM_FREE)
            continue;
        if (buddy_alloc_at(r->buddy, f, 0) != 0)
            ram_bug("a free frame is not in the buddy");
        r->owner[f] = RAM_SYSTEM;
        r->free_frames--;
    }
}

void ram_mark(struct ram *r, l4_addr_t start, l4_addr_t end, l4_uint16_t owner)
{
    l4_addr_t top = r->frames << L4_PAGESHIFT;

    owner_set(r, start, end < top ? end : top, owner);
}

bool ram_open(struct ram *r)
{
    r->total_frames = r->free_frames;
    if (r->total_frames <= POOL_KEPT || !pool_init(r) ||
        account_create(r, NULL, (r->total_frames - POOL_KEPT) << L4_PAGESHIFT, &r->root) != 0)
        return false;
    pool_refill(r);
    return true;
}

/* ---- frames ---- */

static void own(struct ram *r, struct account *a, l4_addr_t start, l4_addr_t end, unsigned mark)
{
    owner_set(r, start, end, account_slot(a) | mark);
    r->free_frames -= frame_of(end - start);
    if (frame_of(start) < a->lowest || !a->frames)
        a->lowest = frame_of(start);
    a->frames += frame_of(end - start);
    a->used += end - start;
}

static void clear(struct ram *r, l4_addr_t start, l4_addr_t end)
{
    ram_clear(start, end - start);
    r->cleared_frames += frame_of(end - start);
}

/* From the buddy to an account, cleared (R1, R3). */
static void hand_out(struct ram *r, struct account *a, l4_addr_t start, unsigned order)
{
    clear(r, start, start + (1UL << order));
    own(r, a, start, start + (1UL << order), 0);
}

/* The only way back (R1, R4). */
static void take_back(struct ram *r, struct account *a, l4_addr_t start, unsigned order)
{
    ram_revoke(start, order);
    owner_set(r, start, start + (1UL << order), RAM_FREE);
    if (buddy_free(r->buddy, frame_of(start), order - L4_PAGESHIFT) != 0)
        ram_bug("a frame is freed twice");
    r->free_frames += 1UL << (order - L4_PAGESHIFT);
    a->frames -= 1UL << (order - L4_PAGESHIFT);
    a->used -= 1UL << order;
    if (a->ending)
        r->ending_frames -= 1UL << (order - L4_PAGESHIFT);
}

/* How many bytes of the block are free or not clear; false: a part is beyond the client's reach. */
static bool claimable(const struct ram *r, const struct account *a, l4_addr_t start, l4_addr_t end,
                      l4_umword_t *missing, l4_umword_t *dirty)
{
    *missing = *dirty = 0;
    for (l4_umword_t f = frame_of(start); f < frame_of(end); f++) {
        unsigned owner = r->owner[f];

        if (owner == RAM_FREE)
            *missing += L4_PAGESIZE;
        else if (owner == (account_slot(a) | RAM_DIRTY))
            *dirty += L4_PAGESIZE;
        else if (owner != account_slot(a) && !(owner == RAM_DEDICATED && a == r->root))
            return false;
    }
    return true;
}

static void claim_new(struct ram *r, struct account *a, l4_addr_t start, l4_addr_t end)
{
    for (l4_addr_t at = start; at < end;) {
        unsigned block = L4_PAGESHIFT;

        if (r->owner[frame_of(at)] == RAM_FREE) {
            block = ram_block_order(at, run_end(r, at, end, RAM_FREE));
            if (buddy_alloc_at(r->buddy, frame_of(at), block - L4_PAGESHIFT) != 0)
                ram_bug("a free frame is not in the buddy");
            hand_out(r, a, at, block);
        } else if (r->owner[frame_of(at)] == (account_slot(a) | RAM_DIRTY)) {
            clear(r, at, at + L4_PAGESIZE);
            owner_set(r, at, at + L4_PAGESIZE, account_slot(a));
        }
        at += 1UL << block;
    }
}

int ram_claim(struct ram *r, struct account *a, l4_addr_t start, unsigned order)
{
    l4_addr_t end = start + (1UL << order);
    l4_umword_t missing, dirty;

    if (start & ((1UL << order) - 1) || start >= L4_USER_END)
        return -L4_EINVAL;
    if (!covered(r, start, end) || !claimable(r, a, start, end, &missing, &dirty) ||
        missing > account_left(a) || missing + dirty > RAM_DIRECT_MAX)
        return -L4_ENOMEM;
    if (missing || dirty)
        claim_new(r, a, start, end);
    return 0;
}

int ram_alloc(struct ram *r, struct account *a, unsigned order, l4_addr_t *start)
{
    int64_t frame;

    if (order < L4_PAGESHIFT)
        return -L4_EINVAL;
    if (1UL << order > RAM_DIRECT_MAX || 1UL << order > account_left(a))
        return -L4_ENOMEM;
    frame = buddy_alloc(r->buddy, order - L4_PAGESHIFT);
    if (frame < 0)
        return -L4_ENOMEM;
    *start = (l4_addr_t)frame << L4_PAGESHIFT;
    hand_out(r, a, *start, order);
    return 0;
}

/* ---- by wish ---- */

static int take_run(struct ram *r, const struct ram_wish *w, struct ram_block *block)
{
    int64_t frame = buddy_alloc_run(r->buddy, frame_of(w->size), w->align - L4_PAGESHIFT,
                                    frame_of(w->min) + ((w->min & (L4_PAGESIZE - 1)) != 0),
                                    frame_of(w->max) + (~w->max & (L4_PAGESIZE - 1) ? 0 : 1));

    if (frame < 0)
        return -L4_ENOMEM;
    *block = (struct ram_block){(l4_addr_t)frame << L4_PAGESHIFT, w->size};
    return 0;
}

/* The largest blocks first, so that there are few. */
static int take_pieces(struct ram *r, const struct ram_wish *w, struct ram_block *blocks,
                       unsigned *count)
{
    l4_umword_t missing = w->size;
    unsigned order = RAM_BLOCK_MAX;

    for (*count = 0; missing; ) {
        struct ram_wish part = *w;

        while (1UL << order > missing)
            order--;
        part.size = 1UL << order;
        part.align = w->align < order ? w->align : order;
        if (*count < RAM_BLOCKS_MAX && take_run(r, &part, &blocks[*count]) == 0) {
            missing -= part.size;
            ++*count;
        } else if (*count == RAM_BLOCKS_MAX || order-- == L4_PAGESHIFT) {
            return *count == RAM_BLOCKS_MAX ? -L4_E2BIG : -L4_ENOMEM;
        }
    }
    return 0;
}

/* What a failed call took returns to the buddy, where it was. */
static void put_back(struct ram *r, const struct ram_block *blocks, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (buddy_add(r->buddy, frame_of(blocks[i].start), frame_of(blocks[i].size)) != 0)
            ram_bug("a frame is freed twice");
}

int ram_take(struct ram *r, struct account *a, const struct ram_wish *w, struct ram_block *blocks,
             unsigned *count)
{
    bool small = w->size <= RAM_CLEAR_STEP;
    int err;

    *count = 1;
    err = w->contiguous ? take_run(r, w, blocks) : take_pieces(r, w, blocks, count);
    if (err) {
        put_back(r, blocks, w->contiguous ? 0 : *count);
        return err;
    }
    for (unsigned i = 0; i < *count; i++) {
        l4_addr_t end = blocks[i].start + blocks[i].size;

        if (small)
            clear(r, blocks[i].start, end);
        own(r, a, blocks[i].start, end, small ? 0 : RAM_DIRTY);
    }
    return 0;
}

int ram_clean(struct ram *r, const struct account *a, l4_addr_t start, l4_addr_t end,
              l4_addr_t *at, l4_umword_t *budget)
{
    bool all = *at <= start;

    for (*at = all ? start : *at;; all = true, *at = start) {
        for (; *at < end; *at += L4_PAGESIZE) {
            l4_uint16_t *owner = &r->owner[frame_of(*at)];

            if (*owner == account_slot(a))
                continue;
            if (*owner != (account_slot(a) | RAM_DIRTY))
                return -L4_EPERM;
            if (*budget < L4_PAGESIZE)
                return 0;
            clear(r, *at, *at + L4_PAGESIZE);
            *owner = (l4_uint16_t)account_slot(a);
            *budget -= L4_PAGESIZE;
        }
        if (all)
            return 1;
    }
}

bool ram_owns(const struct ram *r, const struct account *a, l4_addr_t start, l4_addr_t end)
{
    return covered(r, start, end) && own_end(r, a, start, end) == end;
}

bool ram_next(const struct ram *r, const struct account *a, l4_addr_t *start, l4_umword_t *size)
{
    l4_addr_t top = r->frames << L4_PAGESHIFT;
    l4_addr_t end = top - *start > RAM_LOOK_STEP ? *start + RAM_LOOK_STEP : top;
    unsigned slot = account_slot(a);

    while (*start < end && (r->owner[frame_of(*start)] & ~RAM_DIRTY) != slot)
        *start += L4_PAGESIZE;
    end = top - *start > RAM_LOOK_STEP ? *start + RAM_LOOK_STEP : top;
    *size = *start < end ? own_end(r, a, *start, end) - *start : 0;
    return *size > 0;
}

int ram_free(struct ram *r, struct account *a, l4_addr_t start, l4_addr_t end)
{
    if (!ram_owns(r, a, start, end))
        return -L4_EPERM;
    for (l4_addr_t at = start; at < end;) {
        unsigned block = ram_block_order(at, end);

        take_back(r, a, at, block);
        at += 1UL << block;
    }
    return 0;
}

/* ---- sigma0's own ---- */

bool ram_own_take(struct ram *r, unsigned order, l4_addr_t *start)
{
    int64_t frame = buddy_alloc(r->buddy, order - L4_PAGESHIFT);

    if (frame < 0)
        return false;
    *start = (l4_addr_t)frame << L4_PAGESHIFT;
    owner_set(r, *start, *start + (1UL << order), RAM_SYSTEM);
    r->free_frames -= 1UL << (order - L4_PAGESHIFT);
    return true;
}

void ram_own_give(struct ram *r, l4_addr_t start, unsigned order)
{
    owner_set(r, start, start + (1UL << order), RAM_FREE);
    buddy_give_back(r->buddy, frame_of(start), order - L4_PAGESHIFT);
    r->free_frames += 1UL << (order - L4_PAGESHIFT);
}

/* ---- frames of ending accounts ---- */

/* Whose is the frame, if that account is ending? */
static struct account *ending_owner(const struct ram *r, l4_umword_t frame)
{
    unsigned slot = r->owner[frame] & ~RAM_DIRTY;
    struct account *a = slot ? account_find(r, slot) : NULL;

    return a && a->ending ? a : NULL;
}

void ram_sweep(struct ram *r)
{
    l4_umword_t looked = 0;

    while (r->ending_frames && looked < RAM_SWEEP_STEP) {
        struct account *a;
        l4_addr_t at;
        unsigned block;

        if (r->sweep >= r->frames)
            r->sweep = 0;
        a = ending_owner(r, r->sweep);
        if (!a) {
            r->sweep++;
            looked++;
            continue;
        }
        at = r->sweep << L4_PAGESHIFT;
        block = ram_block_order(at, own_end(r, a, at, r->frames << L4_PAGESHIFT));
        take_back(r, a, at, block);
        r->sweep += 1UL << (block - L4_PAGESHIFT);
        looked += 1UL << (block - L4_PAGESHIFT);
    }
}
