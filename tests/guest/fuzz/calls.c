/*
 * calls.c - system calls that make sense, but for the values
 *
 * Each protocol has a function that fills the UTCB for one of its operations, in the shape that
 * the kernel expects and with arguments that are often right. Runs in the hostile tasks.
 */
#include "fuzz.h"

/* A capability of the right kind, or one that was made by some call, or any. */
static l4_cap_idx_t target(struct lane *l, const uint8_t *slots, unsigned count)
{
    switch (below(l, 8)) {
    case 0:
        return any_cap(l);
    case 1:
        return (l4_cap_idx_t)(SLOTS_OWN + below(l, SLOTS_USED - SLOTS_OWN)) << L4_CAP_SHIFT;
    default:
        return (l4_cap_idx_t)slots[below(l, count)] << L4_CAP_SHIFT;
    }
}
#define TARGET(l, ...)                                                                             \
    ({                                                                                             \
        static const uint8_t slots_[] = {__VA_ARGS__};                                             \
        target(l, slots_, sizeof(slots_));                                                         \
    })

static l4_cap_idx_t a_task(struct lane *l)
{
    return TARGET(l, 1, 1, SLOT_PARTNER);
}

static l4_cap_idx_t a_thread(struct lane *l)
{
    return TARGET(l, SLOT_THREAD, SLOT_THREAD + 1, SLOT_THREAD + 2, SLOT_THREAD + 3);
}

static l4_cap_idx_t an_irq(struct lane *l)
{
    return TARGET(l, SLOT_IRQ, SLOT_IRQ, SLOT_SEMAPHORE);
}

/* Item number i of a message with `words` words: a capability. */
static void cap_item(struct lane *l, unsigned words, unsigned i, l4_cap_idx_t cap)
{
    l4_umword_t *item = &l->utcb->msg.mr[words + 2 * i];

    item[0] = below(l, 8) ? (l4_umword_t)L4_ITEM_MAP : noise(l);
    item[1] = l4_obj_fpage(cap, 0, L4_CAP_FPAGE_RWSD).raw;
}

static void set(struct call *c, l4_cap_idx_t to, enum protocol_used used, long protocol,
                unsigned words, unsigned items)
{
    c->to = to;
    c->used = used;
    c->tag = l4_msgtag(protocol, words, items, 0);
}

/* What to send with an item or a map call: where it goes, as what. */
static l4_umword_t any_send_base(struct lane *l)
{
    l4_umword_t base = below(l, 4) ? any_fpage(l) & ~0xfffUL : odd_number(l) & ~0xfffUL;

    if (below(l, 3) == 0)
        base = (l4_umword_t)(SLOTS_OWN + below(l, 20)) << L4_CAP_SHIFT;
    return base | (below(l, 4) ? 0 : noise(l) & 0xf0) | (below(l, 4) ? 0 : L4_MAP_ITEM_GRANT);
}

static void task_call(struct lane *l, struct call *c)
{
    l4_umword_t *mr = l->utcb->msg.mr;
    unsigned n = 1 + below(l, below(l, 8) ? 3 : 60);

    set(c, a_task(l), USED_TASK, L4_PROTO_TASK, 3, 0);
    switch (below(l, 16)) {
    case 0:
        mr[0] = L4_TASK_ADD_KU_MEM_OP;
        mr[1] = below(l, 2) ? any_fpage(l)
                            : l4_fpage(0x70000000 + ((l4_addr_t)below(l, 8) << 14),
                                       12 + below(l, 4), L4_FPAGE_RW).raw;
        c->tag = l4_msgtag(L4_PROTO_TASK, 2, 0, 0);
        break;
    case 1:
    case 2:
        mr[0] = L4_TASK_CAP_INFO_OP;
        mr[1] = any_cap(l);
        mr[2] = any_cap(l);
        c->tag = l4_msgtag(L4_PROTO_TASK, 2 + below(l, 2), 0, 0);
        break;
    case 3:
    case 4:
    case 5:
        mr[0] = L4_TASK_UNMAP_OP;
        mr[1] = below(l, 8)       ? 0
                : below(l, 8) == 0 ? (l4_umword_t)L4_FP_DELETE_OBJ
                                   : (l4_umword_t)L4_FP_ALL_SPACES;
        for (unsigned i = 0; i < n; i++)
            mr[2 + i] = any_fpage(l);
        c->tag = l4_msgtag(L4_PROTO_TASK, 2 + n, 0, 0);
        break;
    case 6:
        mr[0] = below(l, 32);
        break;
    default:
        mr[0] = L4_TASK_MAP_OP;
        mr[1] = any_send_base(l);
        mr[2] = any_fpage(l);
        cap_item(l, 3, 0, a_task(l));
        c->tag = l4_msgtag(L4_PROTO_TASK, 3, 1, 0);
    }
    c->opcode = mr[0] & 0xffff;
}

