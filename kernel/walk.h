/*
 * walk.h - long walks over the mapping database that survive preemption
 *
 * Lowering rights, asking for accessed and dirty bits, taking a part out of superpage mappings:
 * all visit a whole tree and leave most of it there. Such a walk keeps its place when it is
 * preempted (mapdb.h moves it on when the place is taken away), so it always gets on.
 */
#pragma once

#include "mapdb.h"
#include "trace.h"

struct thread;
struct walk;

enum walk_visit {
    WALK_ON,        /* this mapping has been dealt with */
    WALK_HERE,      /* it has not, or it is gone */
    WALK_PREEMPTED, /* the same, and the kernel should give way */
};

struct walk {
    struct mapwalk at;
    /* Deal with at.at, or with a bounded piece of it; *step: what that cost, see LIMIT_STEPS. */
    enum walk_visit (*visit)(struct walk *k, unsigned *step);
    uint32_t owner;  /* id + 1 of the thread whose walk this is */
    uint32_t number; /* walks are numbered: the lowest is the oldest */
    const struct revoker *revoker;
    unsigned rights; /* to be taken away; 0: read and reset accessed and dirty */
    unsigned seen;   /* L4_FPAGE_REFERENCED and _DIRTY, not yet given to the owner */
    bool self;       /* the root too, not only what is below */
    bool detached;   /* it finishes a system call that has been done otherwise */
};

/* How mappings of a kind are taken away. */
struct revoker {
    /* Clear the entry of m, mapdb_cut(). False: only a piece of it, it is not dying yet. */
    bool (*cut)(struct mapping *m);
    /* m is dying and has no children: free its place, mapdb_remove(). */
    void (*forget)(struct mapping *m);
    /* Take away at most n leaves, from c on, the first of a list, in one go; how many. May be
     * NULL. */
    unsigned (*leaves)(struct mapping *c, unsigned n);
};

/*
 * Take away all below m, and m itself if `self`. *seen collects what m knows of accesses in the
 * end. True: all is gone; false: preempted, call again from where m was found.
 */
bool walk_revoke(const struct revoker *r, struct mapping *m, bool self, unsigned *seen);
/* A step of that as part of a walk. */
enum walk_visit walk_revoke_visit(struct walk *k, unsigned *step);
/* Nobody watches each single step: no walk is under way, no trace is on. */
static inline bool walk_unwatched(void)
{
    return __builtin_expect(!trace_on, 1) && __builtin_expect(!mapdb_walks, 1);
}

/* Begin the walk that is described in *what (at, visit, rights, self, detached), or go on with it
 * if the current thread was preempted in it. 0: done; MAP_PREEMPTED: call again. *seen collects. */
int walk_run(const struct walk *what, unsigned *seen);
/* Finish what the current thread has left to be done; 0 or MAP_PREEMPTED. */
int walk_finish(void);
/* 1: a is m or one of those m stems from; 0: it is not; -1: preempted, ask again. */
int walk_is_ancestor(struct mapping *a, struct mapping *m);
/* The thread will not go on with what it was doing: others finish it, as they reap what dies. */
void walk_abandon(const struct thread *t);
bool walk_any_given_up(void);
/* Finish all that was given up. False: preempted, call again. */
bool walk_finish_given_up(void);
/* Forget all walks (boot). */
void walk_init(void);
