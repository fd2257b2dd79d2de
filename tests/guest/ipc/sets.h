/*
 * ipc/sets.h - the sets of tests, one a file, and what they share
 */
#pragma once

#include "harness.h"

extern const struct test words_tests[], operations_tests[], errors_tests[], timeouts_tests[],
    order_tests[], standin_tests[];

/* Microseconds as an IPC timeout: of the receive phase, of the send phase. */
static inline l4_timeout_t receive_within(l4_uint64_t us)
{
    return l4_timeout(L4_IPC_TIMEOUT_NEVER, l4_timeout_from_us(us));
}

static inline l4_timeout_t send_within(l4_uint64_t us)
{
    return l4_timeout(l4_timeout_from_us(us), L4_IPC_TIMEOUT_NEVER);
}

/* A child that waits for one message from anybody. */
static inline struct job *receiver(struct child *c)
{
    struct job *j = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);

    job_start(c, j);
    return j;
}

/* Receives a message that is not empty, and sends its words back with a label. */
void echo_server(void *words_and_label);
