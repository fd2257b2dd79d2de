/*
 * map/grant.c - a mapping moves: its place in the tree, its children, its charge
 */
#include "pool.h"

#define ALL L4_FP_ALL_SPACES
enum { OTHERS = L4_FP_OTHER_SPACES };

static void moves(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    expect_eq(move_grant(b, a, PLACE, 12, PLACE2, L4_FPAGE_RW), 0);
    expect_eq(page_at(a, PLACE), HOLE);
    expect_eq(page_at(b, PLACE2), 0x1000);
}

static void ancestors_still_rule(void)
{
    l4_cap_idx_t a = task_new(), b = task_new(), c = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    move(b, a, PLACE, 12, PLACE, L4_FPAGE_RW);
    move_grant(c, b, PLACE, 12, PLACE, L4_FPAGE_RW);
    unmap(a, PLACE, 12, L4_FPAGE_RWX, OTHERS);
    expect_eq(page_at(c, PLACE), HOLE);
    expect_eq(page_at(a, PLACE), 0x1000);
}

static void children_come_along(void)
{
    l4_cap_idx_t a = task_new(), b = task_new(), c = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    move(c, a, PLACE, 12, PLACE, L4_FPAGE_RW);
    move_grant(b, a, PLACE, 12, PLACE2, L4_FPAGE_RW);
    expect_eq(page_at(c, PLACE), 0x1000);
    unmap(a, PLACE, 12, L4_FPAGE_RWX, OTHERS);
    expect_eq(page_at(c, PLACE), 0x1000); /* no longer a's */
    unmap(b, PLACE2, 12, L4_FPAGE_RWX, OTHERS);
    expect_eq(page_at(c, PLACE), HOLE);
    expect_eq(page_at(b, PLACE2), 0x1000);
}

static void fewer_rights(void)
{
    struct child *b = child_new(), *c = child_new();
    l4_cap_idx_t a = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RWX);
    move(c->task, a, PLACE, 12, PLACE, L4_FPAGE_RWX);
    move_grant(b->task, a, PLACE, 12, PLACE2, L4_FPAGE_RX);
    expect_eq(rights_at(b, PLACE2), L4_FPAGE_RX);
    expect_eq(rights_at(c, PLACE), L4_FPAGE_RX);
}

static void no_rights_no_grant(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    expect_eq(move_grant(b, a, PLACE, 12, PLACE2, L4_FPAGE_W), 0);
    expect_eq(move_grant(b, a, PLACE, 12, 0x800000000000, L4_FPAGE_RW), 0);
    expect_eq(move_grant(b, a, PLACE, 12, CHILD_UTCB_ADDR, L4_FPAGE_RW), 0);
    expect_eq(page_at(a, PLACE), 0x1000);
    expect_eq(page_at(b, PLACE2), HOLE);
}

static void aliases_stay(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    pool_map(a, 0x1000, 12, PLACE + KIB4, L4_FPAGE_RW);
    move(a, a, PLACE, 12, PLACE + 2 * KIB4, L4_FPAGE_RW);
    move_grant(b, a, PLACE, 12, PLACE2, L4_FPAGE_RW);
    expect_eq(page_at(a, PLACE), HOLE);
    expect_eq(page_at(a, PLACE + KIB4), 0x1000);
    expect_eq(page_at(a, PLACE + 2 * KIB4), 0x1000);
    unmap(b, PLACE2, 12, L4_FPAGE_RWX, ALL);
    expect_eq(page_at(a, PLACE + KIB4), 0x1000);
    expect_eq(page_at(a, PLACE + 2 * KIB4), HOLE); /* it stemmed from what was granted */
}

