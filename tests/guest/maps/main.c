/*
 * maps/main.c - region maps as dataspaces: put together, nested, served page by page, taken apart
 *
 * A map is read through a region of our own, so each access goes client, region manager, managed,
 * and from there to whoever has the page.
 */
#include "balance.h"
#include "tap.h"

#include <l4/re/c/managed.h>
#include <l4/sys/semaphore.h>
#include <l4/sys/task.h>
#include <l4/util/thread.h>

#include <string.h>

enum { PAGES = 16, SIZE = PAGES * L4_PAGESIZE, STACK = 16384, DEEP = 20 };

static const l4_addr_t window = 0x600000000; /* for pages that we ask for ourselves */
static char handler_stack[STACK] __attribute__((aligned(16)));

struct map {
    l4_cap_idx_t control;
    l4re_ds_t ds;
};

static struct map new_map(unsigned long size)
{
    struct map m = {l4re_util_cap_alloc(), l4re_util_cap_alloc()};

    if (l4re_managed_create(l4re_env_get_cap("managed"), size, m.control) < 0 ||
        l4re_managed_dataspace(m.control, m.ds) < 0)
        printf("# no map\n");
    return m;
}

static void end_map(struct map *m)
{
    l4re_util_cap_free_um(m->control);
    l4re_util_cap_free(m->ds);
}

/* Part [offset, offset + size) of a dataspace at `start` of the map. */
static long put(struct map *m, unsigned long start, unsigned long size, l4re_rm_flags_t flags,
                l4re_ds_t ds, unsigned long offset)
{
    void *at = (void *)start;

    return l4re_rm_attach_srv(m->control, &at, size, flags, ds, offset, L4_PAGESHIFT);
}

static long take(struct map *m, unsigned long start, unsigned long size)
{
    return l4re_rm_detach_range_srv(m->control, start, size, L4RE_RM_DETACH_EXACT, NULL,
                                    L4_INVALID_CAP);
}

static long map_page(l4re_ds_t ds, unsigned long offset, unsigned flags)
{
    long err = l4re_ds_map(ds, offset, flags, window, window, window + L4_PAGESIZE);

    l4_task_unmap(L4RE_THIS_TASK_CAP, l4_fpage(window, L4_PAGESHIFT, L4_FPAGE_RWX),
                  L4_FP_ALL_SPACES);
    return err;
}

/* Page n of the dataspace begins with first + n. */
static l4re_ds_t numbered(unsigned pages, char first)
{
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, pages * L4_PAGESIZE, 0);
    volatile char *at = attach(ds, pages * L4_PAGESIZE, L4RE_RM_F_RW);

    for (unsigned i = 0; i < pages; i++)
        at[i * L4_PAGESIZE] = (char)(first + (char)i);
    l4re_rm_detach((void *)at);
    return ds;
}

/* ---------------------------------------------------------------- one map */

static void windows_and_rights(void)
{
    struct map m = new_map(SIZE);
    l4re_ds_t a = numbered(8, 'a'), b = numbered(8, 'A');
    volatile char *at;

    tap_eq(l4re_ds_size(m.ds), SIZE, "a map is a dataspace of its size");
    tap_eq(put(&m, 0, 4 * L4_PAGESIZE, L4RE_RM_F_RW, a, 2 * L4_PAGESIZE), 0, "a window of one");
    tap_eq(put(&m, 6 * L4_PAGESIZE, 2 * L4_PAGESIZE, L4RE_RM_F_R, b, 0), 0, "a part of another");
    tap_eq(put(&m, 7 * L4_PAGESIZE, L4_PAGESIZE, L4RE_RM_F_R, b, 0), -L4_EADDRNOTAVAIL,
           "where something is, nothing can be put");
    tap_eq(put(&m, SIZE, L4_PAGESIZE, L4RE_RM_F_R, b, 0), -L4_EADDRNOTAVAIL, "nor behind the end");
    at = attach(m.ds, SIZE, L4RE_RM_F_RW);
    tap_ok(at[0] == 'c' && at[3 * L4_PAGESIZE] == 'f', "pages at their offset");
    tap_ok(at[6 * L4_PAGESIZE] == 'A' && at[7 * L4_PAGESIZE] == 'B', "of both");
    at[L4_PAGESIZE] = 'x';
    tap_eq(map_page(m.ds, 4 * L4_PAGESIZE, L4RE_DS_F_R), -L4_ENOMEM, "a hole is an error");
    tap_eq(map_page(m.ds, 6 * L4_PAGESIZE, L4RE_DS_F_RW), -L4_EACCESS, "so is a write to a part "
           "that may be read");
    tap_eq(map_page(m.ds, SIZE, L4RE_DS_F_R), -L4_ERANGE, "so is a page behind the end");
    tap_eq(map_page(m.ds, ~0UL << 12, L4RE_DS_F_R), -L4_ERANGE, "or near 2^64");
    l4re_rm_detach((void *)at);
    at = attach(a, 8 * L4_PAGESIZE, L4RE_RM_F_R);
    tap_eq(at[3 * L4_PAGESIZE], 'x', "what was written is in the dataspace behind");
    l4re_rm_detach((void *)at);
    end_map(&m);
    l4re_util_cap_free_um(a);
    l4re_util_cap_free_um(b);
}

