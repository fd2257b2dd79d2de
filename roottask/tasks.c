/*
 * roottask/tasks.c - task records and the kernel objects behind them
 *
 *   record i <-> slots FIRST_BLOCK + i * 32 .. + 31 of our capability table
 *            <-> label FIRST_LABEL + i * 16 of its parent gate
 *
 * T1  All objects of a task, threads and gates too, are made by the task's own factory, so its
 *     kernel-memory quota pays for them and deleting them gives everything back.
 * T2  Nothing that was given to a task (capabilities, memory) survives task_kill() in the task;
 *     what servers hold for it survives until task_release().
 */
#include "root.h"

#include <abi/env.h>
#include <abi/errors.h>
#include <l4/sys/debugger.h>
#include <l4/sys/factory.h>
#include <l4/sys/rcv_endpoint.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/task.h>
#include <l4/sys/thread.h>

enum {
    FIRST_BLOCK = 64, /* slot; aligned to the block */
    FIRST_LABEL = 0x1000,
    LABEL_STEP = 16,
    KEEPER_LIMIT = 128 << 10, /* kernel memory for gates that outlive a manager */
    SERVER_LABEL = 0x100, /* what a manager or region manager sees on its own gate */
};

struct task tasks[SCRIPT_TASKS_MAX];

int task_state(const struct task *t)
{
    return __atomic_load_n(&t->state, __ATOMIC_ACQUIRE);
}

void task_set_state(struct task *t, int state)
{
    __atomic_store_n(&t->state, state, __ATOMIC_RELEASE);
}

unsigned task_index(const struct task *t)
{
    return (unsigned)(t - tasks);
}

l4_cap_idx_t task_cap(const struct task *t, unsigned slot)
{
    l4_umword_t block = FIRST_BLOCK + ((l4_umword_t)task_index(t) << SLOT_BLOCK_ORDER);

    return (block + slot) << L4_CAP_SHIFT;
}

l4_umword_t task_label(const struct task *t)
{
    return FIRST_LABEL + (l4_umword_t)task_index(t) * LABEL_STEP;
}

struct task *task_from_label(l4_umword_t label)
{
    l4_umword_t i = (label - FIRST_LABEL) / LABEL_STEP;

    return label >= FIRST_LABEL && i < SCRIPT_TASKS_MAX ? &tasks[i] : NULL;
}

long task_give(const struct task *t, l4_cap_idx_t from, l4_cap_idx_t to, unsigned rights)
{
    return l4_error(l4_task_map(task_cap(t, SLOT_TASK), L4_BASE_TASK_CAP,
                                l4_obj_fpage(from, 0, (unsigned char)rights),
                                l4_map_obj_control(to, 0)));
}

/* A thread of the task, with UTCB number `n`; pager and handler are the task's capabilities. */
static long thread_make(struct task *t, unsigned slot, unsigned n, l4_cap_idx_t pager)
{
    l4_cap_idx_t thread = task_cap(t, slot);
    long err = l4_error(l4_factory_create_thread(task_cap(t, SLOT_FACTORY), thread));

    if (err < 0)
        return err;
    l4_thread_control_start();
    l4_thread_control_pager(pager);
    l4_thread_control_exc_handler(pager);
    l4_thread_control_bind((l4_utcb_t *)(QUIRE_UTCB_ADDR + n * (l4_umword_t)L4_UTCB_OFFSET),
                           task_cap(t, SLOT_TASK));
    return l4_error(l4_thread_control_commit(thread));
}

/*
 * The gate that clients know. One that outlives the manager is paid for by a factory that does so,
 * too, and is bound again in the next life: who has waited at it goes on.
 */
static long gate_make(struct task *t, unsigned server)
{
    l4_cap_idx_t thread = task_cap(t, server), keeper = task_cap(t, SLOT_KEEPER);
    l4_cap_idx_t gate = task_cap(t, SLOT_GATE);
    long err;

    if (!t->script->restarts)
        return l4_error(l4_factory_create_gate(task_cap(t, SLOT_FACTORY), gate, thread,
                                               SERVER_LABEL));
    if (t->lives)
        return l4_error(l4_rcv_ep_bind_thread(gate, thread, SERVER_LABEL));
    err = l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, keeper, KEEPER_LIMIT));
    return err < 0 ? err : l4_error(l4_factory_create_gate(keeper, gate, thread, SERVER_LABEL));
}

static long objects_make(struct task *t, l4_cap_idx_t supervisor)
{
    l4_cap_idx_t factory = task_cap(t, SLOT_FACTORY);
    l4_fpage_t utcbs = l4_fpage(QUIRE_UTCB_ADDR, QUIRE_UTCB_ORDER, L4_FPAGE_RW);
    bool program = t->script->kind == SCRIPT_PROGRAM;
    unsigned server = program ? SLOT_RM_THREAD : SLOT_THREAD;
    long err;

    if ((err = l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, factory,
                                                  t->script->kmem))) < 0 ||
        (err = l4_error(l4_factory_create_task(factory, task_cap(t, SLOT_TASK), &utcbs))) < 0 ||
        (err = l4_error(l4_factory_create_gate(factory, task_cap(t, SLOT_PARENT), supervisor,
                                               task_label(t)))) < 0)
        return err;
    if (program && (err = thread_make(t, SLOT_THREAD, 1, L4_BASE_PAGER_CAP)) < 0)
        return err;
    if ((err = thread_make(t, server, 0, QUIRE_PARENT_CAP)) < 0)
        return err;
    return gate_make(t, server);
}

