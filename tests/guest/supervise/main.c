/*
 * supervise/main.c - a manager ends again and again, and its clients go on
 *
 * Argument: how often it ends.
 */
#include "tap.h"
#include "victim.h"

#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/err.h>
#include <l4/sys/ipc.h>
#include <l4/sys/task.h>

#include <stdlib.h>

enum { GATES = 3, TRIES_MAX = 3, KEPT_MAX = 512 /* the root task's limit for a manager */ };

static l4_cap_idx_t victim;
static l4_cap_idx_t gates[GATES];

static long call(l4_cap_idx_t gate, l4_umword_t op, l4_umword_t arg, l4_umword_t answer[2])
{
    l4_utcb_t *u = l4_utcb();
    long err;

    u->msg.mr[0] = op;
    u->msg.mr[1] = arg;
    err = l4_error(l4_ipc_call(gate, u, l4_msgtag(PROTO_VICTIM, 2, 0, 0), L4_IPC_NEVER));
    for (unsigned i = 0; i < 2 && answer; i++)
        answer[i] = u->msg.mr[i];
    return err;
}

static l4_umword_t word(unsigned i)
{
    return 0x5eed0000 + i * 77;
}

static bool gate_open(unsigned i)
{
    l4_utcb_t *u = l4_utcb();

    gates[i] = l4re_util_cap_alloc();
    u->buf.bdr = 0;
    u->buf.br[0] = gates[i] | L4_RCV_ITEM_SINGLE_CAP;
    return call(victim, VICTIM_OPEN, word(i), NULL) == 0;
}

/* Every gate answers with its own word. */
static bool gates_answer(void)
{
    bool good = true;

    for (unsigned i = 0; i < GATES; i++) {
        l4_umword_t answer[2] = {0};

        good &= gates[i] == L4_INVALID_CAP ||
                (call(gates[i], 0, 0, answer) == 0 && answer[0] == word(i));
    }
    return good;
}

/* It ends while we wait for an answer: an error, not silence; then everything is as before. */
static bool end_once(unsigned how, l4_umword_t gates_left)
{
    l4_umword_t answer[2];

    if (call(victim, VICTIM_DIE, how, NULL) >= 0 || !gates_answer())
        return false;
    return call(victim, VICTIM_LIFE, 0, answer) == 0 && answer[0] <= 2 * GATES + TRIES_MAX &&
           answer[1] == gates_left;
}

/* Gates that the manager makes until it is refused. */
static l4_umword_t keep_all(void)
{
    l4_umword_t answer[2], sum = 0;

    do {
        if (call(victim, VICTIM_KEEP, 0, answer) != 0)
            return 0;
        sum += answer[0];
    } while (answer[0] == KEEP_STEP);
    return sum;
}

static void gate_delete(unsigned i)
{
    l4_task_delete_obj(L4RE_THIS_TASK_CAP, gates[i]);
    l4re_util_cap_free(gates[i]);
    gates[i] = L4_INVALID_CAP;
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 1;
    unsigned survived = 0;
    bool open = true;

    victim = l4re_env_get_cap("victim");
    for (unsigned i = 0; i < GATES; i++)
        open &= gate_open(i);
    tap_ok(open && gates_answer(), "gates that outlive a manager");
    for (unsigned how = 0; how < END_KINDS; how++)
        tap_ok(end_once(how, GATES), how == END_FAULT  ? "the manager faults, its clients go on"
                                     : how == END_TRAP ? "it traps, its clients go on"
                                     : how == END_EXIT ? "it exits, its clients go on"
                                                       : "it hangs, its clients go on");
    for (unsigned i = 0; i < rounds; i++)
        survived += end_once(i % 16 == 0 ? END_HANG : i % 2, GATES);
    tap_eq(survived, rounds, "as often as it ends");
    tap_eq((long)keep_all(), KEPT_MAX - GATES, "a manager has 512 gates and no more");
    tap_eq(call(victim, VICTIM_DROP, 0, NULL), 0, "which it deletes");
    tap_eq((long)keep_all(), KEPT_MAX - GATES, "then there is room for as many");
    call(victim, VICTIM_DROP, 0, NULL);
    gate_delete(1);
    tap_ok(end_once(END_FAULT, GATES - 1), "a gate that a client has deleted is not found again");
    gate_delete(0);
    gate_delete(2);
    return tap_done();
}