static void detaching_takes_pages_away(void)
{
    struct map m = new_map(SIZE);
    l4re_ds_t a = numbered(PAGES, 'a'), b = numbered(PAGES, 'A');
    volatile char *at = attach(m.ds, SIZE, L4RE_RM_F_R), *direct = attach(a, SIZE, L4RE_RM_F_R);
    l4_umword_t before;

    put(&m, 0, SIZE, L4RE_RM_F_R, a, 0);
    tap_ok(at[0] == 'a' && at[5 * L4_PAGESIZE] == 'f' && direct[5 * L4_PAGESIZE] == 'f', "mapped");
    tap_eq(take(&m, 4 * L4_PAGESIZE, 4 * L4_PAGESIZE), L4RE_RM_SPLIT_DS, "the middle goes");
    before = faults();
    tap_eq(at[0], 'a', "what lies around it stays");
    tap_eq(direct[5 * L4_PAGESIZE], 'f', "and what was mapped past the map");
    tap_eq(faults() - before, 0, "without a fault");
    put(&m, 4 * L4_PAGESIZE, 4 * L4_PAGESIZE, L4RE_RM_F_R, b, 0);
    tap_eq(at[5 * L4_PAGESIZE], 'B', "what is put there instead is seen there");
    l4re_rm_detach((void *)at);
    l4re_rm_detach((void *)direct);
    end_map(&m);
    l4re_util_cap_free_um(a);
    l4re_util_cap_free_um(b);
}

static void large_pages(void)
{
    struct map outer = new_map(3 * L4_SUPERPAGESIZE), inner = new_map(2 * L4_SUPERPAGESIZE);
    l4re_ds_t ds = l4re_util_cap_alloc();
    volatile char *at;
    l4_umword_t before;

    l4re_ma_alloc(2 * L4_SUPERPAGESIZE, ds, L4RE_MA_SUPER_PAGES);
    put(&inner, 0, 2 * L4_SUPERPAGESIZE, L4RE_RM_F_RW, ds, 0);
    put(&outer, L4_SUPERPAGESIZE, 2 * L4_SUPERPAGESIZE, L4RE_RM_F_RW, inner.ds, 0);
    for (unsigned pass = 0; pass < 2; pass++) { /* the first one may fault in our code, too */
        at = attach(outer.ds, 3 * L4_SUPERPAGESIZE, L4RE_RM_F_RW);
        before = faults();
        for (unsigned long i = L4_SUPERPAGESIZE; i < 3 * L4_SUPERPAGESIZE; i += L4_PAGESIZE)
            at[i] = 1;
        before = faults() - before;
        l4re_rm_detach((void *)at);
    }
    tap_eq(before, 2, "two superpages through two maps: two faults");
    end_map(&outer);
    end_map(&inner);
    l4re_util_cap_free_um(ds);
}

/* ---------------------------------------------------------------- nested */

