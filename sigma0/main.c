/*
 * sigma0/main.c - the root pager: start, server loop, and the only system calls
 *
 * The kernel has mapped all RAM one to one into this task. From the memory descriptors of the
 * kernel information page follows who may have what; the records for that are put at the end of
 * the largest piece of free RAM. Then one loop: receive, decide (request.c, ram.c), reply.
 *
 * A gate's label is the number of the account << 4; the root task's gate, made by the kernel, has
 * label 0x10, which is account 1.
 *
 * S1  sigma0 never faults and never allocates: it touches its image, its stack in .bss, the
 *     records, and memory that it clears.
 * S2  It trusts no message: a label names an account only while that account is live.
 */
#include "ram.h"
#include "request.h"

#include <abi/env.h>
#include <abi/errors.h>
#include <abi/kip.h>

#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>
#include <l4/sys/kip.h>
#include <l4/sys/task.h>
#include <l4/sys/utcb.h>

#include <stdio.h>

enum {
    LABEL_SHIFT = 4,        /* two bits for the gate's rights, two spare */
    FIRST_GATE_SLOT = 16,   /* slot of account c: FIRST_GATE_SLOT + c */
};

/* Pages below are nobody's: where memory is mapped one to one, null pointers must fault. */
#define LOWEST_RAM QUIRE_NULL_GUARD

static struct ram ram;
static struct buddy buddy;
static struct request_stats stats;

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

void ram_revoke_device(l4_addr_t start, l4_addr_t end)
{
    for (; start < end; start += L4_PAGESIZE)
        ram_revoke(start, L4_PAGESHIFT);
}

static l4_cap_idx_t gate_cap(unsigned client)
{
    return (l4_cap_idx_t)(FIRST_GATE_SLOT + client) << L4_CAP_SHIFT;
}

int request_gate(unsigned client)
{
    l4_msgtag_t tag = l4_factory_create_gate(L4_BASE_FACTORY_CAP, gate_cap(client),
                                             L4_BASE_THREAD_CAP, client << LABEL_SHIFT);

    return (int)l4_error(tag);
}

void ram_gone(unsigned client)
{
    l4_task_unmap(L4_BASE_TASK_CAP, l4_obj_fpage(gate_cap(client), 0, L4_CAP_FPAGE_RWSD),
                  L4_FP_DELETE_OBJ);
}

void request_dump(const struct ram *r, const struct request_stats *s)
{
    printf("sigma0: %lu requests, %lu faults; %lu of %lu frames free, %lu cleared so far\n",
           s->requests, s->faults, r->free_frames, r->total_frames, r->cleared_frames);
    for (unsigned c = RAM_ROOT; c < RAM_CLIENTS_MAX; c++)
        if (r->clients[c].live)
            printf("sigma0: account %u below %u: %lu of %lu KiB used\n", c, r->clients[c].parent,
                   r->clients[c].used >> 10, r->clients[c].quota >> 10);
    for (unsigned i = 0; i < r->device_count; i++)
        printf("sigma0: device memory [0x%lx, 0x%lx) is account %u's\n", r->devices[i].start,
               r->devices[i].end, r->devices[i].client);
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
            ram_add(&ram, p->start < LOWEST_RAM ? LOWEST_RAM : p->start, records->start);
            ram_mark(&ram, records->start, records->end, RAM_SYSTEM);
            ram_add(&ram, records->end, p->end);
        } else if (p->end > LOWEST_RAM) {
            ram_add(&ram, p->start < LOWEST_RAM ? LOWEST_RAM : p->start, p->end);
        }
        break;
    case l4_mem_type_dedicated:
        ram_mark(&ram, p->start, p->end, RAM_DEDICATED);
        break;
    case l4_mem_type_reserved:
        ram_mark(&ram, p->start, p->end, RAM_SYSTEM);
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
    ram_init(&ram, &buddy, (l4_uint16_t *)(records.start + buddy_size), frames);
    for (unsigned i = 0; i < piece_count(kip); i++) {
        struct piece p = piece_get(kip, i);

        piece_enter(&p, &records);
    }
    /* The kernel and this image lie in memory that was dedicated as one piece. */
    ram_mark(&ram, QUIRE_SIGMA0_PHYS, QUIRE_ROOT_PHYS, RAM_SYSTEM);
    for (unsigned i = 0; i < sizeof(holes) / sizeof(holes[0]); i++)
        ram_withdraw(&ram, holes[i].start, holes[i].end);
    ram_open(&ram);
    return true;
}

/* ---- server loop ---- */

/* Build the reply in the UTCB. */
static l4_msgtag_t reply(const struct answer *a, l4_utcb_t *utcb)
{
    l4_umword_t *mr = l4_utcb_mr_u(utcb)->mr;
    l4_umword_t *item = mr + a->words;

    /* Nobody can map anything into sigma0; making a gate has left a buffer open. */
    l4_utcb_br_u(utcb)->bdr = 0;
    l4_utcb_br_u(utcb)->br[0] = 0;
    for (unsigned i = 0; i < a->words; i++)
        mr[i] = a->mr[i];
    switch (a->item) {
    case ANSWER_MEMORY:
        item[0] = a->start | (l4_umword_t)a->attributes << L4_ITEM_ATTR_SHIFT | L4_ITEM_MAP;
        item[1] = l4_fpage(a->start, a->order, (unsigned char)a->rights).raw;
        break;
    case ANSWER_PORTS:
        item[0] = a->start << L4_FPAGE_ADDR_SHIFT | L4_ITEM_MAP;
        item[1] = l4_iofpage(a->start, a->order).raw;
        break;
    case ANSWER_GATE:
        item[0] = L4_ITEM_MAP;
        item[1] = l4_obj_fpage(gate_cap(a->client), 0, L4_CAP_FPAGE_RWS).raw;
        break;
    default:
        return l4_msgtag(a->label, a->words, 0, 0);
    }
    return l4_msgtag(a->label, a->words, 1, 0);
}

static void serve(l4_addr_t kip)
{
    l4_utcb_t *utcb = l4_utcb();
    l4_umword_t label = 0;
    l4_msgtag_t tag;

    tag = l4_ipc_wait(utcb, &label, L4_IPC_NEVER);
    for (;;) {
        struct request q;
        struct answer a;

        /* An error: the one who was answered is gone, or could not take the answer. */
        while (l4_msgtag_has_error(tag))
            tag = l4_ipc_wait(utcb, &label, L4_IPC_NEVER);
        q = (struct request){
            .label = l4_msgtag_label(tag),
            .words = l4_msgtag_words(tag),
            .client = label >> LABEL_SHIFT < RAM_CLIENTS_MAX ? (unsigned)(label >> LABEL_SHIFT) : 0,
            .mr = l4_utcb_mr_u(utcb)->mr,
        };
        request_handle(&ram, &stats, kip, &q, &a);
        tag = l4_ipc_reply_and_wait(utcb, reply(&a, utcb), &label, L4_IPC_NEVER);
    }
}

int main(void)
{
    const l4_kernel_info_t *kip = l4_kip();

    if (!start(kip)) {
        printf("sigma0: not enough free RAM in one piece for the records of all frames\n");
        return 1;
    }
    printf("sigma0: %lu MiB free for user space\n", ram.free_frames >> 8);
    serve((l4_addr_t)kip);
    return 0;
}
