/*
 * exhaustion/memory.c - mapping and granting memory by l4_task_map, and unmapping
 */
#include "walk.h"

#include <l4/sys/debugger.h>

enum { PAGES = 64 };

static struct child *child;
static l4_addr_t from, to;
static unsigned order;
static l4_umword_t attributes;

static long map(void)
{
    return l4_error(l4_task_map(child->task, L4_BASE_TASK_CAP, l4_fpage(from, order, L4_FPAGE_RW),
                                l4_map_control(to, 0, attributes)));
}

static void nothing_is_mapped(void)
{
    expect(probe_read(child, to).fault);
    witness_check();
}

static void prepare(void)
{
    child = child_new();
    witness_start(memory);
    witness_check();
    attributes = 0;
    order = L4_PAGESHIFT;
    from = memory;
    to = EMPTY_AT;
}

static void small_page(void)
{
    struct walk w = {map, NULL, nothing_is_mapped, -L4_ENOMEM, 5};

    prepare();
    walk(&w); /* three tables, references, a node; perhaps parts */
    expect(!probe_read(child, to).fault);
    /* Its neighbour: only a node. */
    to += L4_PAGESIZE;
    from += L4_PAGESIZE;
    w.at_least = 1;
    walk(&w);
}

static void superpage(void)
{
    struct walk w = {map, NULL, nothing_is_mapped, -L4_ENOMEM, 4};

    prepare();
    order = 21;
    walk(&w);
    expect(!probe_read(child, to + L4_SUPERPAGESIZE - L4_PAGESIZE).fault);
}

static void first_of_its_superpage(void)
{
    struct walk w = {map, NULL, nothing_is_mapped, -L4_ENOMEM, 1};

    prepare();
    from = other_memory;
    walk(&w);
}

/* A chain: the child's superpage, a small part of it mapped on to another child. */
static struct child *second;

static long map_on(void)
{
    return l4_error(l4_task_map(second->task, child->task, l4_fpage(to, order, L4_FPAGE_RW),
                                l4_map_control(EMPTY_AT, 0, attributes)));
}

static void second_has_nothing(void)
{
    expect(probe_read(second, EMPTY_AT).fault);
    expect(!probe_read(child, to).fault);
    witness_check();
}

static void part_of_a_superpage(void)
{
    struct walk w = {map_on, NULL, second_has_nothing, -L4_ENOMEM, 6};

    prepare();
    second = child_new();
    order = 21;
    expect_eq(map(), 0);
    order = L4_PAGESHIFT;
    to += 17 * L4_PAGESIZE;
    walk(&w);
    expect(!probe_read(second, EMPTY_AT).fault);
}

/* What was mapped before the failure stays, from the start without gaps; the rest is not there. */
static void a_part_is_mapped(void)
{
    unsigned i = 0;

    while (i < PAGES && !probe_read(child, to + i * L4_PAGESIZE).fault)
        i++;
    expect(i < PAGES);
    for (; i < PAGES; i++)
        expect(probe_read(child, to + i * L4_PAGESIZE).fault);
    witness_check();
}

static void unmap_destination(void)
{
    l4_task_unmap(child->task, l4_fpage(to, 18, L4_FPAGE_RWX), L4_FP_ALL_SPACES);
}

static void many_pages(void)
{
    struct walk w = {map, unmap_destination, a_part_is_mapped, -L4_ENOMEM, 4 + PAGES};

    prepare();
    order = L4_PAGESHIFT + 6;
    walk(&w);
}

/* Something else is at the destination. When the new page cannot be paid for, the old one may be
 * gone; what is there is the old one, the new one or nothing. */
static void map_old(void)
{
    from = memory + 3 * L4_PAGESIZE;
    expect_eq(map(), 0);
    from = memory + 5 * L4_PAGESIZE;
}

static void old_or_nothing(void)
{
    struct probe p = probe_read(child, to);

    expect(p.fault || p.value == 0x333);
    witness_check();
}

static void over_another_page(void)
{
    struct walk w = {map, map_old, old_or_nothing, -L4_ENOMEM, 1};

    prepare();
    *(volatile l4_umword_t *)(memory + 3 * L4_PAGESIZE) = 0x333;
    *(volatile l4_umword_t *)(memory + 5 * L4_PAGESIZE) = 0x555;
    to += L4_PAGESIZE; /* a neighbour keeps the tables */
    expect_eq(map(), 0);
    to -= L4_PAGESIZE;
    map_old();
    walk(&w);
    expect_eq(probe_read(child, to).value, 0x555);
}

static void granted_page(void)
{
    struct walk w = {map_on, NULL, second_has_nothing, -L4_ENOMEM, 4};

    prepare();
    second = child_new();
    expect_eq(map(), 0);
    attributes = L4_MAP_ITEM_GRANT;
    walk(&w);
    expect(probe_read(child, to).fault);
    expect(!probe_read(second, EMPTY_AT).fault);
}

static void granted_superpage(void)
{
    struct walk w = {map_on, NULL, second_has_nothing, -L4_ENOMEM, 3};

    prepare();
    second = child_new();
    order = 21;
    expect_eq(map(), 0);
    attributes = L4_MAP_ITEM_GRANT;
    walk(&w);
    expect(probe_read(child, to).fault);
    expect(!probe_read(second, EMPTY_AT + 5 * L4_PAGESIZE).fault);
}

/* Unmapping cannot fail. A part of a superpage goes, with the whole if there is no memory. */
static long unmap_part(void)
{
    return l4_error(l4_task_unmap(child->task, l4_fpage(to + L4_PAGESIZE, L4_PAGESHIFT,
                                                        L4_FPAGE_RWX), L4_FP_ALL_SPACES));
}

static void unmapped_part(void)
{
    enum { TRIES = 8 };
    bool kept = false; /* the rest of the superpage, when there was memory for that */

    for (unsigned n = 1; n <= TRIES; n++) {
        struct walk w = {unmap_part, NULL, NULL, 0, 0};

        prepare();
        order = 21;
        expect_eq(map(), 0);
        l4_dbg_kmem_fail(L4_BASE_DEBUGGER_CAP, n, ~0UL);
        expect_eq(unmap_part(), 0);
        l4_dbg_kmem_fail(L4_BASE_DEBUGGER_CAP, 0, 0);
        expect(probe_read(child, to + L4_PAGESIZE).fault);
        kept |= !probe_read(child, to).fault;
        expect_eq(walk(&w), 0);
        expect_eq(destroy(child->task), 0);
        children_reset();
    }
    expect(kept);
}

const struct test memory_tests[] = {
    {"mapping a page, with all page tables and with none", small_page},
    {"mapping a superpage", superpage},
    {"mapping the first part of a superpage", first_of_its_superpage},
    {"mapping a part of a superpage on", part_of_a_superpage},
    {"mapping many pages: those before the failure stay", many_pages},
    {"mapping a page over another", over_another_page},
    {"granting a page", granted_page},
    {"granting a superpage", granted_superpage},
    {"unmapping a part of a superpage always succeeds", unmapped_part},
    {NULL, NULL},
};
