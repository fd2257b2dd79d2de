/*
 * test_caps.c - capability tables against arrays of slots
 *
 * The model: for each task and slot the object, the rights, and the slot that it came from. An
 * object lives while a slot holds it. A user thread makes objects through factories; capabilities
 * are mapped, granted, revoked, deleted by chance; every allocation fails once in a while.
 */
#include "machine.h"

#include <common/fpage.h>

#include "irq.h"
#include "test.h"

enum { TASKS = 3, SLOTS = 24, FIRST = 500, FACTORY = 2, NONE = -1 };

struct slot {
    struct object *object; /* NULL: empty */
    unsigned rights;
    int parent;
};

static struct slot model[TASKS * SLOTS]; /* slots FIRST.. of each task: on two pages of the table */
static struct factory *factory;
static struct task *tasks[TASKS];
static struct thread *user; /* in tasks[0] */

static void start(uint64_t limit)
{
    machine_boot(4UL << 20, 0);
    memset(model, 0, sizeof(model));
    factory = machine_factory(&root_factory.obj, limit);
    for (int i = 0; i < TASKS; i++) {
        tasks[i] = machine_task(&root_factory.obj);
        CHECK(tasks[i]);
    }
    CHECK(cap_enter_root(tasks[0], FACTORY, &factory->obj, L4_CAP_FPAGE_RWSD) == 0);
    user = machine_thread(&root_factory.obj, tasks[0], 0, 10);
    CHECK(sched_next(&idle_thread) == user);
}

static void stop(void)
{
    for (int i = TASKS - 1; i >= 0; i--)
        machine_destroy(&tasks[i]->obj);
    machine_destroy(&user->obj);
    CHECK(root_factory.quota.used == 0 && check_all() == 0);
}

static void leaks(void)
{
    uint64_t total, free, low;

    kmem_stats(&total, &free, &low);
    CHECK(free == machine_free_at_start && root_factory.users == 1);
}

/* ---- the model ---- */

static void m_remove(int i)
{
    for (int c = 0; c < TASKS * SLOTS; c++)
        if (model[c].object && model[c].parent == i)
            m_remove(c);
    model[i].object = NULL;
}

static void m_limit(int i, unsigned keep)
{
    model[i].rights &= keep;
    for (int c = 0; c < TASKS * SLOTS; c++)
        if (model[c].object && model[c].parent == i)
            m_limit(c, keep);
}

static bool m_stems_from(int i, int ancestor)
{
    while (i != NONE && i != ancestor)
        i = model[i].parent;
    return i == ancestor;
}

static void m_map(int s, int d, unsigned rights, bool grant)
{
    rights &= model[s].rights;
    if (!model[s].object || !rights)
        return;
    if (model[d].object && model[d].parent == s) {
        model[d].rights |= rights;
        return;
    }
    if (model[d].object && m_stems_from(s, d))
        return;
    m_remove(d);
    if (!grant) {
        model[d] = (struct slot){model[s].object, rights, s};
        return;
    }
    model[d] = model[s];
    model[s].object = NULL;
    for (int c = 0; c < TASKS * SLOTS; c++)
        if (model[c].object && model[c].parent == s)
            model[c].parent = d;
    m_limit(d, rights);
}

static void m_unmap(int i, unsigned rights, uint64_t mask)
{
    bool all = mask & L4_FP_ALL_SPACES;
    struct object *o = model[i].object;

    if (o && mask == L4_FP_DELETE_OBJ && (model[i].rights & L4_CAP_FPAGE_D)) {
        for (int c = 0; c < TASKS * SLOTS; c++)
            if (model[c].object == o)
                model[c].object = NULL;
        return;
    }
    if (!o || !rights)
        return;
    for (int c = 0; c < TASKS * SLOTS; c++) {
        if (!model[c].object || model[c].parent != i)
            continue;
        if (rights & L4_CAP_FPAGE_R)
            m_remove(c);
        else
            m_limit(c, ~rights);
    }
    if (all && (rights & L4_CAP_FPAGE_R))
        model[i].object = NULL;
    else if (all)
        model[i].rights &= ~rights;
}

static const struct cap *kernel_slot(int i)
{
    return cap_slot(tasks[i / SLOTS], (uint64_t)(FIRST + i % SLOTS) << L4_CAP_SHIFT);
}

static void compare(void)
{
    for (int i = 0; i < TASKS * SLOTS; i++) {
        const struct cap *c = kernel_slot(i);
        const struct mapping *node = c && c->node ? kptr(c->node) : NULL;
        int parent = model[i].parent;

        CHECK((c && c->ref) == (model[i].object != NULL));
        CHECK(!node == !model[i].object);
        if (!node)
            continue;
        CHECK(cap_object(c) == model[i].object && (c->ref & CAP_RIGHTS) == model[i].rights);
        CHECK(mapping_parent(node) == (parent == NONE ? NULL : kptr(kernel_slot(parent)->node)));
    }
    CHECK(check_all() == 0);
}

