/*
 * slow_pagers/many.c - more faults wait for a pager than the region manager has threads
 */
#include "slow.h"

#include <l4/sys/task.h>
#include <l4/util/thread.h>

#include <string.h>

/* libl4/src/rm/rm.h: one of the threads never waits. */
enum { WAITING_MAX = 512 - 1, MORE = 3, MANY = WAITING_MAX + MORE, SMALL_STACK = 512 };

static struct thread many[MANY], hanging;
static char stacks[MANY][SMALL_STACK] __attribute__((aligned(16)));
static volatile unsigned went_on;
static volatile bool hangs;
static l4_cap_idx_t gate;
static char page[L4_PAGESIZE] __attribute__((aligned(L4_PAGESIZE)));

L4UTIL_THREAD_STATIC_FUNC(touch_many)
{
    touch(SLOW_PLACE, 0);
    __atomic_fetch_add(&went_on, 1, __ATOMIC_SEQ_CST);
    l4_ipc_sleep(L4_IPC_NEVER);
    for (;;)
        ;
}

L4UTIL_THREAD_STATIC_FUNC(hanging_main)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(u, &label, L4_IPC_NEVER), answer;

    for (;;) {
        answer = l4_msgtag(-L4_ENOSYS, 0, 0, 0);
        if (!l4_msgtag_has_error(tag) && (u->msg.mr[0] & 0xffff) == L4RE_DS_MAP_OP) {
            while (hangs)
                l4_ipc_sleep_ms(1);
            u->msg.mr[0] = L4_ITEM_MAP;
            u->msg.mr[1] = l4_fpage((l4_addr_t)page, L4_PAGESHIFT, L4_FPAGE_RW).raw;
            answer = l4_msgtag(0, 0, 1, 0);
        }
        tag = l4_ipc_reply_and_wait(u, answer, &label, L4_IPC_SEND_TIMEOUT_0);
    }
}

static bool start(unsigned n)
{
    return thread_start(&many[n], 0, touch_many, (l4_addr_t)stacks[n + 1], 99, handler_gate);
}

void test_too_many(void)
{
    void *at = (void *)SLOW_PLACE;
    unsigned started = 0, before = refused;

    memset(stacks, 0, sizeof(stacks));
    memset(page, 0, sizeof(page));
    hangs = true;
    gate = l4re_util_cap_alloc();
    thread_start(&hanging, PAGER, hanging_main, stack_of(PAGER), 110, l4re_env()->rm);
    l4_factory_create_gate(l4re_env()->factory, gate, hanging.cap, 0);
    l4re_rm_attach(&at, L4_PAGESIZE, L4RE_RM_F_RW, gate, 0, 0);
    while (started < WAITING_MAX && start(started))
        started++;
    check(EVENTUALLY(rm_stat(L4RE_RM_STATS_BUSY) == WAITING_MAX), "511 faults wait for a pager");
    check_eq((long)rm_stat(L4RE_RM_STATS_WORKERS), WAITING_MAX + 1, "and one thread is left");
    check_eq(touch_fresh(FRESH), FRESH, "which serves everybody else");
    for (unsigned i = 0; i < MORE; i++)
        started += start(started);
    check_eq(started, MANY, "three more faults for the same pager");
    check(EVENTUALLY(refused == before + MORE) && went_on == MORE, "are a clean fault each");
    check_eq(touch_fresh(FRESH), FRESH, "everybody else is served as before");
    check_eq((long)rm_stat(L4RE_RM_STATS_BUSY), WAITING_MAX, "who waited waits");
    hangs = false;
    check(EVENTUALLY(went_on == MANY) && refused == before + MORE,
          "until the pager answers: then all go on");
    check_eq((long)rm_stat(L4RE_RM_STATS_BUSY), 0, "nobody waits any more");
    while (started-- > 0)
        thread_end(&many[started]);
    l4re_rm_detach(at);
    thread_end(&hanging);
    l4re_util_cap_free_um(gate);
}
