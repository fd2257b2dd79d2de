/*
 * test_ptab.c - page tables against a list of what is mapped where; every store is watched
 */
#include "ptab.h"

#include "test.h"

enum { LEAVES = 400 };

static struct quota quota;
static struct space space;
static uint64_t free_at_start, unflushed;
static kref_t mapping_words[LEAVES]; /* stand in for mappings: only their addresses count */

/* The model: leaves, in no order. */
static struct leaf {
    bool used;
    bool dying;
    uint64_t va;
    unsigned level;
    pte_t value;
    struct mapping *m; /* NULL: kernel-user memory */
} leaf[LEAVES];

static bool is_table(pte_t value, unsigned level)
{
    return (value & PTE_P) && level > 1 && !(value & PTE_PS);
}

/* Nothing present turns into something else but by way of 0, except for a leaf's rights. */
static void watch_store(uint64_t *e, uint64_t old, uint64_t value)
{
    struct kpage *d = kmem_desc(e);

    CHECK(d->kind == KPAGE_TABLE && kptr(d->owner) == &space);
    CHECK(d->level < PTAB_LEVELS || ptab_index(e) < PTAB_ENTRIES / 2);
    CHECK(unflushed == 0);
    if (is_table(old, d->level)) {
        const pte_t *table = mmu_virt(old & PTE_FRAME);

        CHECK(value == 0 && kmem_desc(table)->live == 0);
        for (unsigned i = 0; i < PTAB_ENTRIES; i++)
            CHECK(table[i] == 0);
        unflushed = old & PTE_FRAME;
    } else if ((old & PTE_P) && (value & PTE_P)) {
        CHECK((old & PTE_FRAME) == (value & PTE_FRAME));
    }
    if (is_table(value, d->level))
        CHECK(kmem_desc(mmu_virt(value & PTE_FRAME))->kind == KPAGE_TABLE);
}

static void watch_flush(struct space *s, uint64_t va)
{
    CHECK(s == &space && unflushed);
    CHECK(kmem_desc(mmu_virt(unflushed))->kind == KPAGE_TABLE); /* not free yet */
    CHECK(va >> 21 >= kmem_desc(mmu_virt(unflushed))->base);
    unflushed = 0;
}

static void start(void)
{
    uint64_t total, low;

    kmem_init(host_pool, 2UL << 20);
    ptab_init();
    kmem_stats(&total, &free_at_start, &low);
    quota = (struct quota){ .limit = 1UL << 30 };
    memset(leaf, 0, sizeof(leaf));
    host_pte_watch = watch_store;
    host_flush_watch = watch_flush;
    CHECK(ptab_create(&space, &quota) == 0 && ptab_ok(&space));
    CHECK(space.root_phys == mmu_phys(space.root) && space.root[511] == 0x1003);
}

static void stop(void)
{
    CHECK(ptab_ok(&space) && quota.used == KPAGE_SIZE); /* nothing but the root */
    ptab_destroy(&space);
}

static void leaks(void)
{
    uint64_t total, free, low;

    kmem_fail_nth(0);
    kmem_stats(&total, &free, &low);
    CHECK(free == free_at_start && quota.used == 0 && kmem_ok() && unflushed == 0);
}

static struct leaf *model_find(uint64_t va)
{
    for (unsigned i = 0; i < LEAVES; i++)
        if (leaf[i].used && (va ^ leaf[i].va) >> ptab_shift(leaf[i].level) == 0)
            return &leaf[i];
    return NULL;
}

/* Is some leaf within the page of `level` at va? */
static bool model_below(uint64_t va, unsigned level)
{
    for (unsigned i = 0; i < LEAVES; i++)
        if (leaf[i].used && leaf[i].va >> ptab_shift(level) == va >> ptab_shift(level))
            return true;
    return false;
}

/* Tables and reference tables that the model needs, in bytes. */
static uint64_t model_bytes(void)
{
    uint64_t bytes = KPAGE_SIZE;

    for (unsigned level = 1; level <= 3; level++)
        for (unsigned i = 0; i < LEAVES; i++) {
            bool first = leaf[i].used && leaf[i].level <= level;
            bool first_node = leaf[i].used && leaf[i].level == level && leaf[i].m;
            unsigned shift = ptab_shift(level + 1);

            for (unsigned k = 0; k < i; k++) {
                if (!leaf[k].used || leaf[k].va >> shift != leaf[i].va >> shift)
                    continue;
                first = first && leaf[k].level > level;
                first_node = first_node && !(leaf[k].level == level && leaf[k].m);
            }
            bytes += first ? KPAGE_SIZE : 0;
            bytes += first_node ? PTAB_ENTRIES * sizeof(kref_t) : 0;
        }
    return bytes;
}

