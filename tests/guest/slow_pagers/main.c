/*
 * slow_pagers/main.c - a slow pager costs its own clients only; the fault handler of the whole map
 *
 *   toucher --fault--> region manager --map--> pager (a thread of this program that misbehaves)
 *      |                                          slow: answers when the test says so
 *      | refused                                  and what else enum manner says
 *      v
 *   exception handler: notes the address, lets the toucher go on behind its access
 */
#include "balance.h"
#include "tap.h"

#include <l4/re/c/util/kumem_alloc.h>
#include <l4/sys/ipc.h>
#include <l4/sys/irq.h>
#include <l4/sys/task.h>
#include <l4/util/thread.h>

#include <string.h>

enum { STACK = 8192, TOUCHERS = 6, FRESH = 64, TRIES = 5000 };

enum manner { HONEST, SLOW, SILENT, WITHOUT_ITEM, TOO_SHORT, TOO_MUCH, WITH_ERROR };

struct thread {
    l4_cap_idx_t cap;
    l4_utcb_t *utcb;
    char *stack;
};

static const l4_addr_t slow_place = 0x500000000, fresh_place = 0x600000000,
                       empty_place = 0x700000000;

static char stacks[TOUCHERS + 2][STACK] __attribute__((aligned(16)));
static char pages[4][L4_PAGESIZE] __attribute__((aligned(4 * L4_PAGESIZE)));

static volatile enum manner manner;
static volatile unsigned asked, answered;
static volatile bool go;

/* ---- threads ---- */

static bool thread_start(struct thread *t, unsigned n, void (*pc)(void), unsigned priority,
                         l4_cap_idx_t handler)
{
    l4re_env_t *env = l4re_env();

    t->cap = l4re_util_cap_alloc();
    t->utcb = l4re_util_utcb_alloc();
    t->stack = stacks[n];
    memset(t->stack, 0, STACK);
    if (l4_error(l4_factory_create_thread(env->factory, t->cap)) < 0)
        return false;
    l4_thread_control_start();
    l4_thread_control_pager(env->rm);
    l4_thread_control_exc_handler(handler);
    l4_thread_control_bind(t->utcb, L4_BASE_TASK_CAP);
    if (l4_error(l4_thread_control_commit(t->cap)) < 0)
        return false;
    t->utcb->tcr.user[0] = n;
    l4_thread_ex_regs(t->cap, (l4_addr_t)pc, (l4_addr_t)(t->stack + STACK), 0);
    l4_sched_param_t sched = l4_sched_param(priority, 0);

    return l4_error(l4_scheduler_run_thread(env->scheduler, t->cap, &sched)) >= 0;
}

static void thread_end(struct thread *t)
{
    l4re_util_cap_free_um(t->cap);
    l4re_util_utcb_free(t->utcb);
}

/* Let others run until it is so. */
#define EVENTUALLY(condition)                                                                      \
    __extension__({                                                                                \
        unsigned tries_ = TRIES;                                                                   \
        while (!(condition) && --tries_)                                                           \
            l4_ipc_sleep_ms(1);                                                                    \
        tries_ != 0;                                                                               \
    })

/* ---- the pager ---- */

static struct thread pager;
static l4_cap_idx_t pager_gate;

static l4_msgtag_t pager_answer(l4_utcb_t *u, unsigned page)
{
    l4_umword_t order = manner == TOO_MUCH ? L4_PAGESHIFT + 2 : L4_PAGESHIFT;
    l4_addr_t from = (l4_addr_t)(manner == TOO_MUCH ? pages[0] : pages[page]);

    switch (manner) {
    case WITHOUT_ITEM:
        return l4_msgtag(0, 0, 0, 0);
    case TOO_SHORT: /* an item that names nothing */
        u->msg.mr[0] = 0;
        u->msg.mr[1] = 0;
        return l4_msgtag(0, 0, 1, 0);
    case WITH_ERROR:
        return l4_msgtag(-L4_EIO, 0, 0, 0);
    default:
        u->msg.mr[0] = (l4_umword_t)page << L4_PAGESHIFT | L4_ITEM_MAP;
        u->msg.mr[1] = l4_fpage(from, (unsigned)order, L4_FPAGE_RW).raw;
        return l4_msgtag(0, 0, 1, 0);
    }
}

