/*
 * trees.h - all trees of a root and so many further mappings
 *
 * Each mapping is made from any earlier one, of its size or smaller, in its part 0 or 1.
 */
#pragma once

#include "mapdb.h"

static struct planned {
    int origin; /* -1: the root */
    unsigned level;
    uint64_t first; /* page of the root */
} plan[8];

/* each(n): plan[0] to plan[n - 1] is a tree. The first n stand; `left` more. */
static void trees_on(int n, int left, void (*each)(int n))
{
    if (!left) {
        each(n);
        return;
    }
    for (int origin = 0; origin < n; origin++)
        for (unsigned level = 1; level <= plan[origin].level; level++)
            for (unsigned part = 0; part < (level < plan[origin].level ? 2u : 1u); part++) {
                plan[n] = (struct planned){origin, level,
                                           plan[origin].first + part * mapping_pages(level)};
                trees_on(n + 1, left - 1, each);
            }
}

static void all_trees(unsigned root_level, int left, void (*each)(int n))
{
    plan[0] = (struct planned){-1, root_level, 0};
    trees_on(1, left, each);
}
