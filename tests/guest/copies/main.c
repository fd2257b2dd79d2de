/*
 * copies/main.c - copies and snapshots of other managers' dataspaces, while anon serves everybody
 *
 *   client (a thread) --copy--> anon --map--> source (another thread, which may keep silent)
 *
 * Page n of the source begins with 'a' + n. Whatever happens to one copy, others get their pages
 * meanwhile, and in the end everything is as it was.
 */
#include "balance.h"
#include "tap.h"

#include <abi/stats.h>
#include <l4/re/c/dataspace.h>
#include <l4/re/c/managed.h>
#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/namespace.h>
#include <l4/re/c/rm.h>
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

enum { PAGES = 8, SIZE = PAGES * L4_PAGESIZE, STACK = 16384, CLIENTS = 10, FRESH = 64 };

/* An account that holds a copy of the source, with its index. */
enum { ENOUGH = PAGES + 1 };

static char source_pages[PAGES][L4_PAGESIZE] __attribute__((aligned(L4_PAGESIZE)));

static l4_umword_t used(l4_cap_idx_t gate)
{
    return ds_stat(gate, L4RE_STATS_GET_OP, L4RE_DS_STATS_USED) / L4_PAGESIZE;
}

static l4_umword_t dataspaces(l4_cap_idx_t account)
{
    return ds_stat(account, L4RE_STATS_GET_OP, L4RE_DS_STATS_DATASPACES);
}

/* Are the source's pages in it? */
static bool is_copy(l4re_ds_t ds)
{
    volatile char *at = attach(ds, SIZE, L4RE_RM_F_R);
    bool good = at != NULL;

    for (unsigned i = 0; i < PAGES && good; i++)
        good = at[i * L4_PAGESIZE] == (char)('a' + i);
    l4re_rm_detach((void *)at);
    return good;
}

/* Fresh pages of anon, the life of a dataspace each time: how many could be written. */
static long others_are_served(void)
{
    l4re_ds_t ds = l4re_util_cap_alloc();
    volatile char *at;
    long good = 0;

    l4re_ma_alloc(FRESH * L4_PAGESIZE, ds, 0);
    at = attach(ds, FRESH * L4_PAGESIZE, L4RE_RM_F_RW);
    for (unsigned i = 0; at && i < FRESH; i++)
        good += at[i * L4_PAGESIZE]++ == 0;
    l4re_rm_detach((void *)at);
    l4re_util_cap_free_um(ds);
    return good;
}

/* ---------------------------------------------------------------- threads */

struct thread {
    l4_cap_idx_t cap;
    l4_utcb_t *utcb;
    char stack[STACK] __attribute__((aligned(16)));
};

static void thread_start(struct thread *t, void (*pc)(void), l4_umword_t argument)
{
    l4re_env_t *env = l4re_env();

    t->cap = l4re_util_cap_alloc();
    t->utcb = l4re_util_utcb_alloc();
    memset(t->stack, 0, STACK);
    t->utcb->tcr.user[0] = argument;
    if (l4util_create_thread(t->cap, t->utcb, env->factory, (l4_umword_t)pc,
                             (l4_umword_t)(t->stack + STACK), env->rm, L4_BASE_TASK_CAP,
                             env->scheduler, l4_sched_param(99, 0)) < 0)
        printf("# no thread\n");
}

static void thread_end(struct thread *t)
{
    l4re_util_cap_free_um(t->cap);
    l4re_util_utcb_free(t->utcb);
}

/* ---------------------------------------------------------------- sources */

static struct thread source_thread;
static l4_cap_idx_t source;
static volatile bool silent;   /* it does not answer */
static volatile unsigned asked; /* for pages */

