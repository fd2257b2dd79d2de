/*
 * test_split.c - memory taken back while somebody else does the same, part by part
 *
 * The model is a matrix: which pages of the root each mapping has, and which of them it may
 * write. Mappings are made one from the other and lie apart. Every operation of the kernel is
 * interrupted at each place where it looks at the interrupts, another one runs, the first one
 * goes on. What an operation promises must be true when it returns, whoever else is at work.
 *
 * Built with QUIRE_STEPS=1: the kernel looks at the interrupts after every step.
 */
#include "limits.h"
#include "machine.h"
#include "test.h"
#include "trees.h"
#include "walk.h"

#include <common/fpage.h>

enum { NODES = 12, TASKS = 3, PAGES = 8, OPS = 24 /* more than walks have slots */ };
enum { ALL, OTHERS };
#define ROOT_AT 0x80000000UL

static struct task *task[TASKS];
static struct thread thread[OPS];
static unsigned pages; /* of interest, as offsets in the root */
static uint64_t page[PAGES];
static uint64_t free_at_start;
static bool short_of_memory;

static struct node {
    int origin; /* -1: the root */
    unsigned level;
    uint64_t first;       /* page of the root */
    unsigned has, writes; /* one bit a page of interest */
    bool fresh;           /* made while another operation was under way */
} node[NODES];
static int nodes;

struct op {
    char kind; /* 'r' revoke, 'w' take W away, 'q' ask and reset, 'm' map; 0: none */
    int node;
    unsigned level;
    uint64_t first; /* the part, as page of the root */
    unsigned mask;
    /* while it runs */
    struct unmap_request u;
    struct map_request m;
    unsigned thread;
};

static struct task *task_of_node(int n)
{
    return task[n ? 1 + n % (TASKS - 1) : 0];
}

static uint64_t address(int n, uint64_t p)
{
    return (n ? (uint64_t)(n + 1) << 32 : ROOT_AT) + ((p - node[n].first) << 12);
}

static unsigned bits_of(uint64_t first, unsigned level)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < pages; i++)
        if (page[i] >= first && page[i] < first + mapping_pages(level))
            bits |= 1U << i;
    return bits;
}

/* ---- what the kernel has ---- */

static void look(int n, unsigned *has, unsigned *writes)
{
    unsigned mine = bits_of(node[n].first, node[n].level);

    *has = *writes = 0;
    for (unsigned i = 0; i < pages; i++) {
        unsigned level;
        pte_t *e =
            mine >> i & 1 ? ptab_find(&task_of_node(n)->space, address(n, page[i]), &level) : NULL;

        if (!e || !(*e & PTE_P))
            continue;
        CHECK((*e & PTE_FRAME & ~((1UL << ptab_shift(level)) - 1)) ==
              ((ROOT_AT + (page[i] << 12)) & ~((1UL << ptab_shift(level)) - 1)));
        CHECK(!(*e & PTE_KU) && ptab_owner(e));
        *has |= 1U << i;
        *writes |= (*e & PTE_W) ? 1U << i : 0;
    }
}

/* The database is one tree, whatever is under way. */
static void check_structure(void)
{
    unsigned level;
    pte_t *e = ptab_slot(&task[0]->space, ROOT_AT, &level);

    for (unsigned i = 0; i < TASKS; i++)
        CHECK(ptab_ok(&task[i]->space));
    while (e && !ptab_mapping(e))
        e = kmem_desc(e)->up ? kptr(kmem_desc(e)->up) : NULL;
    CHECK(!e || mapdb_ok(ptab_mapping(e)));
}

static void check_model(void)
{
    for (int n = 0; n < nodes; n++) {
        unsigned has, writes;

        look(n, &has, &writes);
        if (short_of_memory) { /* more may be gone than was asked, never less */
            CHECK(!(has & ~node[n].has) && !(writes & ~node[n].writes));
            node[n].has = has;
            node[n].writes = writes;
        }
        CHECK(has == node[n].has && writes == node[n].writes);
    }
}

/* ---- operations ---- */

static bool in_op(const struct op *o, int n)
{
    if (n == o->node)
        return o->mask == ALL;
    while (n >= 0 && node[n].origin != o->node)
        n = node[n].origin;
    return n >= 0 && !(node[n].fresh && o->mask == OTHERS); /* mapped on after it had been passed */
}

/* What the operation has promised: that much is certain when it returns. */
static void check_done(const struct op *o)
{
    unsigned part = bits_of(o->first, o->level), has, writes;

    for (int n = 0; n < nodes && o->kind != 'm'; n++) {
        if (!in_op(o, n))
            continue;
        look(n, &has, &writes);
        CHECK(o->kind != 'r' || !(has & part));
        CHECK(o->kind != 'w' || !(writes & part));
    }
}

