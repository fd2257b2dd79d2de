/*
 * sigma0/device.c - device memory: pieces of the address space that are no RAM
 *
 * D1  Pieces of different accounts do not overlap.
 * D2  A piece goes back as a whole, or with its account.
 */
#include "ram.h"

#include <abi/errors.h>

/* No frame of RAM of any kind lies in [start, end). */
static bool no_ram(const struct ram *r, l4_addr_t start, l4_addr_t end)
{
    for (; start < end && start >> L4_PAGESHIFT < r->frames; start += L4_PAGESIZE)
        if (r->owner[start >> L4_PAGESHIFT] != RAM_ABSENT)
            return false;
    return true;
}

int ram_claim_device(struct ram *r, struct account *a, l4_addr_t start, unsigned order)
{
    l4_addr_t end = start + (1UL << order);
    struct ram_device *d;

    if (order < L4_PAGESHIFT || order > RAM_ORDER_MAX || (start & ((1UL << order) - 1)))
        return -L4_EINVAL;
    if (end > RAM_DEVICE_END || start >= end || !no_ram(r, start, end))
        return -L4_ENOMEM;
    for (d = r->devices; d; d = d->next) {
        if (d->start >= end || start >= d->end)
            continue;
        if (d->account != a)
            return -L4_ENOMEM;
        if (d->start <= start && end <= d->end)
            break;
    }
    /* All are looked at for others' pieces; what lies within one of our own has none of theirs. */
    if (d)
        return 0;
    if (r->device_count == RAM_DEVICES_MAX || (RAM_RESERVE && !pool_ready(r)))
        return -L4_ENOMEM;
    d = pool_take(r, POOL_DEVICE);
    if (!d)
        return -L4_ENOMEM;
    *d = (struct ram_device){r->devices, start, end, a};
    r->devices = d;
    r->device_count++;
    return 0;
}

static void remove(struct ram *r, struct ram_device **link)
{
    struct ram_device *d = *link;

    for (l4_addr_t at = d->start; at < d->end;) {
        unsigned order = ram_block_order(at, d->end);

        ram_revoke(at, order);
        at += 1UL << order;
    }
    *link = d->next;
    r->device_count--;
    pool_give(r, POOL_DEVICE, d);
}

int ram_free_device(struct ram *r, const struct account *a, l4_addr_t start, l4_addr_t end)
{
    bool found = false;

    for (const struct ram_device *d = r->devices; d; d = d->next) {
        if (d->account != a || d->start >= end || start >= d->end)
            continue;
        if (d->start < start || end < d->end)
            return -L4_EPERM;
        found = true;
    }
    for (struct ram_device **link = &r->devices; *link;)
        if ((*link)->account == a && start <= (*link)->start && (*link)->end <= end)
            remove(r, link);
        else
            link = &(*link)->next;
    return found ? 0 : -L4_EPERM;
}

void ram_free_devices(struct ram *r, const struct account *a)
{
    (void)ram_free_device(r, a, 0, RAM_DEVICE_END); /* -L4_EPERM: it had none */
}