L4UTIL_THREAD_STATIC_FUNC(source_main)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(u, &label, L4_IPC_NEVER), answer;

    for (;;) {
        l4_umword_t page = u->msg.mr[1] / L4_PAGESIZE % PAGES;

        if (l4_msgtag_has_error(tag)) { /* who asked is gone */
            tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);
            continue;
        }
        answer = l4_msgtag(-L4_ENOSYS, 0, 0, 0);
        if ((u->msg.mr[0] & 0xffff) == L4RE_DS_INFO_OP) {
            u->msg.mr[0] = SIZE;
            u->msg.mr[1] = L4RE_DS_F_R;
            answer = l4_msgtag(0, 2, 0, 0);
        } else if ((u->msg.mr[0] & 0xffff) == L4RE_DS_MAP_OP) {
            asked++;
            while (silent)
                l4_ipc_sleep_ms(1);
            u->msg.mr[0] = L4_ITEM_MAP;
            u->msg.mr[1] = l4_fpage((l4_addr_t)source_pages[page], L4_PAGESHIFT, L4_FPAGE_RO).raw;
            answer = l4_msgtag(0, 0, 1, 0);
        }
        tag = l4_ipc_reply_and_wait(u, answer, &label, L4_IPC_SEND_TIMEOUT_0);
    }
}

static void source_start(bool is_silent)
{
    silent = is_silent;
    asked = 0;
    thread_start(&source_thread, source_main, 0);
    source = l4re_util_cap_alloc();
    l4_factory_create_gate(l4re_env()->factory, source, source_thread.cap, 0);
}

static void source_end(void)
{
    silent = false;
    thread_end(&source_thread);
    l4re_util_cap_free_um(source);
}

/* ---------------------------------------------------------------- clients */

static struct client {
    struct thread thread;
    l4_cap_idx_t account; /* of a snapshot, or */
    l4re_ds_t ds;         /* where to; the snapshot */
    volatile bool done;
    volatile long result;
} clients[CLIENTS];

L4UTIL_THREAD_STATIC_FUNC(client_main)
{
    struct client *c = &clients[l4_utcb()->tcr.user[0]];

    c->result = l4_is_invalid_cap(c->account)
                    ? l4re_ds_copy_in(c->ds, 0, source, 0, SIZE)
                    : l4re_ma_snapshot_srv(c->account, source, c->ds, 0);
    c->done = true;
    for (;;)
        l4_ipc_sleep(L4_IPC_NEVER);
}

static struct client *copy_start(unsigned n, l4_cap_idx_t account, l4re_ds_t ds)
{
    struct client *c = &clients[n];

    c->account = account;
    c->ds = ds;
    c->done = false;
    c->result = 1;
    thread_start(&c->thread, client_main, n);
    return c;
}

/* ---------------------------------------------------------------- tests */

static void others_do_not_wait(void)
{
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, SIZE, 0), shot = l4re_util_cap_alloc();
    l4_cap_idx_t account = new_account(ENOUGH);
    struct client *c, *d;

    source_start(true);
    d = copy_start(1, account, shot);
    tap_ok(EVENTUALLY(asked == 1 && dataspaces(account) == 1), "a silent source is asked");
    c = copy_start(0, L4_INVALID_CAP, ds);
    tap_eq(others_are_served(), FRESH, "anon serves others meanwhile");
    tap_ok(is_copy(ds) == false && !c->done && !d->done, "and who wants the copies waits");
    silent = false;
    tap_ok(EVENTUALLY(c->done && d->done), "until the source answers");
    tap_ok(c->result == 0 && is_copy(ds), "the copy is whole");
    tap_ok(d->result == 0 && is_copy(shot), "so is the snapshot");
    tap_eq(asked, 2 * PAGES, "each page was asked for once");
    tap_eq((long)ds_stat(ds, L4RE_STATS_GET_OP, L4RE_DS_STATS_SOURCE_MAPS), PAGES, "as anon says");
    tap_eq((long)used(account), ENOUGH, "the snapshot is paid for by its account");
    thread_end(&c->thread);
    thread_end(&d->thread);
    source_end();
    l4re_util_cap_free_um(ds);
    l4re_util_cap_free_um(shot);
    end_account(account);
}

