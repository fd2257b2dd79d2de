/*
 * sweep/sweep.h - the preemption sweep: who does what to whom, and what is looked at afterwards
 *
 *     root (the test, and a thread of high priority: the second operation)
 *       |
 *       +--> SOURCE (the thread of the first operation) --> THIRD --> ...
 *       +--> DEST   (the partner of messages)
 *
 * A first operation is begun by a thread of low priority; exactly n instructions later the timer
 * (shot.c) wakes the second one. What comes of both is compared with what comes of them one after
 * the other.
 */
#pragma once

#include "pool.h"
#include "ports.h"

enum who { SOURCE, DEST, THIRD, TASKS };
enum kind { MEMORY, SUPER, CAPS, PORTS, KINDS };

enum { ITEMS = 8, ITEMS_ORDER = 3, PAGES_ORDER = 12 + ITEMS_ORDER };

/* Places in every task: 8 pages each, a superpage, 8 slots each, 8 ports. */
#define AREA_A 0x20000000UL
#define AREA_B 0x30000000UL
#define AREA_SUPER 0x40000000UL
#define CAPS_A CHILD_CAP(48)
#define CAPS_B CHILD_CAP(56)
#define PORTS_A 0x80UL

/* What SOURCE has in its table besides. */
#define S_DEST CHILD_CAP(0)
#define S_THIRD CHILD_CAP(1)
#define S_GATE CHILD_CAP(2)
#define S_PARTNER CHILD_CAP(3)

/* Whose results there are: FURTHER + i of further threads. */
enum { FIRST, SECOND, PARTNER, FURTHER, RESULTS = FURTHER + 4 };
/* Of who is still waiting, or was killed; of a touch that was refused; of an IPC error e. */
enum { PENDING = 0xffff, REFUSED = 0x20000, IPC_ERROR = 0x10000 };

/* One trial's actors; all made anew for each. */
struct world {
    l4_cap_idx_t task[TASKS];
    struct child *first, *partner;
    struct child *eyes[TASKS];
    l4_cap_idx_t gate;         /* to the partner */
    l4_cap_idx_t gates[ITEMS]; /* what is handed around when it is capabilities */
    l4_addr_t to_touch;
    volatile l4_umword_t result[RESULTS];
    volatile bool first_done, second_done;
    volatile l4_uint64_t began, ended, fired, settled;
};
extern struct world w;

enum { UNITS = 3 * ITEMS, LOOKS = TASKS * UNITS };

/* What can be seen when all is over. */
struct outcome {
    l4_umword_t result[RESULTS];
    unsigned short unit[LOOKS]; /* HOLE_UNIT, GONE_UNIT, or which page, capability or port */
};
enum { HOLE_UNIT = 0, GONE_UNIT = 0xffff, WRITABLE = 0x8000 };

enum first_flags {
    LEAVES_HOLES = 1, /* what is replaced goes before the new comes; a cut message brings less */
    ANY_ORDER = 2,    /* not page by page in the order of the addresses */
};

extern const struct first *sweep_first; /* of this trial */

struct first {
    const char *name;
    enum kind kind;
    unsigned flags;
    void (*prepare)(void);
    l4_umword_t (*run)(void);
    void (*partner)(void *); /* what the partner does meanwhile; NULL: nothing */
};

struct second {
    const char *name;
    unsigned kinds; /* 1 << kind; 0: all */
    l4_umword_t (*run)(void);
    bool cuts; /* a message may end in the middle: both ends are told */
};

extern const struct first firsts[];
extern const unsigned first_count;
extern const struct second seconds[];
extern const unsigned second_count;

/* ---- world.c ---- */

/* What each kind is called in a flexpage. */
l4_fpage_t fpage_of(enum kind k, bool second_area, unsigned char rights);
l4_umword_t place_of(enum kind k, bool second_area);
/* From one task (slot of the root) to another, area to area; grant: L4_MAP_ITEM_*. */
l4_umword_t hand(l4_cap_idx_t to, bool to_b, l4_cap_idx_t from, bool from_b, enum kind k,
                 unsigned char rights, unsigned grant);
/* The error of a system call as a result: 0x10000 | IPC error, or the label. */
l4_umword_t code(l4_msgtag_t tag);
l4_umword_t unmap_code(l4_msgtag_t tag);
void world_new(const struct first *f);
void world_gone(enum kind k);

/* What SOURCE, DEST and THIRD have of a kind before the first operation. */
void prepare_plain(void);  /* root -> S.A -> T.A */
void prepare_chain(void);  /* root -> S.A -> T.A -> D.A */
void prepare_over(void);   /* plain, and root -> D.A -> T.B */
void prepare_super(void);  /* root -> S -> T -> D.B, and small pieces */
void prepare_split(void);  /* super, and a page is gone */
void prepare_dest(void);   /* root -> D.A -> T.A */
void prepare_block(void);  /* root -> S -> T, 512 ports; S -> D, single ones */
void prepare_block_over(void); /* root -> S -> T, 512 ports; root -> D, single ones */

/* ---- look.c ---- */

struct outcome look(const struct first *f);
void show(const char *what, const struct outcome *o);

/* ---- shot.c ---- */

void shot_start(void);
/* Set up so that the second operation `s` runs n instructions after w.began. */
void shot_arm(const struct second *s, long n, l4_umword_t *delay);
/* Let it run now. */
void shot_now(const struct second *s);
/* Learn from a run how long it takes to begin. */
void shot_learn(l4_umword_t delay);
/* Instructions, exactly: n >= 2. */
void delay_for(l4_umword_t n);
