/*
 * sigma0/main.c - the root pager: start, server loop, and the only system calls
 *
 * The kernel has mapped all RAM one to one into this task. From the memory descriptors of the
 * kernel information page follows who may have what; the records for that are put at the end of
 * the largest piece of free RAM. Then one loop: receive, decide (request.c, ram.c), reply.
 *
 * A gate's label is its slot in the pool << 4; the root task's gate, made by the kernel, has label
 * 0x10, which is slot 1.
 *
 * S1  sigma0 never faults: it touches its image, its stack in .bss, its records, and memory that it
 *     clears.
 * S2  It trusts no message: a label names an account only while that account is live.
 * S3  One slot is always ready to receive a capability; a capability that no operation keeps is
 *     dropped before the next message.
 */
#include "request.h"

#include <abi/env.h>
#include <abi/errors.h>
#include <abi/kip.h>

#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>
#include <l4/sys/irq.h>
#include <l4/sys/kip.h>
#include <l4/sys/task.h>
#include <l4/sys/utcb.h>

#include <stdio.h>

enum {
    LABEL_SHIFT = 4,        /* two bits for the gate's rights, two spare */
    FIRST_SLOT = 16,        /* where slot 0 of the pool is among our capabilities */
    TIMEOUT_MAX_US = 1 << 20, /* a longer wait for a deadline is two */
};

/* Pages below are nobody's: where memory is mapped one to one, null pointers must fault. */
#define LOWEST_RAM QUIRE_NULL_GUARD

static struct service service;
static struct buddy buddy;
static unsigned receive_slot;

/* ---- hooks of ram.c and request.c ---- */

void ram_bug(const char *what)
{
    printf("sigma0: inconsistent: %s\n", what);
    for (;;)
        __builtin_trap(); /* the kernel reports a fault of sigma0 and powers off */
}

void ram_clear(l4_addr_t start, l4_umword_t size)
{
    void *to = (void *)start;
    l4_umword_t words = size / 8;

    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(0UL) : "memory");
}

void ram_revoke(l4_addr_t start, unsigned order)
{
    l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(start, order, L4_FPAGE_RWX), L4_FP_OTHER_SPACES);
}

static l4_cap_idx_t slot_cap(unsigned slot)
{
    return (l4_cap_idx_t)(FIRST_SLOT + slot) << L4_CAP_SHIFT;
}

int request_gate(unsigned slot)
{
    l4_msgtag_t tag = l4_factory_create_gate(L4_BASE_FACTORY_CAP, slot_cap(slot),
                                             L4_BASE_THREAD_CAP, slot << LABEL_SHIFT);

    return (int)l4_error(tag);
}

void ram_gate_delete(unsigned slot)
{
    l4_task_unmap(L4_BASE_TASK_CAP, l4_obj_fpage(slot_cap(slot), 0, L4_CAP_FPAGE_RWSD),
                  L4_FP_DELETE_OBJ);
}

bool ram_gate_lives(unsigned slot)
{
    return l4_msgtag_label(l4_task_cap_valid(L4_BASE_TASK_CAP, slot_cap(slot))) > 0;
}

/* Never waits: whatever it is that a client has sent. */
void ram_notify(unsigned slot)
{
    l4_irq_trigger(slot_cap(slot));
}

void ram_slot_clear(unsigned slot)
{
    l4_task_unmap(L4_BASE_TASK_CAP, l4_obj_fpage(slot_cap(slot), 0, L4_CAP_FPAGE_RWSD),
                  L4_FP_ALL_SPACES);
}

static void dump_device(const struct ram_device *d)
{
    printf("sigma0: device memory [0x%lx, 0x%lx) is account %u's\n", d->start, d->end,
           account_slot(d->account));
}

void request_dump(const struct service *s)
{
    const struct ram *r = &s->ram;

    printf("sigma0: %lu requests, %lu faults; %lu of %lu frames free, %lu cleared so far, "
           "%lu for records\n",
           s->requests, s->faults, r->free_frames, r->total_frames, r->cleared_frames,
           r->pool.frames);
    for (unsigned slot = RAM_ROOT; slot < POOL_SLOTS_MAX; slot++) {
        const struct account *a = account_find(r, slot);

        if (a)
            printf("sigma0: account %u below %u: %lu of %lu KiB used\n", slot,
                   a->parent ? account_slot(a->parent) : 0, a->used >> 10, a->quota >> 10);
    }
    for (const struct ram_device *d = r->devices; d; d = d->next)
        dump_device(d);
}

/* ---- start: from memory descriptors to records ---- */

struct piece {
    l4_addr_t start;
    l4_addr_t end;
    unsigned type; /* enum l4_mem_type_t */
};

static unsigned piece_count(const l4_kernel_info_t *kip)
{
    return kip->mem_info & 0xffffffff;
}