static void check_va(uint64_t va)
{
    struct leaf *l = model_find(va);
    unsigned level;
    pte_t *e = ptab_find(&space, va, &level);

    if (!l) {
        CHECK(!e);
        CHECK(!model_below(va, level)); /* the hole is as large as it says */
        CHECK(level == PTAB_LEVELS || model_below(va, level + 1));
        return;
    }
    CHECK(e && level == l->level && *e == (l->dying ? 0 : l->value) && ptab_mapping(e) == l->m);
    CHECK(ptab_space(e) == &space && ptab_va(e) == l->va && ptab_level(e) == level);
}

static uint64_t random_va(unsigned level)
{
    uint64_t va = 0;

    /* few places at each level, so that they meet; the last ones of all too */
    for (unsigned l = 4; l >= level; l--) {
        uint64_t i = random_below(4);

        va |= (i == 3 ? (l == 4 ? 255 : 511) : i) << ptab_shift(l);
    }
    return va;
}

static void check_all(void)
{
    CHECK(ptab_ok(&space) && unflushed == 0 && quota.used == model_bytes());
    for (unsigned i = 0; i < LEAVES; i++)
        if (leaf[i].used)
            check_va(leaf[i].va);
    for (unsigned i = 0; i < 20; i++)
        check_va(random_va(1) + random_below(4096));
}

static void random_enter(unsigned slot)
{
    unsigned level = 1 + (unsigned)random_below(3);
    uint64_t va = random_va(level), used = quota.used;
    bool ku = level == 1 && random_below(4) == 0, larger = false;
    struct leaf *l = model_find(va);
    pte_t *e = NULL;
    int err = ptab_reach(&space, va, level, !ku, &e);

    if (err == -L4_ENOMEM) {
        CHECK(kmem_fail_every || quota.limit < 1UL << 30);
        CHECK(quota.used == used);
        return;
    }
    larger = (l && l->level > level) || (!l && model_below(va, level)) ||
             (l && l->level < level);
    CHECK(err == (larger ? -L4_EEXIST : 0));
    if (err) {
        CHECK(quota.used == used);
        return;
    }
    CHECK(ptab_va(e) == va && ptab_level(e) == level);
    if (l || random_below(4) == 0) {
        ptab_trim(e);
        CHECK(quota.used == used);
        return;
    }
    leaf[slot] = (struct leaf){ true, false, va, level, random_below(1 << 20) << 30 | PTE_P | PTE_U,
                                ku ? NULL : (struct mapping *)&mapping_words[slot] };
    leaf[slot].value |= level > 1 ? PTE_PS : 0;
    leaf[slot].value |= ku ? PTE_KU : 0;
    ptab_put(e, leaf[slot].value, leaf[slot].m);
}

static void random_change(struct leaf *l)
{
    unsigned level;
    pte_t *e = ptab_find(&space, l->va, &level);

    switch (random_below(4)) {
    case 0:
        if (!l->dying) {
            l->value ^= PTE_W;
            ptab_set(e, l->value);
        }
        return;
    case 1:
        if (l->m && !l->dying) {
            CHECK(ptab_clear(e) == l->value);
            l->dying = true;
        }
        return;
    default:
        ptab_drop(e);
        l->used = false;
    }
}

static void random_rounds(unsigned rounds, uint64_t limit, uint64_t fail_nth)
{
    for (unsigned round = 0; round < rounds; round++) {
        start();
        quota.limit = limit;
        kmem_fail_nth(fail_nth);
        for (unsigned i = 0; i < 3000; i++) {
            unsigned slot = (unsigned)random_below(round % 2 ? 30 : LEAVES / 4);

            if (leaf[slot].used)
                random_change(&leaf[slot]);
            else
                random_enter(slot);
            if (i % 16 == 0)
                check_all();
        }
        for (unsigned i = 0; i < LEAVES; i++)
            if (leaf[i].used) {
                unsigned level;

                ptab_drop(ptab_find(&space, leaf[i].va, &level));
                leaf[i].used = false;
                check_all();
            }
        stop();
        leaks();
    }
}

