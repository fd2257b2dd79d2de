/*
 * caps/objects.c - control of threads and tasks: binding, UTCBs, kernel-user memory
 */
#include "sets.h"

static l4_cap_idx_t thread_new(void)
{
    l4_cap_idx_t t = slot_new();

    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, t)), 0);
    return t;
}

static long bind(l4_cap_idx_t thread, l4_cap_idx_t task, l4_addr_t utcb)
{
    l4_thread_control_start();
    l4_thread_control_bind((l4_utcb_t *)utcb, task);
    return l4_error(l4_thread_control_commit(thread));
}

static void bind_once(void)
{
    l4_cap_idx_t thread = thread_new(), task = task_new(), other = task_new();

    expect_eq(bind(thread, task, CHILD_UTCB_ADDR), 0);
    expect_eq(bind(thread, task, CHILD_UTCB_ADDR), -L4_EINVAL);
    expect_eq(bind(thread, task, CHILD_UTCB_ADDR + L4_UTCB_OFFSET), -L4_EINVAL);
    expect_eq(bind(thread, other, CHILD_UTCB_ADDR), -L4_EINVAL);
}

static void utcb_must_be_kernel_user_memory(void)
{
    static const l4_addr_t bad[] = {
        0, 0x1000, CHILD_UTCB_ADDR - L4_UTCB_OFFSET, CHILD_UTCB_ADDR + 0x1000,
        CHILD_UTCB_ADDR + 8, CHILD_UTCB_ADDR + 1, CHILD_UTCB_ADDR + 512, 0x30000000,
        L4_USER_END, L4_USER_END - L4_UTCB_OFFSET, 0x800000000000, 0xffff800000000000,
        0xffffffff80000000, 0xffffffff80100000, ~0UL, ~0UL - 1023, ~1023UL,
    };
    l4_cap_idx_t thread = thread_new(), task = task_new();
    static char page[L4_PAGESIZE] __attribute__((aligned(4096)));

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_eq(bind(thread, task, bad[i]), -L4_EINVAL);
    /* Memory of the task that is not kernel-user memory. */
    expect_eq(l4_error(l4_task_map(task, L4_BASE_TASK_CAP,
                                   l4_fpage((l4_addr_t)page, 12, L4_FPAGE_RW),
                                   l4_map_control(0x30000000, 0, 0))), 0);
    expect_eq(bind(thread, task, 0x30000000), -L4_EINVAL);
    expect_eq(bind(thread, task, CHILD_UTCB_ADDR + 3 * L4_UTCB_OFFSET), 0);
}

static void control_needs_rights(void)
{
    l4_cap_idx_t thread = thread_new(), task = task_new(), weak = slot_new();
    l4_cap_idx_t weak_task = slot_new();
    l4_utcb_t *u = l4_utcb();

    map_cap(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, thread, weak, L4_CAP_FPAGE_RW);
    map_cap(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, task, weak_task, L4_CAP_FPAGE_RW);
    expect_eq(bind(weak, task, CHILD_UTCB_ADDR), -L4_EPERM);
    expect_eq(bind(thread, weak_task, CHILD_UTCB_ADDR), -L4_EPERM);
    expect_eq(bind(thread, thread, CHILD_UTCB_ADDR), -L4_EINVAL);
    expect_eq(bind(thread, slot_new(), CHILD_UTCB_ADDR), -L4_ENOENT);
    expect_eq(l4_error(l4_thread_ex_regs(weak, 0x1000, 0x1000, 0)), -L4_EPERM);
    expect_eq(l4_error(l4_thread_ex_regs(thread, 0x1000, 0x1000, 0)), -L4_EINVAL); /* unbound */
    u->msg.mr[0] = L4_THREAD_CONTROL_OP;
    expect_eq(l4_error(l4_ipc_call(thread, u, l4_msgtag(L4_PROTO_THREAD, 5, 0, 0),
                                   L4_IPC_NEVER)), -L4_EMSGTOOSHORT);
    u->msg.mr[0] = L4_THREAD_CONTROL_OP | L4_THREAD_CONTROL_BIND_TASK;
    expect_eq(l4_error(l4_ipc_call(thread, u, l4_msgtag(L4_PROTO_THREAD, 6, 0, 0),
                                   L4_IPC_NEVER)), -L4_EMSGMISSARG);
    u->msg.mr[0] = 99;
    expect_eq(l4_error(l4_ipc_call(thread, u, l4_msgtag(L4_PROTO_THREAD, 6, 0, 0),
                                   L4_IPC_NEVER)), -L4_ENOSYS);
}