L4UTIL_THREAD_STATIC_FUNC(pager_main)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);

    for (;;) {
        l4_umword_t op = u->msg.mr[0] & 0xffff, offset = u->msg.mr[1];
        l4_msgtag_t answer = l4_msgtag(-L4_ENOSYS, 0, 0, 0);

        if (!l4_msgtag_has_error(tag) && op == L4RE_DS_MAP_OP) {
            asked++;
            while (manner == SILENT || (manner == SLOW && !go))
                l4_ipc_sleep_ms(1);
            answer = pager_answer(u, offset / L4_PAGESIZE % 4);
        }
        l4_ipc_reply(L4_INVALID_CAP, u, answer, L4_IPC_SEND_TIMEOUT_0);
        answered += op == L4RE_DS_MAP_OP;
        tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);
    }
}

/* One that behaves like that, its four pages at slow_place. */
static void pager_start(enum manner how)
{
    void *at = (void *)slow_place;

    manner = how;
    go = false;
    asked = answered = 0;
    pager_gate = l4re_util_cap_alloc();
    thread_start(&pager, TOUCHERS, pager_main, 110, l4re_env()->rm);
    l4_factory_create_gate(l4re_env()->factory, pager_gate, pager.cap, 0);
    l4re_rm_attach(&at, 4 * L4_PAGESIZE, L4RE_RM_F_RW, pager_gate, 0, 0);
}

static void pager_end(void)
{
    go = true;
    l4re_rm_detach((void *)slow_place);
    thread_end(&pager);
    l4re_util_cap_free_um(pager_gate);
}

/* ---- who touches, and what becomes of it ---- */

static struct thread toucher[TOUCHERS], handler;
static l4_cap_idx_t handler_gate;
static volatile l4_addr_t target[TOUCHERS];
static volatile bool touched[TOUCHERS], write_it[TOUCHERS];
static volatile unsigned refused;
static volatile l4_addr_t refused_at;

extern const char touch_read_at[], touch_write_at[], touch_end[];

/* The two accesses, where the handler can tell them. */
__asm__(".text\n"
        "touch:\n"
        "    testl %esi, %esi\n"
        "    jnz touch_write_at\n"
        "touch_read_at:\n"
        "    movb (%rdi), %al\n"
        "    ret\n"
        "touch_write_at:\n"
        "    movb $1, (%rdi)\n"
        "touch_end:\n"
        "    ret\n");
void touch(l4_addr_t at, int write);

L4UTIL_THREAD_STATIC_FUNC(toucher_main)
{
    unsigned n = (unsigned)l4_utcb()->tcr.user[0];

    touch(target[n], write_it[n]);
    touched[n] = true;
    l4_ipc_sleep(L4_IPC_NEVER);
    for (;;)
        ;
}

L4UTIL_THREAD_STATIC_FUNC(handler_main)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);

    for (;;) {
        l4_exc_regs_t *x = l4_utcb_exc_u(u);
        l4_msgtag_t answer = l4_msgtag(-L4_EINVAL, 0, 0, 0);

        if (!l4_msgtag_has_error(tag) && l4_msgtag_label(tag) == L4_PROTO_EXCEPTION &&
            x->trapno == 14 && x->ip >= (l4_addr_t)touch_read_at && x->ip < (l4_addr_t)touch_end) {
            refused++;
            refused_at = x->pfa;
            x->ip = (l4_addr_t)touch_end;
            answer = l4_msgtag(0, L4_UTCB_EXCEPTION_REGS_SIZE, 0, 0);
        }
        tag = l4_ipc_reply_and_wait(u, answer, &label, L4_IPC_SEND_TIMEOUT_0);
    }
}

static void touch_start(unsigned n, l4_addr_t at, bool write)
{
    target[n] = at;
    write_it[n] = write;
    touched[n] = false;
    thread_start(&toucher[n], n, toucher_main, 99, handler_gate);
}

static void touch_done(unsigned n)
{
    thread_end(&toucher[n]);
}

/* A fresh page of anonymous memory each time; how many the region manager resolved. */
static long touch_fresh(unsigned n)
{
    l4re_ds_t ds = l4re_util_cap_alloc();
    void *at = (void *)fresh_place;
    l4_umword_t before;

    l4re_ma_alloc(n * L4_PAGESIZE, ds, 0);
    l4re_rm_attach(&at, n * L4_PAGESIZE, L4RE_RM_F_RW, ds, 0, 0);
    before = rm_stat(L4RE_RM_STATS_RESOLVED);
    for (unsigned i = 0; i < n; i++)
        ((volatile char *)at)[i * L4_PAGESIZE] = 1;
    before = rm_stat(L4RE_RM_STATS_RESOLVED) - before;
    l4re_rm_detach(at);
    l4re_util_cap_free_um(ds);
    return (long)before;
}

