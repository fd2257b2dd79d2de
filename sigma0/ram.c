/*
 * sigma0/ram.c - frames, their owners, and accounts
 *
 *   account 1 (root task)  quota = all RAM that was free at the start
 *     +- account 2 (anon)  quota charged to account 1 when the account is made
 *     +- account 3 ...     each pays for its frames and for the quotas of its own children
 *
 * R1  owner[f] == RAM_FREE exactly when frame f is in the buddy.
 * R2  For a live client: used = its frames * page size + the quotas of its live children, and
 *     used <= quota. So a quota that was given is a promise: the sum of all fits the machine.
 * R3  No frame leaves the buddy without being cleared.
 * R4  No frame enters the buddy before it is revoked from everybody.
 * R5  A failed call changes nothing.
 * R6  Serving a request needs no memory: all records lie in the arrays of struct ram.
 */
#include "ram.h"

#include <abi/errors.h>

/* The largest block of the buddy, as an order of bytes. */
enum { RAM_BLOCK_MAX = L4_PAGESHIFT + BUDDY_ORDERS - 1 };

static l4_umword_t frame_of(l4_addr_t a)
{
    return a >> L4_PAGESHIFT;
}

static bool aligned(l4_addr_t start, unsigned order)
{
    return order >= L4_PAGESHIFT && order <= RAM_ORDER_MAX && !(start & ((1UL << order) - 1)) &&
           start < L4_USER_END;
}

/* Is the whole block inside the owner array? */
static bool covered(const struct ram *r, l4_addr_t start, unsigned order)
{
    l4_umword_t first = frame_of(start);

    return first < r->frames && r->frames - first >= 1UL << (order - L4_PAGESHIFT);
}

static void owner_set(struct ram *r, l4_addr_t start, l4_addr_t end, l4_uint16_t owner)
{
    for (l4_umword_t f = frame_of(start); f < frame_of(end); f++)
        r->owner[f] = owner;
}

/* The largest order that may start at `at` and end at or before `end`. */
static unsigned block_order(l4_addr_t at, l4_addr_t end)
{
    unsigned order = L4_PAGESHIFT;

    while (order < RAM_BLOCK_MAX && !(at & (1UL << order)) && end - at >= 2UL << order)
        order++;
    return order;
}

