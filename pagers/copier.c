/*
 * copier.c - inside the framework: copies from other managers' dataspaces
 *
 * A stranger may let us wait, or take away a page while we read it. So the manager's own thread
 * never asks one, but gives the copy to another thread, a copier, and goes on serving. The client
 * gets a gate to that copier, which does the copy when the client calls it:
 *
 *   client --copy--> manager                   -L4_EAGAIN and a gate
 *   client --gate--> copier --map--> source    page by page
 *                    copier --page, end--> manager --> dataspace
 *   client <--0, error, snapshot-- copier
 *
 * R1  Dataspaces and accounts are the business of the manager's thread: a copier has its copy of a
 *     page, says so, and the manager enters it.
 * R2  The manager's thread never touches foreign memory: a copier reads it, in its window, and
 *     nowhere else. If the page goes meanwhile, the copier faults; the manager, its pager, gives it
 *     something to read, and the copy ends with -L4_EIO.
 * R3  A copier serves one copy at a time. Each copy has a gate and a number of its own; a message
 *     with another number is answered with an error.
 * R4  A copy ends with its dataspace and with its account; and, if others want the copier, when it
 *     has waited too long for its client or its source.
 * R5  The dataspace that a snapshot is made into belongs to the copy until it is whole.
 */
#include "copier.h"
#include "source.h"

#include <abi/env.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/c/util/kumem_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/factory.h>
#include <l4/sys/kip.h>
#include <l4/sys/task.h>
#include <l4/util/thread.h>

/* Limits, each with its reason. */
enum {
    COPIERS = 8,           /* copies under way: a thread and two pages for each */
    COPIES_OF_ACCOUNT = 2, /* so that nobody has them all */
    PATIENCE_US = 50000,   /* after which a copy that waits makes room for another one */
};

/* What a copier says to the manager. */
enum { COPY_OPEN, COPY_PAGE, COPY_END };

struct copier {
    struct l4_server_object object; /* behind its gate to the manager: what it says, its faults */
    l4_cap_idx_t thread, to_manager;
    l4_cap_idx_t passed; /* a snapshot's gate on its way to the client */
    l4_utcb_t *utcb;
    char *stack, *page;
    bool runs;
    /* its copy */
    struct copy copy;
    bool snapshot;
    l4_umword_t number; /* label of the gate; 0: there is no copy */
    l4_cap_idx_t gate, source;
    l4_cpu_time_t since; /* when it began to wait for its client or its source, 0: it does not */
    bool lost;
};

l4_cap_idx_t received_cap;
static struct copier copiers[COPIERS];

/* ---------------------------------------------------------------- the copier's thread */

static long tell(const struct copier *c, l4_umword_t op, l4_umword_t value)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = op;
    u->msg.mr[1] = value;
    return l4_error_u(l4_ipc_call(c->to_manager, u, l4_msgtag(0, 2, 0, 0), L4_IPC_NEVER), u);
}

/* Does the client still wait for us? */
static bool wanted(const struct copier *c)
{
    l4_kernel_clock_t us;

    return l4_error(l4_thread_stats_time(c->thread, &us)) >= 0 && l4_utcb()->msg.mr[1];
}

static l4_addr_t window_of(const struct copier *c)
{
    return SOURCE_WINDOW + ((l4_addr_t)(c - copiers) << L4_PAGESHIFT);
}

/* What lies in one page of the source. */
static long copy_page(struct copier *c, l4_umword_t from, l4_umword_t size)
{
    long err;

    c->since = l4_kip_clock(l4re_kip());
    err = source_read(c->source, from, window_of(c), c->page, size);
    c->since = 0;
    if (err != 0)
        return err;
    return wanted(c) ? tell(c, COPY_PAGE, size) : -L4_ENOREPLY;
}

static long copy_all(struct copier *c)
{
    l4_umword_t from = c->copy.from, left = c->copy.size;
    long err = 0;

    c->since = l4_kip_clock(l4re_kip());
    if (c->snapshot && (err = source_size(c->source, &left)) == 0)
        err = tell(c, COPY_OPEN, left);
    if (c->snapshot)
        left = (left + L4_PAGESIZE - 1) & L4_PAGEMASK;
    while (err == 0 && left > 0) {
        l4_umword_t in_page = from & (L4_PAGESIZE - 1);
        l4_umword_t n = L4_PAGESIZE - in_page < left ? L4_PAGESIZE - in_page : left;

        err = copy_page(c, from, n);
        from += n;
        left -= n;
    }
    return err;
}

