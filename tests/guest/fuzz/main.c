/*
 * fuzz/main.c - rounds of hostile tasks, with a leak check after each, and what they reached
 *
 * Words on the kernel's command line: fuzz-calls=N at least so many calls (1000000), fuzz-seed=N
 * (1), fuzz-first=N the first round (0): a single round can be played again.
 */
#include "fuzz.h"

#include <abi/kip.h>
#include <l4/sys/debugger.h>

enum { CHECK_ROUNDS = 16, CANARY_ROUNDS = 64, SETTLE_MAX = 50 };

static l4_umword_t wanted, seed, first;
static uint64_t hash, calls, finished;

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

    hash = fuzz_mix(hash, l->hash + l->calls);
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

static bool play(unsigned long round, struct balance before)
{
    uint64_t own = fuzz_mix(fuzz_mix(seed, round), round + 1);
    bool good;

    world_new(own);
    world_run(own);
    world_delete();
    for (unsigned n = 0; n < LANES; n++)
        take_in(&lanes[n]);
    world_clean(false);
    good = balanced(before);
    if (good && round % CHECK_ROUNDS == 0)
        good = expect_eq(l4_dbg_check(L4_BASE_DEBUGGER_CAP), 0);
    if (good && round % CANARY_ROUNDS == 0)
        good = expect(bystander_well());
    if (!good)
        printf("# in round %lu of seed %lu: fuzz-seed=%lu fuzz-first=%lu fuzz-calls=1\n", round,
               seed, seed, round);
    return good;
}

static void fuzz(void)
{
    unsigned long round = first;
    struct balance before = balance();

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
    world_start();
    status = tests_run(sets, 1);
    show_tally();
    return status;
}
