/*
 * supervise/victim/main.c - a manager that is restarted, and that ends in every possible way
 */
#include "../victim.h"

#include <l4/re/c/parent.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/err.h>
#include <l4/sys/ipc.h>
#include <l4/sys/task.h>

enum { LABEL_FIRST = 0x1000, LABEL_STEP = 16, GATES = 64, WORD = 1, KEPT_MAX = 600 };
#define KEPT_FIRST (0x1000UL << L4_CAP_SHIFT)

static l4_umword_t words[GATES];
static l4_umword_t answered, found;
static l4_cap_idx_t spare; /* where gates land that are only bound, or passed on */

static long gate_open(l4_umword_t word, l4_msgtag_t *reply)
{
    l4_umword_t given[L4RE_PARENT_GATE_WORDS] = {0, word, ~word}, n;
    l4_cap_idx_t own = l4re_util_cap_alloc();
    l4_utcb_t *u = l4_utcb();
    long err = l4re_parent_gate(own, spare, 0, given, &n);

    if (err < 0)
        return err;
    if (n >= GATES)
        return -L4_ERANGE;
    words[n] = word;
    err = l4re_parent_gate_bind(n, LABEL_FIRST + n * LABEL_STEP);
    u->msg.mr[0] = n;
    u->msg.mr[1] = L4_ITEM_MAP | L4_MAP_ITEM_GRANT;
    u->msg.mr[2] = l4_obj_fpage(spare, 0, L4_CAP_FPAGE_RWSD).raw;
    *reply = l4_msgtag(0, 1, 1, 0);
    return err;
}

static unsigned kept;

static l4_cap_idx_t kept_slot(unsigned i)
{
    return KEPT_FIRST + ((l4_cap_idx_t)i << L4_CAP_SHIFT);
}

/* How many; the next was refused when it is less than KEEP_STEP. */
static unsigned keep(void)
{
    l4_umword_t given[L4RE_PARENT_GATE_WORDS] = {0}, n;
    unsigned before = kept;

    while (kept < before + KEEP_STEP && kept < KEPT_MAX &&
           l4re_parent_gate(kept_slot(kept), spare, 0, given, &n) == 0)
        kept++;
    return kept - before;
}

static void drop(void)
{
    while (kept)
        l4_task_delete_obj(L4_BASE_TASK_CAP, kept_slot(--kept));
}

static void die(l4_umword_t how)
{
    if (how == END_TRAP)
        __asm__ volatile("ud2");
    if (how == END_FAULT)
        *(volatile char *)0 = 1;
    if (how == END_EXIT)
        l4re_parent_signal(l4re_env()->parent, L4RE_SIG_EXIT, 3);
    for (;;)
        l4_ipc_sleep(L4_IPC_NEVER);
}

static l4_msgtag_t handle(l4_umword_t label, l4_msgtag_t tag, l4_utcb_t *u)
{
    l4_msgtag_t reply = l4_msgtag(0, 1, 0, 0);
    long err = 0;

    answered++;
    if (label >= LABEL_FIRST) {
        u->msg.mr[0] = words[(label - LABEL_FIRST) / LABEL_STEP];
        return reply;
    }
    if (l4_msgtag_label(tag) != PROTO_VICTIM)
        return l4_msgtag(-L4_ENOSYS, 0, 0, 0);
    switch (u->msg.mr[0]) {
    case VICTIM_OPEN:
        err = gate_open(u->msg.mr[1], &reply);
        return err < 0 ? l4_msgtag(err, 0, 0, 0) : reply;
    case VICTIM_KEEP:
        u->msg.mr[0] = keep();
        return reply;
    case VICTIM_DROP:
        drop();
        return reply;
    case VICTIM_DIE:
        die(u->msg.mr[1]);
        return reply;
    default:
        u->msg.mr[0] = answered;
        u->msg.mr[1] = found;
        return l4_msgtag(0, 2, 0, 0);
    }
}

/* What earlier lives have opened. */
static void gates_find(void)
{
    l4_umword_t given[L4RE_PARENT_GATE_WORDS];

    for (l4_umword_t n = 0; l4re_parent_gate_next(&n, given, spare) == 0; n++) {
        if (n >= GATES || given[2] != ~given[WORD])
            continue;
        words[n] = given[WORD];
        l4re_parent_gate_bind(n, LABEL_FIRST + n * LABEL_STEP);
        l4_task_release_cap(L4_BASE_TASK_CAP, spare);
        found++;
    }
}

int main(void)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t label;
    l4_msgtag_t tag;

    spare = l4re_util_cap_alloc();
    gates_find();
    tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);
    for (;;) {
        while (l4_msgtag_has_error(tag))
            tag = l4_ipc_wait(u, &label, L4_IPC_NEVER);
        l4_msgtag_t reply = handle(label & ~3UL, tag, u);
        u->buf.bdr = 0;
        u->buf.br[0] = 0;
        tag = l4_ipc_reply_and_wait(u, reply, &label, L4_IPC_NEVER);
    }
}
