/*
 * hostile/calls.c - system calls with arguments that nobody should use
 */
#include "sets.h"

/* All bits of the capability word that mean nothing, with every operation. */
static void odd_capability_words(void)
{
    struct child *server = child_new();
    l4_utcb_t *u = l4_utcb();
    l4_cap_idx_t gate = gate_new(server->thread, 0x40);
    l4_umword_t label;
    unsigned wrong = 0;

    for (unsigned op = 0; op < 16; op++) {
        for (unsigned bit = 4; bit < 64; bit++) {
            l4_cap_idx_t cap = gate ^ 1UL << bit;
            l4_msgtag_t tag;

            if (bit >= 12 && bit <= 18) /* another of the slots in use */
                continue;
            tag = l4_ipc(cap, u, op, 0, l4_msgtag(0, 0, 0, 0), &label, L4_IPC_BOTH_TIMEOUT_0);
            if (op & L4_SYSF_WAIT || op & L4_SYSF_SEND)
                wrong += !l4_msgtag_has_error(tag);
        }
    }
    expect_eq(wrong, 0);
}

/* Every label of the kernel's protocols to every object, with words that are all ones. */
static void all_ones_to_all_objects(void)
{
    struct child *c = child_new();
    l4_cap_idx_t targets[] = {slot_new(), slot_new(), slot_new(), slot_new()};
    l4_fpage_t none = {0};
    l4_utcb_t *u = l4_utcb();

    l4_factory_create_task(L4_BASE_FACTORY_CAP, targets[0], &none);
    l4_factory_create_thread(L4_BASE_FACTORY_CAP, targets[1]);
    l4_factory_create_factory(L4_BASE_FACTORY_CAP, targets[2], 10000);
    l4_factory_create_gate(L4_BASE_FACTORY_CAP, targets[3], c->thread, 0);
    for (unsigned t = 0; t < 4; t++) {
        for (long label = -25; label < 2; label++) {
            for (unsigned words = 0; words < 64; words += 7) {
                unsigned items = (63 - words) / 2 < 3 ? (63 - words) / 2 : 3;

                memset(u, 0xff, sizeof(u->msg));
                memset(&u->buf, 0xff, sizeof(u->buf));
                l4_ipc_call(targets[t], u, l4_msgtag(label, words, items, 0),
                            L4_IPC_BOTH_TIMEOUT_0);
            }
        }
    }
    memset(&u->buf, 0, sizeof(u->buf));
    expect(true);
}

/* Rights that one does not have. */
static void rights_above_ones_own(void)
{
    struct child *victim = child_new(), *c = child_new();
    struct job *j;

    job_start(victim, job_new(L4_SYSF_WAIT, L4_INVALID_CAP));
    give(c, victim->thread, CHILD_CAP(0), L4_CAP_FPAGE_R);
    give(c, victim->task, CHILD_CAP(1), L4_CAP_FPAGE_R);
    /* ex_regs */
    j = job_new(L4_SYSF_CALL, CHILD_CAP(0));
    j->tag = l4_msgtag(L4_PROTO_THREAD, 3, 0, 0);
    j->mr[0] = L4_THREAD_EX_REGS_OP;
    j->mr[1] = 0x1000;
    j->mr[2] = 0x1000;
    job_start(c, j);
    expect_eq(l4_msgtag_label(j->got_tag), -L4_EPERM);
    /* control: another pager */
    j->tag = l4_msgtag(L4_PROTO_THREAD, 6, 0, 0);
    j->mr[0] = L4_THREAD_CONTROL_OP | L4_THREAD_CONTROL_SET_PAGER;
    job_start(c, j);
    expect_eq(l4_msgtag_label(j->got_tag), -L4_EPERM);
    /* segment base */
    j->tag = l4_msgtag(L4_PROTO_THREAD, 2, 0, 0);
    j->mr[0] = L4_THREAD_SET_SEGMENT_BASE_AMD64_OP;
    job_start(c, j);
    expect_eq(l4_msgtag_label(j->got_tag), -L4_EPERM);
    /* the task: unmap, map, kernel-user memory */
    j->to = CHILD_CAP(1);
    for (unsigned op = 0; op < 4; op++) {
        if (op == L4_TASK_CAP_INFO_OP)
            continue;
        j->tag = l4_msgtag(L4_PROTO_TASK, 3, 0, 0);
        j->mr[0] = op;
        j->mr[1] = L4_FP_ALL_SPACES;
        j->mr[2] = l4_fpage(0, L4_WHOLE_ADDRESS_SPACE, L4_FPAGE_RWX).raw;
        job_start(c, j);
        expect_eq(l4_msgtag_label(j->got_tag), -L4_EPERM);
    }
    /* deleting it */
    j->to = CHILD_TASK;
    j->tag = l4_msgtag(L4_PROTO_TASK, 3, 0, 0);
    j->mr[0] = L4_TASK_UNMAP_OP;
    j->mr[1] = L4_FP_DELETE_OBJ;
    j->mr[2] = l4_obj_fpage(CHILD_CAP(0), 0, L4_CAP_FPAGE_RWSD).raw;
    job_start(c, j);
    expect_eq(l4_msgtag_label(j->got_tag), 0);
    expect_eq(l4_error(l4_task_cap_valid(L4_BASE_TASK_CAP, victim->thread)), 1);
}

