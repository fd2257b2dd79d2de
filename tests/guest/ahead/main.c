/*
 * ahead/main.c - what is touched ahead does not fault, and what faults in a section is seen
 */
#include "balance.h"
#include "tap.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <l4/re/c/util/kumem_alloc.h>
#include <l4/sys/task.h>
#include <l4/util/ahead.h>
#include <l4/util/thread.h>
#include <l4/util/util.h>


enum { KIB = 1024, DEEP = 128 * KIB, PAGES = 16, STACK = 16 * KIB };

static volatile char pages[PAGES][L4_PAGESIZE] __attribute__((aligned(L4_PAGESIZE)));
static pthread_barrier_t meeting;

/* Write all of `size` bytes of stack. */
static __attribute__((noinline)) void dig(unsigned long size)
{
    volatile char hole[size];

    for (unsigned long i = 0; i < size; i += 64)
        hole[i] = 1;
}

/* The pages of a stack, faults of which the region manager knows. */
static void stack(void)
{
    long before;

    tap_eq(l4_stack_reserve(DEEP), 0, "128 KiB of stack are touched ahead");
    before = faults();
    dig(DEEP - 4 * KIB);
    tap_eq(faults() - before, 0, "using them does not fault");
    before = faults();
    dig(DEEP + 64 * KIB);
    tap_ok(faults() - before >= 15, "what lies below still does, page by page");
    tap_eq(l4_stack_reserve(4096 * KIB), -L4_ENOMEM, "more than the stack has is refused");
    tap_eq(l4_stack_reserve(~0UL), -L4_ENOMEM, "so are 2^64 bytes");
    tap_eq(l4_stack_reserve(0), 0, "nothing is there already");
}

static void sections(void)
{
    l4_fault_seen_t first = {0, 0};
    unsigned n = 0;

    tap_eq(l4_no_fault_end(NULL), -L4_ENOENT, "there is no section to end");
    tap_eq(l4_no_fault_begin(), 0, "a section begins");
    tap_eq(l4_no_fault_begin(), -L4_EBUSY, "but not twice");
    l4_no_fault_end(NULL);
    l4_no_fault_begin();
    tap_eq(l4_no_fault_end(&first), 0, "without a fault, none is seen");
    l4_no_fault_begin();
    pages[n++][5] = 1;
    tap_eq(l4_no_fault_end(&first), 1, "a fault is seen");
    tap_ok(first.address == (l4_addr_t)&pages[0][5] && first.ip >= (l4_addr_t)sections &&
           first.ip < (l4_addr_t)sections + KIB, "where it was, and by which instruction");
    tap_eq(pages[0][5], 1, "and it was served");
    l4_no_fault_begin();
    for (; n < 6; n++)
        pages[n][n] = 1;
    tap_eq(l4_no_fault_end(&first), 5, "five faults are counted");
    tap_eq((long)first.address, (long)&pages[1][1], "the first is told");
    l4_no_fault_begin();
    pages[0][0] = 2;
    tap_eq(l4_no_fault_end(&first), 0, "what is present does not fault");
    l4_stack_reserve(300 * KIB);
    l4_no_fault_begin();
    dig(296 * KIB);
    tap_eq(l4_no_fault_end(&first), 0, "nor does a stack that was reserved");
    l4_no_fault_begin();
    dig(330 * KIB);
    tap_ok(l4_no_fault_end(&first) >= 6, "one that was not does");
}

/* ---- the heap ---- */

enum { BLOCKS = 100, RESERVE = 96 * KIB };

static l4_umword_t messages(void)
{
    return kernel_stat(L4_BASE_TASK_CAP, L4_DBG_CNT_IPC_SEND);
}

/* Blocks of all sizes until `bytes` are used, each written to its end: how many; 0: one failed. */
static unsigned blocks_get(char *blocks[BLOCKS], long bytes)
{
    unsigned n = 0;

    for (; n < BLOCKS; n++) {
        long size = n % 10 == 9 ? 6000 + n : 1 + (long)n * n % 1500;

        bytes -= (size + 15) / 16 * 16 + 16;
        if (bytes < 0)
            return n;
        blocks[n] = n & 1 ? malloc((size_t)size) : calloc(1, (size_t)size);
        if (!blocks[n] || (!(n & 1) && blocks[n][size - 1]))
            return 0;
        memset(blocks[n], (int)n + 1, (size_t)size);
    }
    return n;
}

static void heap(void)
{
    static char *blocks[BLOCKS];
    l4_umword_t sent;
    unsigned n, good = 0;
    long faulted;

    memset(blocks, 0, sizeof(blocks));
    tap_eq(l4_heap_reserve(RESERVE), 0, "96 KiB of heap are made present");
    l4_stack_reserve(8 * KIB);
    messages();
    sent = messages();
    sent = messages() - sent; /* what the counting itself sends */
    blocks_get(blocks, 0);
    l4_no_fault_begin();
    n = blocks_get(blocks, RESERVE);
    faulted = l4_no_fault_end(NULL);
    tap_ok(n > 60, "blocks of all sizes come of them");
    tap_eq(faulted, 0, "without a fault");
    for (unsigned i = 0; i < n; i++)
        good += blocks[i][0] == (char)(i + 1);
    tap_eq(good, n, "they do not overlap");
    for (unsigned i = 0; i < n; i++)
        free(blocks[i]);
    tap_eq(l4_heap_reserve(RESERVE), 0, "what is free again is enough");
    messages();
    sent += messages();
    n = blocks_get(blocks, RESERVE);
    tap_ok(n > 60 && messages() == sent, "and no message is sent");
    for (unsigned i = 0; i < n; i++)
        blocks[i] = realloc(blocks[i], 3000);
    for (unsigned i = good = 0; i < n; i++)
        good += blocks[i][0] == (char)(i + 1);
    tap_eq(good, n, "blocks grow into the rest of the heap");
    for (unsigned i = 0; i < n; i++)
        free(blocks[i]);
}