/* ---- tests ---- */

static void one_waits_alone(void)
{
    l4_umword_t handovers = rm_stat(L4RE_RM_STATS_HANDOVERS);

    pager_start(SLOW);
    touch_start(0, slow_place, false);
    tap_ok(EVENTUALLY(asked == 1), "a slow pager is asked");
    tap_eq(touch_fresh(FRESH), FRESH, "meanwhile every fault of another region is served");
    tap_eq((long)(rm_stat(L4RE_RM_STATS_HANDOVERS) - handovers), 1, "by one other thread");
    tap_eq((long)rm_stat(L4RE_RM_STATS_BUSY), 1, "one worker waits for the pager");
    tap_ok(!touched[0], "and one thread");
    go = true;
    tap_ok(EVENTUALLY(touched[0]), "which goes on when the pager answers");
    tap_eq((long)rm_stat(L4RE_RM_STATS_BUSY), 0, "then no worker waits");
    touch_done(0);
    pager_end();
}

static void many_wait(void)
{
    l4_umword_t workers;
    unsigned done = 0;

    pager_start(SLOW);
    for (unsigned i = 0; i < TOUCHERS; i++)
        touch_start(i, slow_place + i % 4 * L4_PAGESIZE, i & 1);
    tap_ok(EVENTUALLY(rm_stat(L4RE_RM_STATS_BUSY) == TOUCHERS),
           "six threads wait for a slow pager");
    tap_eq(touch_fresh(FRESH), FRESH, "nobody else does");
    workers = rm_stat(L4RE_RM_STATS_WORKERS);
    tap_ok(workers >= TOUCHERS + 1 && workers <= TOUCHERS + 2,
           "there are as many workers, and one or two more");
    go = true;
    for (unsigned i = 0; i < TOUCHERS; i++)
        done += EVENTUALLY(touched[i]);
    tap_eq(done, TOUCHERS, "all go on");
    for (unsigned i = 0; i < TOUCHERS; i++)
        touch_done(i);
    tap_eq((long)rm_stat(L4RE_RM_STATS_WORKERS), (long)workers, "workers are used again");
    pager_end();
}

static void killed_while_waiting(void)
{
    pager_start(SILENT);
    touch_start(0, slow_place, false);
    tap_ok(EVENTUALLY(asked == 1), "a thread waits for a pager that never answers");
    tap_eq(touch_fresh(FRESH), FRESH, "which costs nobody else");
    touch_done(0);
    tap_ok(EVENTUALLY(rm_stat(L4RE_RM_STATS_BUSY) == 0), "when it is killed its entry goes");
    manner = HONEST;
    pager_end();
}

static void detached_while_waiting(void)
{
    unsigned before = refused;

    pager_start(SILENT);
    touch_start(0, slow_place + L4_PAGESIZE, true);
    EVENTUALLY(asked == 1);
    tap_eq(l4re_rm_detach((void *)slow_place), 0, "a region in which a thread waits is detached");
    tap_ok(EVENTUALLY(touched[0]), "the thread goes on");
    tap_ok(refused == before + 1 && refused_at == slow_place + L4_PAGESIZE, "with a clean fault");
    tap_eq((long)rm_stat(L4RE_RM_STATS_BUSY), 0, "and nobody waits for the pager any more");
    manner = HONEST;
    touch_done(0);
    pager_end();
}

/* A fault is in flight when its region goes and another takes the place: then comes the answer. */
static void answered_too_late(void)
{
    unsigned before = refused;
    l4re_ds_t ds = l4re_util_cap_alloc();
    void *at = (void *)slow_place;

    pager_start(SLOW);
    memset(pages, 'p', sizeof(pages));
    l4re_ma_alloc(4 * L4_PAGESIZE, ds, 0);
    touch_start(0, slow_place + L4_PAGESIZE, false);
    EVENTUALLY(asked == 1);
    tap_eq(l4re_rm_detach(at), 0, "a region is detached while a fault of it is in flight");
    tap_eq(l4re_rm_attach(&at, 4 * L4_PAGESIZE, L4RE_RM_F_RW, ds, 0, 0), 0, "another is attached");
    go = true;
    tap_ok(EVENTUALLY(answered == 1), "the pager answers, too late");
    tap_eq(*(volatile char *)(slow_place + L4_PAGESIZE), 0, "its page reaches nobody");
    tap_ok(EVENTUALLY(touched[0]) && refused - before <= 1,
           "the thread has seen the old region's end, or the new region");
    tap_eq((long)stat(L4RE_RM_STATS_BUSY), 0, "nobody waits any more");
    touch_done(0);
    pager_end();
    l4re_util_cap_free_um(ds);
}

