/*
 * test_anon_frames.c - the frame pool of the pagers against a model that is an array of owners
 */
#include "../../pagers/account.h"
#include "../../pagers/frames.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAMES = 256 };
enum owner { OUTSIDE, POOL, TAKEN };

static _Alignas(FRAMES * L4_PAGESIZE) unsigned char memory[FRAMES * L4_PAGESIZE];
static enum owner owner[FRAMES];
static struct frame_pool pool;
static unsigned seed;

static unsigned random_below(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % n;
}

static void start(unsigned s)
{
    seed = s;
    memset(memory, 0, sizeof(memory));
    memset(owner, 0, sizeof(owner));
    pool = (struct frame_pool){.run_count = 0};
}

static unsigned frame_number(const void *frame)
{
    assert((const unsigned char *)frame >= memory);
    l4_addr_t offset = (l4_addr_t)frame - (l4_addr_t)memory;
    assert(offset < sizeof(memory) && offset % L4_PAGESIZE == 0);
    return offset / L4_PAGESIZE;
}

static unsigned count(enum owner who)
{
    unsigned n = 0;

    for (unsigned i = 0; i < FRAMES; i++)
        n += owner[i] == who;
    return n;
}

/* The caller gets the frame: it was the pool's, it is zero, and from now on it is dirty. */
static void take_over(unsigned char *frame)
{
    unsigned i = frame_number(frame);

    assert(owner[i] == POOL);
    for (unsigned b = 0; b < L4_PAGESIZE; b++)
        assert(frame[b] == 0);
    owner[i] = TAKEN;
    memset(frame, 0xa5, L4_PAGESIZE);
}

static void check(void)
{
    assert(frames_ok(&pool));
    assert(frames_free(&pool) == count(POOL));
    assert(pool.total == count(POOL) + count(TAKEN));
}

static void add_some(void)
{
    unsigned first = random_below(FRAMES), n = 0;

    while (first + n < FRAMES && n < 40 && owner[first + n] == OUTSIDE)
        owner[first + n++] = POOL;
    if (n > 0)
        frames_add(&pool, (l4_addr_t)memory + first * L4_PAGESIZE, n);
}

static void take_one(void)
{
    void *frame = frames_take(&pool);

    if (frame)
        take_over(frame);
    else
        assert(count(POOL) == 0);
}

static void give_one(void)
{
    unsigned i = random_below(FRAMES);

    if (owner[i] != TAKEN)
        return;
    owner[i] = POOL;
    frames_give(&pool, memory + i * L4_PAGESIZE);
}

static void take_run(void)
{
    unsigned n = 1 + random_below(12);
    l4_addr_t align = L4_PAGESIZE << random_below(5);
    l4_addr_t run = frames_take_run(&pool, n, align);

    if (run == 0)
        return;
    assert(run % align == 0);
    for (unsigned i = 0; i < n; i++)
        take_over((unsigned char *)run + i * L4_PAGESIZE);
}

static void frames_are_neither_lost_nor_given_twice_and_are_zero(void)
{
    for (unsigned s = 1; s <= 40; s++) {
        start(s);
        for (unsigned step = 0; step < 1500; step++) {
            switch (random_below(8)) {
            case 0:
                add_some();
                break;
            case 1:
                take_run();
                break;
            case 2:
            case 3:
            case 4:
                take_one();
                break;
            default:
                give_one();
            }
            check();
        }
    }
}

static void adjacent_memory_becomes_one_run(void)
{
    start(1);
    for (unsigned i = 0; i < 64; i++)
        owner[i] = POOL;
    frames_add(&pool, (l4_addr_t)memory, 16);
    frames_add(&pool, (l4_addr_t)memory + 16 * L4_PAGESIZE, 48);
    assert(pool.run_count == 1);
    assert(frames_take_run(&pool, 65, L4_PAGESIZE) == 0);
    assert(frames_take_run(&pool, 64, L4_PAGESIZE) == (l4_addr_t)memory);
    assert(frames_free(&pool) == 0 && frames_take(&pool) == NULL);
}

static void more_runs_than_remembered_are_recycled(void)
{
    start(1);
    for (unsigned i = 0; i < 2 * FRAME_RUNS_MAX; i++) {
        owner[2 * i] = POOL;
        frames_add(&pool, (l4_addr_t)memory + 2 * i * L4_PAGESIZE, 1);
        check();
    }
    assert(pool.run_count == FRAME_RUNS_MAX && pool.recycled == FRAME_RUNS_MAX);
    while (count(POOL) > 0)
        take_one();
    check();
}

static void an_account_pays_exactly_its_quota(void)
{
    const l4_umword_t quota = 3 * L4_PAGESIZE + 1;
    l4_umword_t used = 0;

    for (unsigned i = 0; i < 3; i++)
        assert(account_charge(quota, &used, L4_PAGESIZE) == 0);
    assert(account_charge(quota, &used, L4_PAGESIZE) == -L4_ENOMEM && used == 3 * L4_PAGESIZE);
    assert(account_charge(quota, &used, ~0UL) == -L4_ENOMEM);
    assert(account_charge(quota, &used, 1) == 0);
    assert(account_charge(quota, &used, 1) == -L4_ENOMEM);
    account_credit(&used, used);
    assert(used == 0);
}

int main(void)
{
    frames_are_neither_lost_nor_given_twice_and_are_zero();
    adjacent_memory_becomes_one_run();
    more_runs_than_remembered_are_recycled();
    an_account_pays_exactly_its_quota();
    puts("test_anon_frames: ok");
    return 0;
}