static void heap_refuses(void)
{
    l4_umword_t words[L4RE_DS_STATS_NUM] = {0}, after[L4RE_DS_STATS_NUM] = {0};
    void *kept = malloc(100);

    tap_eq(l4_heap_reserve(1UL << 40), -L4_ENOMEM, "more than there is is refused");
    tap_ok(l4_heap_reserve(~0UL) == -L4_ENOMEM && l4_heap_reserve(64UL << 20) == -L4_ENOMEM,
           "so is more than the quota, and 2^64 bytes");
    tap_eq(l4_heap_reserve(0), 0, "the reserve is not needed any more");
    free(kept);
    l4re_stats_get(l4re_env()->mem_alloc, L4RE_STATS_GET_OP, 0, words, L4RE_DS_STATS_NUM);
    tap_ok(l4_heap_reserve(256 * KIB) == 0 && l4_heap_reserve(0) == 0, "another comes and goes");
    l4re_stats_get(l4re_env()->mem_alloc, L4RE_STATS_GET_OP, 0, after, L4RE_DS_STATS_NUM);
    tap_ok(after[L4RE_DS_STATS_FRAMES] == words[L4RE_DS_STATS_FRAMES] &&
           after[L4RE_DS_STATS_DATASPACES] == words[L4RE_DS_STATS_DATASPACES],
           "and leaves no frame behind");
}

/* Faults at its leisure while main() is in a section. */
static void *faulter(void *unused)
{
    pthread_barrier_wait(&meeting);
    for (int i = 6; i < 10; i++)
        pages[i][0] = 1;
    pthread_barrier_wait(&meeting);
    return unused;
}

/* A section of its own, while main() faults. */
static void *watched(void *result)
{
    l4_no_fault_begin();
    pages[10][0] = 1;
    *(long *)result = l4_no_fault_end(NULL);
    return NULL;
}

static void threads(void)
{
    pthread_t t;
    long seen = -1;

    pthread_barrier_init(&meeting, NULL, 2);
    pthread_create(&t, NULL, faulter, NULL);
    pthread_barrier_wait(&meeting);
    l4_no_fault_begin();
    pthread_barrier_wait(&meeting);
    seen = l4_no_fault_end(NULL);
    tap_ok(pages[9][0] == 1 && seen == 0, "the faults of another thread are not ours");
    pthread_join(t, NULL);
    pthread_create(&t, NULL, watched, &seen);
    pthread_join(t, NULL);
    tap_eq(seen, 1, "another thread has a section of its own");
}

static volatile long raw_seen;

static void raw(void)
{
    l4_no_fault_begin();
    pages[11][0] = 1;
    pages[12][0] = 1;
    raw_seen = l4_no_fault_end(NULL);
    l4_sleep_forever();
}

static void raw_thread(void)
{
    static char raw_stack[STACK] __attribute__((aligned(16)));
    l4_cap_idx_t thread = l4re_util_cap_alloc();

    raw_seen = -1;
    l4util_create_thread(thread, l4re_util_utcb_alloc(), l4re_env()->factory, (l4_umword_t)raw,
                         (l4_umword_t)(raw_stack + STACK), l4re_env()->rm, L4RE_THIS_TASK_CAP,
                         l4re_env()->scheduler, l4_sched_param(80, 0));
    while (raw_seen == -1)
        usleep(100);
    tap_eq(raw_seen, 2, "and so has a thread of L4");
    l4_task_delete_obj(L4_BASE_TASK_CAP, thread);
}

static long ask(l4_umword_t utcb, l4_umword_t begin)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = L4RE_RM_NO_FAULT_OP;
    u->msg.mr[1] = utcb;
    u->msg.mr[2] = begin;
    return l4_error(l4_ipc_call(l4re_env()->rm, u, l4_msgtag(L4RE_PROTO_RM, 3, 0, 0),
                                L4_IPC_NEVER));
}

static void hostile(void)
{
    int begun = 0, ended = 0;

    tap_eq(ask(0, 1), -L4_EINVAL, "a section of nobody");
    tap_eq(ask(~0UL, 0), -L4_ENOENT, "the end of one that is not");
    while (begun < 1000 && ask(0x1000UL + (l4_umword_t)begun, 1) == 0)
        begun++;
    tap_ok(begun > 0 && begun < 1000, "there are not more than there is room for");
    tap_eq(l4_no_fault_begin(), -L4_ENOMEM, "then there is none for us");
    pages[13][0] = 1;
    tap_eq(pages[13][0], 1, "and our faults are served as ever");
    for (int i = 0; i < begun; i++)
        ended += ask(0x1000UL + (l4_umword_t)i, 0) == 0;
    tap_eq(ended, begun, "all of them end");
    tap_ok(l4_no_fault_begin() == 0 && l4_no_fault_end(NULL) == 0, "and there is room again");
}

int main(void)
{
    heap(); /* first, when malloc() has never run */
    heap_refuses();
    stack();
    sections();
    threads();
    raw_thread();
    hostile();
    return tap_done();
}
