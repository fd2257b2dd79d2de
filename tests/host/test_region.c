/*
 * test_region.c - the region map against a model that is an array of pages
 *
 * The model knows of each page which region (a number) and which area it belongs to, and nothing of
 * trees, holes or nodes. Random operations are done on both; results, errors and all pages must
 * agree after every step, and the invariants must hold.
 */
#include "../../libl4/src/rm/region.h"
#include "test.h"

enum { PAGES = 96, MIN = 2, MAX = 92, NODES = 24, IDS = 1 << 16, STEPS = 4000, RUNS = 40 };

#define ADDR(page) ((l4_addr_t)(page) << L4_PAGESHIFT)

static struct model_page {
    int region; /* 0: none */
    int area;
    l4_addr_t offset;
} model[PAGES];
static struct model_id {
    bool dead;
    bool blocked;
    l4_umword_t flags;
    l4_cap_idx_t ds;
} ids[IDS];
static int next_id;
static unsigned model_spares;

static struct region_map map;
static struct region nodes[NODES];

static void start(unsigned seed)
{
    test_seed = seed;
    memset(model, 0, sizeof(model));
    memset(ids, 0, sizeof(ids));
    next_id = 1;
    region_map_init(&map, ADDR(MIN), ADDR(MAX));
    region_give(&map, nodes, NODES);
    model_spares = NODES;
}

static int new_id(struct model_id like)
{
    CHECK(next_id < IDS);
    ids[next_id] = like;
    return next_id++;
}

/* ---------------------------------------------------------------- the model */

/* May [p, p + n) be attached to, in that area (0: outside of all)? */
static bool model_free(unsigned p, unsigned n, int area, bool also_areas)
{
    if (p + n > PAGES)
        return false;
    for (unsigned i = p; i < p + n; i++) {
        if (model[i].region || i < MIN || i >= MAX)
            return false;
        if (also_areas ? model[i].area != area : model[i].area != 0)
            return false;
    }
    return true;
}

/* The lowest place at or above p, PAGES: none. */
static unsigned model_search(unsigned p, unsigned n, unsigned align, int area)
{
    for (; p < PAGES; p++)
        if (p % (1u << align) == 0 && model_free(p, n, area, true))
            return p;
    return PAGES;
}

static int model_place(unsigned *p, unsigned n, l4_umword_t flags, unsigned align, int area)
{
    if (flags & L4RE_RM_F_SEARCH_ADDR)
        *p = model_search(*p, n, align, area);
    return *p < PAGES && model_free(*p, n, area, true) ? 0 : -L4_EADDRNOTAVAIL;
}

static int model_attach(unsigned *p, unsigned n, l4_umword_t flags, unsigned align,
                        l4_addr_t offset, l4_cap_idx_t ds)
{
    int area = 0, err, id;

    if (n == 0)
        return -L4_EINVAL;
    if (flags & L4RE_RM_F_IN_AREA) {
        area = *p < PAGES ? model[*p].area : 0;
        if (!area)
            return -L4_ENOENT;
        if (ids[area].flags & L4RE_RM_F_RESERVED)
            return -L4_EADDRNOTAVAIL;
    }
    err = model_place(p, n, flags, align, area);
    if (err)
        return err;
    if (!model_spares)
        return -L4_ENOMEM;
    model_spares--;
    id = new_id((struct model_id){
        .blocked = flags & L4RE_RM_F_RESERVED, .flags = flags & REGION_FLAGS_KEPT, .ds = ds});
    for (unsigned i = 0; i < n; i++) {
        model[*p + i].region = id;
        model[*p + i].offset = offset + ADDR(i);
    }
    return 0;
}

static int model_reserve(unsigned *p, unsigned n, l4_umword_t flags, unsigned align)
{
    int err, id;

    if (n == 0)
        return -L4_EINVAL;
    err = model_place(p, n, flags, align, 0);
    if (err)
        return err;
    if (!model_spares)
        return -L4_ENOMEM;
    model_spares--;
    id = new_id((struct model_id){.flags = flags & REGION_FLAGS_KEPT});
    for (unsigned i = 0; i < n; i++)
        model[*p + i].area = id;
    return 0;
}

