/*
 * ram.c - memory and quota from an account at sigma0 (rules: l4/sigma0/ram.h)
 *
 * What sigma0 does in bounded steps is continued here until all of it is done.
 */
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sigma0/ram.h>
#include <l4/sys/err.h>
#include <l4/sys/factory.h>
#include <l4/sys/semaphore.h>
#include <l4/sys/task.h>

enum { GATE_GONE = -(L4_EIPC_LO + L4_IPC_ENOT_EXISTENT) };

/* A request of `words` words that are in the UTCB already, and perhaps one capability. */
static l4_msgtag_t request(l4_cap_idx_t account, unsigned op, unsigned words, l4_cap_idx_t item)
{
    l4_utcb_t *u = l4_utcb();
    unsigned items = item != L4_INVALID_CAP;

    u->msg.mr[0] = op;
    if (items) {
        u->msg.mr[words] = L4_ITEM_MAP;
        u->msg.mr[words + 1] = l4_obj_fpage(item, 0, L4_CAP_FPAGE_RWS).raw;
    }
    u->buf.bdr = 0;
    u->buf.br[0] = L4_ITEM_MAP;
    u->buf.br[1] = l4_fpage(0, L4_WHOLE_ADDRESS_SPACE, L4_FPAGE_RWX).raw;
    u->buf.br[2] = 0;
    return l4_ipc_call(account, u, l4_msgtag(L4RE_PROTO_MEM_ALLOC, words, items, 0),
                       L4_IPC_NEVER);
}

/* The same with up to three words and without a capability: 0, SIGMA0_RAM_MORE or -L4_E... */
static long call(l4_cap_idx_t account, unsigned op, l4_umword_t a, l4_umword_t b, l4_umword_t c)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[1] = a;
    u->msg.mr[2] = b;
    u->msg.mr[3] = c;
    return l4_error(request(account, op, 4, L4_INVALID_CAP));
}

/* ---- memory ---- */

static long take_send(l4_cap_idx_t account, const l4_ram_wish_t *wish, l4_cap_idx_t notify,
                      l4_msgtag_t *tag)
{
    unsigned wait = notify == L4_INVALID_CAP ? 0 : L4_RAM_WAIT;
    l4_utcb_t *u = l4_utcb();
    long err;

    do {
        u->msg.mr[SIGMA0_TAKE_SIZE] = wish->size;
        u->msg.mr[SIGMA0_TAKE_FLAGS] = (wish->flags & ~(unsigned)L4_RAM_WAIT) | wait |
                                       (l4_umword_t)(wish->align & 0xff) << 8;
        u->msg.mr[SIGMA0_TAKE_MIN] = wish->min;
        u->msg.mr[SIGMA0_TAKE_MAX] = wish->max;
        u->msg.mr[SIGMA0_TAKE_PLACE] = wish->place;
        *tag = request(account, SIGMA0_RAM_TAKE, SIGMA0_TAKE_WORDS, notify);
        err = l4_error(*tag);
    } while (err == SIGMA0_RAM_MORE && u->msg.mr[0] == 0);
    return err;
}

/* Until the parent decides, or it takes too long; then once more. */
static long take_wait(l4_cap_idx_t account, const l4_ram_wish_t *wish, l4_msgtag_t *tag)
{
    l4_timeout_t patience = l4_timeout(L4_IPC_TIMEOUT_NEVER, wish->patience);
    l4_cap_idx_t sem = l4re_util_cap_alloc();
    long err;

    if (sem & L4_INVALID_CAP_BIT)
        return -L4_ENOMEM;
    err = l4_error(l4_factory_create(l4re_env()->factory, L4_PROTO_SEMAPHORE, sem));
    if (err >= 0)
        err = take_send(account, wish, sem, tag);
    if (err == -L4_EAGAIN) {
        if (l4_error(l4_semaphore_down(sem, patience)) < 0)
            l4_ram_cancel(account);
        err = take_send(account, wish, L4_INVALID_CAP, tag);
    }
    l4_task_delete_obj(L4_BASE_TASK_CAP, sem);
    l4re_util_cap_free(sem);
    return err;
}

static void blocks_read(const l4_ram_wish_t *wish, l4_ram_block_t *blocks, unsigned *count,
                        l4_msgtag_t tag)
{
    const l4_umword_t *mr = l4_utcb()->msg.mr;

    *count = 0;
    for (unsigned i = SIGMA0_TAKEN_BLOCK; i < l4_msgtag_words(tag); i++) {
        if (*count == L4_RAM_BLOCKS_MAX)
            return;
        blocks[*count].phys = mr[i] & L4_PAGEMASK;
        blocks[*count].size = wish->flags & L4_RAM_CONTIGUOUS ? mr[SIGMA0_TAKEN_SIZE]
                                                              : 1UL << (mr[i] & ~L4_PAGEMASK);
        ++*count;
    }
}

/* Blocks that sigma0 has not cleared and mapped at once. */
static long blocks_map(l4_cap_idx_t account, const l4_ram_wish_t *wish,
                       const l4_ram_block_t *blocks, unsigned count)
{
    l4_addr_t place = wish->place;
    long err = 0;

    for (unsigned i = 0; i < count && !err; i++) {
        err = l4_ram_map(account, blocks[i].phys, blocks[i].size,
                         wish->flags & L4_RAM_AT ? place : blocks[i].phys);
        place += blocks[i].size;
    }
    for (unsigned i = 0; i < count && err; i++)
        l4_ram_give_back(account, blocks[i].phys, blocks[i].size);
    return err;
}

