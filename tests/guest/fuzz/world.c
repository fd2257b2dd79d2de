/*
 * world.c - the hostile task, its partner, their faults, and the end of a round
 */
#include "fuzz.h"

#include <l4/sys/debugger.h>
#include <l4/sys/irq.h>

enum { SLICE_US = 10000, EXHAUST_MAX = 400 /* tasks: 32 MiB */ };
enum { HANDLER_UTCB = 2, WATCHER_UTCB, STUCK_MAX = 6, PATIENCE_TICKS = 6, KICKS_MAX = 8 };
enum { OFFERED_PORTS_ORDER = 4, SMALL_ORDER = L4_PAGESHIFT + 4 };

struct lane lanes[LANES] __attribute__((aligned(4096)));
struct tally tally;

static const l4_cap_idx_t fuzz_handler = 40UL << L4_CAP_SHIFT, watcher = 41UL << L4_CAP_SHIFT,
                          controller_gate = 42UL << L4_CAP_SHIFT;
static char handler_stack[4096] __attribute__((aligned(16)));
static char watcher_stack[2048] __attribute__((aligned(16)));
static l4_addr_t superpage, small_pool; /* not in the image, which the bystander has too */

/* The world of the running round: slots of the controller. */
static l4_cap_idx_t hostile, partner, thread[LANES], handler_gates[LANES];

/* ---- faults ---- */

/* The answer to a lane's page fault: an error mostly, which makes it an exception; sometimes a
 * page, or nothing, so that it faults again. */
static l4_msgtag_t answer_fault(struct lane *l, l4_utcb_t *u)
{
    l4_addr_t page = u->msg.mr[0] & L4_PAGEMASK;

    switch (noise(l) % 4) {
    case 0:
        u->msg.mr[0] = page | L4_ITEM_MAP;
        u->msg.mr[1] = l4_fpage(small_pool + (noise(l) % POOL_SMALL << L4_PAGESHIFT),
                                L4_PAGESHIFT, L4_FPAGE_RW).raw;
        return l4_msgtag(0, 0, 1, 0);
    case 1:
        return l4_msgtag(0, 0, 0, 0);
    default:
        return l4_msgtag(-L4_EFAULT, 0, 0, 0);
    }
}

/* The lane goes on with its next call. */
static l4_msgtag_t answer_exception(struct lane *l, l4_utcb_t *u)
{
    l4_exc_regs_t *x = l4_utcb_exc_u(u);

    if (noise(l) % 16 == 0)
        return l4_msgtag(L4_PROTO_ALLOW_SYSCALL, L4_UTCB_EXCEPTION_REGS_SIZE, 0, 0);
    *x = (l4_exc_regs_t){.ip = (l4_addr_t)lane_main, .rdi = (l4_addr_t)l, .flags = 0x202,
                         .sp = (l4_addr_t)(l->stack + sizeof(l->stack)) - 8,
                         .gs_base = (l4_addr_t)&l->utcb->self};
    tally.resumed++;
    return l4_msgtag(0, L4_UTCB_EXCEPTION_REGS_SIZE, 0, 0);
}

static void fuzz_handler_loop(void)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);

    for (;;) {
        struct lane *l = &lanes[label >> 4 & (LANES - 1)];
        l4_msgtag_t answer = l4_msgtag(0, 0, 0, 0);
        bool fault = l4_msgtag_label(tag) != 0; /* or world_settle() */
        bool silent = l4_msgtag_has_error(tag) || (fault && l->stuck > STUCK_MAX);

        if (!silent && fault) {
            tally.faults++;
            tally.given_up += ++l->stuck > STUCK_MAX;
        }
        if (l4_msgtag_is_page_fault(tag))
            answer = answer_fault(l, u);
        else if (l4_msgtag_is_exception(tag))
            answer = answer_exception(l, u);
        tag = l4_ipc(L4_INVALID_CAP, u, silent ? L4_SYSF_WAIT : L4_SYSF_REPLY_AND_WAIT, 0, answer,
                     &label, L4_IPC_SEND_TIMEOUT_0);
    }
}

/* ---- the end of a round ---- */

/* Below the lanes: it runs when none of them can. */
static void watcher_loop(void)
{
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);

    for (;;) { /* in one step: the controller is above, and begins the next round at once */
        bool send = !l4_msgtag_has_error(tag);

        tag = l4_ipc(send ? controller_gate : L4_INVALID_CAP, l4_utcb(),
                     send ? L4_SYSF_SEND_AND_WAIT : L4_SYSF_WAIT, 0, l4_msgtag(0, 0, 0, 0), &label,
                     L4_IPC_SEND_TIMEOUT_0);
    }
}

