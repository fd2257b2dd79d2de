/*
 * test_sends.c - what a send or a receive is told at once, and faults that nobody can take
 *
 * The calling thread has the kernel's objects around it, and a peer that runs when it cannot.
 */
#include "calls.h"

enum { SLOT_IRQ = 60, SLOT_PEER = 61, SLOT_PEERS_GATE = 62, SLOT_EMPTY_GATE = 63 };
enum { ZERO = L4_TIMEOUT_ZERO, ZERO_BOTH = ZERO << 16 | ZERO };

static struct thread *peer;
static struct irq *irq;
static struct gate *peers_gate, *empty_gate;

static void begin(unsigned flags)
{
    start();
    user->flags |= (uint8_t)flags;
    peer = machine_thread(&factory->obj, other, 0, 5);
    irq = irq_create(&factory->obj, OBJ_IRQ);
    peers_gate = gate_create(&factory->obj, 0x230, peer);
    empty_gate = gate_create(&factory->obj, 0x340, NULL);
    enter(SLOT_PEER, &peer->obj);
    enter(SLOT_IRQ, &irq->ep.obj);
    enter(SLOT_PEERS_GATE, &peers_gate->obj);
    enter(SLOT_EMPTY_GATE, &empty_gate->obj);
}

static uint64_t cap(uint64_t slot)
{
    return slot << L4_CAP_SHIFT;
}

/* The error of an operation that ends at once; 0: none. */
static unsigned told(uint64_t cap_op, l4_msgtag_t tag, uint32_t timeouts)
{
    user->utcb->tcr.error = 0;
    CHECK(cpu0.current == user);
    CHECK(user_call(user, 0x99, cap_op, tag, timeouts) == user && user->state == THREAD_READY);
    CHECK(!!(user->regs.rax & L4_MSGTAG_ERROR) == !!user->utcb->tcr.error);
    return (unsigned)user->utcb->tcr.error;
}

/* The user is blocked in such a state; something that is over brings it back. */
static void expect_blocked(uint64_t cap_op, l4_msgtag_t tag, enum thread_state state)
{
    CHECK(user_call(user, 0x99, cap_op, tag, 0) == peer && user->state == state);
}

TEST(a_message_has_sixty_three_words_and_items_count_twice)
{
    for (unsigned flags = 0; flags <= THREAD_SLOW; flags += THREAD_SLOW) {
        uint64_t to = cap(SLOT_PEERS_GATE) | L4_SYSF_SEND;

        begin(flags);
        CHECK(told(to, msgtag(0, 63, 0, 0), ZERO_BOTH) == L4_IPC_SETIMEOUT);
        CHECK(told(to, msgtag(0, 1, 31, 0), ZERO_BOTH) == L4_IPC_SETIMEOUT);
        CHECK(told(to, msgtag(0, 2, 31, 0), ZERO_BOTH) == L4_IPC_SEMSGCUT);
        CHECK(told(to, msgtag(0, 0, 32, 0), ZERO_BOTH) == L4_IPC_SEMSGCUT);
        CHECK(told(to, msgtag(0, 62, 1, 0), ZERO_BOTH) == L4_IPC_SEMSGCUT);
        CHECK(told(to | L4_SYSF_CALL, msgtag(0, 62, 1, 0), 0) == L4_IPC_SEMSGCUT);
        stop();
        leaks();
    }
}

TEST(the_invalid_capability_is_the_own_thread)
{
    for (unsigned flags = 0; flags <= THREAD_SLOW; flags += THREAD_SLOW) {
        begin(flags);
        for (uint64_t self_cap = L4_INVALID_CAP;; self_cap = L4_INVALID_CAP_BIT | cap(SLOT_VOID)) {
            user->regs.rsp = 0x1234;
            mr[0] = L4_THREAD_EX_REGS_OP;
            mr[1] = mr[2] = ~0UL;
            CHECK(told(self_cap | L4_SYSF_CALL, msgtag(L4_PROTO_THREAD, 3, 0, 0), 0) == 0);
            CHECK(answered() == 3 && mr[2] == 0x1234);
            CHECK(told(self_cap | L4_SYSF_SEND, msgtag(0, 0, 0, 0), 0) == L4_IPC_ENOT_EXISTENT);
            CHECK(told(self_cap | L4_SYSF_RECV, msgtag(0, 0, 0, 0), ZERO) == L4_IPC_RETIMEOUT);
            if (self_cap != L4_INVALID_CAP)
                break;
        }
        stop();
        leaks();
    }
}

