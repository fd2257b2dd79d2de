/*
 * ram/main.c - an account at sigma0: memory by wish, children that wait, yield, and misbehave
 */
#include "balance.h"
#include "tap.h"

#include <abi/env.h>
#include <l4/sigma0/ram.h>
#include <l4/sigma0/sigma0.h>
#include <l4/sys/kip.h>
#include <l4/sys/semaphore.h>
#include <l4/sys/task.h>
#include <l4/util/thread.h>

#include <string.h>

enum {
    MANY = 1000,
    STACK = 4096,
    PAGE = 4096,
    MIB = 1 << 20,
    PATIENCE_US = 20000,
    STEP = 2 * MIB, /* what sigma0 clears in one request */
};
#define PLACE 0x200000000UL

static l4_cap_idx_t own = QUIRE_SIGMA0_CAP;
static l4_cap_idx_t child, news_sem;
static l4_umword_t number;

static l4_umword_t stat(enum l4re_sigma0_stats word)
{
    return sigma0_stat(own, word);
}

static l4_umword_t left(l4_cap_idx_t account)
{
    l4_umword_t words[SIGMA0_QUERY_WORDS] = {0};

    l4_ram_query(account, words);
    return words[SIGMA0_QUERY_QUOTA] - words[SIGMA0_QUERY_USED];
}

static bool all_are(const unsigned char *at, l4_umword_t size, unsigned char value)
{
    for (l4_umword_t i = 0; i < size; i++)
        if (at[i] != value)
            return false;
    return true;
}

static long take(l4_cap_idx_t account, l4_umword_t size, unsigned flags, l4_ram_block_t *block)
{
    l4_ram_wish_t wish = {.size = size, .flags = flags | L4_RAM_CONTIGUOUS | L4_RAM_AT,
                          .place = PLACE, .patience = l4_timeout_from_us(PATIENCE_US)};
    l4_ram_block_t blocks[L4_RAM_BLOCKS_MAX];
    unsigned count;
    long err = l4_ram_take_wish(account, &wish, blocks, &count);

    if (!err)
        *block = blocks[0];
    return err;
}

/* ---------------------------------------------------------------- memory */

static void memory(void)
{
    l4_umword_t before = left(own), requests;
    unsigned char *at = (unsigned char *)PLACE;
    l4_ram_block_t b;
    l4_addr_t first = 0;
    l4_umword_t size;

    tap_eq(take(own, 5 * PAGE, 0, &b), 0, "five pages at a place of our own");
    tap_ok(all_are(at, 5 * PAGE, 0) && left(own) == before - 5 * PAGE, "zeroed, and paid for");
    memset(at, 0x77, 5 * PAGE);
    tap_eq(l4_ram_give_back(own, b.phys + PAGE, 2 * PAGE), 0, "two of them go back");
    tap_ok(left(own) == before - 3 * PAGE && at[0] == 0x77 && at[3 * PAGE] == 0x77,
           "the others stay as they are");
    tap_eq(l4_ram_give_back(own, b.phys, 5 * PAGE), -L4_EPERM, "what is gone is not given twice");
    tap_ok(l4_ram_next(own, &first, &size) == 0 && first == b.phys && size == PAGE,
           "the account tells what it has");
    l4_task_unmap(L4RE_THIS_TASK_CAP, l4_fpage(PLACE, L4_PAGESHIFT, L4_FPAGE_RWX),
                  L4_FP_ALL_SPACES);
    tap_ok(l4_ram_map(own, b.phys, PAGE, PLACE) == 0 && all_are(at, PAGE, 0x77),
           "a page is mapped again with its contents");
    l4_ram_give_back(own, b.phys, PAGE);
    l4_ram_give_back(own, b.phys + 3 * PAGE, 2 * PAGE);
    requests = stat(L4RE_SIGMA0_STATS_REQUESTS);
    tap_eq(take(own, 3 * STEP, 0, &b), 0, "six mebibytes");
    tap_eq((long)(stat(L4RE_SIGMA0_STATS_REQUESTS) - requests), 5,
           "take four messages: none clears more than two");
    tap_ok(all_are(at, 3 * STEP, 0), "all of it is zero");
    tap_eq(l4_ram_give_back(own, b.phys, b.size), 0, "and goes back");
    tap_ok(left(own) == before, "nothing is charged any more");
}

/* ---------------------------------------------------------------- children that wait */

static char stack[STACK] __attribute__((aligned(16)));
static l4_cap_idx_t thread, done;
static volatile long thread_result;
static volatile l4_umword_t thread_wants;

