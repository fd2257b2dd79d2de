/*
 * test_mapdb_parts.c - tables of parts, walks over a tree that changes, and what mapdb_ok() sees
 */
#include "mapdb.h"

#include "test.h"

static struct quota quota;
static uint64_t free_at_start;
static struct mapping *root;

static uint64_t free_now(void)
{
    uint64_t total, free, low;

    kmem_stats(&total, &free, &low);
    return free;
}

/* Made from `parent` at page `page` of it; NULL: a root. */
static struct mapping *map(struct mapping *parent, unsigned level, uint64_t page)
{
    struct mapping *m = mapping_new(&quota, level);

    CHECK(m);
    if (parent)
        mapdb_link(mapdb_list(parent, level, page, &quota), parent, m);
    return m;
}

static void start(unsigned level)
{
    kmem_init(host_pool, 1UL << 20);
    mapdb_init();
    free_at_start = free_now();
    quota = (struct quota){.limit = 1UL << 20};
    root = map(NULL, level, 0);
}

/* m and everything below it. */
static void take(struct mapping *m)
{
    struct mapping *c;

    while ((c = mapdb_child(m)) != NULL)
        take(c);
    mapdb_cut(m, 0);
    mapdb_remove(m, &quota);
}

static void finish(void)
{
    CHECK(mapdb_ok(root));
    take(root);
}

static void leaks(void)
{
    kmem_fail_nth(0);
    CHECK(quota.used == 0 && !mapdb_walks && free_now() == free_at_start && kmem_ok());
}

static struct part *parts_of(const struct mapping *m)
{
    return kptr(m->parts & ~(kref_t)MAPPING_FLAGS);
}

/* ---- tables ---- */

TEST(a_child_for_which_there_is_no_memory_leaves_no_table)
{
    start(3);
    for (uint64_t n = 1; n <= 2; n++) {
        kmem_fail_nth(n);
        CHECK(!mapdb_list(root, 1, 12345, &quota) && quota.used == sizeof(*root));
        CHECK(mapdb_ok(root) && root->parts == 3);
    }
    kmem_fail_nth(0);
    finish();
}

TEST(tables_of_parts_go_with_their_last_children)
{
    enum { N = 6 };
    static const uint64_t page[N] = {511 * 512 + 511, 0, 1, 512, 511, 511 * 512};
    static const unsigned tables[N] = {0, 2, 3, 3, 4, 4}; /* when so many are left */
    struct mapping *m[N];

    start(3);
    for (int i = 0; i < N; i++) {
        m[i] = map(root, 1, page[i]);
        CHECK(mapdb_ok(root) && mapdb_child_in(root, 1, page[i]) == m[i]);
    }
    for (unsigned i = N; i-- > 0;) {
        take(m[i]);
        CHECK(mapdb_ok(root) && !mapdb_child_in(root, 1, page[i]));
        CHECK(quota.used == (i + 1) * sizeof(*root) + tables[i] * KPAGE_SIZE);
        for (unsigned j = 0; j < i; j++)
            CHECK(mapdb_child_in(root, 1, page[j]) == m[j]);
    }
    finish();
}

TEST(the_children_of_each_part_are_found_and_no_others)
{
    struct mapping *large, *small, *deep;

    start(3);
    CHECK(!mapdb_child(root) && !mapdb_child_over(root, 513) && !mapdb_child_in(root, 2, 512));
    large = map(root, 2, 512);
    deep = map(root, 1, 1030);
    small = map(large, 1, 6);
    CHECK(mapdb_child_in(root, 2, 512) == large && !mapdb_child_in(root, 1, 513));
    CHECK(mapdb_child_in(root, 2, 1024) == deep && mapdb_child_in(root, 1, 1030) == deep);
    CHECK(!mapdb_child_in(root, 2, 0) && !mapdb_child_in(root, 1, 1031));
    CHECK(mapdb_child_over(root, 513) == large && !mapdb_child_over(root, 511));
    CHECK(!mapdb_child_over(root, 1030) && !mapdb_child_over(large, 6)); /* not of 2 MiB */
    CHECK(mapdb_child(root) == large && mapdb_child(large) == small);
    take(large);
    CHECK(mapdb_child(root) == deep);
    finish();
}

