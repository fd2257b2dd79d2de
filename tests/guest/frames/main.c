/*
 * frames/main.c - what anon promises beyond the protocol: superpages, memory that is given back,
 * and that it survives sources that vanish
 */
#include "balance.h"
#include "tap.h"

#include <l4/re/c/dataspace.h>
#include <l4/server.h>
#include <l4/sys/task.h>
#include <l4/util/thread.h>

#include <string.h>

enum {
    BLOCK = L4_SUPERPAGESIZE / L4_PAGESIZE,
    BLOCKS = 2,
    PAGES = BLOCKS * BLOCK + 2, /* two superpages and a bit */
    SIZE = PAGES * L4_PAGESIZE,
};

static long frame(l4re_ds_t ds, unsigned page)
{
    l4_umword_t word = 0;
    long n = l4re_stats_get(ds, L4RE_STATS_FRAME_OP, page * L4_PAGESIZE, &word, 1);

    return n < 0 ? n : (long)word;
}

/* Write to the first byte of pages [first, end); faults that it took. */
static long touch(volatile char *at, unsigned first, unsigned end)
{
    l4_umword_t before = faults();

    for (unsigned i = first; i < end; i++)
        at[i * L4_PAGESIZE] = (char)(1 + i % 100);
    return (long)(faults() - before);
}

static bool touched(volatile const char *at, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++)
        if (at[i * L4_PAGESIZE] != (char)(1 + i % 100))
            return false;
    return true;
}

static void unmap_all(volatile char *at)
{
    for (unsigned i = 0; i < PAGES; i++)
        l4_task_unmap(L4RE_THIS_TASK_CAP,
                      l4_fpage((l4_addr_t)at + i * L4_PAGESIZE, L4_PAGESHIFT, L4_FPAGE_RWX),
                      L4_FP_ALL_SPACES);
}

/* ---------------------------------------------------------------- superpages */

static bool in_one_piece(l4re_ds_t ds, unsigned first)
{
    long start = frame(ds, first);
    bool good = start > 0 && start % (long)L4_SUPERPAGESIZE == 0;

    for (unsigned i = 0; i < BLOCK; i++)
        good &= frame(ds, first + i) == start + (long)(i * L4_PAGESIZE);
    return good;
}

static bool reads_zero(volatile const char *at)
{
    for (unsigned i = 0; i < SIZE / sizeof(long); i++)
        if (((volatile const long *)at)[i])
            return false;
    return true;
}

static void one_fault_a_block(void)
{
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, SIZE, L4RE_MA_SUPER_PAGES);
    volatile char *at = attach(ds, SIZE, L4RE_RM_F_RW);

    tap_eq(touch(at, 0, BLOCKS * BLOCK), BLOCKS, "a superpage takes one fault");
    tap_eq(touch(at, BLOCKS * BLOCK, PAGES), 2, "what is left over takes one a page");
    tap_ok(in_one_piece(ds, 0) && in_one_piece(ds, BLOCK), "its frames lie in a row, aligned");
    tap_eq(ds_stat(ds, L4RE_STATS_GET_OP, L4RE_DS_STATS_FRAMES), PAGES, "each page is paid for");
    memset((void *)at, 'x', SIZE);
    l4re_rm_detach((void *)at);
    l4re_util_cap_free_um(ds);
    ds = new_ds(l4re_env()->mem_alloc, SIZE, L4RE_MA_SUPER_PAGES);
    at = attach(ds, SIZE, L4RE_RM_F_RW);
    tap_ok(reads_zero(at), "a superpage that is used again reads as zero");
    l4re_rm_detach((void *)at);
    l4re_util_cap_free_um(ds);
}

/* What one page of the block has become must not show in the others, nor theirs in it. */
static void a_page_can_go_alone(void)
{
    enum { HOLE = 3 };
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, SIZE, L4RE_MA_SUPER_PAGES);
    l4re_ds_t other = new_ds(l4re_env()->mem_alloc, 64 * L4_PAGESIZE, 0);
    volatile char *at = attach(ds, SIZE, L4RE_RM_F_RW);
    volatile char *taker = attach(other, 64 * L4_PAGESIZE, L4RE_RM_F_RW);

    touch(at, 0, PAGES);
    tap_eq(l4re_ds_clear(ds, HOLE * L4_PAGESIZE, L4_PAGESIZE), 0, "a page of it is cleared");
    tap_eq(frame(ds, HOLE), -L4_ENOENT, "its frame is free");
    tap_ok(touched(at, 0, HOLE) && touched(at, HOLE + 1, PAGES), "the others are what they were");
    touch(taker, 0, 64);
    unmap_all(at);
    tap_ok(touched(at, 0, HOLE) && touched(at, HOLE + 1, PAGES), "after new faults, too");
    tap_eq(at[HOLE * L4_PAGESIZE], 0, "the page reads as zero");
    tap_ok(touched(taker, 0, 64), "whoever got the frame keeps it");
    at[HOLE * L4_PAGESIZE] = 'y';
    unmap_all(at);
    tap_ok(at[HOLE * L4_PAGESIZE] == 'y' && touched(taker, 0, 64), "and so does the page");
    tap_eq(l4re_ds_clear(ds, 0, SIZE), 0, "all of it is cleared");
    tap_eq(ds_stat(ds, L4RE_STATS_GET_OP, L4RE_DS_STATS_USED), 0, "and costs nothing");
    tap_eq(touch(at, 0, BLOCK), 1, "then there is a superpage again");
    l4re_rm_detach((void *)at);
    l4re_rm_detach((void *)taker);
    l4re_util_cap_free_um(ds);
    l4re_util_cap_free_um(other);
}

