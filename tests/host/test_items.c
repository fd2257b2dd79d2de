/*
 * test_items.c - messages with items, played, against a model of where each item goes
 *
 * A thread of one task sends capabilities, memory and ports to a thread of another task, or of its
 * own. The model: an item goes to the receive item of its type that belongs to it, by the window
 * rule (fpage_meet), and the receiver is told what became of it. Each message is sent in three
 * ways: to somebody who waits, by call (the shortcut), and to somebody who asks for it later.
 */
#include "machine.h"

#include <common/fpage.h>

#include "io.h"
#include "limits.h"
#include "map_memory.h"
#include "test.h"

enum {
    SLOT_TASK = 1,
    SLOT_GATE = 16, /* to b */
    SLOT_OWN = 17,  /* to a2 */
    SLOT_THREADS = 24,
    SOURCES = 9,    /* capabilities to be sent: slots 80.., the last far behind */
    SOURCE = 80,
    FAR_SOURCE = 600,
    TARGET = 64,    /* where they may arrive: 16 slots */
    PLACES = 16,    /* slots, pages, ports */
    PORT = 512,
    NOTHING = -1,
};
enum way { SEND, CALL, LATE, WAYS };
#define FRAMES (1UL << 30)
#define PAGES 0x10000000UL
#define UNTOUCHED 0x5a5a5a5a5a5a5a5aUL

static struct factory *factory;
static struct task *tasks[3];
static struct thread *a, *a2, *b, *idler;
static struct gate *sources[SOURCES];
static struct thread *receiver; /* b, or a2 in the sender's own task */

/* ---- the world ---- */

static void enter(struct task *t, uint64_t slot, struct object *o, unsigned rights)
{
    CHECK(cap_enter_root(t, slot, o, rights) == 0);
}

static uint64_t source_slot(unsigned i)
{
    return i == SOURCES - 1 ? FAR_SOURCE : SOURCE + i;
}

/* Gates of b with different rights, one of a, one of nobody, an empty slot, something else. */
static void make_sources(void)
{
    static const unsigned rights[SOURCES] = {15, 15, 15, 0, 5, 7, 4, 15, 6};

    for (unsigned i = 0; i < SOURCES; i++) {
        struct thread *t = i == 1 ? a : i == 2 ? NULL : b;

        if (!rights[i])
            continue;
        if (i == 7) {
            machine_pass(tasks[0], SLOT_TASK + 2, tasks[0], source_slot(i), 15);
            continue;
        }
        sources[i] = gate_create(&factory->obj, (i + 1) << 4, t);
        CHECK(sources[i]);
        enter(tasks[0], source_slot(i), &sources[i]->obj, rights[i]);
    }
}

static void start(unsigned flags)
{
    struct gate *g;

    machine_boot(4UL << 20, flags);
    factory = machine_factory(&root_factory.obj, 1UL << 20);
    for (int i = 0; i < 3; i++)
        CHECK((tasks[i] = machine_task(&factory->obj)) != NULL);
    a = machine_thread(&factory->obj, tasks[0], 0, 10);
    a2 = machine_thread(&factory->obj, tasks[0], 1, 20);
    b = machine_thread(&factory->obj, tasks[1], 0, 20);
    idler = machine_thread(&factory->obj, tasks[2], 0, 1);
    g = gate_create(&factory->obj, 0x120, b);
    enter(tasks[0], SLOT_GATE, &g->obj, 15);
    g = gate_create(&factory->obj, 0x130, a2);
    enter(tasks[0], SLOT_OWN, &g->obj, 15);
    enter(tasks[0], SLOT_TASK, &tasks[0]->obj, 15);
    enter(tasks[0], SLOT_TASK + 1, &tasks[1]->obj, 15);
    enter(tasks[0], SLOT_TASK + 2, &tasks[2]->obj, 15);
    enter(tasks[0], SLOT_THREADS, &a->obj, 15);
    enter(tasks[0], SLOT_THREADS + 1, &b->obj, 15);
    enter(tasks[0], SLOT_THREADS + 2, &a2->obj, 15);
    enter(tasks[0], SLOT_THREADS + 3, &idler->obj, 15);
    make_sources();
    CHECK(map_roots(tasks[0], FRAMES, FRAMES + (4UL << 20), L4_FPAGE_RWX, true) == 0);
    CHECK(io_roots(tasks[0]) == 0);
    receiver = b;
    CHECK(sched_next(&idle_thread) == a2);
}

