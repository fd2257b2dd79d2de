/*
 * ipc.c - messages through gates, the cheapest system call, the cheapest invocation
 */
#include "party.h"
#include "rows.h"

enum { COUNT = 41 };

static uint32_t sample[BENCH_SAMPLES];

/* Takes a capability with each call, into a slot that is empty when the call comes. */
static void taker(void)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_umword_t label;

    utcb->buf.bdr = 0;
    utcb->buf.br[0] = (40UL << L4_CAP_SHIFT) | L4_RCV_ITEM_SINGLE_CAP;
    l4_ipc_wait(utcb, &label, L4_IPC_NEVER);
    for (;;)
        l4_ipc_reply_and_wait(utcb, l4_msgtag(0, 0, 0, 0), &label, L4_IPC_NEVER);
}

/* A call and its answer, `words` each way. */
static uint32_t call_and_reply(l4_cap_idx_t gate, unsigned words)
{
    l4_utcb_t *utcb = l4_utcb();

    for (unsigned i = 0; i < COUNT; i++) {
        uint32_t t = bench_start();
        l4_msgtag_t tag = l4_ipc_call(gate, utcb, l4_msgtag(0, words, 0, 0), L4_IPC_NEVER);

        sample[i] = bench_stop(t);
        bench_must(tag, "a call");
        if (l4_msgtag_words(tag) != words)
            bench_fail("the words of an answer", (long)l4_msgtag_words(tag));
    }
    return bench_median(sample, COUNT);
}

static uint32_t call_with_capability(l4_cap_idx_t gate, l4_cap_idx_t cap)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_fpage_t fp = l4_obj_fpage(cap, 0, L4_CAP_FPAGE_RWS);

    for (unsigned i = 0; i < COUNT; i++) {
        l4_msgtag_t tag;
        uint32_t t = bench_start();

        utcb->msg.mr[0] = l4_map_obj_control(0, 0);
        utcb->msg.mr[1] = fp.raw;
        tag = l4_ipc_call(gate, utcb, l4_msgtag(0, 0, 1, 0), L4_IPC_NEVER);
        sample[i] = bench_stop(t);
        bench_must(tag, "a call with a capability");
        bench_must(l4_task_unmap(L4_BASE_TASK_CAP, fp, L4_FP_OTHER_SPACES), "revoking it");
    }
    return bench_median(sample, COUNT);
}

static uint32_t call_with_timeout(l4_cap_idx_t gate)
{
    l4_timeout_t second = l4_timeout(l4_timeout_from_us(1000000), l4_timeout_from_us(1000000));

    for (unsigned i = 0; i < COUNT; i++) {
        uint32_t t = bench_start();
        l4_msgtag_t tag = l4_ipc_call(gate, l4_utcb(), l4_msgtag(0, 0, 0, 0), second);

        sample[i] = bench_stop(t);
        bench_must(tag, "a call with timeouts");
    }
    return bench_median(sample, COUNT);
}

/* Neither sends nor receives. */
static uint32_t null_call(void)
{
    l4_msgtag_t none = {0};

    for (unsigned i = 0; i < COUNT; i++) {
        l4_umword_t label;
        uint32_t t = bench_start();

        __l4_syscall(L4_INVALID_CAP | L4_SYSF_NONE, none, &label, L4_IPC_NEVER);
        sample[i] = bench_stop(t);
    }
    return bench_median(sample, COUNT);
}

/* Receives from nobody, without waiting. */
static uint32_t poll_call(void)
{
    for (unsigned i = 0; i < COUNT; i++) {
        uint32_t t = bench_start();

        l4_ipc_sleep(L4_IPC_BOTH_TIMEOUT_0);
        sample[i] = bench_stop(t);
    }
    return bench_median(sample, COUNT);
}

static uint32_t invocation(void)
{
    for (unsigned i = 0; i < COUNT; i++) {
        uint32_t t = bench_start();
        l4_msgtag_t tag = l4_task_cap_valid(L4_BASE_TASK_CAP, L4_BASE_LOG_CAP);

        sample[i] = bench_stop(t);
        if (l4_error(tag) <= 0)
            bench_fail("a valid capability", l4_error(tag));
    }
    return bench_median(sample, COUNT);
}