static l4_addr_t a_utcb(struct lane *l)
{
    return below(l, 6) ? CHILD_UTCB_ADDR + below(l, 4) * L4_UTCB_OFFSET : odd_number(l);
}

static void thread_call(struct lane *l, struct call *c)
{
    static const uint8_t ops[] = {0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 0x12, 0x12, 0x13};
    l4_umword_t *mr = l->utcb->msg.mr;
    unsigned op = ops[below(l, sizeof(ops))], items = 0, words = 3;

    mr[0] = op;
    for (unsigned i = 1; i < 8; i++)
        mr[i] = below(l, 2) ? odd_number(l) : any_cap(l);
    if (op == L4_THREAD_CONTROL_OP) {
        words = 6;
        mr[0] |= below(l, 4) ? 0 : noise(l) & (L4_THREAD_CONTROL_SET_PAGER |
                                               L4_THREAD_CONTROL_SET_EXC_HANDLER |
                                               L4_THREAD_CONTROL_ALIEN);
        /* mostly the lane's own handler: a fault that nobody handles ends the lane */
        if (below(l, 3)) {
            mr[1] = mr[2] = L4_BASE_PAGER_CAP;
        }
        if (below(l, 2)) {
            mr[0] |= L4_THREAD_CONTROL_BIND_TASK;
            mr[5] = a_utcb(l);
            items = 1;
            cap_item(l, words, 0, a_task(l));
        }
    } else if (op == L4_THREAD_EX_REGS_OP) {
        mr[0] |= below(l, 2) ? 0 : noise(l) & 0x30000;
        if (below(l, 2)) { /* a lane begins again */
            mr[1] = mr[2] = ~0UL;
        }
    } else if (op == L4_THREAD_SET_SEGMENT_BASE_AMD64_OP) {
        mr[0] |= (l4_umword_t)below(l, 3) << 16;
    }
    set(c, a_thread(l), USED_THREAD, L4_PROTO_THREAD, words, items);
    c->opcode = op;
}

static void factory_call(struct lane *l, struct call *c)
{
    static const long kinds[] = {L4_PROTO_TASK, L4_PROTO_THREAD, L4_PROTO_FACTORY,
                                 L4_PROTO_NONE, L4_PROTO_IRQ, L4_PROTO_IRQ_SENDER,
                                 L4_PROTO_SEMAPHORE, L4_PROTO_VM};
    l4_utcb_t *u = l->utcb;
    unsigned kind = below(l, 8), words = 1, items = 0;

    u->msg.mr[0] = (l4_umword_t)kinds[kind];
    u->msg.mr[1] = 8 << 16 | L4_VARG_TYPE_UMWORD;
    u->msg.mr[2] = odd_number(l);
    if (kinds[kind] == L4_PROTO_TASK) {
        u->msg.mr[1] = 8 << 16 | L4_VARG_TYPE_FPAGE;
        u->msg.mr[2] = l4_fpage(CHILD_UTCB_ADDR, 12 + below(l, 6), L4_FPAGE_RW).raw;
        words = below(l, 2) ? 3 : 1;
    } else if (kinds[kind] == L4_PROTO_FACTORY) {
        u->msg.mr[2] = below(l, 60000);
        words = 3;
    } else if (kinds[kind] == L4_PROTO_NONE) {
        words = 3;
        items = below(l, 2);
        cap_item(l, words, 0, a_thread(l));
    }
    if (below(l, 16) == 0)
        words = below(l, 62);
    u->buf.bdr = 0;
    u->buf.br[0] = (l4_umword_t)(SLOTS_OWN + below(l, SLOTS_USED - SLOTS_OWN)) << L4_CAP_SHIFT |
                   L4_RCV_ITEM_SINGLE_CAP;
    if (below(l, 16) == 0)
        u->buf.br[0] = any_cap(l) | L4_RCV_ITEM_SINGLE_CAP;
    set(c, TARGET(l, 2), USED_FACTORY, L4_PROTO_FACTORY, words, items);
    c->opcode = kind;
}

