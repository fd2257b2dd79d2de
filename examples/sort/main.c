/*
 * sort/main.c - the demonstration: sort a file in demand-paged memory
 *
 *     sort FILE     FILE is a boot module, a dataspace of the manager "rom"
 *
 * An ordinary C program. Its text, data, stack and heap, the file and the 32 MiB that it sorts in
 * all arrive page by page: the first access to each is a page fault, which the kernel sends to the
 * region manager of this task, which asks the dataspace's manager, which answers with the page.
 *
 * It prints SHA-256 of the file and of the sorted records (records.h says what that is exactly),
 * then the story of one of its faults, and what every layer counted. Exit status 0: all agree.
 */
#include "layers.h"
#include "records.h"
#include "sha256.h"
#include "story.h"

#include <l4/re/c/dataspace.h>
#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/namespace.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/err.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first half of the memory takes the file, the second is the other buffer of the sort. */
enum { WORK_SIZE = 32 << 20, FILE_MAX = WORK_SIZE / 2 };

/* A dataspace and where it is attached. */
struct memory {
    l4_cap_idx_t ds;
    char *start;
    l4_umword_t size; /* bytes */
};

static int fail(const char *what, long err)
{
    printf("sort: %s: %ld\n", what, err);
    return 1;
}

static long attach(struct memory *m, l4re_rm_flags_t rights)
{
    void *start = NULL;
    long err = l4re_rm_attach(&start, m->size, L4RE_RM_F_SEARCH_ADDR | rights, m->ds, 0,
                              L4_SUPERPAGESHIFT);

    m->start = start;
    return err;
}

static long file_open(const char *name, struct memory *file)
{
    l4re_ds_stats_t info;
    long err;

    file->ds = l4re_util_cap_alloc();
    err = l4re_ns_query(l4re_env_get_cap("rom"), name, strlen(name), file->ds);
    if (err < 0)
        return err;
    if ((err = l4re_ds_info(file->ds, &info)) < 0)
        return err;
    file->size = info.size;
    if (file->size > FILE_MAX)
        return -L4_E2BIG;
    return attach(file, L4RE_RM_F_R);
}

static long work_open(struct memory *work)
{
    long err;

    work->size = WORK_SIZE;
    work->ds = l4re_util_cap_alloc();
    if ((err = l4re_ma_alloc(WORK_SIZE, work->ds, 0)) < 0)
        return err;
    return attach(work, L4RE_RM_F_RW);
}

static void print_hash(const char *what, const void *data, l4_umword_t size)
{
    char *hex = malloc(2 * SHA256_SIZE + 1);

    if (!hex)
        exit(fail("no memory for a digest", -L4_ENOMEM));
    sha256_hex(data, size, hex);
    printf("%s sha256 %s\n", what, hex);
    free(hex);
}

/* Copy the file into the work memory. The first access to its middle page becomes the story. */
static void load(const struct memory *file, const struct memory *work, struct story *story)
{
    l4_umword_t middle = (file->size / 2) & L4_PAGEMASK;

    memcpy(work->start, file->start, middle);
    story->ds = work->ds;
    story->ds_start = (l4_addr_t)work->start;
    story->address = (l4_addr_t)work->start + middle;
    char first = file->start[middle]; /* the file's page is there before the recording begins */
    story_begin(story);
    *(volatile char *)story->address = first;
    story_end(story);
    memcpy(work->start + middle, file->start + middle, file->size - middle);
}

/* Sort the whole records; the rest of the file stays behind them. Returns where the result is. */
static char *sort(const struct memory *work, l4_umword_t size)
{
    l4_umword_t count = size / RECORD_SIZE, rest = size % RECORD_SIZE;
    char *other = work->start + FILE_MAX;
    char *sorted = (char *)records_sort((struct record *)work->start, (struct record *)other,
                                        count);

    if (sorted != work->start)
        memcpy(sorted + size - rest, work->start + size - rest, rest);
    return sorted;
}

/* The counters are read twice: the first time may itself cause faults. */
static int report(const struct memory *file, const struct memory *work, const struct story *story)
{
    struct layers_input in = {
        .debugger = l4re_env_get_cap("debugger"),
        .file = file->ds,
        .work = work->ds,
        .work_size = WORK_SIZE,
    };
    struct layers *l = calloc(1, sizeof(*l));
    bool ok;

    printf("\nthe story of one page fault\n");
    ok = story_tell(story);
    printf("\nwhat every layer counted\n");
    if (!l || layers_read(&in, l) != 0 || layers_read(&in, l) != 0)
        return fail("no counters", -L4_EIO);
    layers_count_frames(&in, l);
    layers_print(l);
    printf("\nthe layers agree\n");
    ok &= layers_agree(l);
    free(l);
    printf(ok ? "sort: done\n" : "sort: the layers do not agree\n");
    return ok ? 0 : 2;
}

int main(int argc, char **argv)
{
    struct memory file, work;
    struct story story = {.debugger = l4re_env_get_cap("debugger")};
    long err;

    if (argc != 2)
        return fail("one argument, the name of a module; given", argc - 1);
    if ((err = file_open(argv[1], &file)) < 0)
        return fail("cannot open the file", err);
    printf("sort: %s, %lu bytes, %lu records; %d MiB of memory to sort in\n", argv[1], file.size,
           file.size / RECORD_SIZE, WORK_SIZE >> 20);
    if (file.size == 0)
        return fail("the file is empty", 0);
    print_hash("input ", file.start, file.size);
    if ((err = work_open(&work)) < 0)
        return fail("no memory to sort in", err);
    load(&file, &work, &story);
    print_hash("sorted", sort(&work, file.size), file.size);
    return report(&file, &work, &story);
}
