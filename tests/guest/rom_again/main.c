/*
 * rom_again/main.c - the clients of rom go on when it ends and begins again
 *
 * rom is less important than we are: while we work, it does not answer, and the root task ends it.
 * Our own program's file is one of its dataspaces.
 */
#include "tap.h"

#include <l4/re/c/dataspace.h>
#include <l4/re/c/namespace.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/util/rdtsc.h>

enum { LIVES = 4, LIFE_CYCLES = 400000000 };

static unsigned long sum(const unsigned char *p, unsigned long n)
{
    unsigned long s = 0;

    for (unsigned long i = 0; i < n; i++)
        s = s * 31 + p[i];
    return s;
}

/* Longer than the deadlines in the boot script. */
static void keep_it_from_running(void)
{
    l4_uint64_t end = l4_rdtsc() + LIFE_CYCLES;

    while (l4_rdtsc() < end)
        ;
}

int main(void)
{
    l4re_ds_t file = l4re_util_cap_alloc();
    void *at = NULL;
    unsigned long size, before;

    tap_eq(l4re_ns_query_srv(l4re_env_get_cap("rom"), "anon.elf", file), 0, "a file is opened");
    size = l4re_ds_size(file);
    tap_eq(l4re_rm_attach(&at, size, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_R, file, 0, 0), 0,
           "and attached");
    before = sum(at, size);
    for (unsigned i = 0; i < LIVES; i++) {
        keep_it_from_running();
        tap_eq((long)sum(at, size), (long)before, "it reads the same after its manager has ended");
        tap_eq(l4re_ds_size(file), size, "and answers");
    }
    tap_eq(l4re_ns_query_srv(l4re_env_get_cap("rom"), "rom.elf", file), 0,
           "the next life opens files, too");
    l4re_rm_detach(at);
    l4re_util_cap_free_um(file);
    return tap_done();
}
