/*
 * hostile/fuzz.c - random system calls, with a new task after every 128 of them
 *
 * Seeded, so each run is the same. A call is one that makes sense with one or two words spoilt, or
 * nothing but noise. The child has its task, its thread, a factory with a limit, gates to itself
 * and to a server, and whatever it makes; not the scheduler, the log or the debugger.
 */
#include "sets.h"

/* Below the test, which has to get through: a child may well set up threads that fault for ever. */
enum { ROUNDS = 15, CALLS = 128, PRIO_FUZZ = 30, PATIENCE_MS = 4 };

static l4_umword_t seed;
static volatile unsigned calls_made;

static l4_umword_t noise(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Numbers at which something ends or begins. */
static l4_umword_t odd_number(void)
{
    static const l4_umword_t numbers[] = {
        0, 1, 7, 8, 0xfff, 0x1000, 0x200000, 0x40000000, CHILD_UTCB_ADDR, L4_USER_END,
        L4_USER_END - 1, 0x800000000000, 0xffff800000000000, 0xffffffff80000000,
        0xffffffff90000000, 1UL << 63, ~0UL, ~0xfffUL, L4_INVALID_CAP, L4_CAP_SLOTS << 12,
    };
    l4_umword_t n = noise();

    return n % 3 ? numbers[n / 3 % (sizeof(numbers) / sizeof(numbers[0]))] : noise();
}

static l4_cap_idx_t any_cap(void)
{
    l4_umword_t n = noise();

    if (n % 16 == 0)
        return odd_number() & ~0xfUL;
    return (n / 16 % 40) << L4_CAP_SHIFT;
}

static l4_umword_t any_fpage(void)
{
    l4_umword_t n = noise();
    unsigned type = n % 4, order = n / 4 % 3 ? 12 + n / 16 % 20 : n / 16 % 64;

    if (type == L4_FPAGE_OBJ)
        return __l4_fpage_generic(any_cap(), type, n / 16 % 5, n >> 40 & 15).raw;
    return __l4_fpage_generic(n % 5 ? (n >> 12 << 12) % 0x60000000 : odd_number(),
                              type, order, n >> 40 & 15).raw;
}

/* A call that makes sense: words and label; the number of words and items. */
static l4_msgtag_t sensible(l4_utcb_t *u)
{
    static const long protocols[] = {L4_PROTO_TASK, L4_PROTO_THREAD, L4_PROTO_FACTORY,
                                     L4_PROTO_KOBJECT, L4_PROTO_NONE, L4_PROTO_PAGE_FAULT,
                                     L4_PROTO_EXCEPTION, L4_PROTO_META};
    static const long made[] = {L4_PROTO_TASK, L4_PROTO_THREAD, L4_PROTO_FACTORY, L4_PROTO_NONE};
    long protocol = protocols[noise() % 8];
    unsigned words = noise() % 8, items = noise() % 3;

    for (unsigned i = 0; i < words + 2 * items; i++)
        u->msg.mr[i] = noise() % 2 ? any_fpage() : odd_number();
    u->msg.mr[0] = noise() % 20;
    if (protocol == L4_PROTO_FACTORY) {
        u->msg.mr[0] = (l4_umword_t)made[noise() % 4];
        u->msg.mr[1] = (8 << 16) | noise() % 4;
        words = 3;
    } else if (protocol == L4_PROTO_THREAD && u->msg.mr[0] == 1) {
        u->msg.mr[0] |= noise() & 0x30000; /* ex_regs, of somebody else at least: */
        words = noise() % 8 ? 2 : 3;
    }
    for (unsigned i = 0; i < items; i++) {
        u->msg.mr[words + 2 * i] = (noise() & 0xfff3) | 8;
        u->msg.mr[words + 2 * i + 1] = any_fpage();
    }
    u->buf.bdr = noise() % 4 ? 0 : noise() & 0xffffff;
    u->buf.br[0] = any_cap() | L4_RCV_ITEM_SINGLE_CAP;
    if (noise() % 2) {
        u->buf.br[0] = 8;
        u->buf.br[1] = any_fpage();
    }
    return l4_msgtag(protocol, words, items, 0);
}

static void one_call(void)
{
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag = sensible(u);
    unsigned op = noise() % 4 ? L4_SYSF_CALL : noise() % 16;
    l4_timeout_t to = L4_IPC_BOTH_TIMEOUT_0;
    l4_umword_t label = noise();

    if (noise() % 10 == 0)
        tag.raw = (l4_mword_t)noise();
    if (noise() % 10 == 0)
        u->msg.mr[noise() % 8] = odd_number();
    l4_ipc(any_cap(), u, op, label, tag, &label, to);
}

static void random_calls(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < CALLS; i++) {
        calls_made++;
        one_call();
    }
}

static void serve(void *arg)
{
    l4_umword_t label;
    l4_utcb_t *u = l4_utcb();

    (void)arg;
    l4_ipc_wait(u, &label, L4_IPC_NEVER);
    for (;;)
        l4_ipc_reply_and_wait(u, l4_msgtag(0, 3, 0, 0), &label, L4_IPC_NEVER);
}

static void one_round(void)
{
    l4_cap_idx_t factory = slot_new();
    struct child *server = child_new(), *c;

    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, factory, 400000)), 0);
    c = child_new();
    give(c, factory, L4_BASE_FACTORY_CAP, L4_CAP_FPAGE_RWS);
    give(c, gate_new(server->thread, 0x40), CHILD_CAP(0), L4_CAP_FPAGE_RWSD);
    give(c, gate_new(c->thread, 0x80), CHILD_CAP(1), L4_CAP_FPAGE_RWSD);
    give(c, server->task, CHILD_CAP(2), L4_CAP_FPAGE_RWSD);
    give(c, server->thread, CHILD_CAP(3), L4_CAP_FPAGE_RWSD);
    c->priority = server->priority = PRIO_FUZZ;
    child_run(server, serve, NULL);
    child_run(c, random_calls, NULL);
    for (unsigned i = 0; i < PATIENCE_MS && !c->finished; i++)
        l4_ipc_sleep_ms(1);
}

/* Each part has its own leak check. Most rounds must come to their end, or they test little. */
static void fuzz(void)
{
    unsigned first = calls_made;

    seed = seed ? seed : 0x2545f4914f6cdd1dUL;
    for (unsigned i = 0; i < ROUNDS; i++) {
        one_round();
        slots_empty();
        children_reset();
    }
    expect(calls_made - first > ROUNDS * CALLS / 4);
}

const struct test fuzz_tests[] = {
    {"random system calls harm nobody, part 1", fuzz},
    {"random system calls harm nobody, part 2", fuzz},
    {"random system calls harm nobody, part 3", fuzz},
    {"random system calls harm nobody, part 4", fuzz},
    {"random system calls harm nobody, part 5", fuzz},
    {"random system calls harm nobody, part 6", fuzz},
    {"random system calls harm nobody, part 7", fuzz},
    {"random system calls harm nobody, part 8", fuzz},
    {NULL, NULL},
};
