/*
 * test_buddy_states.c - all states of the buddy allocator with sixteen frames
 *
 * A state is which frames are free, and in which blocks the others are in use. The allocator
 * records only the first, so what it has must be a function of the free frames (B2): it is
 * compared with the specification when a set of free frames is seen for the first time, and from
 * then on with that.
 *
 * A block is free, in use as a whole, or two halves that are not both free. So with a(k) states
 * of 2^k frames, a(0) = 2 and a(k + 1) = a(k)^2 + 1, which the result has to be.
 */
#include "explore.h"

#include <abi/errors.h>
#include <common/buddy_spec.h>
#include <string.h>

#pragma clang attribute push(__attribute__((no_sanitize("address"))), apply_to = function)

enum { FRAMES = 16, ORDER = 4, FIRST = 1 << 20, SETS = 1 << FRAMES };

static struct buddy buddy;
static uint64_t meta[256];

/* Beside the allocator: the specification, and the blocks in use, as bits: 1 the whole, 2 and 3
 * its halves, ... 16 to 31 the frames. */
static struct {
    struct buddy_spec spec;
    uint32_t used;
} *now;

/* What the allocator has when just these frames are free. */
struct seen {
    bool known;
    uint32_t orders;
    uint64_t free_frames, bits[ORDER + 1];
};

static struct seen *seen;

/* ---- operations ---- */

struct op {
    enum { ALLOC, RUN, AT, FREE, ADD } kind;
    unsigned order;
    uint64_t a, b; /* frame; lo and hi; first and frames */
};

enum { OPS_MAX = 512 };
static struct op ops[OPS_MAX];
static unsigned op_count;

static void add_op(int kind, unsigned order, uint64_t a, uint64_t b)
{
    EXPECT(op_count < OPS_MAX);
    ops[op_count++] = (struct op){kind, order, a, b};
}

static void make_ops(void)
{
    static const unsigned bad_orders[] = {5, 18, 19, 63, 255};
    static const uint64_t bad_frames[] = {0, FIRST - 1, FIRST + 16, FIRST - 16, ~0UL};
    static const uint8_t ranges[][3] = {/* order, lo, hi */
        {0, 0, 16}, {0, 3, 4}, {0, 15, 99}, {0, 5, 5}, {0, 9, 3}, {1, 1, 4}, {1, 1, 3},
        {1, 6, 13}, {2, 1, 16}, {2, 3, 9}, {3, 1, 16}, {4, 0, 17}, {4, 1, 16}};
    static const uint8_t added[][2] = {/* first, frames */
        {0, 16}, {0, 0}, {16, 0}, {17, 0}, {3, 5}, {7, 2}, {15, 1}, {15, 2}, {1, 14}, {0, 17}};

    for (unsigned order = 0; order <= ORDER; order++) {
        add_op(ALLOC, order, 0, 0);
        for (uint64_t f = 0; f < FRAMES; f += 1u << order) {
            add_op(AT, order, FIRST + f, 0);
            add_op(FREE, order, FIRST + f, 0);
        }
        add_op(AT, order, FIRST + 1, 0); /* misaligned, but for order 0 */
        add_op(FREE, order, FIRST + 3, 0);
    }
    for (unsigned i = 0; i < sizeof(bad_orders) / sizeof(bad_orders[0]); i++) {
        add_op(ALLOC, bad_orders[i], 0, 0);
        add_op(AT, bad_orders[i], FIRST, 0);
        add_op(FREE, bad_orders[i], FIRST, 0);
        add_op(AT, 0, bad_frames[i], 0);
        add_op(FREE, 0, bad_frames[i], 0);
        add_op(FREE, 2, bad_frames[i], 0);
    }
    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        add_op(RUN, ranges[i][0], FIRST + ranges[i][1], FIRST + ranges[i][2]);
    add_op(RUN, 0, 0, ~0UL);
    for (unsigned i = 0; i < sizeof(added) / sizeof(added[0]); i++)
        add_op(ADD, 0, FIRST + added[i][0], added[i][1]);
    add_op(ADD, 0, FIRST + 1, ~0UL);
}

static void tell(unsigned n)
{
    static const char *const names[] = {"alloc", "alloc_run", "alloc_at", "free", "add"};

    printf("#   buddy_%s order %u, 0x%lx, 0x%lx\n", names[ops[n].kind], ops[n].order, ops[n].a,
           ops[n].b);
}

static void show(void)
{
    printf("#   blocks in use %08x, free frames ", now->used);
    for (unsigned i = 0; i < FRAMES; i++)
        printf("%c", now->spec.free[i] ? '1' : '.');
    printf("; the allocator: %lu of orders %x\n", buddy.free_frames, buddy.orders);
}

/* ---- blocks in use ---- */

static uint32_t block_bit(uint64_t frame, unsigned order)
{
    return 1u << ((FRAMES + (frame - FIRST)) >> order);
}

static void take(int64_t frame, unsigned order)
{
    if (frame >= 0)
        now->used |= block_bit((uint64_t)frame, order);
}

