/*
 * caps/main.c - capabilities: mapping, revoking, deleting; factories and what they make
 */
#include "sets.h"

int main(void)
{
    static const struct test *const sets[] = {slots_tests, revoke_tests, transfer_tests,
                                              factory_tests, objects_tests};

    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}

long map_cap(l4_cap_idx_t to, l4_cap_idx_t from, l4_cap_idx_t cap, l4_cap_idx_t slot,
             unsigned rights)
{
    return l4_error(l4_task_map(to, from, l4_obj_fpage(cap, 0, (unsigned char)rights),
                                l4_map_obj_control(slot, 0)));
}

long unmap_cap(l4_cap_idx_t task, l4_cap_idx_t cap, unsigned rights, l4_umword_t mask)
{
    return l4_error(l4_task_unmap(task, l4_obj_fpage(cap, 0, (unsigned char)rights), mask));
}

bool has_cap(l4_cap_idx_t task, l4_cap_idx_t slot)
{
    return l4_error(l4_task_cap_valid(task, slot)) > 0;
}

int rights_seen(struct child *server, struct child *client, l4_cap_idx_t slot)
{
    struct job *s = job_new(L4_SYSF_SEND, slot), *r = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);

    job_start(server, r);
    s->timeout = L4_IPC_SEND_TIMEOUT_0;
    job_start(client, s);
    if (s->got_error)
        return -(int)s->got_error;
    return (int)(r->got_label & 3);
}