static void stop(void)
{
    host_window = NULL;
    machine_destroy(&tasks[0]->obj); /* it holds the first capabilities of all */
    CHECK(check_all() == 0);
}

static void leaks(void)
{
    uint64_t total, free, low;

    kmem_stats(&total, &free, &low);
    CHECK(root_factory.quota.used == 0 && free == machine_free_at_start && kmem_ok());
}

/* ---- one message ---- */

static void wait(struct thread *t)
{
    (void)user_call(t, 0, L4_INVALID_CAP | L4_SYSF_WAIT, msgtag(0, 0, 0, 0), 0);
}

/* Everybody but `t`, who may run now, waits or sleeps. */
static void only(struct thread *t)
{
    for (unsigned n = 0; cpu0.current != t; n++) {
        CHECK(n < 4);
        wait(cpu0.current);
    }
}

/* a sends its words and items; who receives runs afterwards, if it has not before. */
static void pass(enum way way, unsigned words, unsigned items)
{
    uint64_t gate = (receiver == b ? SLOT_GATE : SLOT_OWN) << L4_CAP_SHIFT;
    l4_msgtag_t tag = msgtag(5, words, items, 0);
    enum { MS = 1000 };

    only(a);
    if (way == LATE) { /* the receiver sleeps, and does not wait */
        user_call(a, 0, gate | L4_SYSF_SEND, msgtag(0, 0, 0, 0), 0);
        user_call(receiver, 0, L4_INVALID_CAP | L4_SYSF_RECV, msgtag(0, 0, 0, 0), MS);
        CHECK(cpu0.current == a);
    }
    if (way == CALL)
        user_call(a, 0, gate | L4_SYSF_CALL, tag, 0);
    else
        user_call(a, 0, gate | L4_SYSF_SEND, tag, 0);
    if (way != LATE)
        return;
    CHECK(a->state == THREAD_SEND);
    while (receiver->state != THREAD_READY)
        user_tick(cpu0.current);
    CHECK(cpu0.current == receiver);
    wait(receiver);
}

/* Whoever was called answers; everybody is awake again. */
static void finish(void)
{
    if (receiver->caller) {
        user_call(receiver, 0, L4_INVALID_CAP | L4_SYSF_SEND | L4_SYSF_REPLY, msgtag(0, 0, 0, 0),
                  0);
        CHECK(a->state == THREAD_READY);
    }
}

/* ---- the model ---- */

struct place {
    int from;        /* NOTHING, or which source, page or port */
    unsigned rights;
};

static struct place slots[PLACES], pages[PLACES], ports[PLACES];
static uint64_t mr[L4_UTCB_GENERIC_DATA_SIZE]; /* the receiver's words afterwards */
static bool open_question;                     /* a port given again: either answer will do */

struct buffer {
    bool given, local_id;
    unsigned type, order;
    uint64_t base;
};

/* Receive item n of a type. */
static struct buffer m_buffer(const l4_buf_regs_t *buf, unsigned type, unsigned n)
{
    static const unsigned shift[] = {0, 0, 5, 10};
    unsigned i = buf->bdr >> shift[type] & 31;
    struct buffer w = {.given = false};