/* The pager goes away in one way or another while a thread waits for it. */
static void pager_goes(bool gate)
{
    unsigned before = refused;

    pager_start(SILENT);
    touch_start(0, slow_place, false);
    EVENTUALLY(asked == 1);
    l4_task_delete_obj(L4_BASE_TASK_CAP, pager.cap);
    if (gate)
        l4_task_delete_obj(L4_BASE_TASK_CAP, pager_gate);
    tap_ok(EVENTUALLY(touched[0]) && refused == before + 1,
           gate ? "a dataspace that is destroyed gives a clean fault" : "so does a dead pager");
    tap_eq(touch_fresh(4), 4, "and nobody else notices");
    touch_done(0);
    pager_end();
}

static void wrong_answers(void)
{
    static const struct {
        enum manner manner;
        const char *sentence;
    } wrong[] = {{WITHOUT_ITEM, "an answer without a page is a clean fault"},
                 {TOO_SHORT, "so is an item that names nothing"},
                 {WITH_ERROR, "and an error"}};

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        unsigned before = refused;

        pager_start(wrong[i].manner);
        touch_start(0, slow_place, false);
        tap_ok(EVENTUALLY(touched[0]) && refused == before + 1, wrong[i].sentence);
        touch_done(0);
        pager_end();
    }
}

static void too_much(void)
{
    l4re_ds_t ds = l4re_util_cap_alloc();
    void *at;
    long right;

    pager_start(TOO_MUCH);
    memset(pages, 'p', sizeof(pages));
    l4re_ma_alloc(L4_PAGESIZE, ds, 0);
    right = l4re_rm_detach_range_srv(l4re_env()->rm, slow_place + L4_PAGESIZE, L4_PAGESIZE,
                                     L4RE_RM_DETACH_EXACT, NULL, L4_BASE_TASK_CAP);
    at = (void *)(slow_place + L4_PAGESIZE);
    tap_eq(right, L4RE_RM_SPLIT_DS, "among the pages of a pager that sends too much");
    tap_eq(l4re_rm_attach(&at, L4_PAGESIZE, L4RE_RM_F_RW, ds, 0, 0), 0, "stands somebody else's");
    touch_start(0, slow_place, false);
    touch_start(1, slow_place + 2 * L4_PAGESIZE, false);
    tap_ok(EVENTUALLY(touched[0] && touched[1]), "the pager's own are served");
    tap_eq(*(volatile char *)(slow_place + L4_PAGESIZE), 0, "the other one is not reached");
    tap_eq(*(volatile char *)(slow_place + 3 * L4_PAGESIZE), 'p', "what is the pager's is");
    touch_done(0);
    touch_done(1);
    l4re_rm_detach(at);
    l4re_rm_detach((void *)(slow_place + 2 * L4_PAGESIZE));
    l4re_util_cap_free_um(ds);
    pager_end();
}

/* ---- the fault handler of the whole map ---- */

static l4_cap_idx_t irq;
static l4re_rm_pending_t list[8];

static void irq_new(void)
{
    irq = l4re_util_cap_alloc();
    l4_factory_create_irq(l4re_env()->factory, irq);
    l4_rcv_ep_bind_thread(irq, l4re_env()->main_thread, 0);
}

static int attach_fresh(l4re_ds_t ds, l4_addr_t place, l4re_rm_flags_t flags)
{
    void *at = (void *)place;

    return l4re_rm_attach(&at, L4_PAGESIZE, flags, ds, 0, 0);
}