TEST(a_capability_that_is_none_is_told_in_the_phase_that_uses_it)
{
    static const uint64_t none[] = {SLOT_VOID << L4_CAP_SHIFT, SLOT_PEER << L4_CAP_SHIFT | 0x10,
                                    SLOT_PEER << L4_CAP_SHIFT | 0x400,
                                    (uint64_t)L4_CAP_SLOTS << L4_CAP_SHIFT, 5000UL << L4_CAP_SHIFT};

    for (unsigned flags = 0; flags <= THREAD_SLOW; flags += THREAD_SLOW) {
        l4_msgtag_t tag = msgtag(0, 0, 0, 0);

        begin(flags);
        for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
            CHECK(told(none[i] | L4_SYSF_SEND, tag, 0) == L4_IPC_ENOT_EXISTENT);
            CHECK(told(none[i] | L4_SYSF_CALL, tag, 0) == L4_IPC_ENOT_EXISTENT);
            CHECK(told(none[i] | L4_SYSF_RECV, tag, 0) == (L4_IPC_ENOT_EXISTENT | 1));
        }
        CHECK(told(cap(SLOT_OTHER) | L4_SYSF_RECV, tag, 0) == (L4_IPC_ENOT_EXISTENT | 1));
        CHECK(told(cap(SLOT_IRQ) | L4_SYSF_RECV, tag, 0) == (L4_IPC_ENOT_EXISTENT | 1));
        CHECK(told(L4_INVALID_CAP | L4_SYSF_SEND | L4_SYSF_REPLY, tag, 0) == L4_IPC_ENOT_EXISTENT);
        CHECK(told(cap(SLOT_PEER), tag, 0) == 0 && user->regs.rax == 0 && user->regs.rsi == 0);
        stop();
        leaks();
    }
}

/* Of those that are dying one hears, until the reaper has been there, what one hears afterwards. */
TEST(what_is_dying_is_not_there_any_more)
{
    static const uint64_t slots[] = {SLOT_IRQ, SLOT_PEERS_GATE, SLOT_EMPTY_GATE, SLOT_OTHER};

    begin(0);
    for (unsigned i = 0; i < 4; i++) {
        struct object *o = cap_object(slot_of(self, slots[i]));

        o->dying = true;
        CHECK(told(cap(slots[i]) | L4_SYSF_SEND, msgtag(0, 0, 0, 0), 0) == L4_IPC_ENOT_EXISTENT);
        CHECK(told(cap(slots[i]) | L4_SYSF_CALL, msgtag(0, 0, 0, 0), 0) == L4_IPC_ENOT_EXISTENT);
        CHECK(told(cap(slots[i]) | L4_SYSF_RECV, msgtag(0, 0, 0, 0), 0) ==
              (L4_IPC_ENOT_EXISTENT | 1));
        o->dying = false;
    }
    thread_kill(peer);
    CHECK(told(cap(SLOT_PEER) | L4_SYSF_SEND, msgtag(0, 0, 0, 0), 0) == L4_IPC_ENOT_EXISTENT);
    CHECK(told(cap(SLOT_PEER) | L4_SYSF_RECV, msgtag(0, 0, 0, 0), 0) == (L4_IPC_ENOT_EXISTENT | 1));
    stop();
}

/* It has never been bound: there is nobody to be heard, and nobody who could answer. */
TEST(a_thread_without_a_task_gets_no_message)
{
    for (unsigned flags = 0; flags <= THREAD_SLOW; flags += THREAD_SLOW) {
        struct thread *nobody;
        struct gate *g;

        begin(flags);
        nobody = thread_create(&factory->obj);
        g = gate_create(&factory->obj, 0x450, nobody);
        enter(70, &nobody->obj);
        enter(71, &g->obj);
        for (uint64_t slot = 70; slot < 72; slot++) {
            CHECK(told(cap(slot) | L4_SYSF_SEND, msgtag(0, 0, 0, 0), 0) == L4_IPC_ENOT_EXISTENT);
            CHECK(told(cap(slot) | L4_SYSF_CALL, msgtag(0, 0, 0, 0), 0) == L4_IPC_ENOT_EXISTENT);
        }
        CHECK(told(cap(70) | L4_SYSF_RECV, msgtag(0, 0, 0, 0), ZERO) == L4_IPC_RETIMEOUT);
        stop();
        leaks();
    }
}