    for (unsigned k = 0; k <= n; k++) {
        bool single;

        if (i >= 58 || !(buf->br[i] & 8))
            return w;
        single = (buf->br[i] & 10) == 10;
        if (!single && i + 1 >= 58)
            return w;
        w.local_id = buf->br[i] & 4;
        w.type = single ? L4_FPAGE_OBJ : buf->br[i + 1] >> 4 & 3;
        w.order = single ? 0 : buf->br[i + 1] >> 6 & 63;
        w.base = (single ? buf->br[i] : buf->br[i + 1]) & ~0xfffUL;
        i += single ? 1 : 2;
    }
    w.given = true;
    return w;
}

static int source_at(uint64_t slot)
{
    for (unsigned i = 0; i < SOURCES; i++)
        if (source_slot(i) == slot && i != 3)
            return (int)i;
    return NOTHING;
}

static unsigned source_rights(int i)
{
    return cap_slot(tasks[0], source_slot((unsigned)i) << L4_CAP_SHIFT)->ref & CAP_RIGHTS;
}

/* What was there goes, unless it is the same from the same place: then it only gains rights. */
static void m_put(struct place *p, int from, unsigned rights)
{
    *p = (struct place){from, p->from == from ? p->rights | rights : rights};
}

static bool m_caps(l4_fpage_t fp, uint64_t base, const struct buffer *w)
{
    struct meeting m = fpage_meet(fpage_index(fp), fpage_order(fp), w->base >> 12, w->order,
                                  base >> 12);
    bool any = false;

    for (uint64_t i = 0; i < 1UL << m.order; i++) {
        int from = source_at(m.src + i);
        unsigned rights = from < 0 ? 0 : source_rights(from) & fpage_rights(fp);

        if (!rights)
            continue;
        CHECK(m.dst + i - TARGET < PLACES);
        m_put(&slots[m.dst + i - TARGET], from, rights);
        any = true;
    }
    return any;
}

static bool m_pages(l4_fpage_t fp, uint64_t base, const struct buffer *w)
{
    struct meeting m = fpage_meet(fpage_addr(fp), fpage_order(fp), w->base, w->order,
                                  base & ~0xfffUL);

    if (m.order < L4_PAGESHIFT || !(fpage_rights(fp) & L4_FPAGE_R))
        return false;
    for (uint64_t i = 0; i < 1UL << (m.order - 12); i++) {
        CHECK((m.dst - PAGES) / 4096 + i < PLACES);
        m_put(&pages[(m.dst - PAGES) / 4096 + i], (int)((m.src - FRAMES) / 4096 + i),
              fpage_rights(fp) & 7);
    }
    return true;
}

static bool m_ports(l4_fpage_t fp, const struct buffer *w)
{
    uint64_t from = align_down(fpage_index(fp), fpage_order(fp));
    uint64_t window = align_down(w->base >> 12, w->order);
    bool any = false;

    for (unsigned i = 0; i < PLACES; i++) {
        uint64_t port = PORT + i;

        if (port - from >= 1UL << fpage_order(fp) || port - window >= 1UL << w->order ||
            (fpage_rights(fp) & 6) != 6)
            continue;
        open_question |= ports[i].from >= 0 || receiver == a2;
        m_put(&ports[i], (int)i, 6);
        any = true;
    }
    return any;
}

/* Does the receiver learn what the capability is, instead of getting it? */
static bool m_local(l4_fpage_t fp, unsigned *kind, uint64_t *word)
{
    int from = fpage_order(fp) ? NOTHING : source_at(fpage_index(fp));

    if (receiver->task == tasks[0]) {
        *kind = L4_ITEM_RET_FPAGE;
        *word = fp.raw;
        return true;
    }
    if (from < 0 || from == 7 || sources[from]->thread != b)
        return false;
    *kind = L4_ITEM_RET_LABEL;
    *word = ((uint64_t)from + 1) << 4 | (source_rights(from) & fpage_rights(fp) & 3);
    return true;
}

