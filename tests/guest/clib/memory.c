/*
 * memory.c - mmap and its kin: what they give, refuse and give back
 */
#include "sets.h"

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/sys/utcb.h>

enum { PAGE = 4096, PAGES = 16, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

int main(int argc, char **argv);

static const unsigned long sizes[] = {0, ~0UL, ~0UL - PAGE, 1UL << 63, 1UL << 47,
                                      (1UL << 47) - PAGE, (1UL << 63) + PAGE};

static char *map(unsigned pages)
{
    return mmap(NULL, (size_t)pages * PAGE, RW, ANON, -1, 0);
}

static bool refused(const void *p, int error)
{
    return p == MAP_FAILED && errno == error;
}

static void sizes_and_places(void)
{
    char *p = map(1);
    int got = 0, unmapped = 0;

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        got += mmap(NULL, sizes[i], RW, ANON, -1, 0) != MAP_FAILED;
        got += mmap(p, sizes[i], RW, ANON | MAP_FIXED, -1, 0) != MAP_FAILED;
        got += mremap(p, PAGE, sizes[i], MREMAP_MAYMOVE) != MAP_FAILED;
        unmapped += syscall(SYS_munmap, p + PAGE, sizes[i]) == 0;
        unmapped += syscall(SYS_mprotect, p, sizes[i], PROT_READ) == 0 && sizes[i];
        unmapped += syscall(SYS_madvise, p, sizes[i], MADV_DONTNEED) == 0 && sizes[i];
    }
    check_eq(got, 0, "no memory of 0 or 2^47 to 2^64 bytes");
    check_eq(unmapped, 0, "and none of these ranges is unmapped, protected or cleared");
    check(refused(mmap(p + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL), "half a page");
    check(refused(mmap((void *)0xffffffff80000000, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM),
           "the kernel's place");
    check(refused(mmap(NULL, PAGE, RW, MAP_PRIVATE, 3, 0), ENODEV), "files cannot be mapped");
    p[0] = 1;
    check_eq(munmap(p, PAGE), 0, "what was mapped is unmapped");
}

/* What others have mapped stays: our text, stack, UTCBs, a dataspace that we attached. */
static void foreign_ranges(void)
{
    l4re_ds_t ds = l4re_util_cap_alloc();
    void *own = NULL;
    char *heap = malloc(100);
    int wrong;

    l4re_ma_alloc(PAGE, ds, 0);
    l4re_rm_attach(&own, PAGE, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW, ds, 0, L4_PAGESHIFT);
    memset(own, 7, PAGE);
    void *const foreign[] = {(void *)main, &wrong, l4_utcb(), own, heap, (void *)0x70000000,
                             (void *)0x10000};
    wrong = 0;
    for (unsigned i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
        void *page = (void *)((unsigned long)foreign[i] & ~(PAGE - 1UL));

        wrong += munmap(page, PAGE) == 0 || errno != EINVAL;
        wrong += mprotect(page, PAGE, PROT_NONE) == 0 || errno != ENOMEM;
        wrong += madvise(page, PAGE, MADV_DONTNEED) == 0 || errno != ENOMEM;
        wrong += mremap(page, PAGE, 2 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED || errno != EFAULT;
        if (i != sizeof(foreign) / sizeof(foreign[0]) - 1)
            wrong += mmap(page, PAGE, RW, ANON | MAP_FIXED, -1, 0) != MAP_FAILED;
    }
    check_eq(wrong, 0, "foreign ranges are refused");
    check(((char *)own)[PAGE - 1] == 7, "and keep what they hold");
    l4re_rm_detach(own);
    l4re_util_cap_free_um(ds);
    free(heap);
}

/* Each second page goes, comes again elsewhere, goes in one: counted in frames. */
static void pieces(void)
{
    long before, held;
    char *p;
    int wrong = 0;

    munmap(map(PAGES), PAGES * PAGE); /* the list's nodes have pages now */
    before = frames_used();
    p = map(PAGES);
    memset(p, 5, PAGES * PAGE);
    held = frames_used() - before;
    check(held >= PAGES && held <= PAGES + 1, "16 pages that are written take 16 frames");
    for (unsigned i = 1; i < PAGES; i += 2)
        wrong += munmap(p + i * PAGE, PAGE) != 0;
    for (unsigned i = 0; i < PAGES; i += 2)
        wrong += p[i * PAGE] != 5;
    check_eq(wrong, 0, "each second page is unmapped, the others stay");
    check(mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == p + PAGE && p[PAGE] == 0,
           "a hole is mapped again, zeroed");
    check(mmap(p, PAGE, RW, ANON | MAP_FIXED, -1, 0) == p && p[0] == 0,
           "a page is replaced by a fresh one");
    check_eq(madvise(p + 2 * PAGE, PAGE, MADV_DONTNEED), 0, "a page that is not needed");
    check_eq(p[2 * PAGE], 0, "reads as zero");
    check_eq(munmap(p, PAGES * PAGE), 0, "all goes, with its holes");
    check_eq(frames_used(), before, "all frames are back");
}

static void rights_and_sizes(void)
{
    char *p = map(4), *q;

    memset(p, 9, 4 * PAGE);
    check_eq(mprotect(p + PAGE, 2 * PAGE, PROT_READ), 0, "two pages become read-only");
    check_eq(read(open("clib.elf", 0), p + PAGE, 10), -1, "reading into them fails");
    check(errno == EFAULT && p[PAGE] == 9, "and changes nothing");
    check_eq(mprotect(p, 4 * PAGE, RW), 0, "all become writable again");
    p[PAGE] = p[2 * PAGE] = 8;
    q = mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
    check(q != MAP_FAILED && q[0] == 9 && q[PAGE] == 8 && q[7 * PAGE] == 0,
           "a larger one has the old contents");
    check(mremap(q, 8 * PAGE, PAGE, 0) == q && q[0] == 9, "a smaller one stays in its place");
    check(mremap(q, PAGE, 2 * PAGE, 0) == MAP_FAILED && errno == ENOMEM, "none grows in place");
    check_eq(munmap(q, PAGE), 0, "it goes");
}

/* The compiler knows malloc(), and what it may leave out. */
static void *(*volatile obtain)(size_t size) = malloc;

/* Many, and more than there can be. */
static void exhaustion(void)
{
    enum { CHUNK = 64 };
    static char *chunks[64];
    unsigned n = 0;
    long before = frames_used();

    while (n < 64 && (chunks[n] = map(CHUNK)) != MAP_FAILED)
        n++;
    for (unsigned i = 0; i < n; i++)
        munmap(chunks[i], CHUNK * PAGE);
    check_eq(frames_used(), before, "many mappings come and go");
    errno = 0;
    check(!obtain(1UL << 47) && errno == ENOMEM, "a block of 2^47 bytes is ENOMEM");
    check(!obtain(~0UL) && !obtain(~0UL - 4096), "so is one of nearly 2^64");
}

void test_memory(void)
{
    sizes_and_places();
    foreign_ranges();
    pieces();
    rights_and_sizes();
    exhaustion();
}
