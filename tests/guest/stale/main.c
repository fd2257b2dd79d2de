/*
 * stale/main.c - a message that waits for a server while the gate that it came through is deleted
 *
 * The manager is less important than we are: what we send waits until we sleep. So a dataspace
 * can be asked for a page, after it has been told to end and before somebody gets its place.
 */
#include "tap.h"

#include <abi/stats.h>
#include <l4/re/c/dataspace.h>
#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/stats.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/c/util/kumem_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/err.h>
#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>
#include <l4/sys/task.h>
#include <l4/util/thread.h>

#include <string.h>

enum { STACK = 8192, ROUNDS = 20, THREADS = 3 };

/* What a thread sends, and what came of it. */
static struct call {
    l4_cap_idx_t to, slot;
    long label;
    unsigned words, items;
    l4_umword_t word[6];
    volatile bool done;
    volatile long result;
    l4_cap_idx_t thread;
    l4_utcb_t *utcb;
    char stack[STACK] __attribute__((aligned(16)));
} calls[THREADS];

L4UTIL_THREAD_STATIC_FUNC(caller)
{
    l4_utcb_t *u = l4_utcb();
    struct call *c = &calls[u->tcr.user[0]];

    memcpy(u->msg.mr, c->word, sizeof(c->word));
    u->buf.bdr = 0;
    u->buf.br[0] = c->slot | L4_RCV_ITEM_SINGLE_CAP;
    u->buf.br[1] = 0;
    c->result = l4_error_u(l4_ipc_call(c->to, u, l4_msgtag(c->label, c->words, c->items, 0),
                                       L4_IPC_NEVER), u);
    c->done = true;
    for (;;)
        l4_ipc_sleep(L4_IPC_NEVER);
}

static void call_start(unsigned n)
{
    struct call *c = &calls[n];
    l4re_env_t *env = l4re_env();

    c->done = false;
    c->thread = l4re_util_cap_alloc();
    c->utcb = l4re_util_utcb_alloc();
    c->utcb->tcr.user[0] = n;
    memset(c->stack, 0, STACK);
    l4util_create_thread(c->thread, c->utcb, env->factory, (l4_umword_t)caller,
                         (l4_umword_t)(c->stack + STACK), env->rm, L4_BASE_TASK_CAP,
                         env->scheduler, l4_sched_param(101, 0));
}

static void calls_end(void)
{
    for (unsigned n = 0; n < THREADS; n++) {
        for (unsigned tries = 0; !calls[n].done && tries < 1000; tries++)
            l4_ipc_sleep_ms(1);
        l4re_util_cap_free_um(calls[n].thread);
        l4re_util_utcb_free(calls[n].utcb);
    }
}

/* Three messages that wait for anon: an end, a new dataspace, and one for what has ended. */
static void a_dataspace_ends(void)
{
    unsigned refused = 0, made = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        l4re_ds_t old = l4re_util_cap_alloc(), new = l4re_util_cap_alloc();

        l4re_ma_alloc(L4_PAGESIZE, old, 0);
        calls[0] = (struct call){.to = old, .label = L4RE_PROTO_DATASPACE, .words = 1,
                                 .word = {L4RE_DS_RELEASE_OP}};
        calls[1] = (struct call){.to = l4re_env()->mem_alloc, .label = L4_PROTO_FACTORY,
                                 .words = 3, .slot = new,
                                 .word = {L4RE_PROTO_DATASPACE,
                                          sizeof(l4_umword_t) << 16 | L4_VARG_TYPE_UMWORD,
                                          2 * L4_PAGESIZE}};
        calls[2] = (struct call){.to = old, .label = L4RE_PROTO_DATASPACE, .words = 1,
                                 .word = {L4RE_DS_INFO_OP}};
        for (unsigned n = 0; n < THREADS; n++)
            call_start(n);
        calls_end();
        made += calls[1].result == 0 && l4re_ds_size(new) == 2 * L4_PAGESIZE;
        refused += calls[0].result == 0 && calls[2].result < 0;
        l4re_util_cap_free(old);
        l4re_util_cap_free_um(new);
    }
    tap_eq(made, ROUNDS, "a dataspace ends and another one takes its place");
    tap_eq(refused, ROUNDS, "a message that waited for the old one does not reach the new one");
}

int main(void)
{
    a_dataspace_ends();
    return tap_done();
}