/* From the moment at which it has been told of the end, the next copy may begin. */
static l4_msgtag_t copy_do(struct copier *c)
{
    bool snapshot = c->snapshot;
    long err = copy_all(c);
    l4_utcb_t *u = l4_utcb();

    err = tell(c, COPY_END, (l4_umword_t)err);
    if (err < 0 || !snapshot)
        return l4_msgtag(err, 0, 0, 0);
    u->msg.mr[0] = L4_ITEM_MAP | L4_MAP_ITEM_GRANT;
    u->msg.mr[1] = l4_obj_fpage(c->passed, 0, manager->gate_rights).raw;
    return l4_msgtag(0, 0, 1, 0);
}

L4UTIL_THREAD_STATIC_FUNC(copier_main)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);

    for (;;) {
        struct copier *c = (struct copier *)u->tcr.user[0]; /* there before the first message */

        if (l4_msgtag_has_error(tag)) {
            tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);
            continue;
        }
        tag = (label & ~3UL) == c->number ? copy_do(c) : l4_msgtag(-L4_ENOENT, 0, 0, 0);
        u->buf.bdr = 0;
        u->buf.br[0] = 0;
        tag = l4_ipc_reply_and_wait(u, tag, &label, L4_IPC_SEND_TIMEOUT_0);
    }
}

/* ---------------------------------------------------------------- what the manager does for it */

static long page_fault(struct copier *c, l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    l4_addr_t address = utcb->msg.mr[0];

    if ((address & (L4_PF_WRITE | L4_PF_FETCH)) || (address & L4_PAGEMASK) != window_of(c))
        return -L4_EFAULT;
    c->lost = true;
    utcb->msg.mr[0] = window_of(c) | L4_ITEM_MAP;
    utcb->msg.mr[1] = l4_fpage((l4_addr_t)c->page, L4_PAGESHIFT, L4_FPAGE_RO).raw;
    *reply = l4_msgtag(0, 0, 1, 0);
    return 0;
}

static void slot_drop(l4_cap_idx_t *slot, bool object)
{
    if (object)
        l4_task_delete_obj(L4_BASE_TASK_CAP, *slot);
    else
        l4_task_release_cap(L4_BASE_TASK_CAP, *slot);
    l4re_util_cap_free(*slot);
}

/* There is no copy any more; what a snapshot has so far goes, unless it is whole. */
static void copy_drop(struct copier *c, bool whole)
{
    struct dataspace *ds = c->copy.ds;

    c->number = 0;
    c->copy.ds = NULL;
    slot_drop(&c->gate, true);
    slot_drop(&c->source, false);
    if (c->snapshot && ds && !whole) {
        if (in_use[0] == ds)
            in_use[0] = NULL;
        dataspace_release(ds);
    }
}

static long copy_open(struct copier *c, l4_umword_t size)
{
    struct ds_request what = {.size = size, .flags = c->copy.flags, .align = L4_PAGESHIFT};

    c->since = 0;
    if (size == 0 || size > L4_USER_END)
        return -L4_ERANGE;
    return dataspace_new(c->copy.account, &what, dataspace_dispatch, &c->copy.ds);
}

static void count_source_map(struct dataspace *ds)
{
    ds->counts.source_maps++;
    ds->account->counts.source_maps++;
    ds_totals.source_maps++;
}

/* R1: the next `size` bytes. */
static long copy_enter(struct copier *c, l4_umword_t size)
{
    l4_umword_t to = c->copy.to;

    count_source_map(c->copy.ds);
    c->copy.to += size;
    if (!c->lost)
        return manager->copy_in(c->copy.ds, to, c->page, size);
    c->lost = false;
    return -L4_EIO;
}

static long copy_end(struct copier *c, long err)
{
    if (err == 0 && c->snapshot)
        err = l4_error(l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP,
                                   l4_obj_fpage(c->copy.ds->gate, 0, manager->gate_rights),
                                   l4_map_obj_control(c->passed, 0)));
    copy_drop(c, err >= 0);
    return err < 0 ? err : 0;
}

static long copier_says(struct l4_server_object *self, l4_umword_t rights, l4_msgtag_t tag,
                        l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    struct copier *c = (struct copier *)self;

    (void)rights;
    if (l4_msgtag_label(tag) == L4_PROTO_PAGE_FAULT)
        return page_fault(c, utcb, reply);
    in_use[0] = c->copy.ds;
    switch (utcb->msg.mr[0]) {
    case COPY_OPEN:
        return copy_open(c, utcb->msg.mr[1]);
    case COPY_PAGE:
        return copy_enter(c, utcb->msg.mr[1]);
    default:
        return copy_end(c, (long)utcb->msg.mr[1]);
    }
}

/* ---------------------------------------------------------------- copiers */

static bool slot_have(l4_cap_idx_t *slot)
{
    l4_cap_idx_t new = *slot ? *slot : l4re_util_cap_alloc();

    if (!(new & L4_INVALID_CAP_BIT))
        *slot = new;
    return *slot;
}

