/*
 * accounting/history.c - random histories of making, mapping, granting, revoking and destroying
 *
 * Errors are part of it: poor factories, void capabilities, occupied places. Every CHECK_EVERY
 * steps the kernel looks at all of its structures; when the history is over, everything goes, and
 * the harness compares kernel memory with what it was before (H1).
 */
#include "accounting.h"

#include <l4/sys/debugger.h>
#include <l4/sys/irq.h>
#include <l4/sys/semaphore.h>

enum { SLOTS = 48, STEPS = 1200, CHECK_EVERY = 40, PLACES = 32, FAR = 100000 };
#define VOID_CAP (60UL << L4_CAP_SHIFT)
enum kind { EMPTY, TASK, THREAD, FACTORY, GATE, IRQ, SEMAPHORE, KINDS };

static struct {
    l4_cap_idx_t cap;
    enum kind kind;
} slots[SLOTS];
static l4_cap_idx_t unserved; /* the last gate that was made for faults */
static l4_umword_t seed;
static unsigned done_well[8], done_badly[8];

static unsigned random(unsigned n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 20) % n;
}

/* A slot of a kind, or any if there is none of it. */
static unsigned some(enum kind kind)
{
    unsigned first = random(SLOTS);

    for (unsigned i = 0; i < SLOTS; i++)
        if (slots[(first + i) % SLOTS].kind == kind)
            return (first + i) % SLOTS;
    return first;
}

/* A void one if there is none: a gate in its place would make us wait for ever. */
static l4_cap_idx_t some_cap(enum kind kind)
{
    unsigned s = some(kind);

    return slots[s].kind == kind ? slots[s].cap : VOID_CAP;
}

/* Half of all objects are paid by factories that were made here, often too poor. */
static l4_cap_idx_t payer(void)
{
    return random(2) ? L4_BASE_FACTORY_CAP : some_cap(FACTORY);
}

static long make(void)
{
    unsigned s = random(4) ? some(EMPTY) : random(SLOTS);
    enum kind kind = 1 + random(KINDS - 1);
    l4_cap_idx_t to = slots[s].cap, from = payer();
    l4_fpage_t area = l4_fpage(QUIRE_UTCB_ADDR, 12 + random(3), L4_FPAGE_RW);
    long err = 0;

    switch (kind) {
    case TASK:
        err = l4_error(l4_factory_create_task(from, to, &area));
        break;
    case THREAD:
        err = l4_error(l4_factory_create_thread(from, to));
        break;
    case FACTORY:
        err = l4_error(l4_factory_create_factory(from, to, 1UL << (8 + random(11))));
        break;
    case GATE:
        err = l4_error(l4_factory_create_gate(from, to, random(2) ? some_cap(THREAD)
                                                                  : L4_INVALID_CAP, seed & ~3UL));
        break;
    case IRQ:
        err = l4_error(l4_factory_create(from, L4_PROTO_IRQ, to));
        break;
    default:
        err = l4_error(l4_factory_create(from, L4_PROTO_SEMAPHORE, to));
    }
    if (err >= 0)
        slots[s].kind = kind;
    return err;
}

static long remove_one(void)
{
    unsigned s = random(SLOTS);

    slots[s].kind = EMPTY;
    if (random(2))
        return destroy(slots[s].cap);
    return l4_error(l4_task_release_cap(L4_BASE_TASK_CAP, slots[s].cap));
}

static l4_addr_t place(unsigned order)
{
    return 0x100000000UL + ((l4_addr_t)random(PLACES) << 21) + ((l4_addr_t)random(4) << 12) +
           (random(3) ? 0 : (l4_addr_t)(random(512) >> (order - 12)) << order) +
           (random(8) ? 0 : 1UL << 39);
}

static unsigned some_order(void)
{
    return random(4) ? 12 + random(3) : 21;
}

/* From ourselves or from one task to another, sometimes as a grant. */
static long map(void)
{
    bool ours = random(2);
    unsigned order = some_order();
    l4_cap_idx_t from = ours ? L4_BASE_TASK_CAP : some_cap(TASK);
    l4_addr_t at = ours ? memory + ((l4_addr_t)random(512) << 12) : place(order);
    unsigned grant = !ours && random(3) == 0 ? L4_MAP_ITEM_GRANT : 0;

    return l4_error(l4_task_map(some_cap(TASK), from,
                                l4_fpage(at, order, random(4) ? L4_FPAGE_RW : L4_FPAGE_RX),
                                l4_map_control(place(order), 0, grant)));
}

static long unmap(void)
{
    static const unsigned char rights[] = {L4_FPAGE_RWX, L4_FPAGE_RWX, L4_FPAGE_W, 0};
    bool ours = random(3) == 0;
    unsigned order = random(4) ? some_order() : 25;
    l4_addr_t at = ours ? memory + ((l4_addr_t)random(512) << 12) : place(12);

    return l4_error(l4_task_unmap(ours ? L4_BASE_TASK_CAP : some_cap(TASK),
                                  l4_fpage(at, order > 21 && ours ? 21 : order,
                                           rights[random(4)]),
                                  ours || random(2) ? L4_FP_OTHER_SPACES : L4_FP_ALL_SPACES));
}