/* The kernel answers this protocol for every object, and for none with anything but no. */
TEST(what_is_asked_of_an_object_itself_does_not_become_a_message)
{
    static const uint64_t slots[] = {SLOT_PEER, SLOT_PEERS_GATE, SLOT_EMPTY_GATE, SLOT_IRQ,
                                     SLOT_FACTORY, SLOT_OTHER};

    for (unsigned flags = 0; flags <= THREAD_SLOW; flags += THREAD_SLOW) {
        begin(flags);
        for (unsigned i = 0; i < sizeof(slots) / sizeof(slots[0]); i++)
            CHECK(user_invoke(user, slots[i], L4_PROTO_META, 1, 0) == -L4_EBADPROTO);
        CHECK(list_empty(&peer->senders));
        stop();
        leaks();
    }
}

TEST(only_with_the_right_to_a_gate_one_stands_in_for_it)
{
    begin(0);
    machine_pass(self, SLOT_PEERS_GATE, self, 70, L4_CAP_FPAGE_RW);
    CHECK(told(cap(70) | L4_SYSF_RECV, msgtag(0, 0, 0, 0), ZERO) == (L4_IPC_ENOT_EXISTENT | 1));
    CHECK(told(cap(SLOT_PEERS_GATE) | L4_SYSF_RECV, msgtag(0, 0, 0, 0), ZERO) == L4_IPC_RETIMEOUT);
    CHECK(peers_gate->thread == peer);
    expect_blocked(cap(SLOT_PEERS_GATE) | L4_SYSF_RECV, msgtag(0, 0, 0, 0), THREAD_RECV_FROM);
    stop();
}

/* The rights of the capability come with the label; without a gate it is the sender's word. */
TEST(the_label_of_a_message_says_who_sent_it)
{
    static const unsigned rights[] = {4, 5, 6, 7, 15};

    for (unsigned flags = 0; flags <= THREAD_SLOW; flags += THREAD_SLOW)
        for (unsigned i = 0; i < 6; i++) {
            uint64_t to;

            begin(flags);
            peer->flags |= (uint8_t)flags;
            machine_pass(self, SLOT_THREAD, other, 71, 15);
            if (i < 5)
                machine_pass(self, SLOT_GATE, other, 70, rights[i]);
            expect_blocked(L4_INVALID_CAP | L4_SYSF_WAIT, msgtag(0, 0, 0, 0), THREAD_RECV_ANY);
            to = cap(i < 5 ? 70 : 71) | (i & 1 ? L4_SYSF_SEND : L4_SYSF_CALL);
            CHECK(user_call(peer, 0x99, to, msgtag(7, 0, 0, 0), 0) == user);
            CHECK((long)user->regs.rax == msgtag(7, 0, 0, 0).raw);
            CHECK(user->regs.rsi == (i < 5 ? 0x120 | (rights[i] & 3) : 0x99));
            stop();
            leaks();
        }
}

/* ---- kernel objects in one breath with a receive ---- */

TEST(a_kernel_call_answers_in_the_way_that_was_asked_for)
{
    l4_msgtag_t tag = msgtag(L4_PROTO_TASK, 2, 0, 0);

    for (unsigned flags = 0; flags <= THREAD_SLOW; flags += THREAD_SLOW) {
        begin(flags);
        mr[0] = L4_TASK_CAP_INFO_OP;
        mr[1] = cap(SLOT_GATE);
        CHECK(told(cap(SLOT_SELF) | L4_SYSF_CALL, tag, 0) == 0);
        CHECK(user->regs.rax == (uint64_t)msgtag(1, 0, 0, 0).raw && user->regs.rsi == 0);
        CHECK(told(cap(SLOT_SELF) | L4_SYSF_SEND, tag, 0) == 0 && user->regs.rax == 0);
        CHECK(told(cap(SLOT_SELF) | L4_SYSF_SEND_AND_WAIT, tag, ZERO) == L4_IPC_RETIMEOUT);
        expect_blocked(cap(SLOT_SELF) | L4_SYSF_SEND_AND_WAIT, tag, THREAD_RECV_ANY);
        stop();
        leaks();
    }
}