static void deep(void)
{
    struct map m[DEEP];
    l4re_ds_t ds = numbered(PAGES, 'a');
    volatile char *at;
    l4_umword_t before;

    for (unsigned i = 0; i < DEEP; i++) {
        m[i] = new_map(SIZE);
        /* Each shows its inner one from the second page on: so offsets add up, up to a point. */
        put(&m[i], 0, SIZE - L4_PAGESIZE, i == 12 ? L4RE_RM_F_R : L4RE_RM_F_RW,
            i ? m[i - 1].ds : ds, i < 4 ? L4_PAGESIZE : 0);
    }
    at = attach(m[DEEP - 1].ds, SIZE, L4RE_RM_F_RW);
    before = faults();
    tap_eq(at[0], 'e', "20 maps deep, four offsets of a page");
    tap_eq(faults() - before, 1, "one fault of ours");
    tap_eq(map_page(m[11].ds, 0, L4RE_DS_F_RW), 0, "writing below the map that may only be read");
    tap_eq(map_page(m[12].ds, 0, L4RE_DS_F_RW), -L4_EACCESS, "is not possible through it");
    tap_eq(map_page(m[DEEP - 1].ds, 0, L4RE_DS_F_RW), -L4_EACCESS, "nor from further out");
    tap_eq(map_page(m[DEEP - 1].ds, (PAGES - 2) * L4_PAGESIZE, L4RE_DS_F_R), -L4_ENOMEM,
           "where an inner map has nothing is a hole");
    tap_eq(take(&m[5], 0, SIZE - L4_PAGESIZE), L4RE_RM_DETACHED_DS, "a link in the middle goes");
    tap_eq(map_page(m[DEEP - 1].ds, 0, L4RE_DS_F_R), -L4_ENOMEM, "and all further out have a hole");
    tap_eq(map_page(m[4].ds, 0, L4RE_DS_F_R), 0, "those further in have not");
    l4re_rm_detach((void *)at);
    for (unsigned i = 0; i < DEEP; i++)
        end_map(&m[i]);
    l4re_util_cap_free_um(ds);
}

static void cycles(void)
{
    struct map a = new_map(SIZE), b = new_map(SIZE), c = new_map(SIZE);

    tap_eq(put(&a, 0, SIZE, L4RE_RM_F_R, a.ds, 0), -L4_EINVAL, "a map is not put into itself");
    tap_eq(put(&a, 0, SIZE, L4RE_RM_F_R, b.ds, 0), 0, "a shows b");
    tap_eq(put(&b, 0, SIZE, L4RE_RM_F_R, c.ds, 0), 0, "b shows c");
    tap_eq(put(&c, 0, SIZE, L4RE_RM_F_R, a.ds, 0), -L4_EINVAL, "c cannot show a");
    tap_eq(put(&c, 0, SIZE, L4RE_RM_F_R, b.ds, 0), -L4_EINVAL, "nor b");
    tap_eq(map_page(a.ds, 0, L4RE_DS_F_R), -L4_ENOMEM, "and all still answer");
    end_map(&a);
    end_map(&b);
    end_map(&c);
}

static void rights_of_capabilities(void)
{
    struct map outer = new_map(SIZE), inner = new_map(SIZE);
    l4_cap_idx_t ro = l4re_util_cap_alloc();
    l4re_ds_t ds = numbered(PAGES, 'a');

    put(&inner, 0, SIZE, L4RE_RM_F_RW, ds, 0);
    l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(inner.ds, 0, L4_CAP_FPAGE_RO),
                l4_map_obj_control(ro, 0));
    tap_eq(map_page(ro, 0, L4RE_DS_F_RW), -L4_EPERM, "a capability without W reads only");
    tap_eq(map_page(ro, 0, L4RE_DS_F_R), 0, "but reads");
    tap_eq(put(&outer, 0, SIZE, L4RE_RM_F_RW, ro, 0), -L4_EPERM, "and is put in for reading only");
    tap_eq(put(&outer, 0, SIZE, L4RE_RM_F_R, ro, 0), 0, "which is possible");
    take(&outer, 0, SIZE);
    l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(ds, 0, L4_CAP_FPAGE_RO),
                l4_map_obj_control(ro, 0));
    put(&outer, 0, SIZE, L4RE_RM_F_RW, ro, 0);
    tap_eq(map_page(outer.ds, 0, L4RE_DS_F_RW), -L4_EPERM, "another manager says so itself");
    tap_eq(map_page(outer.ds, 0, L4RE_DS_F_R), 0, "when it is asked");
    end_map(&outer);
    end_map(&inner);
    l4re_util_cap_free(ro);
    l4re_util_cap_free_um(ds);
}

