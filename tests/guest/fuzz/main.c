/*
 * fuzz/main.c - rounds of hostile tasks, with a leak check after each, and what they reached
 *
 * Words on the kernel's command line: fuzz-calls=N at least so many calls (1000000), fuzz-seed=N
 * (1), fuzz-show=1 for a line after each round. A single round can be played again, to the
 * instruction: fuzz-first=N its number, fuzz-tick=N when it began, fuzz-id=N the number of the
 * last object before.
 */
#include "fuzz.h"

#include <abi/kip.h>
#include <l4/sys/debugger.h>
#include <l4/util/rdtsc.h>

enum { CHECK_ROUNDS = 16, CANARY_ROUNDS = 64, SETTLE_MAX = 50 };

static l4_umword_t wanted, seed, first, first_tick, first_id, show;
static uint64_t hash, round_hash, calls, finished;

static l4_umword_t option(const char *name, l4_umword_t otherwise)
{
    const l4mod_info *info = (const l4mod_info *)l4_kip()->user_ptr;
    const char *at = strstr(info->strings + info->cmdline, name);
    l4_umword_t n = 0;

    if (!at)
        return otherwise;
    for (at += strlen(name); *at >= '0' && *at <= '9'; at++)
        n = 10 * n + (l4_umword_t)(*at - '0');
    return n;
}

struct balance {
    l4_umword_t used, free;
};

static struct balance balance(void)
{
    return (struct balance){counter(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED), kernel_memory_free()};
}

/* What died is taken apart by who runs next: until then it is no leak. */
static bool balanced(struct balance before)
{
    struct balance now = balance();

    for (unsigned i = 0; i < SETTLE_MAX && (now.used != before.used || now.free != before.free);
         i++) {
        l4_ipc_sleep_ms(1);
        now = balance();
    }
    return expect_eq(now.used, before.used) && expect_eq(now.free, before.free);
}

/* What a lane says of itself may be anything. */
static void take_in(const struct lane *l)
{
    unsigned n = l->outcomes < LANE_CALLS ? l->outcomes : LANE_CALLS;

    round_hash = fuzz_mix(round_hash, l->hash + l->calls);
    calls += l->calls < LANE_CALLS ? l->calls : LANE_CALLS;
    finished += l->finished;
    tally.deeds.instructions += l->deeds.instructions;
    tally.deeds.foreign += l->deeds.foreign;
    tally.deeds.spoilt += l->deeds.spoilt;
    for (unsigned i = 0; i < n; i++) {
        const struct outcome *o = &l->outcome[i];

        if (o->used < USED_COUNT && o->op < OPS && o->result < RESULTS)
            tally.of[o->used][o->op][o->result]++;
    }
}

/* The number of a new object: they are counted. */
static l4_umword_t object_number(void)
{
    l4_cap_idx_t gate = slot_new();
    l4_umword_t id;

    l4_factory_create_gate(L4_BASE_FACTORY_CAP, gate, L4_INVALID_CAP, 0);
    id = l4_debugger_global_id(gate);
    slots_empty();
    return id;
}

static l4_umword_t tick(void)
{
    return l4_kip_clock(l4_kip()) / TICK_US;
}

/* All that a round follows from, besides the kernel: its number, the seed, and these two, since
 * faults are reported with numbers of objects, and time-outs may be absolute. */
struct start {
    l4_umword_t tick, id;
};

static struct start begin(void)
{
    struct start s;

    do
        s.id = object_number();
    while (s.id < first_id);
    do
        world_settle();
    while (tick() < first_tick);
    s.tick = tick();
    return s;
}

static void replay(const char *why, unsigned long round, struct start s)
{
    printf("# %sround %lu: fuzz-seed=%lu fuzz-first=%lu fuzz-tick=%lu fuzz-id=%lu fuzz-calls=1\n",
           why, round, seed, round, s.tick, s.id);
}

