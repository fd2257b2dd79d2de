/*
 * caps/transfer.c - capabilities in messages: windows, single slots, local ids
 */
#include "sets.h"

struct pair {
    struct child *from, *to;
    struct job *s, *r;
};

static struct pair pair_new(void)
{
    struct pair p = {child_new(), child_new(), NULL, NULL};

    give(p.from, p.to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    p.s = job_new(L4_SYSF_SEND, CHILD_CAP(0));
    p.r = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    p.s->tag = l4_msgtag(0, 0, 1, 0);
    return p;
}

static void run(struct pair *p)
{
    job_start(p->to, p->r);
    job_start(p->from, p->s);
    expect(p->s->done && p->r->done);
}

static l4_umword_t returned(l4_umword_t base, l4_umword_t fp, unsigned kind)
{
    return (base & ~0xfffUL) | (fp & 0xff0) | L4_ITEM_MAP | kind;
}

static void into_a_single_slot(void)
{
    struct pair p = pair_new();

    p.s->mr[0] = l4_map_obj_control(0x7777000, 0);
    p.s->mr[1] = l4_obj_fpage(CHILD_TASK, 0, L4_CAP_FPAGE_RW).raw;
    p.r->br[0] = CHILD_CAP(40) | L4_RCV_ITEM_SINGLE_CAP;
    run(&p);
    expect_eq(p.s->got_error, 0);
    expect_eq(p.r->got[0], returned(0x7777000, p.s->mr[1], L4_ITEM_RET_MAPPED));
    expect_eq(p.r->got[1], 0);
    expect(has_cap(p.to->task, CHILD_CAP(40)));
    expect(!has_cap(p.to->task, CHILD_CAP(41)));
}

/* The window rule with slots as units. */
static void into_a_window(void)
{
    static const struct {
        unsigned first, s, window, r, spot, source, at, count;
    } cases[] = {
        {16, 2, 64, 5, 9, 16, 72, 4},  /* at the hot spot, aligned to the flexpage */
        {16, 4, 64, 2, 6, 20, 64, 4},  /* a window smaller than the flexpage: a part */
        {16, 3, 64, 3, 5, 16, 64, 8},  /* equal: the hot spot does not matter */
        {18, 0, 64, 6, 63, 18, 127, 1},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair p = pair_new();

        for (unsigned n = 16; n < 32; n++) /* every odd slot is empty */
            if (n % 2 == 0 && n != 16)
                give(p.from, L4_BASE_LOG_CAP, (l4_cap_idx_t)n << 12, L4_CAP_FPAGE_RW);
        p.s->mr[0] = l4_map_obj_control((l4_umword_t)cases[i].spot << 12, 0);
        p.s->mr[1] = l4_obj_fpage((l4_cap_idx_t)cases[i].first << 12, cases[i].s,
                                  L4_CAP_FPAGE_RW).raw;
        p.r->br[0] = L4_ITEM_MAP;
        p.r->br[1] = l4_obj_fpage((l4_cap_idx_t)cases[i].window << 12, cases[i].r, 0).raw;
        run(&p);
        expect_eq(p.s->got_error, 0);
        for (unsigned n = 60; n < 136; n++) {
            bool inside = n >= cases[i].at && n < cases[i].at + cases[i].count;
            bool even = (cases[i].source + n - cases[i].at) % 2 == 0;

            expect_eq(has_cap(p.to->task, (l4_cap_idx_t)n << 12), inside && even);
        }
        destroy(p.from->task);
        destroy(p.to->task);
        children_reset();
        jobs_reset();
    }
}

static void void_capability(void)
{
    struct pair p = pair_new();

    p.s->mr[0] = l4_map_obj_control(0, 0);
    p.s->mr[1] = l4_obj_fpage(CHILD_CAP(50), 0, L4_CAP_FPAGE_RW).raw;
    p.r->br[0] = CHILD_CAP(40) | L4_RCV_ITEM_SINGLE_CAP;
    run(&p);
    expect_eq(p.s->got_error, 0);
    expect_eq(p.r->got[0], returned(0, p.s->mr[1], L4_ITEM_RET_NOTHING));
}

static void slot_beyond_the_table(void)
{
    struct pair p = pair_new();

    p.s->mr[0] = l4_map_obj_control(0, 0);
    p.s->mr[1] = l4_obj_fpage(CHILD_TASK, 0, L4_CAP_FPAGE_RW).raw;
    p.r->br[0] = (L4_CAP_SLOTS << 12) | L4_RCV_ITEM_SINGLE_CAP;
    run(&p);
    expect_eq(p.s->got_error, 0);
    expect_eq(p.r->got[0], returned(0, p.s->mr[1], L4_ITEM_RET_NOTHING));
}

/* The receiver knows the gate itself: it gets the label instead of another capability. */
static void local_id_of_own_gate(void)
{
    for (unsigned rights = 1; rights < 4; rights++) {
        struct pair p = pair_new();
        l4_cap_idx_t gate = gate_new(p.to->thread, 0xabcde0);

        give(p.from, gate, CHILD_CAP(1), L4_CAP_FPAGE_R | rights);
        p.s->mr[0] = l4_map_obj_control(0, 0);
        p.s->mr[1] = l4_obj_fpage(CHILD_CAP(1), 0, L4_CAP_FPAGE_RWS).raw;
        p.r->br[0] = CHILD_CAP(40) | L4_RCV_ITEM_SINGLE_CAP | L4_RCV_ITEM_LOCAL_ID;
        run(&p);
        expect_eq(p.r->got[0], returned(0, p.s->mr[1], L4_ITEM_RET_LABEL));
        expect_eq(p.r->got[1], 0xabcde0 | rights);
        expect(!has_cap(p.to->task, CHILD_CAP(40)));
        jobs_reset();
        destroy(p.from->task);
        destroy(p.to->task);
        children_reset();
    }
}

static void local_id_of_other_gate(void)
{
    struct pair p = pair_new();
    struct child *other = child_new();

    give(p.from, gate_new(other->thread, 0x120), CHILD_CAP(1), L4_CAP_FPAGE_RW);
    p.s->mr[0] = l4_map_obj_control(0, 0);
    p.s->mr[1] = l4_obj_fpage(CHILD_CAP(1), 0, L4_CAP_FPAGE_RW).raw;
    p.r->br[0] = CHILD_CAP(40) | L4_RCV_ITEM_SINGLE_CAP | L4_RCV_ITEM_LOCAL_ID;
    run(&p);
    expect_eq(p.r->got[0], returned(0, p.s->mr[1], L4_ITEM_RET_MAPPED));
    expect(has_cap(p.to->task, CHILD_CAP(40)));
}

/* Threads of one task need not map anything: the flexpage itself is told. */
static void local_id_within_a_task(void)
{
    struct pair p = pair_new();
    struct child *second = child_thread(p.to, 1);

    give(p.to, p.to->thread, CHILD_CAP(2), L4_CAP_FPAGE_RW);
    p.s->to = CHILD_CAP(2);
    p.s->mr[0] = l4_map_obj_control(0x5000, 0);
    p.s->mr[1] = l4_obj_fpage(CHILD_TASK, 0, L4_CAP_FPAGE_RW).raw;
    p.r->br[0] = CHILD_CAP(40) | L4_RCV_ITEM_SINGLE_CAP | L4_RCV_ITEM_LOCAL_ID;
    job_start(p.to, p.r);
    job_start(second, p.s);
    expect(p.s->done && p.r->done);
    expect_eq(p.r->got[0], returned(0x5000, p.s->mr[1], L4_ITEM_RET_FPAGE));
    expect_eq(p.r->got[1], p.s->mr[1]);
    expect(!has_cap(p.to->task, CHILD_CAP(40)));
}

/* A capability comes with a call, is used, and is gone when the sender takes it back. */
static void lent(void)
{
    struct pair p = pair_new();
    struct child *server = child_new();

    give(p.from, gate_new(server->thread, 0x40), CHILD_CAP(1), L4_CAP_FPAGE_RW);
    p.s->mr[0] = l4_map_obj_control(0, 0);
    p.s->mr[1] = l4_obj_fpage(CHILD_CAP(1), 0, L4_CAP_FPAGE_RW).raw;
    p.r->br[0] = CHILD_CAP(40) | L4_RCV_ITEM_SINGLE_CAP;
    run(&p);
    expect_eq(rights_seen(server, p.to, CHILD_CAP(40)), 1);
    unmap_cap(p.from->task, CHILD_CAP(1), RWSD, OTHERS);
    expect_eq(rights_seen(server, p.to, CHILD_CAP(40)), -L4_IPC_ENOT_EXISTENT);
}

static long hand_over(l4_cap_idx_t task, l4_cap_idx_t cap, l4_cap_idx_t slot)
{
    return l4_error(l4_task_map(task, L4_BASE_TASK_CAP, l4_obj_fpage(cap, 0, RWSD),
                                l4_map_obj_control(slot, L4_MAP_ITEM_GRANT)));
}

/* The capability that all others of a task stem from goes to a task that would die with it: then
 * nobody could ever delete either. It stays where it is. */
static void tasks_that_own_each_other(void)
{
    l4_cap_idx_t a = task_new(), b = task_new(), c = task_new(), way_to_b = slot_new(),
                 way_to_c = slot_new();

    expect_eq(hand_over(a, a, CHILD_CAP(0)), 0);
    expect(has_cap(L4_BASE_TASK_CAP, a));
    expect(!has_cap(a, CHILD_CAP(0)));
    l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(b, 0, RWSD),
                l4_map_obj_control(way_to_b, 0));
    l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(c, 0, RWSD),
                l4_map_obj_control(way_to_c, 0));
    expect_eq(hand_over(a, b, CHILD_CAP(0)), 0);
    expect_eq(hand_over(way_to_b, c, CHILD_CAP(0)), 0);
    expect(!has_cap(L4_BASE_TASK_CAP, b) && !has_cap(L4_BASE_TASK_CAP, c));
    expect_eq(hand_over(way_to_b, a, CHILD_CAP(1)), 0);
    expect_eq(hand_over(way_to_c, a, CHILD_CAP(1)), 0);
    expect(has_cap(L4_BASE_TASK_CAP, a));
    /* A copy may go anywhere, and so may what other tasks hold. */
    expect_eq(l4_error(l4_task_map(way_to_c, L4_BASE_TASK_CAP, l4_obj_fpage(a, 0, RWSD),
                                   l4_map_obj_control(CHILD_CAP(1), 0))), 0);
    expect(has_cap(way_to_c, CHILD_CAP(1)));
    expect_eq(destroy(a), 0);
    expect(!has_cap(L4_BASE_TASK_CAP, way_to_b) && !has_cap(L4_BASE_TASK_CAP, way_to_c));
}