/* Ports come from sigma0 like memory. */
static void ports_new(void)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = l4_iofpage(PORTS_FIRST, OFFERED_PORTS_ORDER).raw;
    u->buf.bdr = 0;
    u->buf.br[0] = L4_ITEM_MAP;
    u->buf.br[1] = l4_iofpage(0, L4_WHOLE_IOADDRESS_SPACE).raw;
    expect_eq(l4_error(l4_ipc_call(L4_BASE_PAGER_CAP, u, l4_msgtag(L4_PROTO_IO_PAGE_FAULT, 1, 0, 0),
                                   L4_IPC_NEVER)), 0);
    u->buf.br[0] = 0;
}

/* Written since the last look, by whomever? */
static bool dirty(l4_addr_t start, unsigned order)
{
    l4_msgtag_t tag = l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(start, order, 0),
                                    L4_FP_ALL_SPACES);

    return l4_error(tag) != 0 || (l4_utcb()->msg.mr[0] & L4_FPAGE_DIRTY);
}

/* All of it is `ret`: who runs it comes back, or faults. Often nobody has written to it. */
static void clean(l4_addr_t start, unsigned order, bool always)
{
    if (!dirty(start, order) && !always)
        return;
    memset((void *)start, 0xc3, 1UL << order);
    dirty(start, order);
    tally.cleaned++;
}

void world_clean(bool always)
{
    clean(superpage, L4_SUPERPAGESHIFT, always);
    clean(small_pool, SMALL_ORDER, always);
}

/* Nothing is left of a time slice that the last round used. */
static void new_slice(l4_cap_idx_t t, unsigned priority)
{
    l4_sched_param_t p = l4_sched_param(priority, SLICE_US);

    l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, t, &p);
}

void world_settle(void)
{
    l4_dbg_kmem_fail(L4_BASE_DEBUGGER_CAP, 0, 0);
    new_slice(fuzz_handler, PRIO_HANDLER);
    new_slice(watcher, PRIO_WATCHER);
    disturb_settle();
    l4_ipc_call(fuzz_handler, l4_utcb(), l4_msgtag(0, 0, 0, 0), L4_IPC_NEVER); /* owes nobody */
    new_slice(L4_BASE_THREAD_CAP, PRIO_TEST);
    dirty(superpage, L4_SUPERPAGESHIFT); /* what was found last is remembered */
    dirty(small_pool, SMALL_ORDER);
    l4_ipc_sleep(l4_timeout(L4_IPC_TIMEOUT_NEVER, l4_timeout_from_us(1)));
}

/* The pool's low-water mark never moves again: all of it was in use once. */
static void exhaust(void)
{
    l4_fpage_t area = l4_fpage(CHILD_UTCB_ADDR, L4_PAGESHIFT + 4, L4_FPAGE_RW);

    for (unsigned i = 0; i < EXHAUST_MAX; i++)
        if (l4_error(l4_factory_create_task(L4_BASE_FACTORY_CAP, slot_new(), &area)) != 0)
            break;
    slots_empty();
}

void world_start(void)
{
    exhaust();
    expect_eq(l4_error(l4_factory_create_gate(L4_BASE_FACTORY_CAP, controller_gate,
                                              L4_BASE_THREAD_CAP, 0)), 0);
    own_thread(fuzz_handler, HANDLER_UTCB, fuzz_handler_loop,
               handler_stack + sizeof(handler_stack), PRIO_HANDLER);
    own_thread(watcher, WATCHER_UTCB, watcher_loop, watcher_stack + sizeof(watcher_stack),
               PRIO_WATCHER);
    disturb_start();
    superpage = memory_new(L4_SUPERPAGESHIFT);
    small_pool = memory_new(SMALL_ORDER);
    expect(superpage && small_pool);
    world_clean(true);
    ports_new();
}

/* ---- the world ---- */

l4_cap_idx_t world_thread(unsigned n)
{
    return thread[n];
}

l4_fpage_t world_fpage(struct lane *dice)
{
    unsigned order = L4_PAGESHIFT + below(dice, 10), rights = 1 + below(dice, 7);
    bool small = below(dice, 2);
    l4_addr_t start = small ? small_pool : superpage;

    if (small)
        order = L4_PAGESHIFT + order % 4;
    start += (l4_addr_t)below(dice, 512) << L4_PAGESHIFT & ((1UL << (small ? SMALL_ORDER :
                                                             L4_SUPERPAGESHIFT)) - 1);
    return l4_fpage(start & ~((1UL << order) - 1), order, (unsigned char)rights);
}

