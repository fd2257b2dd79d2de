/*
 * starter/main.c - programs that start later: whenever somebody with the capability says so
 */
#include "balance.h"
#include "tap.h"

#include <l4/re/c/starter.h>
#include <l4/re/protocols.h>
#include <l4/sys/ipc.h>
#include <l4/util/util.h>

#include <string.h>

static l4_cap_idx_t starter;

static long raw(unsigned label, l4_umword_t op, l4_umword_t length, unsigned words)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = op;
    u->msg.mr[1] = length;
    memcpy(&u->msg.mr[2], "seven", 6);
    return l4_error(l4_ipc_call(starter, u, l4_msgtag(label, words, 0, 0), L4_IPC_NEVER));
}

static void requests(void)
{
    int status;

    tap_eq(l4re_starter_start(starter, "nobody"), -L4_ENOENT, "an unknown name");
    tap_eq(l4re_starter_start(starter, "main"), -L4_ENOENT, "a program that started at boot");
    tap_eq(l4re_starter_start(starter, "anon"), -L4_ENOENT, "a manager");
    tap_eq(l4re_starter_start(starter, ""), -L4_ENOENT, "an empty name");
    tap_eq(l4re_starter_state(starter, "seven", &status), L4RE_STARTER_IDLE, "not started yet");
    tap_eq(raw(L4RE_PROTO_STARTER, 0, 0, 1), -L4_EMSGTOOSHORT, "a message of one word");
    tap_eq(raw(L4RE_PROTO_STARTER, 0, 9, 3), -L4_EMSGTOOSHORT, "a name longer than the message");
    tap_eq(raw(L4RE_PROTO_STARTER, 0, ~0UL, 3), -L4_EMSGTOOSHORT, "a name of 2^64 - 1 bytes");
    tap_eq(raw(L4RE_PROTO_STARTER, 7, 5, 3), -L4_ENOSYS, "an unknown operation");
    tap_eq(raw(L4RE_PROTO_DATASPACE, 0, 5, 3), -L4_EBADPROTO, "another protocol");
}

static void lives(void)
{
    int status = -1;

    tap_eq(l4re_starter_run(starter, "seven"), 7, "the exit status comes back");
    tap_eq(l4re_starter_run(starter, "seven"), 7, "a second life, the same end");
    tap_eq(l4re_starter_run(starter, "faulty"), 255, "a fault is an end with status 255");
    tap_eq(l4re_starter_start(starter, "sleeper"), 0, "the sleeper starts");
    tap_eq(l4re_starter_start(starter, "sleeper"), -L4_EBUSY, "and cannot start while it runs");
    tap_eq(l4re_starter_state(starter, "sleeper", &status), L4RE_STARTER_RUNNING, "it runs");
    tap_eq(l4re_starter_run(starter, "seven"), 7, "another one may run meanwhile");
    while (l4re_starter_state(starter, "sleeper", &status) == L4RE_STARTER_RUNNING)
        l4_sleep(5);
    tap_eq(status, 0, "the sleeper has ended");
}

/* Each of these cannot be loaded, for another reason; the first attempt fills what is kept. */
static void failures(void)
{
    static const char *const names[] = {"greedy", "no_file", "tiny_kmem"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct balance before;
        int status;

        tap_eq(l4re_starter_start(starter, names[i]), -L4_ENOMEM, names[i]);
        before = balance_look();
        tap_eq(l4re_starter_start(starter, names[i]), -L4_ENOMEM, "it fails again");
        tap_ok(balance_same(before, balance_look()), "no memory is lost");
        tap_eq(l4re_starter_state(starter, names[i], &status), L4RE_STARTER_IDLE, "it is idle");
    }
}

int main(void)
{
    starter = l4re_env_get_cap("starter");
    requests();
    lives();
    failures();
    tap_eq(l4re_starter_run(starter, "seven"), 7, "what can start still starts");
    tap_eq(l4_dbg_check(l4re_env_get_cap("debugger")), 0, "the kernel's own checks hold");
    return tap_done();
}
