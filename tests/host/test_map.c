/*
 * test_map.c - memory mappings of several tasks against a table of pages
 *
 * The model knows no tree, no levels, no tables: for each task and page it says which frame is
 * there, with which rights and from which other page it came; every operation goes page by page.
 * Superpages are compared by what unmapping must and must not take away. After every step
 * check_all() walks the kernel's own structures.
 */
#include "map_world.h"

enum { PAGES = 256, BASE = 0x100000, NONE = -1, SUPER_PAGES = 4096 };
enum { A = 1, D = 2 };

struct page {
    bool used;
    int frame;       /* number of the root's page */
    unsigned rights; /* L4_FPAGE_* */
    int parent;      /* space * PAGES + page */
    unsigned ad, inherited;
};

static struct page model[SPACES * PAGES];

static void give_small_roots(void)
{
    memset(model, 0, sizeof(model));
    CHECK(map_roots(tasks[0], BASE, BASE + PAGES * L4_PAGESIZE, L4_FPAGE_RWX, true) == 0);
    for (int i = 0; i < PAGES; i++)
        model[i] = (struct page){true, i, L4_FPAGE_RWX, NONE, 0, 0};
}

/* ---- one operation ---- */

struct op {
    enum { MAP, GRANT, UNMAP } kind;
    int from, to; /* to: the task that loses, for UNMAP */
    int src, dst, pages;
    unsigned rights;
    bool all;
};

static struct op random_op(void)
{
    unsigned order = (unsigned)random_below(random_below(3) ? 4 : 9);
    struct op o = {
        .kind = random_below(8) ? (random_below(3) ? MAP : UNMAP) : GRANT,
        .from = (int)random_below(SPACES),
        .to = (int)random_below(SPACES),
        .pages = 1 << order,
        .rights = (unsigned)random_below(8),
        .all = random_below(2),
    };

    o.src = (int)(random_below(PAGES) >> order << order);
    o.dst = (int)(random_below(PAGES) >> order << order);
    if (o.kind != UNMAP)
        o.rights |= L4_FPAGE_R;
    return o;
}

static unsigned order_of(int pages)
{
    return L4_PAGESHIFT + (unsigned)__builtin_ctz((unsigned)pages);
}

/* What the kernel is asked, as often as it was preempted. */
struct request {
    bool map;
    struct map_request m;
    struct unmap_request u;
};

static struct request request_of(const struct op *o)
{
    struct request r = {.map = o->kind != UNMAP};

    if (r.map) {
        uint64_t item = BASE + (uint64_t)o->dst * L4_PAGESIZE;

        map_request_init(&r.m, tasks[o->from], tasks[o->to],
                         item | (o->kind == GRANT ? L4_MAP_ITEM_GRANT : 0),
                         fpage_mem(BASE + (uint64_t)o->src * L4_PAGESIZE, order_of(o->pages),
                                   o->rights).raw,
                         0, L4_WHOLE_ADDRESS_SPACE);
    } else {
        r.u = (struct unmap_request){
            .task = tasks[o->to],
            .fp = fpage_mem(BASE + (uint64_t)o->dst * L4_PAGESIZE, order_of(o->pages), o->rights),
            .mask = o->all ? L4_FP_ALL_SPACES : L4_FP_OTHER_SPACES,
        };
    }
    return r;
}

static int go_on(struct request *r)
{
    int err = r->map ? map_run(&r->m) : unmap_run(&r->u);

    CHECK(stale == 0);
    return err;
}

static int pages_done(const struct request *r)
{
    return (int)((r->map ? r->m.done : r->u.done) / L4_PAGESIZE);
}

/* ---- the model ---- */

static void m_remove(int i)
{
    for (int c = 0; c < SPACES * PAGES; c++)
        if (model[c].used && model[c].parent == i)
            m_remove(c);
    if (model[i].parent != NONE)
        model[model[i].parent].inherited |= model[i].ad | model[i].inherited;
    model[i].used = false;
}

static void m_limit(int i, unsigned keep)
{
    model[i].rights &= keep;
    for (int c = 0; c < SPACES * PAGES; c++)
        if (model[c].used && model[c].parent == i)
            m_limit(c, keep);
}

static bool m_stems_from(int i, int ancestor)
{
    while (i != NONE && i != ancestor)
        i = model[i].parent;
    return i == ancestor;
}

