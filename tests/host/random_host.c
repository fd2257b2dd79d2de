/*
 * random_host.c - sequences of operations performed by the kernel on the host
 *
 * The calls are those behind the system calls: map_run() and unmap_run() with the flexpages that a
 * program would name, object_die() and the reaper for what is destroyed.
 */
#include "random_host.h"

#include <stdio.h>
#include <stdlib.h>

#include "machine.h"

#include <common/fpage.h>

#include "io.h"
#include "map_memory.h"
#include "random/model.h"

enum { FIRST_SLOT = 509 /* on two pages of the table */, FACTORY_SLOT = 700, FIRST_PORT = 512 };
enum { CHECK_EVERY = 64, POOL = 4 << 20 };
#define FRAMES (1UL << 30)

uint64_t random_operations, random_effects[10];

static struct model model;
static struct task *task[MODEL_TASKS];
static struct factory *objects_factory;
static struct object *object[MODEL_OBJECTS + 1];
static struct thread *thread;
static const uint8_t *sequence;
static size_t position;
static long expected, result;

#define EXPECT(expr)                                                                              \
    do {                                                                                          \
        if (!(expr))                                                                              \
            fail(#expr, __LINE__);                                                                \
    } while (0)

static void fail(const char *what, int line)
{
    static const char *const names[] = {"map", "unmap", "touch", "cap map", "cap unmap",
                                        "cap new", "cap delete", "io map", "io unmap", "kill"};

    for (size_t i = 0; i <= position; i++) {
        struct model_op o = model_decode(sequence + i * MODEL_BYTES);

        printf("# %zu: %s%s %u:%u -> %u:%u count %u order %u rights %u%s\n", i, names[o.kind],
               o.grant ? " (grant)" : "", o.from, o.src, o.to, o.dst, o.count, o.order, o.rights,
               o.self ? " self" : "");
    }
    for (unsigned i = 0; i < MODEL_TASKS * MODEL_UNITS; i++) {
        const struct spec_page *p = &model.memory.page[i];

        if (p->used)
            printf("#   %u:%u frame %u rights %u level %u entry %u from %d known %u %u\n",
                   i / MODEL_UNITS, i % MODEL_UNITS, p->frame, p->rights, p->level, p->entry,
                   p->parent, p->own, p->inherited);
    }
    printf("# expected %ld, result %ld\n", expected, result);
    printf("# tests/host/random_host.c:%d: %s\n", line, what);
    fflush(stdout);
    abort();
}

/* ---- where things are ---- */

static uint64_t address(unsigned t, unsigned unit)
{
    return FRAMES + ((uint64_t)t << 39) + (uint64_t)model_offset(unit) * L4_PAGESIZE;
}

static uint64_t slot_index(unsigned slot)
{
    return (uint64_t)(FIRST_SLOT + slot) << L4_CAP_SHIFT;
}

static unsigned port_of(unsigned unit)
{
    return FIRST_PORT + model_offset(unit);
}

/* ---- operations ---- */

static long run_map(const struct model_op *o, l4_fpage_t fp, uint64_t dst)
{
    struct map_request r;
    int err;

    map_request_init(&r, task[o->from], task[o->to], dst | (o->grant ? L4_MAP_ITEM_GRANT : 0),
                     fp.raw, 0,
                     o->kind == MODEL_IO_MAP ? L4_WHOLE_IOADDRESS_SPACE : L4_WHOLE_ADDRESS_SPACE);
    while ((err = map_run(&r)) == MAP_PREEMPTED)
        ;
    EXPECT(err == 0);
    return (long)r.mapped;
}

static long run_unmap(const struct model_op *o, l4_fpage_t fp, uint64_t mask)
{
    struct unmap_request u = {.task = task[o->to], .fp = fp, .mask = mask};
    int err;

    while ((err = unmap_run(&u)) == MAP_PREEMPTED)
        ;
    EXPECT(err == 0);
    return u.status;
}

static long touch(const struct model_op *o)
{
    unsigned level;
    pte_t *e = ptab_find(&task[o->to]->space, address(o->to, o->dst), &level);
    bool write = o->rights & 1;

    if (!e || (write && !(*e & PTE_W)))
        return 0;
    *e |= PTE_A | (write ? PTE_D : 0);
    return 1;
}

static long cap_new(const struct model_op *o)
{
    uint64_t slot = FIRST_SLOT + o->dst;
    struct cap *c = cap_slot(task[o->to], slot << L4_CAP_SHIFT);
    struct gate *g;
    long id;

    if (c && c->node)
        return 0;
    g = gate_create(&objects_factory->obj, 0, NULL);
    if (!g)
        return -L4_ENOMEM;
    EXPECT(cap_enter_root(task[o->to], slot, &g->obj, 15) == 0);
    for (id = 1; id < MODEL_OBJECTS && object[id]; id++)
        ;
    EXPECT(!object[id]);
    object[id] = &g->obj;
    return id;
}

static long kill(const struct model_op *o)
{
    if (!o->to)
        return 0;
    machine_destroy(&task[o->to]->obj);
    task[o->to] = machine_task(&root_factory.obj);
    EXPECT(task[o->to]);
    return 0;
}

static long perform(const struct model_op *o)
{
    uint64_t mask = o->self ? L4_FP_ALL_SPACES : L4_FP_OTHER_SPACES;
    unsigned page, order;
    long status = 0;

    cpu0.resched = false;
    switch (o->kind) {
    case MODEL_MAP:
        return run_map(o, fpage_mem(address(o->from, o->src), o->order, o->rights),
                       address(o->to, o->dst));
    case MODEL_UNMAP:
        for (unsigned n = 0; model_flexpage(o, n, &page, &order); n++)
            status |= run_unmap(o, fpage_mem(address(o->to, o->dst) + page * 4096UL, order,
                                             o->rights), mask);
        return status;
    case MODEL_TOUCH:
        return touch(o);
    case MODEL_CAP_MAP:
        return run_map(o, fpage_make(L4_FPAGE_OBJ, slot_index(o->src), 0, o->rights),
                       slot_index(o->dst));
    case MODEL_CAP_UNMAP:
        return run_unmap(o, fpage_make(L4_FPAGE_OBJ, slot_index(o->dst), 0, o->rights), mask);
    case MODEL_CAP_NEW:
        return cap_new(o);
    case MODEL_CAP_DELETE:
        return run_unmap(o, fpage_make(L4_FPAGE_OBJ, slot_index(o->dst), 0, 0),
                         L4_FP_DELETE_OBJ);
    case MODEL_IO_MAP:
        return run_map(o, fpage_make(L4_FPAGE_IO, (uint64_t)port_of(o->src) << 12, 0, o->rights),
                       (uint64_t)port_of(o->src) << 12);
    case MODEL_IO_UNMAP:
        return run_unmap(o, fpage_make(L4_FPAGE_IO, (uint64_t)port_of(o->dst) << 12, 0,
                                       o->rights), mask);
    case MODEL_KILL:
        return kill(o);
    }
    return 0;
}

/* ---- what every task has ---- */

static void compare_memory(unsigned t, unsigned unit, uint64_t more)
{
    const struct spec_page *p = spec_at(&model.memory, t, unit);
    uint64_t va = address(t, unit) + more;
    unsigned level;
    const pte_t *e = ptab_find(&task[t]->space, va, &level);

    EXPECT(!e == !p->used);
    if (!e)
        return;
    EXPECT(rights_of(*e) == p->rights && level == p->entry);
    EXPECT(mapping_level(ptab_owner(e)) == p->level);
    EXPECT(frame_at(*e, level, va) == address(0, p->frame) + more);
}

static void compare_slot(unsigned t, unsigned slot)
{
    const struct model_slot *s = &model.slot[t * MODEL_SLOTS + slot];
    const struct cap *c = cap_slot(task[t], slot_index(slot));
    bool used = c && c->ref;

    EXPECT(used == (s->object != 0));
    if (used)
        EXPECT(cap_object(c) == object[s->object] && (c->ref & CAP_RIGHTS) == s->rights);
}

static void compare(void)
{
    bool alive[MODEL_OBJECTS + 1] = {false};

    for (unsigned t = 0; t < MODEL_TASKS; t++) {
        for (unsigned i = 0; i < MODEL_UNITS; i++)
            compare_memory(t, i, 0);
        for (unsigned i = MODEL_REST; i < MODEL_UNITS; i += SPEC_SUPER)
            compare_memory(t, i, random_operations % 510 * 4096);
        for (unsigned i = 0; i < MODEL_UNITS; i++)
            EXPECT((task[t]->io && !io_denied(task[t]->io, port_of(i))) ==
                   model_has_port(&model, t, i));
        for (unsigned i = 0; i < MODEL_SLOTS; i++)
            compare_slot(t, i);
    }
    for (unsigned i = 0; i < MODEL_CAPS; i++)
        alive[model.slot[i].object] = true;
    for (unsigned id = 1; id <= MODEL_OBJECTS; id++)
        object[id] = alive[id] ? object[id] : NULL;
}

/* ---- sequences ---- */

static void start(void)
{
    machine_boot(POOL, 0);
    thread = thread_create(&root_factory.obj);
    cpu0.current = thread;
    objects_factory = machine_factory(&root_factory.obj, MODEL_OBJECTS * sizeof(struct gate));
    for (unsigned t = 0; t < MODEL_TASKS; t++)
        EXPECT((task[t] = machine_task(&root_factory.obj)) != NULL);
    EXPECT(cap_enter_root(task[0], FACTORY_SLOT, &objects_factory->obj, 15) == 0); /* lives */
    for (unsigned id = 0; id <= MODEL_OBJECTS; id++)
        object[id] = NULL;
    EXPECT(map_roots(task[0], FRAMES, FRAMES + (4UL << 20), L4_FPAGE_RWX, true) == 0);
    EXPECT(io_roots(task[0]) == 0);
    model_init(&model);
    compare();
}

static void stop(void)
{
    uint64_t total, free, low;

    for (unsigned t = 0; t < MODEL_TASKS; t++)
        machine_destroy(&task[t]->obj);
    machine_destroy(&thread->obj);
    kmem_stats(&total, &free, &low);
    EXPECT(root_factory.quota.used == 0 && free == machine_free_at_start && check_all() == 0);
}

void random_run(const uint8_t *bytes, size_t n)
{
    sequence = bytes;
    position = 0;
    start();
    for (; position < n / MODEL_BYTES; position++) {
        struct model_op o = model_decode(bytes + position * MODEL_BYTES);

        expected = model_apply(&model, &o);
        result = perform(&o);

        while (!object_reap_all())
            cpu0.resched = false;
        EXPECT(model_agrees(&model, &o, expected, result));
        compare();
        if (position % CHECK_EVERY == 0)
            EXPECT(check_all() == 0);
        random_operations++;
        random_effects[o.kind] += expected != 0;
    }
    position = position ? position - 1 : 0;
    stop();
}
