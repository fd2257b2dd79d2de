/*
 * slow_pagers/doctor.c - the fault handler of the whole map is a thread of another task
 *
 * That task, the doctor, has this program's pages, and of its capabilities the region manager's
 * gate, a dataspace and an interrupt object: all that a handler needs.
 */
#include "slow.h"

#include <l4/sys/irq.h>
#include <l4/sys/scheduler.h>
#include <l4/sys/task.h>
#include <l4/sys/thread.h>
#include <l4/util/thread.h>
#include <l4/util/util.h>

enum treatment { HEALS, DECLINES, HANGS, RAVES, HOARDS };

enum { HOARD_MAX = 3000 }; /* regions; the region manager has 2,048 slots */
#define HOARD_PLACE 0x900000000UL

#define DOCTOR_UTCB 0xb0000000UL

static l4_cap_idx_t task, thread, irq;
static l4re_ds_t ds;
static char stack[STACK] __attribute__((aligned(L4_PAGESIZE)));

static volatile enum treatment treatment;
static volatile long installed; /* what the region manager said to that, 1: not yet asked */
static volatile unsigned looked, healed, raved;
static volatile unsigned hoarded;
static volatile long hoard_end;
static volatile long wrongly; /* how much of the raving was taken seriously */

/* ---- in the doctor's task ---- */

static void heal(const l4re_rm_pending_t *f)
{
    void *at = (void *)(f->addr & L4_PAGEMASK);

    healed += l4re_rm_attach_srv(l4re_env()->rm, &at, L4_PAGESIZE, L4RE_RM_F_RW, ds, 0, 0) == 0;
}

static void say(l4_utcb_t *u, l4_umword_t op, l4_umword_t a, l4_umword_t b, unsigned words,
                long label, l4_cap_idx_t item)
{
    unsigned items = item != L4_INVALID_CAP;

    u->msg.mr[0] = op;
    u->msg.mr[1] = a;
    u->msg.mr[2] = b;
    u->msg.mr[words] = L4_ITEM_MAP;
    u->msg.mr[words + 1] = l4_obj_fpage(item, 0, L4_CAP_FPAGE_RWS).raw;
    wrongly += l4_error_u(l4_ipc_call(l4re_env()->rm, u, l4_msgtag(label, words, items, 0),
                                      L4_IPC_NEVER), u) >= 0;
    raved++;
}

/* Whatever is wrong in a message. The fault of which it should speak stays as it is. */
static void rave(l4_utcb_t *u, unsigned long id)
{
    const long rm = L4RE_PROTO_RM;

    say(u, L4RE_RM_ANSWER_FAULT_OP, id + 1, 0, 3, rm, L4_INVALID_CAP);
    say(u, L4RE_RM_ANSWER_FAULT_OP, ~0UL, 0, 3, rm, L4_INVALID_CAP);
    say(u, L4RE_RM_ANSWER_FAULT_OP, id, 1, 3, rm, L4_INVALID_CAP);
    say(u, L4RE_RM_ANSWER_FAULT_OP, id, 1UL << 63, 3, rm, L4_INVALID_CAP);
    say(u, L4RE_RM_ANSWER_FAULT_OP, id, (l4_umword_t)-5000L, 3, rm, L4_INVALID_CAP);
    for (unsigned op = 0; op < 64; op++)
        if (op != L4RE_RM_SHOW_LISTS_OP && op != L4RE_RM_SET_HANDLER_OP)
            say(u, op, id, 0, 1, rm, L4_INVALID_CAP);
    say(u, ~0UL, id, 0, 3, rm, L4_INVALID_CAP);
    say(u, L4RE_RM_ANSWER_FAULT_OP, id, 0, 0, rm, L4_INVALID_CAP);
    for (long label = 0x4000; label < 0x4010; label++)
        if (label != rm)
            say(u, L4RE_RM_ANSWER_FAULT_OP, id, 0, 3, label, irq);
    say(u, L4RE_RM_ATTACH_OP, EMPTY_PLACE, L4_PAGESIZE, 6, rm, L4_INVALID_CAP);
}

/* Each region keeps a capability in a slot of the region manager's. */
static void hoard(void)
{
    for (hoarded = 0; hoarded < HOARD_MAX && hoard_end == 0; hoarded += hoard_end == 0) {
        void *at = (void *)(HOARD_PLACE + hoarded * L4_PAGESIZE);

        hoard_end = l4re_rm_attach_srv(l4re_env()->rm, &at, L4_PAGESIZE, L4RE_RM_F_R, ds, 0, 0);
    }
}