/* End of the run of frames with this owner that starts at `at`. */
static l4_addr_t run_end(const struct ram *r, l4_addr_t at, l4_addr_t end, l4_uint16_t owner)
{
    while (at < end && r->owner[frame_of(at)] == owner)
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

void ram_open(struct ram *r)
{
    r->total_frames = r->free_frames;
    r->clients[RAM_ROOT] = (struct ram_client){
        .live = true,
        .quota = r->total_frames << L4_PAGESHIFT,
    };
}

/* ---- frames ---- */

/* From the buddy to a client: the only way out (R1, R3). */
static void hand_out(struct ram *r, unsigned client, l4_addr_t start, unsigned order)
{
    ram_clear(start, 1UL << order);
    owner_set(r, start, start + (1UL << order), (l4_uint16_t)client);
    r->free_frames -= 1UL << (order - L4_PAGESHIFT);
    r->cleared_frames += 1UL << (order - L4_PAGESHIFT);
    r->clients[client].used += 1UL << order;
}

/* And the only way back (R1, R4). */
static void take_back(struct ram *r, unsigned client, l4_addr_t start, unsigned order)
{
    ram_revoke(start, order);
    owner_set(r, start, start + (1UL << order), RAM_FREE);
    if (buddy_free(r->buddy, frame_of(start), order - L4_PAGESHIFT) != 0)
        ram_bug("a frame is freed twice");
    r->free_frames += 1UL << (order - L4_PAGESHIFT);
    r->clients[client].used -= 1UL << order;
}

static l4_umword_t left(const struct ram_client *c)
{
    return c->quota - c->used;
}

/* How many bytes of the block are free; false when a part is beyond the client's reach. */
static bool claimable(const struct ram *r, unsigned client, l4_addr_t start, l4_addr_t end,
                      l4_umword_t *missing)
{
    *missing = 0;
    for (l4_umword_t f = frame_of(start); f < frame_of(end); f++) {
        l4_uint16_t owner = r->owner[f];

        if (owner == RAM_FREE)
            *missing += L4_PAGESIZE;
        else if (owner != client && !(owner == RAM_DEDICATED && client == RAM_ROOT))
            return false;
    }
    return true;
}

int ram_claim(struct ram *r, unsigned client, l4_addr_t start, unsigned order)
{
    l4_addr_t end = start + (1UL << order);
    l4_umword_t missing;

    if (!aligned(start, order))
        return -L4_EINVAL;
    if (!covered(r, start, order) || !claimable(r, client, start, end, &missing) ||
        missing > left(&r->clients[client]))
        return -L4_ENOMEM;
    for (l4_addr_t at = start; at < end;) {
        unsigned block;

        if (r->owner[frame_of(at)] != RAM_FREE) {
            at += L4_PAGESIZE;
            continue;
        }
        block = block_order(at, run_end(r, at, end, RAM_FREE));
        if (buddy_alloc_at(r->buddy, frame_of(at), block - L4_PAGESHIFT) != 0)
            ram_bug("a free frame is not in the buddy");
        hand_out(r, client, at, block);
        at += 1UL << block;
    }
    return 0;
}

int ram_alloc(struct ram *r, unsigned client, unsigned order, l4_addr_t *start)
{
    int64_t frame;

    if (order < L4_PAGESHIFT || order > RAM_ORDER_MAX)
        return -L4_EINVAL;
    if (order > RAM_BLOCK_MAX || 1UL << order > left(&r->clients[client]))
        return -L4_ENOMEM;
    frame = buddy_alloc(r->buddy, order - L4_PAGESHIFT);
    if (frame < 0)
        return -L4_ENOMEM;
    *start = (l4_addr_t)frame << L4_PAGESHIFT;
    hand_out(r, client, *start, order);
    return 0;
}

int ram_free(struct ram *r, unsigned client, l4_addr_t start, unsigned order)
{
    l4_addr_t end = start + (1UL << order);

    if (!aligned(start, order))
        return -L4_EINVAL;
    if (!covered(r, start, order) || run_end(r, start, end, (l4_uint16_t)client) != end)
        return -L4_EPERM;
    for (l4_addr_t at = start; at < end;) {
        unsigned block = block_order(at, end);

        take_back(r, client, at, block);
        at += 1UL << block;
    }
    return 0;
}

/* ---- device memory ---- */

/* No frame of RAM of any kind lies in [start, end). */
static bool no_ram(const struct ram *r, l4_addr_t start, l4_addr_t end)
{
    for (l4_umword_t f = frame_of(start); f < frame_of(end) && f < r->frames; f++)
        if (r->owner[f] != RAM_ABSENT)
            return false;
    return true;
}

int ram_claim_device(struct ram *r, unsigned client, l4_addr_t start, unsigned order)
{
    l4_addr_t end = start + (1UL << order);
    bool known = false;

    if (!aligned(start, order))
        return -L4_EINVAL;
    if (end > RAM_DEVICE_END || !no_ram(r, start, end))
        return -L4_ENOMEM;
    for (unsigned i = 0; i < r->device_count; i++) {
        const struct ram_device *d = &r->devices[i];

        if (d->start >= end || start >= d->end)
            continue;
        if (d->client != client)
            return -L4_ENOMEM;
        known = known || (d->start <= start && end <= d->end);
    }
    if (known)
        return 0;
    if (r->device_count == RAM_DEVICES_MAX)
        return -L4_ENOMEM;
    r->devices[r->device_count++] = (struct ram_device){start, end, (l4_uint16_t)client};
    return 0;
}

static void devices_release(struct ram *r, const bool *gone)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < r->device_count; i++) {
        struct ram_device d = r->devices[i];

        if (gone[d.client])
            ram_revoke_device(d.start, d.end);
        else
            r->devices[kept++] = d;
    }
    r->device_count = kept;
}

