/*
 * heaptrace.c - records what a program of the host asks of its heap (a preloaded library)
 *
 *     clang -shared -fPIC -O2 -o build/heaptrace.so tools/heaptrace.c
 *     HEAPTRACE=build/heap.raw LD_PRELOAD=build/heaptrace.so sort README.md > /dev/null
 *     tools/heaptrace build/heap.raw tests/traces/sort.trace
 *
 * Writes 32 bytes a call: operation (0 malloc, 1 free, 2 realloc), size, address, old address.
 * Only the first process is recorded, from its first thread's calls to the end of the file limit.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MALLOC, FREE, REALLOC, CALLS_MAX = 200000, EARLY = 65536 };

static void *(*real_malloc)(size_t), *(*real_realloc)(void *, size_t);
static void (*real_free)(void *);
static char early[EARLY]; /* what dlsym() itself asks for */
static size_t early_used;
static int out = -1;
static unsigned calls;

static void record(uint64_t op, uint64_t size, const void *p, const void *old)
{
    uint64_t words[4] = {op, size, (uint64_t)p, (uint64_t)old};

    if (out >= 0 && calls++ < CALLS_MAX && write(out, words, sizeof(words)) < 0)
        out = -1;
}

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("HEAPTRACE");

    real_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    real_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    real_free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
    if (name)
        out = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
}

void *malloc(size_t size)
{
    void *p;

    if (!real_malloc) {
        p = early + early_used;
        early_used += (size + 15) & ~(size_t)15;
        return p;
    }
    p = real_malloc(size);
    record(MALLOC, size, p, NULL);
    return p;
}

void free(void *p)
{
    if ((char *)p >= early && (char *)p < early + EARLY)
        return;
    if (p)
        record(FREE, 0, NULL, p);
    if (real_free)
        real_free(p);
}

void *calloc(size_t n, size_t size)
{
    void *p = malloc(n * size);

    return p ? memset(p, 0, n * size) : NULL;
}

void *realloc(void *old, size_t size)
{
    void *p;

    if (!old || ((char *)old >= early && (char *)old < early + EARLY))
        return malloc(size);
    p = real_realloc(old, size);
    record(REALLOC, size, p, old);
    return p;
}