static void m_map_page(int s, int d, unsigned rights, bool grant)
{
    if (!model[s].used)
        return;
    if (model[d].used && model[d].parent == s) {
        model[d].rights |= model[s].rights & rights;
        return;
    }
    if (model[d].used && m_stems_from(s, d))
        return;
    if (model[d].used)
        m_remove(d);
    if (!grant) {
        model[d] = (struct page){true, model[s].frame, model[s].rights & rights, s, 0, 0};
        return;
    }
    model[d] = model[s];
    model[s].used = false;
    for (int c = 0; c < SPACES * PAGES; c++)
        if (model[c].used && model[c].parent == s)
            model[c].parent = d;
    m_limit(d, rights);
}

/* Accessed and dirty of i (if self) and of all below; forgotten, if asked. */
static unsigned m_status(int i, bool self, bool reset)
{
    unsigned status = model[i].inherited | (self ? model[i].ad : 0);

    for (int c = 0; c < SPACES * PAGES; c++)
        if (model[c].used && model[c].parent == i)
            status |= m_status(c, true, reset);
    if (reset) {
        model[i].inherited = 0;
        if (self)
            model[i].ad = 0;
    }
    return status;
}

static unsigned m_unmap_page(int i, unsigned rights, bool all)
{
    unsigned status = 0;

    if (!model[i].used)
        return 0;
    if (!(rights & L4_FPAGE_R)) {
        status = m_status(i, all, rights == 0);
        for (int c = 0; c < SPACES * PAGES; c++)
            if (model[c].used && model[c].parent == i)
                m_limit(c, ~rights);
        if (all)
            model[i].rights &= ~rights;
        return status;
    }
    for (int c = 0; c < SPACES * PAGES; c++)
        if (model[c].used && model[c].parent == i)
            m_remove(c);
    status = model[i].inherited | (all ? model[i].ad : 0);
    if (all)
        m_remove(i);
    return status;
}

/* Pages [first, end) of the operation. */
static unsigned m_apply(const struct op *o, int first, int end)
{
    unsigned status = 0;

    for (int i = first; i < end && i < o->pages; i++) {
        int d = o->to * PAGES + o->dst + i;

        if (o->kind == UNMAP)
            status |= m_unmap_page(d, o->rights, o->all);
        else
            m_map_page(o->from * PAGES + o->src + i, d, o->rights, o->kind == GRANT);
    }
    return status;
}

/* ---- comparison ---- */

static pte_t *entry_of(int i)
{
    unsigned level;

    if (!tasks[i / PAGES])
        return NULL;
    return ptab_find(&tasks[i / PAGES]->space, BASE + (uint64_t)(i % PAGES) * L4_PAGESIZE, &level);
}

static bool page_is(int i, const struct page *m)
{
    const pte_t *e = entry_of(i);

    if (!e || !m->used)
        return !e && !m->used;
    return (*e & PTE_FRAME) == BASE + (uint64_t)m->frame * L4_PAGESIZE &&
           rights_of(*e) == m->rights;
}

static void compare(void)
{
    for (int i = 0; i < SPACES * PAGES; i++) {
        const struct page *m = &model[i];
        const struct mapping *node;

        CHECK(page_is(i, m));
        if (!m->used)
            continue;
        node = ptab_mapping(entry_of(i));
        CHECK(mapping_parent(node) ==
              (m->parent == NONE ? NULL : ptab_mapping(entry_of(m->parent))));
        CHECK(status_of(accessed_dirty(*entry_of(i))) == m->ad);
        CHECK(status_of(node->parts) == m->inherited);
    }
    CHECK(check_all() == 0);
}

/* The CPU uses a page. */
static void touch(void)
{
    int i = (int)random_below(SPACES * PAGES);
    unsigned ad = random_below(2) ? A : A | D;
    pte_t *e = entry_of(i);

    if (!e)
        return;
    *e |= (ad & A ? PTE_A : 0) | (ad & D ? PTE_D : 0);
    model[i].ad |= ad;
}

static void random_step(void)
{
    struct op o = random_op();
    struct request r = request_of(&o);

    for (int i = 0; i < 8; i++)
        touch();
    CHECK(go_on(&r) == 0);
    if (r.map)
        m_apply(&o, 0, o.pages);
    else
        CHECK(m_apply(&o, 0, o.pages) == r.u.status);
}

TEST(small_pages_are_where_the_model_has_them)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        test_seed = seed;
        start();
        give_small_roots();
        for (int n = 0; n < 60; n++) {
            random_step();
            compare();
        }
        stop();
        leaks();
    }
}

