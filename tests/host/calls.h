/*
 * calls.h - one user thread that calls tasks and factories, for test_calls.c and test_factory.c
 *
 * What it had before a call that fails, it has afterwards, to the byte.
 */
#pragma once

#include "machine.h"

#include <common/fpage.h>

#include "irq.h"
#include "limits.h"
#include "map_memory.h"
#include "test.h"

enum {
    SLOT_SELF = 1,
    SLOT_FACTORY = 2,
    SLOT_OTHER = 3,  /* another task */
    SLOT_GATE = 4,
    SLOT_THREAD = 5, /* the user's own */
    SLOT_WEAK = 6,   /* the other task, without the right S */
    SLOT_VOID = 50,
    SLOT_SHORT_LIVED = 51,
    NEW = 100,       /* where factories put things */
    LAST = L4_CAP_SLOTS - 1,
    FOREVER = 100000,
};
#define FRAMES (1UL << 30)
#define KU_AREA 0x20000000UL

static struct factory *factory;
static struct task *self, *other;
static struct thread *user;
static uint64_t *mr;

static inline void enter(uint64_t slot, struct object *o)
{
    CHECK(cap_enter_root(self, slot, o, L4_CAP_FPAGE_RWSD) == 0);
}

static inline void start(void)
{
    struct gate *g;

    machine_boot(4UL << 20, 0);
    factory = machine_factory(&root_factory.obj, 1UL << 20);
    self = machine_task(&root_factory.obj);
    other = machine_task(&factory->obj);
    user = machine_thread(&root_factory.obj, self, 0, 10);
    mr = user->utcb->msg.mr;
    g = gate_create(&factory->obj, 0x120, user);
    CHECK(self && other && g);
    enter(SLOT_SELF, &self->obj);
    enter(SLOT_FACTORY, &factory->obj);
    enter(SLOT_OTHER, &other->obj);
    enter(SLOT_GATE, &g->obj);
    enter(SLOT_THREAD, &user->obj);
    machine_pass(self, SLOT_OTHER, self, SLOT_WEAK, 15 & ~L4_CAP_FPAGE_S);
    CHECK(map_roots(self, FRAMES, FRAMES + (4UL << 20), L4_FPAGE_RWX, true) == 0);
    CHECK(sched_next(&idle_thread) == user);
}

static inline void stop(void)
{
    host_window = NULL;
    kmem_fail_nth(0);
    machine_destroy(&self->obj);
    CHECK(check_all() == 0);
}

static inline void leaks(void)
{
    uint64_t total, free, low;

    kmem_stats(&total, &free, &low);
    CHECK(root_factory.quota.used == 0 && free == machine_free_at_start && kmem_ok());
}

/* ---- calling ---- */

static inline const struct cap *slot_of(const struct task *t, uint64_t slot)
{
    const struct cap *c = cap_slot(t, slot << L4_CAP_SHIFT);

    return c && c->ref ? c : NULL;
}

static inline long call_task(uint64_t slot, unsigned words, unsigned items)
{
    return user_invoke(user, slot, L4_PROTO_TASK, words, items);
}

/* Number of words of the last answer. */
static inline unsigned answered(void)
{
    return user->regs.rax & L4_MSGTAG_WORDS_MASK;
}

static inline uint64_t caps(uint64_t slot, unsigned order, unsigned rights)
{
    return fpage_make(L4_FPAGE_OBJ, slot << L4_CAP_SHIFT, order, rights).raw;
}

/* Copy a flexpage from self to the task in `slot`, to `base`. */
static inline long map(uint64_t slot, uint64_t fp, uint64_t base)
{
    mr[0] = L4_TASK_MAP_OP;
    mr[1] = base | L4_ITEM_MAP;
    mr[2] = fp;
    user_item(user, 3, SLOT_SELF, 15);
    return call_task(slot, 3, 1);
}

static inline void set_window(uint64_t slot)
{
    user->utcb->buf.bdr = 0;
    user->utcb->buf.br[0] = slot << L4_CAP_SHIFT | L4_RCV_ITEM_SINGLE_CAP;
}

/* A new object with a number as argument. */
static inline long create(long protocol, uint64_t argument, uint64_t slot)
{
    mr[0] = (uint64_t)protocol;
    mr[1] = 8 << 16 | L4_VARG_TYPE_UMWORD;
    mr[2] = argument;
    set_window(slot);
    return user_invoke(user, SLOT_FACTORY, L4_PROTO_FACTORY, 3, 0);
}

/* Take a flexpage away from the task in `slot` and whoever has it from there. */
static inline long unmap(uint64_t slot, uint64_t fp)
{
    mr[0] = L4_TASK_UNMAP_OP;
    mr[1] = L4_FP_ALL_SPACES;
    mr[2] = fp;
    return call_task(slot, 3, 0);
}

static inline void delete(uint64_t slot)
{
    CHECK(unmap(SLOT_SELF, caps(slot, 0, 15)) == 0 && !slot_of(self, slot));
}

/* An interrupt at each look; so long as something goes on, it ends. */
static uint64_t looks;

static inline void interrupt(void)
{
    looks++;
    CHECK(looks < FOREVER);
    cpu0.resched = true;
}
