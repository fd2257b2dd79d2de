/*
 * starter.c - asking the root task for a program
 */
#include <string.h>

#include <l4/re/c/starter.h>
#include <l4/re/protocols.h>
#include <l4/sys/err.h>
#include <l4/sys/ipc.h>
#include <l4/util/util.h>

enum { NAME_WORD = 2, NAME_MAX = 64, POLL_MS = 1 };

static long request(l4_cap_idx_t starter, l4_umword_t op, const char *name)
{
    l4_utcb_t *u = l4_utcb();
    size_t length = strlen(name);
    unsigned words = l4_bytes_to_mwords((unsigned)length);

    if (length > NAME_MAX)
        return -L4_ENAMETOOLONG;
    u->msg.mr[0] = op;
    u->msg.mr[1] = length;
    u->msg.mr[1 + words] = words ? 0 : length; /* the last word may be filled in part only */
    memcpy(&u->msg.mr[NAME_WORD], name, length);
    return l4_error(l4_ipc_call(starter, u,
                                l4_msgtag(L4RE_PROTO_STARTER, NAME_WORD + words, 0, 0),
                                L4_IPC_NEVER));
}

long l4re_starter_start(l4_cap_idx_t starter, const char *name)
{
    return request(starter, L4RE_STARTER_START_OP, name);
}

long l4re_starter_state(l4_cap_idx_t starter, const char *name, int *status)
{
    long err = request(starter, L4RE_STARTER_STATE_OP, name);

    if (err < 0)
        return err;
    *status = (int)l4_utcb()->msg.mr[1];
    return (long)l4_utcb()->msg.mr[0];
}

long l4re_starter_run(l4_cap_idx_t starter, const char *name)
{
    long state = l4re_starter_start(starter, name);
    int status = 0;

    while (state >= 0 && state != L4RE_STARTER_ENDED) {
        l4_sleep(POLL_MS);
        state = l4re_starter_state(starter, name, &status);
    }
    return state < 0 ? state : status;
}
