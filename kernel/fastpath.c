/*
 * fastpath.c - the two shortcuts of the system call: call through a gate, reply and wait
 *
 * Words only, no timeout, the partner waits, and nobody more important is ready. ipc.c is the
 * specification: what happens here is what syscall_slow() does in that case, and the same tests
 * run with the shortcuts off (kernel option `nofast`).
 *
 * Q1  Nothing is stored before the last test, so a call that misses has cost only the tests.
 */
#include "gate.h"
#include "ipc.h"
#include "sched.h"
#include "task.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define HOT __attribute__((hot, section(".text.hot")))

enum { TAG_PLAIN = L4_MSGTAG_FLAGS | 0x3f << L4_MSGTAG_ITEMS_SHIFT };

/* Words only, an L4 call, and no label of the kernel's own protocols. */
static inline bool plain(uint64_t tag)
{
    return (tag & (TAG_PLAIN | 1UL << 63)) == L4_SYSCALL_MARK;
}

static inline void copy(const struct thread *from, struct thread *to, uint64_t tag)
{
    const uint64_t *src = from->utcb->msg.mr;
    uint64_t *dst = to->utcb->msg.mr;
    uint64_t n = tag & L4_MSGTAG_WORDS_MASK;

    if (n)
        __asm__ volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
}

/* The message has arrived: t runs now. */
static inline struct thread *arrive(struct cpu *c, struct thread *t, uint64_t tag, uint64_t label)
{
    t->state = THREAD_READY;
    t->regs.rax = tag ^ L4_SYSCALL_MARK;
    t->regs.rsi = label;
    t->task->messages++;
    sched_load(c, t);
    return t;
}

HOT struct thread *syscall(struct thread *self, uint64_t label, uint64_t cap_op, uint64_t tag,
                           uint64_t timeouts)
{
    struct cpu *c = &cpu0;

    if (!likely(plain(tag) && !(self->flags & THREAD_NO_SHORTCUT) && (uint16_t)timeouts == 0))
        return syscall_slow(self, label, cap_op, tag, timeouts);
    if ((cap_op & 0xfff) == L4_SYSF_CALL) {
        uint64_t slot = cap_op >> L4_CAP_SHIFT;
        uint32_t ref = likely(slot < CAPS_PER_PAGE) ? self->task->caps[slot].ref : 0;
        struct gate *g = kptr(ref & ~(uint32_t)CAP_RIGHTS);
        struct thread *r;

        if (likely(ref && g->obj.type == OBJ_GATE && timeouts == 0)) {
            r = g->thread;
            if (likely(r && r->state == THREAD_RECV_ANY && r->priority >= c->top_ready)) {
                copy(self, r, tag);
                self->state = THREAD_RECV_REPLY;
                self->partner = r;
                r->caller = self;
                return arrive(c, r, tag, g->label | (ref & 3));
            }
        }
    } else if ((cap_op & L4_SYSF_MASK) == L4_SYSF_REPLY_AND_WAIT) {
        struct thread *r = self->caller;

        if (likely(r && r->message == MESSAGE_UTCB && !r->deadline && list_empty(&self->senders) &&
                   r->priority >= c->top_ready)) {
            copy(self, r, tag);
            self->state = THREAD_RECV_ANY;
            self->caller = NULL;
            r->partner = NULL;
            return arrive(c, r, tag, 0);
        }
    }
    return syscall_slow(self, label, cap_op, tag, timeouts);
}