static int model_free_area(unsigned p)
{
    int id = p < PAGES ? model[p].area : 0;

    if (!id)
        return -L4_ENOENT;
    if (ids[id].flags & L4RE_RM_F_KERNEL)
        return -L4_EPERM;
    for (unsigned i = 0; i < PAGES; i++)
        if (model[i].area == id)
            model[i].area = 0;
    model_spares++;
    return 0;
}

static bool model_live(unsigned p)
{
    return model[p].region && !ids[model[p].region].dead;
}

/* First page of [p, end) that belongs to a live region; end: none. */
static unsigned model_first(unsigned p, unsigned end)
{
    while (p < end && !model_live(p))
        p++;
    return p;
}

/* *id: the number of the pages taken out, now dead. */
static int model_detach(unsigned p, unsigned n, l4_umword_t flags, int *id)
{
    l4_umword_t how = flags & ~(l4_umword_t)L4RE_RM_DETACH_KEEP;
    unsigned end = p + n < PAGES ? p + n : PAGES, at = model_first(p, end), a, b, pieces;
    int region, behind;

    if (n == 0 || (how != L4RE_RM_DETACH_EXACT && how != L4RE_RM_DETACH_OVERLAP))
        return -L4_EINVAL;
    if (at >= end)
        return -L4_ENOENT;
    region = model[at].region;
    for (a = at; a > 0 && model[a - 1].region == region;)
        a--;
    for (b = at; b < PAGES && model[b].region == region;)
        b++;
    unsigned first = a, last = b;
    if (how == L4RE_RM_DETACH_EXACT) {
        a = a < p ? p : a;
        b = b > end ? end : b;
    }
    pieces = (a > first) + (b < last);
    if (model_spares < pieces)
        return -L4_ENOMEM;
    model_spares -= pieces;
    *id = new_id(ids[region]);
    ids[*id].dead = true;
    behind = new_id(ids[region]);
    for (unsigned i = a; i < b; i++)
        model[i].region = *id;
    for (unsigned i = b; i < last && a > first; i++)
        model[i].region = behind;
    return (int)pieces | (model_first(p, end) < end ? L4RE_RM_DETACH_AGAIN : 0);
}

static void model_reap(int id)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (model[i].region == id)
            model[i].region = 0;
    model_spares++;
}

/* ---------------------------------------------------------------- comparing */

static void compare_window(const struct region *r, unsigned p)
{
    l4_addr_t base, addr = ADDR(p) + random_below(L4_PAGESIZE);
    unsigned order = region_window(r, addr, &base), best = 0;
    l4_addr_t best_base = 0;

    for (unsigned o = L4_PAGESHIFT; o < 30; o++) {
        l4_addr_t b = addr & ~((1UL << o) - 1);
        if (b >= r->start && b + (1UL << o) <= r->end &&
            region_offset(r, b) % (1UL << o) == 0) {
            best = o;
            best_base = b;
        }
    }
    CHECK(best >= L4_PAGESHIFT && order == best && base == best_base);
}

static void compare_page(unsigned p)
{
    struct region *r = region_find(&map, ADDR(p) + random_below(L4_PAGESIZE));
    struct region *area = region_first_area(&map, ADDR(p), ADDR(p) + 1);

    CHECK((r != NULL) == model_live(p));
    CHECK((area != NULL) == (model[p].area != 0));
    if (area)
        CHECK((p == 0 || model[p - 1].area != model[p].area) == (area->start == ADDR(p)));
    if (!r)
        return;
    int id = model[p].region;
    CHECK(r->kind == (ids[id].blocked ? REGION_BLOCKED : REGION_DATASPACE));
    CHECK(r->ds == ids[id].ds && r->flags == ids[id].flags);
    CHECK(region_offset(r, ADDR(p)) == model[p].offset);
    CHECK((model[p - 1].region != id) == (r->start == ADDR(p)));
    CHECK((model[p + 1].region != id) == (r->end == ADDR(p + 1)));
    CHECK((r->area != NULL) == (model[p].area != 0));
    compare_window(r, p);
}

