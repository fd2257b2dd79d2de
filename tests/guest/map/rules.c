/*
 * map/rules.c - where a flexpage goes, what of it, and with which rights
 */
#include "pool.h"

/*
 * Send base, order s, receive base, order r, hot spot: source, destination, order. The sender has
 * the pool from 0x200000 on; the test adds SHIFT to its addresses, where its program is not.
 */
#define SHIFT 0x40000000UL

struct vector {
    l4_umword_t send;
    unsigned s;
    l4_umword_t receive;
    unsigned r;
    l4_umword_t spot, source, destination;
    unsigned order;
};

static const struct vector vectors[] = {
    {0x400000, 12, 0x10000000, 12, 0xdeadb000, 0x400000, 0x10000000, 12},
    {0x400000, 12, 0x10000000, 20, 0x35000, 0x400000, 0x10035000, 12},
    {0x400000, 12, 0x10000000, 20, 0x135fff, 0x400000, 0x10035000, 12},
    {0x408000, 15, 0x10000000, 20, 0x35000, 0x408000, 0x10030000, 15},
    {0x400000, 22, 0x7fff0000, 16, 0x123000, 0x520000, 0x7fff0000, 16},
    {0x400000, 22, 0x10000000, 12, 0x3ff123, 0x7ff000, 0x10000000, 12},
    {0x200000, 21, 0, 63, 0x40201234, 0x200000, 0x40200000, 21},
    {0x200000, 12, 0, 63, 0x7f1234567abc, 0x200000, 0x7f1234567000, 12},
    {0x203000, 21, 0x10005000, 14, 0x9000, 0x208000, 0x10004000, 14},
    {0x400000, 22, 0x10000000, 22, 0x123000, 0x400000, 0x10000000, 22},
    /* further ones: the flexpage's own low bits and those of the window do not count */
    {0x40f000, 15, 0x100ff000, 20, 0x35000, 0x408000, 0x10030000, 15},
    {0x200000, 13, 0, 63, 0xfff8000000401fffUL & 0x401fff, 0x200000, 0x400000 + 0, 13},
    {0x5ff000, 12, 0x10000000, 21, 0x1ff000, 0x5ff000, 0x101ff000, 12},
    {0x200000, 21, 0x10000000, 21, 0xfffffffffffff000, 0x200000, 0x10000000, 21},
};

/* Page entries that the mapping must have taken. */
static l4_umword_t entries(const struct vector *v)
{
    return v->order >= 21 ? 1UL << (v->order - 21) : 1UL << (v->order - 12);
}

/* Everything that the rule says is there, and nothing beside it. */
static void check_place(l4_cap_idx_t task, const struct vector *v)
{
    l4_umword_t size = 1UL << v->order, from = v->source - 0x200000;

    expect_eq(page_at(task, v->destination), from);
    expect_eq(page_at(task, v->destination + size - KIB4), from + size - KIB4);
    expect_eq(page_at(task, v->destination + size / 2), size > KIB4 ? from + size / 2 : from);
    expect_eq(page_at(task, v->destination - KIB4), HOLE);
    expect_eq(page_at(task, v->destination + size), HOLE);
}

/* The first 6 MiB of the pool from 0x200000 on. */
static void source_place(l4_cap_idx_t task, l4_addr_t shift)
{
    for (l4_umword_t o = 0; o < 3 * MIB2; o += MIB2)
        expect_eq(pool_map(task, o, 21, shift + 0x200000 + o, L4_FPAGE_RWX), 0);
}

static void through_ipc(void)
{
    struct child *from = child_new(), *to = child_new();

    give(from, to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    source_place(from->task, SHIFT);
    for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        const struct vector *v = &vectors[i];
        struct job *r = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
        struct job *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));
        l4_umword_t before = entered(to->task);

        if (v->destination < 0x1000000) /* the receiver's program is there */
            continue;
        r->br[0] = L4_ITEM_MAP;
        r->br[1] = l4_fpage(v->receive, v->r, 0).raw;
        s->tag = l4_msgtag(0, 0, 1, 0);
        s->mr[0] = l4_map_control(v->spot, 0, 0);
        s->mr[1] = l4_fpage(SHIFT + v->send, v->s, L4_FPAGE_RWX).raw;
        job_start(to, r);
        job_start(from, s);
        expect(s->done && r->done);
        expect_eq(s->got_error, 0);
        expect_eq(r->got[0] & L4_ITEM_RET_MASK, L4_ITEM_RET_MAPPED);
        expect_eq(entered(to->task) - before, entries(v));
        check_place(to->task, v);
        unmap(from->task, SHIFT, 30, L4_FPAGE_RWX, L4_FP_OTHER_SPACES);
        expect_eq(page_at(to->task, v->destination), HOLE);
        jobs_reset();
    }
}