/* The descriptor says what is worth looking at, and no more than that. */
TEST(a_table_begins_with_nothing_in_use_and_nothing_remembered)
{
    const struct kpage *d;

    start(2);
    map(root, 1, 7);
    d = kmem_desc(parts_of(root));
    CHECK(d->live == 1 && d->hint == 7 && d->base == 0 && d->pages == 1);
    CHECK(mapdb_inherited(root, 1, 3, true) == 0 && d->base == 0);
    root->parts |= MAPPING_DIRTY;
    CHECK(mapdb_inherited(root, 1, 3, true) == MAPPING_DIRTY && d->base == 1);
    CHECK(mapdb_inherited(root, 2, 0, true) == MAPPING_DIRTY && d->base == 0);
    map(root, 1, 5);
    CHECK(d->live == 2 && d->hint == 5);
    finish();
}

/* ---- walks while the tree changes ---- */

static unsigned walks(void)
{
    unsigned n = 0;

    for (const struct mapwalk *w = mapdb_walks; w; w = w->next)
        n++;
    return n;
}

TEST(a_walk_whose_place_is_taken_away_moves_on)
{
    static struct mapwalk w;
    struct mapping *same, *small, *below;

    start(2);
    same = map(root, 2, 0);
    small = map(root, 1, 1);
    below = map(same, 1, 0);
    w = mapwalk_start(root);
    mapwalk_register(&w);
    CHECK(mapwalk_move(&w) && w.at == same && mapwalk_move(&w) && w.at == below);
    take(below);
    CHECK(w.at == same && w.up);
    take(same);
    CHECK(w.at == small && !w.up && w.root == root);
    take(small);
    CHECK(w.at == root && w.up);
    CHECK(!mapwalk_move(&w) && !w.root && !w.at);
    mapwalk_unregister(&w);
    finish();
}

TEST(walks_end_when_their_root_goes_and_climbs_when_their_beginning_goes)
{
    static struct mapwalk w[4];
    struct mapping *same, *small, *below;

    start(2);
    same = map(root, 2, 0);
    small = map(root, 1, 1);
    below = map(same, 1, 0);
    w[0] = mapwalk_start(same);
    w[1] = (struct mapwalk){.root = root, .at = same, .from = below};
    w[2] = (struct mapwalk){.root = root, .at = root, .from = small};
    w[3] = mapwalk_start(root);
    for (int i = 0; i < 4; i++)
        mapwalk_register(&w[i]);
    mapwalk_unregister(&w[1]);
    mapwalk_unregister(&w[1]); /* it is not there any more */
    CHECK(walks() == 3);
    mapwalk_register(&w[1]);
    take(below);
    CHECK(!w[1].root && !w[1].at && w[0].root && w[2].root && w[3].root && walks() == 3);
    take(same);
    CHECK(!w[0].root && !w[0].at && w[2].at == root && w[3].root && walks() == 2);
    take(small);
    CHECK(!w[2].root && w[3].at == root && walks() == 1);
    take(root);
    CHECK(!w[3].root && !w[3].at);
}

/* ---- walks that are confined to a part ---- */

enum { NODES = 11 };

/* Everything that covers pages [page, page + n) of the root or lies in them is visited, once, and
 * nothing else is. */
static void check_walk(struct mapping *const *m, const uint64_t *at, unsigned level, uint64_t page)
{
    struct mapwalk w = mapwalk_start(m[0]);
    unsigned seen[NODES] = {0};

    w.level = (uint8_t)level;
    w.page = page;
    do {
        for (unsigned i = 0; i < NODES && !w.up; i++)
            seen[i] += w.at == m[i];
    } while (mapwalk_move(&w));
    for (unsigned i = 0; i < NODES; i++)
        CHECK(seen[i] == (at[i] < page + mapping_pages(level) &&
                          page < at[i] + mapping_pages(mapping_level(m[i]))));
}

