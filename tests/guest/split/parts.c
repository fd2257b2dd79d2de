/*
 * split/parts.c - parts of superpages: exactly what was asked for goes
 */
#include "split.h"

#define ALL L4_FP_ALL_SPACES
#define OTHERS L4_FP_OTHER_SPACES

enum { GONE = 0x5000 };

/* What a task has of the first 2 MiB of the pool at an address: all but [hole, hole + bytes). */
static void expect_all_but(l4_cap_idx_t task, l4_addr_t at, l4_umword_t hole, l4_umword_t bytes)
{
    unsigned wrong = 0;

    for (l4_umword_t o = 0; o < MIB2; o += KIB4)
        wrong += page_at(task, at + o) != (o >= hole && o < hole + bytes ? HOLE : o);
    expect_eq(wrong, 0);
}

static void one_page(void)
{
    l4_cap_idx_t a = task_new();

    pool_map(a, 0, 21, PLACE, L4_FPAGE_RW);
    expect_eq(entered(a), 1);
    unmap(a, PLACE + GONE, 12, L4_FPAGE_RWX, ALL);
    expect_eq(removed(a), 1);
    expect_all_but(a, PLACE, GONE, KIB4);
    unmap(a, PLACE + GONE, 12, L4_FPAGE_RWX, ALL); /* a hole now */
    expect_eq(removed(a), 1);
    unmap(a, PLACE + 0x10000, 16, L4_FPAGE_RWX, ALL);
    expect_eq(removed(a), 17);
    expect_eq(page_at(a, PLACE + 0xf000), 0xf000);
    expect_eq(page_at(a, PLACE + 0x10000), HOLE);
    expect_eq(page_at(a, PLACE + 0x1f000), HOLE);
    expect_eq(page_at(a, PLACE + 0x20000), 0x20000);
    unmap(a, PLACE, 21, L4_FPAGE_RWX, ALL);
    expect_eq(page_at(a, PLACE), HOLE);
    expect_eq(removed(a), 512);
}

/* All that have the superpage, one from the other, lose the page; whoever gave it keeps it. */
static void descendants_of_the_same_size(void)
{
    l4_cap_idx_t a = task_new(), b = task_new(), c = task_new();

    pool_map(a, 0, 21, PLACE, L4_FPAGE_RW);
    move(b, a, PLACE, 21, PLACE2, L4_FPAGE_RW);
    move(c, b, PLACE2, 21, PLACE, L4_FPAGE_RW);
    move(c, b, PLACE2 + GONE, 12, PLACE2, L4_FPAGE_RW);
    move(c, a, PLACE + GONE + KIB4, 12, PLACE2 + KIB4, L4_FPAGE_RW);
    unmap(a, PLACE + GONE, 12, L4_FPAGE_RWX, OTHERS);
    expect_all_but(a, PLACE, MIB2, 0);
    expect_all_but(b, PLACE2, GONE, KIB4);
    expect_all_but(c, PLACE, GONE, KIB4);
    expect_eq(page_at(c, PLACE2), HOLE);
    expect_eq(page_at(c, PLACE2 + KIB4), GONE + KIB4);
    unmap(b, PLACE2 + 2 * GONE, 12, L4_FPAGE_RWX, ALL);
    expect_eq(page_at(a, PLACE + 2 * GONE), 2 * GONE);
    expect_eq(page_at(b, PLACE2 + 2 * GONE), HOLE);
    expect_eq(page_at(c, PLACE + 2 * GONE), HOLE);
    unmap(a, PLACE, 21, L4_FPAGE_RWX, ALL);
    expect_eq(page_at(c, PLACE), HOLE);
    expect_eq(page_at(b, PLACE2), HOLE);
}

/* A page is mapped into the hole, or a superpage over all of it. */
static void holes_are_filled(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    pool_map(a, 0, 21, PLACE, L4_FPAGE_RW);
    unmap(a, PLACE + GONE, 12, L4_FPAGE_RWX, ALL);
    pool_map(a, MIB2 + 0x7000, 12, PLACE + GONE, L4_FPAGE_RW);
    expect_eq(page_at(a, PLACE + GONE), MIB2 + 0x7000);
    /* The flexpage is mapped on with what lies in it. */
    expect_eq(move(b, a, PLACE, 21, PLACE, L4_FPAGE_RW), 0);
    expect_eq(entered(b), 512);
    expect_eq(page_at(b, PLACE + GONE), MIB2 + 0x7000);
    expect_eq(page_at(b, PLACE + GONE + KIB4), GONE + KIB4);
    unmap(a, PLACE + GONE, 12, L4_FPAGE_RWX, ALL);
    expect_eq(page_at(b, PLACE + GONE), HOLE);
    pool_map(a, 0, 21, PLACE, L4_FPAGE_RW);
    expect_all_but(a, PLACE, MIB2, 0);
    expect_eq(page_at(b, PLACE), HOLE); /* it stemmed from what was replaced */
    expect_eq(entered(a), 3);
}

