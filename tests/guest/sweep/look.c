/*
 * sweep/look.c - what can be seen when all is over: by touching, by asking
 */
#include "sweep.h"

#include <l4/sys/debugger.h>

#define MY_SLOT (28UL << L4_CAP_SHIFT)

static const struct first *looked_at;
static unsigned short *seen;

static l4_addr_t place(unsigned unit)
{
    static const unsigned parts[ITEMS] = {0, 1, 2, 7, 8, 64, 510, 511};

    if (unit < ITEMS)
        return AREA_A + unit * KIB4;
    if (unit < 2 * ITEMS)
        return AREA_B + (unit - ITEMS) * KIB4;
    return AREA_SUPER + parts[unit - 2 * ITEMS] * KIB4;
}

/* Runs in the task that is looked at. */
static void touch_all(void *arg)
{
    unsigned n = looked_at->kind == SUPER ? UNITS : 2 * ITEMS;

    (void)arg;
    for (unsigned i = 0; i < n; i++) {
        struct touched r = touch_read(place(i), 0);

        if (r.refused)
            continue;
        seen[i] = (unsigned short)(1 + r.value / KIB4);
        if (!touch_write(place(i) + 16, 1).refused)
            seen[i] |= WRITABLE;
    }
}

static unsigned short gate_at(l4_cap_idx_t task, l4_cap_idx_t slot)
{
    unsigned short found = HOLE_UNIT;
    unsigned long id;

    if (l4_error(l4_task_cap_valid(task, slot)) <= 0)
        return HOLE_UNIT;
    l4_task_map(L4_BASE_TASK_CAP, task, l4_obj_fpage(slot, 0, L4_CAP_FPAGE_RWSD),
                l4_map_obj_control(MY_SLOT, 0));
    id = l4_debugger_global_id(MY_SLOT);
    for (unsigned i = 0; i < ITEMS; i++)
        if (l4_debugger_global_id(w.gates[i]) == id)
            found = (unsigned short)(1 + i);
    l4_task_release_cap(L4_BASE_TASK_CAP, MY_SLOT);
    return found;
}

static void look_at_caps(l4_cap_idx_t task)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        seen[i] = gate_at(task, CAPS_A + (i << L4_CAP_SHIFT));
        seen[ITEMS + i] = gate_at(task, CAPS_B + (i << L4_CAP_SHIFT));
    }
}

static void look_at_ports(struct child *eyes)
{
    static bool held[ITEMS];
    static unsigned short list[ITEMS];

    for (unsigned i = 0; i < ITEMS; i++)
        list[i] = (unsigned short)(PORTS_A + i);
    ports_try(eyes, list, ITEMS, held);
    for (unsigned i = 0; i < ITEMS; i++)
        seen[i] = held[i];
}

struct outcome look(const struct first *f)
{
    static unsigned short unit[UNITS];
    struct outcome o = {{0}, {0}};

    memcpy(o.result, (void *)w.result, sizeof(o.result));
    looked_at = f;
    seen = unit;
    for (unsigned t = 0; t < TASKS; t++) {
        memset(unit, 0, sizeof(unit));
        if (l4_error(l4_task_cap_valid(L4_BASE_TASK_CAP, w.task[t])) <= 0)
            memset(unit, 0xff, sizeof(unit));
        else if (f->kind == CAPS)
            look_at_caps(w.task[t]);
        else if (f->kind == PORTS)
            look_at_ports(w.eyes[t]);
        else
            child_run(w.eyes[t], touch_all, NULL);
        memcpy(&o.unit[t * UNITS], unit, sizeof(unit));
    }
    return o;
}

void show(const char *what, const struct outcome *o)
{
    printf("# %s:", what);
    for (unsigned i = 0; i < RESULTS; i++)
        printf(" 0x%lx", o->result[i]);
    printf("\n");
    for (unsigned t = 0; t < TASKS; t++) {
        printf("#   task %u:", t);
        for (unsigned i = 0; i < UNITS; i++)
            printf(" %x", o->unit[t * UNITS + i]);
        printf("\n");
    }
}
