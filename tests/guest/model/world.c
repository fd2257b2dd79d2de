/*
 * world.c - four tasks and their quotas, the memory and the ports of the first, the server
 */
#include "driver.h"

#include <abi/trace.h>
#include <l4/sys/debugger.h>

enum { SERVER_UTCB = 2, PAGES = 1024, SMALL_PAGES = MODEL_UNITS - MODEL_SMALL, SUPERS_ORDER = 22 };
enum { QUOTA = 512 << 10, PORTS_ORDER = 10 };

static const l4_cap_idx_t server = 43UL << L4_CAP_SHIFT;
static char server_stack[2048] __attribute__((aligned(16)));
static char small_pages[SMALL_PAGES * L4_PAGESIZE]
    __attribute__((aligned(SMALL_PAGES * L4_PAGESIZE)));
static l4_addr_t supers;

static struct {
    struct child *actor, *receiver;
    l4_cap_idx_t quota, rest; /* factories: who pays, and who has what it cannot pay with */
    bool squeezed;
} space[MODEL_TASKS];
static l4_cap_idx_t common, witness; /* a task that is paid by the common factory */
static l4_umword_t used_before;
static struct job *receiving;

/* ---- memory and ports ---- */

/* A page of the roots, by its number in the model. */
static l4_umword_t *word_of(unsigned page)
{
    return (l4_umword_t *)(page < PAGES ? supers + (l4_addr_t)page * L4_PAGESIZE
                                        : (l4_addr_t)small_pages +
                                              (page - model_page(MODEL_SMALL)) * L4_PAGESIZE);
}

static unsigned page_number(unsigned i)
{
    return i < PAGES ? i : model_page(MODEL_SMALL) + i - PAGES;
}

static bool unspoilt(void)
{
    for (unsigned i = 0; i < PAGES + SMALL_PAGES; i++)
        if (*word_of(page_number(i)) != FRAME_WORD(page_number(i))) {
            printf("# page %u has been written\n", page_number(i));
            return false;
        }
    return true;
}

static l4_fpage_t all_ports(void)
{
    return __l4_fpage_generic((l4_umword_t)model_port(0) << 12, L4_FPAGE_IO, PORTS_ORDER,
                              L4_FPAGE_RW);
}

static void give_roots(void)
{
    l4_cap_idx_t to = space[0].actor->task;

    expect_eq(l4_error(l4_task_map(to, L4_BASE_TASK_CAP,
                                   l4_fpage(supers, SUPERS_ORDER, L4_FPAGE_RWX),
                                   l4_map_control(place(0, 0), 0, 0))), 0);
    expect_eq(l4_error(l4_task_map(to, L4_BASE_TASK_CAP,
                                   l4_fpage((l4_addr_t)small_pages, L4_PAGESHIFT + 3,
                                            L4_FPAGE_RWX),
                                   l4_map_control(place(0, model_page(MODEL_SMALL)), 0, 0))), 0);
    expect_eq(l4_error(l4_task_map(to, L4_BASE_TASK_CAP, all_ports(), l4_map_control(0, 0, 0))),
              0);
}

/* Tells every caller which gate he used, and with which rights. */
static void serve(void)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);

    for (;;) {
        u->msg.mr[0] = (label - GATE_LABEL) >> 4;
        u->msg.mr[1] = label & 3;
        tag = l4_msgtag_has_error(tag)
                  ? l4_ipc_wait(u, &label, L4_IPC_NEVER)
                  : l4_ipc_reply_and_wait(u, l4_msgtag(0, 2, 0, 0), &label, L4_IPC_SEND_TIMEOUT_0);
    }
}

void world_init(void)
{
    l4_utcb_t *u = l4_utcb();

    supers = memory_new(SUPERS_ORDER);
    expect(supers != 0);
    for (unsigned i = 0; i < PAGES + SMALL_PAGES; i++)
        *word_of(page_number(i)) = FRAME_WORD(page_number(i));
    u->msg.mr[0] = all_ports().raw;
    u->buf.bdr = 0;
    u->buf.br[0] = L4_ITEM_MAP;
    u->buf.br[1] = __l4_fpage_generic(0, L4_FPAGE_IO, L4_WHOLE_ADDRESS_SPACE, 0).raw;
    expect_eq(l4_error(l4_ipc_call(L4_BASE_PAGER_CAP, u,
                                   l4_msgtag(L4_PROTO_IO_PAGE_FAULT, 1, 0, 0), L4_IPC_NEVER)), 0);
    u->buf.br[0] = 0;
    own_thread(server, SERVER_UTCB, serve, server_stack + sizeof(server_stack), PRIO_HANDLER);
}

/* ---- tasks ---- */

/* Everybody knows everybody. */
static void introduce(unsigned s, unsigned t)
{
    expect_eq(give(space[s].actor, space[t].actor->task, TASK_OF(t), L4_CAP_FPAGE_RWSD), 0);
    expect_eq(give(space[s].actor, space[t].receiver->thread, RECEIVER_OF(t), L4_CAP_FPAGE_RWS),
              0);
}

