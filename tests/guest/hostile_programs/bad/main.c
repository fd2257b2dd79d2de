/*
 * hostile_programs/bad/main.c - one program with many ways to go wrong
 *
 *     bad WAY MILLISECONDS     sleeps that long, then goes wrong in that way
 *
 * Every way must end in a report of who, what, where (see ../expect), or, where an error code is
 * the right answer, in that error code: exit status 0.
 */
#include <abi/env.h>
#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/namespace.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/task.h>
#include <l4/sys/thread.h>
#include <l4/util/util.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NON_CANONICAL 0x8000000000001000UL

static volatile unsigned long sink;

static void must(const char *what, long seen, long wanted)
{
    if (seen == wanted)
        return;
    printf("bad: %s: %ld instead of %ld\n", what, seen, wanted);
    exit(1);
}

static void null_read(void)
{
    sink = *(volatile unsigned long *)NULL;
}

static void null_write(void)
{
    *(volatile unsigned long *)8 = 1;
}

static void null_call(void)
{
    void (*volatile function)(void) = NULL;

    function();
    sink = 1; /* so that the call is no jump, and this function stands in the backtrace */
}

static void wild(void)
{
    *(volatile unsigned long *)0x654321fed000 = 1;
}

static void kernel(void)
{
    sink = *(volatile unsigned long *)0xffffffff80200000;
}

static void non_canonical(void)
{
    sink = *(volatile unsigned long *)NON_CANONICAL;
}

static void non_canonical_return(void)
{
    __asm__ volatile("push %0\n\tret" : : "r"(NON_CANONICAL));
}

/* A thread of this task, bound to a UTCB of it. */
static l4_cap_idx_t new_thread(void)
{
    l4_cap_idx_t thread = l4re_util_cap_alloc();

    must("create", l4_error(l4_factory_create_thread(l4re_env()->factory, thread)), 0);
    l4_thread_control_start();
    l4_thread_control_pager(l4re_env()->rm);
    l4_thread_control_exc_handler(l4re_env()->rm);
    l4_thread_control_bind((l4_utcb_t *)l4re_env()->first_free_utcb, L4RE_THIS_TASK_CAP);
    must("bind", l4_error(l4_thread_control_commit(thread)), 0);
    return thread;
}

/* Its first instruction would be one that the processor's way back to users cannot go to. */
static void non_canonical_thread(void)
{
    l4_sched_param_t param = l4_sched_param(90, 0);
    l4_cap_idx_t thread = new_thread();

    must("ex_regs", l4_error(l4_thread_ex_regs(thread, NON_CANONICAL, 0, 0)), -L4_EINVAL);
    must("ex_regs", l4_error(l4_thread_ex_regs(thread, 1UL << 47, 0, 0)), -L4_EINVAL);
    must("last place", l4_error(l4_thread_ex_regs(thread, L4_USER_END - 2, NON_CANONICAL, 0)), 0);
    l4_scheduler_run_thread(l4re_env()->scheduler, thread, &param);
    l4_sleep_forever();
}

/* libl4 finds the UTCB through gs; the kernel knows better, but the program does not. */
static void no_utcb(void)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = L4_THREAD_SET_SEGMENT_BASE_AMD64_OP | 1 << 16;
    u->msg.mr[1] = 0x123450000;
    l4_ipc_call(l4re_env()->main_thread, u, l4_msgtag(L4_PROTO_THREAD, 2, 0, 0), L4_IPC_NEVER);
    l4_ipc_sleep_ms(1);
}

/* UTCBs are the kernel's: they can be neither taken away nor given to another task. */
static void take_utcb(void)
{
    l4_fpage_t utcbs = l4_fpage(QUIRE_UTCB_ADDR, QUIRE_UTCB_ORDER, L4_FPAGE_RWX);
    l4_cap_idx_t other = l4re_util_cap_alloc();
    l4_fpage_t area = l4_fpage(QUIRE_UTCB_ADDR, 12, L4_FPAGE_RW);

    l4_task_unmap(L4RE_THIS_TASK_CAP, utcbs, L4_FP_ALL_SPACES);
    must("task", l4_error(l4_factory_create_task(l4re_env()->factory, other, &area)), 0);
    l4_task_map(other, L4RE_THIS_TASK_CAP, utcbs, l4_map_control(0x10000000, 0, 0));
    must("nothing given", l4_error(l4_task_unmap(other, l4_fpage(0x10000000, 14, 0),
                                                 L4_FP_ALL_SPACES)), 0);
    l4_ipc_sleep_ms(1);
}

static void bad_utcb(void)
{
    static const l4_addr_t places[] = {
        0,
        0x654321fed000,
        NON_CANONICAL,
        0xffffffff80200000,
        QUIRE_PROGRAM_ADDR,
        QUIRE_UTCB_ADDR + 8,
        QUIRE_UTCB_ADDR + (1UL << QUIRE_UTCB_ORDER),
    };
    l4_cap_idx_t thread = l4re_util_cap_alloc();

    take_utcb();
    must("create", l4_error(l4_factory_create_thread(l4re_env()->factory, thread)), 0);
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        l4_thread_control_start();
        l4_thread_control_bind((l4_utcb_t *)places[i], L4RE_THIS_TASK_CAP);
        must("bind", l4_error(l4_thread_control_commit(thread)), -L4_EINVAL);
    }
}

