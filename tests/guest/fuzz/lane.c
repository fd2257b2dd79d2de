/*
 * lane.c - what one hostile thread does: calls, noise, faults, one after the other
 *
 * Runs in the hostile tasks: nothing here may touch data of the program but the lane.
 */
#include "fuzz.h"

uint64_t noise(struct lane *l)
{
    l->seed ^= l->seed >> 12;
    l->seed ^= l->seed << 25;
    l->seed ^= l->seed >> 27;
    return l->seed * 0x2545f4914f6cdd1dUL;
}

l4_umword_t odd_number(struct lane *l)
{
    static const l4_umword_t numbers[] = {
        0, 1, 2, 7, 8, 0x3f, 0x40, 0xff, 0x100, 0xfff, 0x1000, 0xffff, 0x10000, 0x200000,
        0x40000000, SUPER_PLACE, SMALL_PLACE, CHILD_UTCB_ADDR, CHILD_UTCB_ADDR + 512,
        L4_USER_END, L4_USER_END - 1, L4_USER_END - 0x1000, 0x800000000000, 0x7fffffffffff,
        0xffff800000000000, 0xffffffff80000000, 0xffffffff80100000, 0xffffffff90000000,
        0xfffffffff0000000, 1UL << 31, 1UL << 32, 0xffffffff, 1UL << 63, ~0UL, ~0xfffUL,
        L4_INVALID_CAP, L4_CAP_SLOTS << L4_CAP_SHIFT, (L4_CAP_SLOTS - 1) << L4_CAP_SHIFT,
    };
    unsigned n = below(l, 4 * sizeof(numbers) / sizeof(numbers[0]));

    if (n % 4 == 3)
        return noise(l) >> below(l, 64);
    return numbers[n / 4];
}

l4_cap_idx_t any_cap(struct lane *l)
{
    if (below(l, 24) == 0)
        return odd_number(l) & ~0xfUL;
    return (l4_cap_idx_t)below(l, SLOTS_USED) << L4_CAP_SHIFT;
}

static l4_umword_t memory_fpage(struct lane *l)
{
    unsigned rights = below(l, 8) ? 1 + below(l, 7) : below(l, 16), order;

    switch (below(l, 12)) {
    case 0: /* anything; rarely what has many page tables, for these take long */
        order = below(l, 64);
        return __l4_fpage_generic(odd_number(l), L4_FPAGE_MEMORY,
                                  below(l, 4) && order > 30 ? order / 2 : order, rights).raw;
    case 1: /* all, now and then */
        if (below(l, 4) == 0)
            return __l4_fpage_generic(0, L4_FPAGE_MEMORY, L4_WHOLE_ADDRESS_SPACE, rights).raw;
        __attribute__((fallthrough));
    case 2: /* the superpage and its surroundings */
        order = 21 + below(l, below(l, 4) ? 3 : 10);
        return __l4_fpage_generic(SUPER_PLACE, L4_FPAGE_MEMORY, order, rights).raw;
    case 3: /* one's own text, UTCBs, lanes */
        return __l4_fpage_generic(below(l, 2)   ? CHILD_UTCB_ADDR
                                  : below(l, 4) ? (l4_addr_t)&lanes[below(l, LANES)]
                                                : (l4_addr_t)noise & L4_PAGEMASK,
                                  L4_FPAGE_MEMORY, 12 + below(l, 3), rights).raw;
    case 4:
    case 5: /* parts of the superpage */
        order = 12 + below(l, 9);
        return __l4_fpage_generic((SUPER_PLACE + (below(l, 512) << 12)) & ~((1UL << order) - 1),
                                  L4_FPAGE_MEMORY, order, rights).raw;
    case 6: /* where nothing is yet */
        return __l4_fpage_generic(0x60000000 + ((l4_addr_t)below(l, 64) << 21), L4_FPAGE_MEMORY,
                                  12 + below(l, 12), rights).raw;
    default: /* small pages */
        order = 12 + below(l, 3);
        return __l4_fpage_generic((SMALL_PLACE + (below(l, POOL_SMALL) << 12)) &
                                      ~((1UL << order) - 1), L4_FPAGE_MEMORY, order, rights).raw;
    }
}

