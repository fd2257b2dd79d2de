/*
 * heap/main.c - runs programs that use their heaps well and badly (user/main.c)
 */
#include "tap.h"

#include <abi/stats.h>
#include <l4/re/c/starter.h>
#include <l4/re/c/stats.h>
#include <l4/re/env.h>
#include <l4/sys/debugger.h>

enum { ABORTED = 134 };

static long run(const char *program)
{
    return l4re_starter_run(l4re_env_get_cap("starter"), program);
}

static void look(l4_umword_t *frames, l4_umword_t *kernel)
{
    l4_umword_t words[L4RE_DS_STATS_NUM] = {0}, counters[L4_DBG_CNT_NUM] = {0};

    l4re_stats_get(l4re_env()->mem_alloc, L4RE_STATS_TOTALS_OP, 0, words, L4RE_DS_STATS_NUM);
    l4_dbg_counters(l4re_env_get_cap("debugger"), L4_INVALID_CAP, counters);
    *frames = words[L4RE_DS_STATS_FRAMES];
    *kernel = counters[L4_DBG_CNT_KMEM_USED];
}

int main(void)
{
    l4_umword_t frames, kernel, frames_after, kernel_after;

    tap_eq(run("replay"), 0, "three real programs find in their blocks what they wrote");
    tap_eq(run("replay_c"), 0, "with check, too, which finds nothing");
    tap_eq(run("threads"), 0, "threads share a heap");
    tap_eq(run("gives"), 0, "memory that is free goes back to the allocator");
    look(&frames, &kernel);
    tap_eq(run("overflow"), ABORTED, "a byte behind a block is found when it is freed");
    tap_eq(run("front"), ABORTED, "so is one in front of an aligned block");
    tap_eq(run("twice"), ABORTED, "so is a block that is freed twice");
    tap_eq(run("after"), ABORTED, "and one that is written to after that");
    tap_eq(run("inside"), ABORTED, "and an address in a block that is not the block's");
    tap_eq(run("wild"), ABORTED, "what is no block is not freed, without check, too");
    tap_eq(run("foreign"), ABORTED, "nor is a variable");
    tap_eq(run("replay"), 0, "others go on as before");
    look(&frames_after, &kernel_after);
    tap_eq((long)frames_after, (long)frames, "all frames are back");
    tap_eq((long)kernel_after, (long)kernel, "and all kernel memory");
    return tap_done();
}