static void where_alignment_allows(void)
{
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, SIZE, L4RE_MA_SUPER_PAGES);
    volatile char *at = attach_part(ds, L4_PAGESIZE, (BLOCK + 1) * L4_PAGESIZE, L4RE_RM_F_RW);

    tap_eq(touch(at, 0, BLOCK), BLOCK, "attached askew, every page takes its fault");
    tap_ok(touched(at, 0, BLOCK), "and shows what was written");
    l4re_rm_detach((void *)at);
    l4re_util_cap_free_um(ds);
}

static void within_the_quota(void)
{
    l4_cap_idx_t account = new_account(10);
    l4re_ds_t ds = new_ds(account, SIZE, L4RE_MA_SUPER_PAGES);
    volatile char *at = attach(ds, SIZE, L4RE_RM_F_RW);

    tap_eq(touch(at, 0, 4), 4, "who cannot pay for a superpage gets pages");
    tap_eq(l4re_ds_allocate(ds, 0, 9 * L4_PAGESIZE), -L4_ENOMEM, "allocate beyond the quota");
    tap_ok(touched(at, 0, 4), "changes nothing");
    tap_eq(ds_stat(ds, L4RE_STATS_GET_OP, L4RE_DS_STATS_FRAMES), 4, "and costs nothing");
    l4re_rm_detach((void *)at);
    l4re_util_cap_free_um(ds);
    account = new_account(PAGES + 2);
    ds = new_ds(account, SIZE, L4RE_MA_SUPER_PAGES);
    tap_eq(l4re_ds_allocate(ds, L4_PAGESIZE, 1), 0, "allocating a page");
    tap_eq(ds_stat(ds, L4RE_STATS_GET_OP, L4RE_DS_STATS_FRAMES), BLOCK, "brings its superpage");
    tap_eq(l4re_ds_allocate(ds, 0, SIZE), -L4_ENOMEM, "all of it does not fit, with its index");
    tap_eq(ds_stat(ds, L4RE_STATS_GET_OP, L4RE_DS_STATS_FRAMES), BLOCK, "so no more is allocated");
    l4re_util_cap_free_um(ds);
}

/* ---------------------------------------------------------------- memory goes back */

static void free_memory_goes_back(void)
{
    enum { LARGE = 48 << 20, KEPT = 20 << 20 };
    l4_cap_idx_t manager = l4re_env_get_cap("anon");
    l4_umword_t before = ds_stat(manager, L4RE_STATS_TOTALS_OP, L4RE_DS_STATS_FRAMES_TOTAL);
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, LARGE, 0);
    l4_umword_t total;

    tap_eq(l4re_ds_allocate(ds, 0, LARGE), 0, "48 MiB can be had");
    total = ds_stat(manager, L4RE_STATS_TOTALS_OP, L4RE_DS_STATS_FRAMES_TOTAL);
    tap_ok(total >= LARGE / L4_PAGESIZE, "from sigma0");
    l4re_util_cap_free_um(ds);
    total = ds_stat(manager, L4RE_STATS_TOTALS_OP, L4RE_DS_STATS_FRAMES_TOTAL);
    tap_ok(total < before + KEPT / L4_PAGESIZE, "most of them go back when they are free");
    tap_eq((long)ds_stat(manager, L4RE_STATS_TOTALS_OP, L4RE_DS_STATS_SIGMA0_GIVEN),
           (long)(ds_stat(manager, L4RE_STATS_TOTALS_OP, L4RE_DS_STATS_FRAMES_TOTAL) * L4_PAGESIZE),
           "and sigma0 agrees");
    ds = new_ds(l4re_env()->mem_alloc, LARGE, L4RE_MA_SUPER_PAGES);
    tap_eq(l4re_ds_allocate(ds, 0, LARGE), 0, "they can be had again");
    l4re_util_cap_free_um(ds);
}

/* ---------------------------------------------------------------- a source that vanishes */

