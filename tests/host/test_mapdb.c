/*
 * test_mapdb.c - the mapping database against the dumbest tree: every node remembers who gave it
 *
 * The model's tree never changes: `origin` is the mapping that a mapping was made from, gone or
 * not. From it follows what must be true after every step, however revokes interrupt each other:
 * the database's parent is the origin, and it is there as long as the node is.
 */
#include "mapdb.h"

#include "test.h"
#include "trees.h"

enum { NODES = 1500, QUOTAS = 4, PENDING = 6 };

static struct quota quota[QUOTAS];
static uint64_t free_at_start;

static struct node {
    bool live;
    bool dying;
    int origin; /* -1: a root */
    unsigned level;
    uint64_t page; /* of its start, absolute */
    unsigned q;
    unsigned ad;    /* what the page-table entry says */
    unsigned flags; /* inherited */
    struct mapping *m;
} node[NODES];
static int nodes;

struct revoke {
    char form; /* 'a' whole, 'b' descendants, 'c' below one part; 0: none */
    int root;
    unsigned level;
    uint64_t page;
};
static struct revoke pending[PENDING];

static void start(void)
{
    uint64_t total, low;

    kmem_init(host_pool, 4UL << 20);
    mapdb_init();
    kmem_stats(&total, &free_at_start, &low);
    for (unsigned i = 0; i < QUOTAS; i++)
        quota[i] = (struct quota){ .limit = 1UL << 30 };
    nodes = 0;
    memset(pending, 0, sizeof(pending));
}

static void leaks(void)
{
    uint64_t total, free, low;

    kmem_fail_nth(0);
    kmem_stats(&total, &free, &low);
    CHECK(free == free_at_start && kmem_ok());
    for (unsigned i = 0; i < QUOTAS; i++)
        CHECK(quota[i].used == 0);
}

static int id_of(const struct mapping *m)
{
    return (int)m->entry - 1;
}

/* Is a (or was it) the mapping that x was made from, directly or not? */
static bool descends(int x, int a)
{
    for (x = node[x].origin; x >= 0; x = node[x].origin)
        if (x == a)
            return true;
    return false;
}

/* x stems from the root; is it below the part, with nothing larger in between? */
static bool in_part(const struct revoke *v, int x)
{
    uint64_t first = node[v->root].page + v->page;

    if (v->form != 'c')
        return true;
    if (node[x].page < first || node[x].page >= first + mapping_pages(v->level))
        return false;
    for (; x != v->root; x = node[x].origin)
        if (node[x].level > v->level)
            return false;
    return true;
}

static int add(int origin, unsigned level, uint64_t page, unsigned q)
{
    struct node *n = &node[nodes];
    struct mapping *m = mapping_new(&quota[q], level);

    CHECK(nodes < NODES);
    if (!m)
        return -1;
    if (origin >= 0) {
        struct mapping *parent = node[origin].m;
        kref_t *list = mapdb_list(parent, level, page - node[origin].page,
                                  &quota[node[origin].q]);

        if (!list) {
            mapping_delete(m, &quota[q]);
            return -1;
        }
        mapdb_link(list, parent, m);
    }
    *n = (struct node){ .live = true, .origin = origin, .level = level, .page = page, .q = q,
                        .ad = (unsigned)random_below(4) << 4, .m = m };
    m->entry = (kref_t)nodes + 1;
    return nodes++;
}

/* The subtree is gone, whatever happened meanwhile. */
static void check_gone(const struct revoke *v)
{
    for (int i = 0; i < nodes; i++)
        CHECK(!node[i].live || !descends(i, v->root) || !in_part(v, i));
}

/* ---- the loop that mapdb.h describes, as map.c has it ---- */

static void cut(struct mapping *m)
{
    struct node *n = &node[id_of(m)];

    CHECK(n->live && !n->dying);
    n->dying = true;
    n->flags |= n->ad;
    mapdb_cut(m, n->ad);
}

static void take_away(struct mapping *m)
{
    struct node *n = &node[id_of(m)];

    CHECK(n->live && n->dying && n->m == m);
    if (m->parent)
        node[id_of(mapping_parent(m))].flags |= n->flags;
    n->live = false;
    mapdb_remove(m, &quota[n->q]);
}

/* One bounded step. True: nothing is left to do. */
static bool revoke_step(const struct revoke *v)
{
    struct node *r = &node[v->root];
    struct mapping *c, *below;

    if (!r->live)
        return check_gone(v), true; /* another revoke came first */
    if (v->form == 'a' && !r->dying) {
        cut(r->m);
        return false;
    }
    c = v->form == 'c' ? mapdb_child_in(r->m, v->level, v->page) : mapdb_child(r->m);
    if (!c) {
        check_gone(v);
        if (v->form == 'a')
            take_away(r->m);
        return true;
    }
    while (mapping_dying(c) && (below = mapdb_child(c)) != NULL)
        c = below;
    CHECK(descends(id_of(c), v->root) && in_part(v, id_of(c))); /* and nothing else */
    if (!mapping_dying(c))
        cut(c);
    else
        take_away(c);
    return false;
}

