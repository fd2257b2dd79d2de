/*
 * watch/main.c - does a program give back everything?
 *
 *     watch PROGRAM...     programs of the boot script with the word `later`
 *
 * Runs each, a fresh task each time, until what the system has free after a life is what it had
 * before it. What leaks leaks in every life; but servers keep a few pages of what they make in the
 * first lives, or the same objects come to lie in more pages. Exit status 0: every program ended
 * with 0 each time, and nothing is missing after one of LIVES.
 *
 * Its capabilities: starter, debugger, and sigma0 with an account, which may be small.
 */
#include <abi/stats.h>
#include <l4/re/c/starter.h>
#include <l4/re/c/stats.h>
#include <l4/re/env.h>
#include <l4/sys/debugger.h>
#include <l4/sys/err.h>

#include <stdbool.h>
#include <stdio.h>

enum { SIGMA0_FREE_WORD = 1, SIGMA0_WORDS = 5, LIVES = 9 };

enum thing { KERNEL_MEMORY, KERNEL_FREE, SIGMA0_FRAMES, MANAGER_FRAMES, THINGS };

static const char *const thing_name[THINGS] = {
    [KERNEL_MEMORY] = "bytes of kernel memory in use",
    [KERNEL_FREE] = "bytes of kernel memory free",
    [SIGMA0_FRAMES] = "frames free at sigma0",
    [MANAGER_FRAMES] = "frames in use at the memory manager",
};

static void look(l4_umword_t seen[THINGS])
{
    l4_cap_idx_t debugger = l4re_env_get_cap("debugger");
    l4_umword_t counters[L4_DBG_CNT_NUM] = {0}, sigma0[SIGMA0_WORDS] = {0};
    l4_umword_t manager[L4RE_DS_STATS_NUM] = {0};

    l4_dbg_counters(debugger, L4_INVALID_CAP, counters);
    l4_dbg_kmem(debugger, NULL, &seen[KERNEL_FREE], NULL);
    l4re_stats_get(l4re_env_get_cap("sigma0"), L4RE_STATS_GET_OP, 0, sigma0, SIGMA0_WORDS);
    l4re_stats_get(l4re_env()->mem_alloc, L4RE_STATS_TOTALS_OP, 0, manager, L4RE_DS_STATS_NUM);
    seen[KERNEL_MEMORY] = counters[L4_DBG_CNT_KMEM_USED];
    seen[SIGMA0_FRAMES] = sigma0[SIGMA0_FREE_WORD];
    seen[MANAGER_FRAMES] =
        manager[L4RE_DS_STATS_FRAMES_TOTAL] - manager[L4RE_DS_STATS_FRAMES_FREE];
}

static bool same(const char *program, const l4_umword_t before[THINGS],
                 const l4_umword_t after[THINGS], bool say)
{
    bool good = true;

    for (unsigned i = 0; i < THINGS; i++) {
        if (before[i] == after[i])
            continue;
        good = false;
        if (say)
            printf("watch: %s: %s: %lu before, %lu after\n", program, thing_name[i], before[i],
                   after[i]);
    }
    return good;
}

static bool life(const char *program)
{
    long status = l4re_starter_run(l4re_env_get_cap("starter"), program);

    if (status != 0)
        printf("watch: %s: %s %ld\n", program, status < 0 ? "cannot run:" : "exit status", status);
    return status == 0;
}

static bool watch(const char *program)
{
    l4_umword_t before[THINGS] = {0}, after[THINGS] = {0};
    bool good = false;
    long check;

    look(before); /* so that the look itself is no first time */
    if (!life(program))
        return false;
    for (unsigned i = 2; i <= LIVES && !good; i++) {
        look(before);
        if (!life(program))
            return false;
        look(after);
        good = same(program, before, after, i == LIVES);
    }
    check = l4_dbg_check(l4re_env_get_cap("debugger"));
    if (check != 0 && check != -L4_ENOSYS) {
        printf("watch: %s: the kernel's own check: %ld\n", program, check);
        return false;
    }
    return good;
}

int main(int argc, char **argv)
{
    int bad = 0;

    for (int i = 1; i < argc; i++) {
        if (watch(argv[i]))
            printf("watch: %s gave back everything\n", argv[i]);
        else
            bad++;
    }
    return bad ? 1 : 0;
}
