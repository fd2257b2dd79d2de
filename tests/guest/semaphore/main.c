/*
 * semaphore/main.c - semaphores: counting, waiting, ending
 */
#include "harness.h"

#include <l4/sys/semaphore.h>

static l4_cap_idx_t sem_new(void)
{
    l4_cap_idx_t sem = slot_new();

    expect_eq(l4_error(l4_factory_create(L4_BASE_FACTORY_CAP, L4_PROTO_SEMAPHORE, sem)), 0);
    return sem;
}

static l4_timeout_t within_ms(unsigned ms)
{
    return l4_timeout(L4_IPC_TIMEOUT_NEVER, l4_timeout_from_us(ms * 1000UL));
}

/* A child that waits for the semaphore. */
static struct job *down(struct child *c, l4_cap_idx_t sem, l4_timeout_t timeout)
{
    struct job *j = job_new(L4_SYSF_CALL, CHILD_CAP(0));

    give(c, sem, CHILD_CAP(0), L4_CAP_FPAGE_RWS);
    j->tag = l4_msgtag(L4_PROTO_SEMAPHORE, 1, 0, 0);
    j->mr[0] = L4_SEMAPHORE_DOWN_OP;
    j->timeout = timeout;
    job_start(c, j);
    return j;
}

static unsigned down_error(l4_cap_idx_t sem, l4_timeout_t timeout)
{
    return l4_ipc_error(l4_semaphore_down(sem, timeout), l4_utcb());
}

static void it_counts(void)
{
    l4_cap_idx_t sem = sem_new();

    expect_eq(down_error(sem, L4_IPC_BOTH_TIMEOUT_0), L4_IPC_RETIMEOUT);
    for (unsigned i = 0; i < 1000; i++)
        expect_eq(l4_ipc_error(l4_semaphore_up(sem), l4_utcb()), 0);
    for (unsigned i = 0; i < 1000; i++)
        expect_eq(l4_error(l4_semaphore_down(sem, L4_IPC_BOTH_TIMEOUT_0)), 0);
    expect_eq(down_error(sem, L4_IPC_BOTH_TIMEOUT_0), L4_IPC_RETIMEOUT);
}

static void first_come_first_served(void)
{
    l4_cap_idx_t sem = sem_new();
    struct job *j[4];

    for (unsigned i = 0; i < 4; i++) {
        struct child *c = child_new();

        c->priority = PRIO_CHILD + (i == 2); /* priorities change nothing */
        j[i] = down(c, sem, L4_IPC_NEVER);
        expect(!j[i]->done);
    }
    for (unsigned i = 0; i < 4; i++) {
        l4_semaphore_up(sem);
        for (unsigned k = 0; k < 4; k++)
            expect(j[k]->done == (k <= i));
        expect_eq(j[i]->got_tag.raw, 0);
        expect_eq(j[i]->got_error, 0);
    }
    expect_eq(down_error(sem, L4_IPC_BOTH_TIMEOUT_0), L4_IPC_RETIMEOUT); /* all were taken */
}

static void timeouts(void)
{
    l4_cap_idx_t sem = sem_new();
    struct child *a = child_new(), *b = child_new();
    struct job *j = down(a, sem, within_ms(5)), *k = down(b, sem, L4_IPC_NEVER);
    l4_uint64_t before = l4_kip_clock(l4_kip());

    expect_eq(down_error(sem, within_ms(10)), L4_IPC_RETIMEOUT);
    expect(l4_kip_clock(l4_kip()) - before >= 9000);
    expect(j->done && !k->done);
    expect_eq(j->got_error, L4_IPC_RETIMEOUT);
    expect(j->clock_after - j->clock_before >= 4000 && j->clock_after - j->clock_before <= 8000);
    l4_semaphore_up(sem); /* it goes to who still waits */
    expect(k->done && k->got_error == 0);
}

static void cancelled(void)
{
    l4_cap_idx_t sem = sem_new();
    struct child *a = child_new(), *b = child_new();
    struct job *j = down(a, sem, L4_IPC_NEVER), *k = down(b, sem, L4_IPC_NEVER);

    l4_thread_ex_regs(a->thread, ~0UL, ~0UL, L4_THREAD_EX_REGS_CANCEL);
    expect(j->done);
    expect_eq(j->got_error, L4_IPC_RECANCELED);
    l4_semaphore_up(sem);
    expect(k->done && k->got_error == 0);
}

