/*
 * roottask/gates.c - gates that outlive their manager
 *
 * A manager that is restarted asks for gates here instead of making them: they are ours, so its end
 * does not delete them. Each has three words of the manager's choice, from which its next life
 * knows what the gate stands for. Messages wait at a gate until that life binds it to itself.
 *
 *   gate n <-> slot FIRST_SLOT + n of our capability table, record kept[n]
 *
 * G1  A record in use belongs to one manager. Its gate lives, or somebody has deleted it, which
 *     nobody tells us: we ask when we look at it, and about all when no record is free.
 * G2  Only the supervisor's thread is here, and whoever ends a manager for good.
 */
#include "root.h"

#include <abi/errors.h>
#include <abi/protocols.h>
#include <l4/sys/err.h>
#include <l4/sys/factory.h>
#include <l4/sys/rcv_endpoint.h>
#include <l4/sys/task.h>
#include <l4/sys/utcb.h>

#include <string.h>

enum {
    FIRST_SLOT = 1024,
    GATES_MAX = 1024,
    GATES_PER_TASK_MAX = 512, /* and the factory that pays for them has a limit */
};

struct kept {
    bool used;
    unsigned char task; /* index */
    l4_umword_t words[L4RE_PARENT_GATE_WORDS];
};

static struct kept kept[GATES_MAX];

static l4_cap_idx_t slot_of(l4_umword_t n)
{
    return (FIRST_SLOT + n) << L4_CAP_SHIFT;
}

static void drop(l4_umword_t n)
{
    l4_task_unmap(L4_BASE_TASK_CAP, l4_obj_fpage(slot_of(n), 0, L4_CAP_FPAGE_RWSD),
                  L4_FP_DELETE_OBJ);
    kept[n].used = false;
}

/* In use, and the gate lives. */
static bool lives(l4_umword_t n)
{
    if (!kept[n].used)
        return false;
    if (l4_msgtag_label(l4_task_cap_valid(L4_BASE_TASK_CAP, slot_of(n))) <= 0)
        drop(n);
    return kept[n].used;
}

/* A free record, if the task may have one more; GATES_MAX: none. */
static l4_umword_t find_free(const struct task *t)
{
    l4_umword_t free = GATES_MAX;
    unsigned own = 0;

    for (l4_umword_t n = 0; n < GATES_MAX; n++) {
        own += kept[n].used && kept[n].task == task_index(t);
        if (!kept[n].used && free == GATES_MAX)
            free = n;
    }
    return own < GATES_PER_TASK_MAX ? free : GATES_MAX;
}

static void collect(void)
{
    for (l4_umword_t n = 0; n < GATES_MAX; n++)
        lives(n);
}

/* Items of the answer: the gate, `count` times. */
static void reply_gate(l4_umword_t n, unsigned words, unsigned count, l4_msgtag_t *reply)
{
    l4_umword_t *mr = l4_utcb()->msg.mr;

    for (unsigned i = 0; i < count; i++) {
        mr[words + 2 * i] = L4_ITEM_MAP;
        mr[words + 2 * i + 1] = l4_obj_fpage(slot_of(n), 0, L4_CAP_FPAGE_RWSD).raw;
    }
    *reply = l4_msgtag(0, words, count, 0);
}

static long gate_new(struct task *t, const l4_umword_t *given, l4_msgtag_t *reply)
{
    l4_umword_t n = find_free(t);
    long err;

    if (n == GATES_MAX) {
        collect();
        n = find_free(t);
    }
    if (n == GATES_MAX)
        return -L4_ENOMEM;
    err = l4_error(l4_factory_create_gate(task_cap(t, SLOT_KEEPER), slot_of(n),
                                          task_cap(t, SLOT_THREAD), given[1]));
    if (err < 0)
        return err;
    kept[n] = (struct kept){.used = true, .task = (unsigned char)task_index(t)};
    memcpy(kept[n].words, given + 2, sizeof(kept[n].words));
    l4_utcb()->msg.mr[0] = n;
    reply_gate(n, 1, 2, reply);
    return 0;
}

static long gate_next(const struct task *t, l4_umword_t n, l4_msgtag_t *reply)
{
    l4_umword_t *mr = l4_utcb()->msg.mr;

    while (n < GATES_MAX && (kept[n].task != task_index(t) || !lives(n)))
        n++;
    if (n >= GATES_MAX)
        return -L4_ENOENT;
    mr[0] = n;
    memcpy(mr + 1, kept[n].words, sizeof(kept[n].words));
    reply_gate(n, 1 + L4RE_PARENT_GATE_WORDS, 1, reply);
    return 0;
}

static long gate_bind(const struct task *t, l4_umword_t n, l4_umword_t label)
{
    if (n >= GATES_MAX || kept[n].task != task_index(t) || !lives(n))
        return -L4_ENOENT;
    return l4_error(l4_rcv_ep_bind_thread(slot_of(n), task_cap(t, SLOT_THREAD), label));
}

long gates_request(struct task *t, unsigned op, unsigned words, l4_msgtag_t *reply)
{
    static const unsigned char needed[] = {
        [L4RE_PARENT_GATE_OP] = 2 + L4RE_PARENT_GATE_WORDS,
        [L4RE_PARENT_GATE_NEXT_OP] = 2,
        [L4RE_PARENT_GATE_BIND_OP] = 3,
    };
    l4_umword_t given[2 + L4RE_PARENT_GATE_WORDS];

    if (!t->script->restarts || op >= sizeof(needed) || !needed[op])
        return -L4_ENOSYS;
    if (words < needed[op])
        return -L4_EMSGTOOSHORT;
    *reply = l4_msgtag(0, 0, 0, 0);
    /* Calls to the kernel overwrite the message. */
    memcpy(given, l4_utcb()->msg.mr, sizeof(given));
    switch (op) {
    case L4RE_PARENT_GATE_OP:
        return gate_new(t, given, reply);
    case L4RE_PARENT_GATE_NEXT_OP:
        return gate_next(t, given[1], reply);
    default:
        return gate_bind(t, given[1], given[2]);
    }
}

void gates_drop(const struct task *t)
{
    for (l4_umword_t n = 0; n < GATES_MAX; n++)
        if (kept[n].used && kept[n].task == task_index(t))
            drop(n);
}
