/*
 * ranges.c - a map of physical memory: sorted ranges that never overlap
 */
#include "boot/bootinfo.h"

static bool insert(struct bootinfo *b, unsigned at, struct boot_range r)
{
    if (b->range_count == BOOT_RANGES_MAX)
        return false;
    for (unsigned i = b->range_count++; i > at; i--)
        b->ranges[i] = b->ranges[i - 1];
    b->ranges[at] = r;
    return true;
}

static void remove(struct bootinfo *b, unsigned at)
{
    b->range_count--;
    for (unsigned i = at; i < b->range_count; i++)
        b->ranges[i] = b->ranges[i + 1];
}

/* Take [start, end) out of every range. */
static bool cut(struct bootinfo *b, uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < b->range_count;) {
        struct boot_range *r = &b->ranges[i];
        struct boot_range tail = {end, r->end, r->type};

        if (r->end <= start || r->start >= end) {
            i++;
        } else if (r->start >= start && r->end <= end) {
            remove(b, i);
        } else if (r->start < start) {
            r->end = start;
            if (tail.start < tail.end && !insert(b, i + 1, tail))
                return false;
            i++;
        } else {
            r->start = end;
            i++;
        }
    }
    return true;
}

bool ranges_set(struct bootinfo *b, uint64_t start, uint64_t end, unsigned type)
{
    unsigned i = 0;

    if (start >= end)
        return true;
    if (!cut(b, start, end))
        return false;
    while (i < b->range_count && b->ranges[i].start < start)
        i++;
    if (i > 0 && b->ranges[i - 1].end == start && b->ranges[i - 1].type == type) {
        b->ranges[i - 1].end = end;
        if (i < b->range_count && b->ranges[i].start == end && b->ranges[i].type == type) {
            b->ranges[i - 1].end = b->ranges[i].end;
            remove(b, i);
        }
        return true;
    }
    if (i < b->range_count && b->ranges[i].start == end && b->ranges[i].type == type) {
        b->ranges[i].start = start;
        return true;
    }
    return insert(b, i, (struct boot_range){start, end, type});
}

uint64_t ranges_find(const struct bootinfo *b, uint64_t size, uint64_t align, uint64_t limit)
{
    for (unsigned i = b->range_count; i-- > 0;) {
        const struct boot_range *r = &b->ranges[i];
        uint64_t end = r->end < limit ? r->end : limit;

        if (r->type != l4_mem_type_conventional || end < size)
            continue;
        end = (end - size) & ~(align - 1);
        if (end >= r->start && end != 0)
            return end;
    }
    return 0;
}
