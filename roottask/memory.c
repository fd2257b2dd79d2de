/*
 * roottask/memory.c - memory from sigma0, and into tasks
 *
 * Everything that sigma0 gives appears here at its physical address, so a block's address names
 * it for sigma0, for us, and as the source of a mapping into a task. What a task gets remains our
 * mapping's child: when sigma0 takes the account back, it is gone from all three.
 */
#include "root.h"

#include <abi/errors.h>
#include <abi/sigma0.h>
#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>
#include <l4/sys/task.h>
#include <l4/sys/utcb.h>

#include <string.h>

enum { ORDER_MAX = 30 }; /* sigma0's largest block */

/* The largest block that may start at both addresses and is not longer than `size`. */
static unsigned block_order(l4_addr_t a, l4_addr_t b, l4_umword_t size)
{
    unsigned order = L4_PAGESHIFT;

    while (order < ORDER_MAX && !((a | b) & (1UL << order)) && size >= 2UL << order)
        order++;
    return order;
}

static l4_umword_t round_up(l4_umword_t size)
{
    return (size + L4_PAGESIZE - 1) & L4_PAGEMASK;
}

long memory_account_create(l4_cap_idx_t account, l4_umword_t quota, l4_cap_idx_t target)
{
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag = l4_factory_create_start_u(L4_PROTO_SIGMA0, target, u);

    l4_factory_create_add_uint_u(quota, &tag, u);
    return l4_error(l4_factory_create_commit_u(account, tag, u));
}

static long service(l4_cap_idx_t account, unsigned op, l4_umword_t arg, l4_msgtag_t *answer)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = op;
    u->msg.mr[1] = arg;
    *answer = l4_ipc_call(account, u, l4_msgtag(L4RE_PROTO_MEM_ALLOC, 2, 0, 0), L4_IPC_NEVER);
    return l4_error(*answer);
}

long memory_account_left(l4_cap_idx_t account, l4_umword_t *bytes)
{
    l4_msgtag_t tag;
    long err = service(account, SIGMA0_RAM_QUERY, 0, &tag);

    if (!err)
        *bytes = l4_utcb()->msg.mr[0] - l4_utcb()->msg.mr[1];
    return err;
}

long memory_account_release(l4_cap_idx_t account)
{
    l4_msgtag_t tag;
    long err;

    do
        err = service(account, SIGMA0_RAM_RELEASE, 0, &tag);
    while (err == SIGMA0_RAM_MORE);
    return err;
}

/* Receive memory anywhere: the sender's hot spot decides. */
static void window_open(l4_utcb_t *u)
{
    u->buf.bdr = 0;
    u->buf.br[0] = L4_ITEM_MAP;
    u->buf.br[1] = l4_fpage(0, L4_WHOLE_ADDRESS_SPACE, L4_FPAGE_RWX).raw;
}

/* Did the answer's item arrive as a mapping? */
static bool item_mapped(l4_utcb_t *u, l4_msgtag_t tag)
{
    return l4_msgtag_items(tag) == 1 &&
           (u->msg.mr[l4_msgtag_words(tag)] & L4_ITEM_RET_MASK) == L4_ITEM_RET_MAPPED;
}

long memory_alloc(l4_cap_idx_t account, unsigned order, l4_addr_t *start)
{
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag;
    long err;

    window_open(u);
    err = service(account, SIGMA0_RAM_ALLOC, order, &tag);
    if (err)
        return err;
    *start = u->msg.mr[0];
    return item_mapped(u, tag) ? 0 : -L4_EIO;
}

long memory_request(l4_addr_t start, l4_umword_t size)
{
    l4_addr_t end = round_up(start + size);
    l4_utcb_t *u = l4_utcb();

    for (start &= L4_PAGEMASK; start < end;) {
        unsigned order = block_order(start, start, end - start);
        l4_msgtag_t tag;
        long err;

        window_open(u);
        u->msg.mr[0] = ~0xffUL | SIGMA0_REQ_ID_FPAGE_RAM;
        u->msg.mr[1] = l4_fpage(start, order, L4_FPAGE_RWX).raw;
        tag = l4_ipc_call(L4_BASE_PAGER_CAP, u, l4_msgtag(L4_PROTO_SIGMA0, 2, 0, 0),
                          L4_IPC_NEVER);
        err = l4_error(tag);
        if (err)
            return err;
        if (!item_mapped(u, tag))
            return -L4_EIO;
        start += 1UL << order;
    }
    return 0;
}

long memory_map(l4_cap_idx_t task, l4_addr_t from, l4_addr_t to, l4_umword_t size,
                unsigned rights)
{
    l4_addr_t end = to + round_up(size);

    while (to < end) {
        unsigned order = block_order(from, to, end - to);
        long err = l4_error(l4_task_map(task, L4_BASE_TASK_CAP,
                                        l4_fpage(from, order, (unsigned char)rights),
                                        l4_map_control(to, 0, 0)));

        if (err < 0)
            return err;
        from += 1UL << order;
        to += 1UL << order;
    }
    return 0;
}

/* The part of [skip, skip + bytes) that lies in the block at `offset`, copied to it. */
static void block_fill(char *block, l4_umword_t offset, l4_umword_t size, l4_umword_t skip,
                       const char *data, l4_umword_t bytes)
{
    l4_umword_t first = offset > skip ? offset : skip;
    l4_umword_t end = skip + bytes < offset + size ? skip + bytes : offset + size;

    if (first < end)
        memcpy(block + (first - offset), data + (first - skip), end - first);
}

long memory_give(l4_cap_idx_t account, l4_cap_idx_t task, l4_addr_t to, l4_umword_t size,
                 unsigned rights, l4_umword_t skip, const void *data, l4_umword_t bytes)
{
    l4_umword_t offset = 0;

    for (size = round_up(size); offset < size;) {
        unsigned order = block_order(to + offset, 0, size - offset);
        l4_addr_t block;
        long err = memory_alloc(account, order, &block);

        if (err)
            return err;
        block_fill((char *)block, offset, 1UL << order, skip, data, bytes);
        err = memory_map(task, block, to + offset, 1UL << order, rights);
        if (err)
            return err;
        offset += 1UL << order;
    }
    return 0;
}
