/*
 * fastpath.c - shortcuts for what happens most: calling, answering, faulting
 *
 * The partner waits, nobody more important is ready, no timeout: then the message goes over and
 * the partner runs, without the ready queue. ipc.c is the specification: what happens here is
 * what syscall_slow() does in that case, and the same tests run with the shortcuts off (kernel
 * option `nofast`).
 *
 * Q1  Nothing is stored before the last test, so a message that misses has cost only the tests.
 * Q2  A partner in RECV_ANY has no timeout and owes nobody an answer (ipc.c: RECV_ANY_SLOW).
 */
#include "fault.h"
#include "gate.h"
#include "ipc.h"
#include "kassert.h"
#include "limits.h"
#include "sched.h"
#include "task.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define HOT __attribute__((hot, section(".text.hot")))

/* syscall() gives this when self goes on and nothing of it had to be reloaded (entry.S). */
#define SAME_THREAD ((struct thread *)0)

enum { TAG_ITEMS = 0x3f << L4_MSGTAG_ITEMS_SHIFT };

/* No label of the kernel's own protocols: those have a meaning for gates, too. */
static inline bool label_is_plain(uint64_t tag)
{
    return (int64_t)tag >= 0;
}

/* Words and items together fit in the message registers. */
static inline bool fits(uint64_t tag)
{
    return (tag & 63) + 2 * (tag >> L4_MSGTAG_ITEMS_SHIFT & 63) <= LIMIT_WORDS;
}

/* The object behind a capability of the first page of slots, or NULL. */
static inline struct object *lookup(const struct task *t, uint64_t cap, unsigned *rights)
{
    uint64_t slot = cap >> L4_CAP_SHIFT;
    uint32_t ref = 0;

    if (likely(slot < CAPS_PER_PAGE))
        ref = t->caps[index_below(slot, CAPS_PER_PAGE)].ref;

    *rights = ref & CAP_RIGHTS;
    return kptr(ref & ~(uint32_t)CAP_RIGHTS);
}

/* No timeout to be cancelled, no exception to be raised. */
static inline bool nothing_pending(const struct thread *t)
{
    return !(t->deadline | (uint64_t)t->cont);
}

static inline bool can_run_now(const struct cpu *c, const struct thread *t)
{
    return t->priority >= c->top_ready;
}

static inline void copy_words(const struct thread *from, struct thread *to, uint64_t tag)
{
    const uint64_t *src = from->utcb->msg.mr;
    uint64_t *dst = to->utcb->msg.mr;
    uint64_t n = tag & L4_MSGTAG_WORDS_MASK;

    if (n)
        __asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
}

/* The message is with t, which is not current and runs now. */
static HOT NOINLINE struct thread *arrive(struct thread *self, uint64_t label, struct thread *t,
                                          uint64_t tag)
{
    struct cpu *c = &cpu0;
    struct task *task = t->task;

    t->state = THREAD_READY;
    t->regs.rax = tag;
    t->regs.rsi = label;
    task->messages++;
    return sched_load_other(c, self, t, task);
}

/* self's items go to r, which has got the words. 0: all mapped; otherwise the rest of the message
 * has been left to msg.c. */
static inline int send_items(struct thread *self, struct thread *r, uint64_t tag, uint64_t label,
                             unsigned op, uint64_t timeouts)
{
    self->send_label = label;
    self->send_tag = tag;
    self->send_op = op;
    self->timeouts = (uint32_t)timeouts;
    return msg_items_now(self, r);
}

/* A message with items, or with a label that the kernel may have a meaning for. */
static struct thread *call_gate_items(struct cpu *c, struct thread *self, const struct gate *g,
                                      uint32_t ref, uint64_t tag)
{
    struct thread *r = g->thread;
    uint64_t label = g->label | (ref & 3);

    if (!likely(r && r->state == THREAD_RECV_ANY && can_run_now(c, r)))
        return NULL;
    copy_words(self, r, tag);
    if (send_items(self, r, tag, label, L4_SYSF_CALL, 0) != 0)
        return sched_next(c->current);
    self->state = THREAD_RECV_REPLY;
    self->partner = r;
    r->caller = self;
    return arrive(self, label, r, tag);
}

