/*
 * sigma0/ram.h - who has which frame, and who may have how much
 *
 * Pure decisions on top of the buddy allocator: no IPC, no system call. What touches the machine
 * (clearing, revoking, gates) goes through the hooks at the end, which the host tests replace.
 *
 * Addresses are physical and, because sigma0 maps one to one, also virtual. Sizes are bytes,
 * orders are log2 of bytes. Functions return 0 or -L4_E...
 */
#pragma once

#include "pool.h"

#include <abi/types.h>
#include <common/buddy.h>

#include <stdbool.h>

/* Limits, each with its reason. */
enum {
    RAM_ROOT = 1,            /* number of the first account, the root task's */
    RAM_ORDER_MAX = 47,      /* no flexpage of user memory is larger */
    RAM_ACCOUNTS_MAX = 4096, /* their records are part of POOL_KEPT */
    RAM_BELOW_MAX = 1024,    /* accounts below one that is not the root's: leave some to others */
    RAM_DEVICES_MAX = 64,    /* pieces of device memory that are given out */
    RAM_BLOCKS_MAX = 20,     /* blocks in one answer: a message has 63 words */
    RAM_CLEAR_STEP = 2 << 20, /* bytes cleared in one request */
    RAM_DIRECT_MAX = 32 << 20, /* bytes cleared where the protocol knows no steps */
    RAM_LOOK_STEP = 1 << 30, /* bytes in which NEXT looks for a run, GIVE_BACK gives back */
    RAM_SWEEP_STEP = 1 << 14, /* frames looked at in one step of ending accounts */
};

/* Device memory is what the memory descriptors do not mention, below this address. */
#define RAM_DEVICE_END (1UL << 32)

/* Owner of a frame. Everything between is the number of an account, perhaps with RAM_DIRTY. */
enum {
    RAM_FREE = 0,           /* in the buddy */
    RAM_DIRTY = 0x4000,     /* added to the owner: not yet cleared, and mapped nowhere */
    RAM_DEDICATED = 0xfffd, /* images and modules: the root task's, outside its quota */
    RAM_SYSTEM = 0xfffe,    /* the kernel's or sigma0's: nobody's */
    RAM_ABSENT = 0xffff,    /* no RAM */
};
_Static_assert((int)POOL_SLOTS_MAX <= (int)RAM_DIRTY,
               "the number of an account fits below the mark");

enum account_news { NEWS_REQUEST = 1, NEWS_YIELDED = 2, NEWS_EXPIRED = 4 };

struct account {
    /* who it is */
    l4_umword_t number; /* slot of its gate | a count << 16 */
    struct account *parent;
    struct account *first; /* its children */
    struct account *next;  /* its siblings */
    struct account *prev;
    l4_umword_t below;     /* accounts below it, all generations */
    bool ending;
    /* what it has */
    l4_umword_t quota;  /* bytes that it may use or pass on */
    l4_umword_t used;   /* bytes of frames, plus the quotas of its children */
    l4_umword_t frames; /* of its own */
    l4_umword_t lowest; /* frame that it ever had: where the search for them begins */
    /* what it wants from its parent */
    l4_umword_t wanted; /* bytes of quota, while it waits; 0: it does not */
    unsigned waiter;    /* slot: triggered when the parent has decided */
    /* what its parent wants back */
    l4_umword_t yield;  /* bytes; 0: nothing */
    l4_umword_t yielded; /* of them */
    l4_uint64_t deadline; /* KIP clock */
    bool yield_told;
    struct account *yield_next; /* all accounts with a yield */
    /* what it has to hear */
    unsigned watch;           /* slot: triggered when there are news */
    unsigned news;            /* of this account for its parent: enum account_news */
    l4_umword_t news_yielded; /* bytes, with NEWS_YIELDED and NEWS_EXPIRED */
    struct account *news_next;
    struct account *news_first; /* children with news */
    struct account *news_last;
};

struct ram_device {
    struct ram_device *next;
    l4_addr_t start;
    l4_addr_t end;
    struct account *account;
};

struct ram_block {
    l4_addr_t start;
    l4_umword_t size;
};