static void deleted(void)
{
    l4_cap_idx_t sem = sem_new();
    struct job *j[3];

    for (unsigned i = 0; i < 3; i++)
        j[i] = down(child_new(), sem, L4_IPC_NEVER);
    expect_eq(destroy(sem), 0);
    for (unsigned i = 0; i < 3; i++) {
        expect(j[i]->done);
        expect_eq(j[i]->got_error, L4_IPC_ENOT_EXISTENT);
    }
    expect_eq(down_error(sem, L4_IPC_NEVER), L4_IPC_ENOT_EXISTENT);
}

static void who_waits_can_die(void)
{
    l4_cap_idx_t sem = sem_new();
    struct child *a = child_new(), *b = child_new(), *c = child_new();
    struct job *k;

    down(a, sem, L4_IPC_NEVER);
    down(b, sem, within_ms(3));
    k = down(c, sem, L4_IPC_NEVER);
    destroy(a->thread);
    destroy(b->task);
    l4_ipc_sleep_ms(5);
    l4_semaphore_up(sem);
    expect(k->done && k->got_error == 0);
}

/* A waiting thread is in a closed receive from nobody: messages do not wake it. */
static void messages_do_not_wake_it(void)
{
    l4_cap_idx_t sem = sem_new();
    struct child *c = child_new();
    struct job *j = down(c, sem, L4_IPC_NEVER);
    l4_msgtag_t tag = l4_ipc_send(c->thread, l4_utcb(), l4_msgtag(0, 0, 0, 0),
                                  L4_IPC_SEND_TIMEOUT_0);

    expect_eq(l4_ipc_error(tag, l4_utcb()), L4_IPC_SETIMEOUT);
    expect(!j->done);
    l4_semaphore_up(sem);
    expect(j->done);
}

static long ask(l4_cap_idx_t sem, long label, unsigned words, l4_umword_t op)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = op;
    return l4_error(l4_ipc_call(sem, u, l4_msgtag(label, words, 0, 0), L4_IPC_BOTH_TIMEOUT_0));
}

static void errors(void)
{
    l4_cap_idx_t sem = sem_new(), weak = slot_new();
    l4_umword_t label;
    l4_utcb_t *u = l4_utcb();

    l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(sem, 0, L4_CAP_FPAGE_RW),
                l4_map_obj_control(weak, 0));
    expect_eq(l4_ipc_error(l4_semaphore_up(weak), u), 0); /* up needs no right, down needs S */
    expect_eq(ask(weak, L4_PROTO_SEMAPHORE, 1, L4_SEMAPHORE_DOWN_OP), -L4_EPERM);
    expect_eq(ask(sem, L4_PROTO_SEMAPHORE, 0, 0), -L4_EMSGTOOSHORT);
    expect_eq(ask(sem, L4_PROTO_SEMAPHORE, 1, 77), -L4_ENOSYS);
    expect_eq(ask(sem, L4_PROTO_IRQ, 1, 77), -L4_ENOSYS);
    expect_eq(ask(sem, L4_PROTO_KOBJECT, 1, L4_RCV_EP_BIND_OP), -L4_EBADPROTO);
    expect_eq(ask(sem, L4_PROTO_IRQ_SENDER, 1, L4_IRQ_SENDER_DETACH_OP), -L4_EBADPROTO);
    expect_eq(ask(sem, L4_PROTO_SEMAPHORE, 1, L4_SEMAPHORE_DOWN_OP), 0); /* still the one up */
    u->msg.mr[0] = L4_SEMAPHORE_DOWN_OP; /* without a receive phase of its own it never waits */
    l4_ipc_send(sem, u, l4_msgtag(L4_PROTO_SEMAPHORE, 1, 0, 0), L4_IPC_NEVER);
    u->msg.mr[0] = L4_SEMAPHORE_DOWN_OP;
    expect_eq(l4_ipc_error(l4_ipc_send_and_wait(sem, u, l4_msgtag(L4_PROTO_SEMAPHORE, 1, 0, 0),
                                                &label, L4_IPC_NEVER), u), L4_IPC_RETIMEOUT);
    expect_eq(ask(sem, L4_PROTO_IRQ, 1, L4_IRQ_EOI_OP), 0);
}

int main(void)
{
    static const struct test tests[] = {
        {"a semaphore counts", it_counts},
        {"who came first goes on first", first_come_first_served},
        {"down ends with its timeout", timeouts},
        {"down can be cancelled", cancelled},
        {"deletion wakes all who wait, with an error", deleted},
        {"who waits can die", who_waits_can_die},
        {"messages do not wake who waits for a semaphore", messages_do_not_wake_it},
        {"every error has its code", errors},
        {0},
    };
    static const struct test *const sets[] = {tests};

    return tests_run(sets, 1);
}