static void rights_of_a_part(void)
{
    struct child *a = child_new(), *b = child_new();

    pool_map(a->task, 0, 21, PLACE, L4_FPAGE_RWX);
    move(b->task, a->task, PLACE, 21, PLACE2, L4_FPAGE_RWX);
    move(b->task, a->task, PLACE + GONE, 12, PLACE, L4_FPAGE_RWX);
    unmap(a->task, PLACE + GONE, 12, L4_FPAGE_W, OTHERS);
    expect_eq(rights_at(a, PLACE + GONE), L4_FPAGE_RWX);
    expect_eq(rights_at(b, PLACE2 + GONE), L4_FPAGE_RX);
    expect_eq(rights_at(b, PLACE), L4_FPAGE_RX);
    expect_eq(rights_at(b, PLACE2 + GONE + KIB4), L4_FPAGE_RWX);
    unmap(a->task, PLACE + GONE, 12, L4_FPAGE_X, ALL);
    expect_eq(rights_at(a, PLACE + GONE), L4_FPAGE_RW);
    expect_eq(rights_at(a, PLACE + GONE - KIB4), L4_FPAGE_RWX);
    expect_eq(rights_at(b, PLACE2 + GONE), L4_FPAGE_RO);
    expect_eq(page_at(b->task, PLACE2 + GONE), GONE);
}

/* Asking costs nobody a superpage, and what is asked about one page is not lost for another. */
static void asking_splits_nothing(void)
{
    struct child *a = child_new();
    l4_umword_t used;

    pool_map(a->task, 0, 21, PLACE, L4_FPAGE_RW);
    used = counter(a->task, L4_DBG_CNT_KMEM_USED);
    unmap(a->task, PLACE, 21, 0, ALL);
    probe_write(a, PLACE + GONE + 16, 1);
    expect_eq(unmap(a->task, PLACE + GONE, 12, 0, ALL) & 2, 2);
    expect_eq(unmap(a->task, PLACE + GONE + KIB4, 12, 0, ALL) & 2, 2);
    expect_eq(unmap(a->task, PLACE, 21, 0, ALL) & 2, 2);
    expect_eq(unmap(a->task, PLACE, 21, 0, ALL), 0);
    expect_eq(counter(a->task, L4_DBG_CNT_KMEM_USED), used);
    /* After a split each page knows for itself. */
    unmap(a->task, PLACE, 12, L4_FPAGE_RWX, ALL);
    probe_write(a, PLACE + GONE + 16, 2);
    expect_eq(unmap(a->task, PLACE + GONE + KIB4, 12, 0, ALL), 0);
    expect_eq(unmap(a->task, PLACE + GONE, 12, 0, ALL), 3);
    expect_eq(unmap(a->task, PLACE + GONE, 12, 0, ALL), 0);
}

/* Without kernel memory for the split all of it goes, and nothing less. */
static void no_memory_to_split(void)
{
    l4_cap_idx_t factory = slot_new(), a = slot_new();
    l4_fpage_t none = {0};
    l4_umword_t used, limit;

    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, factory, 40000)), 0);
    expect_eq(l4_error(l4_factory_create_task(factory, a, &none)), 0);
    pool_map(a, 0, 21, PLACE, L4_FPAGE_RW);
    for (l4_addr_t at = 0x1000000000; pool_map(a, 0, 12, at, L4_FPAGE_RW) == 0; at += 1UL << 21)
        ;
    for (l4_addr_t at = 0x1000001000; pool_map(a, 0, 12, at, L4_FPAGE_RW) == 0; at += KIB4)
        ;
    used = counter(a, L4_DBG_CNT_KMEM_USED);
    limit = counter(a, L4_DBG_CNT_KMEM_LIMIT);
    expect(limit - used < 4096);
    unmap(a, PLACE + GONE, 12, L4_FPAGE_RWX, ALL);
    expect_eq(page_at(a, PLACE + GONE), HOLE);
    expect_eq(page_at(a, PLACE), HOLE);
    expect_eq(page_at(a, PLACE + GONE + KIB4), HOLE);
    expect(counter(a, L4_DBG_CNT_KMEM_USED) < used);
}

enum { CHAIN = 2000 };

/* A chain of superpages: each link has it from the one before, two tasks in turn. */
static void chains_of_superpages(void)
{
    l4_cap_idx_t t[2] = {task_new(), task_new()};
    l4_umword_t before = kernel_memory_free();

    pool_map(t[0], 0, 21, PLACE2, L4_FPAGE_RW);
    for (unsigned long i = 1; i < CHAIN; i++)
        expect_eq(move(t[i % 2], t[(i - 1) % 2], PLACE2 + (i - 1) * MIB2, 21, PLACE2 + i * MIB2,
                       L4_FPAGE_RW), 0);
    unmap(t[0], PLACE2 + GONE, 12, L4_FPAGE_RWX, OTHERS);
    expect_eq(page_at(t[0], PLACE2 + GONE), GONE);
    for (unsigned long i = 1; i < CHAIN; i += 37) {
        expect_eq(page_at(t[i % 2], PLACE2 + i * MIB2 + GONE), HOLE);
        expect_eq(page_at(t[i % 2], PLACE2 + i * MIB2 + GONE + KIB4), GONE + KIB4);
    }
    expect_eq(removed(t[0]) + removed(t[1]), CHAIN - 1);
    unmap(t[0], PLACE2, 21, L4_FPAGE_RWX, ALL);
    expect_eq(page_at(t[1], PLACE2 + MIB2), HOLE);
    expect_eq(kernel_memory_free(), before);
}

const struct test parts_tests[] = {
    {"one page of a superpage goes, the others stay", one_page},
    {"who got the superpage whole loses the same page", descendants_of_the_same_size},
    {"a hole in a superpage is filled, by a page or by a superpage", holes_are_filled},
    {"rights of a part are taken, the other parts keep theirs", rights_of_a_part},
    {"asking about a part splits nothing and forgets nothing", asking_splits_nothing},
    {"without kernel memory for the split the whole mapping goes", no_memory_to_split},
    {"a part is taken out of 2000 superpages that stem from each other", chains_of_superpages},
    {NULL, NULL},
};