/* The window of l4_task_map is the whole space. */
static void through_task_map(void)
{
    l4_cap_idx_t from = task_new(), to = task_new();

    source_place(from, 0);
    for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        struct vector v = vectors[i];
        l4_umword_t before = entered(to);

        v.spot &= 0x7fffffffffff; /* the whole space is larger than user space */
        v.source = v.send & ~((1UL << v.s) - 1);
        v.destination = v.spot & ~((1UL << v.s) - 1);
        v.order = v.s;
        if (v.destination + (1UL << v.s) > L4_USER_END || v.destination == 0)
            continue;
        expect_eq(move(to, from, v.send, v.s, v.spot, L4_FPAGE_RWX), 0);
        expect_eq(entered(to) - before, entries(&v));
        check_place(to, &v);
        unmap(from, 0, 30, L4_FPAGE_RWX, L4_FP_OTHER_SPACES);
    }
}

static void rights_are_anded(void)
{
    static const unsigned own[] = {L4_FPAGE_R, L4_FPAGE_RW, L4_FPAGE_RX, L4_FPAGE_RWX};
    struct child *to = child_new();
    l4_cap_idx_t from = task_new();

    for (unsigned i = 0; i < 4; i++) {
        expect_eq(pool_map(from, 0x5000, 12, PLACE, own[i]), 0);
        for (unsigned sent = 0; sent < 16; sent++) {
            unsigned both = own[i] & sent;

            expect_eq(move(to->task, from, PLACE, 12, PLACE2, sent), 0);
            expect_eq(rights_at(to, PLACE2), (both & L4_FPAGE_R) ? both : 0);
            unmap(from, PLACE, 12, L4_FPAGE_RWX, L4_FP_OTHER_SPACES);
        }
        unmap(from, PLACE, 12, L4_FPAGE_RWX, L4_FP_ALL_SPACES);
    }
}

/* Through three tasks, whatever each asks for. */
static void rights_never_grow(void)
{
    struct child *last = child_new();
    l4_cap_idx_t a = task_new(), b = task_new();

    expect_eq(pool_map(a, 0x7000, 12, PLACE, L4_FPAGE_RX), 0);
    expect_eq(move(b, a, PLACE, 12, PLACE, L4_FPAGE_RWX), 0);
    expect_eq(move(last->task, b, PLACE, 12, PLACE, 0xf), 0);
    expect_eq(rights_at(last, PLACE), L4_FPAGE_RX);
    /* Rights that the source gets later do not reach those who mapped from it before. */
    expect_eq(pool_map(a, 0x7000, 12, PLACE, L4_FPAGE_RWX), 0);
    expect_eq(rights_at(last, PLACE), L4_FPAGE_RX);
}

static void holes_are_skipped(void)
{
    l4_cap_idx_t from = task_new(), to = task_new();
    l4_umword_t before;

    for (unsigned i = 0; i < 16; i += 3)
        pool_map(from, i * KIB4, 12, PLACE + i * KIB4, L4_FPAGE_RW);
    before = entered(to);
    expect_eq(move(to, from, PLACE, 16, PLACE2, L4_FPAGE_RW), 0);
    expect_eq(entered(to) - before, 6);
    for (unsigned i = 0; i < 16; i++)
        expect_eq(page_at(to, PLACE2 + i * KIB4), i % 3 ? HOLE : i * KIB4);
    /* The whole of a nearly empty space: also only what is there. */
    before = entered(to);
    expect_eq(move(to, from, 0, L4_WHOLE_ADDRESS_SPACE, 0, L4_FPAGE_RW), 0);
    expect_eq(entered(to) - before, 6);
    expect_eq(page_at(to, PLACE + 3 * KIB4), 3 * KIB4);
}

