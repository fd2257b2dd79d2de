/*
 * map/quota.c - mappings cost kernel memory: errors at the limit, and everything comes back
 */
#include "pool.h"

static l4_cap_idx_t factory_of(l4_umword_t limit)
{
    l4_cap_idx_t factory = slot_new();

    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, factory, limit)), 0);
    return factory;
}

static l4_cap_idx_t task_from(l4_cap_idx_t factory)
{
    l4_cap_idx_t task = slot_new();
    l4_fpage_t none = {0};

    expect_eq(l4_error(l4_factory_create_task(factory, task, &none)), 0);
    return task;
}

/* Pages far from each other, so that each needs tables of its own. */
static l4_addr_t far_place(unsigned i)
{
    return 0x100000000UL + i * (MIB2 + KIB4);
}

static void limit_is_exact(void)
{
    l4_cap_idx_t task = task_from(factory_of(200000));
    l4_umword_t empty = counter(task, L4_DBG_CNT_KMEM_USED), used = empty;
    l4_umword_t limit = counter(task, L4_DBG_CNT_KMEM_LIMIT);
    unsigned n = 0;
    long err;

    expect_eq(limit, 200000);
    while ((err = pool_map(task, n * KIB4, 12, far_place(n), L4_FPAGE_RW)) == 0 && n < 1000) {
        used = counter(task, L4_DBG_CNT_KMEM_USED);
        expect(used <= limit);
        n++;
    }
    expect_eq(err, -L4_ENOMEM);
    expect(n > 10);
    expect_eq(counter(task, L4_DBG_CNT_KMEM_USED), used); /* the one that failed left no trace */
    for (unsigned i = 0; i <= n; i++)
        expect_eq(page_at(task, far_place(i)), i < n ? i * KIB4 : HOLE);
    unmap(task, 0, L4_WHOLE_ADDRESS_SPACE, L4_FPAGE_RWX, L4_FP_ALL_SPACES);
    expect_eq(counter(task, L4_DBG_CNT_KMEM_USED), empty);
    expect_eq(pool_map(task, 0, 12, far_place(0), L4_FPAGE_RW), 0);
}

/* With every limit from "not even a table" on: nothing or the page, and the charge says which. */
static void every_limit(void)
{
    l4_umword_t base;
    unsigned failed = 0, mapped = 0;

    base = counter(task_from(factory_of(100000)), L4_DBG_CNT_KMEM_USED);
    for (l4_umword_t extra = 0; extra < 5 * 4096; extra += 512) {
        l4_cap_idx_t task = task_from(factory_of(base + extra));
        long err = pool_map(task, 0x1000, 12, PLACE, L4_FPAGE_RW);

        expect(err == 0 || err == -L4_ENOMEM);
        expect_eq(page_at(task, PLACE), err ? HOLE : 0x1000);
        if (err)
            expect_eq(counter(task, L4_DBG_CNT_KMEM_USED), base);
        failed += err != 0;
        mapped += err == 0;
    }
    expect(failed > 20 && mapped > 2);
}

static void what_was_mapped_stays(void)
{
    l4_cap_idx_t task = task_from(factory_of(25000));
    unsigned n = 0;

    /* 512 mappings do not fit: -L4_ENOMEM, and the first ones are there. */
    for (unsigned i = 0; i < 8; i++)
        expect_eq(page_at(task, PLACE + i * KIB4), HOLE);
    expect_eq(pool_map(task, KIB4, 12, PLACE2, L4_FPAGE_RW), 0);
    unmap(task, PLACE2, 12, L4_FPAGE_RWX, L4_FP_ALL_SPACES);
    expect_eq(move(task, L4_BASE_TASK_CAP, pool, 20, PLACE, L4_FPAGE_RW), -L4_ENOMEM);
    while (page_at(task, PLACE + n * KIB4) == n * KIB4)
        n++;
    expect(n > 10 && n < 256);
    for (unsigned i = n; i < 256; i++)
        expect_eq(page_at(task, PLACE + i * KIB4), HOLE);
}

/* Small pages from a superpage: the sender pays for its table of parts. */
static void parts_are_paid_by_who_has_the_superpage(void)
{
    l4_cap_idx_t from = task_from(factory_of(40000)), to = task_from(factory_of(100000));
    l4_umword_t used_from, used_to = counter(to, L4_DBG_CNT_KMEM_USED);

    expect_eq(pool_map(from, 0, 21, PLACE, L4_FPAGE_RW), 0);
    used_from = counter(from, L4_DBG_CNT_KMEM_USED);
    expect_eq(move(to, from, PLACE + KIB4, 12, PLACE, L4_FPAGE_RW), 0);
    expect_eq(counter(from, L4_DBG_CNT_KMEM_USED), used_from + 4096);
    unmap(from, PLACE, 21, L4_FPAGE_RWX, L4_FP_OTHER_SPACES);
    expect_eq(counter(from, L4_DBG_CNT_KMEM_USED), used_from);
    expect_eq(counter(to, L4_DBG_CNT_KMEM_USED), used_to);
}

static void death_returns_everything(void)
{
    l4_cap_idx_t factory = factory_of(500000);
    l4_cap_idx_t task = task_from(factory), other = task_from(factory);
    l4_umword_t before = counter(other, L4_DBG_CNT_KMEM_USED);
    l4_cap_idx_t third;

    for (unsigned i = 0; i < 20; i++)
        expect_eq(pool_map(task, i * KIB4, 12, far_place(i), L4_FPAGE_RW), 0);
    expect_eq(destroy(task), 0);
    third = task_from(factory);
    expect_eq(counter(third, L4_DBG_CNT_KMEM_USED), before);
}

const struct test quota_tests[] = {
    {"at the limit mapping fails, without a trace and without harm", limit_is_exact},
    {"every shortage fails cleanly", every_limit},
    {"pages mapped before the failing one stay", what_was_mapped_stays},
    {"who has a superpage pays for the parts others map from it",
     parts_are_paid_by_who_has_the_superpage},
    {"the death of a task returns what its mappings cost", death_returns_everything},
    {NULL, NULL},
};
