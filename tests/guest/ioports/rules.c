/*
 * ioports/rules.c - flexpages of ports: windows, rights, items, quota, tasks that come and go
 */
#include "ports.h"

/* What the test sends with one item, a child takes with one buffer; the item as it arrived. */
static l4_umword_t pass(struct child *to, l4_fpage_t sent, l4_umword_t base, l4_fpage_t window)
{
    struct job *r = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    l4_utcb_t *u = l4_utcb();

    r->br[0] = L4_ITEM_MAP;
    r->br[1] = window.raw;
    job_start(to, r);
    u->msg.mr[0] = base | L4_ITEM_MAP;
    u->msg.mr[1] = sent.raw;
    expect_eq(l4_ipc_error(l4_ipc_send(to->thread, u, l4_msgtag(0, 0, 1, 0), L4_IPC_NEVER), u), 0);
    expect_eq(r->got_error, 0);
    expect_eq(r->got[0] & 0xff8, (sent.raw & 0xff0) | L4_ITEM_MAP);
    return r->got[0] & L4_ITEM_RET_MASK;
}

static void what_both_windows_name(void)
{
    static const struct {
        unsigned sent, s, window, r, hot_spot, first, n;
    } rows[] = {
        {0x81, 0, 0x81, 0, 0, 0x81, 1},    {0x81, 0, 0, 16, 0, 0x81, 1},
        {0x81, 0, 0, 16, 0x300, 0x81, 1},  {0x80, 3, 0x80, 1, 0x86, 0x80, 2},
        {0x85, 3, 0x83, 1, 0, 0x82, 2},    {0x80, 3, 0x88, 3, 0, 0, 0},
        {0x81, 0, 0x82, 0, 0x82, 0, 0},    {0, 16, 0x84, 2, 0, 0x84, 4},
        {0x80, 2, 0, 63, 0x80, 0x80, 4},   {0, 63, 0x86, 1, 0, 0x86, 2},
    };
    static const unsigned short ports[] = {0x7f, 0x80, 0x81, 0x82, 0x83, 0x84,
                                           0x85, 0x86, 0x87, 0x88};
    static bool held[10];
    struct child *c = child_new();

    ports_get();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        l4_umword_t kind = pass(c, l4_iofpage(rows[i].sent, rows[i].s),
                                (l4_umword_t)rows[i].hot_spot << 12,
                                l4_iofpage(rows[i].window, rows[i].r));

        expect_eq(kind, rows[i].n ? L4_ITEM_RET_MAPPED : L4_ITEM_RET_NOTHING);
        ports_try(c, ports, 10, held);
        for (unsigned k = 0; k < 10; k++)
            if (held[k] != (ports[k] >= rows[i].first && ports[k] < rows[i].first + rows[i].n))
                expect_eq(i * 0x10000 + ports[k], ~0UL);
        port_unmap(c->task, 0, WHOLE, L4_FP_ALL_SPACES);
    }
    ports_back();
}

static void what_is_not_mapped(void)
{
    struct child *c = child_new();
    l4_fpage_t port = l4_iofpage(PORT, 0), whole = l4_iofpage(0, WHOLE);
    l4_umword_t before;

    before = used();
    expect_eq(pass(c, port, 0, whole), L4_ITEM_RET_NOTHING); /* the test has none yet */
    expect_eq(used(), before);
    ports_get();
    before = used();
    for (unsigned rights = 0; rights < 8; rights++)
        expect_eq(pass(c, l4_fpage_set_rights(port, (unsigned char)rights), 0, whole),
                  (rights & L4_FPAGE_RW) == L4_FPAGE_RW ? L4_ITEM_RET_MAPPED
                                                        : L4_ITEM_RET_NOTHING);
    port_unmap(c->task, 0, WHOLE, L4_FP_ALL_SPACES);
    expect_eq(pass(c, port, 0, l4_fpage(0, 63, L4_FPAGE_RWX)), L4_ITEM_RET_NOTHING);
    expect_eq(pass(c, port, 0, l4_obj_fpage(0, 63, L4_CAP_FPAGE_RWSD)), L4_ITEM_RET_NOTHING);
    expect_eq(pass(c, l4_iofpage(0x10000, 4), 0, whole), L4_ITEM_RET_NOTHING);
    expect_eq(pass(c, l4_iofpage(0xfffff, 0), 0, l4_iofpage(0, 63)), L4_ITEM_RET_NOTHING);
    expect(!holds(c, PORT));
    expect_eq(used(), before);
    ports_back();
}

