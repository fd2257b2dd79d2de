/*
 * map/over.c - mapping where something is mapped already: add rights, replace, or do nothing
 */
#include "pool.h"

static void rights_are_added(void)
{
    struct child *c = child_new();
    l4_umword_t before;

    pool_map(c->task, 0x1000, 12, PLACE, L4_FPAGE_R);
    expect_eq(rights_at(c, PLACE), L4_FPAGE_R);
    pool_map(c->task, 0x1000, 12, PLACE, L4_FPAGE_RW);
    expect_eq(rights_at(c, PLACE), L4_FPAGE_RW);
    pool_map(c->task, 0x1000, 12, PLACE, L4_FPAGE_RX);
    expect_eq(rights_at(c, PLACE), L4_FPAGE_RWX);
    before = removed(c->task);
    pool_map(c->task, 0x1000, 12, PLACE, L4_FPAGE_R);
    expect_eq(rights_at(c, PLACE), L4_FPAGE_RWX);
    expect_eq(removed(c->task), before);
}

/* In place: those who mapped on keep what they have. */
static void adding_keeps_children(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_R);
    move(b, a, PLACE, 12, PLACE, L4_FPAGE_R);
    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    expect_eq(page_at(b, PLACE), 0x1000);
    unmap(a, PLACE, 12, L4_FPAGE_RWX, L4_FP_OTHER_SPACES);
    expect_eq(page_at(b, PLACE), HOLE);
    expect_eq(page_at(a, PLACE), 0x1000);
}

static void another_frame_replaces(void)
{
    l4_cap_idx_t a = task_new(), b = task_new(), c = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    move(b, a, PLACE, 12, PLACE, L4_FPAGE_RW);
    move(c, b, PLACE, 12, PLACE2, L4_FPAGE_RW);
    pool_map(a, 0x2000, 12, PLACE, L4_FPAGE_RW);
    expect_eq(page_at(a, PLACE), 0x2000);
    expect_eq(page_at(b, PLACE), HOLE);
    expect_eq(page_at(c, PLACE2), HOLE);
}

/* The same frame, but from somebody else: now it hangs there. */
static void another_sender_replaces(void)
{
    l4_cap_idx_t a = task_new(), b = task_new(), c = task_new();
    struct child *to = child_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    pool_map(b, 0x1000, 12, PLACE, L4_FPAGE_RW);
    move(to->task, a, PLACE, 12, PLACE, L4_FPAGE_RW);
    move(c, to->task, PLACE, 12, PLACE, L4_FPAGE_RW);
    expect_eq(rights_at(to, PLACE), L4_FPAGE_RW);
    move(to->task, b, PLACE, 12, PLACE, L4_FPAGE_R);
    expect_eq(rights_at(to, PLACE), L4_FPAGE_R);
    expect_eq(page_at(c, PLACE), HOLE);
    unmap(a, PLACE, 12, L4_FPAGE_RWX, L4_FP_ALL_SPACES);
    expect_eq(page_at(to->task, PLACE), 0x1000);
    unmap(b, PLACE, 12, L4_FPAGE_RWX, L4_FP_OTHER_SPACES);
    expect_eq(page_at(to->task, PLACE), HOLE);
}

static void onto_itself(void)
{
    l4_cap_idx_t a = task_new();
    struct child *b = child_new();
    l4_umword_t before;

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RWX);
    before = entered(a);
    expect_eq(move(a, a, PLACE, 12, PLACE, L4_FPAGE_R), 0);
    expect_eq(entered(a), before);
    expect_eq(page_at(a, PLACE), 0x1000);
    /* Nor does it lower rights. */
    move(b->task, a, PLACE, 12, PLACE, L4_FPAGE_RWX);
    expect_eq(move(b->task, b->task, PLACE, 12, PLACE, L4_FPAGE_R), 0);
    expect_eq(rights_at(b, PLACE), L4_FPAGE_RWX);
}

static void onto_an_ancestor(void)
{
    l4_cap_idx_t a = task_new(), b = task_new(), c = task_new();
    l4_umword_t before;

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    move(b, a, PLACE, 12, PLACE, L4_FPAGE_RW);
    move(c, b, PLACE, 12, PLACE2, L4_FPAGE_RW);
    before = entered(a) + removed(a);
    expect_eq(move(a, c, PLACE2, 12, PLACE, L4_FPAGE_RW), 0);
    expect_eq(move(b, c, PLACE2, 12, PLACE, L4_FPAGE_RW), 0);
    expect_eq(entered(a) + removed(a), before);
    expect_eq(page_at(a, PLACE), 0x1000);
    expect_eq(page_at(b, PLACE), 0x1000);
    expect_eq(page_at(c, PLACE2), 0x1000);
}

