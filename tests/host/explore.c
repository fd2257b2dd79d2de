/*
 * explore.c - all states of a compiled module, breadth first (see explore.h)
 */
#include "explore.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#pragma clang attribute push(__attribute__((no_sanitize("address"))), apply_to = function)

/* ---- the log of stores ---- */

struct undo {
    uint64_t *word, old;
};

enum { LOG_MAX = 1 << 22, STATES_MAX = 1 << 26, CHECK_MEMORY = 64, PATIENCE_S = 20 };

extern char __data_start[], _end[];
static struct undo *undo_log;
static size_t logged;

static void log_words(void *address, size_t bytes)
{
    uint64_t *word = (uint64_t *)((uintptr_t)address & ~7UL);
    uint64_t *end = (uint64_t *)((uintptr_t)address + bytes);

    if ((char *)address < __data_start || (char *)address >= _end)
        return; /* somebody's stack */
    for (; word < end && logged < LOG_MAX; word++)
        undo_log[logged++] = (struct undo){word, *word};
}

static void undo_to(size_t mark)
{
    while (logged > mark) {
        logged--;
        *undo_log[logged].word = undo_log[logged].old;
    }
}

void explore_store(uint64_t *word, uint64_t value)
{
    log_words(word, sizeof(*word));
    *word = value;
}

/* What the compiler calls before each store, and for larger ones. */
void __asan_store1(void *p);
void __asan_store2(void *p);
void __asan_store4(void *p);
void __asan_store8(void *p);
void __asan_store16(void *p);
void __asan_storeN(void *p, size_t n);
void *__asan_memset(void *p, int c, size_t n);
void *__asan_memcpy(void *to, const void *from, size_t n);
void *__asan_memmove(void *to, const void *from, size_t n);
void __asan_init(void);
void __asan_version_mismatch_check_v8(void);
void __asan_handle_no_return(void);

void __asan_store1(void *p)
{
    log_words(p, 1);
}

void __asan_store2(void *p)
{
    log_words(p, 2);
}

void __asan_store4(void *p)
{
    log_words(p, 4);
}

void __asan_store8(void *p)
{
    log_words(p, 8);
}

void __asan_store16(void *p)
{
    log_words(p, 16);
}

void __asan_storeN(void *p, size_t n)
{
    log_words(p, n);
}

void *__asan_memset(void *p, int c, size_t n)
{
    log_words(p, n);
    return memset(p, c, n);
}

void *__asan_memcpy(void *to, const void *from, size_t n)
{
    log_words(to, n);
    return memcpy(to, from, n);
}

void *__asan_memmove(void *to, const void *from, size_t n)
{
    log_words(to, n);
    return memmove(to, from, n);
}