/* Whoever waits for a semaphore has no answer yet, and is told when it does not wait. */
TEST(a_call_that_waits_is_answered_once_and_by_whom_it_waits_for)
{
    l4_msgtag_t down = msgtag(L4_PROTO_SEMAPHORE, 1, 0, 0);

    for (unsigned flags = 0; flags <= THREAD_SLOW; flags += THREAD_SLOW) {
        struct irq *sem;

        begin(flags);
        sem = irq_create(&factory->obj, OBJ_SEMAPHORE);
        enter(70, &sem->ep.obj);
        mr[0] = L4_SEMAPHORE_DOWN_OP;
        CHECK(told(cap(70) | L4_SYSF_CALL, down, ZERO) == L4_IPC_RETIMEOUT);
        CHECK(told(cap(70) | L4_SYSF_SEND, down, 0) == L4_IPC_RETIMEOUT);
        CHECK(told(cap(70) | L4_SYSF_SEND_AND_WAIT, down, 0) == L4_IPC_RETIMEOUT);
        irq_trigger(sem);
        CHECK(told(cap(70) | L4_SYSF_SEND, down, 0) == 0 && sem->count == 0);
        expect_blocked(cap(70) | L4_SYSF_CALL, down, THREAD_RECV_FROM);
        irq_trigger(sem);
        CHECK(user->state == THREAD_READY && user->regs.rax == 0 && sem->count == 0);
        CHECK(sched_next(cpu0.current) == user);
        stop();
        leaks();
    }
}

/* ---- faults ---- */

TEST(a_fault_without_a_pager_is_an_exception_and_without_a_handler_the_end)
{
    static const uint64_t bad[] = {0, L4_INVALID_CAP, SLOT_VOID << L4_CAP_SHIFT,
                                   SLOT_OTHER << L4_CAP_SHIFT, SLOT_IRQ << L4_CAP_SHIFT,
                                   L4_INVALID_CAP_BIT | SLOT_PEERS_GATE << L4_CAP_SHIFT};

    for (unsigned i = 0; i < 6; i++)
        for (unsigned k = 0; k < 2; k++) {
            begin(0);
            user->pager = bad[i];
            user->exc_handler = k ? bad[i] : cap(SLOT_PEERS_GATE);
            CHECK(user_trap(user, 14, 0x5000, 2) == peer);
            CHECK(user->state == (k ? THREAD_STOPPED : THREAD_SEND));
            CHECK(machine_reports == k && user->regs.vector == 14);
            if (!k)
                CHECK(user->message == MESSAGE_EXCEPTION && user->partner == peer);
            stop();
            leaks();
        }
}

/* A call without the mark goes to the handler, registers as they were. */
TEST(a_foreign_system_call_is_an_exception)
{
    begin(0);
    user->exc_handler = cap(SLOT_PEERS_GATE);
    cpu0.scratch = 15;
    user->regs.rip = 0x401000;
    user->regs.rflags = 0x246;
    user->regs.err = 77;
    user->regs.vector = VECTOR_SYSCALL;
    user->flags |= THREAD_ALLOW_SYSCALL;
    CHECK(syscall(user, 0x51, 0x52, 60, 0x53) == peer && user->state == THREAD_SEND);
    CHECK(user->message == MESSAGE_EXCEPTION && !(user->flags & THREAD_ALLOW_SYSCALL));
    CHECK(user->regs.rax == 60 && user->regs.rsi == 0x51 && user->regs.r15 == 15);
    CHECK(user->regs.rcx == 0x401000 && user->regs.r11 == 0x246 && user->regs.err == 0);
    stop();
}

/* An alien's own calls are exceptions, too, but for the one that its handler lets pass. */
TEST(an_alien_calls_when_it_is_allowed_to)
{
    begin(THREAD_ALIEN);
    user->exc_handler = cap(SLOT_PEERS_GATE);
    user->flags |= THREAD_ALLOW_SYSCALL;
    CHECK(told(cap(SLOT_PEER) | L4_SYSF_SEND, msgtag(0, 0, 0, 0), ZERO_BOTH) == L4_IPC_SETIMEOUT);
    CHECK(!(user->flags & THREAD_ALLOW_SYSCALL));
    expect_blocked(cap(SLOT_PEER) | L4_SYSF_SEND, msgtag(0, 0, 0, 0), THREAD_SEND);
    CHECK(user->message == MESSAGE_EXCEPTION && user->partner == peer);
    stop();
}

