/*
 * slow_pagers/pagers.c - a slow pager costs its own clients only
 *
 * The pager is a thread of this program that behaves as enum manner says.
 */
#include "slow.h"

#include <l4/re/c/util/kumem_alloc.h>
#include <l4/sys/rcv_endpoint.h>
#include <l4/sys/task.h>
#include <l4/util/thread.h>

#include <string.h>

enum manner { HONEST, SLOW, SILENT, WITHOUT_ITEM, TOO_SHORT, TOO_MUCH, WITH_ERROR };

static char pages[4][L4_PAGESIZE] __attribute__((aligned(4 * L4_PAGESIZE)));

static volatile enum manner manner;
static volatile unsigned asked, answered;
static volatile bool go;

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

/* One that behaves like that, its four pages at SLOW_PLACE. */
static void pager_start(enum manner how)
{
    void *at = (void *)SLOW_PLACE;

    manner = how;
    go = false;
    asked = answered = 0;
    pager_gate = l4re_util_cap_alloc();
    thread_start(&pager, PAGER, pager_main, stack_of(PAGER), 110, l4re_env()->rm);
    l4_factory_create_gate(l4re_env()->factory, pager_gate, pager.cap, 0);
    l4re_rm_attach(&at, 4 * L4_PAGESIZE, L4RE_RM_F_RW, pager_gate, 0, 0);
}

/* Another one takes the gate. */
static void pager_again(enum manner how)
{
    manner = how;
    thread_start(&pager, PAGER, pager_main, stack_of(PAGER), 110, l4re_env()->rm);
    l4_rcv_ep_bind_thread(pager_gate, pager.cap, 0);
}

static void pager_end(void)
{
    go = true;
    l4re_rm_detach((void *)SLOW_PLACE);
    thread_end(&pager);
    l4re_util_cap_free_um(pager_gate);
}

/* ---- tests ---- */

static void one_waits_alone(void)
{
    l4_umword_t handovers = rm_stat(L4RE_RM_STATS_HANDOVERS);

    pager_start(SLOW);
    touch_start(0, SLOW_PLACE, false);
    check(EVENTUALLY(asked == 1), "a slow pager is asked");
    check_eq(touch_fresh(FRESH), FRESH, "meanwhile every fault of another region is served");
    check_eq((long)(rm_stat(L4RE_RM_STATS_HANDOVERS) - handovers), 1, "by one other thread");
    check_eq((long)rm_stat(L4RE_RM_STATS_BUSY), 1, "one worker waits for the pager");
    check(!touched[0], "and one thread");
    go = true;
    check(EVENTUALLY(touched[0]), "which goes on when the pager answers");
    check_eq((long)rm_stat(L4RE_RM_STATS_BUSY), 0, "then no worker waits");
    touch_done(0);
    pager_end();
}

static void many_wait(void)
{
    l4_umword_t workers;
    unsigned done = 0;

    pager_start(SLOW);
    for (unsigned i = 0; i < TOUCHERS; i++)
        touch_start(i, SLOW_PLACE + i % 4 * L4_PAGESIZE, i & 1);
    check(EVENTUALLY(rm_stat(L4RE_RM_STATS_BUSY) == TOUCHERS), "six threads wait for a slow pager");
    check_eq(touch_fresh(FRESH), FRESH, "nobody else does");
    workers = rm_stat(L4RE_RM_STATS_WORKERS);
    check(workers >= TOUCHERS + 1 && workers <= TOUCHERS + 2,
           "there are as many workers, and one or two more");
    go = true;
    for (unsigned i = 0; i < TOUCHERS; i++)
        done += EVENTUALLY(touched[i]);
    check_eq(done, TOUCHERS, "all go on");
    for (unsigned i = 0; i < TOUCHERS; i++)
        touch_done(i);
    check_eq((long)rm_stat(L4RE_RM_STATS_WORKERS), (long)workers, "workers are used again");
    pager_end();
}

static void killed_while_waiting(void)
{
    pager_start(SILENT);
    touch_start(0, SLOW_PLACE, false);
    check(EVENTUALLY(asked == 1), "a thread waits for a pager that never answers");
    check_eq(touch_fresh(FRESH), FRESH, "which costs nobody else");
    touch_done(0);
    check(EVENTUALLY(rm_stat(L4RE_RM_STATS_BUSY) == 0), "when it is killed its entry goes");
    manner = HONEST;
    pager_end();
}

static void detached_while_waiting(void)
{
    unsigned before = refused;

    pager_start(SILENT);
    touch_start(0, SLOW_PLACE + L4_PAGESIZE, true);
    EVENTUALLY(asked == 1);
    check_eq(l4re_rm_detach((void *)SLOW_PLACE), 0, "a region in which a thread waits is detached");
    check(EVENTUALLY(touched[0]), "the thread goes on");
    check(refused == before + 1 && refused_at == SLOW_PLACE + L4_PAGESIZE, "with a clean fault");
    check_eq((long)rm_stat(L4RE_RM_STATS_BUSY), 0, "and nobody waits for the pager any more");
    manner = HONEST;
    touch_done(0);
    pager_end();
}

