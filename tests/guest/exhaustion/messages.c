/*
 * exhaustion/messages.c - items of messages and of answers to page faults that cannot be mapped
 *
 * The words of such a message have arrived; sender and receiver both learn that the rest did not.
 */
#include "walk.h"

#include <l4/sys/debugger.h>

static struct child *sender, *receiver;
static struct job *s, *r;
static l4_umword_t item[2];
static bool call; /* the sender calls; otherwise it sends */

static long send_item(void)
{
    jobs_reset();
    s = job_new(call ? L4_SYSF_CALL : L4_SYSF_SEND, CHILD_CAP(0));
    r = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    r->br[0] = L4_ITEM_MAP;
    r->br[1] = l4_fpage(EMPTY_AT, 21, L4_FPAGE_RWX).raw;
    r->br[2] = CHILD_CAP(1) | L4_RCV_ITEM_SINGLE_CAP;
    r->bdr = 2UL << 10;
    s->tag = l4_msgtag(0, 1, 1, 0);
    s->mr[0] = 0x77;
    s->mr[1] = item[0];
    s->mr[2] = item[1];
    /* Not from inside child_run() of the receiver: only what the message needs is to fail. */
    child_run(receiver, (void (*)(void *))job_here, r);
    child_run(sender, (void (*)(void *))job_here, s);
    expect(r->done);
    return s->got_error ? -(long)(L4_EIPC_LO + s->got_error) : 0;
}

static void both_know(void)
{
    expect_eq(s->got_error, L4_IPC_SEMAPFAILED);
    expect_eq(r->got_error, L4_IPC_REMAPFAILED);
    expect(probe_read(receiver, EMPTY_AT).fault);
    expect_eq(l4_task_cap_valid(receiver->task, CHILD_CAP(1)).raw >> 16, 0);
    witness_check();
}

static void prepare(void)
{
    sender = child_new();
    receiver = child_new();
    witness_start(memory);
    give(sender, receiver->thread, CHILD_CAP(0), L4_CAP_FPAGE_RWS);
    expect_eq(
        l4_error(l4_task_map(sender->task, L4_BASE_TASK_CAP, l4_fpage(memory, 21, L4_FPAGE_RW),
                             l4_map_control(EMPTY_AT, 0, 0))),
        0);
    call = false;
    item[0] = l4_map_control(0, 0, 0);
    item[1] = l4_fpage(EMPTY_AT, L4_PAGESHIFT, L4_FPAGE_RW).raw;
}

static void memory_item(void)
{
    struct walk w = {send_item, NULL, both_know, -(L4_EIPC_LO + L4_IPC_SEMAPFAILED), 5};

    prepare();
    walk(&w);
    expect(!probe_read(receiver, EMPTY_AT).fault);
}

static void superpage_item(void)
{
    struct walk w = {send_item, NULL, both_know, -(L4_EIPC_LO + L4_IPC_SEMAPFAILED), 4};

    prepare();
    item[1] = l4_fpage(EMPTY_AT, 21, L4_FPAGE_RW).raw;
    walk(&w);
    expect(!probe_read(receiver, EMPTY_AT + L4_PAGESIZE).fault);
}

static void granted_item(void)
{
    struct walk w = {send_item, NULL, both_know, -(L4_EIPC_LO + L4_IPC_SEMAPFAILED), 3};

    prepare();
    item[0] = l4_map_control(0, 0, L4_MAP_ITEM_GRANT);
    item[1] = l4_fpage(EMPTY_AT, 21, L4_FPAGE_RW).raw;
    walk(&w);
    expect(probe_read(sender, EMPTY_AT).fault);
    expect(!probe_read(receiver, EMPTY_AT).fault);
}

static void capability_item(void)
{
    struct walk w = {send_item, NULL, both_know, -(L4_EIPC_LO + L4_IPC_SEMAPFAILED), 1};

    prepare();
    item[0] = l4_map_obj_control(0, 0);
    item[1] = l4_obj_fpage(CHILD_LOG, 0, L4_CAP_FPAGE_RW).raw;
    expect_eq(walk(&w), 1);
    expect(l4_task_cap_valid(receiver->task, CHILD_CAP(1)).raw >> 16);
}

/* ---- answers to page faults ---- */

static struct child *pager;

static void faulter(void *unused)
{
    (void)unused;
    *(volatile char *)EMPTY_AT;
}

/* The child faults, the pager answers once with a page; then the child is stopped where it is. */
static long fault_and_answer(void)
{
    struct job *wait, *answer;
    long err;

    jobs_reset();
    wait = job_new(L4_SYSF_WAIT, L4_INVALID_CAP);
    answer = job_new(L4_SYSF_SEND | L4_SYSF_REPLY, L4_INVALID_CAP);
    answer->tag = l4_msgtag(0, 0, 1, 0);
    answer->mr[0] = l4_map_control(EMPTY_AT, 0, 0);
    answer->mr[1] = l4_fpage(EMPTY_AT, L4_PAGESHIFT, L4_FPAGE_RW).raw;
    child_run(pager, (void (*)(void *))job_here, wait);
    child_run(receiver, faulter, NULL);
    expect(wait->done);
    expect_eq(wait->got[0] & L4_PAGEMASK, EMPTY_AT);
    child_run(pager, (void (*)(void *))job_here, answer);
    expect(answer->done);
    err = answer->got_error ? -(long)(L4_EIPC_LO + answer->got_error) : 0;
    expect_eq(receiver->finished, !err);
    return err;
}

static void answer_to_fault(void)
{
    struct walk w = {fault_and_answer, NULL, witness_check, -(L4_EIPC_LO + L4_IPC_SEMAPFAILED), 5};
    l4_cap_idx_t gate;

    prepare();
    pager = sender;
    gate = gate_new(pager->thread, 0x4000);
    give(receiver, gate, CHILD_CAP(3), L4_CAP_FPAGE_RW);
    child_handlers(receiver, CHILD_CAP(3), CHILD_CAP(9)); /* nobody handles exceptions */
    walk(&w);
}

const struct test messages_tests[] = {
    {"an item with a page", memory_item},
    {"an item with a superpage", superpage_item},
    {"an item that grants a superpage", granted_item},
    {"an item with a capability", capability_item},
    {"the answer to a page fault", answer_to_fault},
    {NULL, NULL},
};