/* Item i of the words at s; false: the message ends here. */
static bool m_item(const uint64_t *s, unsigned i, uint64_t *told)
{
    uint64_t base = s[2 * i], word = 0;
    l4_fpage_t fp = {s[2 * i + 1]};
    unsigned type = fpage_type(fp), n = 0, kind;
    struct buffer w;
    bool any;

    if (!(base & L4_ITEM_MAP) || type == L4_FPAGE_SPECIAL) {
        told[0] = (base & ~0xfffUL) | L4_ITEM_MAP | L4_ITEM_RET_NOTHING;
        told[1] = 0;
        return true;
    }
    for (unsigned k = 0; k < i; k++)
        n += (s[2 * k + 1] >> 4 & 3) == type && !(s[2 * k] & L4_ITEM_CONT);
    w = m_buffer(&receiver->utcb->buf, type, n);
    if (!w.given)
        return false;
    kind = L4_ITEM_RET_NOTHING;
    if (w.type == type && !(type == L4_FPAGE_OBJ && w.local_id && m_local(fp, &kind, &word))) {
        any = type == L4_FPAGE_OBJ ? m_caps(fp, base, &w)
              : type == L4_FPAGE_IO ? m_ports(fp, &w)
                                    : m_pages(fp, base, &w);
        kind = any ? L4_ITEM_RET_MAPPED : L4_ITEM_RET_NOTHING;
    }
    told[0] = (base & ~0xfffUL) | (fp.raw & 0xff0) | L4_ITEM_MAP | kind;
    told[1] = word;
    return true;
}

/* ---- comparing ---- */

static void compare_places(void)
{
    struct task *t = receiver->task;

    for (unsigned i = 0; i < PLACES; i++) {
        const struct cap *c = cap_slot(t, (uint64_t)(TARGET + i) << L4_CAP_SHIFT);
        unsigned level;
        const pte_t *e = ptab_find(&t->space, PAGES + i * 4096UL, &level);

        CHECK((c && c->ref) == (slots[i].from >= 0));
        if (slots[i].from >= 0) {
            const struct cap *s = cap_slot(tasks[0], source_slot((unsigned)slots[i].from) << 12);

            CHECK(cap_object(c) == cap_object(s) && (c->ref & CAP_RIGHTS) == slots[i].rights);
            CHECK(mapping_parent(kptr(c->node)) == kptr(s->node));
        }
        CHECK(!e == (pages[i].from < 0));
        if (e) {
            CHECK(frame_at(*e, level, PAGES + i * 4096UL) ==
                  FRAMES + (uint64_t)pages[i].from * L4_PAGESIZE);
            CHECK(rights_of(*e) == pages[i].rights);
        }
        if (t != tasks[0])
            CHECK((t->io && !io_denied(t->io, PORT + i)) == (ports[i].from >= 0));
    }
}

static void unmap(struct task *t, l4_fpage_t fp)
{
    struct unmap_request u = {.task = t, .fp = fp, .mask = L4_FP_ALL_SPACES};

    CHECK(unmap_run(&u) == 0);
}

static void clear_places(void)
{
    struct task *t = receiver->task;

    unmap(t, fpage_make(L4_FPAGE_OBJ, (uint64_t)TARGET << 12, 4, 15));
    unmap(t, fpage_mem(PAGES, 16, 7));
    if (t != tasks[0])
        unmap(t, fpage_make(L4_FPAGE_IO, (uint64_t)PORT << 12, 4, 6));
    for (unsigned i = 0; i < PLACES; i++)
        slots[i].from = pages[i].from = ports[i].from = NOTHING;
}

/* ---- by chance ---- */