static void a_missing_buffer_cuts(void)
{
    struct child *c = child_new();
    struct job *r = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    l4_utcb_t *u = l4_utcb();

    ports_get();
    job_start(c, r);
    u->msg.mr[0] = L4_ITEM_MAP;
    u->msg.mr[1] = l4_iofpage(PORT, 0).raw;
    expect_eq(l4_ipc_error(l4_ipc_send(c->thread, u, l4_msgtag(0, 0, 1, 0), L4_IPC_NEVER), u),
              L4_IPC_SEMSGCUT);
    expect_eq(r->got_error, L4_IPC_REMSGCUT);
    ports_back();
}

/* The descriptor's bits 5-9 say where the buffers for ports begin. */
static void buffers_by_type(void)
{
    struct child *c = child_new();
    struct job *r = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    l4_utcb_t *u = l4_utcb();

    ports_get();
    r->bdr = 4 << 5;
    r->br[0] = L4_ITEM_MAP;
    r->br[1] = l4_fpage(0, 63, L4_FPAGE_RWX).raw;
    r->br[4] = L4_ITEM_MAP;
    r->br[5] = l4_iofpage(PORT, 0).raw;
    r->br[6] = L4_ITEM_MAP;
    r->br[7] = l4_iofpage(PORT + 1, 0).raw;
    job_start(c, r);
    for (unsigned i = 0; i < 2; i++) {
        u->msg.mr[2 * i] = L4_ITEM_MAP;
        u->msg.mr[2 * i + 1] = l4_iofpage(0, WHOLE).raw;
    }
    expect_eq(l4_ipc_error(l4_ipc_send(c->thread, u, l4_msgtag(0, 0, 2, 0), L4_IPC_NEVER), u), 0);
    expect(holds(c, PORT) && holds(c, PORT + 1) && !holds(c, PORT + 2));
    ports_back();
}

static void rights_to_revoke(void)
{
    struct child *c = child_new();

    ports_get();
    for (unsigned rights = 0; rights < 8; rights++) {
        l4_fpage_t fp = l4_fpage_set_rights(l4_iofpage(PORT, 0), (unsigned char)rights);

        port_map(c->task, L4_BASE_TASK_CAP, PORT, 0);
        l4_task_unmap(L4_BASE_TASK_CAP, fp, L4_FP_OTHER_SPACES);
        expect_eq(holds(c, PORT), !(rights & L4_FPAGE_RW));
    }
    expect_eq(l4_error(l4_task_unmap(c->task, l4_iofpage(0xfffff, 63), L4_FP_ALL_SPACES)), 0);
    ports_back();
}

static void each_task_has_its_own(void)
{
    struct child *a = child_new(), *b = child_new(), *none = child_new();

    ports_get();
    port_map(a->task, L4_BASE_TASK_CAP, 0x80, 1);
    port_map(b->task, L4_BASE_TASK_CAP, 0x82, 1);
    for (unsigned i = 0; i < 3; i++) {
        expect(holds(a, 0x80) && !holds(b, 0x80) && !holds(none, 0x80));
        expect(holds(a, 0x81) && !holds(none, 0x81));
        expect(holds(b, 0x82) && holds(b, 0x83) && !holds(b, 0x81) && !holds(a, 0x82));
    }
    ports_back();
    expect(!holds(a, 0x80) && !holds(a, 0x81));
}

static unsigned char in(unsigned short port)
{
    unsigned char v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "d"(port));
    return v;
}

/* The bitmap of the running task changes, comes and goes under it. */
static void the_running_task(void)
{
    struct child *c = child_new();

    ports_get();
    __asm__ volatile("outb %0, %1" : : "a"((char)0x77), "d"((short)PORT));
    port_unmap(L4_BASE_TASK_CAP, PORT, 0, L4_FP_ALL_SPACES);
    expect_eq(in(PORT), 0x77); /* a fault to sigma0 */
    ports_back();
    expect_eq(ports_ask(L4_BASE_PAGER_CAP, l4_iofpage(PORT, 0)), 0);
    port_map_with(c->task, L4_BASE_TASK_CAP, l4_iofpage(PORT, 0), L4_MAP_ITEM_GRANT);
    expect(holds(c, PORT));
    port_map_with(L4_BASE_TASK_CAP, c->task, l4_iofpage(PORT, 0), L4_MAP_ITEM_GRANT);
    expect_eq(in(PORT), 0x77); /* without a switch in between */
    expect(!holds(c, PORT));
    ports_back();
}

