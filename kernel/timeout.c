/*
 * timeout.c - IPC timeouts: a wheel of one-tick buckets
 *
 * A deadline is a tick. Its bucket is the deadline modulo the wheel's size; deadlines of later
 * rounds stay in their bucket until their round. Setting and cancelling take constant time.
 */
#include <abi/msg.h>

#include "ipc.h"
#include "limits.h"
#include "sched.h"

uint64_t ticks_now;

static struct link wheel[LIMIT_TIMEOUT_BUCKETS];

void timeout_init(void)
{
    for (unsigned i = 0; i < LIMIT_TIMEOUT_BUCKETS; i++)
        list_init(&wheel[i]);
}

/* L4's 16-bit format: mantissa in bits 0-9, exponent in bits 10-14, microseconds. */
static uint64_t relative_us(uint16_t t)
{
    return (uint64_t)(t & 0x3ff) << (t >> 10 & 0x1f);
}

/* Absolute: the clock value stands in the buffer register that the low bits name. */
static uint64_t absolute_us(const struct thread *t, uint16_t timeout)
{
    unsigned br = timeout & 0x3f;

    return br < L4_UTCB_GENERIC_BUFFERS_SIZE ? t->utcb->buf.br[br] : 0;
}

/* `timeout` is neither never nor zero. A deadline in the past fires with the next tick. */
void timeout_set(struct thread *t, uint16_t timeout)
{
    uint64_t tick;

    if (timeout & L4_TIMEOUT_ABS)
        tick = absolute_us(t, timeout) / TICK_US + 1;
    else
        tick = ticks_now + relative_us(timeout) / TICK_US + 1;
    if (tick <= ticks_now)
        tick = ticks_now + 1;
    t->deadline = tick;
    list_add(&wheel[tick % LIMIT_TIMEOUT_BUCKETS], &t->timeout);
}

void timeout_cancel(struct thread *t)
{
    if (t->deadline) {
        t->deadline = 0;
        list_del(&t->timeout);
    }
}

void timeout_tick(void)
{
    struct link *bucket = &wheel[ticks_now % LIMIT_TIMEOUT_BUCKETS];

    for (struct link *l = bucket->next, *next; l != bucket; l = next) {
        struct thread *t = container_of(l, struct thread, timeout);

        next = l->next;
        if (t->deadline <= ticks_now)
            thread_abort_ipc(t, L4_IPC_SETIMEOUT);
    }
}
