/*
 * sigma0/check.c - all invariants of frames and accounts, for host tests: it walks everything
 */
#include "ram.h"

static bool account_ok(const struct ram *r, const struct account *a, const l4_umword_t *frames)
{
    l4_umword_t used = frames[account_slot(a)] << L4_PAGESHIFT;

    for (const struct account *c = a->first; c; c = c->next) {
        if (c->parent != a)
            return false;
        used += c->quota;
    }
    return used == a->used && a->used <= a->quota && a->frames == frames[account_slot(a)] &&
           account_find(r, account_slot(a)) == a;
}

bool ram_ok(const struct ram *r)
{
    static l4_umword_t frames[RAM_DIRTY];
    l4_umword_t free_frames = 0, owned = 0, counted = 0, promised = 0;
    unsigned live = 0;

    for (unsigned c = 0; c < RAM_DIRTY; c++)
        frames[c] = 0;
    for (l4_umword_t f = 0; f < r->frames; f++) {
        unsigned owner = r->owner[f];

        if (owner >= RAM_DEDICATED)
            continue;
        if (owner >= 2 * RAM_DIRTY || owner == RAM_DIRTY)
            return false;
        frames[owner & ~RAM_DIRTY]++;
        free_frames += owner == RAM_FREE;
        owned += owner != RAM_FREE;
    }
    for (unsigned slot = 1; slot < POOL_SLOTS_MAX; slot++) {
        const struct account *a = account_find(r, slot);

        if (!a)
            continue;
        live++;
        counted += a->frames;
        promised += account_left(a);
        if (!account_ok(r, a, frames))
            return false;
    }
    return live == r->account_count && counted == owned && r->pool.frames <= POOL_KEPT &&
           promised + ((POOL_KEPT - r->pool.frames) << L4_PAGESHIFT) ==
               r->free_frames << L4_PAGESHIFT &&
           free_frames == r->free_frames && free_frames == buddy_free_frames(r->buddy);
}