/* What it will have done in the end. */
static void promise(const struct op *o)
{
    unsigned part = bits_of(o->first, o->level);

    for (int n = 0; n < nodes; n++) {
        if (!in_op(o, n))
            continue;
        if (o->kind == 'r')
            node[n].has &= ~part;
        if (o->kind != 'q')
            node[n].writes &= ~part;
    }
}

static void op_start(struct op *o, unsigned by)
{
    static const unsigned rights[128] = {['r'] = L4_FPAGE_RWX, ['w'] = L4_FPAGE_W, ['q'] = 0};

    o->thread = by;
    if (o->kind == 'm') {
        struct node *n = &node[nodes];

        *n = (struct node){.origin = o->node, .level = o->level, .first = o->first};
        map_request_init(
            &o->m, task_of_node(o->node), task_of_node(nodes), address(nodes, o->first),
            fpage_mem(address(o->node, o->first), ptab_shift(o->level), L4_FPAGE_RWX).raw, 0,
            L4_WHOLE_ADDRESS_SPACE);
        return;
    }
    o->u = (struct unmap_request){.task = task_of_node(o->node),
                                  .mask = o->mask == ALL ? L4_FP_ALL_SPACES : 0};
    o->u.fp = fpage_mem(address(o->node, o->first), ptab_shift(o->level), rights[(int)o->kind]);
    promise(o);
}

/* True: it has returned. */
static bool op_run(struct op *o)
{
    int r;

    cpu0.current = &thread[o->thread];
    cpu0.resched = false;
    r = o->kind == 'm' ? map_run(&o->m) : unmap_run(&o->u);
    CHECK(r == 0 || r == MAP_PREEMPTED || (r == -L4_ENOMEM && short_of_memory));
    if (r != MAP_PREEMPTED && o->kind != 'm')
        check_done(o);
    if (r != MAP_PREEMPTED)
        o->kind = 0;
    return r != MAP_PREEMPTED;
}

static uint64_t windows_left;

static void window(void)
{
    if (windows_left && --windows_left == 0)
        cpu0.resched = true;
}

/* ---- rounds ---- */

static void start(void)
{
    uint64_t total, low;

    machine_boot(8UL << 20, 0);
    host_window = window;
    windows_left = 0;
    for (unsigned i = 0; i < TASKS; i++)
        task[i] = machine_task(&root_factory.obj);
    for (unsigned i = 0; i < OPS; i++)
        thread[i] = (struct thread){.obj.id = 1000 + i};
    kmem_stats(&total, &free_at_start, &low);
    short_of_memory = false;
}

static void stop(void)
{
    cpu0.current = &thread[0];
    for (unsigned i = 0; i < TASKS; i++)
        machine_destroy(&task[i]->obj);
}

static void root(unsigned level)
{
    static const uint64_t two[] = {0, 1, 2, 511};
    static const uint64_t three[] = {0, 1, 511, 512, 513, 1023, 1024, 262143};

    pages = level == 2 ? 4 : 8;
    memcpy(page, level == 2 ? two : three, pages * sizeof(*page));
    nodes = 1;
    node[0] = (struct node){-1, level, 0, (1U << pages) - 1, (1U << pages) - 1, false};
    CHECK(map_roots(task[0], ROOT_AT, ROOT_AT + (1UL << ptab_shift(level)), L4_FPAGE_RWX, true) ==
          0);
}

/* A mapping made from an earlier one; has what that one has there. */
static int add(int origin, unsigned level, uint64_t first)
{
    struct op o = {.kind = 'm', .node = origin, .level = level, .first = first};

    op_start(&o, 0);
    CHECK(op_run(&o));
    node[nodes].has = node[origin].has & bits_of(first, level);
    node[nodes].writes = node[origin].writes & bits_of(first, level);
    return nodes++;
}

/* Everything goes: the root with all below. */
static void clear(void)
{
    struct op o = {.kind = 'r', .node = 0, .level = node[0].level, .mask = ALL};
    uint64_t total, free, low;

    windows_left = 0;
    op_start(&o, 0);
    CHECK(op_run(&o));
    for (unsigned i = 0; i < TASKS; i++)
        CHECK(task[i]->space.partials == 0);
    CHECK(!mapdb_walks);
    kmem_stats(&total, &free, &low);
    CHECK(free == free_at_start);
}

static void leaks(void)
{
    CHECK(kmem_ok());
}

