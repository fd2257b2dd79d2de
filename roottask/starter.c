/*
 * roottask/starter.c - programs of the kind `later`: loaded and started when somebody says so
 *
 * Tests and labs want a task that is fresh each time, and to look at the machine before and after.
 * A holder of the capability `starter` starts a program of the script by its name, as often as it
 * likes, one life after the other, and asks what became of it (abi/protocols.h). The gate leads to
 * the loader's thread, which has nothing else to do after the start.
 *
 * N1  A program counts as ended only when everything that it had is given back.
 */
#include "root.h"

#include <abi/errors.h>
#include <abi/protocols.h>
#include <l4/sys/err.h>
#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>
#include <l4/util/util.h>

#include <string.h>

enum {
    STARTER_LABEL = 0x800,
    LABEL_RIGHTS = 3, /* the gate's rights, in the label's low bits */
    NAME_WORD = 2,    /* where the name begins */
};

static l4_cap_idx_t supervisor_gates_to;

void starter_create(l4_cap_idx_t supervisor)
{
    long err = l4_error(l4_factory_create_gate(L4_BASE_FACTORY_CAP, STARTER_CAP,
                                               L4_BASE_THREAD_CAP, STARTER_LABEL));

    if (err < 0)
        fatal("no gate for the starter: %s (%ld)", l4sys_errtostr(err), err);
    supervisor_gates_to = supervisor;
}

bool starter_label(l4_umword_t label)
{
    return (label & ~(l4_umword_t)LABEL_RIGHTS) == STARTER_LABEL;
}

static long start(struct task *t)
{
    int state = task_state(t);
    long err;

    if (state != TASK_FREE && state != TASK_GONE)
        return -L4_EBUSY;
    err = load_program(t, supervisor_gates_to);
    if (err == 0 && (err = task_start(t)) < 0)
        task_kill(t);
    if (err == 0)
        say("roottask: %s started", t->script->name);
    return err;
}

static long state_of(const struct task *t, unsigned *words)
{
    int state = task_state(t);
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = state == TASK_FREE   ? L4RE_STARTER_IDLE
                   : state == TASK_GONE ? L4RE_STARTER_ENDED
                                        : L4RE_STARTER_RUNNING;
    u->msg.mr[1] = state == TASK_GONE ? (l4_umword_t)t->status : 0;
    *words = 2;
    return 0;
}

/* The program with the name in the message; NULL: there is none that starts later. */
static struct task *program_named(const char *name, size_t length)
{
    for (unsigned i = 0; i < SCRIPT_TASKS_MAX; i++) {
        const struct script_task *s = tasks[i].script;

        if (s && s->later && strlen(s->name) == length && memcmp(s->name, name, length) == 0)
            return &tasks[i];
    }
    return NULL;
}

long starter_request(l4_msgtag_t tag, unsigned *words)
{
    const l4_umword_t *mr = l4_utcb()->msg.mr;
    unsigned given = l4_msgtag_words(tag);
    struct task *t;

    *words = 0;
    if (l4_msgtag_label(tag) != L4RE_PROTO_STARTER)
        return -L4_EBADPROTO;
    if (given < NAME_WORD || mr[1] > (given - NAME_WORD) * sizeof(mr[0]))
        return -L4_EMSGTOOSHORT;
    t = program_named((const char *)&mr[NAME_WORD], mr[1]);
    if (!t)
        return -L4_ENOENT;
    switch (mr[0] & 0xffff) {
    case L4RE_STARTER_START_OP:
        return start(t);
    case L4RE_STARTER_STATE_OP:
        return state_of(t, words);
    default:
        return -L4_ENOSYS;
    }
}