static void a_child_dies(void)
{
    struct map outer = new_map(SIZE), inner = new_map(SIZE), other;
    l4re_ds_t ds = numbered(PAGES, 'a'), gone = numbered(PAGES, 'A');

    put(&inner, 0, SIZE, L4RE_RM_F_R, ds, 0);
    put(&outer, 0, 8 * L4_PAGESIZE, L4RE_RM_F_R, inner.ds, 0);
    put(&outer, 8 * L4_PAGESIZE, 8 * L4_PAGESIZE, L4RE_RM_F_R, gone, 0);
    tap_eq(map_page(outer.ds, 0, L4RE_DS_F_R), 0, "through a child map");
    end_map(&inner);
    other = new_map(SIZE); /* garbage is found when a map is made */
    tap_eq(map_page(outer.ds, 0, L4RE_DS_F_R), -L4_ENOMEM, "that dies: a hole");
    tap_eq(map_page(outer.ds, 8 * L4_PAGESIZE, L4RE_DS_F_R), 0, "what lies beside it is there");
    l4re_util_cap_free_um(gone);
    tap_ok(map_page(outer.ds, 8 * L4_PAGESIZE, L4RE_DS_F_R) < 0, "a dataspace that dies: an error");
    end_map(&outer);
    end_map(&other);
    l4re_util_cap_free_um(ds);
}

/* ---------------------------------------------------------------- served page by page */

static struct map served;
static l4_cap_idx_t told; /* a semaphore */
static volatile unsigned served_faults;
static volatile l4_umword_t seen[4 * PAGES];
static volatile bool refuse;
static l4re_ds_t backing;

/* A thread of our own task. Its memory is there before, it must not fault while the map's fault is
 * under way. */
L4UTIL_THREAD_STATIC_FUNC(handler)
{
    for (;;) {
        l4re_rm_pending_t f;

        l4_semaphore_down(told, L4_IPC_NEVER);
        if (l4re_rm_get_faults_srv(served.control, 0, &f, 1) != 1)
            continue;
        seen[served_faults++ % (4 * PAGES)] = f.addr;
        f.addr &= L4_PAGEMASK;
        if (refuse)
            l4re_rm_answer_fault_srv(served.control, f.id, -L4_EIO);
        else
            put(&served, f.addr, L4_PAGESIZE, L4RE_RM_F_RW, backing, f.addr);
    }
}

static l4_cap_idx_t start_handler(void)
{
    l4re_env_t *env = l4re_global_env;
    l4_cap_idx_t thread = l4re_util_cap_alloc();

    told = l4re_util_cap_alloc();
    memset(handler_stack, 0, sizeof(handler_stack));
    memset((void *)seen, 0, sizeof(seen));
    l4_factory_create(env->factory, L4_PROTO_SEMAPHORE, told);
    l4util_create_thread(thread, (l4_utcb_t *)env->first_free_utcb, env->factory,
                         (l4_umword_t)handler, (l4_umword_t)(handler_stack + STACK), env->rm,
                         L4_BASE_TASK_CAP, env->scheduler, l4_sched_param(110, 0));
    env->first_free_utcb += L4_UTCB_OFFSET;
    return thread;
}

static bool in_order(void)
{
    for (unsigned i = 0; i < PAGES; i++)
        if ((seen[i] & L4_PAGEMASK) != i * L4_PAGESIZE)
            return false;
    return true;
}

static void page_by_page(void)
{
    struct map outer = new_map(1 << 20);
    volatile char *at;
    l4_cap_idx_t thread;
    bool good = true;

    served = new_map(SIZE);
    backing = numbered(PAGES, 'a');
    thread = start_handler();
    tap_eq(l4re_rm_set_fault_handler_srv(served.control, told), 0,
           "a thread of the same task handles faults");
    tap_eq(l4re_rm_set_fault_handler_srv(served.control, served.control), -L4_EINVAL,
           "a gate of the manager's own does not");
    tap_eq(l4re_rm_set_fault_handler_srv(served.control, told), 0, "or another one instead");
    put(&outer, 0x40000, SIZE, L4RE_RM_F_RW, served.ds, 0);
    at = attach(outer.ds, 1 << 20, L4RE_RM_F_RW);
    for (unsigned i = 0; i < PAGES; i++)
        good &= at[0x40000 + i * L4_PAGESIZE] == (char)('a' + i);
    tap_ok(good, "64 KiB served page by page");
    tap_eq(served_faults, PAGES, "show exactly 16 faults");
    tap_ok(in_order(), "with addresses relative to the sub-map");
    for (unsigned i = 0; i < PAGES; i++)
        at[0x40000 + i * L4_PAGESIZE] = 'w';
    tap_eq(served_faults, PAGES, "writing shows none: the pages are attached");
    take(&served, 4 * L4_PAGESIZE, L4_PAGESIZE);
    tap_eq(at[0x44000], 'w', "evicted, a page is asked for again");
    tap_eq(served_faults, PAGES + 1, "once");
    tap_eq(map_page(outer.ds, 0, L4RE_DS_F_R), -L4_ENOMEM, "a hole of the outer map is none");
    tap_eq(served_faults, PAGES + 1, "so the inner handler is not asked");
    refuse = true;
    take(&served, 4 * L4_PAGESIZE, L4_PAGESIZE);
    tap_eq(map_page(outer.ds, 0x44000, L4RE_DS_F_R), -L4_EIO, "what a handler refuses is an error");
    l4_task_delete_obj(L4_BASE_TASK_CAP, thread);
    l4re_util_cap_free(thread);
    l4re_util_cap_free_um(told);
    tap_eq(map_page(outer.ds, 0x44000, L4RE_DS_F_R), -L4_ENOMEM, "a handler that is gone, too");
    l4re_rm_detach((void *)at);
    end_map(&outer);
    end_map(&served);
    l4re_util_cap_free_um(backing);
}

