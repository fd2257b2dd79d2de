/*
 * irq/lines.c - lines of the interrupt controller, with the 8254 timer on line 0
 *
 * Mode 0 of the timer: the line goes down when a count is written and up when it has passed, so
 * each count is one edge.
 */
#include "irq_tests.h"

enum { TIMER_LINE = 0, KEYBOARD_LINE = 1, FREE_LINE = 5, LINES = 16, CASCADE = 2 };
enum { TIMER_DATA = 0x40, TIMER_COMMAND = 0x43, MODE_0 = 0x30, COUNT_US = 500 };

static const l4_cap_idx_t icu = L4_BASE_ICU_CAP;

/* The ports come from sigma0 by a fault, and go back before kernel memory is counted. */
static void out(l4_uint16_t port, l4_uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port));
}

static void ports_back(void)
{
    l4_task_unmap(L4_BASE_TASK_CAP, l4_iofpage(0, L4_WHOLE_IOADDRESS_SPACE), L4_FP_ALL_SPACES);
}

/* One edge after `us` microseconds. */
static void edge_after(unsigned us)
{
    unsigned count = us * 1193 / 1000;

    out(TIMER_COMMAND, MODE_0);
    out(TIMER_DATA, (l4_uint8_t)count);
    out(TIMER_DATA, (l4_uint8_t)(count >> 8));
}

static l4_cap_idx_t on_line(unsigned line, l4_umword_t label)
{
    l4_cap_idx_t irq = irq_mine(label);

    expect_eq(l4_error(l4_icu_bind(icu, line, irq)), 0);
    return irq;
}

static unsigned received(l4_cap_idx_t irq, unsigned ms)
{
    return l4_ipc_error(l4_irq_receive(irq, within_ms(ms)), l4_utcb());
}

/* The timer's interrupt, with nothing left over from before. */
static l4_cap_idx_t timer_irq(void)
{
    l4_cap_idx_t irq;

    out(TIMER_COMMAND, MODE_0);
    irq = on_line(TIMER_LINE, 0x40);
    while (received(irq, 2) == 0)
        ;
    return irq;
}

static void a_line_fires(void)
{
    l4_cap_idx_t irq = timer_irq();

    for (unsigned i = 0; i < 5; i++) {
        l4_uint64_t before = l4_kip_clock(l4_kip());

        edge_after(20000);
        expect_eq(received(irq, 100), 0);
        expect(l4_kip_clock(l4_kip()) - before >= 18000);
        expect(l4_kip_clock(l4_kip()) - before <= 24000);
    }
    expect_eq(received(irq, 5), L4_IPC_RETIMEOUT);
    ports_back();
}

static void an_edge_under_the_mask_is_kept(void)
{
    timer_irq();
    l4_icu_mask(icu, TIMER_LINE, NULL, L4_IPC_NEVER);
    edge_after(COUNT_US);
    l4_ipc_sleep_ms(3);
    expect_eq(poll_label(), ~0UL);
    l4_icu_unmask(icu, TIMER_LINE, NULL, L4_IPC_NEVER);
    expect_eq(poll_label(), 0x40);
    expect_eq(poll_label(), ~0UL);
    ports_back();
}

static void edges_while_nobody_receives(void)
{
    l4_cap_idx_t irq = timer_irq();

    for (unsigned i = 0; i < 4; i++) {
        edge_after(COUNT_US);
        l4_ipc_sleep_ms(3);
    }
    /* the first is the pending message; the second closed the line, the third waits before it */
    expect_eq(poll_label(), 0x40);
    expect_eq(poll_label(), 0x40);
    expect_eq(poll_label(), ~0UL);
    edge_after(COUNT_US);
    expect_eq(received(irq, 10), 0);
    ports_back();
}

static void a_bystander_is_interrupted(void)
{
    struct child *c = child_new();
    l4_cap_idx_t irq = timer_irq();
    struct job *j = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    volatile l4_umword_t n = 0;

    expect_eq(l4_error(l4_rcv_ep_bind_thread(irq, c->thread, 0x80)), 0);
    job_start(c, j);
    edge_after(COUNT_US);
    while (!j->done && n < 10000000) /* the test computes; the child is more important */
        n++;
    expect(j->done && j->got_label == 0x80);
    ports_back();
}

static void one_object_a_line(void)
{
    l4_cap_idx_t irq = on_line(FREE_LINE, 0x40), other = irq_mine(0x80);

    expect_eq(l4_error(l4_icu_bind(icu, FREE_LINE, other)), -L4_EINVAL);
    expect_eq(l4_error(l4_icu_bind(icu, FREE_LINE, irq)), 0); /* it is there already */
    expect_eq(l4_error(l4_icu_bind(icu, FREE_LINE + 1, irq)), 0); /* and moves */
    expect_eq(l4_error(l4_icu_bind(icu, FREE_LINE, other)), 0);
    expect_eq(l4_error(l4_icu_unbind(icu, FREE_LINE, other)), 0);
    expect_eq(l4_error(l4_icu_unbind(icu, FREE_LINE, other)), 0);
    expect_eq(l4_error(l4_icu_bind(icu, FREE_LINE, irq)), 0);
    destroy(irq);
    expect_eq(l4_error(l4_icu_bind(icu, FREE_LINE, other)), 0);
    expect_eq(l4_error(l4_icu_bind(icu, FREE_LINE + 1, other)), 0);
}

/* A dead object on a line that fires: the line is closed, and free for the next. */
static void the_object_of_a_busy_line_dies(void)
{
    l4_cap_idx_t irq = timer_irq();

    edge_after(COUNT_US);
    destroy(irq);
    l4_ipc_sleep_ms(3);
    irq = on_line(TIMER_LINE, 0x80);
    expect_eq(received(irq, 10), 0); /* the edge that nobody took */
    edge_after(COUNT_US);
    expect_eq(l4_error(l4_icu_unbind(icu, TIMER_LINE, irq)), 0);
    expect_eq(received(irq, 5), L4_IPC_RETIMEOUT);
    ports_back();
}