static void pass(l4_cap_idx_t task, l4_cap_idx_t cap, unsigned slot, unsigned rights)
{
    l4_task_map(task, L4_BASE_TASK_CAP, l4_obj_fpage(cap, 0, (unsigned char)rights),
                l4_map_obj_control((l4_cap_idx_t)slot << L4_CAP_SHIFT, 0));
}

static l4_cap_idx_t fuzz_task(l4_cap_idx_t factory)
{
    l4_fpage_t area = l4_fpage(CHILD_UTCB_ADDR, CHILD_UTCB_ORDER, L4_FPAGE_RW);
    l4_cap_idx_t task = slot_new();

    expect_eq(l4_error(l4_factory_create_task(L4_BASE_FACTORY_CAP, task, &area)), 0);
    text_map(task);
    map_range(task, (l4_addr_t)lanes, (l4_addr_t)(lanes + LANES), L4_FPAGE_RW);
    l4_task_map(task, L4_BASE_TASK_CAP, l4_fpage(superpage, L4_SUPERPAGESHIFT, L4_FPAGE_RWX),
                l4_map_control(SUPER_PLACE, 0, 0));
    l4_task_map(task, L4_BASE_TASK_CAP, l4_fpage(small_pool, SMALL_ORDER, L4_FPAGE_RW),
                l4_map_control(SMALL_PLACE, 0, 0));
    l4_task_map(task, L4_BASE_TASK_CAP, l4_iofpage(PORTS_FIRST, OFFERED_PORTS_ORDER),
                l4_map_control(0, 0, 0));
    pass(task, task, 1, L4_CAP_FPAGE_RWSD);
    pass(task, factory, 2, L4_CAP_FPAGE_RWSD);
    pass(task, L4_BASE_LOG_CAP, 5, L4_CAP_FPAGE_RW);
    pass(task, L4_BASE_ICU_CAP, 6, L4_CAP_FPAGE_RWS);
    pass(task, L4_BASE_SCHEDULER_CAP, 7, L4_CAP_FPAGE_RWS);
    return task;
}

/* Who handles a lane's faults; l4_thread_control_commit() is the caller's. */
static void fuzz_handlers(unsigned n, l4_cap_idx_t task)
{
    static const uint8_t slots[LANES] = {4, 13, 14, 4};
    l4_cap_idx_t slot = (l4_cap_idx_t)slots[n] << L4_CAP_SHIFT;

    pass(task, handler_gates[n], slots[n], L4_CAP_FPAGE_RW);
    l4_thread_control_start();
    l4_thread_control_pager(slot);
    l4_thread_control_exc_handler(slot);
}

static void fuzz_thread(unsigned n, l4_cap_idx_t task, uint64_t seed)
{
    struct lane *l = &lanes[n];
    l4_sched_param_t p = l4_sched_param(PRIO_LANE - (seed >> (48 + 2 * n) & 3), 0);
    unsigned own = n < LANES_HOSTILE ? n : 0;

    memset(l, 0, sizeof(*l));
    l->number = n;
    l->limit = LANE_CALLS;
    l->server = n == LANES - 1 && seed >> 60 & 1;
    l->seed = fuzz_mix(seed, n) | 1;
    l->utcb = (l4_utcb_t *)(CHILD_UTCB_ADDR + own * L4_UTCB_OFFSET);
    thread[n] = slot_new();
    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, thread[n])), 0);
    handler_gates[n] = slot_new();
    expect_eq(l4_error(l4_factory_create_gate(L4_BASE_FACTORY_CAP, handler_gates[n], fuzz_handler,
                                              (l4_umword_t)n << 4)), 0);
    fuzz_handlers(n, task);
    l4_thread_control_bind(l->utcb, task);
    expect_eq(l4_error(l4_thread_control_commit(thread[n])), 0);
    expect_eq(l4_error(l4_scheduler_run_thread(L4_BASE_SCHEDULER_CAP, thread[n], &p)), 0);
}

/* The stack holds the lane; then it is as the calling convention wants it. */
void lane_entry(void);
__asm__("lane_entry:\n"
        "    pop %rdi\n"
        "    call lane_main\n");