/* ---------------------------------------------------------------- accounts */

static long used(l4_cap_idx_t account, enum l4re_managed_stats what)
{
    l4_umword_t words[L4RE_MANAGED_STATS_NUM] = {0};

    l4re_stats_get(account, L4RE_STATS_GET_OP, 0, words, L4RE_MANAGED_STATS_NUM);
    return (long)words[what];
}

static l4_cap_idx_t maps_account(unsigned long maps, long expected, const char *sentence)
{
    l4_cap_idx_t account = l4re_util_cap_alloc();

    tap_eq(l4re_managed_account(l4re_env_get_cap("managed"), maps, l4re_env()->rm,
                                account), expected, sentence);
    return account;
}

/* One map more, in `slot`. */
static long map_in(l4_cap_idx_t account, struct map *m)
{
    *m = (struct map){l4re_util_cap_alloc(), l4re_util_cap_alloc()};
    return l4re_managed_create(account, 1UL << 40, m->control);
}

/* Parts of a page until there is an error: how many. */
static unsigned fill(struct map *m, l4re_ds_t ds, l4re_rm_flags_t flags, long *err)
{
    unsigned n = 0;

    while ((*err = put(m, 2UL * n * L4_PAGESIZE, L4_PAGESIZE, flags, ds, 0)) >= 0)
        n++;
    return n;
}

/* With a capability that may not write. */
static long end_without_right(l4_cap_idx_t account)
{
    l4_cap_idx_t ro = l4re_util_cap_alloc();
    long err;

    l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(account, 0, L4_CAP_FPAGE_RO),
                l4_map_obj_control(ro, 0));
    l4_utcb()->msg.mr[0] = L4RE_MA_RELEASE_OP;
    err = l4_error(l4_ipc_call(ro, l4_utcb(), l4_msgtag(L4RE_PROTO_MEM_ALLOC, 1, 0, 0),
                               L4_IPC_NEVER));
    l4_task_release_cap(L4_BASE_TASK_CAP, ro);
    l4re_util_cap_free(ro);
    return err;
}

static void accounts(void)
{
    enum { REGIONS = 64, SLOTS = 16, SPARES = 2 }; /* of each map; what it keeps */
    l4_cap_idx_t a = maps_account(2, 0, "an account for two maps");
    l4re_ds_t ds = numbered(1, 'a');
    struct map m[3], other;
    long err;

    tap_ok(map_in(a, &m[0]) == 0 && map_in(a, &m[1]) == 0, "has two");
    tap_eq(map_in(a, &m[2]), -L4_ENOMEM, "and no third");
    tap_eq(fill(&m[0], L4_INVALID_CAP, L4RE_RM_F_RESERVED, &err), 2 * REGIONS - 2 * SPARES,
           "regions for two, in one map or both");
    tap_ok(err == -L4_ENOMEM && put(&m[1], 0, L4_PAGESIZE, L4RE_RM_F_R, ds, 0) == -L4_ENOMEM,
           "and none more");
    tap_eq(take(&m[0], 0, L4_PAGESIZE), 0, "one that goes");
    tap_eq(put(&m[1], 0, L4_PAGESIZE, L4RE_RM_F_R, ds, 0), 0, "makes room for another");
    end_map(&m[0]);
    tap_eq(fill(&m[1], ds, L4RE_RM_F_R, &err), 0, "where something is is no room");
    take(&m[1], 0, L4_PAGESIZE);
    tap_eq(fill(&m[1], ds, L4RE_RM_F_R, &err), 2 * SLOTS, "dataspaces of others for two");
    tap_eq(err, -L4_ENOMEM, "and none more");
    tap_ok(used(a, L4RE_MANAGED_STATS_MAPS) == 1 &&
               used(a, L4RE_MANAGED_STATS_REGIONS) == 2 * SLOTS + SPARES &&
               used(a, L4RE_MANAGED_STATS_DATASPACES) == 2 * SLOTS, "all of which is counted");
    other = new_map(SIZE);
    tap_eq(put(&other, 0, L4_PAGESIZE, L4RE_RM_F_R, ds, 0), 0, "others go on meanwhile");
    tap_eq(map_in(a, &m[0]), 0, "a map that has ended makes room for another");
    tap_ok(end_without_right(a) == -L4_EACCESS && used(a, L4RE_MANAGED_STATS_MAPS) == 2,
           "an account is ended by who may write");
    l4re_util_cap_free_um(a);
    tap_ok(used(l4re_env_get_cap("managed"), L4RE_MANAGED_STATS_MAPS) == 1 &&
               map_page(m[1].ds, 0, L4RE_DS_F_R) < 0 &&
               take(&m[1], 0, L4_PAGESIZE) < 0, "maps end with their account");
    end_map(&other);
    for (unsigned i = 0; i < 3; i++)
        end_map(&m[i]);
    l4re_util_cap_free_um(ds);
}