/* What is missing after an error is made the next time. */
static long copier_memory(struct copier *c)
{
    c->page = c->page ? c->page : manager->new_page();
    c->stack = c->stack ? c->stack : manager->new_page();
    c->utcb = c->utcb ? c->utcb : l4re_util_utcb_alloc();
    if (!c->page || !c->stack || !c->utcb || !slot_have(&c->thread) || !slot_have(&c->passed) ||
        !slot_have(&c->to_manager))
        return -L4_ENOMEM;
    if (c->object.dispatch)
        return 0;
    c->object.dispatch = copier_says;
    if (l4_server_register(&c->object, c->to_manager, L4_BASE_THREAD_CAP) < 0)
        c->object.dispatch = NULL;
    return c->object.dispatch ? 0 : -L4_ENOMEM;
}

static long copier_run(struct copier *c)
{
    const quire_env_page *page = (const quire_env_page *)QUIRE_ENV_ADDR;
    l4re_env_t *env = l4re_global_env;
    long err = copier_memory(c);

    if (err == 0)
        err = l4util_create_thread(c->thread, c->utcb, env->factory, (l4_umword_t)copier_main,
                                   (l4_umword_t)(c->stack + L4_PAGESIZE), QUIRE_PARENT_CAP,
                                   L4_BASE_TASK_CAP, env->scheduler,
                                   l4_sched_param(page->priority, 0));
    if (err < 0)
        return err;
    c->utcb->tcr.user[0] = (l4_umword_t)c;
    l4_thread_control_start();
    l4_thread_control_pager(c->to_manager);
    err = l4_error(l4_thread_control_commit(c->thread));
    if (err < 0)
        l4_task_delete_obj(L4_BASE_TASK_CAP, c->thread);
    c->runs = err >= 0;
    return err < 0 ? err : 0;
}

/* Wherever its thread is, it goes; its client gets an error. */
static void copier_stop(struct copier *c)
{
    l4_task_delete_obj(L4_BASE_TASK_CAP, c->thread);
    l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(window_of(c), L4_PAGESHIFT, L4_FPAGE_RWX),
                  L4_FP_ALL_SPACES);
    c->runs = false;
    copy_drop(c, false);
}

void copies_end(const struct dataspace *ds, const struct account *account)
{
    for (struct copier *c = copiers; c < copiers + COPIERS; c++)
        if (c->number && ((ds && c->copy.ds == ds) || (account && c->copy.account == account)))
            copier_stop(c);
}

/* One without a copy; if there is none for this account, its copy that has waited longest gives
 * way, and if there is none at all, anybody's. */
static struct copier *copier_for(const struct account *account)
{
    l4_cpu_time_t now = l4_kip_clock(l4re_kip());
    struct copier *free = NULL, *slow = NULL;
    unsigned copies = 0;

    for (struct copier *c = copiers; c < copiers + COPIERS; c++)
        copies += c->number && c->copy.account == account;
    for (struct copier *c = copiers; c < copiers + COPIERS; c++) {
        if (!c->number)
            free = free ? free : c;
        else if ((copies < COPIES_OF_ACCOUNT || c->copy.account == account) && c->since &&
                 now - c->since > PATIENCE_US && (!slow || c->since < slow->since))
            slow = c;
    }
    if (free && copies < COPIES_OF_ACCOUNT)
        return free;
    if (slow)
        copier_stop(slow);
    return slow;
}

/* The source is kept, and another slot is for what comes next. */
static long copy_objects(struct copier *c)
{
    static l4_umword_t numbers;
    l4_cap_idx_t next = l4re_util_cap_alloc();
    long err;

    c->gate = l4re_util_cap_alloc();
    err = (next | c->gate) & L4_INVALID_CAP_BIT
              ? -L4_ENOMEM
              : l4_error(l4_factory_create_gate(l4re_env()->factory, c->gate, c->thread,
                                                numbers + 4));
    if (err < 0) {
        l4re_util_cap_free(next);
        l4re_util_cap_free(c->gate);
        return err;
    }
    c->number = numbers += 4;
    c->source = received_cap & L4_CAP_MASK;
    received_cap = next | L4_RCV_ITEM_LOCAL_ID;
    return 0;
}

long copy_foreign(const struct copy *what, l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    struct copier *c = copier_for(what->account);
    long err = c ? 0 : -L4_EBUSY;

    if (err == 0 && !c->runs)
        err = copier_run(c);
    if (err == 0)
        err = copy_objects(c);
    if (err != 0) {
        l4_task_release_cap(L4_BASE_TASK_CAP, received_cap & L4_CAP_MASK);
        return err;
    }
    c->copy = *what;
    c->lost = false;
    c->snapshot = !what->ds;
    c->since = l4_kip_clock(l4re_kip());
    answer_gate(utcb, c->gate, L4_CAP_FPAGE_RO, reply);
    *reply = l4_msgtag(-L4_EAGAIN, 0, 1, 0);
    return -L4_EAGAIN;
}
