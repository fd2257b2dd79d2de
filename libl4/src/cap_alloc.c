/*
 * cap_alloc.c - which capability slots are in use: a bitmap
 *
 * C1  Bit set = slot in use. Bits are set and cleared with atomic operations, so threads and the
 *     allocator need no lock.
 * C2  `hint` is where a search begins. Races may leave it too high; a search that finds nothing
 *     begins again at the start of the range, so no slot is ever lost.
 */
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/task.h>

enum { BITS = 64, WORDS = L4_CAP_SLOTS / BITS };

static unsigned long used[WORDS];
static unsigned long hint;  /* first slot that may be free */
static unsigned long first; /* range; end == 0: not set yet */
static unsigned long end;
static unsigned long highest;

void l4re_util_cap_range(unsigned long range_first, unsigned long range_end)
{
    first = range_first;
    hint = range_first;
    __atomic_store_n(&end, range_end < L4_CAP_SLOTS ? range_end : L4_CAP_SLOTS, __ATOMIC_RELEASE);
}

/* The first free slot in the word, taken; -1 if there is none at or above bit `from`. */
static int word_take(unsigned long *word, unsigned from)
{
    unsigned long old = __atomic_load_n(word, __ATOMIC_RELAXED);

    for (;;) {
        unsigned long free = ~old & (~0UL << from);
        int bit;

        if (free == 0)
            return -1;
        bit = __builtin_ctzl(free);
        if (__atomic_compare_exchange_n(word, &old, old | 1UL << bit, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
            return bit;
    }
}

/* A slot in [from, to), or 0 (slot 0 is never handed out). */
static unsigned long slot_take(unsigned long from, unsigned long to)
{
    for (; from < to; from = (from | (BITS - 1)) + 1) {
        int bit = word_take(&used[from / BITS], from % BITS);
        unsigned long slot = from / BITS * BITS + (unsigned)bit;

        if (bit >= 0)
            return slot < to ? slot : 0;
    }
    return 0;
}

l4_cap_idx_t l4re_util_cap_alloc(void)
{
    unsigned long slot;

    if (__atomic_load_n(&end, __ATOMIC_ACQUIRE) == 0)
        l4re_util_cap_range(l4re_env()->first_free_cap, QUIRE_PROGRAM_SLOTS_END);
    slot = slot_take(__atomic_load_n(&hint, __ATOMIC_RELAXED), end);
    if (slot == 0)
        slot = slot_take(first, end);
    if (slot == 0)
        return L4_INVALID_CAP;
    __atomic_store_n(&hint, slot + 1, __ATOMIC_RELAXED);
    if (slot > highest)
        highest = slot;
    return slot << L4_CAP_SHIFT;
}

void l4re_util_cap_free(l4_cap_idx_t cap)
{
    unsigned long slot = cap >> L4_CAP_SHIFT;

    if (l4_is_invalid_cap(cap) || slot < first || slot >= end)
        return;
    __atomic_fetch_and(&used[slot / BITS], ~(1UL << slot % BITS), __ATOMIC_ACQ_REL);
    if (slot < __atomic_load_n(&hint, __ATOMIC_RELAXED))
        __atomic_store_n(&hint, slot, __ATOMIC_RELAXED);
}

void l4re_util_cap_free_um(l4_cap_idx_t cap)
{
    if (l4_is_invalid_cap(cap))
        return;
    l4_task_delete_obj(L4_BASE_TASK_CAP, cap);
    l4re_util_cap_free(cap);
}

long l4re_util_cap_last(void)
{
    return (long)(highest << L4_CAP_SHIFT);
}