L4UTIL_THREAD_STATIC_FUNC(doctor_main)
{
    static l4re_rm_pending_t list[8];
    l4_utcb_t *u = l4_utcb();

    installed = l4re_rm_set_fault_handler_srv(l4re_env()->rm, irq);
    for (;;) {
        long n;

        l4_irq_receive(irq, L4_IPC_NEVER);
        n = l4re_rm_get_faults_srv(l4re_env()->rm, 0, list, 8);
        if (treatment == HOARDS)
            hoard();
        looked++;
        for (long i = 0; i < n && treatment != HANGS; i++) {
            if (treatment == HEALS)
                heal(&list[i]);
            else if (treatment == DECLINES)
                l4re_rm_answer_fault_srv(l4re_env()->rm, list[i].id, -L4_EACCESS);
            else
                rave(u, list[i].id);
        }
    }
}

/* ---- the doctor's task ---- */

static bool cap_give(l4_cap_idx_t cap, unsigned control)
{
    return l4_error(l4_task_map(task, L4_BASE_TASK_CAP, l4_obj_fpage(cap, 0, L4_CAP_FPAGE_RWSD),
                                l4_map_obj_control(cap, control))) >= 0;
}

/* A region of the program's image, with all its pages, at the same place. */
static long region_give(const l4re_rm_range_t *r, void *unused)
{
    unsigned rights = (unsigned)r->flags & L4RE_RM_F_RWX;

    (void)unused;
    if (r->start >= QUIRE_RM_ADDR || !rights)
        return 0;
    for (l4_addr_t at = r->start; at < r->start + r->size; at += L4_PAGESIZE) {
        if (rights & L4RE_RM_F_W)
            l4_touch_rw((void *)at, 1);
        else
            l4_touch_ro((void *)at, 1);
        if (l4_error(l4_task_map(task, L4_BASE_TASK_CAP, l4_fpage(at, L4_PAGESHIFT, rights),
                                 at)) < 0)
            return -L4_ENOMEM;
    }
    return 0;
}

/* With an interrupt object of its own, which goes with it. */
static bool doctor_start(enum treatment how)
{
    l4_fpage_t area = l4_fpage(DOCTOR_UTCB, L4_PAGESHIFT, L4_FPAGE_RW);
    l4_sched_param_t sched = l4_sched_param(105, 0);
    l4re_env_t *env = l4re_env();

    treatment = how;
    installed = 1;
    looked = healed = raved = 0;
    wrongly = 0;
    task = l4re_util_cap_alloc();
    thread = l4re_util_cap_alloc();
    irq = l4re_util_cap_alloc();
    if (l4_error(l4_factory_create_task(env->factory, task, &area)) < 0 ||
        l4_error(l4_factory_create_thread(env->factory, thread)) < 0 ||
        l4_error(l4_factory_create_irq(env->factory, irq)) < 0)
        return false;
    l4_thread_control_start();
    l4_thread_control_bind((l4_utcb_t *)l4_fpage_memaddr(area), task);
    l4_thread_control_commit(thread);
    l4_rcv_ep_bind_thread(irq, thread, 0);
    if (l4re_rm_each(region_give, NULL) < 0 || !cap_give(env->rm, 0) || !cap_give(ds, 0) ||
        !cap_give(irq, L4_MAP_ITEM_GRANT))
        return false;
    l4_thread_ex_regs(thread, (l4_addr_t)doctor_main, (l4_addr_t)(stack + STACK), 0);
    l4_scheduler_run_thread(env->scheduler, thread, &sched);
    return EVENTUALLY(installed != 1) && installed == 0;
}

static void doctor_dies(void)
{
    l4re_util_cap_free_um(task);
    l4re_util_cap_free_um(thread);
    l4re_util_cap_free(irq);
}

/* ---- tests ---- */

static long pending(void)
{
    l4re_rm_pending_t list[8];

    return l4re_rm_get_faults(0, list, 8);
}

static void touchers_done(unsigned n)
{
    while (n-- > 0)
        touch_done(n);
}

static void heals(void)
{
    l4_umword_t woken = rm_stat(L4RE_RM_STATS_WOKEN);
    unsigned before = refused, done = 0;

    check(doctor_start(HEALS), "a handler in another task installs itself");
    for (unsigned i = 0; i < 3; i++)
        touch_start(i, EMPTY_PLACE + i * L4_PAGESIZE + 8, i == 1);
    for (unsigned i = 0; i < 3; i++)
        done += EVENTUALLY(touched[i]);
    check_eq(done, 3, "it attaches its dataspace, and three threads go on");
    check(refused == before && healed == 3 && rm_stat(L4RE_RM_STATS_WOKEN) - woken == 3,
          "each woken by one attach, none refused");
    check_eq(*(volatile char *)(EMPTY_PLACE + 2 * L4_PAGESIZE + 8), 1,
             "they see the dataspace that the second has written to");
    touchers_done(3);
    for (unsigned i = 0; i < 3; i++)
        l4re_rm_detach((void *)(EMPTY_PLACE + i * L4_PAGESIZE));
}