static void nothing_to_map(void)
{
    l4_cap_idx_t from = task_new(), to = task_new();
    l4_umword_t used = counter(to, L4_DBG_CNT_KMEM_USED), before = entered(to);

    pool_map(from, 0, 21, PLACE, L4_FPAGE_RW);
    used = counter(to, L4_DBG_CNT_KMEM_USED);
    for (unsigned order = 0; order < 12; order++)
        expect_eq(move(to, from, PLACE, order, PLACE2, L4_FPAGE_RW), 0);
    expect_eq(move(to, from, PLACE2, 12, PLACE2, L4_FPAGE_RW), 0);
    expect_eq(move(to, from, PLACE, 12, PLACE2, 0), 0);
    expect_eq(move(to, from, PLACE, 12, PLACE2, L4_FPAGE_W), 0);
    expect_eq(move(to, from, PLACE, 12, PLACE2, L4_FPAGE_X), 0);
    expect_eq(move(to, from, PLACE, 12, L4_USER_END, L4_FPAGE_RW), 0);
    expect_eq(move(to, from, PLACE, 12, 0x800000000000UL, L4_FPAGE_RW), 0);
    expect_eq(move(to, from, PLACE, 12, 0xffff800000000000UL, L4_FPAGE_RW), 0);
    expect_eq(move(to, from, PLACE, 12, 0xffffffff80000000UL, L4_FPAGE_RW), 0);
    expect_eq(move(to, from, PLACE, 12, ~0xfffUL, L4_FPAGE_RW), 0);
    expect_eq(move(to, from, PLACE, 21, L4_USER_END & ~(MIB2 - 1), 0), 0);
    expect_eq(move(to, from, 0xffffffff80000000UL, 12, PLACE2, L4_FPAGE_RW), 0);
    expect_eq(move(to, from, L4_USER_END, 12, PLACE2, L4_FPAGE_RW), 0);
    expect_eq(entered(to), before);
    expect_eq(counter(to, L4_DBG_CNT_KMEM_USED), used);
}

/* 2 MiB of which the last page is beyond user space: the rest goes in. */
static void across_the_end(void)
{
    l4_cap_idx_t from = task_new(), to = task_new();
    l4_addr_t last = L4_USER_END - KIB4;

    expect_eq(pool_map(to, 0, 21, L4_USER_END & ~(MIB2 - 1), L4_FPAGE_RW), 0);
    expect_eq(page_at(to, last), 0x1fe000);
    expect_eq(page_at(to, L4_USER_END & ~(MIB2 - 1)), 0);
    expect_eq(page_at(to, L4_USER_END), HOLE);
    /* The same from small pages. */
    to = task_new();
    pool_map(from, 0x100000, 14, PLACE, L4_FPAGE_RW);
    expect_eq(move(to, from, PLACE, 14, L4_USER_END - 3 * KIB4, L4_FPAGE_RW), 0);
    expect_eq(entered(to), 3);
    expect_eq(page_at(to, last), 0x102000);
    expect_eq(page_at(to, L4_USER_END), HOLE);
}

static void utcb_memory_is_spared(void)
{
    struct child *c = child_new();
    l4_umword_t before = entered(c->task);

    expect_eq(pool_map(c->task, 0x4000, 12, CHILD_UTCB_ADDR, L4_FPAGE_RW), 0);
    expect_eq(entered(c->task), before);
    expect_eq(move(L4_BASE_TASK_CAP, c->task, CHILD_UTCB_ADDR, 12, PLACE2, L4_FPAGE_RW), 0);
    expect_eq(entered(c->task), before);
    expect_eq(unmap(c->task, CHILD_UTCB_ADDR, 12, L4_FPAGE_RWX, L4_FP_ALL_SPACES), 0);
    expect_eq(probe_read(c, CHILD_UTCB_ADDR + 8 * L4_UTCB_SELF_WORD).value, CHILD_UTCB_ADDR);
    /* A superpage around it: all but the UTCBs. */
    expect_eq(pool_map(c->task, 0, 21, CHILD_UTCB_ADDR, L4_FPAGE_RW), 0);
    expect_eq(page_at(c->task, CHILD_UTCB_ADDR), HOLE);
    expect_eq(page_at(c->task, CHILD_UTCB_ADDR + KIB4), KIB4);
    expect_eq(page_at(c->task, CHILD_UTCB_ADDR + MIB2 - KIB4), MIB2 - KIB4);
    expect_eq(probe_read(c, CHILD_UTCB_ADDR + 8 * L4_UTCB_SELF_WORD).value, CHILD_UTCB_ADDR);
}