struct ram {
    struct buddy *buddy;
    l4_uint16_t *owner; /* one for each frame from address 0 on */
    l4_umword_t frames; /* length of owner */
    l4_umword_t total_frames;   /* frames that were ever free */
    l4_umword_t free_frames;
    l4_umword_t cleared_frames; /* ever */
    struct pool pool;
    struct account *root;
    struct ram_device *devices;
    unsigned device_count;
    unsigned account_count;
    l4_umword_t serial;      /* accounts ever made */
    struct account *yields;
    struct account *ending;  /* accounts that are, children before parents (news_next) */
    l4_umword_t ending_frames; /* theirs */
    l4_umword_t sweep;       /* frame at which the search for their frames goes on */
    l4_umword_t checked;     /* slot whose gate was asked for last */
};

/* ---- start: ram.c ---- */

/*
 * An empty machine: `frames` frames, none of them RAM. `owner` has room for one word each; the
 * buddy is initialised and empty.
 */
void ram_init(struct ram *r, struct buddy *buddy, l4_uint16_t *owner, l4_umword_t frames);
/* [start, end) of whole pages becomes free RAM. Only before the first request. */
void ram_add(struct ram *r, l4_addr_t start, l4_addr_t end);
/* What is free in [start, end) is nobody's from now on. Before the first request. */
void ram_withdraw(struct ram *r, l4_addr_t start, l4_addr_t end);
/* [start, end), not free RAM, becomes RAM_DEDICATED or RAM_SYSTEM. Cut to the known frames. */
void ram_mark(struct ram *r, l4_addr_t start, l4_addr_t end, l4_uint16_t owner);
/* The last step: sigma0's own records, then all free RAM is the root account's quota. False: there
 * is not enough of it. */
bool ram_open(struct ram *r);

/* ---- frames: ram.c ---- */

static inline unsigned account_slot(const struct account *a)
{
    return a->number & 0xffff;
}

static inline l4_umword_t account_left(const struct account *a)
{
    return a->quota - a->used;
}

/*
 * This flexpage of RAM (L4_PAGESHIFT <= order <= RAM_ORDER_MAX); pages that the account has already
 * are kept as they are. All or nothing, cleared at once: at most RAM_DIRECT_MAX of it may be new.
 * -L4_EINVAL: misaligned; -L4_ENOMEM: somebody else's, no RAM, or above the quota.
 */
int ram_claim(struct ram *r, struct account *a, l4_addr_t start, unsigned order);
/* Any block, cleared. -L4_EINVAL: less than a page; -L4_ENOMEM: none, or above the quota. */
int ram_alloc(struct ram *r, struct account *a, unsigned order, l4_addr_t *start);

struct ram_wish {
    l4_umword_t size;  /* bytes, whole pages, within the account's quota */
    unsigned align;    /* order */
    l4_addr_t min;
    l4_addr_t max;     /* last byte */
    bool contiguous;
};
/*
 * By wish: *count blocks. What is larger than RAM_CLEAR_STEP is not cleared yet and must not be
 * mapped before ram_clean() says so. -L4_ENOMEM none; -L4_E2BIG too many pieces.
 */
int ram_take(struct ram *r, struct account *a, const struct ram_wish *w, struct ram_block *blocks,
             unsigned *count);
/*
 * Clear what is not clear in [start, end), all of it below the end of memory, from *at on: at most
 * *budget bytes, which it reduces. 1: all of it is clear; 0: go on at *at. -L4_EPERM: not all of it
 * is the account's.
 */
int ram_clean(struct ram *r, const struct account *a, l4_addr_t start, l4_addr_t end,
              l4_addr_t *at, l4_umword_t *budget);
/* Does the account own all of [start, end)? */
bool ram_owns(const struct ram *r, const struct account *a, l4_addr_t start, l4_addr_t end);
/* The first run of its frames at or behind *start. False: none within RAM_LOOK_STEP, *start is
 * where to go on, or the end of memory. */
bool ram_next(const struct ram *r, const struct account *a, l4_addr_t *start, l4_umword_t *size);
/*
 * Take whole pages back from their account and from everybody who got them from there. -L4_EPERM:
 * not all of [start, end) is the account's (dedicated memory never is).
 */