static void gate_call(struct lane *l, struct call *c)
{
    l4_umword_t *mr = l->utcb->msg.mr;
    unsigned op = below(l, 8) ? 0x10 + below(l, 2) : below(l, 32);

    mr[0] = op;
    mr[1] = odd_number(l);
    cap_item(l, 2, 0, a_thread(l));
    set(c, TARGET(l, SLOT_FREE_GATE, SLOT_FREE_GATE, SLOT_GATE, SLOT_IRQ, SLOT_GATE + 1),
        USED_KOBJECT, L4_PROTO_KOBJECT, 2, 1);
    c->opcode = op;
}

static void irq_call(struct lane *l, struct call *c)
{
    l4_umword_t *mr = l->utcb->msg.mr;
    unsigned op = below(l, 8);

    mr[0] = op;
    mr[1] = below(l, 4) ? below(l, 17) : odd_number(l);
    mr[2] = noise(l) & 0xf;
    switch (below(l, 4)) {
    case 0: /* the object itself: trigger, end of interrupt */
        set(c, an_irq(l), USED_IRQ, L4_PROTO_IRQ, below(l, 3), 0);
        if (below(l, 4) == 0)
            c->op = L4_SYSF_SEND;
        break;
    case 1:
        cap_item(l, 2, 0, a_thread(l));
        mr[1] = odd_number(l);
        mr[0] = op %= 3;
        set(c, an_irq(l), USED_IRQ_SENDER, L4_PROTO_IRQ_SENDER, 2, 1);
        break;
    case 2: /* the controller */
        cap_item(l, 2 + (op == L4_ICU_SET_MODE_OP), 0, an_irq(l));
        set(c, L4_BASE_ICU_CAP, USED_IRQ, L4_PROTO_IRQ, 2 + (op == L4_ICU_SET_MODE_OP), 1);
        op += 8; /* apart in the tally */
        break;
    default:
        mr[0] = op %= 2;
        set(c, TARGET(l, SLOT_SEMAPHORE), USED_SEMAPHORE, L4_PROTO_SEMAPHORE, 1, 0);
    }
    c->opcode = op;
}

static void device_call(struct lane *l, struct call *c)
{
    l4_umword_t *mr = l->utcb->msg.mr;
    unsigned op = below(l, 5);

    mr[0] = op;
    for (unsigned i = 1; i < 6; i++)
        mr[i] = odd_number(l);
    switch (below(l, 12)) {
    case 0:
        if (op == L4_VCON_READ_OP)
            mr[0] |= (l4_umword_t)below(l, 600) << 16;
        set(c, TARGET(l, 5), USED_LOG, L4_PROTO_LOG, 1 + below(l, 8), 0);
        break;
    case 1:
    case 2: /* who does not have the capability */
        mr[0] = op = below(l, 2) ? 0x100 + below(l, 8) : below(l, 4);
        set(c, TARGET(l, 9), USED_DEBUGGER, L4_PROTO_DEBUGGER, 3, below(l, 2));
        break;
    case 3:
        set(c, any_cap(l), USED_META, L4_PROTO_META, 2, 0);
        break;
    default:
        mr[0] = op = below(l, 4);
        mr[2] = below(l, 8) ? 1 : 0;
        mr[3] = below(l, 4) ? below(l, PRIO_LANE) : noise(l) & 0x1ff;
        mr[4] = below(l, 4) ? 0 : 500 + below(l, 5000);
        cap_item(l, 5, 0, a_thread(l));
        set(c, TARGET(l, 7), USED_SCHEDULER, L4_PROTO_SCHEDULER, 5, 1);
    }
    c->opcode = op;
}

/* Buffer registers for what may come: windows of all kinds, in some order. */
static void open_windows(struct lane *l)
{
    l4_buf_regs_t *b = &l->utcb->buf;
    unsigned n = 0, starts[3];

    for (unsigned kind = 0; kind < 3; kind++) {
        starts[kind] = n;
        for (unsigned i = below(l, 3); i; i--) {
            if (kind == 2 && below(l, 2)) {
                b->br[n++] = (any_cap(l) & ~0xfffUL) | L4_RCV_ITEM_SINGLE_CAP |
                             (below(l, 2) ? 0 : L4_RCV_ITEM_LOCAL_ID);
                continue;
            }
            b->br[n++] = L4_ITEM_MAP | (below(l, 4) ? 0 : noise(l) & 7);
            b->br[n++] = any_fpage(l);
        }
        b->br[n++] = 0;
    }
    b->bdr = starts[0] | starts[1] << 5 | starts[2] << 10 |
             (below(l, 8) ? 0 : L4_UTCB_INHERIT_FPU);
}

