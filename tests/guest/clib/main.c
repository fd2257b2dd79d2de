/*
 * clib/main.c - the C library of ordinary programs: what it gives, refuses, and gives back
 */
#include "sets.h"
#include "balance.h"
#include "tap.h"

#include <l4/re/c/starter.h>

bool check(bool good, const char *sentence)
{
    return tap_ok(good, sentence);
}

bool check_eq(long seen, long expected, const char *sentence)
{
    return tap_eq(seen, expected, sentence);
}

long frames_used(void)
{
    return (long)ds_stat(l4re_env()->mem_alloc, L4RE_STATS_GET_OP, L4RE_DS_STATS_FRAMES);
}

/* Each program twice: what the first life leaves behind is kept for the next ones. */
void test_ends(void)
{
    static const struct {
        const char *name;
        int status;
    } programs[] = {
        {"in_thread", 23}, {"in_raw", 24}, {"by_last", 25}, {"by_abort", 134}, {"by_assert", 134},
        {"by_signal", 143}, {"by_null", 255}, {"no_files", 26},
    };
    l4_cap_idx_t starter = l4re_env_get_cap("starter");

    for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        struct balance before;

        tap_eq(l4re_starter_run(starter, programs[i].name), programs[i].status, programs[i].name);
        before = balance_look();
        tap_eq(l4re_starter_run(starter, programs[i].name), programs[i].status, "a second life");
        tap_ok(balance_same(before, balance_look()), "all memory is as before it");
    }
}

int main(int argc, char **argv)
{
    test_functions(argc, argv);
    test_calls();
    test_memory();
    test_threads();
    test_ends();
    tap_eq(l4_dbg_check(l4re_env_get_cap("debugger")), 0, "the kernel's own checks hold");
    return tap_done();
}
