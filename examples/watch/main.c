/*
 * watch/main.c - does a program give back everything?
 *
 *     watch PROGRAM...     programs of the boot script with the word `later`
 *
 * Runs each twice, a fresh task each time: what the second life leaves behind is a leak. (The
 * first one may: servers keep a few pages of what they make then.) Only the kernel's free pages may
 * take up to LIVES lives until one leaves no fewer than it found, because the same objects can come
 * to lie in more pages, or in fewer; all else must be equal after each of these. Exit status 0:
 * every program ended with 0 each time, and nothing is missing.
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

enum { LIVES = 4 };

enum thing { KERNEL_MEMORY, SIGMA0_FRAMES, MANAGER_FRAMES, KERNEL_FREE, THINGS };

static const char *const thing_name[THINGS] = {
    [KERNEL_MEMORY] = "bytes of kernel memory in use",
    [SIGMA0_FRAMES] = "frames free at sigma0",
    [MANAGER_FRAMES] = "frames in use at the memory manager",
    [KERNEL_FREE] = "bytes of kernel memory free",
};

/* False: somebody did not answer. */
static bool look(l4_umword_t seen[THINGS])
{
    l4_cap_idx_t debugger = l4re_env_get_cap("debugger");
    l4_umword_t counters[L4_DBG_CNT_NUM] = {0}, sigma0[L4RE_SIGMA0_STATS_NUM] = {0};
    l4_umword_t manager[L4RE_DS_STATS_NUM] = {0};
    bool good = l4_dbg_counters(debugger, L4_INVALID_CAP, counters) >= 0;

    good &= l4_dbg_kmem(debugger, NULL, &seen[KERNEL_FREE], NULL) >= 0;
    good &= l4re_stats_get(l4re_env_get_cap("sigma0"), L4RE_STATS_GET_OP, 0, sigma0,
                           L4RE_SIGMA0_STATS_NUM) > L4RE_SIGMA0_STATS_FREE;
    good &= l4re_stats_get(l4re_env()->mem_alloc, L4RE_STATS_TOTALS_OP, 0, manager,
                           L4RE_DS_STATS_NUM) > L4RE_DS_STATS_FRAMES_FREE;
    seen[KERNEL_MEMORY] = counters[L4_DBG_CNT_KMEM_USED];
    seen[SIGMA0_FRAMES] = sigma0[L4RE_SIGMA0_STATS_FREE];
    seen[MANAGER_FRAMES] =
        manager[L4RE_DS_STATS_FRAMES_TOTAL] - manager[L4RE_DS_STATS_FRAMES_FREE];
    if (!good)
        printf("watch: kernel, sigma0 or the memory manager does not tell what it has\n");
    return good;
}

static bool same(const char *program, enum thing thing, const l4_umword_t before[THINGS],
                 const l4_umword_t after[THINGS])
{
    if (before[thing] == after[thing])
        return true;
    printf("watch: %s: %s: %lu before, %lu after\n", program, thing_name[thing], before[thing],
           after[thing]);
    return false;
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
    bool good = look(before) && life(program); /* so that the look itself is no first time */
    unsigned lives = 1;
    long check;

    do {
        good = good && look(before) && life(program) && look(after);
        for (unsigned i = 0; i < KERNEL_FREE && good; i++)
            good = same(program, i, before, after);
        lives++;
    } while (good && before[KERNEL_FREE] > after[KERNEL_FREE] && lives < LIVES);
    good = good && (before[KERNEL_FREE] <= after[KERNEL_FREE] ||
                    same(program, KERNEL_FREE, before, after));
    check = l4_dbg_check(l4re_env_get_cap("debugger"));
    if (check == 0 || check == -L4_ENOSYS)
        return good;
    printf("watch: %s: the kernel's own check: %ld\n", program, check);
    return false;
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