L4UTIL_THREAD_STATIC_FUNC(taker)
{
    l4_ram_wish_t wish = {.size = thread_wants, .flags = L4_RAM_WAIT | L4_RAM_AT,
                          .place = PLACE};
    l4_ram_block_t blocks[L4_RAM_BLOCKS_MAX];
    unsigned count;

    thread_result = l4_ram_take_wish(child, &wish, blocks, &count);
    l4_semaphore_up(done);
    for (;;)
        l4_ipc_sleep(L4_IPC_NEVER);
}

static void taker_start(l4_umword_t size)
{
    thread_wants = size;
    thread_result = 77;
    thread = l4re_util_cap_alloc();
    l4util_create_thread(thread, (l4_utcb_t *)l4re_env()->first_free_utcb, l4re_env()->factory,
                         (l4_umword_t)taker, (l4_umword_t)(stack + STACK), l4re_env()->rm,
                         L4RE_THIS_TASK_CAP, l4re_env()->scheduler, l4_sched_param(90, 0));
}

static void taker_end(void)
{
    l4_task_delete_obj(L4RE_THIS_TASK_CAP, thread);
    l4re_util_cap_free(thread);
}

static l4_cap_idx_t semaphore(void)
{
    l4_cap_idx_t sem = l4re_util_cap_alloc();

    l4_factory_create(l4re_env()->factory, L4_PROTO_SEMAPHORE, sem);
    return sem;
}

static bool wait_for(l4_cap_idx_t sem)
{
    return l4_error(l4_semaphore_down(sem, l4_timeout(L4_IPC_TIMEOUT_NEVER,
                                                      l4_timeout_from_us(1000000)))) >= 0;
}

static bool news(l4_cap_idx_t account, unsigned kind, l4_umword_t who, l4_umword_t bytes)
{
    l4_umword_t words[SIGMA0_NEWS_WORDS] = {0};

    return l4_ram_news(account, words) == 0 && words[SIGMA0_NEWS_KIND] == kind &&
           words[SIGMA0_NEWS_CHILD] == who && words[SIGMA0_NEWS_BYTES] == bytes;
}

static void child_make(l4_umword_t quota)
{
    child = l4re_util_cap_alloc();
    l4_ram_account(own, quota, child, &number);
}

static void requests(void)
{
    l4_uint64_t before;
    l4_ram_block_t b;

    child_make(8 * PAGE);
    tap_eq(take(child, 9 * PAGE, 0, &b), -L4_ENOMEM, "above its quota a child gets an error");
    tap_eq(take(child, 9 * PAGE, L4_RAM_WAIT, &b), -L4_ENOMEM,
           "and does not wait for a parent that does not listen");
    tap_eq(l4_ram_watch(own, news_sem), 0, "the parent listens");
    taker_start(12 * PAGE);
    tap_ok(wait_for(news_sem) && news(own, SIGMA0_NEWS_REQUEST, number, 4 * PAGE),
           "it is told which child wants how much");
    tap_ok(thread_result == 77, "while the child waits");
    tap_ok(l4_ram_grant(own, number, 4 * PAGE) == 0 && wait_for(done) && thread_result == 0,
           "it grants, and the child goes on");
    taker_end();
    taker_start(PAGE);
    tap_ok(wait_for(news_sem) && l4_ram_deny(own, number) == 0 && wait_for(done) &&
           thread_result == -L4_ENOMEM, "it refuses, and the child gets an error");
    taker_end();
    before = l4_kip_clock(l4re_kip());
    tap_eq(take(child, PAGE, L4_RAM_WAIT, &b), -L4_ENOMEM, "it never answers: patience ends");
    tap_ok(l4_kip_clock(l4re_kip()) - before >= PATIENCE_US, "not before its time");
    wait_for(news_sem);
    tap_eq(l4_ram_deny(own, number), -L4_ENOENT, "nothing of the request is left");
    taker_start(PAGE);
    tap_ok(wait_for(news_sem), "a child waits");
    taker_end();
    tap_ok(l4_ram_cancel(child) == 0 && take(child, PAGE, 0, &b) == -L4_ENOMEM,
           "it is killed, and its account lives on");
    taker_start(PAGE);
    tap_ok(wait_for(news_sem) && l4_ram_release(child) == 0 && wait_for(done) &&
           thread_result < 0, "an account that ends leaves nobody waiting");
    taker_end();
    l4re_util_cap_free(child);
}

