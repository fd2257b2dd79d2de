/*
 * sweep/seconds.c - what is done behind the back of an operation; all of it by the root's task
 */
#include "sweep.h"

#define ALL L4_FP_ALL_SPACES
#define OTHERS L4_FP_OTHER_SPACES
#define POOL_OF_ROOT (29UL << L4_CAP_SHIFT)

static enum kind kind(void)
{
    return sweep_first->kind;
}

static l4_umword_t take(l4_cap_idx_t task, bool second_area, l4_umword_t mask)
{
    return unmap_code(l4_task_unmap(task, fpage_of(kind(), second_area, L4_FPAGE_RWX), mask));
}

/* All that the root has given, wherever it went. */
static l4_umword_t parent_takes(void)
{
    l4_fpage_t gates[ITEMS];

    if (kind() == PORTS)
        return code(l4_task_unmap(L4_BASE_TASK_CAP, l4_iofpage(PORTS_A, ITEMS_ORDER), OTHERS));
    if (kind() != CAPS)
        return code(l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(pool, 22, L4_FPAGE_RWX), OTHERS));
    for (unsigned i = 0; i < ITEMS; i++)
        gates[i] = l4_obj_fpage(w.gates[i], 0, L4_CAP_FPAGE_RWSD);
    return code(l4_task_unmap_batch(L4_BASE_TASK_CAP, gates, ITEMS, OTHERS));
}

static l4_umword_t parent_lowers(void)
{
    return code(l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(pool, 22, L4_FPAGE_W), OTHERS));
}

static l4_umword_t source_loses(void)
{
    return take(w.task[SOURCE], false, ALL) & 0xfffff;
}

static l4_umword_t dest_loses(void)
{
    return take(w.task[DEST], false, ALL) & 0xfffff;
}

static l4_umword_t third_loses(void)
{
    return take(w.task[THIRD], false, ALL) & 0xfffff;
}

static l4_umword_t source_granted_away(void)
{
    return hand(w.task[THIRD], true, w.task[SOURCE], false, kind(), L4_FPAGE_RW,
                L4_MAP_ITEM_GRANT);
}

static l4_umword_t dest_granted_away(void)
{
    return hand(w.task[THIRD], true, w.task[DEST], false, kind(), L4_FPAGE_RW, L4_MAP_ITEM_GRANT);
}

static l4_umword_t source_mapped_on(void)
{
    return hand(w.task[THIRD], true, w.task[SOURCE], false, kind(), L4_FPAGE_RW, 0);
}

static l4_umword_t dest_mapped_back(void)
{
    return hand(w.task[SOURCE], false, w.task[DEST], false, kind(), L4_FPAGE_RW, 0);
}

static l4_umword_t dest_overwritten(void)
{
    return (l4_umword_t)pool_map(w.task[DEST], 16 * KIB4, PAGES_ORDER, AREA_A, L4_FPAGE_RW);
}

static l4_umword_t first_killed(void)
{
    return (l4_umword_t)destroy(w.first->thread) & 0xffff;
}

static l4_umword_t partner_killed(void)
{
    return (l4_umword_t)destroy(w.partner->thread) & 0xffff;
}

static l4_umword_t source_deleted(void)
{
    return (l4_umword_t)destroy(w.task[SOURCE]) & 0xffff;
}

static l4_umword_t dest_deleted(void)
{
    return (l4_umword_t)destroy(w.task[DEST]) & 0xffff;
}

static l4_umword_t third_deleted(void)
{
    return (l4_umword_t)destroy(w.task[THIRD]) & 0xffff;
}

static l4_umword_t gate_deleted(void)
{
    return (l4_umword_t)destroy(w.gate) & 0xffff;
}

static l4_umword_t cancelled(const struct child *c)
{
    l4_msgtag_t tag = l4_thread_ex_regs(c->thread, ~0UL, ~0UL, L4_THREAD_EX_REGS_CANCEL);

    return code(tag);
}

static l4_umword_t first_cancelled(void)
{
    return cancelled(w.first);
}

static l4_umword_t partner_cancelled(void)
{
    return cancelled(w.partner);
}

enum { PLAIN = 1 << MEMORY | 1 << CAPS | 1 << PORTS };

const struct second seconds[] = {
    {"the parent takes it back", 0, parent_takes, false},
    {"the parent takes write access back", 1 << MEMORY | 1 << SUPER, parent_lowers, false},
    {"the source loses it", 0, source_loses, false},
    {"the destination loses it", 0, dest_loses, false},
    {"a third one loses it", 0, third_loses, false},
    {"the source grants it away", PLAIN, source_granted_away, false},
    {"the destination grants it away", PLAIN, dest_granted_away, false},
    {"the source maps it on", PLAIN, source_mapped_on, false},
    {"the destination maps it back", PLAIN, dest_mapped_back, false},
    {"the destination is mapped over", 1 << MEMORY | 1 << SUPER, dest_overwritten, false},
    {"the first thread is killed", 0, first_killed, true},
    {"the partner is killed", 0, partner_killed, true},
    {"the source task is deleted", 0, source_deleted, true},
    {"the destination task is deleted", 0, dest_deleted, true},
    {"a third task is deleted", 0, third_deleted, false},
    {"the gate is deleted", 0, gate_deleted, true},
    {"the first thread is cancelled", 0, first_cancelled, true},
    {"the partner is cancelled", 0, partner_cancelled, true},
};
const unsigned second_count = sizeof(seconds) / sizeof(seconds[0]);
