/*
 * ipc/order.c - who runs when: priorities, time slices, direct switch, yield
 */
#include "sets.h"

enum { LOG_MAX = 64 };

static volatile unsigned log_count;
static volatile unsigned char log_who[LOG_MAX];

static void log_clear(void)
{
    log_count = 0;
}

static void log_add(unsigned who)
{
    if (log_count < LOG_MAX)
        log_who[log_count] = (unsigned char)who;
    log_count++;
}

static void expect_log(const char *wanted)
{
    char seen[LOG_MAX + 1] = "";

    for (unsigned i = 0; i < log_count && i < LOG_MAX; i++)
        seen[i] = (char)('a' + log_who[i]);
    seen[log_count < LOG_MAX ? log_count : LOG_MAX] = 0;
    if (strcmp(seen, wanted) != 0)
        printf("# order %s instead of %s\n", seen, wanted);
    expect(strcmp(seen, wanted) == 0);
}

/* Waits for a message, then notes that it ran. */
static void note(void *who)
{
    l4_umword_t label;

    for (;;) {
        l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
        log_add((unsigned)(l4_umword_t)who);
    }
}

static struct child *noter(unsigned who, unsigned priority)
{
    struct child *c = child_new();

    c->priority = priority;
    child_run(c, note, (void *)(l4_umword_t)who);
    return c;
}

static void wake(struct child *c)
{
    l4_ipc_send(c->thread, l4_utcb(), l4_msgtag(0, 0, 0, 0), L4_IPC_NEVER);
}

static void higher_first(void)
{
    struct child *a = noter(0, 61), *b = noter(1, 62), *c = noter(2, 63);

    log_clear();
    own_priority(100);
    wake(a);
    wake(c);
    wake(b);
    expect_log("");
    own_priority(PRIO_TEST);
    expect_log("cba");
}

static void preemption(void)
{
    struct child *high = noter(0, PRIO_TEST + 1), *low;

    log_clear();
    wake(high);
    log_add(1);
    expect_log("ab");
    own_priority(100);
    low = noter(2, PRIO_TEST - 1);
    own_priority(PRIO_TEST);
    log_clear();
    l4_ipc_sleep_ms(1); /* it starts to wait */
    wake(low);
    log_add(1);
    expect_log("b");
    l4_ipc_sleep_ms(1);
    expect_log("bc");
}

static void priority_changes(void)
{
    struct child *a = noter(0, 61), *b = noter(1, 62);

    own_priority(100);
    log_clear();
    wake(a);
    wake(b);
    expect_eq(child_priority(a, 70, 0), 0);
    own_priority(PRIO_TEST);
    expect_log("ab");
    own_priority(100);
    log_clear();
    wake(a);
    expect_eq(child_priority(a, 101, 0), 0);
    log_add(2);
    expect_log("ac");
}

static void priority_limits(void)
{
    struct child *a = child_new();

    expect_eq(child_priority(a, 256, 0), -L4_EINVAL);
    expect_eq(child_priority(a, ~0U, 0), -L4_EINVAL);
    expect_eq(child_priority(a, 255, 0), 0);
    expect_eq(child_priority(a, 1, 0), 0);
}

static void note_once(void *who)
{
    log_add((unsigned)(l4_umword_t)who);
}

/* Of equal priority: first come, first served. */
static void equals_in_order(void)
{
    struct child *c[3];

    own_priority(100);
    log_clear();
    for (unsigned i = 0; i < 3; i++) {
        c[i] = child_new();
        child_run(c[i], note_once, (void *)(l4_umword_t)i);
    }
    own_priority(PRIO_TEST);
    expect_log("abc");
}

static volatile l4_umword_t spins[3];
static volatile bool stop;
static volatile unsigned turns, last_turn;

static void spin(void *arg)
{
    unsigned who = (unsigned)(l4_umword_t)arg;

    while (!stop) {
        spins[who]++;
        if (last_turn != who) {
            last_turn = who;
            turns++;
        }
    }
}

static void round_robin(void)
{
    struct child *c[3];

    stop = false;
    turns = 0;
    last_turn = 9;
    own_priority(100);
    for (unsigned i = 0; i < 3; i++) {
        spins[i] = 0;
        c[i] = child_new();
        child_run(c[i], spin, (void *)(l4_umword_t)i);
        child_priority(c[i], PRIO_CHILD, 2000);
    }
    l4_ipc_sleep_ms(24);
    stop = true;
    own_priority(PRIO_TEST);
    expect(turns >= 10 && turns <= 16); /* twelve, the rest of one, and a last look at `stop` */
    for (unsigned i = 0; i < 3; i++)
        expect(spins[i] * 4 > spins[0] + spins[1] + spins[2]);
}

/* A quantum is the thread's own: 6 ms against 2 ms. */
static void quantum(void)
{
    struct child *a = child_new(), *b = child_new();

    stop = false;
    spins[0] = spins[1] = 0;
    own_priority(100);
    child_run(a, spin, (void *)0UL);
    child_run(b, spin, (void *)1UL);
    child_priority(a, PRIO_CHILD, 6000);
    child_priority(b, PRIO_CHILD, 2000);
    l4_ipc_sleep_ms(32);
    stop = true;
    own_priority(PRIO_TEST);
    expect(spins[0] > 2 * spins[1] && spins[0] < 4 * spins[1]);
}