static void equip(unsigned s)
{
    expect_eq(give(space[s].actor, server, SERVER, L4_CAP_FPAGE_RWS), 0);
    expect_eq(give(space[s].actor, common, COMMON, L4_CAP_FPAGE_RWS), 0);
    expect_eq(give(space[s].actor, common, SECOND_PAGE, L4_CAP_FPAGE_RWS), 0);
    expect_eq(give(space[s].actor, L4_BASE_DEBUGGER_CAP, L4_BASE_DEBUGGER_CAP,
                   L4_CAP_FPAGE_RWS), 0);
    space[s].receiver->priority = PRIO_CHILD + 1;
}

static l4_cap_idx_t factory_new(l4_umword_t limit)
{
    l4_cap_idx_t factory = slot_new();

    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, factory, limit)), 0);
    return factory;
}

void world_begin(void)
{
    used_before = counter(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED);
    common = factory_new(model_common_limit() + model_cost[MODEL_TASK]);
    witness = slot_new();
    expect_eq(l4_error(l4_factory_create(common, L4_PROTO_TASK, witness)), 0);
    for (unsigned s = 0; s < MODEL_TASKS; s++) {
        space[s].quota = factory_new(QUOTA);
        space[s].rest = slot_new();
        space[s].squeezed = false;
        space[s].actor = child_new_from(space[s].quota);
        space[s].receiver = child_thread(space[s].actor, 1);
        equip(s);
    }
    for (unsigned s = 0; s < MODEL_TASKS; s++)
        for (unsigned t = 0; t < MODEL_TASKS; t++)
            introduce(s, t);
    give_roots();
}

bool world_end(void)
{
    bool good = unspoilt();

    slots_empty();
    children_reset();
    jobs_reset();
    return expect_eq(counter(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED), used_before) && good;
}

bool world_run(struct step *s)
{
    child_run(space[s->op.by].actor, act, s);
    return space[s->op.by].actor->finished;
}

void world_receive(const struct model_op *o)
{
    jobs_reset();
    receiving = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    receiving->br[0] = L4_ITEM_MAP;
    receiving->br[1] = flexpage(o, o->to, o->dst).raw;
    if (!o->window)
        receiving->br[1] = __l4_fpage_generic(0, receiving->br[1] >> L4_FPAGE_TYPE_SHIFT & 3,
                                              L4_WHOLE_ADDRESS_SPACE, 0).raw;
    job_start(space[o->to].receiver, receiving);
}

unsigned world_received(void)
{
    return receiving->done && (receiving->got[0] & L4_ITEM_RET_MASK) != L4_ITEM_RET_NOTHING;
}

void world_kill(unsigned task)
{
    expect_eq(destroy(space[task].actor->task), 0);
    child_again(space[task].actor, space[task].receiver, space[task].quota);
    equip(task);
    for (unsigned t = 0; t < MODEL_TASKS; t++) {
        introduce(t, task);
        if (t != task)
            introduce(task, t);
    }
}

/* ---- quotas ---- */

static l4_umword_t room_of(l4_cap_idx_t task)
{
    l4_umword_t counters[L4_DBG_CNT_NUM] = {0};

    expect_eq(l4_dbg_counters(L4_BASE_DEBUGGER_CAP, task, counters), 0);
    return counters[L4_DBG_CNT_KMEM_LIMIT] - counters[L4_DBG_CNT_KMEM_USED];
}

void world_squeeze(const struct model *m)
{
    for (unsigned t = 0; t < MODEL_TASKS; t++) {
        bool wanted = m->room[t] != MODEL_PLENTY;

        if (wanted && !space[t].squeezed)
            expect_eq(l4_error(l4_factory_create_factory(
                          space[t].quota, space[t].rest,
                          room_of(space[t].actor->task) - model_cost[MODEL_FACTORY] -
                              (l4_umword_t)m->room[t] * model_capability_cost)), 0);
        else if (!wanted && space[t].squeezed)
            expect_eq(destroy(space[t].rest), 0);
        space[t].squeezed = wanted;
    }
}

const char *world_quotas(const struct model *m, l4_umword_t *seen, l4_umword_t *wanted)
{
    *seen = counter(witness, L4_DBG_CNT_KMEM_USED);
    *wanted = m->object[0].used + model_cost[MODEL_TASK];
    if (*seen != *wanted)
        return "bytes that the common factory has paid";
    for (unsigned t = 0; t < MODEL_TASKS; t++) {
        if (!space[t].squeezed)
            continue;
        *seen = room_of(space[t].actor->task);
        *wanted = (l4_umword_t)m->room[t] * model_capability_cost;
        if (*seen != *wanted)
            return "bytes that a task's quota has room for";
    }
    return NULL;
}