int ram_free(struct ram *r, struct account *a, l4_addr_t start, l4_addr_t end);
/* The largest order of which a block can start at `at` and end at or before `end`. */
unsigned ram_block_order(l4_addr_t at, l4_addr_t end);
/* For sigma0 itself: no client's, not cleared. */
bool ram_own_take(struct ram *r, unsigned order, l4_addr_t *start);
void ram_own_give(struct ram *r, l4_addr_t start, unsigned order);
/* Give back frames of ending accounts, a bounded number. */
void ram_sweep(struct ram *r);

/* Walks everything: check.c, for tests only. */
bool ram_ok(const struct ram *r);

/* ---- device memory: device.c ---- */

/* -L4_ENOMEM: part of it is RAM, another account's, or too many are given out. */
int ram_claim_device(struct ram *r, struct account *a, l4_addr_t start, unsigned order);
/* All of the account's pieces in [start, end). -L4_EPERM: there is none, or one is cut. */
int ram_free_device(struct ram *r, const struct account *a, l4_addr_t start, l4_addr_t end);
void ram_free_devices(struct ram *r, const struct account *a);

/* ---- accounts: account.c ---- */

/* The account of a gate; NULL: there is none. */
struct account *account_find(const struct ram *r, l4_umword_t slot);
/* A child by its number. */
struct account *account_child(const struct ram *r, const struct account *a, l4_umword_t number);
/* -L4_ENOMEM: above the parent's quota, too many, or no record. */
int account_create(struct ram *r, struct account *parent, l4_umword_t quota, struct account **out);
/*
 * Begin to end an account and all below it: nothing can be asked of them any more. What they have
 * goes back in steps (account_end_step), then gate and record go, and the quota is the parent's.
 */
void account_end(struct ram *r, struct account *a);
/* One step for all that are ending. */
void account_end_step(struct ram *r);
/* Has somebody deleted a gate? Looks at one, or at those of all children. True: one is ending, so
 * that there will be more quota. */
bool account_gc_step(struct ram *r);
bool account_gc_children(struct ram *r, struct account *a);

/* ---- quota: quota.c ---- */

int quota_grant(struct ram *r, struct account *a, l4_umword_t child, l4_umword_t size);
int quota_retake(struct ram *r, struct account *a, l4_umword_t child, l4_umword_t size,
                 l4_umword_t *taken);
/* Ask the parent for so much more. -L4_ENOMEM: it does not listen; -L4_EBUSY: a thread waits
 * already; -L4_EAGAIN: asked. `slot` holds the capability to trigger when it has decided. */
int quota_ask(struct account *a, l4_umword_t size, unsigned slot);
int quota_deny(struct ram *r, struct account *a, l4_umword_t child);
void quota_cancel(struct ram *r, struct account *a);
int quota_yield(struct ram *r, struct account *a, l4_umword_t child, l4_umword_t size,
                l4_uint64_t deadline);
/* Yields whose time is over. The next deadline, 0: none. */
l4_uint64_t quota_expire(struct ram *r, l4_uint64_t now);
/* Trigger `slot` (0: nobody) when there are news. */
void quota_watch(struct ram *r, struct account *a, unsigned slot);
/* kind, child, bytes, deadline (abi/sigma0.h); -L4_ENOENT: none. */
int quota_news(struct account *a, l4_umword_t words[4]);
/* The account ends: whoever waits is told, and nobody hears of it any more. */
void quota_end(struct ram *r, struct account *a);

/* ---- hooks: sigma0/main.c has the real ones ---- */

void ram_clear(l4_addr_t start, l4_umword_t size);  /* fill with zero bytes */
void ram_revoke(l4_addr_t start, unsigned order);   /* unmap from every other task */
void ram_gate_delete(unsigned slot);                /* the account's gate has to go */
bool ram_gate_lives(unsigned slot);
void ram_notify(unsigned slot);                     /* trigger the capability in it */
void ram_slot_clear(unsigned slot);                 /* drop the capability in it */
void ram_bug(const char *what) __attribute__((noreturn));
