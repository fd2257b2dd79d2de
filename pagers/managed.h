/*
 * managed.h - inside managed: region maps that are dataspaces
 *
 *   control gate (RM protocol)  ---> main thread ---.
 *                                                    >  struct map  (one lock for all of them)
 *   dataspace gate (map, info)  ---> its own thread -'
 *
 * Each map has an image in our address space: what lies at offset o of the map is mapped at
 * base + o, if somebody asked for it. A region's pages come from its dataspace straight into the
 * image, those of an inner map from the inner map's image; clients get theirs from the image. So
 * detaching a region is one unmap, and takes the pages from exactly those who had them through
 * this map.
 *
 * G1  Trees, slots and the list of who waits are used with the lock held; nobody calls another task
 *     while holding it.
 * G2  What is mapped in the image lies in a region of the map, with at most its rights; a thread
 *     that has called a dataspace looks again afterwards, and takes back what has no place any
 *     more.
 * G3  Inner maps form no cycle.
 * G4  A thread with wait.in set sleeps at its semaphore, or is about to; who clears it wakes it.
 * G5  An account uses at most its quota of maps, regions and dataspaces, and the quotas together
 *     are what there is: who has quota finds a map, a node and a slot.
 */
#pragma once

#include "src/lock.h"
#include "src/rm/region.h"

#include <l4/server.h>

/* Limits, each with its reason. */
enum {
    MAPS_MAX = 64,         /* a thread with a stack for each */
    MAP_DEPTH_MAX = 32,    /* maps on the way to a page: its path is kept on a stack */
    MAP_ORDER_MAX = 40,    /* bytes of a map: its image has as many addresses */
    MAP_REGIONS_MAX = 512, /* for one map */
    MAP_STACK = 8192,
    /* What an account may have for each map that it may have: static memory. */
    REGIONS_OF_MAP = 64,
    SLOTS_OF_MAP = 16, /* dataspaces of other managers */
    MAP_NODES = MAPS_MAX * REGIONS_OF_MAP,
    MAP_SLOTS = MAPS_MAX * SLOTS_OF_MAP,
    MAP_SPARES = 2, /* nodes that each map keeps for a detach */
};

/* A fault that a handler has been told of. */
struct map_wait {
    struct map *in; /* the map whose handler it is; NULL: none waits */
    l4_umword_t id;
    l4_addr_t addr; /* in the image of `in` */
    unsigned access; /* L4RE_DS_F_*: what is asked for */
    long error;
};

/* Who pays. The first one is the house, for whoever has the manager's own gate. */
struct map_account {
    struct l4_server_object object;
    l4_cap_idx_t gate, owner; /* it ends with either */
    unsigned quota; /* in maps; 0: the account is not in use */
    unsigned maps, nodes, slots; /* G5 */
};

struct map {
    struct l4_server_object control, faults; /* behind the gates */
    bool used;
    struct map_account *account;
    l4_umword_t size;
    l4_addr_t base;
    struct region_map regions;
    unsigned changes; /* grows with every attach and detach */
    bool mark;        /* of a search */
    l4_cap_idx_t control_gate, faults_gate, thread, semaphore;
    l4_cap_idx_t owner;   /* the map goes when this does */
    l4_cap_idx_t handler; /* interrupt or semaphore, L4_INVALID_CAP: none */
    struct map_wait wait; /* of this map's thread */
};

extern struct map maps[MAPS_MAX];
extern struct lock maps_lock;

/* The map behind a region, NULL: a dataspace of somebody else's. */
static inline struct map *region_inner(const struct region *r)
{
    return (struct map *)(l4_addr_t)r->name;
}

/* ---- managed_fault.c ---- */

/* A page of the map for a client: in the image, its flexpage of *order. 0 or -L4_E... */
long map_page(struct map *m, l4_umword_t offset, unsigned rights, unsigned *order);
/* The dispatch function behind dataspace gates. */
long map_faults(struct l4_server_object *self, l4_umword_t rights, l4_msgtag_t tag,
                l4_utcb_t *utcb, l4_msgtag_t *reply);
/* Nothing of [start, end) is mapped any more, in the image or from there. */
void map_unmap(l4_addr_t start, l4_addr_t end);
/* Whoever waits for something in [start, end) of m's image goes on, with an error if not 0. */
void map_wake(const struct map *m, l4_addr_t start, l4_addr_t end, long error);
