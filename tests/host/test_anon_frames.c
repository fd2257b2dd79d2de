/*
 * test_anon_frames.c - the frame pool of the pagers against a model that is an array of owners
 */
#include "../../pagers/account.h"
#include "../../pagers/frames.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CHUNKS = 4, FRAMES = CHUNKS * CHUNK_FRAMES };
enum owner { OUTSIDE, POOL, TAKEN, OWN };

/* Where a physical address could be: the pool's directory ends at a tebibyte. */
static unsigned char *const memory = (unsigned char *)0x20000000;
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
    memset(memory, 0, FRAMES * L4_PAGESIZE);
    memset(owner, 0, sizeof(owner));
    memset(&pool, 0, sizeof(pool));
}

static unsigned frame_number(const void *frame)
{
    assert((const unsigned char *)frame >= memory);
    l4_addr_t offset = (l4_addr_t)frame - (l4_addr_t)memory;
    assert(offset < FRAMES * L4_PAGESIZE && offset % L4_PAGESIZE == 0);
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
    assert(frame[0] == 0 && memcmp(frame, frame + 1, L4_PAGESIZE - 1) == 0);
    owner[i] = TAKEN;
    memset(frame, 0xa5, L4_PAGESIZE);
}

static void check(void)
{
    assert(frames_ok(&pool));
    assert(frames_free(&pool) == count(POOL));
    assert(pool.total == count(POOL) + count(TAKEN) + count(OWN) && pool.own == count(OWN));
}

/* The pool keeps its records in the first frame that it gets. */
static void add(unsigned first, unsigned n)
{
    bool keeps_one = pool.own == 0;

    assert(frames_add(&pool, (l4_addr_t)memory + first * L4_PAGESIZE, n));
    for (unsigned i = 0; i < n; i++)
        owner[first + i] = POOL;
    if (keeps_one)
        owner[first] = OWN;
}

static void add_some(void)
{
    unsigned first = random_below(FRAMES), n = 0, most = random_below(4) ? 40 : FRAMES;

    while (first + n < FRAMES && n < most && owner[first + n] == OUTSIDE)
        n++;
    if (n > 0)
        add(first, n);
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

/* Up to two chunks of what is taken, from somewhere on. */
static void give_run(void)
{
    unsigned first = random_below(2) ? random_below(FRAMES) : random_below(CHUNKS) * CHUNK_FRAMES;
    unsigned n = 0, most = 1 + random_below(2 * CHUNK_FRAMES);

    for (; first + n < FRAMES && n < most && owner[first + n] == TAKEN; n++)
        owner[first + n] = POOL;
    frames_give_run(&pool, (l4_addr_t)memory + first * L4_PAGESIZE, n);
}

static void take_run(void)
{
    static const unsigned sizes[] = {1, 12, 100, CHUNK_FRAMES, CHUNK_FRAMES + 1, 2 * CHUNK_FRAMES};
    unsigned n = 1 + random_below(sizes[random_below(6)]);
    l4_addr_t align = L4_PAGESIZE << random_below(10);

    if (random_below(4) == 0) {
        n = CHUNK_FRAMES;
        align = 1UL << CHUNK_SHIFT;
    }
    l4_addr_t run = frames_take_run(&pool, n, align);
    if (run == 0)
        return;
    assert(run % align == 0);
    for (unsigned i = 0; i < n; i++)
        take_over((unsigned char *)run + i * L4_PAGESIZE);
}

/* What leaves the pool was free; whoever gets it back clears it. */
static void remove_chunk(void)
{
    bool expected = pool.whole_chunks > 0;
    l4_addr_t chunk = frames_remove_chunk(&pool);

    assert((chunk != 0) == expected);
    if (chunk == 0)
        return;
    assert(chunk % (1UL << CHUNK_SHIFT) == 0);
    for (unsigned i = 0, first = frame_number((void *)chunk); i < CHUNK_FRAMES; i++) {
        assert(owner[first + i] == POOL);
        owner[first + i] = OUTSIDE;
    }
    memset((void *)chunk, 0, CHUNK_FRAMES * L4_PAGESIZE);
}

static void frames_are_neither_lost_nor_given_twice_and_are_zero(void)
{
    for (unsigned s = 1; s <= 24; s++) {
        start(s);
        for (unsigned step = 0; step < 800; step++) {
            switch (random_below(12)) {
            case 0:
                add_some();
                break;
            case 1 ... 2:
                take_run();
                break;
            case 3 ... 5:
                take_one();
                break;
            case 6:
                give_run();
                break;
            case 7:
                if (random_below(8) == 0)
                    remove_chunk();
                break;
            default:
                give_one();
            }
            check();
        }
    }
}

static void pieces_that_arrive_one_by_one_become_a_superpage(void)
{
    start(1);
    add(FRAMES - 1, 1); /* the records */
    for (unsigned i = 0; i < CHUNK_FRAMES; i += 16)
        add(CHUNK_FRAMES + i, 16);
    check();
    assert(pool.whole_chunks == 1);
    assert(frames_take_run(&pool, CHUNK_FRAMES + 1, L4_PAGESIZE) == 0);
    assert(frames_take_run(&pool, CHUNK_FRAMES, 1UL << CHUNK_SHIFT) ==
           (l4_addr_t)memory + (1UL << CHUNK_SHIFT));
    assert(frames_free(&pool) == 0 && frames_take(&pool) == NULL);
}

static void a_chunk_is_whole_again_when_the_last_frame_returns(void)
{
    void *frame[CHUNK_FRAMES];

    start(1);
    add(FRAMES - 1, 1);
    add(0, CHUNK_FRAMES);
    for (unsigned i = 0; i < CHUNK_FRAMES; i++)
        take_over(frame[i] = frames_take(&pool));
    for (unsigned i = 0; i < CHUNK_FRAMES; i++) {
        assert(pool.whole_chunks == 0);
        frames_give(&pool, frame[i * 37 % CHUNK_FRAMES]);
        owner[frame_number(frame[i * 37 % CHUNK_FRAMES])] = POOL;
        check();
    }
    assert(pool.whole_chunks == 1);
    take_over(frames_take(&pool)); /* and zero, though the frames are "fresh" again */
    check();
}

static void partial_chunks_are_used_up_before_whole_ones(void)
{
    start(1);
    add(0, 2 * CHUNK_FRAMES);
    add(2 * CHUNK_FRAMES, 2 * CHUNK_FRAMES);
    for (unsigned i = 1; i < CHUNK_FRAMES; i++) {
        take_over(frames_take(&pool));
        assert(pool.whole_chunks == CHUNKS - 1);
    }
    take_over(frames_take(&pool));
    assert(pool.whole_chunks == CHUNKS - 2);
}

static void addresses_beyond_the_directory_are_refused(void)
{
    start(1);
    assert(!frames_add(&pool, 1UL << 40, 1) && !frames_add(&pool, ~0UL << 13, 1));
    assert(pool.total == 0);
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
    void *at = mmap(memory, FRAMES * L4_PAGESIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    assert(at == memory);
    frames_are_neither_lost_nor_given_twice_and_are_zero();
    pieces_that_arrive_one_by_one_become_a_superpage();
    a_chunk_is_whole_again_when_the_last_frame_returns();
    partial_chunks_are_used_up_before_whole_ones();
    addresses_beyond_the_directory_are_refused();
    an_account_pays_exactly_its_quota();
    puts("test_anon_frames: ok");
    return 0;
}