static void handlers_are_returned(void)
{
    struct child *c = child_new();
    l4_utcb_t *u = l4_utcb();

    expect_eq(child_handlers(c, CHILD_CAP(7), CHILD_CAP(8)), 0);
    l4_thread_control_start();
    expect_eq(l4_error(l4_thread_control_commit(c->thread)), 0);
    expect_eq(u->msg.mr[L4_THREAD_CONTROL_MR_IDX_PAGER], CHILD_CAP(7));
    expect_eq(u->msg.mr[L4_THREAD_CONTROL_MR_IDX_EXC_HANDLER], CHILD_CAP(8));
}

static void kernel_user_memory(void)
{
    l4_cap_idx_t task = task_new(), thread = thread_new();
    l4_fpage_t area = l4_fpage(0x40000000, 13, L4_FPAGE_RW);
    l4_umword_t used = counter(task, L4_DBG_CNT_KMEM_USED);

    expect_eq(l4_error(l4_task_add_ku_mem(task, &area)), 0);
    expect_eq(area.raw, l4_fpage(0x40000000, 13, L4_FPAGE_RW).raw);
    expect(counter(task, L4_DBG_CNT_KMEM_USED) >= used + 2 * 4096);
    expect_eq(l4_error(l4_task_add_ku_mem(task, &area)), -L4_EEXIST);
    area = l4_fpage(0x40001000, 12, L4_FPAGE_RW);
    expect_eq(l4_error(l4_task_add_ku_mem(task, &area)), -L4_EEXIST);
    area = l4_fpage(0x40000000, 14, L4_FPAGE_RW);
    expect_eq(l4_error(l4_task_add_ku_mem(task, &area)), -L4_EEXIST);
    area = l4_fpage(0x50000000, 11, L4_FPAGE_RW);
    expect_eq(l4_error(l4_task_add_ku_mem(task, &area)), -L4_EINVAL);
    area = l4_fpage(0, L4_WHOLE_ADDRESS_SPACE, L4_FPAGE_RW);
    expect_eq(l4_error(l4_task_add_ku_mem(task, &area)), -L4_EINVAL);
    area = l4_obj_fpage(0x40000000, 13, L4_FPAGE_RW);
    expect_eq(l4_error(l4_task_add_ku_mem(task, &area)), -L4_EINVAL);
    area = l4_fpage(0xffffffff90000000, 12, L4_FPAGE_RW);
    expect_eq(l4_error(l4_task_add_ku_mem(task, &area)), -L4_EINVAL);
    expect_eq(bind(thread, task, 0x40001000 + 2 * L4_UTCB_OFFSET), 0);
}

/* Over memory that is mapped: an error, and the mapping stays. */
static void kernel_user_memory_over_mappings(void)
{
    struct child *c = child_new();
    l4_fpage_t area = l4_fpage(0x400000, 12, L4_FPAGE_RW);

    expect_eq(l4_error(l4_task_add_ku_mem(c->task, &area)), -L4_EEXIST);
    expect(!probe_read(c, 0x400000).fault);
}

static l4_umword_t utcb_words_seen;

static void look_at_utcbs(void *arg)
{
    const l4_umword_t *w = (const l4_umword_t *)(CHILD_UTCB_ADDR + L4_UTCB_OFFSET);

    (void)arg;
    utcb_words_seen = 0;
    for (unsigned i = 0; i < 3 * L4_UTCB_OFFSET / 8; i++)
        utcb_words_seen |= w[i];
}

/* Kernel memory that was a dead task's UTCB, or anything else, comes zeroed. */
static void fresh_utcbs_are_zero(void)
{
    struct child *c = child_new();

    for (unsigned i = 0; i < 20; i++)
        destroy(task_new());
    child_run(c, look_at_utcbs, NULL);
    expect(c->finished);
    expect_eq(utcb_words_seen, 0);
}

