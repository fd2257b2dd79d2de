/*
 * l4/sigma0/ram.h - memory and quota from an account at sigma0 (the RAM service)
 *
 * `account` is the gate of an account: QUIRE_SIGMA0_CAP for a dataspace manager, and for a program
 * with `ram=` in the boot script. Sizes are bytes, rounded up to whole pages; addresses are
 * physical. Memory arrives zeroed. All functions return 0 or -L4_E...; those that are common:
 *
 *   -L4_ENOMEM   no such memory is free, or it would be above the quota
 *   -L4_EINVAL   size 0, alignment above 47, an address that is not a page's, an empty range
 *   -L4_ERANGE   the sum of two numbers does not fit a word
 *   -L4_EACCESS  the account has ended
 *   -L4_EPERM    not this account's memory
 *   -L4_ENOENT   no such child
 *
 * They use the message and buffer registers of the calling thread. A request is bounded: sigma0
 * clears at most 2 MiB and looks at a bounded number of frames before it serves others. What takes
 * longer these functions continue by themselves, until all is done.
 */
#pragma once

#include <abi/sigma0.h>

#include <l4/sys/compiler.h>
#include <l4/sys/ipc.h>
#include <l4/sys/types.h>

enum l4_ram_flags {
    L4_RAM_CONTIGUOUS = SIGMA0_RAM_CONTIGUOUS, /* one run of frames */
    L4_RAM_WAIT = SIGMA0_RAM_WAIT, /* quota exhausted: ask the parent and block until it decides */
    L4_RAM_AT = SIGMA0_RAM_AT,     /* map at `place`, not one to one */
};

/* What to allocate. Zero is a good value for all but `size`. */
typedef struct l4_ram_wish_t {
    l4_umword_t size;
    unsigned flags;     /* enum l4_ram_flags */
    unsigned align;     /* of the first byte, and of each block: an order, 0: a page. Blocks that
                         * are smaller than that have their own alignment. */
    l4_addr_t min;      /* no byte below */
    l4_addr_t max;      /* no byte above (the last one that will do); 0: anywhere */
    l4_addr_t place;    /* L4_RAM_AT: the blocks follow one another here, a multiple of a page */
    l4_timeout_s patience; /* L4_RAM_WAIT: for how long, 0: for ever. Then -L4_ENOMEM */
} l4_ram_wish_t;

typedef struct l4_ram_block_t {
    l4_addr_t phys;
    l4_umword_t size;
} l4_ram_block_t;

enum { L4_RAM_BLOCKS_MAX = SIGMA0_BLOCKS_MAX };

/*
 * Contiguous memory, mapped one to one (so *phys is a pointer, too).
 */
L4_CV long l4_ram_take(l4_cap_idx_t account, l4_umword_t size, unsigned align, l4_addr_t *phys);
/*
 * By wish. blocks[0 .. *count) say what was given, in the order of their place; adjoining ones may
 * be one run. Either all of `size` or nothing. Contiguous: at most L4_RAM_BLOCKS_MAX blocks that
 * together are one run, blocks[0].phys its address. Not contiguous: the largest blocks that are
 * free; -L4_E2BIG when that would be more than L4_RAM_BLOCKS_MAX (ask for less at a time).
 */
L4_CV long l4_ram_take_wish(l4_cap_idx_t account, l4_ram_wish_t const *wish,
                            l4_ram_block_t *blocks, unsigned *count);
/*
 * The memory [phys, phys + size) of this account once more: after it was unmapped here, or in a
 * task that got the account from one that died. Contents are kept. place: where, or phys itself.
 */
L4_CV long l4_ram_map(l4_cap_idx_t account, l4_addr_t phys, l4_umword_t size, l4_addr_t place);
/*
 * Give pages back: all that was taken at once or any part of it, of several blocks, too. They are
 * taken from everybody first. Device memory of this account: all that was claimed in the range, in
 * whole pieces as they were claimed (-L4_EPERM: none, or only a part of one).
 */
L4_CV long l4_ram_give_back(l4_cap_idx_t account, l4_addr_t phys, l4_umword_t size);
/* The first run of this account's frames at or behind *phys; -L4_ENOENT: none. */
L4_CV long l4_ram_next(l4_cap_idx_t account, l4_addr_t *phys, l4_umword_t *size);

/* words[enum sigma0_ram_query], SIGMA0_QUERY_WORDS of them. */
L4_CV long l4_ram_query(l4_cap_idx_t account, l4_umword_t *words);

/* ---- accounts below this one ---- */

/* A new account of `quota` bytes of this one's; its gate in slot `target`, with all rights: who
 * deletes it ends the account. *child: its number. At most 1024 below one. */
L4_CV long l4_ram_account(l4_cap_idx_t account, l4_umword_t quota, l4_cap_idx_t target,
                          l4_umword_t *child);
/* End this account and all below it; their memory is free, the quota its parent's. */
L4_CV long l4_ram_release(l4_cap_idx_t account);
/* `size` bytes of quota to a child, or to the parent (child 0). All or nothing. A child that waits
 * for quota goes on. */
L4_CV long l4_ram_grant(l4_cap_idx_t account, l4_umword_t child, l4_umword_t size);
/* At most `size` bytes of quota that the child does not use come back: *taken. */
L4_CV long l4_ram_retake(l4_cap_idx_t account, l4_umword_t child, l4_umword_t size,
                         l4_umword_t *taken);
/* The child's request ends with -L4_ENOMEM. -L4_ENOENT: it has none. */
L4_CV long l4_ram_deny(l4_cap_idx_t account, l4_umword_t child);
/* Ask a child to give `size` bytes of quota back within `us` microseconds. It hears of it (its
 * watch, its NEWS, its QUERY); the answer comes as NEWS. One such wish a child: -L4_EBUSY. */
L4_CV long l4_ram_yield(l4_cap_idx_t account, l4_umword_t child, l4_umword_t size, l4_umword_t us);

/* `notify` (a semaphore or an interrupt) is triggered when there are news. It replaces an older
 * one; L4_INVALID_CAP: none, then children's requests fail at once. */
L4_CV long l4_ram_watch(l4_cap_idx_t account, l4_cap_idx_t notify);
/* words[enum sigma0_news], SIGMA0_NEWS_WORDS of them; -L4_ENOENT: nothing new. */
L4_CV long l4_ram_news(l4_cap_idx_t account, l4_umword_t *words);
/* End this account's own request for quota: whoever waits gets -L4_ENOMEM. */
L4_CV long l4_ram_cancel(l4_cap_idx_t account);