static uint64_t random_window(bool sender, unsigned *type)
{
    unsigned order = (unsigned)random_below(5), rights = (unsigned)random_below(16);
    uint64_t place = random_below(PLACES);

    *type = (unsigned)random_below(8) ? 1 + (unsigned)random_below(3) : 0;
    if (random_below(3) == 0)
        order = 0;
    if (random_below(4))
        rights |= 6;
    if (!sender)
        rights &= 7; /* taken for a receive item it is the end of the list */
    switch (*type) {
    case L4_FPAGE_MEMORY:
        order = random_below(8) ? 12 + order : order;
        place = (sender ? FRAMES : PAGES) + place * 4096;
        return fpage_mem(place, order, rights).raw;
    case L4_FPAGE_IO:
        return fpage_make(L4_FPAGE_IO, (PORT + place) << 12, order, rights).raw;
    case L4_FPAGE_OBJ:
        place = !sender ? TARGET + place : random_below(8) ? SOURCE + place % 8 : FAR_SOURCE;
        return fpage_make(L4_FPAGE_OBJ, place << 12, order, rights).raw;
    default:
        return fpage_make(0, 0, 0, rights).raw;
    }
}

static void random_buffers(l4_buf_regs_t *buf)
{
    unsigned n = random_below(3) ? 31 : 8, type;

    buf->bdr = random_below(n) | random_below(n) << 5 | random_below(n) << 10 | 1UL << 30;
    for (unsigned i = 0; i < L4_UTCB_GENERIC_BUFFERS_SIZE; i++) {
        uint64_t flags = L4_ITEM_MAP | (random_below(2) ? L4_RCV_ITEM_LOCAL_ID : 0) |
                         random_below(2);

        if (random_below(40) == 0)
            flags = random_below(8); /* the end of the list */
        if (random_below(2))
            buf->br[i] = (TARGET + random_below(PLACES)) << 12 | flags | 2;
        else
            buf->br[i] = flags;
        if (random_below(3) == 0) /* what stands behind an item of two words is taken as it is */
            continue;
        if (i + 1 < L4_UTCB_GENERIC_BUFFERS_SIZE && !(buf->br[i] & 2))
            buf->br[++i] = random_window(false, &type);
    }
}

/* Words and items of a; what should be at the receiver afterwards. True: all of it arrives. */
static bool random_message(unsigned words, unsigned items)
{
    uint64_t *s = a->utcb->msg.mr;
    bool whole = true;

    open_question = false;
    for (unsigned i = 0; i < L4_UTCB_GENERIC_DATA_SIZE; i++) {
        s[i] = random_bits();
        mr[i] = receiver->utcb->msg.mr[i] = UNTOUCHED + i;
    }
    for (unsigned i = 0; i < items; i++) {
        unsigned type;

        s[words + 2 * i + 1] = random_window(true, &type);
        s[words + 2 * i] = random_below(PLACES) << 12 | (random_below(10) ? L4_ITEM_MAP : 0) |
                           (random_below(3) ? 0 : L4_ITEM_CONT);
    }
    random_buffers(&receiver->utcb->buf);
    memcpy(mr, s, words * sizeof(mr[0]));
    for (unsigned i = 0; i < items && whole; i++)
        whole = m_item(s + words, i, mr + words + 2 * i);
    return whole;
}

static void random_pass(enum way way)
{
    unsigned items = (unsigned)(random_below(4) ? 1 + random_below(4) : random_below(31));
    unsigned words = (unsigned)random_below(64 - 2 * items);
    bool whole = random_message(words, items);

    pass(way, words, items);
    CHECK(receiver->state == THREAD_READY && !receiver->cont);
    CHECK(!a->xfer_active && !receiver->xfer_active);
    if (whole) {
        CHECK(!(receiver->regs.rax & L4_MSGTAG_ERROR));
        CHECK((long)receiver->regs.rax == msgtag(5, words, items, 0).raw);
        CHECK(receiver->regs.rsi == (receiver == b ? 0x123UL : 0x133UL));
        CHECK(open_question || memcmp(receiver->utcb->msg.mr, mr, sizeof(mr)) == 0);
        CHECK(way == CALL ? a->state == THREAD_RECV_REPLY : a->regs.rax == 0);
    } else {
        CHECK(receiver->regs.rax == L4_MSGTAG_ERROR && a->regs.rax == L4_MSGTAG_ERROR);
        CHECK(receiver->utcb->tcr.error == L4_IPC_REMSGCUT);
        CHECK(a->utcb->tcr.error == L4_IPC_SEMSGCUT && a->state == THREAD_READY);
    }
    compare_places();
    finish();
    clear_places();
    CHECK(check_all() == 0);
}