static void declines(void)
{
    l4_umword_t rejected = rm_stat(L4RE_RM_STATS_REJECTED);
    unsigned before = refused;

    treatment = DECLINES;
    touch_start(0, EMPTY_PLACE, false);
    touch_start(1, EMPTY_PLACE + L4_PAGESIZE, true);
    check(EVENTUALLY(touched[0] && touched[1]) && refused == before + 2 &&
              rm_stat(L4RE_RM_STATS_REJECTED) - rejected == 2,
          "it declines: a clean fault each");
    touchers_done(2);
}

static void raves(void)
{
    unsigned before = refused;

    treatment = RAVES;
    touch_start(0, EMPTY_PLACE, false);
    check(EVENTUALLY(raved > 80) && EVENTUALLY(looked >= 3), "it says what makes no sense");
    check_eq(wrongly, 0, "all of it is refused");
    check_eq(pending(), 1, "and the fault still waits");
    check_eq(touch_fresh(FRESH), FRESH, "nobody else notices");
    treatment = DECLINES;
    touch_start(1, EMPTY_PLACE + L4_PAGESIZE, false);
    check(EVENTUALLY(touched[0] && touched[1]) && refused == before + 2,
          "until it comes to its senses");
    touchers_done(2);
    check_eq((long)rm_stat(L4RE_RM_STATS_BUSY), 0, "then nobody waits");
}

/* The region manager's slots run out: an error to who wants more, and to nobody else. */
static void hoards(void)
{
    unsigned gone = 0;

    hoard_end = 0;
    treatment = HOARDS;
    touch_start(0, EMPTY_PLACE, false);
    check(EVENTUALLY(hoard_end != 0) && hoard_end == -L4_ENOMEM && hoarded > 1000 &&
              hoarded < HOARD_MAX,
          "it attaches one dataspace after another, until there is no slot for one");
    check_eq(touch_fresh(FRESH), FRESH, "the program itself attaches what it likes");
    check_eq(*(volatile char *)(HOARD_PLACE + (hoarded - 1) * L4_PAGESIZE), 0,
             "the last one that was attached is there");
    for (unsigned i = 0; i < hoarded; i++)
        gone += l4re_rm_detach((void *)(HOARD_PLACE + i * L4_PAGESIZE)) == 0;
    check_eq(gone, hoarded, "all of them go");
    treatment = HEALS;
    touch_start(1, EMPTY_PLACE + L4_PAGESIZE, true);
    check(EVENTUALLY(touched[0] && touched[1]), "then there are slots again");
    touchers_done(2);
    l4re_rm_detach((void *)EMPTY_PLACE);
    l4re_rm_detach((void *)(EMPTY_PLACE + L4_PAGESIZE));
}

static void hangs(void)
{
    unsigned before = refused;

    treatment = HANGS;
    touch_start(0, EMPTY_PLACE, false);
    touch_start(1, EMPTY_PLACE, true);
    EVENTUALLY(pending() == 2);
    check(pending() == 2 && looked > 0, "it hangs with two faults in its hands");
    check_eq(touch_fresh(FRESH), FRESH, "which costs nobody else");
    touch_done(1);
    check_eq(pending(), 1, "one of the two is killed");
    check_eq(l4re_rm_set_fault_handler(L4_INVALID_CAP), 0, "the handler is taken away");
    check(EVENTUALLY(touched[0]) && refused == before + 1, "then the other is refused");
    touch_done(0);
    doctor_dies();
}

static void dies(void)
{
    unsigned before = refused;

    check(doctor_start(HANGS), "another handler in another task");
    touch_start(0, EMPTY_PLACE, false);
    check(EVENTUALLY(looked == 1), "has a fault in its hands");
    doctor_dies();
    check(EVENTUALLY(touched[0]) && refused == before + 1,
          "it dies with its task: a clean fault, without anybody's doing");
    touch_done(0);
    touch_start(0, EMPTY_PLACE, false);
    check(EVENTUALLY(touched[0]) && refused == before + 2, "from then on all are refused at once");
    touch_done(0);
    check_eq((long)rm_stat(L4RE_RM_STATS_BUSY), 0, "nobody waits");
}

/* What is attached need not be a dataspace, nor stay one. */
static void placebo(void)
{
    l4re_ds_t whole = ds;
    unsigned before = refused;

    ds = l4re_env()->log;
    check(doctor_start(HEALS), "a handler without a dataspace");
    touch_start(0, EMPTY_PLACE, false);
    check(EVENTUALLY(looked > 0), "attaches something else");
    l4re_rm_set_fault_handler(L4_INVALID_CAP);
    check(EVENTUALLY(touched[0]) && refused == before + 1, "which is a clean fault");
    touch_done(0);
    l4re_rm_detach((void *)EMPTY_PLACE);
    doctor_dies();
    ds = whole;
}

void test_foreign_handler(void)
{
    ds = l4re_util_cap_alloc();
    l4re_ma_alloc(L4_PAGESIZE, ds, 0);
    heals();
    declines();
    raves();
    hoards();
    hangs();
    dies();
    placebo();
    l4re_util_cap_free_um(ds);
}