static __attribute__((noinline)) struct thread *call_unfinished(struct invocation *iv, long r)
{
    if (r == INVOKE_AGAIN) /* with the registers that it came with; INVOKE_BLOCKED has a result */
        iv->self->regs.rax = (uint64_t)iv->tag.raw | L4_SYSCALL_MARK;
    ipc_invoked(iv, r);
    return sched_next(cpu0.current);
}

/*
 * A kernel object answers at once; the thread goes on unless something else came up: whatever
 * makes it impossible (preempted, blocked, an object dying, a continuation) has set c->resched.
 */
static HOT NOINLINE struct thread *call_object(struct thread *self, uint64_t label, uint64_t cap_op,
                                               uint64_t tag, uint32_t ref)
{
    struct invocation iv = {.self = self,
                            .obj = kptr(ref & ~(uint32_t)CAP_RIGHTS),
                            .rights = ref & CAP_RIGHTS,
                            .tag = {(long)(tag ^ L4_SYSCALL_MARK)},
                            .utcb = self->utcb};
    long r;

    if ((tag & TAG_ITEMS) && !fits(tag))
        return syscall_slow(self, label, cap_op, tag, 0);
    self->regs.rsi = label;
    self->task->invocations++;
    r = object_ops[iv.obj->type]->invoke(&iv);
    if (__builtin_expect(cpu0.resched, 0))
        return call_unfinished(&iv, r);
    kassert(r > INVOKE_SPECIAL && self->state == THREAD_READY && !self->cont);
    self = cpu0.current; /* the same; read again, it need not be kept in a register meanwhile */
    self->regs.rax = (uint64_t)r << L4_MSGTAG_LABEL_SHIFT | iv.words;
    self->regs.rsi = 0;
    return SAME_THREAD;
}

/* Calls of gates and threads that the first shortcut leaves: with items, to the kernel. */
static HOT NOINLINE struct thread *call(struct thread *self, uint64_t label, uint64_t cap_op,
                                        uint64_t tag, uint64_t timeouts, uint32_t ref)
{
    struct object *o = kptr(ref & ~(uint32_t)CAP_RIGHTS);
    struct thread *next = NULL;

    if (o->dying || timeouts || !fits(tag))
        return syscall_slow(self, label, cap_op, tag, timeouts);
    if (o->type == OBJ_THREAD && (int64_t)tag >> L4_MSGTAG_LABEL_SHIFT == L4_PROTO_THREAD)
        return call_object(self, label, cap_op, tag, ref);
    if (o->type == OBJ_GATE && label_is_plain(tag))
        next = call_gate_items(&cpu0, self, gate_of(o), ref, tag ^ L4_SYSCALL_MARK);
    return next ? next : syscall_slow(self, label, cap_op, tag, timeouts);
}

/* Answers that the first shortcut leaves: with items, to page faults. */
static HOT NOINLINE struct thread *answer(struct thread *self, uint64_t label, uint64_t cap_op,
                                          uint64_t tag, uint64_t timeouts)
{
    struct cpu *c = &cpu0;
    struct thread *r = self->caller;
    uint64_t plain = tag ^ L4_SYSCALL_MARK;

    if (!likely(r && nothing_pending(r) && list_empty(&self->senders) && can_run_now(c, r) &&
                label_is_plain(tag) && r->message != MESSAGE_EXCEPTION && fits(tag)))
        return syscall_slow(self, label, cap_op, tag, timeouts);
    self->caller = NULL;
    if (r->message == MESSAGE_UTCB)
        copy_words(self, r, plain);
    if ((tag & TAG_ITEMS) && send_items(self, r, plain, 0, L4_SYSF_REPLY_AND_WAIT, timeouts) != 0)
        return sched_next(c->current);
    self->state = THREAD_RECV_ANY;
    r->partner = NULL;
    if (r->message == MESSAGE_UTCB)
        return arrive(self, 0, r, plain);
    r->state = THREAD_READY;
    r->task->messages++;
    fault_answered(r, (l4_msgtag_t){(long)plain});
    return sched_load(c, r);
}

/* Words only, an L4 call, and no label of the kernel's own protocols. */
static inline bool only_words(uint64_t tag)
{
    return (tag & (L4_MSGTAG_FLAGS | TAG_ITEMS | 1UL << 63)) == L4_SYSCALL_MARK;
}