static void a_copy_costs_what_it_holds(void)
{
    l4_cap_idx_t poor = new_account(ENOUGH - 1);
    l4re_ds_t shot = l4re_util_cap_alloc(), ds = new_ds(poor, SIZE, 0);

    source_start(false);
    tap_eq(l4re_ma_snapshot_srv(poor, source, shot, 0), -L4_ENOMEM, "one page more than the quota");
    tap_ok(used(poor) == 0 && dataspaces(poor) == 1, "leaves nothing");
    tap_eq(l4re_ma_snapshot_srv(poor, source, shot, L4RE_MA_RESERVED), -L4_ENOMEM,
           "nor can it be reserved");
    tap_eq(l4re_ds_copy_in(ds, 0, source, 0, SIZE), -L4_ENOMEM, "a copy is as dear");
    tap_eq((long)used(poor), ENOUGH - 1, "and keeps what it got");
    source_end();
    l4re_util_cap_free_um(ds);
    l4re_util_cap_free(shot);
    end_account(poor);
}

static void a_silent_source(void)
{
    l4_cap_idx_t account = new_account(ENOUGH);
    l4re_ds_t shot = l4re_util_cap_alloc();

    source_start(true);
    tap_ok(l4re_ma_snapshot_srv(account, source, shot, 0) < 0, "who never answers is given up");
    tap_ok(used(account) == 0 && dataspaces(account) == 0, "with what was there of the snapshot");
    source_end();
    l4re_util_cap_free(shot);
    end_account(account);
}

enum victim { SOURCE, CLIENT, DATASPACE, ACCOUNT };

/* Somebody dies while a source keeps silent; for the others nothing happens. */
static void somebody_dies(enum victim who, bool snapshot, const char *sentence)
{
    l4_cap_idx_t account = new_account(ENOUGH), anon = l4re_env_get_cap("anon");
    l4_umword_t before = ds_stat(anon, L4RE_STATS_TOTALS_OP, L4RE_DS_STATS_DATASPACES);
    l4re_ds_t ds = snapshot ? l4re_util_cap_alloc() : new_ds(account, SIZE, 0);
    struct client *c;
    bool good;

    source_start(true);
    c = copy_start(0, snapshot ? account : L4_INVALID_CAP, ds);
    good = EVENTUALLY(asked == 1);
    if (who == SOURCE)
        l4_task_delete_obj(L4_BASE_TASK_CAP, source_thread.cap);
    if (who == CLIENT)
        l4_task_delete_obj(L4_BASE_TASK_CAP, c->thread.cap);
    if (who == DATASPACE) {
        l4_utcb()->msg.mr[0] = L4RE_DS_RELEASE_OP;
        l4_ipc_call(ds, l4_utcb(), l4_msgtag(L4RE_PROTO_DATASPACE, 1, 0, 0), L4_IPC_NEVER);
    }
    if (who == ACCOUNT)
        end_account(account);
    else if (who == CLIENT)
        silent = false; /* anon learns of its client's death when it has the page */
    l4_ipc_sleep_ms(20); /* not the seconds after which a source is given up */
    good &= who == CLIENT ? dataspaces(account) == !snapshot : c->done && c->result < 0;
    tap_ok(good && asked == 1, sentence);
    if (who != ACCOUNT && snapshot)
        tap_ok(used(account) == 0 && dataspaces(account) == 0, "and nothing is left of it");
    thread_end(&c->thread);
    source_end();
    l4re_util_cap_free_um(ds);
    if (who != ACCOUNT)
        end_account(account);
    tap_eq((long)(ds_stat(anon, L4RE_STATS_TOTALS_OP, L4RE_DS_STATS_DATASPACES) - before), 0,
           "all dataspaces are gone");
    tap_eq(others_are_served(), FRESH, "anon serves the others");
}

