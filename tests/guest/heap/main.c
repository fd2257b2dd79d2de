/*
 * heap/main.c - runs programs that use their heaps well and badly (user/main.c)
 */
#include "balance.h"
#include "tap.h"

#include <l4/re/c/starter.h>

enum { ABORTED = 134 };

static long run(const char *program)
{
    return l4re_starter_run(l4re_env_get_cap("starter"), program);
}

int main(void)
{
    struct balance before;

    tap_eq(run("replay"), 0, "three real programs find in their blocks what they wrote");
    tap_eq(run("replay_c"), 0, "with check, too, which finds nothing");
    tap_eq(run("threads"), 0, "threads share a heap");
    tap_eq(run("gives"), 0, "memory that is free goes back to the allocator");
    before = balance_look();
    tap_eq(run("overflow"), ABORTED, "a byte behind a block is found when it is freed");
    tap_eq(run("front"), ABORTED, "so is one in front of an aligned block");
    tap_eq(run("twice"), ABORTED, "so is a block that is freed twice");
    tap_eq(run("after"), ABORTED, "and one that is written to after that");
    tap_eq(run("inside"), ABORTED, "and an address in a block that is not the block's");
    tap_eq(run("wild"), ABORTED, "what is no block is not freed, without check, too");
    tap_eq(run("foreign"), ABORTED, "nor is a variable");
    tap_eq(run("replay"), 0, "others go on as before");
    tap_ok(balance_same(before, balance_look()), "all memory is back");
    return tap_done();
}