static struct piece piece_get(const l4_kernel_info_t *kip, unsigned i)
{
    const l4_kernel_info_mem_desc_t *d =
        (const void *)((const char *)kip + (kip->mem_info >> 32));
    struct piece p = {d[i].l & L4_PAGEMASK, (d[i].h | (L4_PAGESIZE - 1)) + 1, d[i].l & 0xf};

    return p;
}

static bool is_ram(unsigned type)
{
    return type == l4_mem_type_conventional || type == l4_mem_type_dedicated;
}

/* The first address above all RAM. */
static l4_addr_t ram_top(const l4_kernel_info_t *kip)
{
    l4_addr_t top = 0;

    for (unsigned i = 0; i < piece_count(kip); i++) {
        struct piece p = piece_get(kip, i);

        if (is_ram(p.type) && p.end > top)
            top = p.end;
    }
    return top;
}

static struct piece largest_free(const l4_kernel_info_t *kip)
{
    struct piece best = {0, 0, l4_mem_type_undefined};

    for (unsigned i = 0; i < piece_count(kip); i++) {
        struct piece p = piece_get(kip, i);

        if (p.type == l4_mem_type_conventional && p.end - p.start > best.end - best.start)
            best = p;
    }
    return best;
}

/* Memory of one piece gets its owners, with the records' own place left out. */
static void piece_enter(const struct piece *p, const struct piece *records)
{
    switch (p->type) {
    case l4_mem_type_conventional:
        if (p->start <= records->start && records->end <= p->end) {
            ram_add(&service.ram, p->start < LOWEST_RAM ? LOWEST_RAM : p->start, records->start);
            ram_mark(&service.ram, records->start, records->end, RAM_SYSTEM);
            ram_add(&service.ram, records->end, p->end);
        } else if (p->end > LOWEST_RAM) {
            ram_add(&service.ram, p->start < LOWEST_RAM ? LOWEST_RAM : p->start, p->end);
        }
        break;
    case l4_mem_type_dedicated:
        ram_mark(&service.ram, p->start, p->end, RAM_DEDICATED);
        break;
    case l4_mem_type_reserved:
        ram_mark(&service.ram, p->start, p->end, RAM_SYSTEM);
        break;
    default:
        break; /* devices and firmware tables */
    }
}

/*
 * Addresses that mean something else in every task, so that nobody could map the frames there one
 * to one: UTCBs (in this task, too), and the environment page with what follows it.
 */
static const struct piece holes[] = {
    {QUIRE_UTCB_ADDR, QUIRE_UTCB_ADDR + (1UL << QUIRE_UTCB_ORDER), 0},
    {QUIRE_ENV_ADDR, QUIRE_ENV_ADDR + 0x20000, 0},
};

static bool start(const l4_kernel_info_t *kip)
{
    l4_umword_t frames = ram_top(kip) >> L4_PAGESHIFT;
    l4_umword_t buddy_size = buddy_meta_size(frames);
    l4_umword_t size =
        (buddy_size + frames * sizeof(l4_uint16_t) + L4_PAGESIZE - 1) & L4_PAGEMASK;
    struct piece records = largest_free(kip);

    if (records.end - records.start <= size + LOWEST_RAM)
        return false;
    records.start = records.end - size;
    buddy_init(&buddy, (void *)records.start, 0, frames);
    ram_init(&service.ram, &buddy, (l4_uint16_t *)(records.start + buddy_size), frames);
    for (unsigned i = 0; i < piece_count(kip); i++) {
        struct piece p = piece_get(kip, i);

        piece_enter(&p, &records);
    }
    /* The kernel and this image lie in memory that was dedicated as one piece. */
    ram_mark(&service.ram, QUIRE_SIGMA0_PHYS, QUIRE_ROOT_PHYS, RAM_SYSTEM);
    for (unsigned i = 0; i < sizeof(holes) / sizeof(holes[0]); i++)
        ram_withdraw(&service.ram, holes[i].start, holes[i].end);
    if (!ram_open(&service.ram))
        return false;
    receive_slot = pool_slot_take(&service.ram, service.ram.root);
    pool_refill(&service.ram);
    service.kip = (l4_addr_t)kip;
    return true;
}

/* ---- server loop ---- */

/* A capability may come with a message; making a gate leaves the buffers in another state. */
static void buffers_set(l4_utcb_t *utcb)
{
    utcb->buf.bdr = 0;
    utcb->buf.br[0] = slot_cap(receive_slot) | L4_RCV_ITEM_SINGLE_CAP;
    utcb->buf.br[1] = 0;
}