/* It is raised as soon as the thread goes on, whatever it has begun to wait for meanwhile. */
TEST(an_exception_that_was_asked_for_comes_before_the_next_message_is_looked_at)
{
    for (unsigned flags = 0; flags <= THREAD_SLOW; flags += THREAD_SLOW) {
        uint64_t *words;

        begin(flags);
        machine_pass(self, SLOT_THREAD, other, 71, 15);
        machine_pass(self, SLOT_GATE, other, 70, 15);
        expect_blocked(cap(SLOT_PEERS_GATE) | L4_SYSF_SEND_AND_WAIT, msgtag(0, 0, 0, 0),
                       THREAD_SEND);
        words = peer->utcb->msg.mr;
        words[0] = L4_THREAD_EX_REGS_OP | L4_THREAD_EX_REGS_TRIGGER_EXCEPTION;
        words[1] = words[2] = ~0UL;
        CHECK(user_invoke(peer, 71, L4_PROTO_THREAD, 3, 0) == 0 && user->state == THREAD_SEND);
        CHECK(user_call(peer, 0, L4_INVALID_CAP | L4_SYSF_WAIT, msgtag(0, 0, 0, 0), 0) == peer);
        CHECK(peer->regs.rsi == 0x230 + 3 && user->state == THREAD_RECV_ANY_SLOW);
        CHECK(user_call(peer, 0, cap(70) | L4_SYSF_CALL, msgtag(0, 0, 0, 0), ZERO) == peer);
        CHECK(user->state == THREAD_STOPPED && user->regs.vector == 0xff && machine_reports == 1);
        stop();
    }
}

/* ---- what a message leaves behind ---- */

static void bind_irq(void)
{
    mr[0] = L4_RCV_EP_BIND_OP;
    mr[1] = 0x777;
    user_item(user, 2, SLOT_THREAD, 15);
    CHECK(user_invoke(user, SLOT_IRQ, L4_PROTO_KOBJECT, 2, 1) == 0);
}

/* The peer waits, and the user runs. */
static void peer_waits(void)
{
    machine_pass(self, SLOT_GATE, other, 70, 15);
    expect_blocked(L4_INVALID_CAP | L4_SYSF_WAIT, msgtag(0, 0, 0, 0), THREAD_RECV_ANY);
    CHECK(user_call(peer, 0, cap(70) | L4_SYSF_SEND_AND_WAIT, msgtag(0, 0, 0, 0), 0) == user);
    CHECK(peer->state == THREAD_RECV_ANY);
}

/* A sender goes on at once, or waits for the answer, or has a message waiting and takes that. */
TEST(what_a_message_made_die_is_gone_when_sender_or_receiver_goes_on)
{
    static const unsigned ways[] = {L4_SYSF_SEND, L4_SYSF_CALL, L4_SYSF_SEND_AND_WAIT};

    for (unsigned i = 0; i < 6; i++) {
        unsigned op = ways[i / 2];

        begin(i & 1 ? THREAD_SLOW : 0);
        bind_irq();
        peer_waits();
        irq_trigger(irq);
        peer->utcb->buf.bdr = 0;
        peer->utcb->buf.br[0] = cap(90) | L4_RCV_ITEM_SINGLE_CAP;
        user_item(user, 0, SLOT_FACTORY, 15);
        object_die(&empty_gate->obj);
        CHECK(user_call(user, 0, cap(SLOT_PEERS_GATE) | op, msgtag(7, 0, 1, 0), 0) ==
              (op == L4_SYSF_CALL ? peer : user));
        CHECK(slot_of(other, 90) && peer->state == THREAD_READY && peer->regs.rsi == 0x233);
        CHECK((user->regs.rsi == 0x777) == (op == L4_SYSF_SEND_AND_WAIT));
        if (op == L4_SYSF_SEND_AND_WAIT)
            expect_blocked(L4_INVALID_CAP | L4_SYSF_WAIT, msgtag(0, 0, 0, 0), THREAD_RECV_ANY);
        CHECK(!object_any_dying() && !slot_of(self, SLOT_EMPTY_GATE));
        stop();
        leaks();
    }
}

