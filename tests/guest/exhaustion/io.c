/*
 * exhaustion/io.c - mapping and granting I/O ports
 */
#include "walk.h"

#include "../ioports/ports.h"

static struct child *child, *second;
static unsigned order, grant;

static long map_port(void)
{
    return port_map_with(child->task, L4_BASE_TASK_CAP,
                         l4_iofpage(order ? 0 : PORT, order), grant);
}

static void port_is_not_there(void)
{
    expect(!holds(child, PORT));
}

/* The bitmap of the task, its table of mappings, the mapping. */
static void one_port(void)
{
    struct walk w = {map_port, NULL, port_is_not_there, -L4_ENOMEM, 3};

    ports_get();
    child = child_new();
    order = grant = 0;
    walk(&w);
    expect(holds(child, PORT));
    ports_back();
}

static void unmap_all(void)
{
    port_unmap(child->task, 0, WHOLE, L4_FP_ALL_SPACES);
}

static void all_ports(void)
{
    struct walk w = {map_port, unmap_all, NULL, -L4_ENOMEM, 3};

    ports_get();
    child = child_new();
    order = WHOLE;
    grant = 0;
    walk(&w);
    expect(holds(child, PORT));
    ports_back();
}

static long map_on(void)
{
    return port_map(second->task, child->task, PORT, 0);
}

static void second_has_nothing(void)
{
    expect(!holds(second, PORT));
    expect(holds(child, PORT));
}

static void port_mapped_on(void)
{
    struct walk w = {map_on, NULL, second_has_nothing, -L4_ENOMEM, 3};

    ports_get();
    child = child_new();
    second = child_new();
    order = grant = 0;
    expect_eq(map_port(), 0);
    walk(&w);
    expect(holds(second, PORT));
    ports_back();
}

static void grant_did_not_happen(void)
{
    port_is_not_there();
    expect_eq(port_map(second->task, L4_BASE_TASK_CAP, PORT, 0), 0); /* ours still */
    port_unmap(second->task, PORT, 0, L4_FP_ALL_SPACES);
}

static void granted_port(void)
{
    struct walk w = {map_port, NULL, grant_did_not_happen, -L4_ENOMEM, 2};

    ports_get();
    child = child_new();
    second = child_new();
    order = 0;
    grant = L4_MAP_ITEM_GRANT;
    walk(&w);
    expect(holds(child, PORT));
    ports_back();
}

const struct test io_tests[] = {
    {"mapping an I/O port", one_port},
    {"mapping all I/O ports", all_ports},
    {"mapping an I/O port on", port_mapped_on},
    {"granting an I/O port", granted_port},
    {NULL, NULL},
};