l4_umword_t any_fpage(struct lane *l)
{
    unsigned rights = below(l, 3) ? L4_CAP_FPAGE_RWSD : below(l, 16), order;

    switch (below(l, 16)) {
    case 0:
        return noise(l);
    case 1:
        return below(l, 2) ? 0 : odd_number(l);
    case 2:
        order = below(l, 8) ? below(l, 7) : below(l, 64);
        return __l4_fpage_generic((PORTS_FIRST + below(l, 64)) << 12, L4_FPAGE_IO, order,
                                  rights & 7).raw;
    case 3:
    case 4:
    case 5:
    case 6:
        order = below(l, 6) ? 0 : below(l, 20);
        return __l4_fpage_generic(any_cap(l) & ~((0x1000UL << order) - 1), L4_FPAGE_OBJ, order,
                                  rights).raw;
    default:
        return memory_fpage(l);
    }
}

/* Mostly such that come to an end. */
l4_timeout_t any_timeout(struct lane *l)
{
    l4_timeout_t t = L4_IPC_BOTH_TIMEOUT_0;

    switch (below(l, 16)) {
    case 0:
        t.raw = (l4_uint32_t)noise(l);
        break;
    case 1:
        t = L4_IPC_NEVER;
        break;
    case 2:
        t = l4_timeout(l4_timeout_from_us(below(l, 2000)), l4_timeout_from_us(below(l, 2000)));
        break;
    case 3: /* absolute, in one of the buffer registers */
        t.raw = 0x80008000u | below(l, 64) << 16 | below(l, 64);
        break;
    case 4:
        t = l4_timeout(L4_IPC_TIMEOUT_0, L4_IPC_TIMEOUT_NEVER);
        break;
    default:
        break;
    }
    return t;
}

