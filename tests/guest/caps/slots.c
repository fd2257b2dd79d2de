/*
 * caps/slots.c - capabilities in slots: mapping, rights, ranges, bounds
 */
#include "sets.h"

static void passed_on(void)
{
    struct child *server = child_new(), *a = child_new(), *b = child_new();
    l4_cap_idx_t gate = gate_new(server->thread, 0x40);

    expect_eq(map_cap(a->task, L4_BASE_TASK_CAP, gate, CHILD_CAP(1), L4_CAP_FPAGE_RWS), 0);
    expect_eq(map_cap(b->task, a->task, CHILD_CAP(1), CHILD_CAP(7), L4_CAP_FPAGE_RW), 0);
    expect_eq(rights_seen(server, a, CHILD_CAP(1)), 3);
    expect_eq(rights_seen(server, b, CHILD_CAP(7)), 1);
}

static void rights_never_grow(void)
{
    struct child *server = child_new(), *client = child_new();
    l4_cap_idx_t gate = gate_new(server->thread, 0x40), t = task_new();

    for (unsigned own = 0; own < 16; own++) {
        for (unsigned sent = 0; sent < 16; sent++) {
            unsigned both = own & sent;

            map_cap(t, L4_BASE_TASK_CAP, gate, CHILD_CAP(0), own);
            map_cap(client->task, t, CHILD_CAP(0), CHILD_CAP(5), sent);
            expect_eq(has_cap(client->task, CHILD_CAP(5)), both != 0);
            if (both)
                expect_eq(rights_seen(server, client, CHILD_CAP(5)), both & 3);
            unmap_cap(L4_BASE_TASK_CAP, gate, RWSD, OTHERS);
            jobs_reset();
        }
    }
}

/* Slots first..first+7 with every third in use, all at once. */
static void ranges_and_holes(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();

    for (unsigned i = 0; i < 8; i += 3)
        map_cap(a, L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, CHILD_CAP(i), L4_CAP_FPAGE_RW);
    expect_eq(l4_error(l4_task_map(b, a, l4_obj_fpage(CHILD_CAP(0), 3, RWSD),
                                   l4_map_obj_control(CHILD_CAP(8), 0))), 0);
    for (unsigned i = 0; i < 8; i++) {
        expect_eq(has_cap(b, CHILD_CAP(8 + i)), i % 3 == 0);
        expect(!has_cap(b, CHILD_CAP(i)));
    }
    /* Unaligned: the flexpage is what it would be if it were aligned. */
    expect_eq(l4_error(l4_task_unmap(b, l4_obj_fpage(CHILD_CAP(13), 2, RWSD), ALL)), 0);
    for (unsigned i = 0; i < 8; i++)
        expect_eq(has_cap(b, CHILD_CAP(8 + i)), i % 3 == 0 && i < 4);
}

static void whole_table(void)
{
    l4_cap_idx_t a = task_new(), b = task_new();
    static const unsigned slots[] = {0, 1, 511, 512, 5000, L4_CAP_SLOTS - 1};
    l4_fpage_t all = l4_obj_fpage(0, L4_WHOLE_ADDRESS_SPACE, RWSD);

    for (unsigned i = 0; i < 6; i++)
        expect_eq(map_cap(a, L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, (l4_cap_idx_t)slots[i] << 12,
                          L4_CAP_FPAGE_RW), 0);
    expect_eq(l4_error(l4_task_map(b, a, all, l4_map_obj_control(0, 0))), 0);
    for (unsigned i = 0; i < 6; i++)
        expect(has_cap(b, (l4_cap_idx_t)slots[i] << 12));
    expect(!has_cap(b, 2UL << 12));
    expect_eq(l4_error(l4_task_unmap(a, all, ALL)), 0);
    for (unsigned i = 0; i < 6; i++) {
        expect(!has_cap(a, (l4_cap_idx_t)slots[i] << 12));
        expect(!has_cap(b, (l4_cap_idx_t)slots[i] << 12));
    }
}

