/*
 * split/meeting.c - an unmap that is interrupted, and others that meet it
 *
 * A child of low priority takes something large back; the test sleeps, wakes in the middle of it,
 * and does the same with a part of the tree. What it then looks at must be gone, although the
 * child has not finished.
 */
#include "split.h"

#include <l4/sys/kip.h>

#define ALL L4_FP_ALL_SPACES
#define OTHERS L4_FP_OTHER_SPACES
#define CHAIN_AT 0x100000000UL
#define FAN_AT 0x200000000UL

enum { CHAIN = 6000, FAN = 6000, INNER = 3000, LOW = 20, HIGH = 100 };

struct order {
    l4_addr_t at;
    unsigned rights;
    l4_umword_t mask;
    volatile bool started, done;
};

/* Runs in the child: CHILD_CAP(0) is the task of the test. */
static void carry_out(void *arg)
{
    struct order *o = arg;

    o->started = true;
    l4_task_unmap(CHILD_CAP(0), l4_fpage(o->at, 12, (unsigned char)o->rights), o->mask);
    o->done = true;
}

static l4_addr_t link_at(unsigned long i)
{
    return CHAIN_AT + i * KIB4;
}

/* A chain below the first page of the pool, in one task, and a fan at its end in another. */
static void build(l4_cap_idx_t chain, l4_cap_idx_t fan)
{
    pool_map(chain, 0, 12, link_at(0), L4_FPAGE_RW);
    for (unsigned i = 1; i < CHAIN; i++)
        expect_eq(move(chain, chain, link_at(i - 1), 12, link_at(i), L4_FPAGE_RW), 0);
    for (unsigned i = 0; i < FAN; i++)
        expect_eq(move(fan, chain, link_at(CHAIN - 1), 12, FAN_AT + i * KIB4, L4_FPAGE_RW), 0);
}

/* Let the child begin, and come back while it is at it. */
static void begin(struct child *c, struct order *o)
{
    own_priority(HIGH);
    give(c, L4_BASE_TASK_CAP, CHILD_CAP(0), L4_CAP_FPAGE_RWSD);
    child_priority(c, LOW, 0);
    child_run(c, carry_out, o);
    for (unsigned i = 0; i < 100 && !o->started; i++)
        l4_ipc_sleep_us(1000);
    expect(o->started && !o->done);
}

static void finish(struct order *o)
{
    for (unsigned i = 0; i < 3000 && !o->done; i++)
        l4_ipc_sleep_us(1000);
    expect(o->done);
    own_priority(PRIO_TEST);
}

/* A way to be in the middle: until so much of what the child takes is gone. */
static void wait_for(l4_cap_idx_t task, l4_umword_t gone)
{
    for (unsigned i = 0; i < 1000 && removed(task) < gone; i++)
        l4_ipc_sleep_us(1000);
}

static void inner_after_outer(void)
{
    struct child *c = child_new();
    l4_cap_idx_t chain = task_new(), fan = task_new();
    struct order o = {.at = pool, .rights = L4_FPAGE_RWX, .mask = OTHERS};

    build(chain, fan);
    begin(c, &o);
    wait_for(chain, INNER + 10);
    expect(!o.done);
    unmap(chain, link_at(INNER), 12, L4_FPAGE_RWX, ALL);
    for (unsigned i = INNER; i < CHAIN; i += 61)
        expect_eq(page_at(chain, link_at(i)), HOLE);
    expect_eq(removed(fan), FAN);
    finish(&o);
    expect_eq(removed(chain), CHAIN);
    expect_eq(page_at(L4_BASE_TASK_CAP, pool), 0);
}

static void same_twice(void)
{
    struct child *c = child_new();
    l4_cap_idx_t chain = task_new(), fan = task_new();
    struct order o = {.at = pool, .rights = L4_FPAGE_RWX, .mask = OTHERS};

    build(chain, fan);
    begin(c, &o);
    unmap(L4_BASE_TASK_CAP, pool, 12, L4_FPAGE_RWX, OTHERS);
    expect_eq(removed(chain), CHAIN);
    expect_eq(removed(fan), FAN);
    finish(&o);
}

/* The one who is taken from maps on, as fast as it can. */
static void nothing_escapes(void)
{
    struct child *c = child_new();
    l4_cap_idx_t chain = task_new(), fan = task_new();
    struct order o = {.at = pool, .rights = L4_FPAGE_RWX, .mask = OTHERS};

    build(chain, fan);
    begin(c, &o);
    for (unsigned i = 0; !o.done && i < 2000; i++) {
        move(fan, chain, link_at(i * 7 % CHAIN), 12, FAN_AT + (FAN + i) * KIB4, L4_FPAGE_RW);
        move(fan, fan, FAN_AT + i * KIB4, 12, FAN_AT + (2 * FAN + i) * KIB4, L4_FPAGE_RW);
        if (i % 16 == 0)
            l4_ipc_sleep_us(1000);
    }
    finish(&o);
    expect_eq(removed(chain), entered(chain));
    expect_eq(removed(fan), entered(fan));
}

/* Rights are lowered by one, while another takes the tree apart where that one is. */
static void downgrade_meets_unmap(void)
{
    struct child *c = child_new();
    l4_cap_idx_t chain = task_new(), fan = task_new();
    struct order o = {.at = pool, .rights = L4_FPAGE_W, .mask = OTHERS};
    struct child *eyes = child_new();

    build(chain, fan);
    begin(c, &o);
    for (unsigned i = 500; i < CHAIN && !o.done; i += 500) {
        unmap(chain, link_at(CHAIN - i), 12, L4_FPAGE_RWX, ALL);
        l4_ipc_sleep_us(1000);
    }
    finish(&o);
    for (unsigned i = 0; i < 400; i += 67) {
        move(eyes->task, chain, link_at(i), 12, PLACE, L4_FPAGE_RWX);
        expect_eq(rights_at(eyes, PLACE) & L4_FPAGE_W, 0);
    }
}

/* Who dies in the middle of it leaves a tree that others can take away. */
static void death_in_the_middle(void)
{
    struct child *c = child_new();
    l4_cap_idx_t chain = task_new(), fan = task_new();
    struct order o = {.at = pool, .rights = L4_FPAGE_RWX, .mask = OTHERS};

    build(chain, fan);
    begin(c, &o);
    wait_for(chain, 100);
    destroy(c->thread);
    expect(!o.done);
    unmap(L4_BASE_TASK_CAP, pool, 12, L4_FPAGE_RWX, OTHERS);
    expect_eq(removed(chain), CHAIN);
    expect_eq(removed(fan), FAN);
    own_priority(PRIO_TEST);
}

const struct test meeting_tests[] = {
    {"an inner unmap returns when its part is gone, though an outer one was there first",
     inner_after_outer},
    {"the same unmap by two: each returns when all is gone", same_twice},
    {"nothing escapes an unmap that is interrupted, however much is mapped on", nothing_escapes},
    {"rights are lowered in what is left, whoever takes away the rest", downgrade_meets_unmap},
    {"a thread that dies in the middle of an unmap", death_in_the_middle},
    {NULL, NULL},
};