/* ---- what must be true at any time ---- */

static void check_place(int i)
{
    struct mapping *m = node[i].m;
    struct mapping *p = mapping_parent(m);
    kref_t *word;
    int a = node[i].origin;

    if (!p) {
        CHECK(a < 0);
        return;
    }
    CHECK(a == id_of(p) && node[a].live);
    while (!(m->next & MAPPING_END))
        m = mapping_ptr(m->next);
    word = kptr(m->next & ~(kref_t)MAPPING_END);
    CHECK(word == mapdb_list(p, node[i].level, node[i].page - node[id_of(p)].page, NULL));
}

static void check_all(void)
{
    uint64_t used[QUOTAS] = { 0 };
    int visited = 0, live = 0;

    for (int i = 0; i < nodes; i++) {
        struct mapping *m = node[i].m;

        if (!node[i].live)
            continue;
        live++;
        CHECK(id_of(m) == i && mapping_level(m) == node[i].level);
        CHECK((m->parts & MAPPING_AD) == node[i].flags && mapping_dying(m) == node[i].dying);
        check_place(i);
        used[node[i].q] += sizeof(*m);
        if (m->parts >= KPAGE_SIZE)
            used[node[i].q] +=
                (uint64_t)kmem_desc(kptr(m->parts & ~(kref_t)MAPPING_FLAGS))->pages * KPAGE_SIZE;
        if (node[i].origin < 0) {
            struct mapwalk w = mapwalk_start(m);

            CHECK(mapdb_ok(m));
            do {
                visited += !w.up;
            } while (mapwalk_move(&w));
        }
    }
    CHECK(visited == live);
    for (unsigned q = 0; q < QUOTAS; q++)
        CHECK(used[q] == quota[q].used);
}

static void pending_step(unsigned k)
{
    if (pending[k].form && revoke_step(&pending[k]))
        pending[k].form = 0;
}

static struct revoke revoke_of(char form, int root)
{
    struct revoke v = { form, root, 0, 0 };

    if (form == 'c' && node[root].level == 1)
        v.form = 'b';
    if (v.form == 'c') {
        v.level = 1 + (unsigned)random_below(node[root].level - 1);
        v.page = random_below(3) * mapping_pages(v.level);
    }
    return v;
}

static int random_live(void)
{
    for (unsigned i = 0; i < 50 && nodes; i++) {
        int n = (int)random_below((uint64_t)nodes);

        if (node[n].live)
            return n;
    }
    return -1;
}

static void random_add(void)
{
    int origin = random_below(12) ? random_live() : -1;
    unsigned level = 1 + (unsigned)random_below(3);
    uint64_t page = 0;

    if (nodes == NODES)
        return;
    if (origin >= 0) {
        if (node[origin].dying)
            return;
        if (random_below(3) == 0 || level > node[origin].level)
            level = node[origin].level;
        page = node[origin].page;
        for (unsigned l = level; l < node[origin].level; l++)
            page += random_below(3) * mapping_pages(l);
    }
    add(origin, level, page, (unsigned)random_below(QUOTAS));
}

static void random_grant(void)
{
    int n = random_live();
    unsigned q = (unsigned)random_below(QUOTAS);

    if (n < 0 || node[n].dying)
        return;
    if (mapdb_move(node[n].m, node[n].m->entry, &quota[node[n].q], &quota[q]))
        node[n].q = q;
}

static void random_revoke(void)
{
    int root = random_live();
    unsigned k = (unsigned)random_below(PENDING);

    if (root >= 0 && !pending[k].form)
        pending[k] = revoke_of("abc"[random_below(3)], root);
}

/* The end of a round: all revokes run out, then every root goes. */
static void finish(void)
{
    for (unsigned k = 0; k < PENDING; k++)
        while (pending[k].form)
            pending_step(k);
    for (int i = 0; i < nodes; i++)
        if (node[i].live && node[i].origin < 0)
            for (struct revoke v = { 'a', i, 0, 0 }; !revoke_step(&v);)
                continue;
    for (int i = 0; i < nodes; i++)
        CHECK(!node[i].live);
}

static void random_rounds(unsigned rounds, unsigned steps, uint64_t limit, uint64_t fail_nth)
{
    for (unsigned round = 0; round < rounds; round++) {
        start();
        for (unsigned q = 0; q < QUOTAS; q++)
            quota[q].limit = limit;
        kmem_fail_nth(fail_nth);
        for (unsigned i = 0; i < steps; i++) {
            switch (random_below(12)) {
            case 0:
                random_revoke();
                break;
            case 1:
                random_grant();
                break;
            case 2:
            case 3:
            case 4:
            case 5:
                random_add();
                break;
            default:
                pending_step((unsigned)random_below(PENDING));
            }
            if (i % 4 == 0)
                check_all();
        }
        finish();
        leaks();
    }
}