/* The first of two messages: the gate in `slot` would do the copy. */
static long ask_only(l4re_ds_t ds, l4_cap_idx_t slot)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = L4RE_DS_COPY_IN_OP;
    u->msg.mr[1] = u->msg.mr[2] = 0;
    u->msg.mr[3] = SIZE;
    u->msg.mr[4] = L4_ITEM_MAP;
    u->msg.mr[5] = l4_obj_fpage(source, 0, L4_CAP_FPAGE_RO).raw;
    u->buf.bdr = 0;
    u->buf.br[0] = slot | L4_RCV_ITEM_SINGLE_CAP;
    u->buf.br[1] = 0;
    return l4_error(l4_ipc_call(ds, u, l4_msgtag(L4RE_PROTO_DATASPACE, 4, 1, 0), L4_IPC_NEVER));
}

static long gate_call(l4_cap_idx_t gate)
{
    return l4_error(l4_ipc_call(gate, l4_utcb(), l4_msgtag(0, 0, 0, 0), L4_IPC_NEVER));
}

static void gates_of_copies(void)
{
    l4_cap_idx_t account = new_account(ENOUGH), slot[3];
    l4re_ds_t ds = new_ds(account, SIZE, 0);

    for (unsigned i = 0; i < 3; i++)
        slot[i] = l4re_util_cap_alloc();
    source_start(false);
    tap_eq(ask_only(ds, slot[0]), -L4_EAGAIN, "a copy from others is answered with a gate");
    tap_ok(asked == 0 && gate_call(slot[0]) == 0 && is_copy(ds), "which does it when it is called");
    tap_ok(gate_call(slot[0]) < 0 && asked == PAGES, "once");
    tap_ok(ask_only(ds, slot[0]) == -L4_EAGAIN && ask_only(ds, slot[1]) == -L4_EAGAIN,
           "an account has two copies at a time");
    l4_ipc_sleep_ms(40);
    tap_eq(ask_only(ds, slot[2]), -L4_EBUSY, "and no third");
    tap_eq(gate_call(slot[0]), 0, "each of them is done");
    ask_only(ds, slot[0]);
    l4_ipc_sleep_ms(60);
    tap_eq(ask_only(ds, slot[2]), -L4_EAGAIN, "one that nobody calls for gives way");
    tap_ok(gate_call(slot[1]) < 0 && gate_call(slot[0]) == 0, "the one that waits longest");
    end_account(account);
    tap_ok(gate_call(slot[2]) < 0, "the gates end with the account");
    source_end();
    l4re_util_cap_free(ds);
    for (unsigned i = 0; i < 3; i++)
        l4re_util_cap_free(slot[i]);
}

/* Who has two copies gets no third at somebody else's cost, however long that one waits. */
static void copies_of_others(void)
{
    l4_cap_idx_t account[2], slot[4];
    l4re_ds_t ds[2];

    source_start(false);
    for (unsigned i = 0; i < 4; i++)
        slot[i] = l4re_util_cap_alloc();
    for (unsigned i = 0; i < 2; i++) {
        account[i] = new_account(ENOUGH);
        ds[i] = new_ds(account[i], SIZE, 0);
    }
    ask_only(ds[0], slot[0]);
    l4_ipc_sleep_ms(100);
    tap_ok(ask_only(ds[1], slot[1]) == -L4_EAGAIN && ask_only(ds[1], slot[2]) == -L4_EAGAIN &&
           ask_only(ds[1], slot[3]) == -L4_EBUSY, "a copy that waits makes no room for a third");
    tap_eq(gate_call(slot[0]), 0, "of another account, and is done in the end");
    for (unsigned i = 0; i < 2; i++) {
        end_account(account[i]);
        l4re_util_cap_free(ds[i]);
    }
    for (unsigned i = 0; i < 4; i++)
        l4re_util_cap_free_um(slot[i]);
    source_end();
}

static unsigned clients_done(unsigned n, long result)
{
    unsigned done = 0;

    for (unsigned i = 0; i < n; i++)
        done += clients[i].done && clients[i].result == result;
    return done;
}

