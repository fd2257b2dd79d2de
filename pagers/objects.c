/*
 * objects.c - inside the framework: life and death of accounts and dataspaces
 *
 * O1  A dataspace or account is on its list exactly while its structure is in use.
 * O2  Its label at the gate is its address, so a message finds it without a search. A gate is
 *     deleted before the structure is freed, and there is one thread: no message can still be on
 *     its way to a freed structure.
 * O3  Structures are never given back as pages: they are reused.
 */
#include "copier.h"

#include <abi/errors.h>
#include <l4/re/c/parent.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/sys/task.h>

#include <string.h>

const struct manager *manager;
struct account house = {.quota = ~0UL, .gate = L4_INVALID_CAP};
const struct dataspace *in_use[2];
l4_cap_idx_t passed_gate = L4_INVALID_CAP;
l4_umword_t object_pages;

static struct dataspace *dataspaces;
static struct account *accounts;
static struct dataspace *gc_next; /* where the next gc_step() looks */

/* Free structures, all of the same size, linked through their first word. */
static void *free_objects;
static l4_umword_t object_size;

void objects_init(const struct manager *m)
{
    manager = m;
    object_size = m->ds_size > sizeof(struct account) ? m->ds_size : sizeof(struct account);
    object_size = (object_size + 15) & ~15UL; /* a label's low bits are the rights */
}

static void object_free(void *object)
{
    *(void **)object = free_objects;
    free_objects = object;
}

/* Garbage goes before there is an error. */
static void *object_new(void)
{
    char *page = free_objects ? NULL : manager->new_page();

    if (page) {
        object_pages++;
        for (l4_umword_t at = 0; at + object_size <= L4_PAGESIZE; at += object_size)
            object_free(page + at);
    }
    if (!free_objects)
        manager_gc();
    if (!free_objects)
        return NULL;
    void *object = free_objects;
    free_objects = *(void **)object;
    memset(object, 0, object_size);
    return object;
}

static long gate_new(void *object, l4_cap_idx_t *out)
{
    l4_cap_idx_t gate = l4re_util_cap_alloc();

    if (gate & L4_INVALID_CAP_BIT)
        return -L4_ENOMEM;
    long err = l4_server_register(object, gate, L4_BASE_THREAD_CAP);
    if (err < 0) {
        l4re_util_cap_free(gate);
        return err;
    }
    *out = gate;
    return 0;
}

/* One that outlives us if the manager knows how to begin again, and is begun again. */
static long ds_gate_new(struct dataspace *ds)
{
    l4_umword_t words[L4RE_PARENT_GATE_WORDS] = {0}, number;
    long err;

    if (!manager->save || ds->account != &house)
        return gate_new(ds, &ds->gate);
    if (passed_gate & L4_INVALID_CAP_BIT)
        passed_gate = l4re_util_cap_alloc();
    ds->gate = l4re_util_cap_alloc();
    if ((passed_gate | ds->gate) & L4_INVALID_CAP_BIT)
        return -L4_ENOMEM;
    manager->save(ds, words);
    err = l4re_parent_gate(ds->gate, passed_gate, (l4_umword_t)ds, words, &number);
    ds->lasting = err >= 0;
    if (ds->lasting)
        return 0;
    l4re_util_cap_free(ds->gate);
    return err == -L4_ENOSYS ? gate_new(ds, &ds->gate) : err;
}

static void gate_delete(l4_cap_idx_t gate)
{
    l4_task_delete_obj(L4_BASE_TASK_CAP, gate);
    l4re_util_cap_free(gate);
}

static bool gate_is_dead(l4_cap_idx_t gate)
{
    return l4_msgtag_label(l4_task_cap_valid(L4_BASE_TASK_CAP, gate)) <= 0;
}

long account_new(l4_umword_t quota, l4_server_fn dispatch, struct account **out)
{
    struct account *a = object_new();
    long err;

    if (!a)
        return -L4_ENOMEM;
    a->object.dispatch = dispatch;
    a->quota = quota;
    if ((err = gate_new(a, &a->gate)) != 0) {
        object_free(a);
        return err;
    }
    a->next = accounts;
    accounts = a;
    *out = a;
    return 0;
}