TEST(revokes_that_interrupt_each_other_take_their_subtrees_and_nothing_else)
{
    random_rounds(40, 500, 1UL << 30, 0);
}

TEST(a_quota_that_runs_out_changes_nothing)
{
    random_rounds(15, 400, 12000, 0);
}

TEST(every_allocation_may_fail)
{
    for (uint64_t n = 1; n < 8; n++)
        random_rounds(3, 300, 1UL << 30, n);
}

/*
 * Small and complete: each mapping of each tree revoked in each form, interrupted after each
 * number of steps by a complete revoke of each other one.
 */
static uint64_t trees, runs;

static void build(int n)
{
    nodes = 0;
    for (int i = 0; i < n; i++)
        CHECK(add(plan[i].origin, plan[i].level, plan[i].first, (unsigned)i % QUOTAS) == i);
}

static struct revoke numbered_revoke(int number)
{
    /* a, b, and c with part 0 and 1 of the next level below */
    struct revoke v = { "abcc"[number % 4], number / 4, node[number / 4].level - 1, 0 };

    if (v.form == 'c' && !v.level)
        v.form = 'b';
    if (v.form == 'c' && number % 4 == 3)
        v.page = mapping_pages(v.level);
    return v;
}

static void all_revokes(int n)
{
    trees++;
    for (int first = 0; first < 4 * n; first++)
        for (int second = 0; second < 4 * n; second++)
            for (unsigned interrupt = 0;; interrupt++) {
                bool done = false;

                build(n);
                pending[0] = numbered_revoke(first);
                for (unsigned i = 0; i < interrupt && !done; i++)
                    done = revoke_step(&pending[0]);
                if (done)
                    pending[0].form = 0;
                pending[1] = numbered_revoke(second);
                while (pending[1].form)
                    pending_step(1);
                while (pending[0].form)
                    pending_step(0);
                if (interrupt == 2)
                    check_all();
                finish();
                runs++;
                if (done)
                    break;
            }
}

TEST(all_small_trees_survive_all_interruptions)
{
    start();
    trees = runs = 0;
    for (unsigned level = 1; level <= 3; level++)
        all_trees(level, level == 1 ? 4 : 3, all_revokes);
    printf("# %lu trees, %lu interrupted revokes\n", (unsigned long)trees, (unsigned long)runs);
}

TEST(a_chain_of_a_thousand_is_taken_apart_in_two_steps_each)
{
    struct revoke v = { 'b', 0, 0, 0 };
    unsigned steps = 0;

    start();
    add(-1, 2, 0, 0);
    for (int i = 1; i < 1001; i++)
        CHECK(add(i - 1, i < 500 ? 2 : 1, 0, 0) == i);
    while (!revoke_step(&v))
        steps++;
    CHECK(steps <= 2 * 1000);
    finish();
}

TEST(accessed_and_dirty_of_what_is_gone_are_remembered_above)
{
    struct revoke v = { 'b', 0, 0, 0 };

    start();
    add(-1, 2, 0, 0);
    for (int i = 1; i < 6; i++) {
        add(i - 1, i < 3 ? 2 : 1, 0, 1);
        node[i].ad = 0;
    }
    node[4].ad = MAPPING_ACCESSED;
    node[5].ad = MAPPING_DIRTY;
    while (!revoke_step(&v))
        continue;
    CHECK((node[0].m->parts & MAPPING_AD) == MAPPING_AD);
    finish();
}

TEST(a_grant_takes_the_charge_along_or_fails_whole)
{
    start();
    add(-1, 3, 0, 0);
    add(0, 1, 5, 1);
    add(0, 1, 600, 1);
    CHECK(quota[0].used == 24 + 3 * KPAGE_SIZE);
    quota[2].limit = quota[0].used - 1;
    CHECK(!mapdb_move(node[0].m, 1, &quota[0], &quota[2]) && quota[2].used == 0);
    quota[2].limit++;
    CHECK(mapdb_move(node[0].m, 1, &quota[0], &quota[2]) && quota[0].used == 0);
    node[0].q = 2;
    check_all();
    finish();
}

#define TESTS(X)                                                                                  \
    X(revokes_that_interrupt_each_other_take_their_subtrees_and_nothing_else)                      \
    X(a_quota_that_runs_out_changes_nothing)                                                       \
    X(every_allocation_may_fail)                                                                   \
    X(all_small_trees_survive_all_interruptions)                                                   \
    X(a_chain_of_a_thousand_is_taken_apart_in_two_steps_each)                                      \
    X(accessed_and_dirty_of_what_is_gone_are_remembered_above)                                     \
    X(a_grant_takes_the_charge_along_or_fails_whole)

TEST_MAIN(leaks, TESTS)
