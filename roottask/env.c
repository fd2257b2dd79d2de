/*
 * roottask/env.c - environment pages (layout: abi/env.h)
 */
#include "env.h"

#include <abi/errors.h>
#include <l4/sys/types.h>
#include <l4/sys/utcb.h>

#include <string.h>

static void copy_name(char *to, size_t size, const char *from)
{
    size_t n = strlen(from);

    if (n >= size)
        n = size - 1;
    memcpy(to, from, n);
    to[n] = 0;
}

/* argv[0] is the task's name, the script's or the module's arguments follow. */
static void args_set(quire_env_page *e, const struct script_task *s)
{
    size_t n = strlen(s->name) + 1;

    memcpy(e->args, s->name, n);
    memcpy(e->args + n, s->args, s->args_size);
    e->argc = 1 + s->argc;
}

void env_start(quire_env_page *e, const struct task *t)
{
    const struct script_task *s = t->script;
    bool program = s->kind == SCRIPT_PROGRAM;
    l4_umword_t utcbs = program ? 2 : 1;

    e->env = (l4re_env_t){
        .parent = QUIRE_PARENT_CAP,
        .rm = program ? L4_BASE_PAGER_CAP : L4_INVALID_CAP,
        .mem_alloc = program ? QUIRE_MEM_ALLOC_CAP : L4_INVALID_CAP,
        .log = L4_BASE_LOG_CAP,
        .main_thread = L4_BASE_THREAD_CAP,
        .factory = L4_BASE_FACTORY_CAP,
        .scheduler = L4_BASE_SCHEDULER_CAP,
        .itas = L4_INVALID_CAP,
        .dbg_events = L4_INVALID_CAP,
        .first_free_cap = QUIRE_FIRST_NAMED_CAP >> L4_CAP_SHIFT,
        .utcb_area = {(QUIRE_UTCB_ADDR & L4_PAGEMASK) | QUIRE_UTCB_ORDER << L4_FPAGE_SIZE_SHIFT |
                      L4_FPAGE_MEMORY << L4_FPAGE_TYPE_SHIFT | L4_FPAGE_RW},
        .first_free_utcb = QUIRE_UTCB_ADDR + utcbs * L4_UTCB_OFFSET,
        .caps = (l4re_env_cap_entry_t *)(QUIRE_ENV_ADDR + offsetof(quire_env_page, caps)),
    };
    e->caps[0].flags = ~0UL;
    copy_name(e->task_name, sizeof(e->task_name), s->name);
    e->priority = s->prio;
    args_set(e, s);
}

l4_cap_idx_t env_free_cap(quire_env_page *e)
{
    return e->env.first_free_cap++ << L4_CAP_SHIFT;
}

/* The kernel's and sigma0's capabilities stay in the slots that programs know them by. */
static l4_cap_idx_t place(quire_env_page *e, const struct script_cap *cap)
{
    switch (cap->source) {
    case SCRIPT_CAP_SIGMA0:
        return QUIRE_SIGMA0_CAP;
    case SCRIPT_CAP_DEBUGGER:
        return L4_BASE_DEBUGGER_CAP;
    case SCRIPT_CAP_ICU:
        return L4_BASE_ICU_CAP;
    default:
        return env_free_cap(e);
    }
}

l4_cap_idx_t env_named_cap(quire_env_page *e, const struct script_cap *cap)
{
    unsigned n = 0;

    while (e->caps[n].flags != ~0UL)
        n++;
    e->caps[n].cap = place(e, cap);
    e->caps[n].flags = 0;
    copy_name(e->caps[n].name, sizeof(e->caps[n].name), cap->name);
    e->caps[n + 1].flags = ~0UL;
    return e->caps[n].cap;
}

long env_region(quire_env_page *e, const char *name, l4_addr_t start, l4_umword_t size,
                l4_umword_t flags, l4_cap_idx_t ds, l4_umword_t offset)
{
    quire_init_region *r = &e->regions[e->region_count];

    if (e->region_count == QUIRE_ENV_REGIONS_MAX)
        return -L4_ENOSPC;
    *r = (quire_init_region){
        .start = start,
        .size = size,
        .flags = flags,
        .ds = ds,
        .offset = offset,
    };
    copy_name(r->name, sizeof(r->name), name);
    e->region_count++;
    return 0;
}