/* A message between the lanes, or a made-up fault, with words and items. */
static void message(struct lane *l, struct call *c)
{
    static const uint8_t ops[] = {1, 2, 3, 3, 3, 3, 5, 6, 6, 7, 9, 13, 15, 15, 0, 4, 8, 10, 11};
    static const long labels[] = {0, 1, L4_PROTO_PAGE_FAULT, L4_PROTO_EXCEPTION,
                                  L4_PROTO_IO_PAGE_FAULT, -L4_EFAULT, -1, 77};
    l4_umword_t *mr = l->utcb->msg.mr;
    unsigned words = below(l, 3) ? below(l, 8) : below(l, 64), n = below(l, 3) ? 0 : below(l, 4);
    long label = labels[below(l, 8)];

    while (words + 2 * n > L4_UTCB_GENERIC_DATA_SIZE)
        words--;
    for (unsigned i = 0; i < words; i++)
        mr[i] = noise(l);
    for (unsigned i = 0; i < n; i++) {
        mr[words + 2 * i] = (any_send_base(l) & ~1UL) | L4_ITEM_MAP | below(l, 2);
        mr[words + 2 * i + 1] = any_fpage(l);
    }
    if (below(l, 2))
        open_windows(l);
    set(c, TARGET(l, SLOT_GATE, SLOT_GATE + 1, SLOT_GATE + 2, SLOT_GATE + 3, SLOT_GATE + 3,
                  SLOT_GATE + 3, SLOT_THREAD, SLOT_THREAD + 1, SLOT_THREAD + 3, SLOT_IRQ, 4),
        USED_NONE, label, words, n);
    c->op = ops[below(l, sizeof(ops))];
    if ((c->op == L4_SYSF_WAIT || c->op == L4_SYSF_REPLY_AND_WAIT) && below(l, 4))
        c->to = L4_INVALID_CAP;
    if (c->op == L4_SYSF_RECV && below(l, 4) == 0)
        c->to = L4_INVALID_CAP; /* sleep */
    if ((c->op & L4_SYSF_RECV) && below(l, 2)) /* to be found waiting by the other lanes */
        c->timeout = l4_timeout(L4_IPC_TIMEOUT_0, L4_IPC_TIMEOUT_NEVER);
    c->opcode = c->op;
}

void serve_call(struct lane *l, struct call *c)
{
    unsigned words = below(l, 8), items = below(l, 4) == 0;

    for (unsigned i = 0; i < words; i++)
        l->utcb->msg.mr[i] = noise(l);
    if (items) {
        l->utcb->msg.mr[words] = (any_send_base(l) & ~1UL) | L4_ITEM_MAP;
        l->utcb->msg.mr[words + 1] = any_fpage(l);
    }
    open_windows(l);
    set(c, L4_INVALID_CAP, USED_NONE, 0, words, items);
    c->op = c->opcode = l->owes ? L4_SYSF_REPLY_AND_WAIT : L4_SYSF_WAIT;
    c->timeout = L4_IPC_SEND_TIMEOUT_0;
}

void make_call(struct lane *l, struct call *c)
{
    switch (below(l, 32)) {
    case 0 ... 8:
        task_call(l, c);
        break;
    case 9 ... 12:
        thread_call(l, c);
        break;
    case 13 ... 16:
        factory_call(l, c);
        break;
    case 17:
        gate_call(l, c);
        break;
    case 18 ... 20:
        irq_call(l, c);
        break;
    case 21:
        device_call(l, c);
        break;
    case 22: /* nothing but noise */
        for (unsigned i = 0; i < L4_UTCB_GENERIC_DATA_SIZE; i++)
            l->utcb->msg.mr[i] = below(l, 2) ? noise(l) : any_fpage(l);
        set(c, any_cap(l), USED_OTHER, -(long)below(l, 26), below(l, 64), below(l, 4));
        c->op = below(l, 16);
        c->opcode = 0;
        break;
    default:
        message(l, c);
    }
}
