/*
 * abi/sigma0.h - the RAM service: label MEM_ALLOC on an account's gate at sigma0
 *
 * An account is a quota in bytes, with its frames. Accounts form a tree below the root task's; who
 * holds an account's gate may use it, its parent may trade quota with it. Sizes are bytes, rounded
 * up to pages; addresses are physical. A child is named by the number that its parent got when it
 * made it (bits 0-15 the record, above a count, so that a number is never used twice).
 *
 *   op            message words behind the op            answer
 *   0 ALLOC       order                                  address; item: the block
 *   1 FREE        memory flexpage                        -
 *   2 QUERY       -                                      enum sigma0_ram_query words
 *   3 RELEASE     -                                      -  everything below it is gone, too
 *   4 TAKE        enum sigma0_ram_take; item: a          enum sigma0_ram_taken; items: the blocks,
 *                 semaphore or interrupt (RAM_WAIT)      all in one window
 *   5 MAP         address, size, position, place         as TAKE: the account's own, mapped again
 *   6 GIVE_BACK   address, size                          -  any pages that the account has
 *   7 NEXT        address                                address, size of the first run of frames
 *                                                        or behind it; -L4_ENOENT: none
 *   8 GRANT       child (0: my parent), size             -  my quota goes there
 *   9 RETAKE      child, size                            bytes of unused quota that came back
 *  10 DENY        child                                  -  its request for quota ends
 *  11 YIELD       child, size, microseconds              deadline (KIP clock)
 *  12 WATCH       item: a semaphore or interrupt         -  triggered whenever there are news
 *  13 NEWS        -                                      enum sigma0_news words; -L4_ENOENT: none
 *  14 CANCEL      -                                      -  my own request for quota ends
 *
 * A label of 1 instead of 0 (SIGMA0_RAM_MORE): a bounded part is done, MR0 says how far; go on with
 * MAP (TAKE, MAP) or the same call (RELEASE, GIVE_BACK).
 *
 * A new account: factory protocol, MR0 = L4_PROTO_SIGMA0, MR1 = 8 << 16 | 1, MR2 = quota in bytes;
 * one object buffer. Answer: MR0 the child's number; item, the account's gate with all rights: who
 * deletes it ends the account.
 */
#pragma once

enum sigma0_ram_ops {
    SIGMA0_RAM_ALLOC = 0,
    SIGMA0_RAM_FREE = 1,
    SIGMA0_RAM_QUERY = 2,
    SIGMA0_RAM_RELEASE = 3,
    SIGMA0_RAM_TAKE = 4,
    SIGMA0_RAM_MAP = 5,
    SIGMA0_RAM_GIVE_BACK = 6,
    SIGMA0_RAM_NEXT = 7,
    SIGMA0_RAM_GRANT = 8,
    SIGMA0_RAM_RETAKE = 9,
    SIGMA0_RAM_DENY = 10,
    SIGMA0_RAM_YIELD = 11,
    SIGMA0_RAM_WATCH = 12,
    SIGMA0_RAM_NEWS = 13,
    SIGMA0_RAM_CANCEL = 14,
};

enum sigma0_ram_label { SIGMA0_RAM_MORE = 1 };

/* TAKE: message words. */
enum sigma0_ram_take {
    SIGMA0_TAKE_SIZE = 1,  /* bytes */
    SIGMA0_TAKE_FLAGS = 2, /* enum sigma0_ram_flags | alignment (an order, 0: a page) << 8 */
    SIGMA0_TAKE_MIN = 3,   /* lowest address that will do */
    SIGMA0_TAKE_MAX = 4,   /* last byte that will do; 0: any */
    SIGMA0_TAKE_PLACE = 5, /* SIGMA0_RAM_AT: the send base of the first byte */
    SIGMA0_TAKE_WORDS = 6,
};

enum sigma0_ram_flags {
    SIGMA0_RAM_CONTIGUOUS = 1, /* one run of frames */
    SIGMA0_RAM_WAIT = 2,       /* above the quota: ask the parent, answer -L4_EAGAIN */
    SIGMA0_RAM_AT = 4,         /* items land at PLACE in the window, otherwise one to one */
};

/* TAKE and MAP: message words of the answer. MORE: only these two, and no items. */
enum sigma0_ram_taken {
    SIGMA0_TAKEN_SIZE = 0,  /* bytes in all blocks; MORE: the position, for MAP */
    SIGMA0_TAKEN_BLOCK = 1, /* from here on: address | order of one block each; MORE: address */
    SIGMA0_BLOCKS_MAX = 20, /* blocks in one answer */
};

enum sigma0_ram_query {
    SIGMA0_QUERY_QUOTA,    /* bytes that the account may have or pass on */
    SIGMA0_QUERY_USED,     /* of them: its frames, its children's quotas */
    SIGMA0_QUERY_ACCOUNT,  /* its number, as its parent knows it */
    SIGMA0_QUERY_CHILDREN, /* accounts below it, all generations */
    SIGMA0_QUERY_YIELD,    /* bytes that the parent wants back, 0: none */
    SIGMA0_QUERY_DEADLINE, /* when it stops waiting for them (KIP clock, microseconds) */
    SIGMA0_QUERY_WORDS,
};

/* NEWS: what has happened, to which child, with how many bytes. */
enum sigma0_news { SIGMA0_NEWS_KIND, SIGMA0_NEWS_CHILD, SIGMA0_NEWS_BYTES, SIGMA0_NEWS_DEADLINE,
                   SIGMA0_NEWS_WORDS };
enum sigma0_news_kind {
    SIGMA0_NEWS_REQUEST = 1, /* a child waits for so many bytes of quota: GRANT or DENY */
    SIGMA0_NEWS_YIELDED = 2, /* a child has given back what YIELD asked for */
    SIGMA0_NEWS_EXPIRED = 3, /* the deadline of YIELD has passed: so many bytes came */
    SIGMA0_NEWS_YIELD = 4,   /* child 0: the parent wants so many bytes back until the deadline */
};