static bool play(unsigned long round, struct balance before)
{
    uint64_t own = fuzz_mix(fuzz_mix(seed, round), round + 1), made = calls, began;
    struct start start = begin();
    bool good;

    began = l4_rdtsc();
    round_hash = 0;
    world_new(own);
    world_run(own);
    world_delete();
    for (unsigned n = 0; n < LANES; n++)
        take_in(&lanes[n]);
    hash = fuzz_mix(hash, round_hash);
    if (show) {
        replay("", round, start);
        printf("# round %lu: %lu calls, hash %016lx, %lu instructions\n", round, calls - made,
               round_hash, l4_rdtsc() - began);
    }
    world_clean(false);
    good = balanced(before);
    if (good && round % CHECK_ROUNDS == 0)
        good = expect_eq(l4_dbg_check(L4_BASE_DEBUGGER_CAP), 0);
    if (good && round % CANARY_ROUNDS == 0)
        good = expect(bystander_well());
    if (!good)
        replay("in ", round, start);
    return good;
}

/* A round that does not count: the threads that last have done everything once. */
static void warm_up(void)
{
    world_settle();
    world_new(1);
    world_run(1);
    world_delete();
    world_clean(false);
}

static void fuzz(void)
{
    unsigned long round = first;
    struct balance before;

    bystander_rest();
    warm_up();
    before = balance();

    do
        if (!play(round, before))
            break;
    while (round++, calls < wanted);
    expect_eq(l4_dbg_check(L4_BASE_DEBUGGER_CAP), 0);
    printf("\n# fuzz: seed %lu, %lu calls in %lu rounds, %lu lanes of %lu finished, hash %016lx\n",
           seed, calls, round - first, finished, LANES * (round - first), hash);
    printf("# fuzz: %u faults, %u lanes resumed, %u given up, %u kicked, memory cleaned %u times\n",
           tally.faults, tally.resumed, tally.given_up, tally.kicked, tally.cleaned);
    printf("# fuzz: %u disturbed, %u instructions, %u foreign calls, %u spoilt\n", tally.disturbed,
           tally.deeds.instructions, tally.deeds.foreign, tally.deeds.spoilt);
}

static const char *result_name(unsigned result)
{
    static const char *const errors[] = {
#define X(name, number, text) #name,
        L4_ERRORS(X)
#undef X
    };
    static const char *const ipc[RESULTS - RESULT_IPC] = {
#define X(name, number, text) [number] = #name,
        L4_IPC_ERRORS(X)
#undef X
    };

    if (result >= RESULT_IPC)
        return ipc[result - RESULT_IPC] ? ipc[result - RESULT_IPC] : "IPC?";
    return result == 0 ? "OK" : result < sizeof(errors) / sizeof(errors[0]) ? errors[result]
                                                                            : "other";
}

/* A line for each operation: what came of it how often. */
static void show_tally(void)
{
    static const char *const names[] = {
#define X(name) #name,
        PROTOCOLS_USED(X)
#undef X
        "OTHER",
    };

    for (unsigned used = 0; used < USED_COUNT; used++)
        for (unsigned op = 0; op < OPS; op++) {
            bool any = false;

            for (unsigned r = 0; r < RESULTS; r++) {
                if (!tally.of[used][op][r])
                    continue;
                if (!any)
                    printf("# tally: %s %u:", names[used], op);
                any = true;
                printf(" %s %u", result_name(r), tally.of[used][op][r]);
            }
            if (any)
                printf("\n");
        }
}

static const struct test fuzz_tests[] = {
    {"hostile tasks harm nobody, and nothing is lost", fuzz},
    {NULL, NULL},
};

int main(void)
{
    static const struct test *const sets[] = {fuzz_tests};
    int status;

    wanted = option("fuzz-calls=", 1000000);
    seed = option("fuzz-seed=", 1);
    first = option("fuzz-first=", 0);
    first_tick = option("fuzz-tick=", 0);
    first_id = option("fuzz-id=", 0);
    show = option("fuzz-show=", 0);
    world_start();
    status = tests_run(sets, 1);
    show_tally();
    return status;
}
