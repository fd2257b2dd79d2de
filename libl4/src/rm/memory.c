/*
 * memory.c - what the region manager itself needs: memory for nodes and stacks, UTCBs, slots for
 * capabilities
 *
 * H1  [heap start, heap_top) is mapped read-write; nodes and stacks are made of it and never given
 *     back. Only who has set `fetching` makes it larger.
 * H2  Slots RM_SLOT_FIRST .. + RM_SLOTS are ours: the upper half of the capability table, out of
 *     the way of the program's allocator. Slot n is in use if refs[n] > 0.
 * H3  Each worker has a slot of its own to receive with, which counts as used.
 * H4  UTCBs lie in [utcbs, top of the stack - 1 MiB), in the reach of the page table that the stack
 *     has anyway.
 */
#include "rm.h"

#include <l4/re/c/mem_alloc.h>
#include <l4/sys/task.h>
#include <l4/sys/utcb.h>

enum { STACKS_AT_START = 2 };

static const l4_addr_t utcbs = QUIRE_RM_STACK_TOP & ~((1UL << 21) - 1);

static l4_addr_t heap_top;
static bool fetching;
static unsigned nodes_made;
static l4_addr_t stacks, stacks_end; /* of these no worker has been made */
static l4_addr_t utcb_next = utcbs, utcb_end = utcbs;
static unsigned refs[RM_SLOTS];
static unsigned slot_hint;

/* ---------------------------------------------------------------- nodes and stacks */

static void make_nodes(l4_addr_t start, l4_addr_t end)
{
    l4_umword_t count = (end - start) / sizeof(struct region);

    if (count > RM_REGIONS_MAX - nodes_made)
        count = RM_REGIONS_MAX - nodes_made;
    nodes_made += count;
    region_give(&rm_map, (struct region *)start, count);
}

/* Stacks if there is none left, the rest is nodes. */
static void divide(l4_addr_t start, l4_addr_t end, unsigned number)
{
    if (!rm_stacks_left() && end - start >= number * RM_WORKER_STACK) {
        stacks = start;
        start = stacks_end = start + number * RM_WORKER_STACK;
    }
    make_nodes(start, end);
}

void rm_memory_start(void)
{
    const quire_env_page *env = rm_env();

    divide(env->rm_heap_start, env->rm_heap_end, STACKS_AT_START);
    heap_top = env->rm_heap_end;
}

unsigned rm_stacks_left(void)
{
    return (stacks_end - stacks) / RM_WORKER_STACK;
}

l4_addr_t rm_stack_new(void)
{
    if (!rm_stacks_left())
        return 0;
    stacks += RM_WORKER_STACK;
    return stacks;
}

l4_utcb_t *rm_utcb_new(l4_utcb_t *utcb)
{
    l4_fpage_t page = l4_fpage(utcb_end, L4_PAGESHIFT, L4_FPAGE_RW);

    if (utcb_next == utcb_end) {
        if (utcb_end + L4_PAGESIZE > QUIRE_RM_STACK_TOP - (1UL << 20) ||
            l4_error_u(l4_task_add_ku_mem_u(L4_BASE_TASK_CAP, &page, utcb), utcb) < 0)
            return NULL;
        utcb_end += L4_PAGESIZE;
    }
    utcb_next += L4_UTCB_OFFSET;
    return (l4_utcb_t *)(utcb_next - L4_UTCB_OFFSET);
}

void rm_buffers_set(struct rm_worker *w)
{
    l4_umword_t *br = w->utcb->buf.br;

    br[RM_BR_ITEM] = L4_ITEM_MAP;
    br[RM_BR_WINDOW] = 0;
    br[RM_BR_NONE] = 0;
    br[RM_BR_CAP] = rm_slot_cap(w->slot) | L4_RCV_ITEM_SINGLE_CAP | L4_RCV_ITEM_LOCAL_ID;
    br[RM_BR_END] = 0;
    w->utcb->buf.bdr = RM_BDR_WAIT;
}

/* The dataspace stays in a slot of ours for ever. Pages are mapped one by one before the first node
 * is made of them; if one cannot be had, those before it are used all the same. Returns the first
 * address behind them. */
static l4_addr_t grow_heap(l4_utcb_t *utcb, l4_cap_idx_t ds)
{
    l4_addr_t at = heap_top;

    if (l4re_ma_alloc_align_srv(rm_env()->env.mem_alloc, RM_HEAP_STEP, ds, 0, 0) < 0)
        return at;
    for (; at < heap_top + RM_HEAP_STEP; at += L4_PAGESIZE) {
        unsigned order = L4_PAGESHIFT;

        if (rm_map_window(utcb, ds, at - heap_top, L4RE_DS_F_RW, at, &order))
            break;
    }
    return at;
}

void rm_memory_fetch(struct rm_worker *w)
{
    l4_msg_regs_t message = w->utcb->msg;
    l4_addr_t top = 0;
    unsigned slot;
    bool mine;

    rm_lock();
    mine = !fetching && nodes_made < RM_REGIONS_MAX &&
           heap_top + RM_HEAP_STEP <= QUIRE_RM_STACK_TOP - RM_STACK_RESERVE &&
           rm_slot_new(&slot) == 0;
    fetching |= mine;
    rm_unlock();
    if (!mine)
        return;
    top = grow_heap(w->utcb, rm_slot_cap(slot));
    rm_lock();
    fetching = false;
    if (top == heap_top)
        rm_slot_unref(w->utcb, rm_slot_cap(slot));
    divide(heap_top, top, (unsigned)((top - heap_top) / RM_WORKER_STACK));
    heap_top = top;
    rm_unlock();
    w->utcb->msg = message;
    rm_buffers_set(w);
}

/* ---------------------------------------------------------------- capability slots */

l4_cap_idx_t rm_slot_cap(unsigned slot)
{
    return ((l4_cap_idx_t)RM_SLOT_FIRST + slot) << L4_CAP_SHIFT;
}

long rm_slot_new(unsigned *out)
{
    for (unsigned i = 0; i < RM_SLOTS; i++) {
        unsigned slot = (slot_hint + i) % RM_SLOTS;

        if (refs[slot])
            continue;
        refs[slot] = 1;
        slot_hint = slot + 1;
        *out = slot;
        return 0;
    }
    return -L4_ENOMEM;
}

long rm_slot_keep(struct rm_worker *w, l4_cap_idx_t *out)
{
    unsigned slot;

    if (rm_slot_new(&slot)) {
        rm_slot_drop(w);
        return -L4_ENOMEM;
    }
    *out = rm_slot_cap(w->slot);
    w->slot = slot;
    rm_buffers_set(w);
    return 0;
}

void rm_slot_drop(struct rm_worker *w)
{
    l4_task_release_cap_u(L4_BASE_TASK_CAP, rm_slot_cap(w->slot), w->utcb);
}

bool rm_slot_ref(l4_cap_idx_t cap)
{
    l4_umword_t slot = (cap >> L4_CAP_SHIFT) - RM_SLOT_FIRST;

    if (!rm_slot_is_ours(cap))
        return true;
    if (!refs[slot])
        return false;
    refs[slot]++;
    return true;
}

bool rm_slot_unref(l4_utcb_t *utcb, l4_cap_idx_t cap)
{
    if (!rm_slot_is_ours(cap) || --refs[(cap >> L4_CAP_SHIFT) - RM_SLOT_FIRST])
        return false;
    l4_task_release_cap_u(L4_BASE_TASK_CAP, cap & L4_CAP_MASK, utcb);
    return true;
}