static void nothing_left(void)
{
    uint64_t total, free, low;

    kmem_fail_nth(0);
    kmem_stats(&total, &free, &low);
    CHECK(free == free_at_start && kmem_ok());
    stop();
    kmem_stats(&total, &free, &low);
    CHECK(free == machine_free_at_start);
}

/* ---- small and complete ---- */

static uint64_t runs, trees;

static void build(int n)
{
    root(plan[0].level);
    for (int i = 1; i < n; i++)
        CHECK(add(plan[i].origin, plan[i].level, plan[i].first) == i);
}

/* All operations on all mappings: numbered; false: no more. */
static bool numbered_op(int number, int n, struct op *o)
{
    static const char kinds[] = "rwqm";
    int form = number % 24;

    *o = (struct op){.kind = kinds[form % 4], .node = number / 24, .mask = form / 4 % 2};
    if (o->node >= n)
        return false;
    o->level = plan[o->node].level;
    o->first = plan[o->node].first;
    if (form >= 8 && o->level > 1) {
        o->level--;
        o->first += form >= 16 ? mapping_pages(o->level) : 0;
    }
    return true;
}

/* A mapping that was made while others took away has what it has; the rest is check_done's. */
static void adopt(void)
{
    struct node *n = &node[nodes - 1];

    if (!n->fresh)
        return;
    look(nodes - 1, &n->has, &n->writes);
    CHECK(!(n->has & ~bits_of(n->first, n->level)));
    n->fresh = false;
}

/* a, interrupted after so many looks, then all of b, then the rest of a. True: a was not even
 * interrupted. */
static bool run_pair(int n, struct op a, struct op b, unsigned interrupt)
{
    bool whole;

    build(n);
    windows_left = interrupt;
    op_start(&a, 1);
    whole = op_run(&a);
    windows_left = 0;
    if (runs % 32 == 0)
        check_structure();
    op_start(&b, 2);
    if (b.kind == 'm')
        node[nodes++].fresh = true;
    CHECK(op_run(&b));
    while (a.kind)
        op_run(&a);
    adopt();
    check_model();
    if (runs % 16 == 0)
        check_structure();
    clear();
    runs++;
    return whole;
}

static void all_pairs(int n)
{
    struct op a, b;

    trees++;
    for (int first = 0; numbered_op(first, n, &a); first++)
        for (int second = 0; a.kind != 'm' && numbered_op(second, n, &b); second++)
            for (unsigned interrupt = 1; !run_pair(n, a, b, interrupt);)
                interrupt++;
}

TEST(two_operations_on_any_small_tree_interrupt_each_other_anywhere)
{
    start();
    runs = trees = 0;
    for (unsigned level = 2; level <= 3; level++)
        all_trees(level, 2, all_pairs);
    printf("# %lu trees, %lu pairs\n", (unsigned long)trees, (unsigned long)runs);
    nothing_left();
}

/* ---- many, at random ---- */

static bool random_op(struct op *o)
{
    static const char kinds[] = "rrrwqmm";

    *o = (struct op){.kind = kinds[random_below(7)],
                     .node = (int)random_below((uint64_t)nodes),
                     .mask = (unsigned)random_below(2)};
    if (o->kind == 'm' && nodes == NODES)
        return false;
    o->level = 1 + (unsigned)random_below(node[o->node].level);
    o->first = page[random_below(pages)] / mapping_pages(o->level) * mapping_pages(o->level);
    if (!(bits_of(o->first, o->level) & bits_of(node[o->node].first, node[o->node].level)))
        o->first = node[o->node].first;
    return true;
}

static void random_round(unsigned steps)
{
    struct op op[OPS] = {{0}};
    bool busy = false;

    root(2 + (unsigned)random_below(2));
    for (int i = 0; i < 5; i++) {
        int origin = (int)random_below((uint64_t)nodes);

        add(origin, random_below(3) ? node[origin].level : 1, node[origin].first);
    }
    for (unsigned i = 0; i < steps || busy; i++) {
        unsigned k = (unsigned)random_below(4);

        if (!op[k].kind && i < steps && random_op(&op[k])) {
            op_start(&op[k], k);
            if (op[k].kind == 'm') { /* maps are not interrupted: two would take one place */
                windows_left = 0;
                node[nodes++].fresh = true;
            }
        }
        if (op[k].kind) {
            windows_left = op[k].kind == 'm' ? 0 : 1 + random_below(3);
            op_run(&op[k]);
        }
        busy = false;
        for (unsigned j = 0; j < OPS; j++)
            busy |= op[j].kind != 0;
        if (!busy) {
            for (int n = 0; n < nodes; n++)
                if (node[n].fresh) {
                    look(n, &node[n].has, &node[n].writes);
                    node[n].fresh = false;
                }
            check_model();
        }
        if (i % 8 == 0)
            check_structure();
    }
    clear();
}