long l4_ram_take_wish(l4_cap_idx_t account, l4_ram_wish_t const *wish, l4_ram_block_t *blocks,
                      unsigned *count)
{
    l4_msgtag_t tag;
    long err = wish->align > 0xff ? -L4_EINVAL : take_send(account, wish, L4_INVALID_CAP, &tag);

    if (err == -L4_ENOMEM && (wish->flags & L4_RAM_WAIT))
        err = take_wait(account, wish, &tag);
    if (err < 0)
        return err;
    blocks_read(wish, blocks, count, tag);
    return err == SIGMA0_RAM_MORE ? blocks_map(account, wish, blocks, *count) : 0;
}

long l4_ram_take(l4_cap_idx_t account, l4_umword_t size, unsigned align, l4_addr_t *phys)
{
    l4_ram_wish_t wish = {.size = size, .flags = L4_RAM_CONTIGUOUS, .align = align};
    l4_ram_block_t block[L4_RAM_BLOCKS_MAX];
    unsigned count;
    long err = l4_ram_take_wish(account, &wish, block, &count);

    if (!err && count == 0)
        err = -L4_EIO; /* not sigma0's answer */
    if (!err)
        *phys = block[0].phys;
    return err;
}

long l4_ram_map(l4_cap_idx_t account, l4_addr_t phys, l4_umword_t size, l4_addr_t place)
{
    l4_utcb_t *u = l4_utcb();
    l4_umword_t position = 0;
    long err;

    do {
        u->msg.mr[1] = phys;
        u->msg.mr[2] = size;
        u->msg.mr[3] = position;
        u->msg.mr[4] = place;
        err = l4_error(request(account, SIGMA0_RAM_MAP, 5, L4_INVALID_CAP));
        position = u->msg.mr[0];
    } while (err == SIGMA0_RAM_MORE);
    return err;
}

long l4_ram_give_back(l4_cap_idx_t account, l4_addr_t phys, l4_umword_t size)
{
    long err;

    while ((err = call(account, SIGMA0_RAM_GIVE_BACK, phys, size, 0)) == SIGMA0_RAM_MORE) {
        phys += l4_utcb()->msg.mr[0];
        size -= l4_utcb()->msg.mr[0];
    }
    return err;
}

long l4_ram_next(l4_cap_idx_t account, l4_addr_t *phys, l4_umword_t *size)
{
    long err;

    do {
        err = call(account, SIGMA0_RAM_NEXT, *phys, 0, 0);
        if (err >= 0)
            *phys = l4_utcb()->msg.mr[0];
    } while (err == SIGMA0_RAM_MORE);
    if (!err)
        *size = l4_utcb()->msg.mr[1];
    return err;
}

/* ---- accounts and quota ---- */

static long words_read(long err, l4_umword_t *words, unsigned count)
{
    for (unsigned i = 0; i < count && err >= 0; i++)
        words[i] = l4_utcb()->msg.mr[i];
    return err;
}

long l4_ram_query(l4_cap_idx_t account, l4_umword_t *words)
{
    return words_read(call(account, SIGMA0_RAM_QUERY, 0, 0, 0), words, SIGMA0_QUERY_WORDS);
}

long l4_ram_account(l4_cap_idx_t account, l4_umword_t quota, l4_cap_idx_t target,
                    l4_umword_t *child)
{
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag = l4_factory_create_start_u(L4_PROTO_SIGMA0, target, u);

    l4_factory_create_add_uint_u(quota, &tag, u);
    return words_read(l4_error(l4_factory_create_commit_u(account, tag, u)), child, 1);
}

long l4_ram_release(l4_cap_idx_t account)
{
    long err = call(account, SIGMA0_RAM_RELEASE, 0, 0, 0);

    /* sigma0 goes on by itself when nobody else wants something: then the gate is gone. */
    while (err == SIGMA0_RAM_MORE)
        if ((err = call(account, SIGMA0_RAM_RELEASE, 0, 0, 0)) == GATE_GONE)
            return 0;
    return err;
}

long l4_ram_grant(l4_cap_idx_t account, l4_umword_t child, l4_umword_t size)
{
    return call(account, SIGMA0_RAM_GRANT, child, size, 0);
}

long l4_ram_retake(l4_cap_idx_t account, l4_umword_t child, l4_umword_t size, l4_umword_t *taken)
{
    return words_read(call(account, SIGMA0_RAM_RETAKE, child, size, 0), taken, 1);
}

long l4_ram_deny(l4_cap_idx_t account, l4_umword_t child)
{
    return call(account, SIGMA0_RAM_DENY, child, 0, 0);
}

long l4_ram_yield(l4_cap_idx_t account, l4_umword_t child, l4_umword_t size, l4_umword_t us)
{
    return call(account, SIGMA0_RAM_YIELD, child, size, us);
}

long l4_ram_watch(l4_cap_idx_t account, l4_cap_idx_t notify)
{
    return l4_error(request(account, SIGMA0_RAM_WATCH, 1, notify));
}

long l4_ram_news(l4_cap_idx_t account, l4_umword_t *words)
{
    return words_read(call(account, SIGMA0_RAM_NEWS, 0, 0, 0), words, SIGMA0_NEWS_WORDS);
}

long l4_ram_cancel(l4_cap_idx_t account)
{
    return call(account, SIGMA0_RAM_CANCEL, 0, 0, 0);
}