/* ---- direct switch ---- */

static void serve(void *who)
{
    l4_umword_t label;

    l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
    for (;;) {
        log_add((unsigned)(l4_umword_t)who);
        l4_ipc_reply_and_wait(l4_utcb(), l4_msgtag(0, 0, 0, 0), &label, L4_IPC_NEVER);
    }
}

static volatile l4_umword_t call_timeout;

static void call_three_times(void *who)
{
    l4_timeout_t t = {.raw = (l4_uint32_t)call_timeout};

    for (unsigned i = 0; i < 3; i++) {
        log_add((unsigned)(l4_umword_t)who);
        l4_ipc_call(CHILD_CAP(0), l4_utcb(), l4_msgtag(0, 0, 0, 0), t);
    }
}

/* Client, server and a third of equal priority: it does not come between call and answer. */
static void direct_switch(l4_umword_t timeout)
{
    struct child *server = child_new(), *client = child_new(), *third = child_new();

    give(client, gate_new(server->thread, 0), CHILD_CAP(0), L4_CAP_FPAGE_RW);
    child_run(server, serve, (void *)1UL);
    log_clear();
    call_timeout = timeout;
    own_priority(100);
    child_run(client, call_three_times, (void *)0UL);
    child_run(third, note_once, (void *)2UL);
    own_priority(PRIO_TEST);
    expect_log("abababc");
}

static void direct_switch_fast(void)
{
    direct_switch(0);
}

static void direct_switch_slow(void)
{
    direct_switch(receive_within(1000000).raw);
}

/* The answer goes to a caller of higher priority at once, to one of lower when nobody else runs. */
static void answer_and_priorities(void)
{
    struct child *server = child_new(), *client = child_new(), *third = noter(2, 55);

    server->priority = 58;
    client->priority = 50;
    give(client, server->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    child_run(server, serve, (void *)1UL);
    log_clear();
    call_timeout = 0;
    own_priority(100);
    child_run(client, call_three_times, (void *)0UL);
    wake(third);
    own_priority(PRIO_TEST);
    expect_log("cababab");
}

static void yield_twice(void *who)
{
    for (unsigned i = 0; i < 3; i++) {
        log_add((unsigned)(l4_umword_t)who);
        l4_thread_yield();
    }
}

static void yield(void)
{
    struct child *a = child_new(), *b = child_new();

    log_clear();
    own_priority(100);
    child_run(a, yield_twice, (void *)0UL);
    child_run(b, yield_twice, (void *)1UL);
    own_priority(PRIO_TEST);
    expect_log("ababab");
}

static void switch_to_second(void *who)
{
    log_add((unsigned)(l4_umword_t)who);
    l4_thread_switch(CHILD_CAP(0));
    log_add((unsigned)(l4_umword_t)who);
}

static void switch_picks(void)
{
    struct child *a = child_new(), *b = child_new(), *c = child_new();

    give(a, c->thread, CHILD_CAP(0), L4_CAP_FPAGE_RWS);
    log_clear();
    own_priority(100);
    child_run(a, switch_to_second, (void *)0UL);
    child_run(b, note_once, (void *)1UL);
    child_run(c, note_once, (void *)2UL);
    own_priority(PRIO_TEST);
    expect_log("acba");
}

/* A thread that spins at the test's own priority cannot keep it from running. */
static void time_is_shared_with_a_spinner(void)
{
    struct child *a = child_new();
    l4_uint64_t before = l4_kip_clock(l4_kip());
    l4_kernel_clock_t us = 0;

    stop = false;
    a->priority = PRIO_TEST;
    child_run(a, spin, (void *)0UL);
    while (l4_kip_clock(l4_kip()) < before + 40000)
        ;
    expect_eq(l4_error(l4_thread_stats_time(a->thread, &us)), 0);
    expect(us >= 8000 && us <= 32000);
    stop = true;
}

const struct test order_tests[] = {
    {"of several ready threads the one of highest priority runs first", higher_first},
    {"a woken thread of higher priority runs at once, one of lower later", preemption},
    {"a new priority counts at once", priority_changes},
    {"priorities above 255 are refused", priority_limits},
    {"threads of equal priority run in the order in which they became ready", equals_in_order},
    {"threads of equal priority take turns", round_robin},
    {"the length of a turn is the thread's own", quantum},
    {"a call switches to the server directly and back", direct_switch_fast},
    {"the same with a timeout, which takes the long way", direct_switch_slow},
    {"an answer does not let a caller of low priority run first", answer_and_priorities},
    {"yield lets the others of the same priority run", yield},
    {"switch lets the named thread run first", switch_picks},
    {"a spinning thread of equal priority gets its share, no more",
     time_is_shared_with_a_spinner},
    {NULL, NULL},
};