/* Without the capability there is no way to log, schedule, debug, make objects. */
static void no_capability_no_service(void)
{
    static const struct {
        l4_cap_idx_t cap;
        long label;
    } services[] = {{L4_BASE_FACTORY_CAP, L4_PROTO_FACTORY}, {L4_BASE_ICU_CAP, L4_PROTO_IRQ},
                    {L4_BASE_SCHEDULER_CAP, L4_PROTO_SCHEDULER},
                    {L4_BASE_DEBUGGER_CAP, L4_PROTO_DEBUGGER}};
    struct child *c = child_new();

    for (unsigned i = 0; i < 4; i++) {
        struct job *j = job_new(L4_SYSF_CALL, services[i].cap);

        j->tag = l4_msgtag(services[i].label, 5, 0, 0);
        j->mr[0] = i == 3 ? L4_DBG_SHUTDOWN_OP : 0;
        job_start(c, j);
        expect_eq(j->got_error, L4_IPC_ENOT_EXISTENT);
    }
}

static void log_beyond_the_message(void)
{
    static const l4_umword_t sizes[] = {9, 500, 4096, 1UL << 32, ~0UL, ~0UL - 7};
    l4_utcb_t *u = l4_utcb();

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        u->msg.mr[0] = L4_VCON_WRITE_OP;
        u->msg.mr[1] = sizes[i];
        u->msg.mr[2] = 0x2020202020202020;
        expect_eq(l4_error(l4_ipc_call(L4_BASE_LOG_CAP, u, l4_msgtag(L4_PROTO_LOG, 3, 0, 0),
                                       L4_IPC_NEVER)), -L4_EMSGTOOSHORT);
    }
}

/* All 16-bit timeouts in steps: none hangs for ever but the longest. */
static void all_timeouts(void)
{
    l4_utcb_t *u = l4_utcb();

    for (unsigned t = 0x8000; t < 0x10000; t += 0x3d) {
        l4_timeout_t to = {.raw = t};
        l4_msgtag_t tag;

        memset(&u->buf, 0, sizeof(u->buf));
        tag = l4_ipc_sleep(to);
        expect_eq(l4_ipc_error(tag, u), L4_IPC_RETIMEOUT);
    }
}

/* A thread that has lost its task, one that has none yet. */
static void threads_without_task(void)
{
    struct child *c = child_new();
    l4_cap_idx_t fresh = slot_new();
    struct job *s = job_new(L4_SYSF_SEND, fresh), *r = job_new(L4_SYSF_RECV, fresh);

    expect_eq(l4_error(l4_factory_create_thread(L4_BASE_FACTORY_CAP, fresh)), 0);
    s->timeout = r->timeout = L4_IPC_BOTH_TIMEOUT_0;
    job_here(s);
    job_here(r);
    expect(s->got_error != 0 && r->got_error != 0);
    job_start(c, job_new(L4_SYSF_WAIT, L4_INVALID_CAP));
    expect_eq(destroy(c->task), 0);
    s = job_new(L4_SYSF_SEND, c->thread);
    r = job_new(L4_SYSF_RECV, c->thread);
    job_here(s);
    job_here(r);
    expect_eq(s->got_error, L4_IPC_ENOT_EXISTENT);
    expect_eq(r->got_error, L4_IPC_ENOT_EXISTENT | 1);
    expect_eq(l4_error(l4_thread_ex_regs(c->thread, 0x400000, 0x400000, 0)), -L4_EINVAL);
    expect_eq(child_handlers(c, 0, 0), -L4_EINVAL);
    expect_eq(child_priority(c, 50, 0), -L4_EINVAL);
    expect_eq(l4_error(l4_rcv_ep_bind_thread(gate_new(L4_INVALID_CAP, 0), c->thread, 0)),
              -L4_EINVAL);
}

const struct test calls_tests[] = {
    {"capability words with odd bits reach nobody", odd_capability_words},
    {"every protocol to every object, all words ones", all_ones_to_all_objects},
    {"nobody uses rights above his own", rights_above_ones_own},
    {"without the capability there is no service", no_capability_no_service},
    {"the log does not read beyond the message", log_beyond_the_message},
    {"absolute timeouts with clock 0 all end", all_timeouts},
    {"threads without task refuse everything", threads_without_task},
    {NULL, NULL},
};