/* A fault is in flight when its region goes and another takes the place: then comes the answer. */
static void answered_too_late(void)
{
    unsigned before = refused;
    l4re_ds_t ds = l4re_util_cap_alloc();
    void *at = (void *)SLOW_PLACE;

    pager_start(SLOW);
    memset(pages, 'p', sizeof(pages));
    l4re_ma_alloc(4 * L4_PAGESIZE, ds, 0);
    touch_start(0, SLOW_PLACE + L4_PAGESIZE, false);
    EVENTUALLY(asked == 1);
    check_eq(l4re_rm_detach(at), 0, "a region is detached while a fault of it is in flight");
    check_eq(l4re_rm_attach(&at, 4 * L4_PAGESIZE, L4RE_RM_F_RW, ds, 0, 0), 0, "another comes");
    go = true;
    check(EVENTUALLY(answered == 1), "the pager answers, too late");
    check_eq(*(volatile char *)(SLOW_PLACE + L4_PAGESIZE), 0, "its page reaches nobody");
    check(EVENTUALLY(touched[0]) && refused - before <= 1,
           "the thread has seen the old region's end, or the new region");
    check_eq((long)rm_stat(L4RE_RM_STATS_BUSY), 0, "nobody waits any more");
    touch_done(0);
    pager_end();
    l4re_util_cap_free_um(ds);
}

static void dataspace_goes(void)
{
    unsigned before = refused;

    pager_start(SILENT);
    touch_start(0, SLOW_PLACE, false);
    EVENTUALLY(asked == 1);
    l4_task_delete_obj(L4_BASE_TASK_CAP, pager.cap);
    l4_task_delete_obj(L4_BASE_TASK_CAP, pager_gate);
    check(EVENTUALLY(touched[0]) && refused == before + 1,
          "a dataspace that is destroyed gives a clean fault");
    check_eq(touch_fresh(4), 4, "and nobody else notices");
    touch_done(0);
    pager_end();
}

/* A pager dies while a thread waits for it, its gate stays; who takes it next has five seconds. */
static void next_life(bool comes)
{
    unsigned before = refused;

    pager_start(SILENT);
    touch_start(0, SLOW_PLACE, false);
    EVENTUALLY(asked == 1);
    thread_end(&pager);
    l4_ipc_sleep_ms(comes ? 4800 : 4900);
    check(!touched[0] && refused == before, "who waits for a dead pager waits for its next life");
    if (comes) {
        pager_again(HONEST);
        check(EVENTUALLY(touched[0]) && refused == before, "which answers");
    } else {
        l4_ipc_sleep_ms(200);
        check(touched[0] && refused == before + 1, "for five seconds, then there is a clean fault");
        pager_again(HONEST);
    }
    check_eq(touch_fresh(4), 4, "nobody else notices");
    touch_done(0);
    pager_end();
}

/* Each life takes the request and dies of it. */
static void too_many_lives(void)
{
    enum { LIVES = 64, MORE = 10 };
    unsigned before = refused;

    pager_start(SILENT);
    touch_start(0, SLOW_PLACE, false);
    for (unsigned i = 1; i <= LIVES + MORE && EVENTUALLY(asked == i || touched[0]); i++) {
        if (touched[0])
            break;
        thread_end(&pager);
        pager_again(SILENT);
    }
    check_eq(asked, 1 + LIVES, "a fault is asked of a pager and of 64 further lives");
    check(touched[0] && refused == before + 1, "then it is a clean fault");
    check_eq((long)rm_stat(L4RE_RM_STATS_BUSY), 0, "and nobody waits any more");
    manner = HONEST;
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
        touch_start(0, SLOW_PLACE, false);
        check(EVENTUALLY(touched[0]) && refused == before + 1, wrong[i].sentence);
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
    right = l4re_rm_detach_range_srv(l4re_env()->rm, SLOW_PLACE + L4_PAGESIZE, L4_PAGESIZE,
                                     L4RE_RM_DETACH_EXACT, NULL, L4_BASE_TASK_CAP);
    at = (void *)(SLOW_PLACE + L4_PAGESIZE);
    check_eq(right, L4RE_RM_SPLIT_DS, "among the pages of a pager that sends too much");
    check_eq(l4re_rm_attach(&at, L4_PAGESIZE, L4RE_RM_F_RW, ds, 0, 0), 0, "stands somebody else's");
    touch_start(0, SLOW_PLACE, false);
    touch_start(1, SLOW_PLACE + 2 * L4_PAGESIZE, false);
    check(EVENTUALLY(touched[0] && touched[1]), "the pager's own are served");
    check_eq(*(volatile char *)(SLOW_PLACE + L4_PAGESIZE), 0, "the other one is not reached");
    check_eq(*(volatile char *)(SLOW_PLACE + 3 * L4_PAGESIZE), 'p', "what is the pager's is");
    touch_done(0);
    touch_done(1);
    l4re_rm_detach(at);
    l4re_rm_detach((void *)(SLOW_PLACE + 2 * L4_PAGESIZE));
    l4re_util_cap_free_um(ds);
    pager_end();
}

void test_pagers(void)
{
    memset(pages, 0, sizeof(pages)); /* no faults of the pagers' own */
    one_waits_alone();
    many_wait();
    killed_while_waiting();
    detached_while_waiting();
    answered_too_late();
    dataspace_goes();
    next_life(true);
    next_life(false);
    too_many_lives();
    wrong_answers();
    too_much();
}