static void two_threads_of_one_task(void)
{
    struct child *a = child_new(), *b = child_thread(a, 1), *d = child_thread(a, 3);
    struct job *w[3], *s;

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    give(a, d->thread, CHILD_CAP(1), L4_CAP_FPAGE_RW);
    w[0] = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    w[1] = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    job_start(b, w[0]);
    job_start(d, w[1]);
    s = job_new(L4_SYSF_SEND, CHILD_CAP(1));
    job_words(s, 1, 63, 0);
    job_start(a, s);
    expect(!w[0]->done && w[1]->done);
    expect_eq(w[1]->got[62], WORD(1, 62));
    expect_eq(destroy(b->thread), 0);
    s = job_new(L4_SYSF_SEND, CHILD_CAP(1));
    job_start(a, s);
    expect(!s->done);
    expect_eq(destroy(a->task), 0); /* two threads in it, one sends to the other */
}

/* Only started, bound and given an address does a thread run, in whatever order. */
static volatile unsigned ran;

static void run_once(void *arg)
{
    (void)arg;
    ran++;
}

static void start_in_any_order(void)
{
    struct child *c = child_new();

    ran = 0;
    expect_eq(child_priority(c, PRIO_CHILD, 0), 0);
    expect_eq(ran, 0);
    c->started = true;
    child_run(c, run_once, NULL);
    expect_eq(ran, 1);
    c = child_new();
    c->started = true; /* the address first */
    child_run(c, run_once, NULL);
    expect_eq(ran, 1);
    expect_eq(child_priority(c, PRIO_CHILD, 0), 0);
    expect_eq(ran, 2);
}

static void ex_regs_returns_the_old(void)
{
    struct child *c = child_new();
    l4_addr_t ip = ~0UL, sp = ~0UL;
    l4_umword_t flags = 0;

    job_start(c, job_new(L4_SYSF_WAIT, L4_INVALID_CAP));
    expect_eq(l4_error(l4_thread_ex_regs_ret(c->thread, &ip, &sp, &flags)), 0);
    expect(ip > 0x400000 && ip < 0x800000);
    expect(sp < (l4_addr_t)c->stack_top && sp > (l4_addr_t)c->stack_top - CHILD_STACK);
    expect_eq(flags & 0x202, 0x202);
    expect_eq(flags & 0x3000, 0); /* no right to ports */
}

static void ex_regs_refuses_bad_addresses(void)
{
    static const l4_addr_t bad[] = {L4_USER_END, L4_USER_END + 0xfff, 0x800000000000,
                                    0xffff7fffffffffff, 0xffff800000000000, 0xffffffff80100000,
                                    ~0UL - 1, 1UL << 63};
    struct child *c = child_new();
    struct job *w = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);

    job_start(c, w);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_eq(l4_error(l4_thread_ex_regs(c->thread, bad[i], ~0UL, 0)), -L4_EINVAL);
    expect(!w->done);
    w = job_new(L4_SYSF_SEND, c->thread);
    job_here(w);
    expect_eq(w->got_error, 0);
}

const struct test objects_tests[] = {
    {"a thread is bound once", bind_once},
    {"a UTCB must lie in the task's kernel-user memory", utcb_must_be_kernel_user_memory},
    {"control of a thread needs the right S, on the task too", control_needs_rights},
    {"control returns pager and exception handler", handlers_are_returned},
    {"kernel-user memory can be added where nothing is", kernel_user_memory},
    {"kernel-user memory does not cover mappings", kernel_user_memory_over_mappings},
    {"fresh UTCBs are zero", fresh_utcbs_are_zero},
    {"threads of one task: messages, and death of the task in the middle of one",
     two_threads_of_one_task},
    {"a thread runs when it is started and has an address, in either order", start_in_any_order},
    {"ex_regs returns the old registers", ex_regs_returns_the_old},
    {"ex_regs refuses an instruction pointer that is no user address",
     ex_regs_refuses_bad_addresses},
    {NULL, NULL},
};
