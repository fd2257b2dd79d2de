/*
 * sweep/main.c - an interrupt at every instruction of an operation, and somebody hostile behind it
 *
 * Every first operation meets every second one, n instructions after it began, for n from 0 on in
 * steps of a stride until it is over. Each time:
 *
 *   - the result is that of first-then-second or of second-then-first (both measured before),
 *     page by page: an operation on many pages does one after the other, so up to a page the one
 *     order, behind it the other. A message that is cut tells both ends.
 *   - the kernel's own checks hold, and kernel memory is in the end what it was.
 *
 * Options on the kernel's command line: sweep=STRIDE (1: every instruction), seed=S (where in the
 * stride each pair begins), pairs=K (each K-th pair, the seed says which), first=F second=G (only
 * this one), from=N to=N (only these n). What a failure prints replays exactly.
 */
#include "sweep.h"

#include <l4/sys/debugger.h>
#include <l4/util/rdtsc.h>

enum { BEFORE = -150, FAILURES_SHOWN = 5, STRIDE = 997, TICK_MARGIN = 400000 };

const struct first *sweep_first;

static struct {
    unsigned long stride, seed, pairs, first, second, from, to;
} options = {STRIDE, 1, 1, ~0UL, ~0UL, 0, ~0UL};

static l4_uint64_t hash = 0xcbf29ce484222325;
static unsigned long trials, failed;

/* ---- one trial ---- */

static l4_umword_t start_delay;

static void begin(void *arg)
{
    (void)arg;
    delay_for(start_delay);
    w.began = l4_rdtsc();
    w.result[FIRST] = sweep_first->run();
    w.ended = l4_rdtsc();
    w.first_done = true;
}

/* The tick of the timer is not to come in between: it would move everything behind it. */
static void away_from_the_tick(void)
{
    static l4_uint64_t tick, period;

    if (!period) {
        l4_ipc_sleep_us(1);
        tick = l4_rdtsc();
        l4_ipc_sleep_ms(9); /* 10 ticks: the sleep begins behind one */
        period = (l4_rdtsc() - tick) / 10;
    }
    if ((l4_rdtsc() - tick) % period > period - TICK_MARGIN)
        l4_ipc_sleep_us(1);
}

/* When is the second operation? Besides a number of instructions: */
enum when { FIRST_THEN_SECOND = -1000000, SECOND_THEN_FIRST = BEFORE };

static struct outcome trial(const struct first *f, const struct second *s, long n)
{
    sweep_first = f;
    world_new(f);
    away_from_the_tick();
    if (n == FIRST_THEN_SECOND) {
        start_delay = 4;
        shot_arm(NULL, 0, &start_delay);
        child_run(w.first, begin, NULL);
        shot_learn(start_delay);
        w.settled = l4_rdtsc();
        shot_now(s);
    } else {
        shot_arm(s, n, &start_delay);
        child_run(w.first, begin, NULL);
    }
    while (!w.second_done)
        __asm__ volatile("pause");
    return look(f);
}

/* ---- judging ---- */

