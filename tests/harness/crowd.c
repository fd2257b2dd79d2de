/*
 * crowd.c - many threads in one task
 */
#include "crowd.h"

static char stacks[CROWD_MAX][CROWD_STACK] __attribute__((aligned(16)));

struct beginning {
    void (*fn)(unsigned long);
    unsigned long number;
};

void crowd_entry(void);

__asm__(".globl crowd_entry\n"
        "crowd_entry:\n"
        "    pop %rax\n"
        "    pop %rdi\n"
        "    xor %ebp, %ebp\n"
        "    call *%rax\n"
        "    ud2\n");

void crowd_start(struct crowd *c)
{
    l4_fpage_t area = l4_fpage(CHILD_UTCB_ADDR, CROWD_ORDER, L4_FPAGE_RW);

    memset(c, 0, sizeof(*c));
    c->task = slot_new();
    expect_eq(l4_error(l4_factory_create_task(L4_BASE_FACTORY_CAP, c->task, &area)), 0);
    image_map(c->task);
}

unsigned crowd_join(struct crowd *c, l4_cap_idx_t pager, l4_cap_idx_t handler)
{
    unsigned n = c->members++;

    expect(n < CROWD_MAX);
    c->thread[n] = slot_new();
    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, c->thread[n])), 0);
    l4_thread_control_start();
    l4_thread_control_pager(pager);
    l4_thread_control_exc_handler(handler);
    l4_thread_control_bind((l4_utcb_t *)(CHILD_UTCB_ADDR + n * L4_UTCB_OFFSET), c->task);
    expect_eq(l4_error(l4_thread_control_commit(c->thread[n])), 0);
    return n;
}

void crowd_run(struct crowd *c, unsigned member, void (*fn)(unsigned long), unsigned priority)
{
    struct beginning *sp = (struct beginning *)(stacks[member] + CROWD_STACK) - 1;
    l4_sched_param_t p = l4_sched_param(priority, 0);

    *sp = (struct beginning){fn, member};
    expect_eq(l4_error(l4_thread_ex_regs(c->thread[member], (l4_addr_t)crowd_entry, (l4_addr_t)sp,
                                         0)), 0);
    expect_eq(l4_error(l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, c->thread[member], &p)), 0);
}

void crowd_give(struct crowd *c, l4_cap_idx_t cap, l4_cap_idx_t slot)
{
    expect_eq(l4_error(l4_task_map(c->task, L4_BASE_TASK_CAP,
                                   l4_obj_fpage(cap, 0, L4_CAP_FPAGE_RWS),
                                   l4_map_obj_control(slot, 0))), 0);
}
