/*
 * irq_tests.h - what the tests of interrupt objects share
 */
#pragma once

#include "harness.h"

#include <l4/sys/icu.h>
#include <l4/sys/irq.h>

extern const struct test line_tests[];

/* The label of the tag of an interrupt's message. */
enum { IRQ_LABEL = L4_PROTO_IRQ };

static inline l4_timeout_t within_ms(unsigned ms)
{
    return l4_timeout(L4_IPC_TIMEOUT_NEVER, l4_timeout_from_us(ms * 1000UL));
}

static inline l4_cap_idx_t irq_new(void)
{
    l4_cap_idx_t irq = slot_new();

    expect_eq(l4_error(l4_factory_create_irq(L4_BASE_FACTORY_CAP, irq)), 0);
    return irq;
}

/* An interrupt whose messages go to the test itself. */
static inline l4_cap_idx_t irq_mine(l4_umword_t label)
{
    l4_cap_idx_t irq = irq_new();

    expect_eq(l4_error(l4_rcv_ep_bind_thread(irq, L4_BASE_THREAD_CAP, label)), 0);
    return irq;
}

/* The label of a message that is there already, ~0: none. */
static inline l4_umword_t poll_label(void)
{
    l4_umword_t label = ~0UL;
    l4_msgtag_t tag = l4_ipc_wait(l4_utcb(), &label, L4_IPC_BOTH_TIMEOUT_0);

    return l4_msgtag_has_error(tag) ? ~0UL : label;
}