static void yields(void)
{
    l4_cap_idx_t sem = semaphore();
    l4_umword_t words[SIGMA0_NEWS_WORDS], taken;

    child_make(8 * PAGE);
    l4_ram_watch(child, sem);
    tap_eq(l4_ram_yield(own, number, 3 * PAGE, 1000000), 0, "a parent wants something back");
    tap_ok(wait_for(sem) && l4_ram_news(child, words) == 0 &&
           words[SIGMA0_NEWS_KIND] == SIGMA0_NEWS_YIELD &&
           words[SIGMA0_NEWS_BYTES] == 3 * PAGE &&
           words[SIGMA0_NEWS_DEADLINE] > l4_kip_clock(l4re_kip()),
           "the child is told how much, and until when");
    tap_ok(l4_ram_grant(child, 0, 3 * PAGE) == 0 && wait_for(news_sem) &&
           news(own, SIGMA0_NEWS_YIELDED, number, 3 * PAGE), "it gives, and the parent is told");
    l4_ram_yield(own, number, 3 * PAGE, PATIENCE_US);
    tap_ok(wait_for(news_sem) && news(own, SIGMA0_NEWS_EXPIRED, number, 0) &&
           l4_kip_clock(l4re_kip()) >= words[SIGMA0_NEWS_DEADLINE] - 1000000 + PATIENCE_US,
           "it does not: the parent is told at the deadline");
    tap_ok(l4_ram_retake(own, number, MIB, &taken) == 0 && taken == 5 * PAGE,
           "what a child does not use can be taken");
    l4_ram_release(child);
    l4re_util_cap_free(child);
    l4_task_delete_obj(L4RE_THIS_TASK_CAP, sem);
    l4re_util_cap_free(sem);
}

/* ---------------------------------------------------------------- bad ones */

/* Words that no client should send; whatever is answered, nothing may change. */
static void nonsense(void)
{
    static const l4_umword_t bad[] = {0, 1, 4095, ~0UL, ~0UL << 12, 1UL << 63, 1UL << 47};
    l4_umword_t before = left(own), errors = 0, seen = 0;
    l4_utcb_t *u = l4_utcb();

    for (unsigned op = SIGMA0_RAM_MAP; op < 64; op++)
        for (unsigned i = 0; i < 7 * 7; i++) {
            u->msg.mr[0] = op;
            u->msg.mr[1] = bad[i % 7] | (op == SIGMA0_RAM_GRANT); /* not to the parent */
            u->msg.mr[2] = bad[i / 7];
            u->msg.mr[3] = u->msg.mr[4] = u->msg.mr[5] = bad[i % 5];
            u->buf.bdr = 0;
            u->buf.br[0] = 0;
            seen++;
            errors += l4_error(l4_ipc_call(own, u, l4_msgtag(L4RE_PROTO_MEM_ALLOC, 6, 0, 0),
                                           L4_IPC_NEVER)) < 0;
        }
    tap_ok(left(own) == before && errors > seen / 2, "nonsense changes nothing");
    l4_ram_watch(own, news_sem); /* op WATCH without a capability was among it */
}

/* Two requests by somebody who does not wait for the answer. */
static void deaf(void)
{
    l4_umword_t before = left(own), accounts = stat(L4RE_SIGMA0_STATS_ACCOUNTS);
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = SIGMA0_RAM_TAKE;
    u->msg.mr[SIGMA0_TAKE_SIZE] = 5 * PAGE;
    u->msg.mr[SIGMA0_TAKE_FLAGS] = u->msg.mr[SIGMA0_TAKE_MIN] = u->msg.mr[SIGMA0_TAKE_MAX] = 0;
    u->msg.mr[SIGMA0_TAKE_PLACE] = 0;
    l4_ipc_send(own, u, l4_msgtag(L4RE_PROTO_MEM_ALLOC, SIGMA0_TAKE_WORDS, 0, 0), L4_IPC_NEVER);
    tap_ok(left(own) == before, "memory that nobody could be given is not charged");
    u->msg.mr[0] = (l4_umword_t)L4_PROTO_SIGMA0;
    u->msg.mr[1] = sizeof(l4_umword_t) << 16 | L4_VARG_TYPE_UMWORD;
    u->msg.mr[2] = MIB;
    l4_ipc_send(own, u, l4_msgtag(L4_PROTO_FACTORY, 3, 0, 0), L4_IPC_NEVER);
    tap_ok(left(own) == before && stat(L4RE_SIGMA0_STATS_ACCOUNTS) == accounts,
           "an account whose gate nobody took is none");
}

