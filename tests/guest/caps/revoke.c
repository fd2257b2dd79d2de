/*
 * caps/revoke.c - taking capabilities back, and deleting objects
 */
#include "sets.h"

static void others_or_all(void)
{
    l4_cap_idx_t a = task_new(), b = task_new(), c = task_new(), obj = slot_new();

    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, obj)), 0);
    map_cap(a, L4_BASE_TASK_CAP, obj, CHILD_CAP(0), RWSD);
    map_cap(b, a, CHILD_CAP(0), CHILD_CAP(0), RWSD);
    map_cap(c, b, CHILD_CAP(0), CHILD_CAP(0), RWSD);
    expect_eq(unmap_cap(b, CHILD_CAP(0), RWSD, OTHERS), 0);
    expect(has_cap(a, CHILD_CAP(0)) && has_cap(b, CHILD_CAP(0)) && !has_cap(c, CHILD_CAP(0)));
    map_cap(c, b, CHILD_CAP(0), CHILD_CAP(0), RWSD);
    expect_eq(unmap_cap(b, CHILD_CAP(0), RWSD, ALL), 0);
    expect(has_cap(a, CHILD_CAP(0)) && !has_cap(b, CHILD_CAP(0)) && !has_cap(c, CHILD_CAP(0)));
    expect(has_cap(L4_BASE_TASK_CAP, obj));
}

static void rights_only(void)
{
    struct child *server = child_new(), *a = child_new(), *b = child_new();
    l4_cap_idx_t gate = gate_new(server->thread, 0x40);

    give(a, gate, CHILD_CAP(0), L4_CAP_FPAGE_RWS);
    map_cap(b->task, a->task, CHILD_CAP(0), CHILD_CAP(0), L4_CAP_FPAGE_RWS);
    expect_eq(unmap_cap(a->task, CHILD_CAP(0), L4_CAP_FPAGE_W, OTHERS), 0);
    expect_eq(rights_seen(server, a, CHILD_CAP(0)), 3);
    expect_eq(rights_seen(server, b, CHILD_CAP(0)), 2);
    expect_eq(unmap_cap(a->task, CHILD_CAP(0), L4_CAP_FPAGE_S, ALL), 0);
    expect_eq(rights_seen(server, a, CHILD_CAP(0)), 1);
    expect_eq(rights_seen(server, b, CHILD_CAP(0)), 0);
}

/* The last capability gone, the object is gone: its kernel memory comes back. */
static void last_capability(void)
{
    l4_cap_idx_t obj = slot_new(), t = task_new();
    l4_umword_t used = counter(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED), with;

    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, obj)), 0);
    with = counter(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED);
    expect(with > used);
    map_cap(t, L4_BASE_TASK_CAP, obj, CHILD_CAP(0), RWSD);
    expect_eq(unmap_cap(t, CHILD_CAP(0), RWSD, ALL), 0);
    expect_eq(counter(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED), with);
    expect_eq(unmap_cap(L4_BASE_TASK_CAP, obj, RWSD, ALL), 0);
    expect_eq(counter(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED), used);
}

static void deleted_by_who_may(void)
{
    struct child *server = child_new(), *client = child_new();
    l4_cap_idx_t gate = gate_new(server->thread, 0x40), t = task_new();

    give(client, gate, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    map_cap(t, L4_BASE_TASK_CAP, gate, CHILD_CAP(0), L4_CAP_FPAGE_RWS); /* no D */
    expect_eq(unmap_cap(t, CHILD_CAP(0), RWSD, DELETE), 0);
    expect(!has_cap(t, CHILD_CAP(0)));
    expect_eq(rights_seen(server, client, CHILD_CAP(0)), 1);
    map_cap(t, L4_BASE_TASK_CAP, gate, CHILD_CAP(0), RWSD);
    expect_eq(unmap_cap(t, CHILD_CAP(0), RWSD, DELETE), 0);
    expect(!has_cap(t, CHILD_CAP(0)) && !has_cap(client->task, CHILD_CAP(0)));
    expect(!has_cap(L4_BASE_TASK_CAP, gate));
    expect_eq(rights_seen(server, client, CHILD_CAP(0)), -L4_IPC_ENOT_EXISTENT);
}

/* A new object in the slot of a deleted one is nobody's but its maker's. */
static void slot_used_again(void)
{
    struct child *a = child_new(), *b = child_new(), *client = child_new();
    l4_cap_idx_t gate = gate_new(a->thread, 0x40);

    give(client, gate, CHILD_CAP(0), L4_CAP_FPAGE_RWS);
    expect_eq(destroy(gate), 0);
    expect_eq(l4_error(l4_factory_create_gate(L4_BASE_FACTORY_CAP, gate, b->thread, 0x80)), 0);
    expect_eq(rights_seen(b, client, CHILD_CAP(0)), -L4_IPC_ENOT_EXISTENT);
    expect_eq(rights_seen(a, client, CHILD_CAP(0)), -L4_IPC_ENOT_EXISTENT);
    give(client, gate, CHILD_CAP(0), L4_CAP_FPAGE_RWS);
    expect_eq(rights_seen(b, client, CHILD_CAP(0)), 3);
}

enum { CHAIN = 300, FAN = 400 };

static void chains(void)
{
    l4_cap_idx_t t[2] = {task_new(), task_new()}, obj = slot_new();

    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, obj)), 0);
    map_cap(t[0], L4_BASE_TASK_CAP, obj, CHILD_CAP(0), RWSD);
    for (unsigned i = 1; i < CHAIN; i++)
        expect_eq(map_cap(t[i % 2], t[(i - 1) % 2], CHILD_CAP(i - 1), CHILD_CAP(i), RWSD), 0);
    expect(has_cap(t[(CHAIN - 1) % 2], CHILD_CAP(CHAIN - 1)));
    unmap_cap(t[0], CHILD_CAP(100), RWSD, OTHERS);
    expect(has_cap(t[0], CHILD_CAP(100)) && !has_cap(t[1], CHILD_CAP(101)));
    expect(!has_cap(t[1], CHILD_CAP(CHAIN - 1)));
    expect_eq(destroy(obj), 0);
    for (unsigned i = 0; i < CHAIN; i++)
        if (has_cap(t[i % 2], CHILD_CAP(i)))
            expect(false);
}

