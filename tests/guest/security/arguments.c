/*
 * security/arguments.c - arguments at the edges: addresses, orders, words cut to 32 bits
 */
#include "sets.h"

#include <l4/sys/err.h>
#include <l4/sys/debugger.h>
#include <l4/sys/icu.h>

enum { HIGH = 32 };

static const l4_addr_t free_page = 0x600000000;

/* Addresses that are none of a user's, or lie just at the border. */
static const l4_umword_t edges[] = {
    0,
    1,
    0xfff,
    0x7ffffffff000,
    0x7fffffffffff,
    0x800000000000,
    0x800000001000,
    0xffff7fffffffffff,
    0xffff800000000000,
    0xffffffff80000000,
    0xffffffff80200000,
    0xfffffffffffff000,
    ~0UL - 1,
    ~0UL,
};
enum { EDGES = sizeof(edges) / sizeof(edges[0]) };

/* One that a task could be meant to have there. */
static bool is_user(l4_umword_t address)
{
    return address < 0x7ffffffff000; /* the last page is nobody's */
}

static void instruction_and_stack_pointers(void)
{
    struct child *c = child_new();

    for (unsigned i = 0; i < EDGES; i++) {
        long ip = l4_error(l4_thread_ex_regs(c->thread, edges[i], 0x10000, 0));
        long sp = l4_error(l4_thread_ex_regs(c->thread, ~0UL, edges[i], 0));

        expect(is_user(edges[i]) || edges[i] == ~0UL ? ip == 0 : ip == -L4_EINVAL);
        expect_eq(sp, 0); /* a stack pointer is the thread's own trouble */
    }
}

static void utcb_addresses(void)
{
    for (unsigned i = 0; i < EDGES; i++) {
        l4_cap_idx_t thread = slot_new();

        expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, thread)), 0);
        l4_thread_control_start();
        l4_thread_control_bind((l4_utcb_t *)edges[i], L4_BASE_TASK_CAP);
        expect_eq(l4_error(l4_thread_control_commit(thread)), -L4_EINVAL);
        destroy(thread);
    }
}

static void kernel_user_memory(void)
{
    l4_cap_idx_t task = task_new();

    for (unsigned i = 0; i < EDGES; i++)
        for (unsigned order = 0; order < 64; order++) {
            l4_fpage_t area = l4_fpage(edges[i], order, L4_FPAGE_RW);
            long err = l4_error(l4_task_add_ku_mem(task, &area));

            if (err == 0 && !expect(order >= L4_PAGESHIFT && is_user(edges[i])))
                return;
        }
}

/* No order, at no place, of no type, maps anything outside the window or upsets the kernel. */
static void orders(void)
{
    static const unsigned types[] = {L4_FPAGE_SPECIAL, L4_FPAGE_MEMORY, L4_FPAGE_IO, L4_FPAGE_OBJ};

    for (unsigned t = 0; t < 4; t++)
        for (unsigned i = 0; i < EDGES; i++) {
            l4_cap_idx_t task = task_new();

            for (unsigned order = 0; order < 64; order++) {
                l4_fpage_t from = {(edges[i] & ~0xfffUL) | order << L4_FPAGE_SIZE_SHIFT |
                                   types[t] << L4_FPAGE_TYPE_SHIFT | L4_FPAGE_RWX};

                l4_task_map(task, L4_BASE_TASK_CAP, from, edges[EDGES - 1 - i] & ~0xfffUL);
                l4_task_unmap(task, from, L4_FP_ALL_SPACES);
            }
            destroy(task);
        }
    expect_eq(l4_dbg_check(L4_BASE_DEBUGGER_CAP), 0);
}

static char some_page[L4_PAGESIZE] __attribute__((aligned(L4_PAGESIZE)));

/* 2^32 beside a number that would be good. */
static void words_cut(void)
{
    const l4_umword_t high = 1UL << HIGH;
    l4_addr_t page = (l4_addr_t)some_page;
    struct child *c = child_new();
    l4_cap_idx_t irq = slot_new(), made = slot_new();
    l4_sched_param_t param = l4_sched_param(PRIO_CHILD, 0);
    l4_umword_t *mr = l4_utcb()->msg.mr;

    for (unsigned bit = 30; bit < 64; bit++)
        expect_eq(l4_error(l4_task_cap_valid(L4_BASE_TASK_CAP, L4_BASE_THREAD_CAP | 1UL << bit)),
                  0);
    *(volatile l4_umword_t *)page = 1;
    expect_eq(l4_error(l4_task_map(c->task, L4_BASE_TASK_CAP,
                                   l4_fpage(page + high, L4_PAGESHIFT, L4_FPAGE_RW), free_page)),
              0);
    expect(probe_read(c, free_page).fault);
    expect_eq(l4_error(l4_factory_create_irq(L4_BASE_FACTORY_CAP, irq)), 0);
    mr[0] = L4_ICU_BIND_OP;
    mr[1] = high | 1;
    mr[2] = L4_ITEM_MAP;
    mr[3] = l4_obj_fpage(irq, 0, L4_CAP_FPAGE_RWS).raw;
    expect_eq(l4_error(l4_ipc_call(L4_BASE_ICU_CAP, l4_utcb(), l4_msgtag(L4_PROTO_IRQ, 2, 1, 0),
                                   L4_IPC_NEVER)), -L4_EINVAL);
    param.prio = high | PRIO_CHILD;
    expect_eq(l4_error(l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, c->thread, &param)),
              -L4_EINVAL);
    mr[0] = (high - 1) & (l4_umword_t)L4_PROTO_THREAD; /* -12, cut to 32 bits */
    l4_utcb()->buf.bdr = 0;
    l4_utcb()->buf.br[0] = made | L4_RCV_ITEM_SINGLE_CAP;
    expect_eq(l4_error(l4_ipc_call(L4_BASE_FACTORY_CAP, l4_utcb(),
                                   l4_msgtag(L4_PROTO_FACTORY, 1, 0, 0), L4_IPC_NEVER)),
              -L4_ENODEV);
    l4_thread_control_start();
    l4_thread_control_bind((l4_utcb_t *)(c->utcb + high), c->task);
    expect(l4_error(l4_thread_control_commit(c->thread)) < 0);
    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, made, high << 16)),
              -L4_ENOMEM);
    destroy(irq);
}

const struct test arguments_tests[] = {
    {"instruction and stack pointers at every edge", instruction_and_stack_pointers},
    {"UTCB addresses at every edge", utcb_addresses},
    {"kernel-user memory at every edge, in every order", kernel_user_memory},
    {"flexpages of every type and order at every edge", orders},
    {"a word is never cut to 32 bits", words_cut},
    {0},
};