/* A page of a superpage, mapped back over the superpage or elsewhere in it. */
static void onto_an_ancestor_superpage(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    pool_map(a, 0, 21, PLACE, L4_FPAGE_RW);
    move(b, a, PLACE + 0x5000, 12, PLACE, L4_FPAGE_RW);
    expect_eq(move(a, b, PLACE, 12, PLACE + 0x5000, L4_FPAGE_RW), 0);
    expect_eq(move(a, b, PLACE, 12, PLACE + 0x9000, L4_FPAGE_RW), 0);
    expect_eq(page_at(a, PLACE), 0);
    expect_eq(page_at(a, PLACE + 0x5000), 0x5000);
    expect_eq(page_at(a, PLACE + 0x9000), 0x9000);
    expect_eq(page_at(b, PLACE), 0x5000);
}

/* An alias in the same task is a child like any other. */
static void alias_in_the_same_task(void)
{
    struct child *c = child_new();

    pool_map(c->task, 0x3000, 12, PLACE, L4_FPAGE_RW);
    expect_eq(move(c->task, c->task, PLACE, 12, PLACE2, L4_FPAGE_R), 0);
    expect_eq(rights_at(c, PLACE2), L4_FPAGE_R);
    expect_eq(rights_at(c, PLACE), L4_FPAGE_RW);
    unmap(c->task, PLACE, 12, L4_FPAGE_RWX, L4_FP_OTHER_SPACES);
    expect_eq(rights_at(c, PLACE2), 0);
    expect_eq(rights_at(c, PLACE), L4_FPAGE_RW);
}

/* Replacing what the source stems from would take the source away: the source wins. */
static void over_parent_of_the_source_at_another_place(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    pool_map(a, 0x2000, 12, PLACE + KIB4, L4_FPAGE_RW);
    move(b, a, PLACE, 13, PLACE, L4_FPAGE_RW);
    /* Crosswise: each comes to lie over the parent of the other. */
    expect_eq(move(a, b, PLACE, 12, PLACE + KIB4, L4_FPAGE_RW), 0);
    expect_eq(page_at(a, PLACE + KIB4), 0x1000);
    expect_eq(page_at(b, PLACE + KIB4), HOLE);
    expect_eq(page_at(a, PLACE), 0x1000);
    expect_eq(page_at(b, PLACE), 0x1000);
}

/* Every page over its neighbour's place, in one flexpage that moves by one page. */
static void shifted_over_itself(void)
{
    l4_cap_idx_t a = task_new();

    for (unsigned i = 0; i < 8; i++)
        pool_map(a, i * KIB4, 12, PLACE + i * KIB4, L4_FPAGE_RW);
    for (unsigned i = 0; i < 7; i++)
        expect_eq(move(a, a, PLACE + i * KIB4, 12, PLACE + (i + 1) * KIB4, L4_FPAGE_RW), 0);
    /* Page 1 became an alias of page 0, page 2 an alias of that, and so on. */
    for (unsigned i = 0; i < 8; i++)
        expect_eq(page_at(a, PLACE + i * KIB4), 0);
    unmap(a, PLACE + 3 * KIB4, 12, L4_FPAGE_RWX, L4_FP_ALL_SPACES);
    for (unsigned i = 0; i < 8; i++)
        expect_eq(page_at(a, PLACE + i * KIB4), i < 3 ? 0 : HOLE);
}

const struct test over_tests[] = {
    {"the same page from the same source: rights are added in place, never taken",
     rights_are_added},
    {"rights added in place keep what was mapped from there", adding_keeps_children},
    {"another frame replaces the old one, with all that was mapped from it",
     another_frame_replaces},
    {"the same frame from another source replaces the old mapping", another_sender_replaces},
    {"a page mapped onto itself stays as it is", onto_itself},
    {"a page mapped onto one it stems from changes nothing", onto_an_ancestor},
    {"a page mapped into the superpage it stems from changes nothing",
     onto_an_ancestor_superpage},
    {"an alias in the same task is taken away by unmap of its source", alias_in_the_same_task},
    {"pages crossed with each other's parents", over_parent_of_the_source_at_another_place},
    {"a row of pages mapped over its own neighbours", shifted_over_itself},
    {NULL, NULL},
};