TEST(items_arrive_where_the_windows_say)
{
    for (unsigned flags = 0; flags <= THREAD_SLOW; flags += THREAD_SLOW) {
        test_seed = 1;
        start(flags);
        only(b);
        clear_places();
        for (unsigned n = 0; n < 3000; n++) {
            receiver = random_below(4) ? b : a2;
            random_pass((enum way)random_below(WAYS));
        }
        stop();
        leaks();
    }
}

/* ---- an item that takes long, and somebody hostile in the middle of it ---- */

enum { MANY = 1024, MANY_ORDER = 6, CAPS = 1 << MANY_ORDER };
enum deed { WATCH, KILL_A, KILL_B, CANCEL_A, CANCEL_B, KILL_TASK_A, KILL_TASK_B, DEEDS };

static uint64_t looks, deed_at;

/* The timer fires: a2, who is more important, has slept long enough. */
static void interrupt(void)
{
    if (++looks == deed_at) {
        thread_abort_ipc(a2, L4_IPC_SETIMEOUT);
        cpu0.resched = true;
    }
}

static void cancel(struct thread *who)
{
    uint64_t *words = a2->utcb->msg.mr;

    words[0] = L4_THREAD_EX_REGS_OP | L4_THREAD_EX_REGS_CANCEL;
    words[1] = words[2] = ~0UL;
    CHECK(user_invoke(a2, SLOT_THREADS + (who == b), L4_PROTO_THREAD, 3, 0) == 0);
}

static void commit(enum deed deed)
{
    CHECK(cpu0.current == a2);
    switch (deed) {
    case KILL_A:
        machine_destroy(&a->obj);
        break;
    case KILL_B:
        machine_destroy(&b->obj);
        break;
    case CANCEL_A:
    case CANCEL_B:
        cancel(deed == CANCEL_A ? a : b);
        break;
    case KILL_TASK_B:
        machine_destroy(&tasks[1]->obj);
        break;
    case KILL_TASK_A: /* with a2, who does it */
        machine_destroy(&tasks[0]->obj);
        break;
    default:
        break;
    }
}

static unsigned arrived(void)
{
    unsigned n = 0;

    for (uint64_t i = 0; i < 2 * CAPS; i++) {
        const struct cap *c = cap_slot(tasks[1], (MANY + i) << L4_CAP_SHIFT);

        n += c && c->ref;
    }
    return n;
}

/* Two items of 64 capabilities, a word before them. */
static void long_message(void)
{
    uint64_t *words = a->utcb->msg.mr;
    l4_buf_regs_t *buf = &b->utcb->buf;

    for (uint64_t i = 0; i < 2; i++) {
        uint64_t slot = (MANY + i * CAPS) << 12;

        words[1 + 2 * i] = L4_ITEM_MAP | 0x7000;
        words[2 + 2 * i] = fpage_make(L4_FPAGE_OBJ, slot, MANY_ORDER, 15).raw;
        buf->br[2 * i] = L4_ITEM_MAP;
        buf->br[2 * i + 1] = fpage_make(L4_FPAGE_OBJ, slot, MANY_ORDER, 0).raw;
    }
    buf->bdr = 0;
}

/* a2 dreams until interrupt() wakes it; the others go on when it sleeps again. */
static void sleep_on(struct thread *t)
{
    user_call(t, 0, L4_INVALID_CAP | L4_SYSF_RECV, msgtag(0, 0, 0, 0), 0);
}


/* Both learn of it, each with the phase that it was in. */
static void expect_errors(void)
{
    const struct thread *both[] = {a, b};

    for (int i = 0; i < 2; i++) {
        if (both[i]->state == THREAD_DEAD)
            continue;
        CHECK(both[i]->state == THREAD_READY && !both[i]->xfer_active && !both[i]->cont);
        CHECK(both[i]->regs.rax == L4_MSGTAG_ERROR);
        CHECK(both[i]->utcb->tcr.error == (i ? L4_IPC_REABORTED : L4_IPC_SEABORTED));
    }
}