static HOT NOINLINE struct thread *call_shortcut(struct thread *self, uint64_t label,
                                                 uint64_t cap_op, uint64_t tag, uint64_t timeouts,
                                                 uint32_t ref)
{
    struct cpu *c = &cpu0;
    const struct gate *g = kptr(ref & ~(uint32_t)CAP_RIGHTS);
    struct thread *r;

    if (likely(only_words(tag) && timeouts == 0 && g->obj.live_type == OBJ_GATE)) {
        r = g->thread;
        if (likely(r && r->state == THREAD_RECV_ANY && can_run_now(c, r))) {
            copy_words(self, r, tag);
            self->state = THREAD_RECV_REPLY;
            self->partner = r;
            r->caller = self;
            return arrive(self, g->label | (ref & 3), r, tag ^ L4_SYSCALL_MARK);
        }
    }
    return call(self, label, cap_op, tag, timeouts, ref);
}

static HOT NOINLINE struct thread *answer_shortcut(struct thread *self, uint64_t label,
                                                   uint64_t cap_op, uint64_t tag, uint64_t timeouts)
{
    struct cpu *c = &cpu0;
    struct thread *r = self->caller;

    if (__builtin_expect((uint16_t)timeouts != 0, 0))
        return syscall_slow(self, label, cap_op, tag, timeouts);
    if (likely(only_words(tag) && r && r->message == MESSAGE_UTCB && nothing_pending(r) &&
               list_empty(&self->senders) && can_run_now(c, r))) {
        copy_words(self, r, tag);
        self->state = THREAD_RECV_ANY;
        self->caller = NULL;
        r->partner = NULL;
        return arrive(self, 0, r, tag ^ L4_SYSCALL_MARK);
    }
    return answer(self, label, cap_op, tag, timeouts);
}

/* A live object whose messages the kernel serves. */
static inline bool answers_at_once(uint32_t ref)
{
    const struct object *o = kptr(ref & ~(uint32_t)CAP_RIGHTS);

    return (unsigned)o->live_type - OBJ_TASK < OBJ_TYPES - OBJ_TASK;
}

HOT struct thread *syscall(struct thread *self, uint64_t label, uint64_t cap_op, uint64_t tag,
                           uint64_t timeouts)
{
    unsigned op = cap_op & L4_SYSF_MASK;
    uint32_t ref;

    if (!likely((tag & L4_MSGTAG_FLAGS) == L4_SYSCALL_MARK) || (self->flags & THREAD_NO_SHORTCUT))
        return syscall_slow(self, label, cap_op, tag, timeouts);
    if (op == L4_SYSF_CALL) {
        /* A capability index is at least one slot; the bits between slot and operation are 0. */
        if (cap_op & ~(((CAPS_PER_PAGE - 1UL) << L4_CAP_SHIFT) | L4_SYSF_MASK))
            return syscall_slow(self, label, cap_op, tag, timeouts);
        ref = self->task->caps[index_below(cap_op >> L4_CAP_SHIFT, CAPS_PER_PAGE)].ref;
        if (!likely(ref))
            return syscall_slow(self, label, cap_op, tag, timeouts);
        if (answers_at_once(ref))
            return call_object(self, label, cap_op, tag, ref);
        return call_shortcut(self, label, cap_op, tag, timeouts, ref);
    }
    if (op == L4_SYSF_REPLY_AND_WAIT)
        return answer_shortcut(self, label, cap_op, tag, timeouts);
    if (op != L4_SYSF_NONE)
        return syscall_slow(self, label, cap_op, tag, timeouts);
    self->regs.rax = 0; /* neither phase: nothing to do */
    self->regs.rsi = 0;
    return SAME_THREAD;
}

HOT struct thread *fault_shortcut(struct thread *t)
{
    struct cpu *c = &cpu0;
    unsigned rights;
    struct object *o = lookup(t->task, t->pager, &rights);
    struct thread *r;

    if (!likely(o && o->type == OBJ_GATE && !(t->flags & THREAD_NO_SHORTCUT)))
        return NULL;
    r = gate_of(o)->thread;
    if (!likely(r && r->state == THREAD_RECV_ANY && can_run_now(c, r)))
        return NULL;
    fault_page_words(t, r->utcb->msg.mr);
    t->state = THREAD_RECV_REPLY;
    t->partner = r;
    r->caller = t;
    return arrive(t, gate_of(o)->label | (rights & 3), r,
                  (uint64_t)msgtag(L4_PROTO_PAGE_FAULT, 2, 0, 0).raw);
}