static void bounds(void)
{
    static const l4_umword_t beyond[] = {L4_CAP_SLOTS, L4_CAP_SLOTS + 1, 1UL << 20, 1UL << 32,
                                         1UL << 40, (1UL << 52) - 1};
    l4_cap_idx_t a = task_new();

    for (unsigned i = 0; i < 6; i++) {
        l4_cap_idx_t cap = beyond[i] << 12;

        expect_eq(map_cap(a, L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, cap, RWSD), 0);
        expect(!has_cap(a, cap));
        expect_eq(map_cap(a, L4_BASE_TASK_CAP, cap, CHILD_CAP(0), RWSD), 0);
        expect(!has_cap(a, CHILD_CAP(0)));
        expect_eq(unmap_cap(a, cap, RWSD, ALL), 0);
        expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, cap)), -L4_EINVAL);
    }
    /* A range across the end of the table: up to there. */
    map_cap(a, L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, (L4_CAP_SLOTS - 1) << 12, L4_CAP_FPAGE_RW);
    expect_eq(l4_error(l4_task_unmap(a, l4_obj_fpage((L4_CAP_SLOTS - 1) << 12, 40, RWSD), ALL)),
              0);
    expect(!has_cap(a, (L4_CAP_SLOTS - 1) << 12));
}

static void valid_and_equal(void)
{
    l4_cap_idx_t a = slot_new(), b = slot_new(), weak = slot_new(), other = slot_new();
    l4_cap_idx_t t = L4_BASE_TASK_CAP, none = slot_new();

    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, a)), 0);
    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, other)), 0);
    map_cap(t, t, a, b, RWSD);
    map_cap(t, t, a, weak, L4_CAP_FPAGE_R);
    expect(has_cap(t, a) && has_cap(t, b) && has_cap(t, weak) && !has_cap(t, none));
    expect_eq(l4_error(l4_task_cap_equal(t, a, a)), 1);
    expect_eq(l4_error(l4_task_cap_equal(t, a, b)), 1);
    expect_eq(l4_error(l4_task_cap_equal(t, a, weak)), 0); /* other rights */
    expect_eq(l4_error(l4_task_cap_equal(t, a, other)), 0);
    expect_eq(l4_error(l4_task_cap_equal(t, a, none)), 0);
    expect_eq(l4_error(l4_task_cap_equal(t, none, a)), 0);
    expect_eq(destroy(a), 0);
    expect(!has_cap(t, a) && !has_cap(t, b) && !has_cap(t, weak) && has_cap(t, other));
}

/* Of another task: only what a capability of that task says. */
static void of_another_task(void)
{
    struct child *c = child_new();

    expect_eq(l4_error(l4_task_cap_valid(c->task, CHILD_TASK)), 1);
    expect_eq(l4_error(l4_task_cap_valid(c->task, L4_BASE_SCHEDULER_CAP)), 0);
    expect_eq(l4_error(l4_task_cap_equal(c->task, CHILD_TASK, CHILD_THREAD)), 0);
}