/* As many as anon has threads for, and then one that could be done at once. */
static void many_hang(void)
{
    enum { HANGING = 8, EACH = 2 };
    l4_cap_idx_t accounts[HANGING / EACH], file = l4re_util_cap_alloc();
    l4re_ds_t shots[HANGING], ds = new_ds(l4re_env()->mem_alloc, SIZE, 0);
    unsigned done = 0;

    source_start(true);
    for (unsigned i = 0; i < HANGING; i++) {
        if (i % EACH == 0)
            accounts[i / EACH] = new_account(2 * ENOUGH);
        shots[i] = l4re_util_cap_alloc();
        copy_start(i, accounts[i / EACH], shots[i]);
        l4_ipc_sleep_ms(2);
    }
    l4_ipc_sleep_ms(60);
    for (unsigned i = 0; i < HANGING; i++)
        done += clients[i].done;
    tap_eq(done, 0, "eight copies hang");
    tap_eq(l4re_ns_query_srv(l4re_env_get_cap("rom"), "copies.elf", file), 0, "a file");
    tap_eq(l4re_ds_copy_in(ds, 5, file, 3, L4_PAGESIZE), 0, "is copied meanwhile");
    l4_ipc_sleep_ms(10); /* not the seconds after which a source is given up */
    tap_ok(clients[0].done && clients[0].result < 0 && !clients[1].done,
           "the one that waited longest gives way");
    silent = false;
    tap_ok(EVENTUALLY(clients_done(HANGING, 0) == HANGING - 1),
           "the others go on when their source does");
    for (unsigned i = 0; i < HANGING; i++) {
        thread_end(&clients[i].thread);
        l4re_util_cap_free(shots[i]);
        if (i % EACH)
            end_account(accounts[i / EACH]);
    }
    source_end();
    l4re_util_cap_free_um(ds);
    l4re_util_cap_free_um(file);
}

/* A source that needs anon itself for its answer. */
static void through_another_manager(void)
{
    l4_cap_idx_t map = l4re_util_cap_alloc();
    l4re_ds_t front = l4re_util_cap_alloc(), back = new_ds(l4re_env()->mem_alloc, SIZE, 0);
    l4re_ds_t shot = l4re_util_cap_alloc();
    volatile char *at = attach(back, SIZE, L4RE_RM_F_RW);
    void *start = NULL;

    for (unsigned i = 0; i < PAGES; i++)
        at[i * L4_PAGESIZE] = (char)('a' + i);
    l4re_managed_create(l4re_env_get_cap("managed"), SIZE, map);
    l4re_managed_dataspace(map, front);
    l4re_rm_attach_srv(map, &start, SIZE, L4RE_RM_F_RW, back, 0, L4_PAGESHIFT);
    tap_eq(l4re_ma_snapshot(front, shot, 0), 0, "a snapshot of anon's own pages behind a map");
    at[0] = 'x';
    tap_ok(is_copy(shot), "is not changed with them");
    l4re_rm_detach((void *)at);
    l4re_util_cap_free_um(map);
    l4re_util_cap_free(front);
    l4re_util_cap_free_um(back);
    l4re_util_cap_free_um(shot);
}

int main(void)
{
    for (unsigned i = 0; i < PAGES; i++)
        memset(source_pages[i], (int)('a' + i), L4_PAGESIZE);
    others_do_not_wait();
    a_copy_costs_what_it_holds();
    a_silent_source();
    somebody_dies(SOURCE, false, "when the source dies, the client gets an error");
    somebody_dies(SOURCE, true, "with a snapshot, too");
    somebody_dies(CLIENT, false, "when the client dies, its copy ends");
    somebody_dies(CLIENT, true, "or its snapshot");
    somebody_dies(DATASPACE, false, "when the dataspace ends, the copy into it does");
    somebody_dies(ACCOUNT, false, "or when its account ends");
    somebody_dies(ACCOUNT, true, "as a snapshot does");
    gates_of_copies();
    copies_of_others();
    many_hang();
    through_another_manager();
    return tap_done();
}