/* Every allocation fails once in a while: the pages before stay, the failed one leaves no trace. */
TEST(a_failed_allocation_ends_a_map_between_two_pages)
{
    unsigned failures = 0;

    for (uint64_t seed = 100; seed < 130; seed++) {
        test_seed = seed;
        start();
        give_small_roots();
        for (int n = 0; n < 60; n++) {
            struct op o = random_op();
            struct request r = request_of(&o);
            int err, at, d;

            kmem_fail_nth(1 + random_below(6));
            err = go_on(&r);
            kmem_fail_nth(0);
            CHECK(err == 0 || (err == -L4_ENOMEM && r.map));
            at = err ? pages_done(&r) : o.pages;
            m_apply(&o, 0, at);
            d = o.to * PAGES + o.dst + at;
            if (err && model[d].used && !entry_of(d))
                m_remove(d); /* room had been made already */
            failures += err != 0;
            compare();
        }
        stop();
        leaks();
    }
    CHECK(failures > 50);
}

/* ---- preemption ---- */

/* The kernel's page is as in one model or as in the other. */
static void compare_either(const struct page *one, const struct page *other)
{
    for (int i = 0; i < SPACES * PAGES; i++)
        CHECK(page_is(i, &one[i]) || page_is(i, &other[i]));
    CHECK(check_all() == 0);
}

/* A large operation, stopped at its n-th look at the interrupts; another one comes in between.
 * What it had done by then is done; the page it was at may have been before or after. */
static bool interrupted(uint64_t seed, uint64_t n)
{
    static struct page before[SPACES * PAGES], one[SPACES * PAGES];
    struct op first, second;
    struct request r, hostile;
    int done;

    test_seed = seed;
    start();
    give_small_roots();
    for (int i = 0; i < 25; i++)
        random_step();
    do
        first = random_op();
    while (first.pages < 64);
    second = random_op();
    memcpy(before, model, sizeof(before));
    r = request_of(&first);
    host_window = preempt_at_one;
    windows_left = n;
    if (go_on(&r) != MAP_PREEMPTED) {
        stop();
        return false;
    }
    host_window = NULL;
    cpu0.resched = false;
    cpu0.current = worker[1];
    done = pages_done(&r);
    CHECK(check_all() == 0);
    hostile = request_of(&second);
    CHECK(go_on(&hostile) == 0);
    CHECK(check_all() == 0);
    cpu0.current = worker[0];
    CHECK(go_on(&r) == 0);
    m_apply(&first, 0, done);
    m_apply(&second, 0, second.pages);
    m_apply(&first, done, first.pages);
    memcpy(one, model, sizeof(one));
    memcpy(model, before, sizeof(before));
    m_apply(&first, 0, done + 1);
    m_apply(&second, 0, second.pages);
    m_apply(&first, done, first.pages);
    compare_either(one, model);
    stop();
    leaks();
    return true;
}

TEST(a_preempted_operation_and_another_are_as_in_one_of_two_orders)
{
    unsigned preempted = 0;

    for (uint64_t seed = 200; seed < 300; seed++)
        for (uint64_t n = 1; interrupted(seed, n); n++)
            preempted++;
    CHECK(preempted > 100);
}

/* A task that the operation is about goes away in the middle: nothing is left of it. */
static bool destroyed(uint64_t seed, uint64_t n)
{
    uint64_t loaded;
    struct op first;
    struct request r;
    int victim;

    test_seed = seed;
    start();
    give_small_roots();
    for (int i = 0; i < 25; i++)
        random_step();
    do
        first = random_op();
    while (first.pages < 64);
    r = request_of(&first);
    host_window = preempt_at_one;
    windows_left = n;
    if (go_on(&r) != MAP_PREEMPTED) {
        stop();
        return false;
    }
    host_window = NULL;
    cpu0.resched = false;
    cpu0.current = worker[1];
    victim = random_below(2) ? first.to : first.from;
    cpu0.root_loaded = loaded = tasks[victim]->space.root_phys;
    machine_destroy(&tasks[victim]->obj);
    CHECK(cpu0.root_loaded != loaded); /* its tables are free now */
    tasks[victim] = NULL;
    CHECK(check_all() == 0);
    cpu0.current = worker[0];
    if (first.to != victim && (!r.map || first.from != victim))
        CHECK(go_on(&r) == 0);
    stop();
    leaks();
    return true;
}