TEST(random_pages_of_all_sizes_agree_with_a_list)
{
    random_rounds(6, 1UL << 30, 0);
}

TEST(exhaustion_at_any_allocation_leaves_no_trace)
{
    for (uint64_t n = 1; n < 8; n++)
        random_rounds(1, 1UL << 30, n);
    random_rounds(2, 80000, 0);
}

TEST(each_allocation_on_the_way_to_a_page_may_fail)
{
    pte_t *e;

    start();
    for (unsigned level = 1; level <= 3; level++)
        for (uint64_t n = 1;; n++) {
            uint64_t stores = host_pte_stores;
            int err;

            kmem_fail_nth(n);
            err = ptab_reach(&space, 0x123456789000, level, true, &e);
            kmem_fail_nth(0);
            if (!err) {
                CHECK(n == 4 - level + 2); /* the tables, the references, and it worked */
                ptab_trim(e);
                break;
            }
            CHECK(err == -L4_ENOMEM && quota.used == KPAGE_SIZE && ptab_ok(&space));
            CHECK((host_pte_stores - stores) % 2 == 0);
        }
    stop();
}

TEST(an_emptied_place_takes_a_superpage)
{
    pte_t *e;
    unsigned level;

    start();
    for (unsigned i = 0; i < PTAB_ENTRIES; i++) {
        CHECK(ptab_reach(&space, 0x40000000 + i * 4096UL, 1, true, &e) == 0);
        ptab_put(e, PTE_P, (struct mapping *)&mapping_words[0]);
    }
    CHECK(ptab_reach(&space, 0x40000000, 2, true, &e) == -L4_EEXIST);
    for (unsigned i = 0; i < PTAB_ENTRIES; i++)
        ptab_drop(ptab_find(&space, 0x40000000 + i * 4096UL, &level));
    CHECK(quota.used == KPAGE_SIZE);
    CHECK(ptab_reach(&space, 0x40000000, 2, true, &e) == 0 && *e == 0);
    ptab_put(e, PTE_P | PTE_PS, (struct mapping *)&mapping_words[0]);
    CHECK(ptab_reach(&space, 0x40001000, 1, true, &e) == -L4_EEXIST);
    ptab_clear(ptab_find(&space, 0x40000000, &level));
    CHECK(ptab_reach(&space, 0x40001000, 1, true, &e) == -L4_EEXIST); /* dying, not gone */
    ptab_drop(ptab_find(&space, 0x40000000, &level));
    stop();
}

TEST(a_run_enters_and_drops_a_whole_table)
{
    struct ptab_run r;
    unsigned level, gone = 0;
    pte_t *e;

    start();
    CHECK(ptab_reach(&space, 0x200000, 1, true, &e) == 0);
    r = ptab_run(e);
    CHECK(ptab_run_length(&r) == PTAB_ENTRIES);
    for (unsigned i = 0; i < ptab_run_length(&r); i++)
        ptab_run_put(&r, i, PTE_P | (uint64_t)i << 12, (struct mapping *)&mapping_words[i % 7]);
    CHECK(ptab_ok(&space));
    r = ptab_run(ptab_find(&space, 0x200000 + 0x5000, &level));
    CHECK(ptab_run_length(&r) == PTAB_ENTRIES - 5);
    for (unsigned i = 0; i < PTAB_ENTRIES - 5; i++) {
        CHECK(ptab_run_mapping(&r, i) == (struct mapping *)&mapping_words[(i + 5) % 7]);
        CHECK(!ptab_run_drop(&r, i));
    }
    r = ptab_run(ptab_find(&space, 0x200000, &level));
    for (unsigned i = 0; i < 5; i++)
        gone += ptab_run_drop(&r, i);
    CHECK(gone == 1);
    stop();
}

#define TESTS(X)                                                                                  \
    X(random_pages_of_all_sizes_agree_with_a_list)                                                \
    X(exhaustion_at_any_allocation_leaves_no_trace)                                               \
    X(each_allocation_on_the_way_to_a_page_may_fail)                                              \
    X(an_emptied_place_takes_a_superpage)                                                         \
    X(a_run_enters_and_drops_a_whole_table)

TEST_MAIN(leaks, TESTS)