TEST(four_operations_at_random)
{
    start();
    for (unsigned i = 0; i < 400; i++)
        random_round(40);
    nothing_left();
}

static unsigned walks_under_way(void)
{
    unsigned n = 0;

    for (const struct mapwalk *w = mapdb_walks; w; w = w->next)
        n++;
    return n;
}

/* The slots of walks run out: who needs one helps the oldest. */
TEST(more_walks_than_slots)
{
    struct op op[OPS];
    unsigned running = OPS, most = 0;

    start();
    for (unsigned round = 0; round < 60; round++) {
        root(2);
        for (int i = 0; i < 9; i++)
            add((int)random_below((uint64_t)nodes), 2, 0);
        for (unsigned k = 0; k < OPS; k++) {
            op[k] = (struct op){.kind = "wwqr"[random_below(4)], .level = 1, .mask = OTHERS,
                                .first = page[random_below(pages)]};
            op_start(&op[k], k);
        }
        for (running = OPS; running;) {
            unsigned k = (unsigned)random_below(OPS);

            windows_left = 1 + random_below(4);
            running -= op[k].kind && op_run(&op[k]);
            most = most > walks_under_way() ? most : walks_under_way();
            CHECK(most <= LIMIT_WALKS);
        }
        check_model();
        check_structure();
        clear();
    }
    CHECK(most == LIMIT_WALKS);
    nothing_left();
}

TEST(without_memory_more_goes_but_never_less)
{
    start();
    short_of_memory = true;
    for (unsigned i = 0; i < 600; i++) {
        kmem_fail_nth(0);
        root(2 + (unsigned)random_below(2));
        for (int k = 0; k < 6; k++) {
            int origin = (int)random_below((uint64_t)nodes);

            add(origin, random_below(3) ? node[origin].level : 1, node[origin].first);
        }
        kmem_fail_nth(1 + random_below(3));
        for (int k = 0; k < 6; k++) {
            struct op o;

            if (!random_op(&o) || o.kind == 'm')
                continue;
            op_start(&o, 0);
            CHECK(op_run(&o));
            check_model();
            check_structure();
        }
        kmem_fail_nth(0);
        clear();
    }
    nothing_left();
}

/* Ask about or take a part of node n; what was known. */
static unsigned known(int n, uint64_t first, unsigned level, unsigned rights, uint64_t mask)
{
    struct unmap_request u = {.task = task_of_node(n), .mask = mask};

    u.fp = fpage_mem(address(n, first), ptab_shift(level), rights);
    CHECK(unmap_run(&u) == 0);
    return u.status;
}

static void write_to(int n, uint64_t p)
{
    unsigned level;

    *ptab_find(&task_of_node(n)->space, address(n, p), &level) |= PTE_A | PTE_D;
}

/* 0, the root, gave 2 MiB to 1, and 1 a page of it to 2. */
TEST(who_takes_a_part_is_told_what_was_known_of_it)
{
    start();
    for (int writer = 1; writer <= 2; writer++) {
        root(2);
        add(0, 2, 0);
        add(1, 1, 0);
        write_to(writer, 0);
        CHECK(known(0, 0, 1, L4_FPAGE_RWX, L4_FP_OTHER_SPACES) == 3);
        clear();
    }
    nothing_left();
}

TEST(what_was_known_of_a_part_that_went_is_the_parents)
{
    start();
    for (int writer = 1; writer <= 2; writer++) {
        root(2);
        add(0, 2, 0);
        add(1, 1, 0);
        write_to(writer, 0);
        known(0, 1, 1, 0, L4_FP_OTHER_SPACES);            /* asks about the page behind */
        known(1, 0, 1, L4_FPAGE_RWX, L4_FP_ALL_SPACES);   /* it goes */
        known(1, 0, 2, 0, L4_FP_OTHER_SPACES);            /* and who had it asks and resets */
        CHECK(known(0, 0, 1, 0, L4_FP_OTHER_SPACES) == 3); /* the pager learns of it all the same */
        clear();
    }
    nothing_left();
}

#define TESTS(X)                                                                                   \
    X(two_operations_on_any_small_tree_interrupt_each_other_anywhere)                              \
    X(four_operations_at_random)                                                                   \
    X(more_walks_than_slots)                                                                       \
    X(without_memory_more_goes_but_never_less)                                                     \
    X(who_takes_a_part_is_told_what_was_known_of_it)                                               \
    X(what_was_known_of_a_part_that_went_is_the_parents)

TEST_MAIN(leaks, TESTS)