/* A larger block in use around it becomes halves; what is in use within it is not any more. */
static void give(uint64_t frame, unsigned order)
{
    for (unsigned k = ORDER; k > order; k--)
        if (now->used & block_bit(frame, k)) {
            now->used &= ~block_bit(frame, k);
            now->used |= block_bit(frame, k - 1) | block_bit(frame ^ 1u << (k - 1), k - 1);
        }
    for (unsigned k = 0; k <= order; k++)
        for (uint64_t f = frame; f < frame + (1u << order); f += 1u << k)
            now->used &= ~block_bit(f, k);
}

/* ---- comparison ---- */

static unsigned free_set(void)
{
    unsigned set = 0;

    for (unsigned i = 0; i < FRAMES; i++)
        set |= (unsigned)now->spec.free[i] << i;
    return set;
}

/* Every question that can be asked. */
static void compare_all(void)
{
    uint64_t count = 0;
    int largest = -1;
    unsigned order = 99, wanted = 99;

    EXPECT(buddy_ok(&buddy));
    for (uint64_t f = FIRST; f < FIRST + FRAMES; f++) {
        bool free = now->spec.free[f - FIRST];
        int block = free ? (int)spec_buddy_block(&now->spec, f) : -1;

        count += free;
        largest = block > largest ? block : largest;
        for (unsigned k = 0; k <= ORDER && f % (1u << k) == 0; k++) {
            EXPECT(buddy_is_free(&buddy, f, k) == spec_buddy_all(&now->spec, f, k, true));
            EXPECT(buddy_any_free(&buddy, f, k) == !spec_buddy_all(&now->spec, f, k, false));
        }
    }
    for (uint64_t f = FIRST - 2; f < FIRST + FRAMES + 2; f++) {
        EXPECT(buddy_next_free(&buddy, f, &order) == spec_buddy_next_free(&now->spec, f, &wanted));
        EXPECT(order == wanted);
    }
    EXPECT(buddy_free_frames(&buddy) == count && buddy_largest(&buddy) == largest);
}

static void compare(void)
{
    struct seen *s = &seen[free_set()], is = {true, buddy.orders, buddy.free_frames, {0}};

    for (unsigned k = 0; k <= ORDER; k++)
        is.bits[k] = buddy.set[k].level[0][0];
    if (!s->known) {
        compare_all();
        *s = is;
    }
    EXPECT(!memcmp(s->bits, is.bits, sizeof(is.bits)) && s->orders == is.orders &&
           s->free_frames == is.free_frames);
}

/* ---- exploration ---- */

static void run_alloc(const struct op *o, int look)
{
    int64_t got, wanted;

    if (o->kind == ALLOC) {
        got = buddy_alloc(&buddy, o->order);
        wanted = spec_buddy_alloc(&now->spec, o->order, 0, ~0UL);
    } else if (o->kind == RUN) {
        got = buddy_alloc_run(&buddy, 1UL << o->order, o->order, o->a, o->b);
        wanted = spec_buddy_alloc(&now->spec, o->order, o->a, o->b);
    } else {
        int err = buddy_alloc_at(&buddy, o->a, o->order);

        got = err ? err : (int64_t)o->a;
        err = spec_buddy_alloc_at(&now->spec, o->a, o->order);
        wanted = err ? err : (int64_t)o->a;
    }
    EXPECT(!look || got == wanted);
    take(wanted, o->order);
}

static void run_free(const struct op *o, int look)
{
    bool add = o->kind == ADD;
    int got = add ? buddy_add(&buddy, o->a, o->b) : buddy_free(&buddy, o->a, o->order);
    int wanted = add ? spec_buddy_add(&now->spec, o->a, o->b)
                     : spec_buddy_free(&now->spec, o->a, o->order);

    EXPECT(!look || got == wanted);
    if (!wanted && !add)
        give(o->a, o->order);
    for (uint64_t f = o->a; !wanted && add && f < o->a + o->b; f++)
        give(f, 0);
}

static void run(unsigned n, int look)
{
    const struct op *o = &ops[n];

    if (o->kind < FREE)
        run_alloc(o, look);
    else
        run_free(o, look);
    if (look)
        compare();
}

static int key(uint8_t *bytes)
{
    uint64_t word = (uint64_t)free_set() << 32 | now->used;

    memcpy(bytes, &word, sizeof(word));
    return 1;
}

static void check(void)
{
}

int main(void)
{
    struct explore x = {.name = "sixteen frames", .run = run, .key = key, .check = check,
                        .tell = tell, .show = show, .key_size = 8, .memory = meta,
                        .memory_size = sizeof(meta), .beside_size = sizeof(*now)};
    uint64_t closed_form = 2;
    struct explored r;

    for (unsigned k = 0; k < ORDER; k++)
        closed_form = closed_form * closed_form + 1;
    now = calloc(1, sizeof(*now));
    seen = calloc(SETS, sizeof(*seen));
    x.beside = now;
    make_ops();
    x.operations = op_count;
    EXPECT(buddy_meta_size(FRAMES) <= sizeof(meta));
    buddy_init(&buddy, meta, FIRST, FRAMES);
    now->spec.first = FIRST;
    now->spec.frames = FRAMES;
    now->used = block_bit(FIRST, ORDER);
    r = explore(&x);
    EXPECT(r.states == closed_form && r.states == 458330);
    printf("ok 1 - all states of sixteen frames\n1..1\n");
    free(now);
    free(seen);
    return 0;
}

#pragma clang attribute pop