/* Before the program's constructors: the log has to be there first. */
void __asan_init(void)
{
    if (!undo_log)
        undo_log = mmap(NULL, LOG_MAX * sizeof(*undo_log), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

void __asan_version_mismatch_check_v8(void)
{
}

void __asan_handle_no_return(void)
{
}

/* ---- the states that are known ---- */

struct state {
    uint32_t from;
    uint16_t op;
    uint16_t depth;
};

static const struct explore *universe;
static struct state *states;
static uint8_t *keys;
static uint32_t *table; /* state + 1 at the place of its key; open addressing */
static uint64_t table_mask;
static struct explored result;
static uint32_t here;
static unsigned trying;

static uint64_t hash(const uint8_t *bytes, size_t n)
{
    uint64_t h = 0x9e3779b97f4a7c15UL, word;

    for (; n >= 8; n -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdUL;
        h ^= h >> 32;
    }
    for (; n; n--, bytes++)
        h = (h ^ *bytes) * 0xff51afd7ed558ccdUL;
    return h ^ h >> 29;
}

static uint8_t *key_of(uint64_t state)
{
    return keys + state * universe->key_size;
}

static void table_grow(void)
{
    uint64_t size = (table_mask + 1) * 4;

    free(table);
    table = calloc(size, sizeof(*table));
    EXPECT(table);
    table_mask = size - 1;
    for (uint64_t s = 0; s < result.states; s++) {
        uint64_t at = hash(key_of(s), universe->key_size) & table_mask;

        while (table[at])
            at = (at + 1) & table_mask;
        table[at] = (uint32_t)s + 1;
    }
}

/* True: the state was not known. */
static bool enter(const uint8_t *key, uint32_t from, unsigned op, unsigned depth)
{
    uint64_t at = hash(key, universe->key_size) & table_mask;

    for (; table[at]; at = (at + 1) & table_mask)
        if (!memcmp(key_of(table[at] - 1), key, universe->key_size))
            return false;
    EXPECT(result.states < STATES_MAX);
    table[at] = (uint32_t)result.states + 1;
    memcpy(key_of(result.states), key, universe->key_size);
    states[result.states++] = (struct state){from, (uint16_t)op, (uint16_t)depth};
    if (result.states * 2 > table_mask)
        table_grow();
    return true;
}

static void *reserve(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    EXPECT(p != MAP_FAILED);
    return p;
}

/* ---- the search ---- */

/* The operations that led to a state, in order; how many. */
static unsigned path_to(uint32_t s, uint16_t *path)
{
    unsigned n = states[s].depth;

    for (unsigned i = n; i; i--) {
        path[i - 1] = states[s].op;
        s = states[s].from;
    }
    return n;
}

void explore_report(void)
{
    uint16_t path[256];
    unsigned n;

    printf("# %s: state %u, after\n", universe->name, here);
    n = path_to(here, path);
    for (unsigned i = 0; i < n; i++)
        universe->tell(path[i]);
    printf("# and now\n");
    universe->tell(trying);
    universe->show();
    fflush(stdout);
}

/* Processor time of the next state, 0: no limit. A state takes milliseconds; on a busy host its
 * process may stand still for half a minute. */
static void patience(time_t seconds)
{
    setitimer(ITIMER_PROF, &(struct itimerval){.it_value.tv_sec = seconds}, NULL);
}

/* An operation does not come to an end. */
static void too_long(int signal)
{
    (void)signal;
    explore_report();
    abort();
}

static void try_all(const struct explore *x)
{
    uint8_t key[EXPLORE_KEY], saved[8192];
    size_t mark = logged;

    EXPECT(x->beside_size <= sizeof(saved));
    memcpy(saved, x->beside, x->beside_size);
    for (trying = 0; trying < x->operations; trying++) {
        x->run(trying, 1);
        EXPECT(logged < LOG_MAX);
        result.transitions++;
        memset(key, 0, sizeof(key));
        if (!x->key(key))
            result.outside++;
        else if (enter(key, here, trying, states[here].depth + 1u))
            x->check();
        undo_to(mark);
        memcpy(x->beside, saved, x->beside_size);
    }
}

struct explored explore(const struct explore *x)
{
    uint8_t key[EXPLORE_KEY] = {0}, first[8192];
    uint64_t memory = hash(x->memory, x->memory_size);
    uint16_t path[256];

    universe = x;
    signal(SIGPROF, too_long);
    result = (struct explored){0};
    states = reserve(STATES_MAX * sizeof(*states));
    keys = reserve(STATES_MAX * x->key_size);
    table_mask = (1UL << 16) - 1;
    table = calloc(table_mask + 1, sizeof(*table));
    EXPECT(table && x->key_size <= EXPLORE_KEY && x->beside_size <= sizeof(first));
    memcpy(first, x->beside, x->beside_size);
    logged = 0;
    EXPECT(x->key(key) && enter(key, 0, 0, 0));
    x->check();
    for (here = 0; here < result.states; here++) {
        unsigned n = path_to(here, path);

        patience(PATIENCE_S);
        for (unsigned i = 0; i < n; i++)
            x->run(path[i], 0);
        try_all(x);
        result.depth = n;
        undo_to(0);
        memcpy(x->beside, first, x->beside_size);
        if (here % CHECK_MEMORY == 0)
            EXPECT(hash(x->memory, x->memory_size) == memory);
    }
    patience(0);
    munmap(states, STATES_MAX * sizeof(*states));
    munmap(keys, STATES_MAX * x->key_size);
    free(table);
    printf("# %s: %lu states, %lu transitions, %lu of them beyond, depth %u\n", x->name,
           result.states, result.transitions, result.outside, result.depth);
    fflush(stdout);
    return result;
}

#pragma clang attribute pop