/* The same, with the UTCB page in the middle of what the superpage would cover. */
static void utcb_memory_in_the_middle(void)
{
    l4_cap_idx_t task = slot_new();
    l4_fpage_t area = l4_fpage(PLACE + 0x3000, 12, L4_FPAGE_RW);

    expect_eq(l4_error(l4_factory_create_task(L4_BASE_FACTORY_CAP, task, &area)), 0);
    expect_eq(pool_map(task, 0, 22, PLACE, L4_FPAGE_RW), 0);
    expect_eq(page_at(task, PLACE), 0);
    expect_eq(page_at(task, PLACE + 0x3000), HOLE);
    expect_eq(page_at(task, PLACE + 0x4000), 0x4000);
    expect_eq(page_at(task, PLACE + MIB2), MIB2);
}

static void rights_of_tasks_and_errors(void)
{
    l4_cap_idx_t to = task_new(), weak = slot_new();
    l4_fpage_t page = l4_fpage(pool, 12, L4_FPAGE_RW);
    l4_utcb_t *u = l4_utcb();

    l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(to, 0, L4_CAP_FPAGE_RW),
                l4_map_obj_control(weak, 0));
    expect_eq(l4_error(l4_task_map(weak, L4_BASE_TASK_CAP, page, PLACE)), -L4_EPERM);
    expect_eq(l4_error(l4_task_map(to, weak, page, PLACE)), -L4_EPERM);
    expect_eq(l4_error(l4_task_unmap(weak, page, 0)), -L4_EPERM);
    expect_eq(l4_error(l4_task_map(to, slot_new(), page, PLACE)), -L4_ENOENT);
    expect_eq(l4_error(l4_task_map(to, L4_BASE_THREAD_CAP, page, PLACE)), -L4_EINVAL);
    expect_eq(l4_error(l4_task_map(slot_new(), L4_BASE_TASK_CAP, page, PLACE)),
              -(long)(L4_EIPC_LO + L4_IPC_ENOT_EXISTENT));
    u->msg.mr[0] = L4_TASK_MAP_OP;
    expect_eq(l4_error(l4_ipc_call(to, u, l4_msgtag(L4_PROTO_TASK, 3, 0, 0), L4_IPC_NEVER)),
              -L4_EMSGMISSARG);
    u->msg.mr[0] = L4_TASK_MAP_OP;
    expect_eq(l4_error(l4_ipc_call(to, u, l4_msgtag(L4_PROTO_TASK, 2, 0, 0), L4_IPC_NEVER)),
              -L4_EMSGTOOSHORT);
    u->msg.mr[0] = 77;
    expect_eq(l4_error(l4_ipc_call(to, u, l4_msgtag(L4_PROTO_TASK, 3, 0, 0), L4_IPC_NEVER)),
              -L4_ENOSYS);
    expect_eq(l4_error(l4_ipc_call(to, u, l4_msgtag(L4_PROTO_LOG, 3, 0, 0), L4_IPC_NEVER)),
              -L4_EBADPROTO);
    expect_eq(l4_error(l4_ipc_call(to, u, l4_msgtag(L4_PROTO_TASK, 0, 0, 0), L4_IPC_NEVER)),
              -L4_EMSGTOOSHORT);
}

const struct test rules_tests[] = {
    {"an item goes where the window rule says, and nowhere else", through_ipc},
    {"so does a flexpage given to l4_task_map", through_task_map},
    {"a mapping has the rights of the sender's and of the flexpage, no others", rights_are_anded},
    {"rights never grow on the way through tasks", rights_never_grow},
    {"holes are skipped, the rest is mapped", holes_are_skipped},
    {"order below 12, no R, a hole, or a place above user space: nothing happens", nothing_to_map},
    {"a flexpage across the end of user space is mapped up to there", across_the_end},
    {"UTCB memory is neither covered nor mapped on nor unmapped", utcb_memory_is_spared},
    {"a superpage goes in around UTCB memory", utcb_memory_in_the_middle},
    {"mapping needs S on both tasks, and a message that is complete", rights_of_tasks_and_errors},
    {NULL, NULL},
};
