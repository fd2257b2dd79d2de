/*
 * ipc/timeouts.c - zero, relative, absolute, never
 */
#include "sets.h"

static struct child *sleeper(void)
{
    struct child *c = child_new();

    job_start(c, job_new(L4_SYSF_RECV, L4_INVALID_CAP));
    return c;
}

/* The clock advances in ticks: a timeout of t ends within a tick of its end and two more. */
static void expect_took(const struct job *j, l4_uint64_t us)
{
    l4_uint64_t took = j->clock_after - j->clock_before;

    expect(took + TICK_US >= us && took <= us + 3 * TICK_US);
    if (took + TICK_US < us || took > us + 3 * TICK_US)
        printf("# took %lu us instead of %lu us\n", took, us);
}

static struct job *timed(unsigned op, l4_cap_idx_t to, l4_timeout_t t)
{
    struct job *j = job_new(op, to);

    j->timeout = t;
    return j;
}

static void zero(void)
{
    struct child *b = sleeper();
    l4_cap_idx_t gate = gate_new(L4_INVALID_CAP, 0);
    struct job *j[] = {
        timed(L4_SYSF_SEND, b->thread, L4_IPC_SEND_TIMEOUT_0),
        timed(L4_SYSF_CALL, b->thread, L4_IPC_SEND_TIMEOUT_0),
        timed(L4_SYSF_SEND, gate, L4_IPC_SEND_TIMEOUT_0),
        timed(L4_SYSF_RECV, b->thread, L4_IPC_RECV_TIMEOUT_0),
        timed(L4_SYSF_WAIT, L4_INVALID_CAP, L4_IPC_RECV_TIMEOUT_0),
    };

    for (unsigned i = 0; i < 5; i++) {
        job_here(j[i]);
        expect_eq(j[i]->got_error, i < 3 ? L4_IPC_SETIMEOUT : L4_IPC_RETIMEOUT);
        expect_took(j[i], 0);
    }
}

/* Mantissa 0 is zero with every exponent. */
static void zero_with_exponent(void)
{
    struct child *b = sleeper();
    unsigned at_once = 0;

    for (unsigned exponent = 1; exponent < 32; exponent++) {
        struct job *s = timed(L4_SYSF_SEND, b->thread, l4_ipc_timeout(0, exponent, 0, 1));
        struct job *w = timed(L4_SYSF_WAIT, L4_INVALID_CAP, l4_ipc_timeout(0, 1, 0, exponent));

        job_here(s);
        job_here(w);
        expect_eq(s->got_error, L4_IPC_SETIMEOUT);
        expect_eq(w->got_error, L4_IPC_RETIMEOUT);
        at_once += w->clock_after == s->clock_before;
        jobs_reset();
    }
    expect(at_once > 25); /* no tick has been waited for, but one may come */
}

