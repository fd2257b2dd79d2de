/*
 * layers.c - what each layer counted for this program, and whether the layers agree
 *
 * The way of a fault goes through four servers that do not know each other's counters:
 *
 *     kernel   faults of this task, page-table entries entered for it
 *     rm       the region manager in this task: faults received, map calls to dataspaces
 *     anon,    the dataspace managers: map requests answered, frames
 *     rom
 *     sigma0   what it gave to anon
 *
 * If every fault went this way and no other, the numbers agree exactly.
 */
#include "layers.h"

#include <abi/env.h>
#include <l4/re/c/stats.h>
#include <l4/re/env.h>
#include <l4/sys/debugger.h>

#include <stdio.h>

/* Words of a server, exactly `n` of them. */
static long ask(const char *who, l4_cap_idx_t server, l4_umword_t op, l4_umword_t *words,
                unsigned n)
{
    long got = l4re_stats_get(server, op, 0, words, n);

    if (got >= 0 && (unsigned)got >= n)
        return 0;
    printf("sort: %s does not tell its counters: %ld\n", who, got);
    return got < 0 ? got : -L4_EIO;
}

/* Map requests to the read-only dataspaces of this program: its own image, and the input. The
 * region manager attached the image before main() began; the environment page says what. */
static long rom_maps(const struct layers_input *in, l4_umword_t *sum)
{
    const quire_env_page *env = (const quire_env_page *)QUIRE_ENV_ADDR;
    l4_umword_t words[L4RE_DS_STATS_EXTRA];
    l4_cap_idx_t counted = in->file;
    long err = ask("rom", in->file, L4RE_STATS_GET_OP, words, L4RE_DS_STATS_EXTRA);

    *sum = err == 0 ? words[L4RE_DS_STATS_MAPS] : 0;
    for (unsigned i = 0; i < env->region_count && err == 0; i++) {
        const quire_init_region *r = &env->regions[i];

        if ((r->flags & L4RE_RM_F_RESERVED) || (r->flags & L4RE_RM_F_W) || r->ds == counted)
            continue; /* writable memory is anon's; segments of the image share a dataspace */
        err = ask("rom", r->ds, L4RE_STATS_GET_OP, words, L4RE_DS_STATS_EXTRA);
        *sum += err == 0 ? words[L4RE_DS_STATS_MAPS] : 0;
        counted = r->ds;
    }
    return err;
}

void layers_count_frames(const struct layers_input *in, struct layers *l)
{
    l4_umword_t frame;

    l->work_pages = 0;
    for (l4_umword_t offset = 0; offset < in->work_size; offset += L4_PAGESIZE)
        l->work_pages += l4re_stats_get(in->work, L4RE_STATS_FRAME_OP, offset, &frame, 1) == 1;
}

long layers_read(const struct layers_input *in, struct layers *l)
{
    l4_cap_idx_t account = l4re_env()->mem_alloc;
    long err = l4_dbg_counters(in->debugger, L4_BASE_TASK_CAP, l->kernel);

    if (err < 0) {
        printf("sort: the kernel does not tell its counters: %ld\n", err);
        return err;
    }
    if ((err = ask("rm", l4re_env()->rm, L4RE_STATS_GET_OP, l->rm, L4RE_RM_STATS_NUM)) < 0)
        return err;
    if ((err = ask("anon", account, L4RE_STATS_GET_OP, l->anon, L4RE_DS_STATS_EXTRA)) < 0)
        return err;
    if ((err = ask("anon", account, L4RE_STATS_TOTALS_OP, l->total, L4RE_DS_STATS_NUM)) < 0)
        return err;
    if ((err = ask("anon", in->work, L4RE_STATS_GET_OP, l->work, L4RE_DS_STATS_EXTRA)) < 0)
        return err;
    return rom_maps(in, &l->rom_maps);
}

static void row(const char *layer, const char *what, l4_umword_t count)
{
    printf("  %-7s %-54s %10lu\n", layer, what, count);
}

/* Messages of this task that no fault accounts for. */
static l4_umword_t ipc_others(const struct layers *l)
{
    return l->kernel[L4_DBG_CNT_IPC_SEND] - 2 * l->rm[L4RE_RM_STATS_FAULTS] -
           l->rm[L4RE_RM_STATS_DS_MAPS];
}