static void compare(void)
{
    unsigned from = random_below(PAGES - 1), to = from + 1 + random_below(PAGES - 1 - from);
    unsigned at = model_first(from, to);
    struct region *first = region_first(&map, ADDR(from), ADDR(to));

    CHECK(region_ok(&map));
    CHECK(map.spares == model_spares);
    CHECK((first != NULL) == (at < to));
    if (first)
        CHECK(region_find(&map, ADDR(at)) == first);
    for (unsigned p = 0; p < PAGES - 1; p++)
        compare_page(p);
}

/* ---------------------------------------------------------------- steps */

static struct {
    struct region *node;
    int id;
} dead[NODES];
static unsigned dead_count;

static void step_attach(void)
{
    static const l4_umword_t kinds[] = {0, L4RE_RM_F_SEARCH_ADDR, L4RE_RM_F_IN_AREA,
                                        L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_IN_AREA};
    l4_umword_t flags = kinds[random_below(4)] | random_below(8) |
                        (random_below(8) ? 0 : L4RE_RM_F_RESERVED);
    unsigned p = random_below(PAGES), n = random_below(12), align = random_below(4);
    l4_addr_t offset = ADDR(random_below(64));
    struct region_request q = {.start = ADDR(p) + random_below(L4_PAGESIZE),
                               .size = n ? ADDR(n) - random_below(L4_PAGESIZE) : 0,
                               .flags = flags,
                               .align = L4_PAGESHIFT + align - (align ? 0 : random_below(13)),
                               .offset = offset + random_below(L4_PAGESIZE),
                               .ds = ADDR(next_id)};
    struct region *r = NULL;
    int expected = model_attach(&p, n, flags, align, offset, q.ds);

    CHECK(region_attach(&map, &q, &r) == expected);
    if (!expected)
        CHECK(r->start == ADDR(p) && r->end == ADDR(p + n));
}

static void step_detach(void)
{
    l4_umword_t flags = random_below(16) ? 1 + random_below(2) : random_below(4) * 3;
    unsigned p = random_below(PAGES), n = random_below(14);
    unsigned low = n ? random_below(L4_PAGESIZE) : 0;
    struct region *r = NULL;
    int id = 0, expected = model_detach(p, n, flags, &id);

    CHECK(region_detach(&map, ADDR(p) + low, n ? ADDR(n) - low : 0, flags, &r) == expected);
    if (expected < 0)
        return;
    CHECK(r->dead && model[r->start >> L4_PAGESHIFT].region == id);
    dead[dead_count].node = r;
    dead[dead_count++].id = id;
}

static void step_reap(void)
{
    if (!dead_count)
        return;
    unsigned i = random_below(dead_count);
    region_reap(&map, dead[i].node);
    model_reap(dead[i].id);
    dead[i] = dead[--dead_count];
}

static void step_reserve(void)
{
    l4_umword_t flags = (random_below(2) ? L4RE_RM_F_SEARCH_ADDR : 0) |
                        (random_below(6) ? 0 : L4RE_RM_F_RESERVED);
    unsigned p = random_below(PAGES), n = random_below(24), align = random_below(4);
    struct region_request q = {.start = ADDR(p), .size = ADDR(n), .flags = flags,
                               .align = L4_PAGESHIFT + align};
    struct region *r = NULL;
    int expected = model_reserve(&p, n, flags, align);

    CHECK(region_reserve_area(&map, &q, &r) == expected);
    if (!expected)
        CHECK(r->start == ADDR(p) && r->end == ADDR(p + n));
}