/* ---- operations ---- */

static void reap(void)
{
    while (!object_reap_all())
        cpu0.resched = false;
}

/* A new object in a slot of tasks[0]. */
static long create(uint64_t factory_slot, long protocol, uint64_t argument, int i)
{
    uint64_t *mr = user->utcb->msg.mr;

    mr[0] = (uint64_t)protocol;
    mr[1] = 8 << 16 | L4_VARG_TYPE_UMWORD;
    mr[2] = argument;
    user->utcb->buf.bdr = 0;
    user->utcb->buf.br[0] = (uint64_t)(FIRST + i) << L4_CAP_SHIFT | L4_RCV_ITEM_SINGLE_CAP;
    return user_invoke(user, factory_slot, L4_PROTO_FACTORY, protocol == L4_PROTO_TASK ? 1 : 3, 0);
}

static unsigned created, refused;

static void step_create(void)
{
    static const long protocols[] = {L4_PROTO_NONE, L4_PROTO_THREAD, L4_PROTO_FACTORY,
                                     L4_PROTO_TASK, L4_PROTO_IRQ,    L4_PROTO_SEMAPHORE};
    long protocol = protocols[random_below(sizeof(protocols) / sizeof(protocols[0]))];
    int i = (int)random_below(SLOTS);
    const struct cap *c = kernel_slot(i);
    uint64_t used = factory->quota.used;
    long err = create(FACTORY, protocol, random_below(4096), i);

    CHECK(err == 0 || err == -L4_ENOMEM);
    c = kernel_slot(i);
    if (err && c && c->ref)
        return; /* the first allocation failed: nothing has changed */
    m_remove(i);
    if (err) {
        refused++;
        CHECK(factory->quota.used <= used);
        return;
    }
    created++;
    model[i] = (struct slot){cap_object(c), L4_CAP_FPAGE_RWSD, NONE};
}

static void step_map(void)
{
    unsigned order = random_below(4) ? 0 : (unsigned)random_below(4);
    int n = 1 << order, from = (int)random_below(TASKS), to = (int)random_below(TASKS);
    uint64_t src = (FIRST + random_below(SLOTS)) >> order << order;
    uint64_t dst = (FIRST + random_below(SLOTS)) >> order << order;
    unsigned rights = (unsigned)random_below(16);
    bool grant = random_below(5) == 0;
    struct map_request r;
    int err, s, d;

    if (src < FIRST || dst < FIRST || src + (uint64_t)n > FIRST + SLOTS ||
        dst + (uint64_t)n > FIRST + SLOTS)
        return;
    map_request_init(&r, tasks[from], tasks[to],
                     dst << L4_CAP_SHIFT | (grant ? L4_MAP_ITEM_GRANT : 0),
                     fpage_make(L4_FPAGE_OBJ, src << L4_CAP_SHIFT, order, rights).raw, 0,
                     L4_WHOLE_ADDRESS_SPACE);
    while ((err = map_run(&r)) == MAP_PREEMPTED)
        ;
    CHECK(err == 0 || err == -L4_ENOMEM);
    if (err)
        n = (int)r.done;
    s = from * SLOTS + (int)(src - FIRST);
    d = to * SLOTS + (int)(dst - FIRST);
    for (int i = 0; i < n; i++)
        m_map(s + i, d + i, rights, grant);
    if (err && !(kernel_slot(d + n) && kernel_slot(d + n)->ref))
        m_remove(d + n); /* room had been made already */
    reap();
}

static void step_unmap(void)
{
    static const uint64_t masks[] = {0, L4_FP_ALL_SPACES, L4_FP_DELETE_OBJ};
    uint64_t mask = masks[random_below(3)];
    unsigned rights = (unsigned)random_below(16);
    int i = (int)random_below(TASKS * SLOTS);
    struct unmap_request u = {
        .task = tasks[i / SLOTS],
        .fp = fpage_make(L4_FPAGE_OBJ, (uint64_t)(FIRST + i % SLOTS) << L4_CAP_SHIFT, 0, rights),
        .mask = mask,
    };

    CHECK(unmap_run(&u) == 0);
    reap();
    m_unmap(i, rights, mask);
}

static void run(uint64_t seed, uint64_t fail)
{
    test_seed = seed;
    start(1UL << 20);
    for (unsigned n = 0; n < 400; n++) {
        unsigned what = (unsigned)random_below(10);

        kmem_fail_nth(fail ? 1 + random_below(fail) : 0);
        if (what < 3)
            step_create();
        else if (what < 7)
            step_map();
        else
            step_unmap();
        kmem_fail_nth(0);
        compare();
    }
    stop();
    leaks();
}

TEST(slots_hold_what_the_model_has)
{
    for (uint64_t seed = 1; seed <= 60; seed++)
        run(seed, 0);
}

