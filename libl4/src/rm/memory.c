/*
 * memory.c - what the region manager itself needs: memory for nodes, slots for capabilities
 *
 * H1  [heap start, heap_top) is mapped read-write; nodes are made of it and never given back.
 * H2  Slots first_slot .. first_slot + RM_SLOTS are ours: the upper half of the capability table,
 *     out of the way of the program's allocator. Slot n is in use if refs[n] > 0.
 * H3  receive_slot is not in use.
 */
#include "rm.h"

#include <l4/re/c/mem_alloc.h>
#include <l4/sys/task.h>
#include <l4/sys/utcb.h>

static const l4_cap_idx_t first_slot = L4_CAP_SLOTS / 2;

static l4_addr_t heap_top;
static unsigned nodes_made;
static l4_umword_t refs[RM_SLOTS];
static unsigned receive_slot;

/* ---------------------------------------------------------------- nodes */

static void make_nodes(l4_addr_t start, l4_addr_t end)
{
    l4_umword_t count = (end - start) / sizeof(struct region);

    if (count > RM_REGIONS_MAX - nodes_made)
        count = RM_REGIONS_MAX - nodes_made;
    nodes_made += count;
    region_give(&rm_map, (struct region *)start, count);
}

static l4_cap_idx_t slot_cap(unsigned slot)
{
    return (first_slot + slot) << L4_CAP_SHIFT;
}

static l4_umword_t receive_item(void)
{
    return slot_cap(receive_slot) | L4_RCV_ITEM_SINGLE_CAP | L4_RCV_ITEM_LOCAL_ID;
}

void rm_memory_start(l4_utcb_t *utcb)
{
    const quire_env_page *env = rm_env();

    make_nodes(env->rm_heap_start, env->rm_heap_end);
    heap_top = env->rm_heap_end;
    utcb->buf.br[RM_BR_ITEM] = L4_ITEM_MAP;
    utcb->buf.br[RM_BR_WINDOW] = 0;
    utcb->buf.br[RM_BR_NONE] = 0;
    utcb->buf.br[RM_BR_CAP] = receive_item();
    utcb->buf.br[RM_BR_END] = 0;
    utcb->buf.bdr = RM_BDR_WAIT;
}

/* The page at `addr` of our heap, and what comes with it. Returns the first address behind. */
static l4_addr_t map_heap(l4_utcb_t *utcb, l4_cap_idx_t ds, l4_addr_t start, l4_addr_t addr)
{
    unsigned order = L4_PAGESHIFT;

    if (rm_map_window(utcb, ds, addr - start, L4RE_DS_F_RW, addr, &order))
        return addr;
    return addr + L4_PAGESIZE;
}

/*
 * The dataspace stays in a slot of ours for ever. Pages are mapped one by one before the first node
 * is made of them; if one cannot be had, those before it are used all the same.
 */
static void grow_heap(l4_utcb_t *utcb)
{
    l4_addr_t start = heap_top, top = heap_top;
    l4_cap_idx_t ds;

    if (l4re_ma_alloc_align_srv(rm_env()->env.mem_alloc, RM_HEAP_STEP, slot_cap(receive_slot), 0,
                                0) < 0)
        return;
    if (rm_slot_keep(utcb, &ds))
        return;
    for (l4_addr_t at = start; at < start + RM_HEAP_STEP; at = top) {
        top = map_heap(utcb, ds, start, at);
        if (top == at)
            break;
    }
    if (top == start) {
        rm_slot_unref(utcb, ds);
        return;
    }
    heap_top = top;
    make_nodes(start, top);
}

void rm_memory_fetch(l4_utcb_t *utcb)
{
    l4_msg_regs_t answer = utcb->msg;

    if (nodes_made >= RM_REGIONS_MAX ||
        heap_top + RM_HEAP_STEP > QUIRE_RM_STACK_TOP - RM_STACK_RESERVE)
        return;
    grow_heap(utcb);
    utcb->msg = answer;
    utcb->buf.br[RM_BR_ITEM] = L4_ITEM_MAP;
    utcb->buf.bdr = RM_BDR_WAIT;
}

/* ---------------------------------------------------------------- capability slots */

long rm_slot_keep(l4_utcb_t *utcb, l4_cap_idx_t *out)
{
    for (unsigned i = 1; i < RM_SLOTS; i++) {
        unsigned slot = (receive_slot + i) % RM_SLOTS;

        if (refs[slot])
            continue;
        *out = slot_cap(receive_slot);
        refs[receive_slot] = 1;
        receive_slot = slot;
        utcb->buf.br[RM_BR_CAP] = receive_item();
        return 0;
    }
    rm_slot_drop(utcb);
    return -L4_ENOMEM;
}

void rm_slot_drop(l4_utcb_t *utcb)
{
    l4_task_release_cap_u(L4_BASE_TASK_CAP, slot_cap(receive_slot), utcb);
}

static bool is_ours(l4_cap_idx_t cap)
{
    return (cap >> L4_CAP_SHIFT) - first_slot < RM_SLOTS;
}

bool rm_slot_ref(l4_cap_idx_t cap)
{
    l4_umword_t slot = (cap >> L4_CAP_SHIFT) - first_slot;

    if (!is_ours(cap))
        return true;
    if (!refs[slot])
        return false;
    refs[slot]++;
    return true;
}

bool rm_slot_unref(l4_utcb_t *utcb, l4_cap_idx_t cap)
{
    if (!is_ours(cap) || --refs[(cap >> L4_CAP_SHIFT) - first_slot])
        return false;
    l4_task_release_cap_u(L4_BASE_TASK_CAP, cap & L4_CAP_MASK, utcb);
    return true;
}