static bool same(const struct outcome *a, const struct outcome *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

static bool same_results(const struct outcome *a, const struct outcome *b)
{
    return memcmp(a->result, b->result, sizeof(a->result)) == 0;
}

static void note(const void *data, unsigned long bytes)
{
    for (unsigned long i = 0; i < bytes; i++)
        hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3;
}

/* What an end of a message may be told when it is cut. */
static bool cut(l4_umword_t result)
{
    static const unsigned errors[] = {L4_IPC_ENOT_EXISTENT, L4_IPC_SECANCELED, L4_IPC_SEABORTED};

    for (unsigned i = 0; i < 3; i++)
        if ((result & ~1UL) == (IPC_ERROR | errors[i]))
            return true;
    return result == PENDING || result == REFUSED;
}

static bool results_good(const struct second *s, const struct outcome *o, const struct outcome *ab,
                         const struct outcome *ba)
{
    if (same_results(o, ab) || same_results(o, ba))
        return true;
    for (unsigned i = 0; i < RESULTS; i++)
        if (o->result[i] != ab->result[i] && o->result[i] != ba->result[i] && !cut(o->result[i]))
            return false;
    return s->cuts;
}

/* Each page as in one of the orders; where they differ, the first ones as in the one, all behind
 * them as in the other. */
static bool units_good(const struct first *f, const struct outcome *o, const struct outcome *ab,
                       const struct outcome *ba)
{
    bool late = false;

    for (unsigned i = 0; i < LOOKS; i++) {
        bool first = o->unit[i] == ab->unit[i], second = o->unit[i] == ba->unit[i];

        if (i % ITEMS == 0)
            late = false;
        if (!first && !second && !((f->flags & LEAVES_HOLES) && o->unit[i] == HOLE_UNIT))
            return false;
        if (late && first && !second && !(f->flags & ANY_ORDER))
            return false;
        late |= second && !first;
    }
    return true;
}

struct pair {
    const struct first *f;
    const struct second *s;
    struct outcome ab, ba;
    unsigned long used, free; /* kernel memory when nothing is there */
    long length;
    unsigned long between; /* outcomes that are neither order's */
};

static void complain(const struct pair *p, long n, const struct outcome *o, const char *what)
{
    if (failed++ >= FAILURES_SHOWN)
        return;
    printf("# first=%u second=%u from=%ld to=%ld: %s / %s: %s\n", (unsigned)(p->f - firsts),
           (unsigned)(p->s - seconds), n, n, p->f->name, p->s->name, what);
    show("first, then second", &p->ab);
    show("second, then first", &p->ba);
    show("seen", o);
}

static void balance(unsigned long *used, unsigned long *free)
{
    *used = counter(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED);
    *free = kernel_memory_free();
}

static void judge(struct pair *p, long n, const struct outcome *o)
{
    unsigned long used, free;

    if (!units_good(p->f, o, &p->ab, &p->ba))
        complain(p, n, o, "a state of neither order");
    else if (!results_good(p->s, o, &p->ab, &p->ba))
        complain(p, n, o, "results of neither order");
    if (l4_dbg_check(L4_BASE_DEBUGGER_CAP) != 0)
        complain(p, n, o, "the kernel's own check");
    p->between += !same(o, &p->ab) && !same(o, &p->ba);
    world_gone(p->f->kind);
    balance(&used, &free);
    if (used != p->used || free != p->free)
        complain(p, n, o, "kernel memory");
    note(&n, sizeof(n));
    note(o, sizeof(*o));
    trials++;
}

/* ---- all n of a pair ---- */

static void measure(struct pair *p)
{
    (void)trial(p->f, p->s, FIRST_THEN_SECOND); /* warm: the same memory as all that follow */
    world_gone(p->f->kind);
    balance(&p->used, &p->free);
    p->ab = trial(p->f, p->s, FIRST_THEN_SECOND);
    p->length = (long)(w.settled - w.began);
    judge(p, FIRST_THEN_SECOND, &p->ab);
    p->ba = trial(p->f, p->s, SECOND_THEN_FIRST);
    if (w.began && w.fired >= w.began)
        complain(p, SECOND_THEN_FIRST, &p->ba, "the second operation came late");
    judge(p, SECOND_THEN_FIRST, &p->ba);
}

static void sweep(const struct first *f, const struct second *s)
{
    unsigned pair = (unsigned)((f - firsts) * second_count + (s - seconds));
    struct pair p = {.f = f, .s = s};
    unsigned long n;

    if ((pair + options.seed) % options.pairs)
        return;
    measure(&p);
    n = options.from ? options.from : options.seed * 7919 * (pair + 1) % options.stride;
    for (; (long)n < p.length && n <= options.to; n += options.stride) {
        struct outcome o = trial(f, s, (long)n);

        judge(&p, (long)n, &o);
    }
    if (options.first != ~0UL)
        printf("# %s / %s: %ld instructions, %lu between the orders\n", f->name, s->name,
               p.length, p.between);
}

static void sweep_first_operation(const struct first *f)
{
    unsigned long before = trials;

    failed = 0;
    for (unsigned i = 0; i < second_count; i++)
        if ((options.second == ~0UL || options.second == i) &&
            (!seconds[i].kinds || (seconds[i].kinds & 1 << f->kind)))
            sweep(f, &seconds[i]);
    printf("# %s: %lu points, hash so far %016lx\n", f->name, trials - before, hash);
    expect_eq(failed, 0);
}

/* ---- options ---- */

static void option(const char *line, const char *name, unsigned long *value)
{
    unsigned long length = strlen(name);

    for (; *line; line++) {
        if (strncmp(line, name, length) != 0 || line[length] != '=')
            continue;
        *value = 0;
        for (line += length + 1; *line >= '0' && *line <= '9'; line++)
            *value = *value * 10 + (unsigned long)(*line - '0');
        return;
    }
}

static void options_read(void)
{
    const l4mod_info *table = (const l4mod_info *)l4_kip()->user_ptr;
    const char *line = table->strings + table->cmdline;

    option(line, "sweep", &options.stride);
    option(line, "seed", &options.seed);
    option(line, "pairs", &options.pairs);
    option(line, "first", &options.first);
    option(line, "second", &options.second);
    option(line, "from", &options.from);
    option(line, "to", &options.to);
    printf("# stride %lu, seed %lu\n", options.stride, options.seed);
}

/* ---- */

static unsigned at;

static void run_at(void)
{
    const struct first *f = &firsts[at++];

    if (options.first == ~0UL || &firsts[options.first] == f)
        sweep_first_operation(f);
}

int main(void)
{
    static struct test tests[64];
    static const struct test *const sets[] = {tests};

    options_read();
    for (unsigned i = 0; i < first_count; i++)
        tests[i] = (struct test){firsts[i].name, run_at};
    pool_start();
    ports_get();
    shot_start();
    tests_run(sets, 1);
    printf("# %lu points, hash %016lx\n", trials, hash);
    return 0;
}
