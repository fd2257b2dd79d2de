/*
 * msg.c - the content of a message: words and items
 *
 * Words are copied at once. Items map flexpages and may take long: the thread that does the work
 * (act) keeps its place in xfer_item and xfer_done and goes on there after a preemption, while
 * its partner waits in XFER. If either is killed or cancelled, the other gets an error; what has
 * been mapped stays mapped.
 */
#include <common/fpage.h>

#include "fault.h"
#include "ipc.h"
#include "kassert.h"
#include "map.h"
#include "sched.h"
#include "task.h"
#include "walk.h"

/* Where an item may go. */
struct receive_item {
    bool given;
    bool local_id;
    unsigned type, order;
    uint64_t base; /* address << 0, or port or slot number << 12 */
};

static void copy_words(const struct thread *from, struct thread *to, l4_msgtag_t tag)
{
    uint64_t buf[L4_UTCB_EXCEPTION_REGS_SIZE];
    const uint64_t *src = from->utcb ? from->utcb->msg.mr : NULL;
    uint64_t *dst;
    uint64_t n = msgtag_words(tag);

    if (from->message != MESSAGE_UTCB) {
        fault_words(from, buf);
        src = buf;
    }
    if (to->message != MESSAGE_UTCB) {
        if (msgtag_label(tag) >= 0) /* a rejection changes nothing */
            fault_take_words(to, src, msgtag_words(tag));
        return;
    }
    dst = to->utcb->msg.mr;
    __asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
}

/* The receive item number `n` of a type, counted from where the buffer descriptor says. */
static struct receive_item window_of(const struct thread *to, unsigned type, unsigned n)
{
    struct receive_item w = {.type = type};
    const l4_buf_regs_t *buf = &to->utcb->buf;
    unsigned shift = type == L4_FPAGE_MEMORY ? 0 : type == L4_FPAGE_IO ? 5 : 10;
    unsigned i = buf->bdr >> shift & 31;
    uint64_t word, fp;

    if (to->message != MESSAGE_UTCB) { /* a page fault takes what the pager gives, where it says */
        w.given = to->message != MESSAGE_EXCEPTION;
        w.order = L4_WHOLE_ADDRESS_SPACE;
        return w;
    }
    for (;; n--) {
        if (i >= L4_UTCB_GENERIC_BUFFERS_SIZE)
            return w;
        word = buf->br[i++];
        if (!(word & L4_ITEM_MAP))
            return w;
        fp = word & ~0xfffUL;
        if ((word & L4_RCV_ITEM_SINGLE_CAP) != L4_RCV_ITEM_SINGLE_CAP) {
            if (i >= L4_UTCB_GENERIC_BUFFERS_SIZE)
                return w;
            fp = buf->br[i++];
            w.type = fp >> L4_FPAGE_TYPE_SHIFT & 3;
            w.order = fp >> L4_FPAGE_SIZE_SHIFT & 63;
        } else {
            w.type = L4_FPAGE_OBJ;
            w.order = 0;
        }
        w.base = fp & ~0xfffUL;
        w.local_id = word & L4_RCV_ITEM_LOCAL_ID;
        if (n == 0)
            break;
        w.type = type;
    }
    w.given = true;
    return w;
}

/* Which receive item belongs to send item `i`: items of its type before it, compounds once. */
static unsigned window_number(const uint64_t *mr, unsigned i)
{
    unsigned type = mr[2 * i + 1] >> L4_FPAGE_TYPE_SHIFT & 3, n = 0;

    for (unsigned j = 0; j < i; j++)
        if ((mr[2 * j + 1] >> L4_FPAGE_TYPE_SHIFT & 3) == type && !(mr[2 * j] & L4_ITEM_CONT))
            n++;
    return n;
}

/* Tell the receiver what became of an item. */
static void item_result(struct thread *to, unsigned mr, uint64_t base, uint64_t fp, unsigned kind,
                        uint64_t word)
{
    if (to->message != MESSAGE_UTCB)
        return;
    to->utcb->msg.mr[mr] = (base & ~0xfffUL) | (fp & 0xff0) | L4_ITEM_MAP | kind;
    to->utcb->msg.mr[mr + 1] = word;
}

/* A receiver that asked for local ids need not be given a capability it already knows. */
static bool item_as_local_id(const struct thread *from, struct thread *to, unsigned mr,
                             uint64_t base, uint64_t fp)
{
    const struct cap *c;
    struct gate *g;

    if (from->task == to->task) {
        item_result(to, mr, base, fp, L4_ITEM_RET_FPAGE, fp);
        return true;
    }
    c = (fp >> L4_FPAGE_SIZE_SHIFT & 63) == 0 ? cap_slot(from->task, fp & ~0xfffUL) : NULL;
    if (!c || !c->ref || cap_object(c)->type != OBJ_GATE)
        return false;
    g = gate_of(cap_object(c));
    if (!g->thread || g->thread->task != to->task)
        return false;
    item_result(to, mr, base, fp, L4_ITEM_RET_LABEL, g->label | (c->ref & (fp & 3) & 3));
    return true;
}

