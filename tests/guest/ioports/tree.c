/*
 * ioports/tree.c - who got which port from whom
 */
#include "ports.h"

static const l4_cap_idx_t own = L4_BASE_TASK_CAP;

static void revoked_with_all_below(void)
{
    struct child *a = child_new(), *b = child_new(), *c = child_new(), *d = child_new();

    ports_get();
    port_map(a->task, own, 0x80, 3);
    port_map(b->task, a->task, 0x80, 2);
    port_map(c->task, b->task, 0x80, 1);
    port_map(d->task, a->task, 0x84, 2);
    port_unmap(a->task, 0x81, 0, L4_FP_OTHER_SPACES);
    expect(holds(a, 0x81) && !holds(b, 0x81) && !holds(c, 0x81));
    expect(holds(b, 0x80) && holds(c, 0x80) && holds(d, 0x84));
    port_unmap(b->task, 0x80, 0, L4_FP_ALL_SPACES);
    expect(holds(a, 0x80) && !holds(b, 0x80) && !holds(c, 0x80));
    destroy(a->task);
    expect(!holds(b, 0x82) && !holds(d, 0x84));
    ports_back();
}

/* The same with blocks: parts of them go without the rest. */
static void a_part_of_a_block(void)
{
    struct child *a = child_new(), *b = child_new(), *c = child_new();

    ports_get();
    port_map(a->task, own, 0, WHOLE);
    port_map(b->task, a->task, 0, BLOCK_ORDER);
    port_map(c->task, b->task, 0x80, 3);
    port_unmap(a->task, 0x80, 1, L4_FP_OTHER_SPACES);
    expect(holds(a, 0x80) && holds(a, 0x81));
    expect(!holds(b, 0x80) && !holds(b, 0x81) && holds(b, 0x82) && holds(b, 0x7f));
    expect(!holds(c, 0x80) && !holds(c, 0x81) && holds(c, 0x82));
    port_map(c->task, b->task, 0x80, 3); /* b does not have these two any more */
    expect(!holds(c, 0x80) && !holds(c, 0x81));
    port_map(b->task, own, 0x80, 0); /* from somebody else, into the hole */
    expect(holds(b, 0x80) && !holds(b, 0x81));
    port_unmap(a->task, 0, WHOLE, L4_FP_OTHER_SPACES);
    expect(holds(b, 0x80) && !holds(b, 0x82) && !holds(c, 0x82));
    port_map(b->task, a->task, 0, BLOCK_ORDER);
    port_unmap(b->task, 0x82, 0, L4_FP_ALL_SPACES);
    port_map(b->task, a->task, 0, BLOCK_ORDER); /* the hole is filled in place */
    expect(holds(b, 0x82));
    ports_back();
}

static void mapped_over(void)
{
    struct child *a = child_new(), *b = child_new(), *c = child_new(), *d = child_new();

    ports_get();
    port_map(a->task, own, 0, BLOCK_ORDER);
    port_map(b->task, own, 0x80, 3);
    port_map(c->task, a->task, 0x81, 0);
    port_map(d->task, c->task, 0x81, 0);
    port_map(c->task, a->task, 0x81, 0); /* (a) the same again: d keeps it */
    expect(holds(d, 0x81));
    port_map(c->task, b->task, 0x81, 0); /* (b) from another: d loses it */
    expect(holds(c, 0x81) && !holds(d, 0x81));
    port_unmap(a->task, 0, BLOCK_ORDER, L4_FP_OTHER_SPACES);
    expect(holds(c, 0x81)); /* it is b's */
    port_map(d->task, c->task, 0x81, 0);
    port_map(b->task, d->task, 0x81, 0); /* (c) back to where it came from: nothing */
    port_unmap(b->task, 0x81, 0, L4_FP_OTHER_SPACES);
    expect(holds(b, 0x81) && !holds(c, 0x81) && !holds(d, 0x81));
    port_map(a->task, a->task, 0, BLOCK_ORDER);
    expect(holds(a, 0x81));
    port_map(b->task, a->task, 0, BLOCK_ORDER); /* a block over single ports */
    expect(holds(b, 0x81) && holds(b, 0));
    port_unmap(a->task, 0x83, 0, L4_FP_OTHER_SPACES);
    expect(!holds(b, 0x83));
    ports_back();
}