/* ---- accounts ---- */

int ram_client_create(struct ram *r, unsigned parent, l4_umword_t quota, unsigned *client)
{
    unsigned c = RAM_ROOT + 1;

    if (quota > left(&r->clients[parent]))
        return -L4_ENOMEM;
    while (c < RAM_CLIENTS_MAX && r->clients[c].live)
        c++;
    if (c == RAM_CLIENTS_MAX)
        return -L4_ENOMEM;
    r->clients[parent].used += quota;
    r->clients[c] = (struct ram_client){
        .live = true,
        .parent = (l4_uint16_t)parent,
        .quota = quota,
    };
    *client = c;
    return 0;
}

/* Mark `client` and everything below it. A parent may have a higher number than its child. */
static void subtree_mark(const struct ram *r, unsigned client, bool *gone)
{
    bool more = true;

    for (unsigned c = 0; c < RAM_CLIENTS_MAX; c++)
        gone[c] = c == client;
    while (more) {
        more = false;
        for (unsigned c = RAM_ROOT + 1; c < RAM_CLIENTS_MAX; c++)
            if (r->clients[c].live && !gone[c] && gone[r->clients[c].parent]) {
                gone[c] = true;
                more = true;
            }
    }
}

static void frames_release(struct ram *r, const bool *gone)
{
    l4_addr_t top = r->frames << L4_PAGESHIFT;

    for (l4_addr_t at = 0; at < top;) {
        l4_uint16_t owner = r->owner[frame_of(at)];
        unsigned block;

        if (owner >= RAM_CLIENTS_MAX || !gone[owner]) {
            at += L4_PAGESIZE;
            continue;
        }
        block = block_order(at, run_end(r, at, top, owner));
        take_back(r, owner, at, block);
        at += 1UL << block;
    }
}

int ram_client_release(struct ram *r, unsigned client)
{
    bool gone[RAM_CLIENTS_MAX];

    if (client == RAM_ROOT)
        return -L4_EPERM;
    subtree_mark(r, client, gone);
    frames_release(r, gone);
    devices_release(r, gone);
    r->clients[r->clients[client].parent].used -= r->clients[client].quota;
    for (unsigned c = RAM_ROOT + 1; c < RAM_CLIENTS_MAX; c++)
        if (gone[c]) {
            r->clients[c].live = false;
            ram_gone(c);
        }
    return 0;
}

/* ---- checking ---- */

bool ram_ok(const struct ram *r)
{
    static l4_umword_t used[RAM_CLIENTS_MAX];
    l4_umword_t free_frames = 0;

    for (unsigned c = 0; c < RAM_CLIENTS_MAX; c++)
        used[c] = 0;
    for (l4_umword_t f = 0; f < r->frames; f++) {
        if (r->owner[f] == RAM_FREE)
            free_frames++;
        else if (r->owner[f] < RAM_CLIENTS_MAX)
            used[r->owner[f]] += L4_PAGESIZE;
        else if (r->owner[f] < RAM_DEDICATED)
            return false;
    }
    for (unsigned c = RAM_ROOT + 1; c < RAM_CLIENTS_MAX; c++)
        if (r->clients[c].live)
            used[r->clients[c].parent] += r->clients[c].quota;
    for (unsigned c = 0; c < RAM_CLIENTS_MAX; c++) {
        const struct ram_client *k = &r->clients[c];

        if (k->live ? used[c] != k->used || k->used > k->quota : used[c] != 0)
            return false;
    }
    return free_frames == r->free_frames && free_frames == buddy_free_frames(r->buddy);
}