/* The program's own text, once more and writable: refused. Then by force. */
static void rights(void)
{
    l4_addr_t at = (l4_addr_t)rights & L4_PAGEMASK;
    unsigned long size = 1;
    l4re_rm_offset_t offset;
    l4re_rm_flags_t flags;
    l4re_ds_t text;
    void *again = NULL;
    l4_cap_idx_t more = l4re_util_cap_alloc();

    must("find", l4re_rm_find(&at, &size, &offset, &flags, &text), 0);
    must("attach", l4re_rm_attach(&again, size, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW, text,
                                  offset, L4_PAGESHIFT), -L4_EPERM);
    must("map", l4_error(l4_task_map(L4RE_THIS_TASK_CAP, L4RE_THIS_TASK_CAP,
                                     l4_obj_fpage(text, 0, L4_CAP_FPAGE_RWSD),
                                     l4_map_obj_control(more, 0))), 0);
    must("attach more", l4re_rm_attach(&again, size, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW, more,
                                       offset, L4_PAGESHIFT), -L4_EPERM);
    *(volatile char *)at = 0;
}

/* A gate whose thread is gone, then a gate that is gone itself, then nothing at all. */
static void dead_gate(void)
{
    l4_cap_idx_t thread = new_thread(), gate = l4re_util_cap_alloc();
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag = l4_msgtag(0, 1, 0, 0);

    must("gate", l4_error(l4_factory_create_gate(l4re_env()->factory, gate, thread, 0x10)), 0);
    must("delete", l4_error(l4_task_delete_obj(L4RE_THIS_TASK_CAP, thread)), 0);
    l4_ipc_call(gate, u, tag, l4_timeout(l4_timeout_from_us(1000), L4_IPC_TIMEOUT_NEVER));
    must("thread", (long)(l4_utcb_tcr()->error != 0), 1);
    must("delete gate", l4_error(l4_task_delete_obj(L4RE_THIS_TASK_CAP, gate)), 0);
    must("gate gone", (long)l4_ipc_error(l4_ipc_call(gate, u, tag, L4_IPC_NEVER), u),
         L4_IPC_ENOT_EXISTENT);
    must("empty slot", (long)l4_ipc_error(l4_ipc_call(0x1234000, u, tag, L4_IPC_NEVER), u),
         L4_IPC_ENOT_EXISTENT);
    must("bits", (long)l4_ipc_error(l4_ipc_call(~0x7ffUL, u, tag, L4_IPC_NEVER), u),
         L4_IPC_ENOT_EXISTENT);
}

static void dead_dataspace(void)
{
    l4re_ds_t ds = l4re_util_cap_alloc();
    void *start = NULL;

    must("alloc", l4re_ma_alloc(4 * L4_PAGESIZE, ds, 0), 0);
    must("attach", l4re_rm_attach(&start, 4 * L4_PAGESIZE,
                                  L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW, ds, 0, L4_PAGESHIFT), 0);
    memset(start, 1, L4_PAGESIZE);
    l4re_util_cap_free_um(ds);
    memset(start, 1, 4 * L4_PAGESIZE);
}

/* The region manager is a thread of this task: it can be sent astray, or lose its memory. */
static void rm_jump(void)
{
    l4_thread_ex_regs(QUIRE_RM_THREAD_CAP, 0x123000, ~0UL, L4_THREAD_EX_REGS_CANCEL);
    l4_sleep_forever();
}

static void rm_memory(void)
{
    l4_task_unmap(L4RE_THIS_TASK_CAP, l4_fpage(QUIRE_RM_ADDR, 28, L4_FPAGE_RWX),
                  L4_FP_ALL_SPACES);
    sink = *(volatile unsigned long *)0x654321fed000;
}

static void everything(void)
{
    l4_task_unmap(L4RE_THIS_TASK_CAP, l4_fpage(0, L4_WHOLE_ADDRESS_SPACE, L4_FPAGE_RWX),
                  L4_FP_ALL_SPACES);
}

static void division(void)
{
    volatile int n = 7, zero = 0;

    sink = (unsigned long)(n / zero);
}

static unsigned long deeper(volatile unsigned long *from, unsigned long n)
{
    volatile unsigned long here[64] = {n};

    return n ? deeper(here, n - 1) + from[0] : here[0];
}

static void stack_overflow(void)
{
    volatile unsigned long start = 0;

    sink = deeper(&start, 1UL << 40);
}

/* getpid() of another system. */
static void foreign_call(void)
{
    unsigned long number = 39;

    must("nobody", l4re_rm_set_foreign(0, 0), 0);
    __asm__ volatile("syscall" : "+a"(number) : : "rcx", "r11", "memory");
}

/* A client of a dataspace manager that faults when it is asked for a page. */
static void client(void)
{
    l4re_ds_t ds = l4re_util_cap_alloc();
    void *start = NULL;

    must("open", l4re_ns_query(l4re_env_get_cap("bad_pager"), "bad", 3, ds), 0);
    must("attach", l4re_rm_attach(&start, L4_PAGESIZE, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_R, ds, 0,
                                  L4_PAGESHIFT), 0);
    sink = *(volatile unsigned long *)start;
}

#define WAYS(X)                                                                                    \
    X(null_read) X(null_write) X(null_call) X(wild) X(kernel) X(non_canonical)                     \
    X(non_canonical_return) X(non_canonical_thread) X(no_utcb) X(bad_utcb) X(rights) X(dead_gate)  \
    X(dead_dataspace) X(rm_jump) X(rm_memory) X(everything) X(division) X(stack_overflow)          \
    X(foreign_call) X(client)

static const struct {
    const char *name;
    void (*go)(void);
} ways[] = {
#define X(name) {#name, name},
    WAYS(X)
#undef X
};

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    l4_sleep(atoi(argv[2]));
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strcmp(argv[1], ways[i].name) == 0) {
            ways[i].go();
            return 0;
        }
    }
    return 3;
}