static void granted(void)
{
    struct child *a = child_new(), *b = child_new(), *c = child_new();
    l4_umword_t a_before, b_before;

    ports_get();
    a_before = counter(a->task, L4_DBG_CNT_KMEM_USED);
    port_map(a->task, own, 0x80, 1);
    port_map(c->task, a->task, 0x80, 1);
    port_map_with(b->task, a->task, l4_iofpage(0x80, 1), L4_MAP_ITEM_GRANT);
    expect(!holds(a, 0x80) && holds(b, 0x80) && holds(c, 0x80));
    port_unmap(b->task, 0x80, 0, L4_FP_OTHER_SPACES);
    expect(!holds(c, 0x80) && holds(c, 0x81));
    port_unmap(own, 0x80, 1, L4_FP_OTHER_SPACES);
    expect(!holds(b, 0x80) && !holds(c, 0x81));
    /* a block, and a part of one: that is a map */
    port_map(a->task, own, 0, BLOCK_ORDER);
    port_map_with(b->task, a->task, l4_iofpage(0x80, 0), L4_MAP_ITEM_GRANT);
    expect(holds(a, 0x80) && holds(b, 0x80));
    port_map_with(c->task, a->task, l4_iofpage(0, BLOCK_ORDER), L4_MAP_ITEM_GRANT);
    expect(!holds(a, 0x80) && holds(b, 0x80) && holds(c, 0x80));
    port_unmap(c->task, 0x80, 0, L4_FP_OTHER_SPACES);
    expect(!holds(b, 0x80) && holds(c, 0x80));
    b_before = counter(a->task, L4_DBG_CNT_KMEM_USED);
    expect_eq(b_before, counter(b->task, L4_DBG_CNT_KMEM_USED)); /* one factory for all */
    port_unmap(own, 0, WHOLE, L4_FP_OTHER_SPACES);
    expect_eq(counter(a->task, L4_DBG_CNT_KMEM_USED), a_before);
    ports_back();
}

/* ---- at random, against the dumbest model ---- */

enum { TASKS = 4, STEPS = 400, NOBODY = 0xff };
static const unsigned short watched[] = {0, 1, 0x3f, 0x80, 0x81, 0x82, 0x83, 0x87, 0x1fe, 0x1ff};
enum { WATCHED = sizeof(watched) / sizeof(watched[0]) };

static struct {
    unsigned char from[BLOCK]; /* who gave the port; TASKS is the test, NOBODY: not held */
    bool by_block[BLOCK];
} model[TASKS + 1];

static unsigned long seed = 12345;

static unsigned random_below(unsigned n)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (unsigned)(seed >> 33) % n;
}

static bool model_stems_from(unsigned task, unsigned ancestor, unsigned p)
{
    while (task != ancestor && task < TASKS)
        task = model[task].from[p];
    return task == ancestor;
}

static void model_revoke(unsigned task, unsigned p, bool self)
{
    for (unsigned t = 0; t < TASKS; t++)
        if (model[t].from[p] == task && t != task)
            model_revoke(t, p, true);
    if (self)
        model[task].from[p] = NOBODY;
}

static void model_map_port(unsigned to, unsigned from, unsigned p, bool by_block)
{
    if (model[from].from[p] == NOBODY || model_stems_from(from, to, p))
        return;
    if (model[to].from[p] == from)
        return;
    model_revoke(to, p, true);
    model[to].from[p] = (unsigned char)from;
    model[to].by_block[p] = by_block;
}

static void model_map(unsigned to, unsigned from, unsigned first, unsigned n)
{
    bool block = n == BLOCK;

    for (unsigned p = 0; block && p < BLOCK; p++)
        block = model[from].from[p] != NOBODY && model[from].by_block[p];
    for (unsigned p = first; p < first + n; p++)
        model_map_port(to, from, p, block);
}

static void compare(struct child *const task[], unsigned step)
{
    static bool held[WATCHED];

    for (unsigned t = 0; t < TASKS; t++) {
        ports_try(task[t], watched, WATCHED, held);
        for (unsigned i = 0; i < WATCHED; i++)
            if (held[i] != (model[t].from[watched[i]] != NOBODY)) {
                expect_eq(held[i], !held[i]);
                printf("# step %u: task %u, port 0x%x\n", step, t, watched[i]);
            }
    }
}

static void at_random(void)
{
    l4_cap_idx_t cap[TASKS + 1];
    struct child *task[TASKS];

    ports_get();
    memset(model, NOBODY, sizeof(model));
    memset(model[TASKS].by_block, true, sizeof(model[TASKS].by_block));
    for (unsigned p = 0; p < BLOCK; p++)
        model[TASKS].from[p] = TASKS; /* the root of all */
    for (unsigned t = 0; t < TASKS; t++) {
        task[t] = child_new();
        cap[t] = task[t]->task;
    }
    cap[TASKS] = own;
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned order = random_below(3) ? random_below(5) : random_below(2) ? BLOCK_ORDER : 8;
        unsigned first = watched[random_below(WATCHED)] >> order << order;
        unsigned a = random_below(TASKS + 1), b = random_below(TASKS);

        if (random_below(3)) {
            expect_eq(port_map(cap[b], cap[a], first, order), 0);
            if (a != b)
                model_map(b, a, first, 1u << order);
        } else {
            bool all = a != TASKS && random_below(2);

            port_unmap(cap[a], first, order, all ? L4_FP_ALL_SPACES : L4_FP_OTHER_SPACES);
            for (unsigned p = first; p < first + (1u << order); p++)
                if (model[a].from[p] != NOBODY)
                    model_revoke(a, p, all);
        }
        compare(task, step);
    }
    ports_back();
}

const struct test tree_tests[] = {
    {"a port goes with all that stems from it", revoked_with_all_below},
    {"a part of a block goes without the rest", a_part_of_a_block},
    {"mapped over: the same, another, the source", mapped_over},
    {"a grant moves the port in the tree", granted},
    {"at random, four tasks agree with a model", at_random},
    {0},
};