/* The same call in less usual ways: none may cost much more for being unusual. */
static void variants(l4_cap_idx_t task, l4_cap_idx_t gate, l4_cap_idx_t same)
{
    enum { FAR_SLOT = 100000 };
    l4_cap_idx_t far = (l4_cap_idx_t)FAR_SLOT << L4_CAP_SHIFT, thread, high, low;

    thread = party_thread(task, party_utcb(1), party_echo, PARTY_SAME, L4_INVALID_CAP);
    high = party_gate(party_thread(L4_BASE_TASK_CAP, party_own_utcb(2), party_echo, PARTY_TIMER,
                                   L4_INVALID_CAP));
    low = party_gate(party_thread(task, party_utcb(2), party_echo, PARTY_LOW, L4_INVALID_CAP));
    bench_must(l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP,
                           l4_obj_fpage(gate, 0, L4_CAP_FPAGE_RWS), l4_map_obj_control(far, 0)),
               "a far slot");
    party_settle();
    bench_row("ipc_same_63", call_and_reply(same, 63));
    bench_row("ipc_same_0_to_higher", call_and_reply(high, 0));
    bench_row("ipc_cross_0_to_lower", call_and_reply(low, 0));
    bench_row("ipc_cross_0_to_thread", call_and_reply(thread, 0));
    bench_row("ipc_cross_0_far_slot", call_and_reply(far, 0));
    bench_row("ipc_cross_0_timeout", call_with_timeout(gate));
}

static l4_cap_idx_t with_fpu, without_fpu;

/* The client is a thread of its own, so that the others stay without a state of the FPU. */
static void fpu_client(void)
{
    l4_umword_t label;

    l4_ipc_wait(l4_utcb(), &label, L4_IPC_NEVER);
    party_use_fpu();
    bench_row("ipc_cross_0_fpu", call_and_reply(with_fpu, 0));
    bench_row("ipc_cross_0_one_fpu", call_and_reply(without_fpu, 0));
    l4_ipc_reply_and_wait(l4_utcb(), l4_msgtag(0, 0, 0, 0), &label, L4_IPC_NEVER);
}

static void measure_fpu(l4_cap_idx_t cross)
{
    l4_cap_idx_t client = party_gate(party_thread(L4_BASE_TASK_CAP, party_own_utcb(6), fpu_client,
                                                  PARTY_SAME, L4_INVALID_CAP));

    without_fpu = cross;
    with_fpu = party_gate(party_thread(party_task_with_image(), party_utcb(0), party_echo_fpu,
                                       PARTY_SAME, L4_INVALID_CAP));
    party_settle();
    party_call(client);
}

void measure_ipc(void)
{
    l4_cap_idx_t task = party_task_with_image();
    l4_cap_idx_t cross = party_gate(party_thread(task, party_utcb(0), party_echo, PARTY_SAME,
                                                 L4_INVALID_CAP));
    l4_cap_idx_t caps = party_gate(party_thread(task, party_utcb(3), taker, PARTY_SAME,
                                                L4_INVALID_CAP));
    l4_cap_idx_t same = party_gate(party_thread(L4_BASE_TASK_CAP, party_own_utcb(1), party_echo,
                                                PARTY_SAME, L4_INVALID_CAP));

    party_settle();
    bench_row("ipc_cross_0", call_and_reply(cross, 0));
    bench_row("ipc_cross_8", call_and_reply(cross, 8));
    bench_row("ipc_cross_63", call_and_reply(cross, 63));
    bench_row("ipc_same_0", call_and_reply(same, 0));
    bench_row("ipc_cap_1", call_with_capability(caps, same));
    bench_row("syscall_null", null_call());
    bench_row("syscall_poll", poll_call());
    bench_row("invoke_min", invocation());
    for (unsigned words = 0; words <= L4_UTCB_GENERIC_DATA_SIZE; words++)
        bench_series("ipc_words", words, call_and_reply(cross, words));
    variants(task, cross, same);
    measure_fpu(cross);
}