TEST(a_walk_confined_to_a_part_visits_what_covers_it_or_lies_in_it)
{
    static const struct {
        unsigned parent, level;
        uint64_t page;
    } plan[NODES] = {
        {0, 3, 0}, {0, 3, 0},   {1, 1, 515},  {0, 2, 512},  {3, 1, 515},       {0, 1, 515},
        {0, 1, 0}, {0, 1, 517}, {0, 1, 1023}, {0, 1, 1030}, {0, 1, 512 * 512 - 1},
    };
    static const uint64_t pages[] = {0, 1, 511, 512, 514, 515, 516, 517, 518, 1022, 1023, 1024,
                                     1029, 1030, 1031, 1535, 1536, 512 * 512 - 2, 512 * 512 - 1};
    struct mapping *m[NODES];
    uint64_t at[NODES];

    start(3);
    for (unsigned i = 0; i < NODES; i++) {
        uint64_t base = i ? at[plan[i].parent] : 0;

        at[i] = plan[i].page;
        m[i] = i ? map(m[plan[i].parent], plan[i].level, plan[i].page - base) : root;
    }
    for (unsigned i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
        for (unsigned level = 1; level <= 3; level++)
            check_walk(m, at, level, pages[i] & ~(mapping_pages(level) - 1));
    finish();
}

/* ---- what was known of accesses, part by part ---- */

static unsigned knows(unsigned level, uint64_t page, bool reset)
{
    return mapdb_inherited(root, level, page, reset);
}

TEST(what_is_forgotten_of_one_part_is_still_known_of_the_others)
{
    start(2);
    map(root, 1, 7);
    root->parts |= MAPPING_DIRTY;
    CHECK(knows(1, 3, false) == MAPPING_DIRTY && knows(1, 3, true) == MAPPING_DIRTY);
    CHECK(knows(1, 3, false) == 0 && knows(1, 4, false) == MAPPING_DIRTY);
    root->parts |= MAPPING_ACCESSED;
    CHECK(knows(1, 3, true) == MAPPING_ACCESSED && knows(1, 511, true) == MAPPING_AD);
    CHECK(knows(1, 511, true) == 0 && knows(1, 0, false) == MAPPING_AD);
    CHECK(knows(2, 0, false) == MAPPING_AD && knows(1, 511, false) == MAPPING_AD);
    CHECK(knows(2, 0, true) == MAPPING_AD && knows(2, 0, false) == 0);
    CHECK(knows(1, 5, false) == 0);
    finish();
}

/* Where nothing remembers the others, and of parts of parts, it is told again. */
TEST(what_cannot_be_forgotten_of_a_part_alone_is_told_again)
{
    struct mapping *m;

    start(3);
    root->parts |= MAPPING_DIRTY;
    CHECK(knows(2, 512, true) == MAPPING_DIRTY && knows(2, 512, true) == MAPPING_DIRTY);
    m = map(root, 1, 0);
    CHECK(knows(1, 512, true) == MAPPING_DIRTY && knows(1, 512, true) == MAPPING_DIRTY);
    CHECK(knows(2, 512, true) == MAPPING_DIRTY && knows(1, 512, true) == 0);
    CHECK(knows(1, 1024, false) == MAPPING_DIRTY && knows(1, 1, true) == MAPPING_DIRTY);
    CHECK(knows(1, 1, true) == MAPPING_DIRTY); /* a part of part 0 */
    CHECK(mapdb_ok(root));
    take(m);
    CHECK(root->parts == (3 | MAPPING_DIRTY)); /* with the table all is the mapping's again */
    finish();
}

/* A table for smaller pages of a part comes to stand where something is remembered for it. */
TEST(what_is_known_of_a_part_stays_known_when_smaller_pages_are_mapped_from_it)
{
    start(3);
    map(root, 2, 512);
    root->parts |= MAPPING_DIRTY;
    CHECK(knows(2, 512, true) == MAPPING_DIRTY && knows(2, 512, false) == 0);
    map(root, 1, 1030);
    CHECK(knows(2, 1024, false) == MAPPING_DIRTY && knows(1, 1030, false) == MAPPING_DIRTY);
    CHECK(knows(2, 512, false) == 0);
    finish();
}

TEST(what_is_forgotten_of_all_parts_is_not_taken_from_the_page_behind_their_table)
{
    enum { PAGES = 8 };
    unsigned char *page[PAGES];

    start(2);
    for (int i = 0; i < PAGES; i++)
        CHECK((page[i] = kmem_page(&quota, KPAGE_TABLE)) != NULL);
    for (int i = 0; i < PAGES; i += 2) /* whatever page becomes the table, one of these is next */
        kmem_page_free(&quota, page[i]);
    for (int i = 1; i < PAGES; i += 2)
        memset(page[i], 0xff, KPAGE_SIZE);
    map(root, 1, 7);
    root->parts |= MAPPING_DIRTY;
    CHECK((uintptr_t)parts_of(root) + KPAGE_SIZE == (uintptr_t)page[1]);
    CHECK(knows(1, 3, true) == MAPPING_DIRTY && knows(2, 0, true) == MAPPING_DIRTY);
    for (int i = 1; i < PAGES; i += 2) {
        for (unsigned k = 0; k < KPAGE_SIZE; k++)
            CHECK(page[i][k] == 0xff);
        kmem_page_free(&quota, page[i]);
    }
    finish();
}

TEST(a_grant_to_somebody_who_pays_from_the_same_quota_costs_nothing)
{
    struct mapping *m;

    start(2);
    m = map(root, 2, 0);
    map(m, 1, 0);
    quota.limit = quota.used;
    CHECK(mapdb_move(m, 0x1000, &quota, &quota) && m->entry == 0x1000);
    CHECK(quota.used == quota.limit && quota.used == 3 * sizeof(*m) + KPAGE_SIZE);
    quota.limit = 1UL << 20;
    finish();
}

/* ---- mapdb_ok(): each mistake is one that it sees ---- */

/* A word is another one. */
#define WRONG(word, value)                                                                        \
    do {                                                                                          \
        __typeof__(word) old = word;                                                              \
        word = (__typeof__(word))(value);                                                         \
        CHECK(!mapdb_ok(root));                                                                   \
        word = old;                                                                               \
        CHECK(mapdb_ok(root));                                                                    \
    } while (0)

TEST(a_list_with_a_wrong_word_is_not_ok)
{
    struct mapping *m, *small;

    start(2);
    m = map(root, 2, 0); /* the last in its list */
    map(root, 2, 0);
    small = map(root, 1, 1);
    WRONG(m->prev, kref(&root->child));
    WRONG(m->parent, kref(small));
    WRONG(m->parts, 1);
    WRONG(m->next, 0);
    WRONG(m->next, kref(&m->child) | MAPPING_END);
    WRONG(small->parts, 1 | kref(parts_of(root)));
    WRONG(root->parts, root->parts & ~(kref_t)MAPPING_LEVEL);
    finish();
}

TEST(a_table_of_parts_with_a_wrong_word_is_not_ok)
{
    struct mapping *large, *deep;
    struct part *table, *small;
    struct kpage *d;

    start(3);
    large = map(root, 2, 512);
    deep = map(root, 1, 1030);
    table = parts_of(root);
    small = kptr(table[2].parts);
    d = kmem_desc(table);
    WRONG(d->kind, KPAGE_FREE);
    WRONG(d->level, 1);
    WRONG(d->up, kref(&large->parts));
    WRONG(d->live, d->live + 1);
    WRONG(d->hint, 2);
    WRONG(d->pages, 1);
    WRONG(table[5].parts, MAPPING_ACCESSED); /* and nobody has noted that */
    WRONG(table[1].child, kref(deep));
    WRONG(kmem_desc(small)->up, kref(&table[1].parts));
    WRONG(small[6].child, 0); /* an empty table */
    finish();
}

TEST(a_table_below_parts_of_the_smallest_size_is_not_ok)
{
    struct part *table;

    start(2);
    map(root, 1, 3);
    table = parts_of(root);
    kmem_desc(table)->live++;
    table[4].parts = kref(table);
    CHECK(!mapdb_ok(root));
    table[4].parts = 0;
    kmem_desc(table)->live--;
    finish();
}

#define TESTS(X)                                                                                  \
    X(a_child_for_which_there_is_no_memory_leaves_no_table)                                        \
    X(tables_of_parts_go_with_their_last_children)                                                 \
    X(the_children_of_each_part_are_found_and_no_others)                                           \
    X(a_table_begins_with_nothing_in_use_and_nothing_remembered)                                   \
    X(a_walk_whose_place_is_taken_away_moves_on)                                                   \
    X(walks_end_when_their_root_goes_and_climbs_when_their_beginning_goes)                         \
    X(a_walk_confined_to_a_part_visits_what_covers_it_or_lies_in_it)                               \
    X(what_is_forgotten_of_one_part_is_still_known_of_the_others)                                  \
    X(what_cannot_be_forgotten_of_a_part_alone_is_told_again)                                      \
    X(what_is_known_of_a_part_stays_known_when_smaller_pages_are_mapped_from_it)                   \
    X(what_is_forgotten_of_all_parts_is_not_taken_from_the_page_behind_their_table)                \
    X(a_grant_to_somebody_who_pays_from_the_same_quota_costs_nothing)                              \
    X(a_list_with_a_wrong_word_is_not_ok)                                                          \
    X(a_table_of_parts_with_a_wrong_word_is_not_ok)                                                \
    X(a_table_below_parts_of_the_smallest_size_is_not_ok)

TEST_MAIN(leaks, TESTS)
