/*
 * bounds/chains.c - messages that cause messages: the kernel's stack does not grow with the chain
 *
 *     faulter 0 ..> pager 0      faulter 1 ..> pager 1      faulter 2 ..> pager 2   ...
 *         |            ^             |            ^             |
 *         '- handler: pager 1 ------ '- handler: pager 2 ------ '- ...
 *
 * Every faulter waits for the answer of its pager, and every pager waits for the next message. A
 * pager that gets another call forgets the older one (there is one reply capability), whose fault
 * thereby fails and becomes an exception: a call to the next pager, and so on down the chain.
 */
#include "bounds.h"

enum { LINKS = 28, PRIORITY = PRIO_CHILD };

static struct crowd crowd;
static volatile unsigned arrived[CROWD_MAX]; /* messages that a pager got */
static volatile long last_label[CROWD_MAX];

static void pager(unsigned long n)
{
    l4_umword_t label;

    for (;;) {
        last_label[n] = l4_msgtag_label(l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER));
        arrived[n]++;
    }
}

static void faulter(unsigned long n)
{
    *(volatile char *)(0x7000000000UL + n * L4_PAGESIZE);
    for (;;)
        ;
}

/* Pagers are members 0 .. LINKS - 1, faulters the next. */
static void build(void)
{
    crowd_start(&crowd);
    for (unsigned i = 0; i < LINKS; i++) {
        unsigned n = crowd_join(&crowd, L4_INVALID_CAP, L4_INVALID_CAP);

        arrived[n] = 0;
        crowd_give(&crowd, gate_new(crowd.thread[n], 0x1000), CROWD_CAP(n));
        crowd_run(&crowd, n, pager, PRIORITY);
    }
    for (unsigned i = 0; i < LINKS; i++)
        crowd_run(&crowd, crowd_join(&crowd, CROWD_CAP(i),
                                     i + 1 < LINKS ? CROWD_CAP(i + 1) : L4_INVALID_CAP),
                  faulter, PRIORITY);
    for (unsigned i = 0; i < LINKS; i++)
        expect_eq(arrived[i], 1);
}

static void expect_ran_through(unsigned first)
{
    for (unsigned i = first; i < LINKS; i++) {
        expect_eq(arrived[i], 2);
        expect_eq(last_label[i], L4_PROTO_EXCEPTION);
    }
}

/* The first pager is called by the test. */
static void chain_of_lost_faults(void)
{
    l4_cap_idx_t gate;
    l4_msgtag_t tag;

    build();
    gate = gate_new(crowd.thread[0], 0x2000);
    tag = l4_ipc_call(gate, l4_utcb(), l4_msgtag(0, 0, 0, 0),
                      l4_timeout(L4_IPC_TIMEOUT_NEVER, l4_timeout_from_us(2 * TICK_US)));
    expect_eq(l4_ipc_error(tag, l4_utcb()), L4_IPC_RETIMEOUT);
    expect_eq(arrived[0], 2);
    expect_ran_through(1);
}

/* The first pager dies: its caller's fault fails. */
static void chain_of_a_dying_pager(void)
{
    build();
    destroy(crowd.thread[0]);
    l4_ipc_sleep_ms(2);
    expect_ran_through(1);
}

/* All pagers die at once, each with somebody who waits for it; and then the whole crowd. */
static void all_pagers_die(void)
{
    build();
    own_priority(PRIORITY + 1);
    for (unsigned i = 0; i < LINKS; i++)
        destroy(crowd.thread[i]);
    own_priority(PRIO_TEST);
    l4_ipc_sleep_ms(2);
    expect_eq(destroy(crowd.task), 0);
}

const struct test chains_tests[] = {
    {"a chain of faults that lose their pagers ends, however long", chain_of_lost_faults},
    {"a pager's death goes through a chain of handlers", chain_of_a_dying_pager},
    {"all pagers of a chain may die at once", all_pagers_die},
    {NULL, NULL},
};