static unsigned result_of(l4_msgtag_t tag, const l4_utcb_t *u)
{
    long label = l4_msgtag_label(tag);
    unsigned n = 0;

    if (l4_msgtag_has_error(tag))
        return RESULT_IPC + (u->tcr.error & 0x1f) % (RESULTS - RESULT_IPC);
    if (label >= 0)
        return 0;
#define X(name, number, text)                                                                      \
    if (label == -L4_##name)                                                                       \
        return n;                                                                                  \
    n++;
    L4_ERRORS(X)
#undef X
    return RESULT_ERRORS - 1;
}

/*
 * What would not be an attack but the machine's end: a thread above the controller, a flood of
 * characters. Looked at last, whatever the call was meant to be.
 */
static void tame(struct call *c, l4_utcb_t *u)
{
    long label = l4_msgtag_label(c->tag);
    unsigned op = u->msg.mr[0] & 0xffff;

    if (label == L4_PROTO_SCHEDULER && op == L4_SCHEDULER_RUN_THREAD_OP &&
        u->msg.mr[3] < 256 && u->msg.mr[3] >= PRIO_LANE)
        u->msg.mr[3] = PRIO_LANE - 1 - u->msg.mr[3] % 9;
    if (label != L4_PROTO_LOG || op != L4_VCON_WRITE_OP)
        return;
    if (u->msg.mr[1] <= 488)
        u->msg.mr[1] &= 0x1f;
    for (unsigned i = 2; i < L4_UTCB_GENERIC_DATA_SIZE; i++)
        u->msg.mr[i] = 0x202e2e2e2e2e2e2e;
}

/* The one answer that depends on all rounds before: how long the processor had nothing to do. */
static bool asks_idle_time(const struct call *c, const l4_utcb_t *u)
{
    return l4_msgtag_label(c->tag) == L4_PROTO_SCHEDULER &&
           (u->msg.mr[0] & 0xffff) == L4_SCHEDULER_IDLE_TIME_OP;
}

static void spoil(struct lane *l, struct call *c)
{
    l4_utcb_t *u = l->utcb;

    switch (below(l, 40)) {
    case 0:
        c->tag.raw = (l4_mword_t)noise(l);
        break;
    case 1:
    case 2:
        u->msg.mr[below(l, 8)] = odd_number(l);
        break;
    case 3:
        u->msg.mr[below(l, L4_UTCB_GENERIC_DATA_SIZE)] = any_fpage(l);
        break;
    case 4:
        u->buf.bdr = noise(l) & 0x1ffffff;
        break;
    case 5:
        u->buf.br[below(l, L4_UTCB_GENERIC_BUFFERS_SIZE)] = noise(l);
        break;
    case 6:
        c->to = any_cap(l);
        break;
    case 7: /* every word of a UTCB, one's own or another's */
        u = (l4_utcb_t *)(CHILD_UTCB_ADDR + below(l, LANES_HOSTILE) * L4_UTCB_OFFSET);
        for (unsigned i = 0; i < L4_UTCB_OFFSET / 8; i++)
            ((l4_umword_t *)u)[i] = noise(l);
        break;
    case 8: /* more words, more items */
        c->tag.raw = (c->tag.raw & ~0xfffL) | (long)(noise(l) & 0xfff);
        break;
    default:
        return;
    }
    l->deeds.spoilt++;
}

static void one_call(struct lane *l)
{
    struct call c = {.op = L4_SYSF_CALL, .label = noise(l), .timeout = any_timeout(l)};
    l4_utcb_t *u = l->utcb;
    l4_umword_t label;
    unsigned result;
    l4_msgtag_t tag;
    bool idle_time;

    if (l->server && below(l, 4))
        serve_call(l, &c);
    else
        make_call(l, &c);
    spoil(l, &c);
    tame(&c, u);
    idle_time = asks_idle_time(&c, u);
    tag = l4_ipc(c.to, u, c.op, c.label, c.tag, &label, c.timeout);
    if (idle_time)
        u->msg.mr[0] = 0;
    result = result_of(tag, u);
    l->owes = (c.op & L4_SYSF_OPEN_WAIT) && !l4_msgtag_has_error(tag);
    l->outcome[l->outcomes++ % LANE_CALLS] =
        (struct outcome){(uint8_t)c.used, (uint8_t)(c.opcode % OPS), (uint8_t)result};
    l->hash = fuzz_mix(l->hash, (uint64_t)tag.raw);
    l->hash = fuzz_mix(l->hash, label ^ result);
    for (unsigned i = 0; i < 4; i++)
        l->hash = fuzz_mix(l->hash, u->msg.mr[i]);
}

/* rax without the mark of L4: another system's call; any registers. */
static void foreign_call(struct lane *l)
{
    l4_umword_t rax = below(l, 2) ? below(l, 400) : noise(l) & ~(l4_umword_t)L4_SYSCALL_MARK;
    l4_umword_t rdx = any_cap(l) | below(l, 16), rsi = noise(l), rdi = noise(l);
    register l4_umword_t r8 __asm__("r8") = any_timeout(l).raw;

    l->deeds.foreign++;
    __asm__ volatile("syscall"
                     : "+a"(rax), "+S"(rsi), "+D"(rdi), "+d"(rdx), "+r"(r8)
                     :
                     : "rcx", "r9", "r10", "r11", "r15", "memory", "cc");
    l->hash = fuzz_mix(l->hash, rax);
}

void lane_main(struct lane *l)
{
    while (l->calls < l->limit) {
        unsigned what = below(l, 64);

        l->calls++;
        l->stuck = 0;
        if (what == 0)
            foreign_call(l);
        else if (what <= 2)
            do_harm(l);
        else
            one_call(l);
    }
    l->finished = true;
    for (;;)
        l4_ipc_sleep(L4_IPC_NEVER);
}
