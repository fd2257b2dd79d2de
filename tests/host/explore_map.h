/*
 * explore_map.h - universes of mappings to be explored (explore_map.c)
 */
#pragma once

#include "explore.h"

struct map_universe {
    const char *name;
    const char *when;            /* quick: make check; each: make test; long: make test-long */
    unsigned nodes;              /* states with more mappings than this are not entered */
    unsigned root_rights;        /* L4_FPAGE_* */
    const uint8_t *map_rights;   /* each is tried; 0 ends */
    const uint8_t *unmap_rights; /* the same; 8: none, which asks and resets */
    const uint8_t *touches;      /* the CPU sets these: 1 accessed, 3 dirty too */
    uint64_t states, transitions; /* how many there are; 0: nobody has counted them yet */
};

/* Those whose time it is, one after the other. A program's status. */
int explore_maps(const struct map_universe *u, unsigned n, const char *when);
