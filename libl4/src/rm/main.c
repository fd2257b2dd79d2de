/*
 * main.c - the region manager of a task: start and server loop
 *
 * The root task has mapped image, heap and stack, and started this thread. From the environment
 * page we learn which regions the program begins with; when they are in the map we start the
 * program's first thread, whose every page then comes by a fault.
 */
#include "rm.h"

#include <l4/sys/scheduler.h>
#include <l4/sys/thread.h>
#include <l4/sys/utcb.h>

struct region_map rm_map;
struct rm_counts rm_counts;
struct foreign rm_foreign;

/* Ranges that are never the program's, whatever the root task says. */
static const struct {
    l4_addr_t start, end;
    const char *name;
} system_areas[] = {
    {0, QUIRE_NULL_GUARD, "null page"},
    {QUIRE_RM_ADDR, QUIRE_RM_END, "region manager"},
    {QUIRE_UTCB_ADDR, QUIRE_UTCB_ADDR + (1UL << QUIRE_UTCB_ORDER), "UTCBs"},
    {QUIRE_ENV_ADDR, QUIRE_ENV_ADDR + L4_PAGESIZE, "environment page"},
    {QUIRE_KIP_ADDR, QUIRE_KIP_ADDR + L4_PAGESIZE, "kernel information page"},
};

static long reserve_for_system(l4_addr_t start, l4_umword_t size, const char *name)
{
    struct region_request q = {
        .start = start,
        .size = size,
        .flags = L4RE_RM_F_RESERVED | L4RE_RM_F_KERNEL,
        .name = name,
    };
    struct region *r;

    return region_reserve_area(&rm_map, &q, &r);
}

/* A reserved region of the environment may repeat a system area: that is no error. */
static long add_init_region(const quire_init_region *init)
{
    struct region_request q = {
        .start = init->start,
        .size = init->size,
        .flags = init->flags,
        .offset = init->offset,
        .ds = init->ds,
        .name = init->name,
    };
    struct region *r;
    long err;

    if (!(init->flags & L4RE_RM_F_RESERVED))
        return region_attach(&rm_map, &q, &r);
    err = reserve_for_system(init->start, init->size, init->name);
    return err == -L4_EADDRNOTAVAIL ? 0 : err;
}

static long build_map(void)
{
    const quire_env_page *env = rm_env();
    long err;

    region_map_init(&rm_map, 0, L4_USER_END);
    rm_memory_start();
    for (unsigned i = 0; i < sizeof(system_areas) / sizeof(system_areas[0]); i++) {
        err = reserve_for_system(system_areas[i].start,
                                 system_areas[i].end - system_areas[i].start,
                                 system_areas[i].name);
        if (err)
            return err;
    }
    for (l4_umword_t i = 0; i < env->region_count && i < QUIRE_ENV_REGIONS_MAX; i++) {
        err = add_init_region(&env->regions[i]);
        if (err) {
            rm_log("region manager: task %s: region %.23s at 0x%lx refused (%ld)", env->task_name,
                   env->regions[i].name, env->regions[i].start, err);
            return err;
        }
    }
    return 0;
}

static long start_main_thread(void)
{
    const quire_env_page *env = rm_env();
    l4_sched_param_t sched = l4_sched_param(env->priority, env->quantum_us);
    long err = l4_error(l4_thread_ex_regs(env->env.main_thread, env->entry, env->stack_top, 0));

    if (err < 0)
        return err;
    return l4_error(l4_scheduler_run_thread(env->env.scheduler, env->env.main_thread, &sched));
}

/* A message that is neither page fault nor of our protocol. False: nobody is to be answered. */
static bool serve(struct rm_worker *w, l4_msgtag_t tag, l4_umword_t label, l4_msgtag_t *answer)
{
    switch (l4_msgtag_label(tag)) {
    case L4_PROTO_EXCEPTION:
        if (foreign_turn(&rm_foreign, l4_utcb_exc_u(w->utcb)) || rm_section_fault(w, label)) {
            *answer = l4_msgtag(0, L4_UTCB_EXCEPTION_REGS_SIZE, 0, 0);
            return true;
        }
        rm_exception_report(w);
        return false;
    case L4RE_PROTO_STATS:
        *answer = rm_stats(w, tag);
        break;
    case RM_PROTO_NUDGE:
        return false;
    default:
        *answer = l4_msgtag(-L4_EBADPROTO, 0, 0, 0);
        break;
    }
    if (l4_msgtag_items(tag))
        rm_slot_drop(w);
    return true;
}

/* PF-9: the region manager answers without an item; the thread repeats its instruction.
 * An error concerns whom we answered, or a message that was cut: then we wait for the next. */
L4_NORETURN void rm_server_loop(struct rm_worker *w)
{
    l4_msgtag_t answer = {0}, tag;
    l4_umword_t label;

    for (;;) {
        bool more = true;

        tag = rm_next(w, &label);
        while (L4_LIKELY(!l4_msgtag_has_error(tag))) {
            if (L4_LIKELY(l4_msgtag_label(tag) == L4_PROTO_PAGE_FAULT)) {
                answer = l4_msgtag(rm_fault_serve(w, label), 0, 0, 0);
            } else {
                rm_set_state(w, RM_WORKING);
                if (L4_LIKELY(l4_msgtag_label(tag) == L4RE_PROTO_RM))
                    answer = rm_serve(w, tag);
                else
                    more = serve(w, tag, label, &answer);
                rm_set_state(w, RM_WAITING);
            }
            if (L4_UNLIKELY(!more || rm_owner != w))
                break;
            tag = l4_ipc_reply_and_wait(w->utcb, answer, &label, L4_IPC_SEND_TIMEOUT_0);
        }
        /* The gate is another's now, or the answer did not get away (M5). */
        if (more && (!l4_msgtag_has_error(tag) ||
                     l4_ipc_error_code(w->utcb) == L4_IPC_SECANCELED))
            rm_answer(w, answer);
    }
}

int main(void)
{
    long err = build_map();

    if (!err)
        err = rm_workers_start();
    if (!err)
        err = start_main_thread();
    if (err) {
        rm_log("region manager: task %s cannot start (%ld)", rm_env()->task_name, err);
        return 1;
    }
    rm_server_loop(rm_owner);
}