static void strangers(void)
{
    l4_umword_t all = left(own);
    l4_ram_block_t mine, b;

    child_make(MIB);
    take(own, PAGE, 0, &mine);
    tap_eq(l4_ram_give_back(child, mine.phys, PAGE), -L4_EPERM, "others' memory is not given back");
    tap_eq(l4_ram_map(child, mine.phys, PAGE, PLACE), -L4_EPERM, "nor mapped");
    tap_eq(l4_ram_give_back(own, mine.phys, PAGE), 0, "its owner may");
    tap_eq(l4_ram_give_back(own, mine.phys, PAGE), -L4_EPERM, "once");
    tap_eq(l4_ram_grant(child, number, PAGE), -L4_ENOENT, "nobody is its own child");
    tap_eq(l4_ram_watch(child, L4_BASE_LOG_CAP), 0, "any capability may be sent to be told");
    l4_ram_yield(own, number, PAGE, 1);
    tap_eq(l4_ram_watch(child, child), 0, "the account's own gate, too");
    l4_ram_yield(own, number, PAGE, 1);
    tap_ok(wait_for(news_sem), "sigma0 waits for none of them");
    /* The parent deletes the gate without a word. */
    take(child, 16 * PAGE, 0, &b);
    l4_task_delete_obj(L4RE_THIS_TASK_CAP, child);
    l4re_util_cap_free(child);
    tap_ok(take(own, all, 0, &b) == 0 && l4_ram_give_back(own, b.phys, b.size) == 0,
           "what was a deleted gate's is the parent's when it needs it");
}

/* What sigma0 prints, tests/guest/ram/expect looks for. */
static void dump(void)
{
    enum { DEVICE = 0xfd000000 }; /* there is nothing, but it is not RAM either */

    tap_eq(l4sigma0_map_iomem(own, DEVICE, PLACE, PAGE, 0), 0, "a page of a device");
    l4sigma0_debug_dump(own);
    tap_eq(l4_ram_give_back(own, DEVICE, PAGE), 0, "goes back");
}

static void crowds(void)
{
    static l4_cap_idx_t crowd[MANY];
    unsigned made = 0, gone = 0;
    l4_umword_t before = left(own), id;

    for (unsigned i = 0; i < MANY; i++) {
        crowd[i] = l4re_util_cap_alloc();
        made += l4_ram_account(own, PAGE, crowd[i], &id) == 0;
    }
    tap_eq(made, MANY, "a thousand accounts");
    tap_ok(left(own) == before - MANY * PAGE, "each paid for");
    for (unsigned i = 0; i < MANY; i++) {
        if (i % 2)
            gone += l4_ram_release(crowd[i]) == 0;
        else
            gone += l4_error(l4_task_delete_obj(L4RE_THIS_TASK_CAP, crowd[i])) >= 0;
        l4re_util_cap_free(crowd[i]);
    }
    tap_eq(gone, MANY, "half of them end, the gates of the others are deleted");
}

int main(void)
{
    l4_umword_t free_before = stat(L4RE_SIGMA0_STATS_FREE), quota = left(own);
    l4_ram_block_t b;

    news_sem = semaphore();
    done = semaphore();
    memory();
    requests();
    yields();
    nonsense();
    deaf();
    strangers();
    dump();
    crowds();
    tap_ok(take(own, quota, 0, &b) == 0 && l4_ram_give_back(own, b.phys, b.size) == 0,
           "all of the quota is ours again, also that of deleted gates");
    tap_ok(left(own) == quota && stat(L4RE_SIGMA0_STATS_FREE) == free_before &&
           stat(L4RE_SIGMA0_STATS_ACCOUNTS) > 1, "and so are the frames");
    tap_ok(stat(L4RE_SIGMA0_STATS_BLOCKS_LOW) >= 4 && stat(L4RE_SIGMA0_STATS_DEVICES_LOW) >= 2 &&
           stat(L4RE_SIGMA0_STATS_RECORDS_LOW) >= 2 && stat(L4RE_SIGMA0_STATS_SLOTS_LOW) >= 2 &&
           stat(L4RE_SIGMA0_STATS_SMALL_LOW) >= 3 && stat(L4RE_SIGMA0_STATS_LARGE_LOW) >= 1,
           "the reserve was never less than two requests need");
    l4_task_delete_obj(L4RE_THIS_TASK_CAP, news_sem);
    l4_task_delete_obj(L4RE_THIS_TASK_CAP, done);
    return tap_done();
}