/* The fixed slots of abi/types.h and abi/env.h. */
static long caps_give(const struct task *t)
{
    bool program = t->script->kind == SCRIPT_PROGRAM;
    const struct {
        l4_cap_idx_t from;
        l4_cap_idx_t to;
        bool give;
    } table[] = {
        {task_cap(t, SLOT_TASK), L4_BASE_TASK_CAP, true},
        {task_cap(t, SLOT_FACTORY), L4_BASE_FACTORY_CAP, true},
        {task_cap(t, SLOT_THREAD), L4_BASE_THREAD_CAP, true},
        {task_cap(t, SLOT_GATE), L4_BASE_PAGER_CAP, program},
        {L4_BASE_LOG_CAP, L4_BASE_LOG_CAP, true},
        {L4_BASE_SCHEDULER_CAP, L4_BASE_SCHEDULER_CAP, true},
        {task_cap(t, SLOT_RM_THREAD), QUIRE_RM_THREAD_CAP, program},
        {task_cap(t, SLOT_MEM), QUIRE_MEM_ALLOC_CAP, program},
        {task_cap(t, SLOT_PARENT), QUIRE_PARENT_CAP, true},
        {task_cap(t, SLOT_RAM), QUIRE_SIGMA0_CAP, !program},
        {task_cap(t, SLOT_OWN_RAM), QUIRE_SIGMA0_CAP, program && t->script->ram.value},
    };

    for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        long err = table[i].give ? task_give(t, table[i].from, table[i].to, L4_CAP_FPAGE_RWS) : 0;

        if (err < 0)
            return err;
    }
    return 0;
}

/* For reports and traces only: no debugger, no names. */
static void names_set(const struct task *t)
{
    l4_debugger_set_object_name(task_cap(t, SLOT_TASK), t->script->name);
    l4_debugger_set_object_name(task_cap(t, SLOT_THREAD), t->script->name);
    if (t->script->kind == SCRIPT_PROGRAM)
        l4_debugger_set_object_name(task_cap(t, SLOT_RM_THREAD), "rm");
}

long task_create(struct task *t, l4_cap_idx_t supervisor)
{
    long err = objects_make(t, supervisor);

    if (err < 0)
        return err;
    err = caps_give(t);
    if (err < 0)
        return err;
    names_set(t);
    return 0;
}

long task_start(struct task *t)
{
    bool program = t->script->kind == SCRIPT_PROGRAM;
    l4_cap_idx_t thread = task_cap(t, program ? SLOT_RM_THREAD : SLOT_THREAD);
    /* A region manager runs above its program: whoever waits for a page waits shortly. */
    l4_sched_param_t param = l4_sched_param(t->script->prio + (program ? 1 : 0), 0);
    long err = l4_error(l4_thread_ex_regs(thread, t->entry, t->stack, 0));

    if (err < 0)
        return err;
    task_set_state(t, TASK_RUNNING);
    return l4_error(l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, thread, &param));
}

static void slots_drop(const struct task *t, unsigned slot, unsigned order)
{
    l4_task_unmap(L4_BASE_TASK_CAP,
                  l4_obj_fpage(task_cap(t, slot), order, L4_CAP_FPAGE_RWSD), L4_FP_DELETE_OBJ);
}

bool task_claim(struct task *t)
{
    int running = TASK_RUNNING;

    return __atomic_compare_exchange_n(&t->state, &running, TASK_ENDING, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

bool task_restarts(const struct task *t)
{
    return t->script && t->script->restarts >= t->lives && t->lives;
}

void task_kill(struct task *t)
{
    if (task_restarts(t)) {
        slots_drop(t, SLOT_TASK, 2); /* task, factory, threads */
        slots_drop(t, SLOT_PARENT, 0);
    } else {
        slots_drop(t, SLOT_TASK, SLOT_OBJECTS_ORDER);
        gates_drop(t);
    }
    task_set_state(t, TASK_DEAD);
}

void task_forget(struct task *t)
{
    memory_account_release(task_cap(t, SLOT_OWN_RAM));
    slots_drop(t, SLOT_OWN_RAM, 0);
    if (t->script->keep)
        return;
    memory_account_release(task_cap(t, SLOT_RAM));
    slots_drop(t, SLOT_RAM, 0);
}

void task_release(struct task *t)
{
    const struct script_task *s = t->script;

    /* A dead manager has nothing left to give back to. */
    if (s->kind == SCRIPT_PROGRAM && task_state(&tasks[s->mem]) == TASK_RUNNING) {
        if (service_account_release(task_cap(t, SLOT_MEM)) >= 0)
            tasks[s->mem].quota_given -= t->quota;
    }
    if (s->ram.value || s->restarts)
        memory_account_release(task_cap(t, SLOT_OWN_RAM));
    memory_account_release(task_cap(t, SLOT_RAM));
    slots_drop(t, SLOT_RAM, 3);
    slots_drop(t, SLOT_RAM + 8, 4);
    task_set_state(t, TASK_GONE);
}
