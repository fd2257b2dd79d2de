/*
 * source.c - inside the framework: reading a page of another manager's dataspace
 *
 * The other manager may take the page away while we read it. Then we fault, and a manager has no
 * pager that could help. So before the first foreign page comes in, a second thread, the guard,
 * becomes our pager: a fault in the window it answers with a page of zeros, and remembers it.
 *
 *   manager --reads--> window --fault--> guard --zeros--> window     manager goes on, then: -L4_EIO
 *                   elsewhere --fault--> guard --refused--> exception: the root task reports it
 *
 * W1  Foreign memory is read in the window only, and mapped nowhere else.
 * W2  No foreign page is mapped before the guard is our pager.
 * W3  The guard touches only memory that the root task has mapped before the manager started.
 */
#include "source.h"

#include <abi/env.h>
#include <abi/errors.h>
#include <abi/msg.h>
#include <abi/protocols.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>
#include <l4/sys/task.h>
#include <l4/util/thread.h>

#include <stdbool.h>

enum {
    GUARD_STACK = 4096,
    /* Microseconds that the other manager may take for a page before we give up on it. */
    SOURCE_TIMEOUT_US = 1000000,
};

/* Above all RAM, which is mapped 1:1. */
static const l4_addr_t window = 0x7e0000000000UL;

static char guard_stack[GUARD_STACK] __attribute__((aligned(16)));
static const char zeros[L4_PAGESIZE] __attribute__((aligned(L4_PAGESIZE)));
static volatile bool lost; /* the guard had to help */
static bool guarded;

/* -------------------------------------------------------------------- the guard */

static l4_msgtag_t guard_answer(l4_utcb_t *utcb, l4_msgtag_t tag)
{
    l4_addr_t address = utcb->msg.mr[0];

    if (l4_msgtag_label(tag) != L4_PROTO_PAGE_FAULT ||
        (address & (L4_PF_WRITE | L4_PF_FETCH)) || (address & L4_PAGEMASK) != window)
        return l4_msgtag(-L4_EFAULT, 0, 0, 0);
    lost = true;
    utcb->msg.mr[0] = window | L4_ITEM_MAP;
    utcb->msg.mr[1] = l4_fpage((l4_addr_t)zeros, L4_PAGESHIFT, L4_FPAGE_RO).raw;
    return l4_msgtag(0, 0, 1, 0);
}

L4UTIL_THREAD_STATIC_FUNC(guard)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(utcb, &label, L4_IPC_NEVER);

    for (;;) {
        if (l4_msgtag_has_error(tag))
            tag = l4_ipc_wait(utcb, &label, L4_IPC_NEVER);
        else
            tag = l4_ipc_reply_and_wait(utcb, guard_answer(utcb, tag), &label,
                                        L4_IPC_SEND_TIMEOUT_0);
    }
}

/* The gate through which our faults reach the guard is our pager from now on. */
static long pager_set(l4_cap_idx_t thread, l4_cap_idx_t gate)
{
    long err = l4_error(l4_factory_create_gate(l4re_env()->factory, gate, thread, 0));

    if (err < 0)
        return err;
    l4_thread_control_start();
    l4_thread_control_pager(gate);
    err = l4_error(l4_thread_control_commit(L4_BASE_THREAD_CAP));
    if (err < 0)
        l4_task_delete_obj(L4_BASE_TASK_CAP, gate);
    return err < 0 ? err : 0;
}

static long guard_start(l4_cap_idx_t thread, l4_cap_idx_t gate)
{
    const quire_env_page *page = (const quire_env_page *)QUIRE_ENV_ADDR;
    l4re_env_t *env = l4re_global_env;
    long err;

    if ((thread | gate) & L4_INVALID_CAP_BIT)
        return -L4_ENOMEM;
    err = l4util_create_thread(thread, (l4_utcb_t *)env->first_free_utcb, env->factory,
                               (l4_umword_t)guard, (l4_umword_t)(guard_stack + GUARD_STACK),
                               QUIRE_PARENT_CAP, L4_BASE_TASK_CAP, env->scheduler,
                               l4_sched_param(page->priority, 0));
    if (err < 0)
        return err;
    if ((err = pager_set(thread, gate)) < 0) {
        l4_task_delete_obj(L4_BASE_TASK_CAP, thread);
        return err;
    }
    env->first_free_utcb += L4_UTCB_OFFSET;
    return 0;
}

static long guard_have(void)
{
    l4_cap_idx_t thread, gate;
    long err;

    if (guarded)
        return 0;
    thread = l4re_util_cap_alloc();
    gate = l4re_util_cap_alloc();
    if ((err = guard_start(thread, gate)) != 0) {
        l4re_util_cap_free(thread);
        l4re_util_cap_free(gate);
        return err;
    }
    guarded = true;
    return 0;
}

/* -------------------------------------------------------------------- the window */

long source_map(l4_cap_idx_t ds, l4_umword_t offset, const char **at)
{
    l4_timeout_s wait = l4_timeout_from_us(SOURCE_TIMEOUT_US);
    l4_utcb_t *utcb = l4_utcb();
    l4_msgtag_t tag;
    long err = guard_have();

    if (err != 0)
        return err;
    lost = false;
    utcb->msg.mr[0] = L4RE_DS_MAP_OP;
    utcb->msg.mr[1] = offset;
    utcb->msg.mr[2] = window;
    utcb->msg.mr[3] = L4RE_DS_F_R;
    utcb->buf.bdr = 0;
    utcb->buf.br[0] = L4_ITEM_MAP;
    utcb->buf.br[1] = l4_fpage(window, L4_PAGESHIFT, 0).raw;
    tag = l4_ipc_call(ds, utcb, l4_msgtag(L4RE_PROTO_DATASPACE, 4, 0, 0), l4_timeout(wait, wait));
    if ((err = l4_error_u(tag, utcb)) < 0)
        return err;
    if (l4_msgtag_items(tag) == 0 || l4_msgtag_words(tag) > L4_UTCB_GENERIC_DATA_SIZE - 2 ||
        (utcb->msg.mr[l4_msgtag_words(tag)] & L4_ITEM_RET_MASK) != L4_ITEM_RET_MAPPED)
        return -L4_EIO;
    *at = (const char *)window;
    return 0;
}

long source_unmap(void)
{
    l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(window, L4_PAGESHIFT, L4_FPAGE_RWX),
                  L4_FP_ALL_SPACES);
    return lost ? -L4_EIO : 0;
}

long source_size(l4_cap_idx_t ds, l4_umword_t *size)
{
    l4_timeout_s wait = l4_timeout_from_us(SOURCE_TIMEOUT_US);
    l4_utcb_t *utcb = l4_utcb();
    l4_msgtag_t tag;
    long err;

    utcb->msg.mr[0] = L4RE_DS_INFO_OP;
    tag = l4_ipc_call(ds, utcb, l4_msgtag(L4RE_PROTO_DATASPACE, 1, 0, 0), l4_timeout(wait, wait));
    if ((err = l4_error_u(tag, utcb)) < 0)
        return err;
    *size = utcb->msg.mr[0];
    return l4_msgtag_words(tag) < 2 ? -L4_EMSGTOOSHORT : 0;
}