static void handler_attaches(l4re_ds_t ds)
{
    l4_umword_t woken = rm_stat(L4RE_RM_STATS_WOKEN);
    unsigned before = refused;

    tap_eq(l4re_rm_set_fault_handler(irq), 0, "a fault handler for the whole map");
    for (unsigned i = 0; i < 3; i++)
        touch_start(i, empty_place + i * L4_PAGESIZE + 8, i == 1);
    tap_ok(!l4_ipc_error(l4_irq_receive(irq, L4_IPC_NEVER), l4_utcb()), "is triggered");
    EVENTUALLY(l4re_rm_get_faults(0, list, 8) == 3);
    tap_eq(l4re_rm_get_faults(0, list, 8), 3, "and sees the faults that wait");
    tap_ok(list[0].addr == empty_place + 8 && list[1].addr == empty_place + L4_PAGESIZE + 8 &&
               list[1].access == L4_PF_WRITE && list[0].access == 0 &&
               list[0].ip == (l4_addr_t)touch_read_at && list[0].id < list[1].id,
           "in their order, with address, access and instruction");
    tap_eq(l4re_rm_get_faults(list[0].id, list, 1), 1, "from any of them on");
    tap_eq(touch_fresh(4), 4, "who has a region does not wait");
    tap_eq(l4re_rm_answer_fault(list[0].id, 0), 0, "a thread may be woken for nothing");
    EVENTUALLY(l4re_rm_get_faults(0, list, 8) == 3);
    tap_eq(l4re_rm_get_faults(0, list, 8), 3, "and waits again");
    tap_eq(attach_fresh(ds, empty_place + L4_PAGESIZE, L4RE_RM_F_R), 0, "an attach without W");
    tap_eq((long)(rm_stat(L4RE_RM_STATS_WOKEN) - woken), 0, "does not serve a write");
    l4re_rm_detach((void *)(empty_place + L4_PAGESIZE));
    tap_eq(attach_fresh(ds, empty_place + L4_PAGESIZE, L4RE_RM_F_RW), 0, "one with W");
    tap_eq((long)(rm_stat(L4RE_RM_STATS_WOKEN) - woken), 1, "wakes exactly the one that it serves");
    tap_ok(EVENTUALLY(touched[1]) && !touched[0] && !touched[2] && refused == before,
           "which goes on");
    tap_eq(l4re_rm_get_faults(0, list, 8), 2, "the others wait");
}

static void handler_refuses(l4re_ds_t ds)
{
    unsigned before = refused;

    tap_eq(l4re_rm_answer_fault(list[0].id, -L4_EACCESS), 0, "the handler refuses one");
    tap_ok(EVENTUALLY(refused == before + 1), "which is a clean fault");
    tap_eq(l4re_rm_answer_fault(list[0].id, 0), -L4_ENOENT, "a fault is answered once");
    tap_eq(l4re_rm_answer_fault(list[1].id, 5), -L4_EINVAL, "and not with a positive number");
    for (unsigned i = 0; i < 3; i++)
        touch_done(i);
    tap_eq(l4re_rm_get_faults(0, list, 8), 0, "the one that is killed while it waits is gone");
    tap_eq((long)rm_stat(L4RE_RM_STATS_BUSY), 0, "and its worker is free");
    l4re_rm_detach((void *)(empty_place + L4_PAGESIZE));
    tap_eq(attach_fresh(ds, empty_place, L4RE_RM_F_R), 0, "a region to be read");
    touch_start(0, empty_place, true);
    tap_ok(EVENTUALLY(l4re_rm_get_faults(0, list, 8) == 1), "a write there is told, too");
    tap_eq(l4re_rm_set_fault_handler(L4_INVALID_CAP), 0, "the handler is taken away");
    tap_ok(EVENTUALLY(touched[0]) && refused == before + 2, "then who waits is refused");
    touch_done(0);
    l4re_rm_detach((void *)empty_place);
}

static void handler_dies(void)
{
    unsigned before = refused;

    l4re_rm_set_fault_handler(irq);
    touch_start(0, empty_place, false);
    EVENTUALLY(l4re_rm_get_faults(0, list, 8) == 1);
    l4re_util_cap_free_um(irq);
    touch_start(1, empty_place, false);
    tap_ok(EVENTUALLY(touched[0] && touched[1]) && refused == before + 2,
           "with a handler that is gone everybody is refused");
    touch_done(0);
    touch_done(1);
    touch_start(0, empty_place, false);
    tap_ok(EVENTUALLY(touched[0]), "as without");
    touch_done(0);
}

int main(void)
{
    l4re_ds_t ds = l4re_util_cap_alloc();

    l4re_ma_alloc(L4_PAGESIZE, ds, 0);
    memset(pages, 0, sizeof(pages)); /* no faults of the pagers' own */
    thread_start(&handler, TOUCHERS + 1, handler_main, 120, l4re_env()->rm);
    handler_gate = l4re_util_cap_alloc();
    l4_factory_create_gate(l4re_env()->factory, handler_gate, handler.cap, 0);
    one_waits_alone();
    many_wait();
    killed_while_waiting();
    detached_while_waiting();
    answered_too_late();
    pager_goes(true);
    pager_goes(false);
    wrong_answers();
    too_much();
    irq_new();
    handler_attaches(ds);
    handler_refuses(ds);
    handler_dies();
    return tap_done();
}