/* A handler says no to it: the thread stays where it is, and has nothing to go on with. */
TEST(who_is_stopped_by_an_answer_has_nothing_left_to_do)
{
    struct thread *idler;

    begin(THREAD_SLOW);
    idler = machine_thread(&factory->obj, other, 1, 1);
    enter(71, &idler->obj);
    machine_pass(self, SLOT_GATE, other, 70, 15);
    peer->exc_handler = cap(70);
    expect_blocked(L4_INVALID_CAP | L4_SYSF_WAIT, msgtag(0, 0, 0, 0), THREAD_RECV_ANY);
    CHECK(user_trap(peer, 6, 0, 0) == user && user->caller == peer);
    object_die(&empty_gate->obj);
    mr[0] = mr[1] = 0; /* a void item */
    CHECK(user_call(user, 0, L4_INVALID_CAP | L4_SYSF_REPLY_AND_WAIT, msgtag(-1, 0, 1, 0), 0) ==
          idler);
    CHECK(user->state == THREAD_RECV_ANY && peer->state == THREAD_STOPPED && !peer->cont);
    CHECK(machine_reports == 1);
    stop();
    leaks();
}

/* ---- interrupts among the senders ---- */

TEST(an_interrupt_waits_in_the_queue_of_senders_as_others_do)
{
    begin(0);
    bind_irq();
    irq_trigger(irq);
    irq_trigger(irq); /* still the same one */
    CHECK(told(L4_INVALID_CAP | L4_SYSF_WAIT, msgtag(0, 0, 0, 0), ZERO) == 0);
    CHECK((long)user->regs.rax == msgtag(IRQ_MESSAGE_LABEL, 0, 0, 0).raw);
    CHECK(user->regs.rsi == 0x777);
    CHECK(told(L4_INVALID_CAP | L4_SYSF_WAIT, msgtag(0, 0, 0, 0), ZERO) == L4_IPC_RETIMEOUT);
    irq_trigger(irq);
    CHECK(told(cap(SLOT_IRQ) | L4_SYSF_RECV, msgtag(0, 0, 0, 0), ZERO) == 0);
    CHECK(user->regs.rsi == 0x777);
    CHECK(told(cap(SLOT_IRQ) | L4_SYSF_RECV, msgtag(0, 0, 0, 0), ZERO) == L4_IPC_RETIMEOUT);
    expect_blocked(cap(SLOT_IRQ) | L4_SYSF_RECV, msgtag(0, 0, 0, 0), THREAD_RECV_FROM);
    irq_trigger(irq);
    CHECK(user->state == THREAD_READY && user->regs.rsi == 0x777);
    stop();
}

#define TESTS(X)                                                                                  \
    X(a_message_has_sixty_three_words_and_items_count_twice)                                      \
    X(the_invalid_capability_is_the_own_thread)                                                   \
    X(a_capability_that_is_none_is_told_in_the_phase_that_uses_it)                                \
    X(what_is_dying_is_not_there_any_more)                                                        \
    X(a_thread_without_a_task_gets_no_message)                                                    \
    X(what_is_asked_of_an_object_itself_does_not_become_a_message)                                \
    X(only_with_the_right_to_a_gate_one_stands_in_for_it)                                         \
    X(the_label_of_a_message_says_who_sent_it)                                                    \
    X(a_kernel_call_answers_in_the_way_that_was_asked_for)                                        \
    X(a_call_that_waits_is_answered_once_and_by_whom_it_waits_for)                                \
    X(a_fault_without_a_pager_is_an_exception_and_without_a_handler_the_end)                      \
    X(a_foreign_system_call_is_an_exception)                                                      \
    X(an_alien_calls_when_it_is_allowed_to)                                                       \
    X(an_exception_that_was_asked_for_comes_before_the_next_message_is_looked_at)                 \
    X(what_a_message_made_die_is_gone_when_sender_or_receiver_goes_on)                            \
    X(who_is_stopped_by_an_answer_has_nothing_left_to_do)                                         \
    X(an_interrupt_waits_in_the_queue_of_senders_as_others_do)

TEST_MAIN(leaks, TESTS)