static void expect_all(enum way way)
{
    const uint64_t *words = b->utcb->msg.mr;

    CHECK(arrived() == 2 * CAPS && b->state == THREAD_READY && cpu0.current == b);
    CHECK((long)b->regs.rax == msgtag(5, 1, 2, 0).raw && b->regs.rsi == 0x123);
    for (int i = 0; i < 2; i++) {
        CHECK(words[1 + 2 * i] == (0x7000 | MANY_ORDER << 6 | L4_FPAGE_OBJ << 4 | L4_ITEM_MAP));
        CHECK(words[2 + 2 * i] == 0);
    }
    CHECK(a->state == (way == CALL ? THREAD_RECV_REPLY : THREAD_READY) && !a->xfer_active);
}

static void long_pass(enum way way, void (*window)(void))
{
    start(way == CALL ? 0 : THREAD_SLOW);
    for (uint64_t i = 0; i < 2 * CAPS; i++)
        machine_pass(tasks[0], SLOT_GATE, tasks[0], MANY + i, 15);
    sleep_on(a2);
    long_message();
    looks = 0;
    host_window = window;
    pass(way, 1, 2);
    host_window = NULL;
}

/* At the look number deed_at. False: so many there are not. */
static bool disturb(enum deed deed, enum way way)
{
    struct thread *act, *other;
    unsigned n;

    long_pass(way, interrupt);
    act = way == LATE ? b : a;
    other = way == LATE ? a : b;
    n = arrived();
    if (looks < deed_at || !act->cont) {
        CHECK(n == 2 * CAPS);
        stop();
        return looks >= deed_at;
    }
    CHECK(act->xfer_active && !other->xfer_active && other->state == THREAD_XFER);
    CHECK(act->partner == other && other->partner == act && n > 0 && n < 2 * CAPS);
    CHECK(check_all() == 0);
    commit(deed);
    if (deed == KILL_TASK_A)
        return true; /* it held everything */
    sleep_on(a2);
    if (deed == WATCH)
        expect_all(way);
    else if (deed == KILL_A || deed == KILL_B)
        CHECK((deed == KILL_A ? b : a)->utcb->tcr.error == L4_IPC_SEABORTED + (deed == KILL_A));
    else
        expect_errors();
    CHECK(deed == WATCH || deed == KILL_TASK_B || arrived() == n);
    CHECK(check_all() == 0);
    stop();
    return true;
}

TEST(who_is_disturbed_in_a_long_item_learns_of_it_and_so_does_the_other)
{
    for (unsigned way = 0; way < WAYS; way++)
        for (unsigned deed = 0; deed < DEEDS; deed++) {
            deed_at = 1;
            while (disturb((enum deed)deed, (enum way)way)) {
                leaks();
                deed_at++;
            }
            CHECK(deed_at > 14); /* twice 64 slots, a look after each eight */
        }
}

static void interrupt_always(void)
{
    CHECK(++looks < 100);
    cpu0.resched = true;
}

/* Nobody disturbs them, but the kernel is to give way at each look. */
TEST(an_item_that_is_interrupted_again_and_again_gets_on)
{
    for (unsigned way = 0; way < WAYS; way++) {
        long_pass((enum way)way, interrupt_always);
        CHECK(looks >= 14 && looks < 30);
        expect_all((enum way)way);
        stop();
        leaks();
    }
}

#define TESTS(X)                                                                                  \
    X(an_item_that_is_interrupted_again_and_again_gets_on)                                        \
    X(who_is_disturbed_in_a_long_item_learns_of_it_and_so_does_the_other)                         \
    X(items_arrive_where_the_windows_say)

TEST_MAIN(leaks, TESTS)
