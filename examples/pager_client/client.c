/*
 * pager_client/client.c - reads the dataspace of examples/pager and says what it found
 */
#include <l4/re/c/dataspace.h>
#include <l4/re/c/namespace.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/stats.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/err.h>

#include <abi/stats.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *what, long err)
{
    printf("client: %s: %ld\n", what, err);
    return 1;
}

/* Every word of page n is n. */
static bool page_is_right(const l4_umword_t *words, l4_umword_t n)
{
    for (unsigned i = 0; i < L4_PAGESIZE / sizeof(*words); i++)
        if (words[i] != n)
            return false;
    return true;
}

int main(void)
{
    l4_cap_idx_t ds = l4re_util_cap_alloc();
    l4_umword_t maps, pages;
    void *start = NULL;
    long err;

    err = l4re_ns_query_srv(l4re_env_get_cap("pattern"), "pattern", ds);
    if (err < 0)
        return fail("no dataspace", err);
    pages = l4re_ds_size(ds) >> L4_PAGESHIFT;
    err = l4re_rm_attach(&start, pages << L4_PAGESHIFT, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_R, ds, 0,
                         L4_PAGESHIFT);
    if (err < 0)
        return fail("cannot attach it", err);
    for (l4_umword_t n = 0; n < pages; n += 3)
        if (!page_is_right((const l4_umword_t *)((char *)start + (n << L4_PAGESHIFT)), n))
            return fail("wrong words in page", n);
    if (l4re_stats_get(ds, L4RE_STATS_GET_OP, 0, &maps, 1) < 1 || maps != (pages + 2) / 3)
        return fail("the pager was not asked once for each page touched", maps);
    err = l4re_ds_map(ds, 0, L4RE_DS_F_RW, (l4_addr_t)start, (l4_addr_t)start,
                      (l4_addr_t)start + L4_PAGESIZE);
    if (err != -L4_EPERM)
        return fail("asking for a writable page gave", err);
    printf("client: %lu pages, %lu touched, each the right one\n", pages, maps);
    return 0;
}