static void fans(void)
{
    l4_cap_idx_t t = task_new(), obj = slot_new();
    unsigned left = 0;

    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, obj)), 0);
    for (unsigned i = 0; i < FAN; i++)
        expect_eq(map_cap(t, L4_BASE_TASK_CAP, obj, CHILD_CAP(i), RWSD), 0);
    unmap_cap(t, CHILD_CAP(17), RWSD, ALL);
    for (unsigned i = 0; i < FAN; i++)
        left += has_cap(t, CHILD_CAP(i));
    expect_eq(left, FAN - 1);
    unmap_cap(L4_BASE_TASK_CAP, obj, RWSD, OTHERS);
    expect(!has_cap(t, CHILD_CAP(0)) && !has_cap(t, CHILD_CAP(FAN - 1)));
    expect(has_cap(L4_BASE_TASK_CAP, obj));
}

/* The one whose table holds a capability dies: what it had passed on goes. */
static void death_of_the_middle(void)
{
    l4_cap_idx_t a = task_new(), b = task_new(), obj = slot_new();

    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, obj)), 0);
    map_cap(a, L4_BASE_TASK_CAP, obj, CHILD_CAP(0), RWSD);
    map_cap(b, a, CHILD_CAP(0), CHILD_CAP(0), RWSD);
    expect_eq(destroy(a), 0);
    expect(!has_cap(b, CHILD_CAP(0)) && has_cap(L4_BASE_TASK_CAP, obj));
}

/* ---- those who take away what they stand on ---- */

static void do_delete(void *cap)
{
    l4_task_delete_obj(CHILD_TASK, (l4_cap_idx_t)cap);
}

static void child_deletes_its_thread(void)
{
    struct child *c = child_new();

    give(c, c->thread, CHILD_CAP(0), RWSD);
    child_run(c, do_delete, (void *)CHILD_CAP(0));
    expect(!c->finished);
    expect(!has_cap(L4_BASE_TASK_CAP, c->thread));
    expect(has_cap(L4_BASE_TASK_CAP, c->task));
}

static void child_deletes_its_task(void)
{
    struct child *c = child_new(), *second = child_thread(c, 1);

    give(c, c->task, CHILD_CAP(0), RWSD);
    job_start(second, job_new(L4_SYSF_WAIT, L4_INVALID_CAP));
    child_run(c, do_delete, (void *)CHILD_CAP(0));
    expect(!c->finished);
    expect(!has_cap(L4_BASE_TASK_CAP, c->task));
}

static void do_unmap_everything(void *arg)
{
    (void)arg;
    l4_task_unmap(CHILD_TASK, l4_obj_fpage(0, L4_WHOLE_ADDRESS_SPACE, RWSD), ALL);
    l4_task_unmap(CHILD_TASK, l4_obj_fpage(0, L4_WHOLE_ADDRESS_SPACE, RWSD), ALL);
}

static void child_drops_everything(void)
{
    struct child *c = child_new();

    child_run(c, do_unmap_everything, NULL);
    expect(c->finished);
    expect(!has_cap(c->task, CHILD_TASK) && !has_cap(c->task, CHILD_THREAD));
}

const struct test revoke_tests[] = {
    {"unmap takes a capability from the others, or from all", others_or_all},
    {"revoking W or S lowers the rights of all below", rights_only},
    {"an object goes with its last capability", last_capability},
    {"deleting an object needs the right D, and takes all its capabilities", deleted_by_who_may},
    {"a slot used again is not reached by old capabilities", slot_used_again},
    {"a chain of 300 capabilities is cut in the middle, then deleted", chains},
    {"a fan of 400 capabilities loses one, then all", fans},
    {"the death of a task takes what it had passed on", death_of_the_middle},
    {"a thread may delete itself", child_deletes_its_thread},
    {"a thread may delete its task", child_deletes_its_task},
    {"a task may drop all its capabilities", child_drops_everything},
    {NULL, NULL},
};