static void step_free_area(void)
{
    unsigned p = random_below(PAGES);
    int expected = model_free_area(p);

    CHECK(region_free_area(&map, ADDR(p)) == expected);
}

TEST(random_operations_agree_with_the_page_array)
{
    for (unsigned run = 1; run <= RUNS; run++) {
        start(run);
        dead_count = 0;
        for (unsigned i = 0; i < STEPS; i++) {
            switch (random_below(16)) {
            case 0 ... 5:
                step_attach();
                break;
            case 6 ... 9:
                step_detach();
                break;
            case 10 ... 13:
                step_reap();
                break;
            case 14:
                step_reserve();
                break;
            default:
                step_free_area();
            }
            compare();
        }
    }
}

/* ---------------------------------------------------------------- single sentences */

static int attach_at(l4_addr_t addr, l4_umword_t size, l4_umword_t flags, struct region **r)
{
    struct region_request q = {.start = addr, .size = size, .flags = flags};

    return region_attach(&map, &q, r);
}

TEST(bad_requests_change_nothing)
{
    struct region *r;
    struct region_request q = {.start = ADDR(10), .size = ADDR(1), .align = 60};

    start(1);
    CHECK(attach_at(ADDR(10), 0, 0, &r) == -L4_EINVAL);
    CHECK(attach_at(ADDR(10), ADDR(1), 1UL << 40, &r) == -L4_EINVAL);
    CHECK(attach_at(ADDR(10), ADDR(1), 0x8, &r) == -L4_EINVAL);
    CHECK(region_attach(&map, &q, &r) == -L4_EINVAL);
    CHECK(attach_at(ADDR(10), ~0UL, 0, &r) == -L4_EADDRNOTAVAIL);
    CHECK(attach_at(~0UL, ADDR(1), 0, &r) == -L4_EADDRNOTAVAIL);
    CHECK(attach_at(~0UL, ~0UL, L4RE_RM_F_SEARCH_ADDR, &r) == -L4_EADDRNOTAVAIL);
    CHECK(attach_at(ADDR(MAX - 1), ADDR(2), 0, &r) == -L4_EADDRNOTAVAIL);
    CHECK(attach_at(ADDR(MIN - 1), ADDR(1), 0, &r) == -L4_EADDRNOTAVAIL);
    CHECK(region_detach(&map, ADDR(10), ~0UL, L4RE_RM_DETACH_EXACT, &r) == -L4_EINVAL);
    CHECK(region_detach(&map, ADDR(10), ADDR(1), L4RE_RM_DETACH_EXACT, &r) == -L4_ENOENT);
    CHECK(region_ok(&map) && map.regions == 0 && map.spares == NODES);
}

TEST(areas_of_the_system_stay)
{
    struct region_request q = {
        .start = ADDR(20), .size = ADDR(4), .flags = L4RE_RM_F_RESERVED | L4RE_RM_F_KERNEL};
    struct region *r;

    start(1);
    CHECK(region_reserve_area(&map, &q, &r) == 0);
    CHECK(region_free_area(&map, ADDR(22)) == -L4_EPERM);
    CHECK(attach_at(ADDR(22), ADDR(1), 0, &r) == -L4_EADDRNOTAVAIL);
    CHECK(attach_at(ADDR(22), ADDR(1), L4RE_RM_F_IN_AREA, &r) == -L4_EADDRNOTAVAIL);
    CHECK(region_detach(&map, ADDR(20), ADDR(4), L4RE_RM_DETACH_OVERLAP, &r) == -L4_ENOENT);
}