TEST(a_task_destroyed_during_an_operation_leaves_nothing)
{
    for (uint64_t seed = 300; seed < 330; seed++)
        for (uint64_t n = 1; destroyed(seed, n); n++)
            ;
}

/* ---- superpages ---- */

struct view {
    uint64_t frame[SUPER_PAGES]; /* | 1: there is one */
    unsigned rights[SUPER_PAGES];
};

static struct view views[2][SPACES];

static void look(struct view *v)
{
    for (int s = 0; s < SPACES; s++)
        for (uint64_t i = 0; i < SUPER_PAGES; i++) {
            unsigned level;
            uint64_t va = i * L4_PAGESIZE;
            const pte_t *e = ptab_find(&tasks[s]->space, va, &level);
            uint64_t mask = (1UL << ptab_shift(level)) - 1;

            if (e && (*e & PTE_KU))
                e = NULL; /* the kernel's: nobody maps it or takes it away */
            v[s].frame[i] = e ? (frame_of(*e, level) + (va & mask)) | 1 : 0;
            v[s].rights[i] = e ? rights_of(*e) : 0;
        }
}

struct super_op {
    int from, to;
    uint64_t src, dst; /* pages */
    unsigned order;
    unsigned rights;
    bool all;
};

static struct super_op random_super_op(void)
{
    static const unsigned orders[] = {12, 12, 13, 16, 20, 21, 21, 22};
    struct super_op o = {
        .from = (int)random_below(SPACES),
        .to = (int)random_below(SPACES),
        .order = orders[random_below(sizeof(orders) / sizeof(orders[0]))],
        .rights = L4_FPAGE_R | (unsigned)random_below(4),
        .all = random_below(2),
    };
    uint64_t n = 1UL << (o.order - L4_PAGESHIFT);

    o.src = random_below(SUPER_PAGES) / n * n;
    o.dst = random_below(4) ? random_below(SUPER_PAGES) / n * n : o.src;
    return o;
}

/* Which frames were there in the window, so that mappings of them elsewhere may go. */
static bool was_in_window(const struct view *v, const struct super_op *o, uint64_t frame)
{
    for (uint64_t i = 0; i < 1UL << (o->order - L4_PAGESHIFT); i++)
        if (v[o->to].frame[o->dst + i] == frame)
            return true;
    return false;
}

/* Nothing is left of what was to go, and nothing else went. */
static void check_unmapped(const struct super_op *o)
{
    uint64_t end = o->dst + (1UL << (o->order - L4_PAGESHIFT));

    for (int s = 0; s < SPACES; s++)
        for (uint64_t i = 0; i < SUPER_PAGES; i++) {
            uint64_t was = views[0][s].frame[i], is = views[1][s].frame[i];
            bool inside = s == o->to && i >= o->dst && i < end;

            CHECK(is == was || is == 0);
            if (inside && o->all)
                CHECK(is == 0);
            if (inside && !o->all)
                CHECK(is == was && views[0][s].rights[i] == views[1][s].rights[i]);
            if (!inside && is != was)
                CHECK(was_in_window(views[0], o, was));
            if (o->to == 0 && o->all && !inside && s && is) /* from the roots: everywhere */
                CHECK(!was_in_window(views[0], o, is));
        }
}

/* The window shows the source's frames, or what was there when that is the source's origin. */
static void check_mapped(const struct super_op *o)
{
    for (uint64_t i = 0; i < 1UL << (o->order - L4_PAGESHIFT); i++) {
        uint64_t src = views[0][o->from].frame[o->src + i];
        uint64_t was = views[0][o->to].frame[o->dst + i], is = views[1][o->to].frame[o->dst + i];

        CHECK(src ? is == src || is == was || views[1][o->from].frame[o->src + i] == 0
                  : is == was || is == 0 || o->from == o->to);
        if (src && is == src && is != was)
            CHECK(!(views[1][o->to].rights[o->dst + i] & ~o->rights));
    }
}

