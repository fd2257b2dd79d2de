/*
 * irq/main.c - interrupt objects: who gets the message, when, and how often
 */
#include "irq_tests.h"

static struct job *wait_for(struct child *c, unsigned op, l4_cap_idx_t from)
{
    struct job *j = job_new(op, from);

    job_start(c, j);
    return j;
}

static long bind_to(l4_cap_idx_t irq, struct child *c, l4_umword_t label)
{
    return l4_error(l4_rcv_ep_bind_thread(irq, c->thread, label));
}

static void who_waits_gets_it_at_once(void)
{
    struct child *c = child_new();
    l4_cap_idx_t irq = irq_new();
    struct job *j;

    expect_eq(bind_to(irq, c, 0x1237), 0);
    j = wait_for(c, L4_SYSF_WAIT, L4_INVALID_CAP);
    expect(!j->done);
    expect_eq(l4_ipc_error(l4_irq_trigger(irq), l4_utcb()), 0);
    expect(j->done);
    expect_eq(j->got_error, 0);
    expect_eq(j->got_label, 0x1237);
    expect_eq(j->got_tag.raw, l4_msgtag(IRQ_LABEL, 0, 0, 0).raw);
    expect_eq(j->got[0], POISON);
    expect_eq(j->got[1], POISON + 1);
}

static void one_is_remembered(void)
{
    l4_cap_idx_t irq = irq_mine(0x40);

    for (unsigned i = 0; i < 3; i++)
        l4_irq_trigger(irq);
    expect_eq(poll_label(), 0x40);
    expect_eq(poll_label(), ~0UL);
    l4_irq_trigger(irq);
    expect_eq(poll_label(), 0x40);
}