/* Zero does not prevent what needs no waiting. */
static void zero_succeeds(void)
{
    struct child *a = child_new(), *b = child_new();
    struct job *r = receiver(b), *w = timed(L4_SYSF_WAIT, L4_INVALID_CAP, L4_IPC_BOTH_TIMEOUT_0);
    struct job *s = timed(L4_SYSF_SEND, b->thread, L4_IPC_BOTH_TIMEOUT_0), *q;

    job_here(s);
    expect_eq(s->got_error, 0);
    expect(r->done);
    give(a, L4_BASE_THREAD_CAP, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    q = job_new(L4_SYSF_SEND, CHILD_CAP(0));
    job_words(q, 1, 1, 0);
    job_start(a, q);
    job_here(w);
    expect_eq(w->got_error, 0);
    expect_eq(w->got[0], WORD(1, 0));
}

static void call_with_receive_zero(void)
{
    struct child *server = child_new();
    struct job *r = receiver(server), *call, *answer;

    call = timed(L4_SYSF_CALL, server->thread, L4_IPC_RECV_TIMEOUT_0);
    job_here(call);
    expect_eq(call->got_error, L4_IPC_RETIMEOUT);
    expect(r->done);
    answer = job_new(L4_SYSF_SEND | L4_SYSF_REPLY, L4_INVALID_CAP);
    job_start(server, answer);
    expect_eq(answer->got_error, L4_IPC_ENOT_EXISTENT);
}

static void relative(void)
{
    static const unsigned us[] = {1, 1000, 2500, 7000, 12000};
    struct child *b = sleeper(), *server = child_new();
    l4_cap_idx_t gate = gate_new(L4_INVALID_CAP, 0);

    for (unsigned i = 0; i < 5; i++) {
        struct job *j[] = {
            timed(L4_SYSF_SEND, b->thread, send_within(us[i])),
            timed(L4_SYSF_SEND, gate, send_within(us[i])),
            timed(L4_SYSF_RECV, b->thread, receive_within(us[i])),
            timed(L4_SYSF_WAIT, L4_INVALID_CAP, receive_within(us[i])),
            timed(L4_SYSF_CALL, server->thread, receive_within(us[i])),
        };

        receiver(server);
        for (unsigned n = 0; n < 5; n++) {
            job_here(j[n]);
            expect_eq(j[n]->got_error, n < 2 ? L4_IPC_SETIMEOUT : L4_IPC_RETIMEOUT);
            expect_took(j[n], us[i]);
        }
        jobs_reset();
    }
}

/* 300 ticks are more than the kernel's wheel of buckets has. */
static void long_timeout(void)
{
    struct job *j = timed(L4_SYSF_WAIT, L4_INVALID_CAP, receive_within(300 * TICK_US));

    job_here(j);
    expect_eq(j->got_error, L4_IPC_RETIMEOUT);
    expect_took(j, 300 * TICK_US);
}

static void in_time(void)
{
    struct child *a = child_new(), *b = child_new();
    struct job *r = timed(L4_SYSF_WAIT, L4_INVALID_CAP, receive_within(5000));
    struct job *s = job_new(L4_SYSF_SEND, CHILD_CAP(0)), *again;

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    again = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    r->next = again;
    job_start(b, r);
    l4_ipc_sleep_ms(1);
    job_words(s, 1, 1, 0);
    job_start(a, s);
    expect(r->done);
    expect_eq(r->got_error, 0);
    l4_ipc_sleep_ms(8); /* the old timeout must not end the second wait */
    expect(!again->done);
}

static l4_timeout_t absolute(struct job *j, l4_uint64_t clock, unsigned br)
{
    l4_timeout_s s = {(l4_uint16_t)(L4_TIMEOUT_ABS | br)};

    j->br[br] = clock;
    return (j->op & L4_SYSF_SEND) ? l4_timeout(s, L4_IPC_TIMEOUT_NEVER)
                                  : l4_timeout(L4_IPC_TIMEOUT_NEVER, s);
}

static void absolute_timeouts(void)
{
    struct child *b = sleeper();

    for (unsigned br = 1; br < L4_UTCB_GENERIC_BUFFERS_SIZE; br += 28) {
        l4_uint64_t clock = l4_kip_clock(l4_kip());
        struct job *s = job_new(L4_SYSF_SEND, b->thread);
        struct job *w = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
        struct job *past = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);

        s->timeout = absolute(s, clock + 4000, br);
        w->timeout = absolute(w, clock + 9000, br);
        past->timeout = absolute(past, clock, br);
        job_here(s);
        expect_eq(s->got_error, L4_IPC_SETIMEOUT);
        expect(s->clock_after >= clock + 4000 && s->clock_after <= clock + 7000);
        job_here(w);
        expect_eq(w->got_error, L4_IPC_RETIMEOUT);
        expect(w->clock_after >= clock + 9000 && w->clock_after <= clock + 12000);
        job_here(past);
        expect_eq(past->got_error, L4_IPC_RETIMEOUT);
        expect_took(past, 0);
        jobs_reset();
    }
}

/* A register that there is not, clock 0, and the end of time. */
static void odd_absolute_timeouts(void)
{
    struct child *b = child_new();
    struct job *none = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    struct job *late = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);

    none->timeout = l4_timeout(L4_IPC_TIMEOUT_NEVER, (l4_timeout_s){L4_TIMEOUT_ABS | 63});
    job_here(none);
    expect_eq(none->got_error, L4_IPC_RETIMEOUT);
    late->timeout = absolute(late, ~0UL, 2);
    job_start(b, late);
    l4_ipc_sleep_ms(3);
    expect(!late->done);
}

static void never(void)
{
    struct child *a = child_new(), *b = sleeper(), *c = child_new();
    struct job *s = timed(L4_SYSF_SEND, CHILD_CAP(0), L4_IPC_NEVER);
    struct job *w = timed(L4_SYSF_WAIT, L4_INVALID_CAP, L4_IPC_NEVER);
    struct job *longest = timed(L4_SYSF_WAIT, L4_INVALID_CAP, l4_ipc_timeout(0, 0, 0x3ff, 31));

    give(a, b->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    job_start(a, s);
    job_start(c, w);
    job_start(b, job_new(L4_SYSF_WAIT, L4_INVALID_CAP));
    expect(s->done);
    job_start(b, longest);
    l4_ipc_sleep_ms(400);
    expect(!w->done && !longest->done);
}

const struct test timeouts_tests[] = {
    {"zero ends at once, with the error of the phase", zero},
    {"mantissa 0 is zero, whatever the exponent", zero_with_exponent},
    {"zero does not end what needs no waiting", zero_succeeds},
    {"a call with receive timeout zero sends and leaves no caller", call_with_receive_zero},
    {"a relative timeout ends within two ticks of its time", relative},
    {"a timeout longer than the wheel of buckets", long_timeout},
    {"a message in time ends the timeout for good", in_time},
    {"an absolute timeout ends at its time, in the past at once", absolute_timeouts},
    {"absolute: no such register is the past, the end of time is far away", odd_absolute_timeouts},
    {"never is never, and the longest timeout is long", never},
    {NULL, NULL},
};