/* Capabilities into tasks, near and far slots, and out of them again. */
static long pass(void)
{
    l4_cap_idx_t task = some_cap(TASK), what = slots[random(SLOTS)].cap;
    l4_cap_idx_t to = (l4_cap_idx_t)(random(3) ? random(64) : random(FAR)) << L4_CAP_SHIFT;

    if (random(4) == 0)
        return l4_error(l4_task_unmap(task, l4_obj_fpage(0, random(2) ? 6 : 18, L4_CAP_FPAGE_RWSD),
                                      random(2) ? L4_FP_ALL_SPACES : L4_FP_OTHER_SPACES));
    if (random(3) == 0)
        return l4_error(l4_task_map(task, some_cap(TASK), l4_obj_fpage(0, 6, L4_CAP_FPAGE_RWS),
                                    l4_map_obj_control(to, random(4) ? 0 : L4_MAP_ITEM_GRANT)));
    return l4_error(l4_task_map(task, L4_BASE_TASK_CAP,
                                l4_obj_fpage(what, 0, random(2) ? L4_CAP_FPAGE_RWSD
                                                                : L4_CAP_FPAGE_RW),
                                l4_map_obj_control(to, 0)));
}

static long more_ku_mem(void)
{
    l4_fpage_t area = l4_fpage(random(2) ? place(12) : 0x200000000000UL + (random(64) << 14),
                               12 + random(3), L4_FPAGE_RW);

    return l4_error(l4_task_add_ku_mem(some_cap(TASK), &area));
}

/* A thread that faults at once and waits at a gate that nobody serves, or stays stopped. */
static long start(void)
{
    l4_cap_idx_t thread = some_cap(THREAD), task = some_cap(TASK);
    l4_sched_param_t p = l4_sched_param(PRIO_TEST - 1 + random(3), 0);
    long err;

    l4_thread_control_start();
    l4_thread_control_bind((l4_utcb_t *)(QUIRE_UTCB_ADDR + random(8) * L4_UTCB_OFFSET), task);
    err = l4_error(l4_thread_control_commit(thread));
    if (err < 0)
        return err;
    /* What it faults at is its pager's business: an unbound gate in slot 1, made here. */
    err = l4_error(l4_factory_create_gate(L4_BASE_FACTORY_CAP, unserved, L4_INVALID_CAP, 0));
    if (err < 0)
        return err;
    err = l4_error(l4_task_map(task, L4_BASE_TASK_CAP, l4_obj_fpage(unserved, 0, 15),
                               l4_map_obj_control(0x1000, 0)));
    l4_thread_control_start();
    l4_thread_control_pager(0x1000);
    err |= l4_error(l4_thread_control_commit(thread));
    err |= l4_error(l4_thread_ex_regs(thread, 0x1000, 0x2000, 0));
    return err < 0 ? err : l4_error(l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, thread, &p));
}

static void step(void)
{
    static long (*const operations[])(void) = {make, remove_one, map, unmap, pass, more_ku_mem,
                                               start};
    static const unsigned char often[] = {0, 0, 0, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6};
    unsigned i = often[random(sizeof(often))];

    if (operations[i]() < 0)
        done_badly[i]++;
    else
        done_well[i]++;
}

static void history(l4_umword_t first)
{
    seed = first * 0x9e3779b97f4a7c15UL;
    for (unsigned i = 0; i < SLOTS; i++) {
        slots[i].cap = slot_new();
        slots[i].kind = EMPTY;
    }
    unserved = slot_new();
    memset(done_well, 0, sizeof(done_well));
    memset(done_badly, 0, sizeof(done_badly));
    for (unsigned i = 1; i <= STEPS; i++) {
        step();
        if (i % CHECK_EVERY == 0 && !expect_eq(l4_dbg_check(L4_BASE_DEBUGGER_CAP), 0)) {
            printf("# history %lu, step %u\n", first, i);
            break;
        }
    }
    for (unsigned i = 0; i < 7; i++) { /* the history was worth its name */
        if (!expect(done_well[i] > 0))
            printf("# history %lu: operation %u: %u good, %u bad\n", first, i, done_well[i],
                   done_badly[i]);
    }
    for (unsigned i = 0; i < SLOTS; i++)
        destroy(slots[i].cap);
    destroy(unserved);
    l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(memory, 21, L4_FPAGE_RWX), L4_FP_OTHER_SPACES);
    l4_ipc_sleep_ms(5);
}

static void histories_1(void)
{
    for (l4_umword_t i = 1; i <= 4; i++)
        history(i);
}

static void histories_2(void)
{
    for (l4_umword_t i = 101; i <= 104; i++)
        history(i);
}

static void histories_3(void)
{
    for (l4_umword_t i = 1001; i <= 1004; i++)
        history(i);
}

const struct test history_tests[] = {
    {"4 random histories leave nothing behind", histories_1},
    {"4 more", histories_2},
    {"and 4 more", histories_3},
    {NULL, NULL},
};