static void over_occupied_slots(void)
{
    struct child *x = child_new(), *y = child_new(), *client = child_new();
    l4_cap_idx_t gx = gate_new(x->thread, 0x40), gy = gate_new(y->thread, 0x80), t = task_new();

    /* The same capability from the same place: rights are added. */
    give(client, gx, CHILD_CAP(0), L4_CAP_FPAGE_R);
    expect_eq(rights_seen(x, client, CHILD_CAP(0)), 0);
    give(client, gx, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    expect_eq(rights_seen(x, client, CHILD_CAP(0)), 1);
    give(client, gx, CHILD_CAP(0), L4_CAP_FPAGE_RS);
    expect_eq(rights_seen(x, client, CHILD_CAP(0)), 3);
    /* Another object: the old one goes, with what was mapped from it. */
    map_cap(t, client->task, CHILD_CAP(0), CHILD_CAP(3), RWSD);
    give(client, gy, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    expect_eq(rights_seen(y, client, CHILD_CAP(0)), 1);
    expect(!has_cap(t, CHILD_CAP(3)));
    /* Its own ancestor: nothing happens. */
    map_cap(t, client->task, CHILD_CAP(0), CHILD_CAP(3), RWSD);
    map_cap(client->task, t, CHILD_CAP(3), CHILD_CAP(0), L4_CAP_FPAGE_R);
    map_cap(L4_BASE_TASK_CAP, t, CHILD_CAP(3), gy, L4_CAP_FPAGE_R);
    expect(has_cap(t, CHILD_CAP(3)));
    expect_eq(rights_seen(y, client, CHILD_CAP(0)), 1);
    /* Itself. */
    map_cap(client->task, client->task, CHILD_CAP(0), CHILD_CAP(0), L4_CAP_FPAGE_R);
    expect_eq(rights_seen(y, client, CHILD_CAP(0)), 1);
}

static void granted(void)
{
    struct child *server = child_new(), *client = child_new();
    l4_cap_idx_t gate = gate_new(server->thread, 0x40), a = task_new(), b = task_new();

    map_cap(a, L4_BASE_TASK_CAP, gate, CHILD_CAP(0), L4_CAP_FPAGE_RWS);
    map_cap(b, a, CHILD_CAP(0), CHILD_CAP(0), L4_CAP_FPAGE_RWS);
    expect_eq(l4_error(l4_task_map(client->task, a,
                                   l4_obj_fpage(CHILD_CAP(0), 0, L4_CAP_FPAGE_RW),
                                   l4_map_obj_control(CHILD_CAP(9), L4_MAP_ITEM_GRANT))), 0);
    expect(!has_cap(a, CHILD_CAP(0)));
    expect(has_cap(b, CHILD_CAP(0)));
    expect_eq(rights_seen(server, client, CHILD_CAP(9)), 1);
    /* It obeys who gave it, and has what was mapped from it. */
    unmap_cap(client->task, CHILD_CAP(9), RWSD, OTHERS);
    expect(!has_cap(b, CHILD_CAP(0)) && has_cap(client->task, CHILD_CAP(9)));
    unmap_cap(L4_BASE_TASK_CAP, gate, RWSD, OTHERS);
    expect(!has_cap(client->task, CHILD_CAP(9)));
}

static void types_in_slots(void)
{
    l4_utcb_t *u = l4_utcb();
    l4_cap_idx_t t = task_new();

    /* A protocol that the object does not speak, a message that is empty. */
    expect_eq(l4_error(l4_ipc_call(t, u, l4_msgtag(L4_PROTO_SCHEDULER, 1, 0, 0), L4_IPC_NEVER)),
              -L4_EBADPROTO);
    expect_eq(l4_error(l4_ipc_call(L4_BASE_FACTORY_CAP, u, l4_msgtag(L4_PROTO_TASK, 1, 0, 0),
                                   L4_IPC_NEVER)), -L4_EBADPROTO);
    expect_eq(l4_error(l4_ipc_call(L4_BASE_SCHEDULER_CAP, u, l4_msgtag(L4_PROTO_LOG, 1, 0, 0),
                                   L4_IPC_NEVER)), -L4_EBADPROTO);
    expect_eq(l4_error(l4_ipc_call(L4_BASE_LOG_CAP, u, l4_msgtag(L4_PROTO_TASK, 1, 0, 0),
                                   L4_IPC_NEVER)), -L4_EBADPROTO);
    expect_eq(l4_error(l4_ipc_call(L4_BASE_DEBUGGER_CAP, u, l4_msgtag(0, 1, 0, 0),
                                   L4_IPC_NEVER)), -L4_EBADPROTO);
    expect_eq(l4_error(l4_ipc_call(L4_BASE_FACTORY_CAP, u, l4_msgtag(L4_PROTO_FACTORY, 0, 0, 0),
                                   L4_IPC_NEVER)), -L4_EMSGTOOSHORT);
    expect_eq(l4_error(l4_ipc_call(L4_BASE_SCHEDULER_CAP, u,
                                   l4_msgtag(L4_PROTO_SCHEDULER, 0, 0, 0), L4_IPC_NEVER)),
              -L4_EMSGTOOSHORT);
}

const struct test slots_tests[] = {
    {"a capability passed on is a capability of the next one", passed_on},
    {"a capability has the rights of the sender's and of the flexpage, no others",
     rights_never_grow},
    {"ranges of slots are mapped with their holes", ranges_and_holes},
    {"a whole table of capabilities at once", whole_table},
    {"slots beyond the table are empty, and stay so", bounds},
    {"cap_valid and cap_equal tell what is there", valid_and_equal},
    {"cap_valid of another task looks into that task", of_another_task},
    {"an occupied slot: rights are added, or it is replaced, or nothing happens",
     over_occupied_slots},
    {"a granted capability moves, with its place in the tree", granted},
    {"objects refuse protocols that they do not speak", types_in_slots},
    {NULL, NULL},
};