static void reply_memory(const struct answer *a, l4_umword_t *item)
{
    l4_addr_t place = a->place;

    for (unsigned i = 0; i < a->items; i++, item += 2) {
        l4_addr_t start = a->piece[i].start;
        unsigned order = a->piece[i].order;

        item[0] = (a->one_to_one ? start : place) |
                  (l4_umword_t)a->attributes << L4_ITEM_ATTR_SHIFT | L4_ITEM_MAP |
                  (i + 1 < a->items ? L4_ITEM_CONT : 0); /* all share one window */
        item[1] = l4_fpage(start, order, (unsigned char)a->rights).raw;
        place += 1UL << order;
    }
}

/* Build the reply in the UTCB. */
static l4_msgtag_t reply(const struct answer *a, l4_utcb_t *utcb)
{
    l4_umword_t *mr = l4_utcb_mr_u(utcb)->mr;
    l4_umword_t *item = mr + a->words;

    for (unsigned i = 0; i < a->words; i++)
        mr[i] = a->mr[i];
    switch (a->item) {
    case ANSWER_MEMORY:
        reply_memory(a, item);
        return l4_msgtag(a->label, a->words, a->items, 0);
    case ANSWER_PORTS:
        item[0] = a->piece[0].start << L4_FPAGE_ADDR_SHIFT | L4_ITEM_MAP;
        item[1] = l4_iofpage(a->piece[0].start, a->piece[0].order).raw;
        break;
    case ANSWER_GATE:
        item[0] = L4_ITEM_MAP;
        item[1] = l4_obj_fpage(slot_cap(a->gate), 0, L4_CAP_FPAGE_RWSD).raw;
        break;
    default:
        return l4_msgtag(a->label, a->words, 0, 0);
    }
    return l4_msgtag(a->label, a->words, 1, 0);
}

/* While accounts end we only look whether somebody is there; with a deadline we wait for it. */
static l4_timeout_t patience(l4_uint64_t now)
{
    l4_uint64_t next;

    if (service.ram.ending)
        return l4_timeout(L4_IPC_TIMEOUT_NEVER, L4_IPC_TIMEOUT_0);
    next = service.ram.yields ? quota_expire(&service.ram, now) : 0;
    if (!next)
        return L4_IPC_NEVER;
    next = next - now < TIMEOUT_MAX_US ? next - now : TIMEOUT_MAX_US;
    return l4_timeout(L4_IPC_TIMEOUT_NEVER, l4_timeout_from_us((unsigned)next));
}

static void handle(l4_msgtag_t tag, l4_umword_t label, l4_utcb_t *utcb, struct answer *a)
{
    struct request q = {
        .label = l4_msgtag_label(tag),
        .words = l4_msgtag_words(tag),
        .gate = label >> LABEL_SHIFT,
        .slot = l4_msgtag_items(tag) ? receive_slot : 0,
        .now = l4_kip_clock(l4_kip()),
    };

    /* Out of reach of our own calls to the kernel. */
    for (unsigned i = 0; i < REQUEST_WORDS; i++)
        q.mr[i] = l4_utcb_mr_u(utcb)->mr[i];
    request_handle(&service, &q, a);
    if (a->slot_taken) {
        receive_slot = pool_slot_take(&service.ram, service.ram.root);
        pool_refill(&service.ram);
    } else if (q.slot) {
        ram_slot_clear(receive_slot);
    }
}

/* Bit 0 of the error says in which phase: 0, the answer did not arrive. */
static bool lost_answer(l4_msgtag_t tag, l4_utcb_t *utcb)
{
    return !(l4_ipc_error(tag, utcb) & 1);
}

static void __attribute__((noreturn)) serve(void)
{
    static struct answer a;
    l4_utcb_t *utcb = l4_utcb();
    l4_umword_t label = 0;
    l4_msgtag_t tag, answer;
    bool answered = true;

    for (;;) {
        l4_timeout_t timeout = patience(l4_kip_clock(l4_kip()));

        buffers_set(utcb);
        tag = answered ? l4_ipc_wait(utcb, &label, timeout)
                       : l4_ipc_reply_and_wait(utcb, answer, &label, timeout);
        if (l4_msgtag_has_error(tag)) {
            /* Nobody was there, or the one who was answered is gone or could not take it. */
            if (!answered && lost_answer(tag, utcb))
                request_undo(&service, &a);
            answered = true;
            if (service.ram.ending)
                account_end_step(&service.ram);
            pool_refill(&service.ram);
            continue;
        }
        handle(tag, label, utcb, &a);
        answer = reply(&a, utcb);
        answered = false;
    }
}

int main(void)
{
    if (!start(l4_kip())) {
        printf("sigma0: not enough free RAM in one piece for the records of all frames\n");
        return 1;
    }
    printf("sigma0: %lu MiB free for user space\n", service.ram.free_frames >> 8);
    serve();
}