static long fuzz_begin(unsigned n)
{
    l4_umword_t *sp = (l4_umword_t *)(lanes[n].stack + sizeof(lanes[n].stack)) - 2;

    *sp = (l4_umword_t)&lanes[n];
    return l4_error(l4_thread_ex_regs(thread[n], (l4_addr_t)lane_entry, (l4_addr_t)sp,
                                      L4_THREAD_EX_REGS_CANCEL));
}

/* What both tasks can name, with the rights that the seed gives. */
static void share(l4_cap_idx_t task, l4_cap_idx_t other, uint64_t seed)
{
    l4_cap_idx_t irq = slot_new(), semaphore = slot_new(), free_gate = slot_new();

    for (unsigned n = 0; n < LANES; n++) {
        l4_cap_idx_t gate = gate_new(thread[n], 0x1000 + 16 * n);

        pass(task, gate, SLOT_GATE + n, L4_CAP_FPAGE_RWSD);
        pass(task, thread[n], SLOT_THREAD + n, seed >> n & 1 ? L4_CAP_FPAGE_RWSD : L4_CAP_FPAGE_RW);
    }
    pass(task, other, SLOT_PARTNER, seed >> 8 & 1 ? L4_CAP_FPAGE_RWSD : L4_CAP_FPAGE_RW);
    l4_factory_create_irq(L4_BASE_FACTORY_CAP, irq);
    l4_factory_create(L4_BASE_FACTORY_CAP, L4_PROTO_SEMAPHORE, semaphore);
    l4_factory_create_gate(L4_BASE_FACTORY_CAP, free_gate, L4_INVALID_CAP, 0x2000);
    pass(task, irq, SLOT_IRQ, L4_CAP_FPAGE_RWSD);
    pass(task, semaphore, SLOT_SEMAPHORE, L4_CAP_FPAGE_RWSD);
    pass(task, free_gate, SLOT_FREE_GATE, L4_CAP_FPAGE_RWSD);
}

void world_new(uint64_t seed)
{
    static const unsigned quotas[] = {20000, 100000, 100000, 400000};
    l4_cap_idx_t factory = slot_new();

    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, factory,
                                                 quotas[seed >> 16 & 3])), 0);
    hostile = fuzz_task(factory);
    partner = fuzz_task(factory);
    for (unsigned n = 0; n < LANES; n++)
        fuzz_thread(n, n < LANES_HOSTILE ? hostile : partner, seed);
    share(hostile, partner, seed);
    share(partner, hostile, seed >> 24);
    if (seed >> 32 & 3)
        l4_dbg_kmem_fail(L4_BASE_DEBUGGER_CAP, 0, 0);
    else
        l4_dbg_kmem_fail(L4_BASE_DEBUGGER_CAP, 1 + (seed >> 34) % 150, 1 + (seed >> 42 & 3));
    for (unsigned n = 0; n < LANES; n++)
        expect_eq(fuzz_begin(n), 0);
}

/* ---- the round ---- */

/* False: the time is over, and some lane still runs. */
static bool run_lanes(void)
{
    l4_timeout_t patience = l4_timeout(L4_IPC_TIMEOUT_NEVER,
                                       l4_timeout_from_us(PATIENCE_TICKS * TICK_US));

    l4_ipc_send(watcher, l4_utcb(), l4_msgtag(0, 0, 0, 0), L4_IPC_SEND_TIMEOUT_0);
    return !l4_msgtag_has_error(l4_ipc_receive(watcher, l4_utcb(), patience));
}

static unsigned calls_made(void)
{
    unsigned sum = 0;

    for (unsigned n = 0; n < LANES; n++)
        sum += lanes[n].calls;
    return sum;
}

/* Lanes wait for each other for ever, or have faulted with nobody to handle it: they begin again,
 * if they still can. */
static void kick_lanes(void)
{
    for (unsigned n = 0; n < LANES; n++) {
        if (lanes[n].finished)
            continue;
        lanes[n].stuck = 0;
        fuzz_handlers(n, n < LANES_HOSTILE ? hostile : partner);
        l4_thread_control_commit(thread[n]);
        fuzz_begin(n);
        tally.kicked++;
    }
}

void world_run(uint64_t seed)
{
    disturb_on(seed);
    for (unsigned i = 0, before; run_lanes() && i < KICKS_MAX; i++) {
        before = calls_made();
        if (before >= ROUND_CALLS)
            break;
        kick_lanes();
    }
    disturb_off();
}

void world_delete(void)
{
    l4_dbg_kmem_fail(L4_BASE_DEBUGGER_CAP, 0, 0);
    slots_empty();
}