/* Balance is also a bound on time: regions in order of their addresses must not make a list. */
TEST(height_stays_logarithmic)
{
    enum { MANY = 10000 };
    struct region *many = calloc(MANY, sizeof(*many));
    struct region *r;

    CHECK(many);
    region_map_init(&map, 0, L4_USER_END);
    region_give(&map, many, MANY);
    for (l4_addr_t i = 0; i < MANY; i++)
        CHECK(attach_at(ADDR(2 * i), ADDR(1), 0, &r) == 0);
    CHECK(map.root->height <= 20 && region_ok(&map));
    /* No hole of two pages before the end; found without a walk along all regions. */
    CHECK(attach_at(0, ADDR(1), L4RE_RM_F_SEARCH_ADDR, &r) == -L4_ENOMEM);
    CHECK(region_detach(&map, ADDR(5000), 1, L4RE_RM_DETACH_OVERLAP, &r) == 0);
    region_reap(&map, r);
    CHECK(attach_at(0, ADDR(3), L4RE_RM_F_SEARCH_ADDR, &r) == 0 && r->start == ADDR(4999));
    CHECK(region_ok(&map));
    free(many);
}

/* Every basic block that is executed (rm.mk compiles with -fsanitize-coverage=trace-pc). */
static unsigned long blocks;
void __sanitizer_cov_trace_pc(void);

__attribute__((no_sanitize("coverage"))) void __sanitizer_cov_trace_pc(void)
{
    blocks++;
}

enum { OPERATIONS = 4, ROUNDS = 200 };

/* The most blocks that each operation takes in a map of n regions, holes of one page between. */
static void most_blocks(unsigned n, unsigned long most[OPERATIONS])
{
    struct region *many = calloc(n + 8, sizeof(*many)), *r;

    CHECK(many);
    region_map_init(&map, 0, L4_USER_END);
    region_give(&map, many, n + 8);
    for (l4_addr_t i = 0; i < n; i++)
        CHECK(attach_at(ADDR(2 * i), ADDR(1), 0, &r) == 0);
    memset(most, 0, OPERATIONS * sizeof(*most));
    for (unsigned round = 0; round < ROUNDS; round++) {
        l4_addr_t at = ADDR(2 * random_below(n));
        unsigned long before[OPERATIONS + 1] = {blocks};

        map.hit = NULL;
        CHECK(region_find(&map, at)->start == at);
        before[1] = blocks;
        CHECK(region_detach(&map, at, 1, L4RE_RM_DETACH_EXACT, &r) == 0);
        region_reap(&map, r);
        before[2] = blocks;
        CHECK(attach_at(0, ADDR(2), L4RE_RM_F_SEARCH_ADDR, &r) == 0); /* the first hole for two */
        before[3] = blocks;
        CHECK(r->start == (at ? at - ADDR(1) : 0));
        CHECK(region_detach(&map, r->start, ADDR(2), L4RE_RM_DETACH_EXACT, &r) == 0);
        region_reap(&map, r);
        before[3] = blocks;
        CHECK(attach_at(at, ADDR(1), 0, &r) == 0);
        before[4] = blocks;
        for (unsigned i = 0; i < OPERATIONS; i++)
            if (before[i + 1] - before[i] > most[i])
                most[i] = before[i + 1] - before[i];
    }
    free(many);
}

/* 128 times as many regions: seven levels more. What takes twice the blocks is no walk along them
 * all. */
TEST(find_attach_search_detach_take_logarithmic_time)
{
    unsigned long few[OPERATIONS], many[OPERATIONS];

    test_seed = 7;
    most_blocks(256, few);
    most_blocks(32768, many);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        printf("# operation %u: at most %lu blocks with 256 regions, %lu with 32768\n", i, few[i],
               many[i]);
        CHECK(few[i] > 0 && many[i] <= 2 * few[i] + 20);
    }
}

static void nothing_is_allocated(void)
{
}

#define TESTS(X)                                                                                  \
    X(random_operations_agree_with_the_page_array)                                                \
    X(bad_requests_change_nothing)                                                                \
    X(areas_of_the_system_stay)                                                                   \
    X(height_stays_logarithmic)                                                                   \
    X(find_attach_search_detach_take_logarithmic_time)

TEST_MAIN(nothing_is_allocated, TESTS)