/* As far as the kernel follows: longer chains take nothing more. */
static void a_long_chain_of_owners(void)
{
    l4_cap_idx_t way[70], first = task_new(), last = task_new();

    way[0] = slot_new();
    l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(first, 0, RWSD),
                l4_map_obj_control(way[0], 0));
    for (unsigned i = 1; i < 70; i++) {
        l4_cap_idx_t task = task_new();

        way[i] = slot_new();
        l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(task, 0, RWSD),
                    l4_map_obj_control(way[i], 0));
        expect_eq(hand_over(way[i - 1], task, CHILD_CAP(0)), 0);
        expect_eq(has_cap(L4_BASE_TASK_CAP, task), i > 63);
        if (i > 63)
            break;
    }
    expect_eq(hand_over(way[50], last, CHILD_CAP(1)), 0);
    expect(!has_cap(L4_BASE_TASK_CAP, last));
    expect_eq(hand_over(way[50], first, CHILD_CAP(2)), 0);
    expect(has_cap(L4_BASE_TASK_CAP, first));
}

const struct test transfer_tests[] = {
    {"an item brings a capability into the slot that the receiver names", into_a_single_slot},
    {"capability windows follow the window rule", into_a_window},
    {"a void capability maps nothing", void_capability},
    {"a slot beyond the table receives nothing", slot_beyond_the_table},
    {"local id: the label of one's own gate, with the sender's rights", local_id_of_own_gate},
    {"local id: the gate of another task is mapped", local_id_of_other_gate},
    {"local id: within a task the flexpage itself is told", local_id_within_a_task},
    {"a lent capability can be taken back", lent},
    {"a task is not handed over to itself, or to what it keeps alive", tasks_that_own_each_other},
    {"a chain of tasks that keep each other alive has an end", a_long_chain_of_owners},
    {NULL, NULL},
};
