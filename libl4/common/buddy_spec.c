/*
 * buddy_spec.c - what the buddy allocator means (see buddy_spec.h)
 */
#include <common/buddy_spec.h>

#include <abi/errors.h>

static bool known(const struct buddy_spec *s, uint64_t frame, unsigned order)
{
    return order < BUDDY_ORDERS && frame % (1UL << order) == 0 && frame >= s->first &&
           frame - s->first < s->frames && (1UL << order) <= s->frames - (frame - s->first);
}

bool spec_buddy_all(const struct buddy_spec *s, uint64_t frame, unsigned order, bool value)
{
    if (!known(s, frame, order))
        return false;
    for (uint64_t i = 0; i < 1UL << order; i++)
        if (s->free[frame - s->first + i] != value)
            return false;
    return true;
}

static void set(struct buddy_spec *s, uint64_t frame, unsigned order, bool value)
{
    for (uint64_t i = 0; i < 1UL << order; i++)
        s->free[frame - s->first + i] = value;
}

unsigned spec_buddy_block(const struct buddy_spec *s, uint64_t frame)
{
    unsigned order = 0;

    while (spec_buddy_all(s, frame >> (order + 1) << (order + 1), order + 1, true))
        order++;
    return order;
}

int spec_buddy_add(struct buddy_spec *s, uint64_t first, uint64_t frames)
{
    if (first < s->first || first - s->first > s->frames ||
        frames > s->frames - (first - s->first))
        return -L4_EINVAL;
    for (uint64_t i = 0; i < frames; i++)
        if (s->free[first - s->first + i])
            return -L4_EINVAL;
    for (uint64_t i = 0; i < frames; i++)
        s->free[first - s->first + i] = true;
    return 0;
}

/* In the smallest free block that will do, of these the lowest; there the lowest place. */
int64_t spec_buddy_alloc(struct buddy_spec *s, unsigned order, uint64_t lo, uint64_t hi)
{
    uint64_t best = ~0UL;

    if (order >= BUDDY_ORDERS)
        return -L4_EINVAL;
    for (uint64_t f = s->first; f < s->first + s->frames; f++)
        if (f >= lo && f < hi && 1UL << order <= hi - f && spec_buddy_all(s, f, order, true) &&
            (best == ~0UL || spec_buddy_block(s, f) < spec_buddy_block(s, best)))
            best = f;
    if (best == ~0UL)
        return -L4_ENOMEM;
    set(s, best, order, false);
    return (int64_t)best;
}

int spec_buddy_alloc_at(struct buddy_spec *s, uint64_t frame, unsigned order)
{
    if (!known(s, frame, order))
        return -L4_EINVAL;
    if (!spec_buddy_all(s, frame, order, true))
        return -L4_ENOMEM;
    set(s, frame, order, false);
    return 0;
}

int spec_buddy_free(struct buddy_spec *s, uint64_t frame, unsigned order)
{
    if (!spec_buddy_all(s, frame, order, false))
        return -L4_EINVAL;
    set(s, frame, order, true);
    return 0;
}

uint64_t spec_buddy_next_free(const struct buddy_spec *s, uint64_t frame, unsigned *order)
{
    for (uint64_t f = s->first; f < s->first + s->frames; f++)
        if (f >= frame && s->free[f - s->first] && f % (1UL << spec_buddy_block(s, f)) == 0) {
            *order = spec_buddy_block(s, f);
            return f;
        }
    return ~0UL;
}
