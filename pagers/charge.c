/*
 * charge.c - inside the framework: what dataspaces cost their accounts
 *
 *   account.used = sum over its dataspaces of (frames + index frames + reserve) pages
 *
 * A dataspace with a reserve was charged for all of it at once: what it uses comes out of the
 * reserve, and goes back there.
 */
#include "account.h"

#include <l4/pager.h>

struct ds_counts ds_totals;

static inline void count(struct ds_counts *c, l4_umword_t pages, l4_umword_t index_frames)
{
    c->frames += pages;
    c->index_frames += index_frames;
}

static inline void count_all(struct dataspace *ds, l4_umword_t pages, l4_umword_t index_frames)
{
    count(&ds->counts, pages, index_frames);
    count(&ds->account->counts, pages, index_frames);
    count(&ds_totals, pages, index_frames);
}

static inline void count_filled(struct dataspace *ds, l4_umword_t pages)
{
    ds->counts.filled += pages;
    ds->account->counts.filled += pages;
    ds_totals.filled += pages;
}

static void count_reserve(struct dataspace *ds, l4_umword_t frames)
{
    ds->counts.reserve += frames;
    ds->account->counts.reserve += frames;
    ds_totals.reserve += frames;
}

/* Pay `frames`, from the reserve if the dataspace has one: that has been charged. */
static inline long pay(struct dataspace *ds, l4_umword_t frames)
{
    struct account *a = ds->account;

    if (L4_UNLIKELY(ds->reserved)) {
        if (ds->counts.reserve < frames)
            return -L4_ENOMEM;
        count_reserve(ds, -frames);
        return 0;
    }
    if (frames > ~0UL >> L4_PAGESHIFT)
        return -L4_ENOMEM;
    return account_charge(a->quota, &a->used, frames << L4_PAGESHIFT);
}

long ds_charge_now(struct dataspace *ds, l4_umword_t pages, l4_umword_t index_frames)
{
    if (pay(ds, pages + index_frames) != 0)
        return -L4_ENOMEM;
    count_all(ds, pages, index_frames);
    count_filled(ds, pages);
    return 0;
}

/* What dead dataspaces still hold must not stand in the way. */
static __attribute__((noinline)) long charge_after_gc(struct dataspace *ds, l4_umword_t pages,
                                                      l4_umword_t index_frames)
{
    return manager_gc() ? ds_charge(ds, pages, index_frames) : -L4_ENOMEM;
}

long ds_charge(struct dataspace *ds, l4_umword_t pages, l4_umword_t index_frames)
{
    if (L4_UNLIKELY(pay(ds, pages + index_frames) != 0))
        return charge_after_gc(ds, pages, index_frames);
    count_all(ds, pages, index_frames);
    count_filled(ds, pages);
    return 0;
}

long ds_inherit(struct dataspace *ds)
{
    if (pay(ds, 1) != 0)
        return -L4_ENOMEM;
    count_all(ds, 1, 0);
    return 0;
}

void ds_credit(struct dataspace *ds, l4_umword_t pages, l4_umword_t index_frames)
{
    if (L4_UNLIKELY(ds->reserved))
        count_reserve(ds, pages + index_frames);
    else
        account_credit(&ds->account->used, (pages + index_frames) << L4_PAGESHIFT);
    count_all(ds, -pages, -index_frames);
}

long ds_reserve(struct dataspace *ds, l4_umword_t frames)
{
    if (pay(ds, frames) != 0 && (!manager_gc() || pay(ds, frames) != 0))
        return -L4_ENOMEM;
    ds->reserved = true;
    count_reserve(ds, frames);
    return 0;
}

void ds_unreserve(struct dataspace *ds)
{
    if (!ds->reserved)
        return;
    account_credit(&ds->account->used, ds->counts.reserve << L4_PAGESHIFT);
    count_reserve(ds, -ds->counts.reserve);
    ds->reserved = false;
}
