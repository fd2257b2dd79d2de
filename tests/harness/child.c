/*
 * child.c - tasks and threads that a test makes
 */
#include "harness.h"

static struct child children[CHILDREN_MAX];
static char stacks[CHILDREN_MAX][CHILD_STACK] __attribute__((aligned(4096)));
static unsigned child_count;

extern char __executable_start[], _stext[], _sdata[], _end[];
void child_entry(void);
void child_main(struct child *c);

/* The stack holds the child; rsp is then what the calling convention wants. */
__asm__(".globl child_entry\n"
        "child_entry:\n"
        "    pop %rdi\n"
        "    xor %ebp, %ebp\n"
        "    call child_main\n"
        "    ud2\n");

void child_main(struct child *c)
{
    c->run(c->arg);
    c->finished = true;
    for (;;)
        l4_ipc_sleep(L4_IPC_NEVER);
}

void children_reset(void)
{
    child_count = 0;
    memset(children, 0, sizeof(children));
}

void map_range(l4_cap_idx_t task, l4_addr_t start, l4_addr_t end, unsigned char rights)
{
    while (start < end) {
        unsigned order = L4_PAGESHIFT;

        while ((start & ((2UL << order) - 1)) == 0 && start + (2UL << order) <= end)
            order++;
        expect_eq(l4_error(l4_task_map(task, L4_BASE_TASK_CAP, l4_fpage(start, order, rights),
                                       l4_map_control(start, 0, 0))), 0);
        start += 1UL << order;
    }
}

void text_map(l4_cap_idx_t task)
{
    l4_addr_t kip = (l4_addr_t)l4_kip();

    map_range(task, l4_trunc_page((l4_addr_t)__executable_start), (l4_addr_t)_stext,
              L4_FPAGE_RO);
    map_range(task, (l4_addr_t)_stext, l4_trunc_page((l4_addr_t)_sdata), L4_FPAGE_RX);
    map_range(task, kip, kip + L4_PAGESIZE, L4_FPAGE_RO);
}

void image_map(l4_cap_idx_t task)
{
    text_map(task);
    map_range(task, l4_trunc_page((l4_addr_t)_sdata), l4_round_page((l4_addr_t)_end),
              L4_FPAGE_RW);
}

static bool task_make(l4_cap_idx_t factory, l4_cap_idx_t task)
{
    l4_fpage_t area = l4_fpage(CHILD_UTCB_ADDR, CHILD_UTCB_ORDER, L4_FPAGE_RW);

    return l4_error(l4_factory_create_task(factory, task, &area)) == 0;
}

l4_cap_idx_t task_new(void)
{
    l4_cap_idx_t task = slot_new();

    expect(task_make(L4_BASE_FACTORY_CAP, task));
    return task;
}

static long bind(struct child *c, l4_cap_idx_t factory, unsigned utcb)
{
    long err = l4_error(l4_factory_create_thread(factory, c->thread));

    if (err < 0)
        return err;
    c->utcb = CHILD_UTCB_ADDR + utcb * L4_UTCB_OFFSET;
    l4_thread_control_start();
    l4_thread_control_pager(CHILD_PAGER);
    l4_thread_control_exc_handler(CHILD_PAGER);
    l4_thread_control_bind((l4_utcb_t *)c->utcb, c->task);
    return l4_error(l4_thread_control_commit(c->thread));
}

static struct child *child_take(void)
{
    struct child *c = &children[child_count];

    expect(child_count < CHILDREN_MAX);
    c->stack_top = stacks[child_count++] + CHILD_STACK;
    c->thread = slot_new();
    c->priority = PRIO_CHILD;
    return c;
}

/* In the slots that it has. */
static bool child_make(struct child *c, l4_cap_idx_t factory)
{
    if (!task_make(factory, c->task) || bind(c, factory, 0) != 0)
        return false;
    image_map(c->task);
    expect_eq(give(c, c->task, CHILD_TASK, L4_CAP_FPAGE_RWS), 0);
    expect_eq(give(c, c->thread, CHILD_THREAD, L4_CAP_FPAGE_RWS), 0);
    expect_eq(give(c, handler_gate, CHILD_PAGER, L4_CAP_FPAGE_RW), 0);
    expect_eq(give(c, L4_BASE_LOG_CAP, CHILD_LOG, L4_CAP_FPAGE_RW), 0);
    return true;
}

struct child *child_new_from(l4_cap_idx_t factory)
{
    struct child *c = child_take();

    c->task = slot_new();
    return child_make(c, factory) ? c : NULL;
}

void child_again(struct child *c, struct child *second, l4_cap_idx_t factory)
{
    c->started = second->started = false;
    expect(child_make(c, factory));
    expect_eq(bind(second, factory, 1), 0);
}

struct child *child_new(void)
{
    struct child *c = child_new_from(L4_BASE_FACTORY_CAP);

    expect(c != NULL);
    return c;
}

struct child *child_thread(struct child *in, unsigned utcb)
{
    struct child *c = child_take();

    c->task = in->task;
    expect_eq(bind(c, L4_BASE_FACTORY_CAP, utcb), 0);
    return c;
}

long child_priority(struct child *c, unsigned priority, unsigned quantum_us)
{
    l4_sched_param_t p = l4_sched_param(priority, quantum_us);

    c->priority = priority;
    return l4_error(l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, c->thread, &p));
}

void own_priority(unsigned priority)
{
    l4_sched_param_t p = l4_sched_param(priority, 0);

    l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, L4_BASE_THREAD_CAP, &p);
}

void child_run(struct child *c, void (*run)(void *), void *arg)
{
    l4_umword_t *sp = (l4_umword_t *)c->stack_top - 1;

    c->run = run;
    c->arg = arg;
    c->finished = false;
    *sp = (l4_umword_t)c;
    expect_eq(l4_error(l4_thread_ex_regs(c->thread, (l4_addr_t)child_entry, (l4_addr_t)sp,
                                         L4_THREAD_EX_REGS_CANCEL)), 0);
    if (!c->started) {
        c->started = true;
        expect_eq(child_priority(c, c->priority, 0), 0);
    }
}

long give(struct child *c, l4_cap_idx_t cap, l4_cap_idx_t slot, unsigned rights)
{
    return l4_error(l4_task_map(c->task, L4_BASE_TASK_CAP,
                                l4_obj_fpage(cap, 0, (unsigned char)rights),
                                l4_map_obj_control(slot, 0)));
}

l4_cap_idx_t gate_new(l4_cap_idx_t thread, l4_umword_t label)
{
    l4_cap_idx_t gate = slot_new();

    expect_eq(l4_error(l4_factory_create_gate(L4_BASE_FACTORY_CAP, gate, thread, label)), 0);
    return gate;
}

long destroy(l4_cap_idx_t cap)
{
    return l4_error(l4_task_delete_obj(L4_BASE_TASK_CAP, cap));
}

long child_handlers(struct child *c, l4_cap_idx_t pager, l4_cap_idx_t handler)
{
    l4_thread_control_start();
    if (pager != ~0UL)
        l4_thread_control_pager(pager);
    if (handler != ~0UL)
        l4_thread_control_exc_handler(handler);
    return l4_error(l4_thread_control_commit(c->thread));
}