void layers_print(const struct layers *l)
{
    const l4_umword_t *kernel = l->kernel;

    row("kernel", "page faults of this task turned into messages", kernel[L4_DBG_CNT_PAGE_FAULTS]);
    row("", "page-table entries entered for this task", kernel[L4_DBG_CNT_PAGES_MAPPED]);
    row("", "messages (IPC) delivered to threads of this task", kernel[L4_DBG_CNT_IPC_SEND]);
    row("", "  of them page faults and their answers", 2 * l->rm[L4RE_RM_STATS_FAULTS]);
    row("", "  answers of dataspace managers to map calls", l->rm[L4RE_RM_STATS_DS_MAPS]);
    row("", "  others: calls of the program and their answers", ipc_others(l));
    row("rm", "page faults received", l->rm[L4RE_RM_STATS_FAULTS]);
    row("", "page faults resolved", l->rm[L4RE_RM_STATS_RESOLVED]);
    row("", "map calls to dataspace managers", l->rm[L4RE_RM_STATS_DS_MAPS]);
    row("anon", "map requests answered for this program", l->anon[L4RE_DS_STATS_MAPS]);
    row("", "frames zeroed for it", l->anon[L4RE_DS_STATS_FILLED]);
    row("", "frames it holds", l->anon[L4RE_DS_STATS_FRAMES]);
    row("", "frames of page indexes", l->anon[L4RE_DS_STATS_INDEX_FRAMES]);
    row("", "bytes on its account", l->anon[L4RE_DS_STATS_USED]);
    row("rom", "map requests answered for this program", l->rom_maps);
    row("sigma0", "frames given to anon, in all", l->total[L4RE_DS_STATS_FRAMES_TOTAL]);
}

static bool at_least(const char *what, l4_umword_t a, l4_umword_t b)
{
    printf("  %-6s %s: %lu >= %lu\n", a >= b ? "agree" : "DIFFER", what, a, b);
    return a >= b;
}

static bool equal(const char *what, l4_umword_t a, l4_umword_t b)
{
    printf("  %-6s %s: %lu = %lu\n", a == b ? "agree" : "DIFFER", what, a, b);
    return a == b;
}

bool layers_agree(const struct layers *l)
{
    const l4_umword_t *rm = l->rm, *anon = l->anon, *all = l->total;
    bool ok = true;

    ok &= equal("faults sent by the kernel, received by rm", l->kernel[L4_DBG_CNT_PAGE_FAULTS],
                rm[L4RE_RM_STATS_FAULTS]);
    ok &= equal("faults received, resolved and rejected", rm[L4RE_RM_STATS_FAULTS],
                rm[L4RE_RM_STATS_RESOLVED] + rm[L4RE_RM_STATS_REJECTED]);
    ok &= at_least("messages delivered, two for a fault and one for a map call",
                   l->kernel[L4_DBG_CNT_IPC_SEND],
                   2 * rm[L4RE_RM_STATS_FAULTS] + rm[L4RE_RM_STATS_DS_MAPS]);
    /* More: the root task mapped the region manager itself before the start. */
    ok &= at_least("page-table entries entered, map calls of rm",
                   l->kernel[L4_DBG_CNT_PAGES_MAPPED], rm[L4RE_RM_STATS_DS_MAPS]);
    ok &= equal("map calls of rm and of copy_in, maps of anon and rom",
                rm[L4RE_RM_STATS_DS_MAPS] + anon[L4RE_DS_STATS_SOURCE_MAPS],
                anon[L4RE_DS_STATS_MAPS] + l->rom_maps);
    ok &= equal("pages of the work memory that have a frame, frames it holds", l->work_pages,
                l->work[L4RE_DS_STATS_FRAMES]);
    ok &= equal("bytes on the account, of its frames", anon[L4RE_DS_STATS_USED],
                (anon[L4RE_DS_STATS_FRAMES] + anon[L4RE_DS_STATS_INDEX_FRAMES]) << L4_PAGESHIFT);
    ok &= equal("frames of anon, in use and free", all[L4RE_DS_STATS_FRAMES_TOTAL],
                all[L4RE_DS_STATS_FRAMES] + all[L4RE_DS_STATS_INDEX_FRAMES] +
                    all[L4RE_DS_STATS_OBJECT_FRAMES] + all[L4RE_DS_STATS_FRAMES_FREE]);
    ok &= equal("bytes that anon got, sigma0 gave",
                all[L4RE_DS_STATS_FRAMES_TOTAL] << L4_PAGESHIFT, all[L4RE_DS_STATS_SIGMA0_GIVEN]);
    return ok;
}