static void a_semaphore_on_a_line(void)
{
    l4_cap_idx_t sem = slot_new(), irq = timer_irq();
    l4_utcb_t *u = l4_utcb();

    expect_eq(l4_error(l4_factory_create(L4_BASE_FACTORY_CAP, L4_PROTO_SEMAPHORE, sem)), 0);
    expect_eq(l4_error(l4_icu_unbind(icu, TIMER_LINE, irq)), 0);
    expect_eq(l4_error(l4_icu_bind(icu, TIMER_LINE, sem)), 0);
    l4_irq_unmask(sem);
    edge_after(COUNT_US);
    u->msg.mr[0] = L4_SEMAPHORE_DOWN_OP;
    expect_eq(l4_error(l4_ipc_call(sem, u, l4_msgtag(L4_PROTO_SEMAPHORE, 1, 0, 0), within_ms(10))),
              0);
    ports_back();
}

static long ask(unsigned words, l4_umword_t op, l4_umword_t line, l4_umword_t mode)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = op;
    u->msg.mr[1] = line;
    u->msg.mr[2] = mode;
    return l4_error(l4_ipc_call(icu, u, l4_msgtag(L4_PROTO_IRQ, words, 0, 0), L4_IPC_NEVER));
}

static void modes(void)
{
    on_line(FREE_LINE, 0x40);
    expect_eq(l4_error(l4_icu_set_mode(icu, FREE_LINE, L4_IRQ_F_LEVEL_HIGH)), 0);
    expect_eq(l4_error(l4_icu_set_mode(icu, FREE_LINE, L4_IRQ_F_POS_EDGE)), 0);
    expect_eq(l4_error(l4_icu_set_mode(icu, FREE_LINE, L4_IRQ_F_NONE)), 0);
    expect_eq(l4_error(l4_icu_set_mode(icu, FREE_LINE, L4_IRQ_F_BOTH_EDGE)), -L4_EINVAL);
    expect_eq(l4_error(l4_icu_set_mode(icu, TIMER_LINE, L4_IRQ_F_LEVEL_HIGH)), -L4_EINVAL);
    expect_eq(l4_error(l4_icu_set_mode(icu, TIMER_LINE, L4_IRQ_F_POS_EDGE)), 0);
    expect_eq(l4_error(l4_icu_set_mode(icu, LINES, L4_IRQ_F_POS_EDGE)), -L4_EINVAL);
}

static void errors(void)
{
    l4_cap_idx_t irq = irq_mine(0x40), weak = slot_new();
    l4_icu_info_t info = {77, 77, 77};

    l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(irq, 0, L4_CAP_FPAGE_RO),
                l4_map_obj_control(weak, 0));
    expect_eq(l4_error(l4_icu_bind(icu, FREE_LINE, weak)), -L4_EPERM);
    expect_eq(l4_error(l4_icu_bind(icu, FREE_LINE, slot_new())), -L4_ENOENT);
    expect_eq(l4_error(l4_icu_bind(icu, FREE_LINE, L4_BASE_TASK_CAP)), -L4_EINVAL);
    expect_eq(l4_error(l4_icu_bind(icu, LINES, irq)), -L4_EINVAL);
    expect_eq(l4_error(l4_icu_bind(icu, CASCADE, irq)), -L4_EINVAL);
    expect_eq(l4_error(l4_icu_bind(icu, ~0U, irq)), -L4_EINVAL);
    expect_eq(ask(2, L4_ICU_BIND_OP, FREE_LINE, 0), -L4_EMSGMISSARG);
    expect_eq(ask(1, L4_ICU_BIND_OP, FREE_LINE, 0), -L4_EMSGTOOSHORT);
    expect_eq(ask(2, L4_ICU_SET_MODE_OP, FREE_LINE, 0), -L4_EMSGTOOSHORT);
    expect_eq(ask(0, 0, 0, 0), -L4_EMSGTOOSHORT);
    expect_eq(ask(2, L4_ICU_MSI_INFO_OP, 0, 0), -L4_ENOSYS);
    expect_eq(ask(2, 77, 0, 0), -L4_ENOSYS);
    expect_eq(ask(2, L4_ICU_UNMASK_OP, ~0UL, 0), 0); /* nobody is there: nothing happens */
    expect_eq(ask(2, L4_ICU_UNBIND_OP, ~0UL, 0), 0);
    expect_eq(l4_error(l4_ipc_call(icu, l4_utcb(), l4_msgtag(L4_PROTO_TASK, 1, 0, 0),
                                   L4_IPC_NEVER)), -L4_EBADPROTO);
    expect_eq(l4_error(l4_icu_info(icu, &info)), 0);
    expect_eq(info.features, 0);
    expect_eq(info.nr_irqs, LINES);
    expect_eq(info.nr_msis, 0);
}

const struct test line_tests[] = {
    {"the timer's line fires, each time that it is set", a_line_fires},
    {"an edge under the mask is kept", an_edge_under_the_mask_is_kept},
    {"of edges while nobody receives two are kept, and the line goes on",
     edges_while_nobody_receives},
    {"an interrupt takes the CPU from a less important thread", a_bystander_is_interrupted},
    {"a line has one object, an object one line", one_object_a_line},
    {"the object of a busy line dies", the_object_of_a_busy_line_dies},
    {"a semaphore can count a line's interrupts", a_semaphore_on_a_line},
    {"edge and level", modes},
    {"every error of the controller has its code", errors},
    {0},
};
