/*
 * io.h - I/O ports: what a task holds, and the bitmap that the CPU looks at
 *
 * A port is held or not: the CPU's bitmap has one bit for in and out, so a flexpage without R or
 * without W maps nothing, and revoking either takes the port away. Ports keep their number
 * wherever they are mapped.
 *
 *   block[128]   a mapping of level 2: 512 ports at once           +--------------------+
 *   table[64] -> 1024 mappings of level 1, a single port each      | bitmap, 8 KiB      |
 *   held[128]    ports that the task has through block[i] ...      | 1: not held        |
 *                                                                  +--------------------+
 * B1  The bit of a port is clear exactly if a mapping that is not dying stands for it: the single
 *     one if there is one, else the block's. A port with a single mapping is no part of the block.
 * B2  A block may have lost ports; then it is no longer mapped on as a whole, and those below it
 *     lack them too. One that has lost them all goes. So taking one port out of a block needs no
 *     memory: nothing is split.
 * B3  A task without ports has no struct io_space. All of it is charged to the task's quota.
 */
#pragma once

#include "task.h"

enum {
    IO_PORTS = 65536,
    IO_BLOCK = 512,       /* ports of a level 2 mapping: what a table of parts divides */
    IO_TABLE = 1024,      /* references in a page */
    IO_BITMAP_ORDER = 1,  /* pages, log2 */
    IO_BITMAP_SIZE = IO_PORTS / 8,
};

struct io_space {
    kref_t block[IO_PORTS / IO_BLOCK];
    kref_t table[IO_PORTS / IO_TABLE];
    uint16_t held[IO_PORTS / IO_BLOCK];
    uint32_t used; /* mappings in all */
    uint8_t *bitmap;
};
_Static_assert(sizeof(struct io_space) <= KPAGE_SIZE, "one page");

static inline bool io_denied(const struct io_space *io, unsigned port)
{
    return io->bitmap[port / 8] >> port % 8 & 1;
}

/* The CPU looks at this task's bitmap from now on; NULL: no port at all. */
void io_load(struct io_space *io);
/* All ports to sigma0, as roots of the mapping database. Only at boot. */
int io_roots(struct task *t);
/* The running thread may have been stopped at an in or out to a port that it does not hold: then
 * this is a message to its pager. False: it is some other exception. */
bool io_fault(struct thread *t);
/* B1 and the counters, for one task. */
bool io_ok(const struct task *t);
