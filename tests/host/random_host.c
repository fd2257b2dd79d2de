/*
 * random_host.c - sequences of operations performed by the kernel on the host
 *
 * The calls are those behind the system calls: map_run() and unmap_run() with the flexpages that a
 * program would name, the invocations of factories and semaphores, object_die() and the reaper for
 * tasks that are destroyed.
 */
#include "random_host.h"

#include <stdio.h>
#include <stdlib.h>

#include "machine.h"

#include <common/fpage.h>

#include "io.h"
#include "irq.h"
#include "map_memory.h"

enum { COMMON_SLOT = 700, CHECK_EVERY = 64, POOL = 4 << 20, TASK_QUOTA = 512 << 10 };
#define FRAMES (1UL << 30)

uint64_t random_operations, random_effects[MODEL_KINDS_END], random_errors;

static struct model model;
static struct task *task[MODEL_TASKS];
static struct factory *quota[MODEL_TASKS], *rest[MODEL_TASKS], *common;
static struct object *object[MODEL_OBJECTS];
static struct thread *thread;
static const char *origin;
static struct model_op *op; /* the sequence so far */
static size_t position;
static struct model_result expected, result;

#define EXPECT(expr)                                                                              \
    do {                                                                                          \
        if (!(expr))                                                                              \
            fail(#expr, __LINE__);                                                                \
    } while (0)

static void fail(const char *what, int line)
{
    for (size_t i = 0; i <= position; i++)
        model_tell(i, &op[i]);
    for (unsigned i = 0; i < SPEC_ALL; i++) {
        const struct spec_page *p = &model.memory.page[i];

        if (p->used)
            printf("#   %u:%u frame %u rights %u level %u entry %u from %d known %u %u\n",
                   i / SPEC_PAGES, i % SPEC_PAGES, p->frame, p->rights, p->level, p->entry,
                   p->parent, p->own, p->inherited);
    }
    printf("# expected error %ld mapped %u status %u object %u\n", expected.error,
           expected.mapped, expected.status, expected.object);
    printf("# seen     error %ld mapped %u status %u object %u\n", result.error, result.mapped,
           result.status, result.object);
    printf("# %s, step %zu\n# tests/host/random_host.c:%d: %s\n", origin, position, line, what);
    fflush(stdout);
    abort();
}

/* ---- where things are ---- */

static uint64_t address(unsigned t, unsigned page)
{
    return FRAMES + ((uint64_t)t << 39) + (uint64_t)page * L4_PAGESIZE;
}

static uint64_t slot_index(unsigned slot)
{
    return (uint64_t)(MODEL_FIRST_SLOT + slot) << L4_CAP_SHIFT;
}

static l4_fpage_t flexpage(const struct model_op *o, unsigned t, unsigned first)
{
    if (model_is_memory(o->kind))
        return fpage_mem(address(t, model_page(first)), o->order, o->rights);
    if (model_is_port(o->kind))
        return fpage_make(L4_FPAGE_IO, (uint64_t)model_port(first) << 12, o->order,
                          o->rights);
    return fpage_make(L4_FPAGE_OBJ, slot_index(first), o->order, o->rights);
}

static uint64_t hot_spot(const struct model_op *o)
{
    return flexpage(o, o->to, o->dst).raw & ~0xfffUL;
}

/* ---- operations ---- */

static void run_map(const struct model_op *o)
{
    unsigned all = o->kind == MODEL_IO_MAP ? L4_WHOLE_IOADDRESS_SPACE : L4_WHOLE_ADDRESS_SPACE;
    bool window = o->send && o->window;
    struct map_request r;
    int err;

    map_request_init(&r, task[o->from], task[o->to],
                     hot_spot(o) | (o->grant ? L4_MAP_ITEM_GRANT : 0),
                     flexpage(o, o->from, o->src).raw, window ? hot_spot(o) : 0,
                     window ? o->order : all);
    while ((err = map_run(&r)) == MAP_PREEMPTED)
        ;
    result.error = err;
    result.mapped = (unsigned)r.mapped;
}

static void run_unmap(const struct model_op *o, uint64_t mask)
{
    struct unmap_request u = {
        .task = task[o->to], .fp = flexpage(o, o->to, o->dst), .mask = mask};

    if (mask == L4_FP_DELETE_OBJ)
        u.fp.raw &= ~(uint64_t)L4_FPAGE_RIGHTS_MASK;
    while ((result.error = unmap_run(&u)) == MAP_PREEMPTED)
        ;
    result.status = u.status;
}

static void touch(const struct model_op *o)
{
    unsigned level;
    pte_t *e = ptab_find(&task[o->by]->space, address(o->by, model_page(o->dst)), &level);
    bool write = o->rights & 1;

    if (!e || (write && !(*e & PTE_W)))
        return;
    *e |= PTE_A | (write ? PTE_D : 0);
    result.mapped = 1;
}

/* A call of a kernel object by a task, as if a thread of that task made it. */
static long invoke(unsigned by, struct object *obj, unsigned rights, l4_utcb_t *u, l4_msgtag_t tag)
{
    const l4_utcb_t words = *u;
    struct invocation iv = {
        .self = thread, .obj = obj, .rights = rights, .tag = tag, .utcb = u};
    long r;

    thread->task = task[by];
    while ((r = object_ops[obj->type]->invoke(&iv)) == INVOKE_AGAIN) {
        cpu0.resched = false;
        *u = words;
    }
    thread->task = NULL;
    return r;
}

static struct cap *cap_at(unsigned t, unsigned slot)
{
    struct cap *c = cap_slot(task[t], slot_index(slot));

    return c && c->ref ? c : NULL;
}

static void create(const struct model_op *o)
{
    static const long protocols[MODEL_TYPES] = {
        [MODEL_GATE] = L4_PROTO_NONE,           [MODEL_IRQ] = L4_PROTO_IRQ_SENDER,
        [MODEL_SEMAPHORE] = L4_PROTO_SEMAPHORE, [MODEL_THREAD] = L4_PROTO_THREAD,
        [MODEL_FACTORY] = L4_PROTO_FACTORY,     [MODEL_TASK] = L4_PROTO_TASK};
    static l4_utcb_t u;
    struct object *factory = &common->obj;

    if (o->factory != MODEL_SLOTS) {
        EXPECT(cap_at(o->by, o->factory));
        factory = cap_object(cap_at(o->by, o->factory));
    }
    u.msg.mr[0] = (uint64_t)protocols[o->type];
    u.msg.mr[1] = 8UL << 16 | L4_VARG_TYPE_UMWORD;
    u.msg.mr[2] = o->limit;
    u.buf.bdr = 0;
    u.buf.br[0] = slot_index(o->dst) | L4_RCV_ITEM_SINGLE_CAP;
    result.error = invoke(o->by, factory, 15, &u, msgtag(L4_PROTO_FACTORY, 3, 0, 0));
    if (result.error)
        return;
    EXPECT(cap_at(o->by, o->dst) && expected.object && !object[expected.object]);
    object[expected.object] = cap_object(cap_at(o->by, o->dst));
    result.object = expected.object;
}

/* (A thread that would wait, and so get a timeout, there is not.) */
static void use(const struct model_op *o)
{
    const struct cap *c = cap_at(o->to, o->dst);
    static l4_utcb_t u;

    if (!c || cap_object(c)->type != OBJ_SEMAPHORE)
        return;
    u.msg.mr[0] = L4_SEMAPHORE_DOWN_OP;
    if (expected.error == MODEL_TIMEOUT && !irq_of(cap_object(c))->count)
        result.error = MODEL_TIMEOUT;
    else if (o->rights & 1)
        result.error = invoke(o->by, cap_object(c), c->ref & CAP_RIGHTS, &u,
                              msgtag(L4_PROTO_IRQ, 0, 0, 0));
    else
        result.error = invoke(o->by, cap_object(c), c->ref & CAP_RIGHTS, &u,
                              msgtag(L4_PROTO_SEMAPHORE, 1, 0, 0));
}

/* Every task holds the common factory, which keeps a page of slots in use. */
static void task_begin(unsigned t)
{
    EXPECT((task[t] = machine_task(&quota[t]->obj)) != NULL);
    if (t == 0)
        EXPECT(cap_enter_root(task[0], COMMON_SLOT, &common->obj, 15) == 0);
    else
        machine_pass(task[0], COMMON_SLOT, task[t], COMMON_SLOT, 15);
}

static void kill(unsigned t)
{
    if (!t)
        return;
    machine_destroy(&task[t]->obj);
    task_begin(t);
}

/* What a task has too much is taken by a factory. */
static void squeeze(void)
{
    for (unsigned t = 0; t < MODEL_TASKS; t++) {
        struct quota *q = &quota[t]->quota;
        bool wanted = model.room[t] != MODEL_PLENTY;

        if (wanted && !rest[t])
            rest[t] = machine_factory(&quota[t]->obj,
                                      q->limit - q->used - model_cost[MODEL_FACTORY] -
                                          (uint64_t)model.room[t] * model_capability_cost);
        if (!wanted && rest[t]) {
            machine_destroy(&rest[t]->obj);
            rest[t] = NULL;
        }
    }
}

static void perform(const struct model_op *o)
{
    result = (struct model_result){0};
    cpu0.resched = false;
    squeeze();
    switch (o->kind) {
    case MODEL_MAP:
    case MODEL_CAP_MAP:
    case MODEL_IO_MAP:
        run_map(o);
        break;
    case MODEL_UNMAP:
    case MODEL_CAP_UNMAP:
    case MODEL_IO_UNMAP:
        run_unmap(o, o->self ? L4_FP_ALL_SPACES : L4_FP_OTHER_SPACES);
        break;
    case MODEL_CAP_DELETE:
        run_unmap(o, L4_FP_DELETE_OBJ);
        break;
    case MODEL_TOUCH:
        touch(o);
        break;
    case MODEL_CAP_NEW:
        create(o);
        break;
    case MODEL_CAP_USE:
        use(o);
        break;
    case MODEL_KILL:
        kill(o->to);
        break;
    default:
        break;
    }
    while (!object_reap_all())
        cpu0.resched = false;
}

/* ---- what every task has ---- */

static void compare_page(unsigned t, unsigned unit, unsigned more)
{
    const struct spec_page *p = spec_at(&model.memory, t, unit);
    uint64_t va = address(t, model_page(unit) + more);
    unsigned level;
    const pte_t *e = ptab_find(&task[t]->space, va, &level);

    EXPECT(!e == !p->used);
    if (!e)
        return;
    EXPECT(rights_of(*e) == p->rights && level == p->entry);
    EXPECT(mapping_level(ptab_owner(e)) == p->level);
    EXPECT(frame_at(*e, level, va) == address(0, model_page(p->frame) + more));
}

static void compare_slot(unsigned t, unsigned slot)
{
    const struct model_slot *s = model_slot(&model, t, slot);
    const struct cap *c = cap_at(t, slot);

    EXPECT(!c == !s->object);
    if (c)
        EXPECT(cap_object(c) == object[s->object] && (c->ref & CAP_RIGHTS) == s->rights);
}

static void compare_quota(const struct factory *f, const struct model_object *o)
{
    EXPECT(f->quota.used == o->used && f->quota.limit == o->limit);
}

static void compare_objects(void)
{
    for (unsigned id = 1; id < MODEL_OBJECTS; id++) {
        const struct model_object *o = &model.object[id];

        EXPECT(!o->type || object[id]);
        if (o->type == MODEL_FACTORY)
            compare_quota(factory_of(object[id]), o);
        else if (o->type == MODEL_SEMAPHORE)
            EXPECT(irq_of(object[id])->count == o->count);
        else if (!o->type)
            object[id] = NULL;
    }
    compare_quota(common, &model.object[0]);
    for (unsigned t = 0; t < MODEL_TASKS; t++)
        if (rest[t])
            EXPECT(quota[t]->quota.limit - quota[t]->quota.used ==
                   (uint64_t)model.room[t] * model_capability_cost);
}

static void compare(void)
{
    for (unsigned t = 0; t < MODEL_TASKS; t++) {
        for (unsigned i = 0; i < MODEL_UNITS; i++)
            compare_page(t, i, (unsigned)(random_operations % model_pages(i)));
        for (unsigned i = 0; i < MODEL_PORTS; i++)
            EXPECT((task[t]->io && !io_denied(task[t]->io, model_port(i))) ==
                   model_has_port(&model, t, i));
        for (unsigned i = 0; i < MODEL_SLOTS; i++)
            compare_slot(t, i);
    }
    compare_objects();
}

/* The processor sets the bits of what the task looks at. */
static void look(unsigned t, const struct model_look *l)
{
    uint8_t could[MODEL_UNITS];

    model_look(&model, t, l, could);
    for (unsigned i = 0; i < MODEL_UNITS; i++) {
        unsigned level;
        uint64_t va = address(t, model_page(i) + model_look_page(l, i));
        pte_t *e = could[i] ? ptab_find(&task[t]->space, va, &level) : NULL;

        EXPECT(!e == !could[i]);
        if (e)
            *e |= PTE_A | ((could[i] & SPEC_W) ? PTE_D : 0);
    }
}

static void look_all(size_t step)
{
    for (unsigned t = 0; t < MODEL_TASKS; t++) {
        struct model_op o = model_round(t, step);
        struct model_look l;

        model_plan(&model, &o, NULL, &l);
        look(t, &l);
    }
}

/* ---- sequences ---- */

static void start(void)
{
    machine_boot(POOL, 0);
    thread = thread_create(&root_factory.obj);
    cpu0.current = thread;
    common = machine_factory(&root_factory.obj, model_common_limit());
    for (unsigned t = 0; t < MODEL_TASKS; t++) {
        quota[t] = machine_factory(&root_factory.obj, TASK_QUOTA);
        quota[t]->users++; /* it outlives its task */
        rest[t] = NULL;
        task_begin(t);
    }
    for (unsigned id = 0; id < MODEL_OBJECTS; id++)
        object[id] = NULL;
    EXPECT(map_roots(task[0], FRAMES, FRAMES + (4UL << 20), L4_FPAGE_RWX, true) == 0);
    EXPECT(map_roots(task[0], address(0, model_page(MODEL_SMALL)),
                     address(0, model_page(MODEL_UNITS - 1) + 1), L4_FPAGE_RWX, true) == 0);
    EXPECT(io_roots(task[0]) == 0);
    model_init(&model);
    compare();
}

static void stop(void)
{
    uint64_t total, free, low;

    for (unsigned t = 0; t < MODEL_TASKS; t++)
        model.room[t] = MODEL_PLENTY;
    squeeze();
    for (unsigned t = 0; t < MODEL_TASKS; t++) {
        factory_user_gone(quota[t]);
        machine_destroy(&task[t]->obj);
    }
    machine_destroy(&thread->obj);
    kmem_stats(&total, &free, &low);
    EXPECT(root_factory.quota.used == 0 && free == machine_free_at_start && check_all() == 0);
}

void random_run(const char *from, const uint8_t *bytes, size_t n)
{
    struct model_look before, after;

    origin = from;
    position = 0;
    op = malloc((n / MODEL_BYTES + 1) * sizeof(*op));
    start();
    for (; position < n / MODEL_BYTES; position++) {
        struct model_op *o = &op[position];

        *o = model_decode(&model, bytes + position * MODEL_BYTES);
        model_plan(&model, o, NULL, &before);
        look(o->by, &before);
        expected = model_apply(&model, o);
        model_plan(&model, o, &before, &after);
        perform(o);
        EXPECT(model_agrees(&model, o, &expected, &result));
        compare();
        look(o->by, &after);
        if (position % MODEL_ROUND == MODEL_ROUND - 1)
            look_all(position);
        if (position % CHECK_EVERY == 0)
            EXPECT(check_all() == 0);
        random_operations++;
        random_effects[o->kind] += expected.mapped || expected.status || expected.object;
        random_errors += expected.error != 0;
    }
    position = position ? position - 1 : 0;
    stop();
    free(op);
}