/* Map send item act->xfer_item. 0: done; 1: preempted; else the sender's IPC error. */
static int item_transfer(struct thread *from, struct thread *to, struct thread *act)
{
    l4_msgtag_t tag = {(long)from->send_tag};
    unsigned i = act->xfer_item, mr = msgtag_words(tag) + 2 * i;
    const uint64_t *mrs = from->utcb->msg.mr + msgtag_words(tag);
    uint64_t base = mrs[2 * i], fp = mrs[2 * i + 1];
    unsigned type = fp >> L4_FPAGE_TYPE_SHIFT & 3;
    struct map_request r;
    struct receive_item w;
    int err;

    if (!(base & L4_ITEM_MAP) || type == L4_FPAGE_SPECIAL) { /* a void item */
        item_result(to, mr, base, 0, L4_ITEM_RET_NOTHING, 0);
        return 0;
    }
    w = window_of(to, type, i ? window_number(mrs, i) : 0);
    if (!w.given)
        return L4_IPC_SEMSGCUT;
    if (w.type != type) {
        item_result(to, mr, base, fp, L4_ITEM_RET_NOTHING, 0);
        return 0;
    }
    if (w.local_id && type == L4_FPAGE_OBJ && item_as_local_id(from, to, mr, base, fp))
        return 0;
    map_request_init(&r, from->task, to->task, base, fp, w.base, w.order);
    r.done = act->xfer_done;
    err = map_run(&r);
    act->xfer_done = r.done;
    act->xfer_mapped |= r.mapped != 0;
    if (err == MAP_PREEMPTED)
        return 1;
    if (err < 0)
        return L4_IPC_SEMAPFAILED;
    item_result(to, mr, base, fp, act->xfer_mapped ? L4_ITEM_RET_MAPPED : L4_ITEM_RET_NOTHING, 0);
    act->xfer_done = 0;
    act->xfer_mapped = false;
    return 0;
}

/* Go on with the items of the transfer that act is working on. 0: all done; 1: preempted (at the
 * end, too: what was replaced may be dying); else the sender's IPC error. */
static int run_items(struct thread *act)
{
    struct thread *other = act->partner;
    struct thread *from = act->xfer_receiving ? other : act;
    struct thread *to = act->xfer_receiving ? act : other;
    unsigned items = msgtag_items((l4_msgtag_t){(long)from->send_tag});
    int err = 0;

    while (act->xfer_item < items) {
        err = item_transfer(from, to, act);
        if (err)
            return err;
        act->xfer_item++;
    }
    return cpu0.resched;
}

static SELDOM struct thread *transfer_items(struct thread *act)
{
    struct thread *other = act->partner;
    struct thread *from = act->xfer_receiving ? other : act;
    struct thread *to = act->xfer_receiving ? act : other;
    int err;

    act->cont = NULL;
    err = run_items(act);
    if (err == 1) {
        act->cont = transfer_items;
        return cpu0.current;
    }
    act->xfer_active = false;
    act->partner = NULL;
    ipc_sent(from, to, (l4_msgtag_t){(long)from->send_tag}, (unsigned)err);
    ipc_leave_nothing(act, other);
    return cpu0.current;
}

static void begin_items(struct thread *other, struct thread *act, bool receiving)
{
    other->state = THREAD_XFER;
    other->partner = act;
    act->partner = other;
    act->xfer_active = true;
    act->xfer_receiving = receiving;
    act->xfer_item = 0;
    act->xfer_done = 0;
    act->xfer_mapped = false;
}

int msg_items_now(struct thread *from, struct thread *to)
{
    int err;

    begin_items(to, from, false);
    err = run_items(from);
    if (err == 1) {
        from->cont = transfer_items;
        return 1;
    }
    from->xfer_active = false;
    from->partner = NULL;
    if (err)
        ipc_sent(from, to, (l4_msgtag_t){(long)from->send_tag}, (unsigned)err);
    return err;
}

void msg_transfer(struct thread *from, struct thread *to, struct thread *act)
{
    l4_msgtag_t tag = {(long)(from->send_tag & ~(uint64_t)L4_MSGTAG_FLAGS)};

    from->send_tag = (uint64_t)tag.raw;
    copy_words(from, to, tag);
    if (msgtag_items(tag) == 0 || from->message != MESSAGE_UTCB) {
        ipc_sent(from, to, tag, 0);
        return;
    }
    begin_items(act == from ? to : from, act, act == to);
    transfer_items(act);
}

SELDOM unsigned msg_abort(struct thread *gone)
{
    struct thread *other = gone->partner;
    bool gone_sends;

    kassert(other && (gone->state == THREAD_XFER || gone->xfer_active));
    gone_sends = gone->xfer_active ? !gone->xfer_receiving : other->xfer_receiving;
    walk_abandon(gone->xfer_active ? gone : other);
    gone->xfer_active = false;
    other->xfer_active = false;
    gone->partner = NULL;
    gone->cont = NULL;
    other->cont = NULL;
    ipc_fail(other, gone_sends ? L4_IPC_REABORTED : L4_IPC_SEABORTED);
    return gone_sends ? L4_IPC_SEABORTED : L4_IPC_REABORTED;
}