/* Look at one dataspace a request, so that garbage is bounded by what is in use. */
static void gc_step(void)
{
    struct dataspace *ds = gc_next ? gc_next : dataspaces;

    if (!ds)
        return;
    gc_next = ds->next;
    if (ds != in_use[0] && ds != in_use[1] && gate_is_dead(ds->gate))
        dataspace_release(ds);
}

static void dataspace_enter(struct dataspace *ds)
{
    ds->account->dataspaces++;
    ds->next = dataspaces;
    dataspaces = ds;
}

/* The gate is in ds->gate, the dataspace is made from its words. */
static long restore(struct dataspace *ds, l4_umword_t number, const l4_umword_t *words)
{
    long err = manager->restore(ds, words);

    if (err == 0 && (err = l4re_parent_gate_bind(number, (l4_umword_t)ds)) < 0 && manager->release)
        manager->release(ds);
    return err;
}

void dataspaces_restore(l4_server_fn dispatch)
{
    l4_umword_t words[L4RE_PARENT_GATE_WORDS];
    l4_cap_idx_t gate = l4re_util_cap_alloc();

    for (l4_umword_t n = 0; manager->restore && l4re_parent_gate_next(&n, words, gate) == 0; n++) {
        struct dataspace *ds = object_new();

        if (ds) {
            ds->object.dispatch = dispatch;
            ds->account = &house;
            ds->gate = gate;
            ds->lasting = true;
        }
        if (ds && restore(ds, n, words) >= 0) {
            dataspace_enter(ds);
            gate = l4re_util_cap_alloc();
            continue;
        }
        l4_task_delete_obj(L4_BASE_TASK_CAP, gate);
        if (ds)
            object_free(ds);
    }
    l4re_util_cap_free(gate);
}

long dataspace_new(struct account *a, const struct ds_request *r, l4_server_fn dispatch,
                   struct dataspace **out)
{
    long err = -L4_ENOMEM;

    gc_step();
    if (a != &house && a->dataspaces >= DATASPACES_PER_ACCOUNT_MAX && !manager_gc())
        return -L4_ENOMEM;
    struct dataspace *ds = object_new();
    if (!ds)
        return -L4_ENOMEM;
    ds->object.dispatch = dispatch;
    ds->account = a;
    if ((err = manager->open(ds, r)) != 0)
        goto no_dataspace;
    if ((err = ds_gate_new(ds)) != 0)
        goto no_gate;
    dataspace_enter(ds);
    *out = ds;
    return 0;

no_gate:
    if (manager->release)
        manager->release(ds);
no_dataspace:
    object_free(ds);
    return err;
}

void dataspace_release(struct dataspace *ds)
{
    struct dataspace **link = &dataspaces;

    copies_end(ds, NULL);
    gate_delete(ds->gate);
    if (manager->release)
        manager->release(ds);
    while (*link != ds)
        link = &(*link)->next;
    *link = ds->next;
    if (gc_next == ds)
        gc_next = ds->next;
    ds->account->dataspaces--;
    object_free(ds);
}

void account_release(struct account *a)
{
    struct account **link = &accounts;

    copies_end(NULL, a);
    for (struct dataspace *ds = dataspaces, *next; ds; ds = next) {
        next = ds->next;
        if (ds->account == a)
            dataspace_release(ds);
    }
    gate_delete(a->gate);
    while (*link != a)
        link = &(*link)->next;
    *link = a->next;
    object_free(a);
}

bool manager_gc(void)
{
    bool found = false;

    for (struct dataspace *ds = dataspaces, *next; ds; ds = next) {
        next = ds->next;
        if (ds == in_use[0] || ds == in_use[1] || !gate_is_dead(ds->gate))
            continue;
        dataspace_release(ds);
        found = true;
    }
    return found;
}

l4_umword_t accounts_quota(void)
{
    l4_umword_t sum = 0;

    for (const struct account *a = accounts; a; a = a->next)
        sum += a->quota;
    return sum;
}

l4_umword_t accounts_used(void)
{
    l4_umword_t sum = house.used;

    for (const struct account *a = accounts; a; a = a->next)
        sum += a->used;
    return sum;
}

l4_umword_t dataspaces_open(void)
{
    l4_umword_t count = 0;

    for (const struct dataspace *ds = dataspaces; ds; ds = ds->next)
        count++;
    return count;
}