static void in_line_with_threads(void)
{
    struct child *to = child_new(), *a = child_new(), *b = child_new();
    l4_cap_idx_t irq = irq_new(), gate = gate_new(to->thread, 0x800);
    struct job *r[3];

    bind_to(irq, to, 0x40);
    wait_for(to, L4_SYSF_RECV, L4_INVALID_CAP);
    give(a, gate, CHILD_CAP(0), L4_CAP_FPAGE_RO);
    give(b, to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    job_start(a, job_new(L4_SYSF_SEND, CHILD_CAP(0)));
    l4_irq_trigger(irq);
    job_start(b, job_new(L4_SYSF_SEND, CHILD_CAP(0)));
    for (unsigned i = 0; i < 3; i++)
        r[i] = wait_for(to, L4_SYSF_WAIT, L4_INVALID_CAP);
    expect_eq(r[0]->got_label, 0x800);
    expect_eq(r[1]->got_label, 0x40);
    expect_eq(r[2]->got_label, 0);
    expect(r[2]->done && r[2]->got_error == 0);
}

static void closed_receive(void)
{
    struct child *to = child_new(), *from = child_new();
    l4_cap_idx_t irq = irq_new(), other = irq_new();
    struct job *r, *w;

    bind_to(irq, to, 0x40);
    bind_to(other, to, 0x80);
    give(to, irq, CHILD_CAP(0), L4_CAP_FPAGE_RO);
    give(from, to->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    r = job_new(L4_SYSF_CALL, CHILD_CAP(0));
    r->tag = l4_msgtag(L4_PROTO_IRQ, 1, 0, 0);
    r->mr[0] = L4_IRQ_EOI_OP;
    job_start(to, r);
    job_start(from, job_new(L4_SYSF_SEND, CHILD_CAP(0)));
    l4_irq_trigger(other);
    expect(!r->done);
    l4_irq_trigger(irq);
    expect(r->done);
    expect_eq(r->got_label, 0x40);
    l4_irq_trigger(irq);
    w = wait_for(to, L4_SYSF_RECV, CHILD_CAP(0)); /* a receive from the interrupt, nothing sent */
    expect(w->done && w->got_error == 0 && w->got_label == 0x40);
    w = wait_for(to, L4_SYSF_WAIT, L4_INVALID_CAP);
    expect_eq(w->got_label, 0);
    w = wait_for(to, L4_SYSF_WAIT, L4_INVALID_CAP);
    expect_eq(w->got_label, 0x80);
}

static void unmask_and_wait_is_open(void)
{
    l4_cap_idx_t irq = irq_mine(0x40), other = irq_mine(0x80);
    l4_umword_t label = 0;

    l4_irq_trigger(other);
    expect_eq(l4_ipc_error(l4_irq_wait(irq, &label, L4_IPC_NEVER), l4_utcb()), 0);
    expect_eq(label, 0x80);
    expect_eq(l4_ipc_error(l4_irq_wait(irq, &label, within_ms(2)), l4_utcb()), L4_IPC_RETIMEOUT);
}

static void timeouts(void)
{
    l4_cap_idx_t irq = irq_mine(0x40);
    l4_utcb_t *u = l4_utcb();
    l4_uint64_t before;

    expect_eq(l4_ipc_error(l4_irq_receive(irq, L4_IPC_BOTH_TIMEOUT_0), u), L4_IPC_RETIMEOUT);
    before = l4_kip_clock(l4_kip());
    expect_eq(l4_ipc_error(l4_irq_receive(irq, within_ms(5)), u), L4_IPC_RETIMEOUT);
    expect(l4_kip_clock(l4_kip()) - before >= 4000);
    l4_irq_trigger(irq);
    expect_eq(l4_ipc_error(l4_irq_receive(irq, L4_IPC_BOTH_TIMEOUT_0), u), 0);
}

static void only_the_bound_thread_receives(void)
{
    struct child *c = child_new();
    l4_cap_idx_t irq = irq_new();

    bind_to(irq, c, 0x40);
    l4_irq_trigger(irq);
    expect_eq(l4_ipc_error(l4_irq_receive(irq, L4_IPC_NEVER), l4_utcb()),
              L4_IPC_ENOT_EXISTENT | 1);
    expect_eq(wait_for(c, L4_SYSF_WAIT, L4_INVALID_CAP)->got_label, 0x40);
}

static void detach_and_bind_again(void)
{
    l4_cap_idx_t irq = irq_new();
    struct child *c = child_new(), *d = child_new();
    struct job *j, *k;

    expect_eq(l4_error(l4_irq_detach(irq)), -L4_ENOENT);
    l4_irq_trigger(irq); /* before anybody is bound */
    bind_to(irq, c, 0x40);
    expect_eq(l4_error(l4_irq_detach(irq)), 1); /* it was pending */
    j = wait_for(c, L4_SYSF_WAIT, L4_INVALID_CAP);
    expect(!j->done);
    bind_to(irq, d, 0x80);
    k = wait_for(d, L4_SYSF_WAIT, L4_INVALID_CAP);
    expect_eq(k->got_label, 0x80);
    l4_irq_trigger(irq);
    expect_eq(bind_to(irq, c, 0xc0), 0); /* from one thread to the next, which waits */
    expect(j->done);
    expect_eq(j->got_label, 0xc0);
    expect_eq(bind_to(irq, c, 0x100), 0); /* the same thread: a new label */
    l4_irq_trigger(irq);
    expect_eq(wait_for(c, L4_SYSF_WAIT, L4_INVALID_CAP)->got_label, 0x100);
    expect_eq(l4_error(l4_irq_detach(irq)), 0);
}

static void who_waits_is_told(void)
{
    struct child *c = child_new();
    l4_cap_idx_t irq = irq_new();
    struct job *j;

    for (unsigned how = 0; how < 3; how++) {
        expect_eq(bind_to(irq, c, 0x40), 0);
        give(c, irq, CHILD_CAP(0), L4_CAP_FPAGE_RW);
        j = wait_for(c, L4_SYSF_RECV, CHILD_CAP(0));
        expect(!j->done);
        if (how == 0)
            l4_irq_detach(irq);
        else if (how == 1)
            l4_rcv_ep_bind_thread(irq, L4_BASE_THREAD_CAP, 0);
        else
            destroy(irq);
        expect(j->done);
        expect_eq(j->got_error, L4_IPC_ENOT_EXISTENT);
    }
}

static void a_pending_one_can_be_deleted(void)
{
    struct child *c = child_new();
    l4_cap_idx_t irq = irq_new(), other = irq_new();
    struct job *j;

    bind_to(irq, c, 0x40);
    bind_to(other, c, 0x80);
    l4_irq_trigger(irq);
    l4_irq_trigger(other);
    destroy(irq);
    j = wait_for(c, L4_SYSF_WAIT, L4_INVALID_CAP);
    expect_eq(j->got_label, 0x80);
    expect(!wait_for(c, L4_SYSF_WAIT, L4_INVALID_CAP)->done);
    expect_eq(l4_ipc_error(l4_irq_trigger(irq), l4_utcb()), L4_IPC_ENOT_EXISTENT);
}

static void it_outlives_its_thread(void)
{
    struct child *c = child_new(), *d = child_new(), *heir, *from;
    l4_cap_idx_t irq = irq_new(), quiet = irq_new();
    struct job *s = job_new(L4_SYSF_SEND, CHILD_CAP(0));

    bind_to(irq, c, 0x40);
    bind_to(quiet, c, 0x80);
    l4_irq_trigger(irq);
    destroy(c->thread);
    heir = child_new(); /* in the memory of the dead thread, with a sender in its queue */
    from = child_new();
    give(from, heir->thread, CHILD_CAP(0), L4_CAP_FPAGE_RW);
    wait_for(heir, L4_SYSF_RECV, L4_INVALID_CAP);
    job_start(from, s);
    l4_irq_trigger(quiet);
    expect_eq(l4_error(l4_irq_detach(irq)), -L4_ENOENT);
    expect_eq(bind_to(irq, d, 0xc0), 0);
    expect_eq(bind_to(quiet, d, 0x100), 0);
    expect_eq(wait_for(d, L4_SYSF_WAIT, L4_INVALID_CAP)->got_label, 0xc0);
    expect_eq(wait_for(d, L4_SYSF_WAIT, L4_INVALID_CAP)->got_label, 0x100);
    wait_for(heir, L4_SYSF_WAIT, L4_INVALID_CAP);
    expect(s->done && s->got_error == 0);
}

static void a_task_dies_with_one_pending(void)
{
    struct child *c = child_new();
    l4_cap_idx_t irq = irq_new();

    bind_to(irq, c, 0x40);
    l4_irq_trigger(irq);
    destroy(c->task);
    l4_irq_trigger(irq);
    expect_eq(l4_error(l4_rcv_ep_bind_thread(irq, L4_BASE_THREAD_CAP, 0x80)), 0);
    expect_eq(poll_label(), 0x80);
}

static long ask(l4_cap_idx_t irq, long label, unsigned words, l4_umword_t op, unsigned items,
                l4_cap_idx_t cap)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = op;
    u->msg.mr[1] = 0x40;
    u->msg.mr[words] = L4_ITEM_MAP;
    u->msg.mr[words + 1] = l4_obj_fpage(cap, 0, L4_CAP_FPAGE_RWS).raw;
    return l4_error(l4_ipc_call(irq, u, l4_msgtag(label, words, items, 0), L4_IPC_NEVER));
}

static void errors(void)
{
    l4_cap_idx_t irq = irq_mine(0x40), weak = slot_new(), t = L4_BASE_THREAD_CAP;
    struct child *c = child_new();
    const unsigned bind = L4_RCV_EP_BIND_OP;

    l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(irq, 0, L4_CAP_FPAGE_RW),
                l4_map_obj_control(weak, 0));
    expect_eq(ask(weak, L4_PROTO_KOBJECT, 2, bind, 1, t), -L4_EPERM);
    expect_eq(ask(weak, L4_PROTO_IRQ_SENDER, 1, L4_IRQ_SENDER_DETACH_OP, 0, t), -L4_EPERM);
    expect_eq(ask(irq, L4_PROTO_KOBJECT, 1, bind, 1, t), -L4_EMSGTOOSHORT);
    expect_eq(ask(irq, L4_PROTO_KOBJECT, 0, bind, 0, t), -L4_EMSGTOOSHORT);
    expect_eq(ask(irq, L4_PROTO_KOBJECT, 2, bind, 0, t), -L4_EMSGMISSARG);
    expect_eq(ask(irq, L4_PROTO_KOBJECT, 2, bind, 1, L4_BASE_TASK_CAP), -L4_EINVAL);
    expect_eq(ask(irq, L4_PROTO_KOBJECT, 2, bind, 1, slot_new()), -L4_ENOENT);
    expect_eq(ask(irq, L4_PROTO_KOBJECT, 1, 0x77, 0, t), -L4_ENOSYS);
    expect_eq(ask(irq, L4_PROTO_IRQ_SENDER, 1, 0x77, 0, t), -L4_ENOSYS);
    expect_eq(ask(irq, L4_PROTO_IRQ, 1, L4_IRQ_CHAIN_OP, 0, t), -L4_ENOSYS);
    expect_eq(ask(irq, L4_PROTO_SEMAPHORE, 1, L4_SEMAPHORE_DOWN_OP, 0, t), -L4_EBADPROTO);
    expect_eq(ask(irq, L4_PROTO_THREAD, 1, 0, 0, t), -L4_EBADPROTO);
    destroy(c->task); /* its thread is dead now */
    expect_eq(ask(irq, L4_PROTO_KOBJECT, 2, bind, 1, c->thread), -L4_EINVAL);
    expect_eq(poll_label(), ~0UL);
    expect_eq(l4_ipc_error(l4_irq_trigger(weak), l4_utcb()), 0); /* needs no right */
    expect_eq(poll_label(), 0x40); /* and the old binding stands */
}

