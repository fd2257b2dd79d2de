/*
 * roottask/keeper.c - managers that are restarted: their next life, and whether they answer
 *
 *   supervisor --ended--> keeper: load again, bind the gate that clients know, start
 *   keeper --any message--> manager: no answer within its deadline counts as an end
 *
 * A thread of its own: the supervisor calls nobody, and the loader may be waiting for that very
 * manager, at a gate that only its next life binds.
 *
 * K1  A manager is ended by who has claimed it: the supervisor, because of a message, or the
 *     keeper, because of none.
 */
#include "root.h"

#include <abi/protocols.h>
#include <l4/sys/err.h>
#include <l4/sys/ipc.h>
#include <l4/sys/utcb.h>

enum {
    KEEPER_SLOT = 35,
    PING_OP = 0xffff, /* no server has it: every answer is one */
    US_PER_MS = 1000,
};

static char stack[SUPER_STACK_SIZE] __attribute__((aligned(16)));
static l4_cap_idx_t gates_to; /* the supervisor */

/* An error that is not a timeout is the supervisor's business. */
static bool answers(const struct task *t)
{
    l4_timeout_s deadline = l4_timeout_from_us(t->script->deadline * US_PER_MS);
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag;
    l4_umword_t err;

    u->msg.mr[0] = PING_OP;
    u->buf.bdr = 0;
    u->buf.br[0] = 0;
    tag = l4_ipc_call(task_cap(t, SLOT_GATE), u, l4_msgtag(L4RE_PROTO_STATS, 1, 0, 0),
                      l4_timeout(deadline, deadline));
    if (!l4_msgtag_has_error(tag))
        return true;
    err = l4_ipc_error(tag, u);
    return err != L4_IPC_RETIMEOUT && err != L4_IPC_SETIMEOUT;
}

static void look_after(struct task *t)
{
    if (task_state(t) != TASK_RUNNING || answers(t) || !task_claim(t))
        return;
    say("roottask: manager %s does not answer (%u of %u)", t->script->name, t->lives,
        t->script->restarts);
    task_kill(t);
}

static void begin_again(struct task *t)
{
    if (task_state(t) != TASK_DEAD || !task_restarts(t))
        return;
    if (load_manager_again(t, gates_to) < 0)
        say("roottask: manager %s has ended: its clients will fail", t->script->name);
}

static bool is_kept(const struct task *t)
{
    return t->script && t->script->restarts;
}

/* How long nobody need look, unless the supervisor says so. */
static unsigned period_us(void)
{
    unsigned shortest = SCRIPT_DEADLINE_DEFAULT;

    for (unsigned i = 0; i < SCRIPT_TASKS_MAX; i++)
        if (is_kept(&tasks[i]) && tasks[i].script->deadline < shortest)
            shortest = tasks[i].script->deadline;
    return shortest * US_PER_MS;
}

static void keeper_main(void)
{
    l4_utcb_t *u = l4_utcb();

    for (;;) {
        l4_timeout_t wait = l4_timeout(L4_IPC_TIMEOUT_NEVER, l4_timeout_from_us(period_us()));
        l4_umword_t from;
        bool woken;

        u->buf.bdr = 0;
        u->buf.br[0] = 0;
        woken = !l4_msgtag_has_error(l4_ipc_wait(u, &from, wait));
        for (unsigned i = 0; i < SCRIPT_TASKS_MAX; i++) {
            if (!is_kept(&tasks[i]))
                continue;
            if (!woken)
                look_after(&tasks[i]);
            begin_again(&tasks[i]);
        }
    }
}

void keeper_wake(void)
{
    /* It may be busy; then it looks by itself after its period. */
    l4_ipc_send(KEEPER_SLOT << L4_CAP_SHIFT, l4_utcb(), l4_msgtag(0, 0, 0, 0),
                L4_IPC_BOTH_TIMEOUT_0);
}

void keeper_start(l4_cap_idx_t supervisor)
{
    gates_to = supervisor;
    super_thread(KEEPER_SLOT, 3, keeper_main, stack, super_watch());
}