static void bytes_of_a_task(void)
{
    struct child *c = child_new();
    l4_umword_t before;

    ports_get();
    before = used();
    port_map(c->task, L4_BASE_TASK_CAP, PORT, 0);
    expect(used() - before <= 24 * 1024);
    port_unmap(c->task, PORT, 0, L4_FP_ALL_SPACES);
    expect_eq(used(), before);
    port_map(c->task, L4_BASE_TASK_CAP, 0, WHOLE);
    expect(used() - before <= 20 * 1024);
    port_unmap(c->task, 0, WHOLE, L4_FP_ALL_SPACES);
    expect_eq(used(), before);
    /* in two halves, out port by port */
    port_map(c->task, L4_BASE_TASK_CAP, 0, 8);
    port_map(c->task, L4_BASE_TASK_CAP, BLOCK, BLOCK_ORDER);
    for (unsigned p = 0; p < 2 * BLOCK; p++)
        port_unmap(L4_BASE_TASK_CAP, p, 0, L4_FP_OTHER_SPACES);
    expect_eq(used(), before);
    ports_back();
}

/* A task paid by a factory of its own, with that limit. */
static l4_cap_idx_t poor_task(l4_umword_t limit)
{
    l4_fpage_t area = l4_fpage(CHILD_UTCB_ADDR, CHILD_UTCB_ORDER, L4_FPAGE_RW);
    l4_cap_idx_t factory = slot_new(), task = slot_new();

    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, factory, limit)), 0);
    expect_eq(l4_error(l4_factory_create_task(factory, task, &area)), 0);
    return task;
}

/* At each allocation of a map, a block or a port: the receiver's and the sender's quota. */
static void quota_exhausted(void)
{
    static const unsigned lack[] = {0, 1, 24, 25, 4096, 4120, 8192, 12288, 16000};
    const l4_umword_t plenty = 100000;

    ports_get();
    for (unsigned order = 0; order <= BLOCK_ORDER; order += BLOCK_ORDER) {
        l4_cap_idx_t rich = poor_task(plenty), child = task_new();
        l4_umword_t base = counter(rich, L4_DBG_CNT_KMEM_USED), cost;

        expect_eq(port_map(rich, L4_BASE_TASK_CAP, 0x80, order), 0);
        cost = counter(rich, L4_DBG_CNT_KMEM_USED) - base;
        for (unsigned i = 0; i < sizeof(lack) / sizeof(lack[0]) && lack[i] < cost; i++) {
            l4_cap_idx_t task = poor_task(base + cost - lack[i]);

            expect_eq(port_map(task, L4_BASE_TASK_CAP, 0x80, order), lack[i] ? -L4_ENOMEM : 0);
            expect_eq(counter(task, L4_DBG_CNT_KMEM_USED), lack[i] ? base : base + cost);
            port_unmap(L4_BASE_TASK_CAP, 0, WHOLE, L4_FP_OTHER_SPACES);
            expect_eq(counter(task, L4_DBG_CNT_KMEM_USED), base);
            destroy(task);
        }
        expect_eq(port_map(rich, L4_BASE_TASK_CAP, 0, BLOCK_ORDER), 0);
        base = counter(rich, L4_DBG_CNT_KMEM_USED);
        expect_eq(port_map(child, rich, 0x80, 0), 0); /* a table of parts for the sender */
        expect(counter(rich, L4_DBG_CNT_KMEM_USED) >= base + 4096);
        port_unmap(rich, 0x80, 0, L4_FP_OTHER_SPACES);
        expect_eq(counter(rich, L4_DBG_CNT_KMEM_USED), base);
        destroy(rich);
        rich = poor_task(base);
        expect_eq(port_map(rich, L4_BASE_TASK_CAP, 0, BLOCK_ORDER), 0);
        base = used();
        expect_eq(port_map(child, rich, 0x80, 0), -L4_ENOMEM);
        expect_eq(used(), base);
        destroy(rich);
    }
    ports_back();
}

const struct test rules_tests[] = {
    {"what both windows name is mapped", what_both_windows_name},
    {"what is not mapped is no error", what_is_not_mapped},
    {"a missing buffer cuts the message", a_missing_buffer_cuts},
    {"buffers are found by their type", buffers_by_type},
    {"revoking R or W takes the port", rights_to_revoke},
    {"each task has its own ports", each_task_has_its_own},
    {"the running task gains and loses ports at once", the_running_task},
    {"ports cost little, and nothing when they are gone", bytes_of_a_task},
    {"exhausted quota is an error and changes nothing", quota_exhausted},
    {0},
};
