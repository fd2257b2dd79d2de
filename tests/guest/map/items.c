/*
 * map/items.c - items in messages: what the receiver is told, several of them, buffers
 */
#include "pool.h"

struct pair {
    struct child *from, *to;
    struct job *s, *r;
};

/* A sender that has the first 2 MiB of the pool at PLACE, page by page, and a receiver. */
static struct pair pair_new(void)
{
    struct pair p = {child_new(), child_new(), NULL, NULL};

    give(p.from, p.to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    for (unsigned i = 0; i < 16; i++)
        pool_map(p.from->task, i * KIB4, 12, PLACE + i * KIB4, L4_FPAGE_RW);
    p.s = job_new(L4_SYSF_SEND, CHILD_CAP(0));
    p.r = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    return p;
}

static void run(struct pair *p)
{
    job_start(p->to, p->r);
    job_start(p->from, p->s);
    expect(p->s->done && p->r->done);
}

static void window(struct job *r, unsigned br, l4_fpage_t fp)
{
    r->br[br] = L4_ITEM_MAP;
    r->br[br + 1] = fp.raw;
}

/* The answer to a returned item: send base, type and order, 8, kind. */
static l4_umword_t returned(l4_umword_t base, l4_umword_t fp, unsigned kind)
{
    return (base & ~0xfffUL) | (fp & 0xff0) | L4_ITEM_MAP | kind;
}

static void one_item(void)
{
    struct pair p = pair_new();

    p.s->tag = l4_msgtag(0x77, 2, 1, 0);
    p.s->mr[0] = WORD(1, 0);
    p.s->mr[1] = WORD(1, 1);
    p.s->mr[2] = l4_map_control(0x123000, 0, 0);
    p.s->mr[3] = l4_fpage(PLACE + 0x2000, 12, L4_FPAGE_RW).raw;
    window(p.r, 0, l4_fpage(PLACE2, 20, 0));
    run(&p);
    expect_eq(p.s->got_error, 0);
    expect_eq(p.r->got_tag.raw, l4_msgtag(0x77, 2, 1, 0).raw);
    expect_eq(p.r->got[0], WORD(1, 0));
    expect_eq(p.r->got[1], WORD(1, 1));
    expect_eq(p.r->got[2], returned(0x123000, p.s->mr[3], L4_ITEM_RET_MAPPED));
    expect_eq(p.r->got[3], 0);
    expect_eq(p.r->got[4], POISON + 4);
    expect_eq(page_at(p.to->task, PLACE2 + 0x23000), 0x2000);
    expect_eq(p.s->got[2], p.s->mr[2]);
    expect_eq(p.s->got[3], p.s->mr[3]);
}

static void nothing_mapped(void)
{
    static const struct {
        l4_umword_t address;
        unsigned order, rights;
        l4_umword_t window;
        unsigned window_order;
    } cases[] = {
        {PLACE + 0x100000, 12, L4_FPAGE_RW, PLACE2, 20},   /* a hole */
        {PLACE, 12, 0, PLACE2, 20},                        /* no rights */
        {PLACE, 11, L4_FPAGE_RW, PLACE2, 20},              /* less than a page */
        {PLACE, 12, L4_FPAGE_RW, PLACE2, 11},              /* into less than a page */
        {PLACE, 12, L4_FPAGE_RW, 0x800000000000, 20},      /* above user space */
        {PLACE, 12, L4_FPAGE_RW, CHILD_UTCB_ADDR, 12},     /* UTCB memory */
        {CHILD_UTCB_ADDR, 12, L4_FPAGE_RW, PLACE2, 12},    /* the sender's UTCB memory */
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pair p = pair_new();
        l4_umword_t before = entered(p.to->task);

        p.s->tag = l4_msgtag(0, 0, 1, 0);
        p.s->mr[0] = l4_map_control(0, 0, 0);
        p.s->mr[1] = l4_fpage(cases[i].address, cases[i].order,
                              (unsigned char)cases[i].rights).raw;
        window(p.r, 0, l4_fpage(cases[i].window, cases[i].window_order, 0));
        run(&p);
        expect_eq(p.s->got_error, 0);
        expect_eq(p.r->got_error, 0);
        expect_eq(p.r->got[0], returned(0, p.s->mr[1], L4_ITEM_RET_NOTHING));
        expect_eq(entered(p.to->task), before);
        destroy(p.from->task);
        destroy(p.to->task);
        children_reset();
        jobs_reset();
    }
}

static void type_mismatch(void)
{
    struct pair p = pair_new();

    p.s->tag = l4_msgtag(0, 0, 1, 0);
    p.s->mr[0] = l4_map_control(0, 0, 0);
    p.s->mr[1] = l4_fpage(PLACE, 12, L4_FPAGE_RW).raw;
    window(p.r, 0, l4_obj_fpage(CHILD_CAP(9), 3, 0));
    run(&p);
    expect_eq(p.s->got_error, 0);
    expect_eq(p.r->got[0], returned(0, p.s->mr[1], L4_ITEM_RET_NOTHING));
    p.s->mr[1] = l4_obj_fpage(CHILD_TASK, 0, L4_CAP_FPAGE_RW).raw;
    window(p.r, 0, l4_fpage(PLACE2, 20, 0));
    run(&p);
    expect_eq(p.s->got_error, 0);
    expect_eq(p.r->got[0], returned(0, p.s->mr[1], L4_ITEM_RET_NOTHING));
}

/* Buffers that are no receive items, or reach beyond the buffer registers. */
static void bad_buffers(void)
{
    struct pair p = pair_new();

    p.s->tag = l4_msgtag(0, 0, 1, 0);
    p.s->mr[0] = l4_map_control(0, 0, 0);
    p.s->mr[1] = l4_fpage(PLACE, 12, L4_FPAGE_RW).raw;
    run(&p); /* no buffer at all */
    expect_eq(p.s->got_error, L4_IPC_SEMSGCUT);
    expect_eq(p.r->got_error, L4_IPC_REMSGCUT);
    p.r->br[1] = l4_fpage(PLACE2, 20, 0).raw; /* a window, but word 0 says that it is none */
    run(&p);
    expect_eq(p.s->got_error, L4_IPC_SEMSGCUT);
    p.r->bdr = 31; /* the buffer registers from 31 on are empty */
    run(&p);
    expect_eq(p.s->got_error, L4_IPC_SEMSGCUT);
    /* Two items, one window. */
    p.r->bdr = 0;
    window(p.r, 0, l4_fpage(PLACE2, 12, 0));
    p.s->tag = l4_msgtag(0, 0, 2, 0);
    p.s->mr[2] = l4_map_control(0, 0, 0);
    p.s->mr[3] = l4_fpage(PLACE + 0x1000, 12, L4_FPAGE_RW).raw;
    run(&p);
    expect_eq(p.s->got_error, L4_IPC_SEMSGCUT);
    expect_eq(p.r->got_error, L4_IPC_REMSGCUT);
    expect_eq(page_at(p.to->task, PLACE2), 0); /* what came before stays */
}

static void two_items_two_windows(void)
{
    struct pair p = pair_new();

    p.s->tag = l4_msgtag(0, 1, 3, 0);
    p.s->mr[1] = l4_map_control(0, 0, 0);
    p.s->mr[2] = l4_fpage(PLACE, 12, L4_FPAGE_RW).raw;
    p.s->mr[3] = l4_map_obj_control(0, 0);
    p.s->mr[4] = l4_obj_fpage(CHILD_TASK, 0, L4_CAP_FPAGE_RW).raw;
    p.s->mr[5] = l4_map_control(0, 0, 0);
    p.s->mr[6] = l4_fpage(PLACE + 0x1000, 12, L4_FPAGE_R).raw;
    window(p.r, 3, l4_fpage(PLACE2, 12, 0));
    window(p.r, 5, l4_fpage(PLACE2 + 0x8000, 12, 0));
    p.r->br[9] = CHILD_CAP(5) | L4_RCV_ITEM_SINGLE_CAP;
    p.r->bdr = l4_bdr(3, 0, 9, 0);
    run(&p);
    expect_eq(p.s->got_error, 0);
    for (unsigned i = 1; i < 7; i += 2) {
        expect_eq(p.r->got[i], returned(0, p.s->mr[i + 1], L4_ITEM_RET_MAPPED));
        expect_eq(p.r->got[i + 1], 0);
    }
    expect_eq(page_at(p.to->task, PLACE2), 0);
    expect_eq(page_at(p.to->task, PLACE2 + 0x8000), 0x1000);
    expect_eq(l4_error(l4_task_cap_valid(p.to->task, CHILD_CAP(5))), 1);
}

static void compound_items(void)
{
    struct pair p = pair_new();

    p.s->tag = l4_msgtag(0, 0, 5, 0);
    for (unsigned i = 0; i < 5; i++) {
        p.s->mr[2 * i] = l4_map_control(i * 0x3000, 0, 0) | (i < 4 ? L4_ITEM_CONT : 0);
        p.s->mr[2 * i + 1] = l4_fpage(PLACE + i * KIB4, 12, L4_FPAGE_RW).raw;
    }
    p.s->mr[8] = l4_map_control(0, 0, 0); /* the fifth one is on its own after this: */
    p.s->mr[6] &= ~(l4_umword_t)L4_ITEM_CONT;
    window(p.r, 0, l4_fpage(PLACE2, 16, 0));
    window(p.r, 2, l4_fpage(PLACE2 + 0x100000, 12, 0));
    run(&p);
    expect_eq(p.s->got_error, 0);
    for (unsigned i = 0; i < 5; i++)
        expect_eq(p.r->got[2 * i], returned(p.s->mr[2 * i], p.s->mr[2 * i + 1],
                                            L4_ITEM_RET_MAPPED));
    for (unsigned i = 0; i < 4; i++)
        expect_eq(page_at(p.to->task, PLACE2 + i * 0x3000), i * KIB4);
    expect_eq(page_at(p.to->task, PLACE2 + 0x100000), 4 * KIB4);
}

static void as_many_items_as_fit(void)
{
    struct pair p = pair_new();

    p.s->tag = l4_msgtag(0, 1, 31, 0);
    for (unsigned i = 0; i < 31; i++) {
        p.s->mr[2 * i + 1] = l4_map_control(i * KIB4, 0, 0) | L4_ITEM_CONT;
        p.s->mr[2 * i + 2] = l4_fpage(PLACE + i % 16 * KIB4, 12, L4_FPAGE_RW).raw;
    }
    window(p.r, 0, l4_fpage(PLACE2, 20, 0));
    run(&p);
    expect_eq(p.s->got_error, 0);
    expect_eq(p.r->got_tag.raw, l4_msgtag(0, 1, 31, 0).raw);
    for (unsigned i = 0; i < 31; i++)
        expect_eq(page_at(p.to->task, PLACE2 + i * KIB4), i % 16 * KIB4);
    for (unsigned i = 0; i < 31; i++)
        expect_eq(p.r->got[2 * i + 1] & 7, L4_ITEM_RET_MAPPED);
}

static void void_items(void)
{
    struct pair p = pair_new();
    l4_umword_t before = entered(p.to->task);

    p.s->tag = l4_msgtag(0, 0, 2, 0);
    p.s->mr[0] = 0x5000;
    p.s->mr[1] = l4_fpage(PLACE, 12, L4_FPAGE_RW).raw;
    p.s->mr[2] = L4_ITEM_MAP;
    p.s->mr[3] = l4_fpage_invalid().raw;
    window(p.r, 0, l4_fpage(PLACE2, 20, 0));
    run(&p);
    expect_eq(p.s->got_error, 0);
    expect_eq(p.r->got[0] & L4_ITEM_RET_MASK, L4_ITEM_RET_NOTHING);
    expect_eq(p.r->got[2] & L4_ITEM_RET_MASK, L4_ITEM_RET_NOTHING);
    expect_eq(entered(p.to->task), before);
}

/* Items come with the answer of a call, and with a call. */
static void items_both_ways(void)
{
    struct pair p = pair_new();
    struct job *answer = job_new(L4_SYSF_SEND | L4_SYSF_REPLY, L4_INVALID_CAP);

    pool_map(p.to->task, 0x9000, 12, PLACE, L4_FPAGE_RW);
    p.s->op = L4_SYSF_CALL;
    p.s->tag = l4_msgtag(0, 0, 1, 0);
    p.s->mr[0] = l4_map_control(0, 0, 0);
    p.s->mr[1] = l4_fpage(PLACE, 12, L4_FPAGE_RW).raw;
    window(p.s, 0, l4_fpage(PLACE2, 12, 0));
    window(p.r, 0, l4_fpage(PLACE2, 12, 0));
    answer->tag = l4_msgtag(0, 0, 1, 0);
    answer->mr[0] = l4_map_control(0, 0, 0);
    answer->mr[1] = l4_fpage(PLACE, 12, L4_FPAGE_RW).raw;
    p.r->next = answer;
    job_start(p.to, p.r);
    job_start(p.from, p.s);
    expect(p.s->done && answer->done);
    expect_eq(page_at(p.to->task, PLACE2), 0);
    expect_eq(page_at(p.from->task, PLACE2), 0x9000);
    expect_eq(p.s->got[0], returned(0, answer->mr[1], L4_ITEM_RET_MAPPED));
}

/* Nothing but the window changes: the neighbours of what is mapped are what they were. */
static void only_the_window_changes(void)
{
    struct pair p = pair_new();

    for (unsigned i = 0; i < 4; i++)
        pool_map(p.to->task, 0x100000 + i * KIB4, 12, PLACE2 + i * KIB4, L4_FPAGE_RW);
    p.s->tag = l4_msgtag(0, 0, 1, 0);
    p.s->mr[0] = l4_map_control(0, 0, 0);
    p.s->mr[1] = l4_fpage(PLACE, 16, L4_FPAGE_RW).raw;
    window(p.r, 0, l4_fpage(PLACE2 + KIB4, 12, 0));
    run(&p);
    expect_eq(page_at(p.to->task, PLACE2), 0x100000);
    expect_eq(page_at(p.to->task, PLACE2 + KIB4), 0);
    expect_eq(page_at(p.to->task, PLACE2 + 2 * KIB4), 0x102000);
    expect_eq(page_at(p.to->task, PLACE2 + 3 * KIB4), 0x103000);
}

const struct test items_tests[] = {
    {"the receiver is told where an item went, behind the words", one_item},
    {"an item of which nothing is mapped says so, and is no error", nothing_mapped},
    {"an item of another type than its window maps nothing", type_mismatch},
    {"a message with more items than buffers is cut", bad_buffers},
    {"items of two types find the windows of their type, in order", two_items_two_windows},
    {"compound items share one window", compound_items},
    {"31 items in one message", as_many_items_as_fit},
    {"void items map nothing", void_items},
    {"a call takes items there and back", items_both_ways},
    {"nothing outside the window changes", only_the_window_changes},
    {NULL, NULL},
};
