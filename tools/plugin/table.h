/*
 * table.h - a set of 64-bit keys that is emptied in one step, and grows
 *
 * T1  A slot is taken exactly if its epoch is the table's.
 * T2  At most half of the slots are taken.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct slot {
    uint64_t key;
    uint64_t epoch;
};

struct table {
    struct slot *slots;
    uint64_t size; /* a power of two */
    uint64_t used;
    uint64_t epoch;
};

static inline uint64_t table_hash(uint64_t key)
{
    return (key * 0x9e3779b97f4a7c15UL) >> 20;
}

static inline void table_empty(struct table *t)
{
    t->epoch++;
    t->used = 0;
}

static inline struct slot *table_find(const struct table *t, uint64_t key)
{
    uint64_t i = table_hash(key) & (t->size - 1);

    while (t->slots[i].epoch == t->epoch && t->slots[i].key != key)
        i = (i + 1) & (t->size - 1);
    return &t->slots[i];
}

static inline void table_grow(struct table *t)
{
    struct table bigger = {.size = t->size ? 2 * t->size : 4096, .epoch = t->epoch};

    bigger.slots = calloc(bigger.size, sizeof(struct slot));
    if (!bigger.slots)
        abort();
    for (uint64_t i = 0; i < t->size; i++)
        if (t->slots[i].epoch == t->epoch)
            *table_find(&bigger, t->slots[i].key) = t->slots[i];
    bigger.used = t->used;
    free(t->slots);
    *t = bigger;
}

/* True if the key is new. An emptied table has to have an epoch above 0. */
static inline bool table_add(struct table *t, uint64_t key)
{
    struct slot *s;

    if (2 * (t->used + 1) > t->size)
        table_grow(t);
    s = table_find(t, key);
    if (s->epoch == t->epoch)
        return false;
    *s = (struct slot){key, t->epoch};
    t->used++;
    return true;
}