static void created_under_every_name(void)
{
    static const long names[] = {L4_PROTO_IRQ, L4_PROTO_IRQ_SENDER};
    l4_utcb_t *u = l4_utcb();

    for (unsigned i = 0; i < 2; i++) {
        l4_cap_idx_t irq = slot_new();

        expect_eq(l4_error(l4_factory_create(L4_BASE_FACTORY_CAP, names[i], irq)), 0);
        expect_eq(l4_error(l4_rcv_ep_bind_thread(irq, L4_BASE_THREAD_CAP, 4 * i)), 0);
        u->msg.mr[0] = L4_IRQ_TRIGGER_OP; /* the long form of a trigger */
        l4_ipc_send(irq, u, l4_msgtag(L4_PROTO_IRQ, 1, 0, 0), L4_IPC_NEVER);
        expect_eq(poll_label(), 4 * i);
    }
}

static void quota(void)
{
    l4_cap_idx_t factory = slot_new();
    unsigned made = 0;
    long err;

    expect_eq(l4_error(l4_factory_create_factory(L4_BASE_FACTORY_CAP, factory, 2000)), 0);
    while ((err = l4_error(l4_factory_create_irq(factory, slot_new()))) == 0 && made < 50)
        made++;
    expect_eq(err, -L4_ENOMEM);
    expect(made >= 10 && made < 25);
    err = l4_error(l4_factory_create(factory, L4_PROTO_SEMAPHORE, slot_new()));
    expect_eq(err, -L4_ENOMEM);
}

static const struct test object_tests[] = {
    {"who waits gets the message at once, with the label and no words", who_waits_gets_it_at_once},
    {"of several triggers one is remembered", one_is_remembered},
    {"an interrupt stands in line with threads that send", in_line_with_threads},
    {"a closed receive takes this interrupt and nothing else", closed_receive},
    {"unmask and wait takes any message", unmask_and_wait_is_open},
    {"a receive has its timeout", timeouts},
    {"only the bound thread can receive from an interrupt", only_the_bound_thread_receives},
    {"what is pending moves to the next thread", detach_and_bind_again},
    {"who waits for an interrupt that will not come is told", who_waits_is_told},
    {"a pending interrupt can be deleted", a_pending_one_can_be_deleted},
    {"an interrupt outlives its thread", it_outlives_its_thread},
    {"a task dies with an interrupt pending for it", a_task_dies_with_one_pending},
    {"every error has its code and changes nothing", errors},
    {"the factory knows interrupts by two names", created_under_every_name},
    {"interrupts are paid for", quota},
    {0},
};

int main(void)
{
    static const struct test *const sets[] = {object_tests, line_tests};

    return tests_run(sets, 2);
}