TEST(a_failed_allocation_is_an_error_and_changes_nothing_else)
{
    refused = 0;
    for (uint64_t seed = 100; seed < 160; seed++)
        run(seed, 6);
    CHECK(refused > 100);
}

/* ---- limits ---- */

TEST(a_factory_gives_up_to_its_limit_and_gets_everything_back)
{
    uint64_t used, parent;

    start(64UL << 10);
    used = factory->quota.used;
    parent = root_factory.quota.used;
    for (int round = 0; round < 3; round++) {
        int n = 0;

        while (n < SLOTS && create(FACTORY, L4_PROTO_FACTORY, 6000, n) == 0)
            n++;
        CHECK(n >= 9 && n < 11); /* 64 KiB, each takes its own size and the limit at once */
        CHECK(factory->quota.limit - factory->quota.used < 6000 + sizeof(struct factory));
        CHECK(create(FACTORY, L4_PROTO_FACTORY, ~0UL, SLOTS - 1) == -L4_ENOMEM);
        for (int i = 0; i < n; i++) {
            struct unmap_request u = {
                .task = tasks[0],
                .fp = fpage_make(L4_FPAGE_OBJ, (uint64_t)(FIRST + i) << L4_CAP_SHIFT, 0, 15),
                .mask = L4_FP_ALL_SPACES};

            CHECK(unmap_run(&u) == 0);
        }
        reap();
        CHECK(factory->quota.used == used && factory->users == 0);
        CHECK(check_all() == 0);
    }
    CHECK(root_factory.quota.used >= parent);
    stop();
}

/* A factory whose last object dies in the same breath: both stood in the list of the dying. */
TEST(a_factory_and_its_last_object_die_together)
{
    for (int round = 0; round < 4; round++) {
        int order = round % 2; /* which of the two is dropped first */
        struct unmap_request u = {.task = tasks[0], .mask = L4_FP_ALL_SPACES};

        start(64UL << 10);
        u.task = tasks[0];
        CHECK(create(FACTORY, L4_PROTO_FACTORY, 20000, 1 - order) == 0);
        CHECK(create(FIRST + 1 - (uint64_t)order, L4_PROTO_NONE, 0x10, order) == 0);
        if (round > 1)
            CHECK(create(FIRST + 1 - (uint64_t)order, L4_PROTO_THREAD, 0, 2) == 0);
        u.fp = fpage_make(L4_FPAGE_OBJ, (uint64_t)FIRST << L4_CAP_SHIFT, 2, 15);
        CHECK(unmap_run(&u) == 0);
        reap();
        CHECK(factory->quota.used == 0 && factory->users == 0 && check_all() == 0);
        stop();
        leaks();
    }
}

TEST(a_slot_is_a_word_of_eighteen_bits)
{
    uint64_t *br, *mr;

    start(1UL << 20);
    mr = user->utcb->msg.mr;
    br = user->utcb->buf.br;
    for (int i = 0; i < 3; i++) {
        static const uint64_t slots[] = {L4_CAP_SLOTS, L4_CAP_SLOTS + 1, ~0UL >> L4_CAP_SHIFT};

        mr[0] = L4_PROTO_NONE;
        br[0] = slots[i] << L4_CAP_SHIFT | L4_RCV_ITEM_SINGLE_CAP;
        CHECK(user_invoke(user, FACTORY, L4_PROTO_FACTORY, 1, 0) == -L4_EINVAL);
    }
    mr[0] = L4_PROTO_NONE;
    br[0] = (L4_CAP_SLOTS - 1) << L4_CAP_SHIFT | L4_RCV_ITEM_SINGLE_CAP;
    CHECK(user_invoke(user, FACTORY, L4_PROTO_FACTORY, 1, 0) == 0);
    CHECK(cap_slot(tasks[0], (L4_CAP_SLOTS - 1) << L4_CAP_SHIFT)->ref && check_all() == 0);
    CHECK(!cap_slot(tasks[0], L4_CAP_SLOTS << L4_CAP_SHIFT));
    stop();
}

/* What the processor may guess to be behind a check that says otherwise. */
TEST(an_index_that_is_too_large_is_cut_without_a_branch)
{
    for (uint64_t i = 0; i < CAPS_PER_PAGE; i++)
        for (unsigned bit = 9; bit < 64; bit++)
            CHECK(index_below(i | 1UL << bit, CAPS_PER_PAGE) == i);
}

#define TESTS(X)                                                                                  \
    X(slots_hold_what_the_model_has)                                                              \
    X(a_failed_allocation_is_an_error_and_changes_nothing_else)                                   \
    X(a_factory_gives_up_to_its_limit_and_gets_everything_back)                                   \
    X(a_factory_and_its_last_object_die_together)                                                 \
    X(a_slot_is_a_word_of_eighteen_bits)                                                          \
    X(an_index_that_is_too_large_is_cut_without_a_branch)

TEST_MAIN(leaks, TESTS)