static void super_step(void)
{
    struct super_op o = random_super_op();
    struct map_request r;
    struct unmap_request u = {
        .task = tasks[o.to],
        .fp = fpage_mem(o.dst * L4_PAGESIZE, o.order, L4_FPAGE_RWX),
        .mask = o.all ? L4_FP_ALL_SPACES : 0,
    };
    bool unmap = random_below(3) == 0 && (o.to || !o.all || random_below(4) == 0);

    look(views[0]);
    if (unmap) {
        CHECK(unmap_run(&u) == 0);
        look(views[1]);
        check_unmapped(&o);
    } else {
        map_request_init(&r, tasks[o.from], tasks[o.to], o.dst * L4_PAGESIZE,
                         fpage_mem(o.src * L4_PAGESIZE, o.order, o.rights).raw, 0,
                         L4_WHOLE_ADDRESS_SPACE);
        r.grant = random_below(10) == 0;
        CHECK(map_run(&r) == 0);
        look(views[1]);
        check_mapped(&o);
    }
    CHECK(check_all() == 0);
}

TEST(superpages_lose_what_is_unmapped_and_nothing_else)
{
    for (uint64_t seed = 400; seed < 440; seed++) {
        test_seed = seed;
        start();
        CHECK(map_roots(tasks[0], 0x400000, 0xa00000, L4_FPAGE_RWX, true) == 0);
        CHECK(task_add_ku_mem(tasks[3], fpage_mem(0x605000, 12, L4_FPAGE_RW)) == 0);
        for (int n = 0; n < 60; n++)
            super_step();
        stop();
        leaks();
    }
}

static void map_page_to(int from, uint64_t src, int to, uint64_t dst, uint64_t mapped)
{
    struct map_request r;

    map_request_init(&r, tasks[from], tasks[to], dst, fpage_mem(src, 12, L4_FPAGE_RWX).raw, 0,
                     L4_WHOLE_ADDRESS_SPACE);
    CHECK(map_run(&r) == 0 && r.mapped == mapped);
}

/* Whether the superpage has been split makes no difference. */
TEST(a_page_does_not_replace_another_one_of_the_superpage_that_it_stems_from)
{
    for (int split = 0; split < 2; split++) {
        struct unmap_request u = {.fp = fpage_mem(0x409000, 12, L4_FPAGE_RWX),
                                  .mask = L4_FP_ALL_SPACES};

        start();
        CHECK(map_roots(tasks[0], 0x400000, 0x600000, L4_FPAGE_RWX, true) == 0);
        u.task = tasks[0];
        CHECK(!split || unmap_run(&u) == 0);
        map_page_to(0, 0x405000, 1, 0x1000, 1);
        map_page_to(0, 0x403000, 2, 0x3000, 1);
        map_page_to(1, 0x1000, 0, 0x403000, 0); /* a child of page 5 over page 3 */
        CHECK(frame_seen(0, 0x403000) == 0x403000 && frame_seen(2, 0x3000) == 0x403000);
        map_page_to(1, 0x1000, 0, 0x409000, (uint64_t)split); /* but in a hole it may be */
        CHECK(frame_seen(0, 0x409000) == (split ? 0x405000 : 0x409000));
        CHECK(check_all() == 0);
        stop();
        leaks();
    }
}

/* What a preempted call has done counts in ports or capabilities, if the caller has written
 * another flexpage over the first one since. */
TEST(a_call_that_goes_on_in_the_middle_of_a_page_maps_whole_pages)
{
    struct map_request r;

    start();
    CHECK(map_roots(tasks[0], 0x400000, 0x600000, L4_FPAGE_RWX, true) == 0);
    map_request_init(&r, tasks[0], tasks[1], 0x2000, fpage_mem(0x404000, 13, L4_FPAGE_R).raw, 0,
                     L4_WHOLE_ADDRESS_SPACE);
    r.done = 0x15;
    CHECK(map_run(&r) == 0 && r.mapped == 2);
    CHECK(frame_seen(1, 0x2000) == 0x404000 && frame_seen(1, 0x3000) == 0x405000);
    CHECK(check_all() == 0);
    stop();
    leaks();
}

#define TESTS(X)                                                                                  \
    X(small_pages_are_where_the_model_has_them)                                                   \
    X(a_failed_allocation_ends_a_map_between_two_pages)                                           \
    X(a_preempted_operation_and_another_are_as_in_one_of_two_orders)                              \
    X(a_task_destroyed_during_an_operation_leaves_nothing)                                        \
    X(superpages_lose_what_is_unmapped_and_nothing_else)                                          \
    X(a_page_does_not_replace_another_one_of_the_superpage_that_it_stems_from)                    \
    X(a_call_that_goes_on_in_the_middle_of_a_page_maps_whole_pages)

TEST_MAIN(leaks, TESTS)