/* ---------------------------------------------------------------- misuse */

static void misuse(void)
{
    struct map m = new_map(SIZE);
    l4_cap_idx_t slot = l4re_util_cap_alloc();
    l4_utcb_t *u = l4_utcb();
    l4_cap_idx_t kept = maps_account(3, 0, "an account"), slots[3];
    unsigned n = 0;
    struct map many[100];

    tap_eq(l4re_managed_create(l4re_env_get_cap("managed"), 0, slot), -L4_ERANGE, "no bytes");
    tap_eq(l4re_managed_create(l4re_env_get_cap("managed"), ~0UL, slot), -L4_ERANGE, "2^64 bytes");
    tap_eq(put(&m, 0, ~0UL, L4RE_RM_F_R, m.ds, 0) < 0, 1, "a part of 2^64 bytes");
    tap_eq(put(&m, ~0UL << 12, L4_PAGESIZE, L4RE_RM_F_R, slot, 0) < 0, 1, "at the end of all");
    tap_eq(put(&m, 0, L4_PAGESIZE, L4RE_RM_F_R, m.control, 0), -L4_EINVAL, "a control gate");
    tap_eq(take(&m, 0, ~0UL), -L4_ENOENT, "nothing to take");
    u->msg.mr[0] = 77;
    tap_eq(l4_error(l4_ipc_call(m.control, u, l4_msgtag(L4RE_PROTO_RM, 1, 0, 0), L4_IPC_NEVER)),
           -L4_ENOSYS, "no such operation");
    tap_eq(l4_error(l4_ipc_call(m.ds, u, l4_msgtag(L4RE_PROTO_RM, 1, 0, 0), L4_IPC_NEVER)),
           -L4_EBADPROTO, "the dataspace gate does not control");
    for (; n < 100; n++) {
        many[n] = (struct map){l4re_util_cap_alloc(), L4_INVALID_CAP};
        if (l4re_managed_create(l4re_env_get_cap("managed"), SIZE, many[n].control) < 0)
            break;
    }
    tap_eq(n, 64 - 3 - 1, "maps are limited");
    maps_account(1, -L4_ENOMEM, "then there are no more accounts");
    maps_account(0, -L4_ERANGE, "nor any for nothing");
    for (unsigned i = 0; i < 3; i++) {
        slots[i] = l4re_util_cap_alloc();
        tap_eq(l4re_managed_create(kept, SIZE, slots[i]), 0, "who has an account has his maps");
    }
    tap_eq(map_page(m.ds, 0, L4RE_DS_F_R), -L4_ENOMEM, "and who has one is not disturbed");
    for (unsigned i = 0; i < n / 2; i++) /* the others end with the program */
        l4re_util_cap_free_um(many[i].control);
    l4re_util_cap_free(slot);
    end_map(&m);
}

int main(void)
{
    windows_and_rights();
    detaching_takes_pages_away();
    large_pages();
    deep();
    cycles();
    rights_of_capabilities();
    a_child_dies();
    page_by_page();
    accounts();
    misuse();
    return tap_done();
}