static void superpages(void)
{
    l4_cap_idx_t a = task_new(), b = task_new(), c = task_new();

    pool_map(a, 0, 21, PLACE, L4_FPAGE_RW);
    move(c, a, PLACE + 0x7000, 12, PLACE, L4_FPAGE_RW);
    /* Whole, with its small child. */
    expect_eq(move_grant(b, a, PLACE, 21, PLACE2, L4_FPAGE_RW), 0);
    expect_eq(page_at(a, PLACE), HOLE);
    expect_eq(page_at(b, PLACE2 + 0x1ff000), 0x1ff000);
    expect_eq(page_at(c, PLACE), 0x7000);
    unmap(b, PLACE2 + 0x7000, 12, L4_FPAGE_RWX, OTHERS);
    expect_eq(page_at(c, PLACE), HOLE);
    /* A part: that is a map. */
    expect_eq(move_grant(c, b, PLACE2 + 0x5000, 12, PLACE, L4_FPAGE_RW), 0);
    expect_eq(page_at(b, PLACE2 + 0x5000), 0x5000);
    expect_eq(page_at(c, PLACE), 0x5000);
    unmap(b, PLACE2, 21, L4_FPAGE_RWX, OTHERS);
    expect_eq(page_at(c, PLACE), HOLE);
    /* Into a place where it cannot be whole: a map of 512 pages. */
    expect_eq(move_grant(c, b, PLACE2, 20, PLACE, L4_FPAGE_RW), 0);
    expect_eq(page_at(b, PLACE2), 0);
    expect_eq(page_at(c, PLACE + 0xff000), 0xff000);
}

static void over_something(void)
{
    l4_cap_idx_t a = task_new(), b = task_new(), c = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    pool_map(b, 0x2000, 12, PLACE, L4_FPAGE_RW);
    move(c, b, PLACE, 12, PLACE, L4_FPAGE_RW);
    expect_eq(move_grant(b, a, PLACE, 12, PLACE, L4_FPAGE_RW), 0);
    expect_eq(page_at(b, PLACE), 0x1000);
    expect_eq(page_at(c, PLACE), HOLE);
    expect_eq(page_at(a, PLACE), HOLE);
}

/* To an ancestor's place nothing is granted; within a task a page moves. */
static void to_itself(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    expect_eq(move_grant(a, a, PLACE, 12, PLACE, L4_FPAGE_RW), 0);
    expect_eq(page_at(a, PLACE), 0x1000);
    expect_eq(move_grant(a, a, PLACE, 12, PLACE2, L4_FPAGE_RW), 0);
    expect_eq(page_at(a, PLACE), HOLE);
    expect_eq(page_at(a, PLACE2), 0x1000);
    move(b, a, PLACE2, 12, PLACE, L4_FPAGE_RW);
    expect_eq(move_grant(a, b, PLACE, 12, PLACE2, L4_FPAGE_RW), 0);
    expect_eq(page_at(a, PLACE2), 0x1000);
    expect_eq(page_at(b, PLACE), 0x1000);
}

static void many_pages(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();
    l4_umword_t used = counter(a, L4_DBG_CNT_KMEM_USED);

    pool_map(a, 0, 20, PLACE, L4_FPAGE_RW);
    expect_eq(move_grant(b, a, PLACE, 20, PLACE2, L4_FPAGE_RW), 0);
    expect_eq(page_at(a, PLACE), HOLE);
    expect_eq(page_at(a, PLACE + 0xff000), HOLE);
    expect_eq(page_at(b, PLACE2), 0);
    expect_eq(page_at(b, PLACE2 + 0xff000), 0xff000);
    unmap(b, PLACE2, 20, L4_FPAGE_RWX, ALL);
    expect_eq(counter(a, L4_DBG_CNT_KMEM_USED), used);
}