enum { STACK = 8192, SOURCE_PAGES = 2048, ROUNDS = 12, THIEF_PRIORITY = 240 };

static char source_page[L4_PAGESIZE] __attribute__((aligned(L4_PAGESIZE)));
static char server_stack[STACK] __attribute__((aligned(16)));
static char thief_stack[STACK] __attribute__((aligned(16)));
static volatile bool stealing;

/* A dataspace in which every page is the same one. */
static long source_serve(struct l4_server_object *self, l4_umword_t rights, l4_msgtag_t tag,
                         l4_utcb_t *u, l4_msgtag_t *reply)
{
    (void)self;
    (void)rights;
    if (l4_msgtag_label(tag) != L4RE_PROTO_DATASPACE || (u->msg.mr[0] & 0xffff) != L4RE_DS_MAP_OP)
        return -L4_ENOSYS;
    u->msg.mr[0] = (u->msg.mr[2] & L4_PAGEMASK) | L4_ITEM_MAP;
    u->msg.mr[1] = l4_fpage((l4_addr_t)source_page, L4_PAGESHIFT, L4_FPAGE_RO).raw;
    *reply = l4_msgtag(0, 0, 1, 0);
    return 0;
}

static struct l4_server_object source = {.dispatch = source_serve};

L4UTIL_THREAD_STATIC_FUNC(server)
{
    struct l4_server_opts opts = {.main = &source};

    l4_server_loop(l4_utcb(), &opts);
}

/* More important than anon, so it comes at any moment. */
L4UTIL_THREAD_STATIC_FUNC(thief)
{
    for (;;) {
        l4_ipc_sleep_ms(1);
        if (stealing)
            l4_task_unmap(L4_BASE_TASK_CAP,
                          l4_fpage((l4_addr_t)source_page, L4_PAGESHIFT, L4_FPAGE_RWX),
                          L4_FP_OTHER_SPACES);
    }
}

/* While anon waits for a thread of ours, nobody pages its memory: so that is there before. */
static l4_cap_idx_t start(void (*pc)(void), char *stack, unsigned priority)
{
    l4re_env_t *env = l4re_global_env;
    l4_cap_idx_t thread = l4re_util_cap_alloc();
    long err;

    memset(stack, 0, STACK);
    err = l4util_create_thread(thread, (l4_utcb_t *)env->first_free_utcb, env->factory,
                               (l4_umword_t)pc, (l4_umword_t)(stack + STACK), env->rm,
                               L4_BASE_TASK_CAP, env->scheduler, l4_sched_param(priority, 0));
    env->first_free_utcb += L4_UTCB_OFFSET;
    return err < 0 ? L4_INVALID_CAP : thread;
}

static bool all_bytes(volatile const char *p, l4_umword_t n, char value)
{
    for (l4_umword_t i = 0; i < n; i++)
        if (p[i] != value)
            return false;
    return true;
}

static void a_source_may_vanish(void)
{
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, SOURCE_PAGES * L4_PAGESIZE, 0);
    l4_cap_idx_t gate = l4re_util_cap_alloc(), thread = start(server, server_stack, 100);
    volatile char *at = attach(ds, SOURCE_PAGES * L4_PAGESIZE, L4RE_RM_F_RW);
    unsigned lost = 0, other = 0;

    memset(source_page, 's', sizeof(source_page));
    l4_factory_create_gate(l4re_env()->factory, gate, thread, 0);
    tap_eq(l4re_ds_copy_in(ds, 5, gate, 0, 3 * L4_PAGESIZE), 0, "copy_in from a page of ours");
    tap_ok(all_bytes(at + 5, 3 * L4_PAGESIZE, 's'), "copies it");
    start(thief, thief_stack, THIEF_PRIORITY);
    stealing = true;
    for (unsigned i = 0; i < ROUNDS; i++) {
        long err = l4re_ds_copy_in(ds, 0, gate, 0, SOURCE_PAGES * L4_PAGESIZE);

        lost += err == -L4_EIO;
        other += err != 0 && err != -L4_EIO;
    }
    stealing = false;
    tap_ok(lost > 0, "a page that is taken away while it is copied is an error to the client");
    tap_eq(other, 0, "and there is no other");
    tap_eq(l4re_ds_copy_in(ds, 0, gate, 0, SOURCE_PAGES * L4_PAGESIZE), 0, "the manager lives");
    tap_ok(all_bytes(at, SOURCE_PAGES * L4_PAGESIZE, 's'), "and copies as before");
    l4re_rm_detach((void *)at);
    l4re_util_cap_free_um(ds);
}

int main(void)
{
    one_fault_a_block();
    a_page_can_go_alone();
    where_alignment_allows();
    within_the_quota();
    free_memory_goes_back();
    a_source_may_vanish();
    return tap_done();
}