/* Through a message, and what it knew of accesses goes along. */
static void through_ipc(void)
{
    struct child *a = child_new(), *b = child_new();
    struct job *r = job_new(L4_SYSF_WAIT, L4_INVALID_CAP), *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    pool_map(a->task, 0x1000, 12, PLACE, L4_FPAGE_RW);
    probe_write(a, PLACE + 16, 1);
    r->br[0] = L4_ITEM_MAP;
    r->br[1] = l4_fpage(PLACE2, 16, 0).raw;
    s->tag = l4_msgtag(0, 0, 1, 0);
    s->mr[0] = l4_map_control(0x3000, 0, L4_MAP_ITEM_GRANT);
    s->mr[1] = l4_fpage(PLACE, 12, L4_FPAGE_RW).raw;
    job_start(b, r);
    job_start(a, s);
    expect(s->done && r->done);
    expect_eq(r->got[0], 0x3000 | (s->mr[1] & 0xff0) | L4_ITEM_MAP);
    expect_eq(page_at(a->task, PLACE), HOLE);
    expect_eq(page_at(b->task, PLACE2 + 0x3000), 0x1000);
    expect_eq(unmap(b->task, PLACE2 + 0x3000, 12, 0, ALL), L4_FPAGE_REFERENCED | L4_FPAGE_DIRTY);
    expect_eq(rights_at(a, PLACE), 0);
}

static l4_cap_idx_t task_with_limit(l4_umword_t limit)
{
    l4_cap_idx_t factory = slot_new(), task = slot_new();
    l4_fpage_t none = {0};

    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, factory, limit)), 0);
    expect_eq(l4_error(l4_factory_create_task(factory, task, &none)), 0);
    return task;
}

static void charge_moves(void)
{
    l4_cap_idx_t a = task_with_limit(100000), b = task_with_limit(100000);
    l4_umword_t empty_a = counter(a, L4_DBG_CNT_KMEM_USED), full_a;
    l4_umword_t empty_b = counter(b, L4_DBG_CNT_KMEM_USED);

    pool_map(a, 0, 16, PLACE, L4_FPAGE_RW);
    full_a = counter(a, L4_DBG_CNT_KMEM_USED);
    expect(full_a > empty_a);
    expect_eq(move_grant(b, a, PLACE, 16, PLACE, L4_FPAGE_RW), 0);
    expect_eq(counter(a, L4_DBG_CNT_KMEM_USED), empty_a);
    expect_eq(counter(b, L4_DBG_CNT_KMEM_USED) - empty_b, full_a - empty_a);
    unmap(b, PLACE, 16, L4_FPAGE_RWX, ALL);
    expect_eq(counter(b, L4_DBG_CNT_KMEM_USED), empty_b);
}

/* One who cannot pay gets nothing, and the giver keeps it. */
static void poor_receiver(void)
{
    l4_cap_idx_t a = task_new(), b;
    l4_umword_t used;

    b = task_with_limit(256 + 4096 + 4096 + 5000);
    used = counter(b, L4_DBG_CNT_KMEM_USED);
    pool_map(a, 0x1000, 12, PLACE, L4_FPAGE_RW);
    expect_eq(move_grant(b, a, PLACE, 12, PLACE, L4_FPAGE_RW), -L4_ENOMEM);
    expect_eq(page_at(a, PLACE), 0x1000);
    expect_eq(page_at(b, PLACE), HOLE);
    expect_eq(counter(b, L4_DBG_CNT_KMEM_USED), used);
}

const struct test grant_tests[] = {
    {"a granted page is the receiver's, and no longer the sender's", moves},
    {"a granted page still obeys those above", ancestors_still_rule},
    {"a granted page keeps what was mapped from it", children_come_along},
    {"a grant with fewer rights lowers those of the children", fewer_rights},
    {"a grant that maps nothing takes nothing", no_rights_no_grant},
    {"other mappings of the same frame stay", aliases_stay},
    {"a superpage is granted whole; a part of it is mapped", superpages},
    {"a granted page replaces what was there", over_something},
    {"a grant within a task moves; onto itself or an ancestor it does nothing", to_itself},
    {"many pages granted at once leave no table behind", many_pages},
    {"a grant in a message, with accessed and dirty", through_ipc},
    {"the charge moves with the page", charge_moves},
    {"who cannot pay is not granted anything", poor_receiver},
    {NULL, NULL},
};
