/*
 * dataspace/main.c - what dataspace managers promise: errors, contents, accounts
 */
#include "balance.h"
#include "tap.h"

#include <l4/re/c/dataspace.h>
#include <l4/re/c/namespace.h>
#include <l4/sys/task.h>

#include <string.h>

enum { PAGES = 16, SIZE = PAGES * L4_PAGESIZE - 100, WHOLE = PAGES * L4_PAGESIZE };
static const l4_addr_t window = 0x600000000;

static char *attach_all(l4_cap_idx_t ds, l4re_rm_flags_t rights)
{
    return (char *)attach(ds, l4re_ds_size(ds), rights);
}

/* The same dataspace without the right to write. */
static l4_cap_idx_t read_only(l4_cap_idx_t ds)
{
    l4_cap_idx_t ro = l4re_util_cap_alloc();

    l4_task_map(L4_BASE_TASK_CAP, L4_BASE_TASK_CAP, l4_obj_fpage(ds, 0, L4_CAP_FPAGE_RO),
                l4_map_obj_control(ro, 0));
    return ro;
}

static long map_page(l4_cap_idx_t ds, l4_umword_t offset, unsigned flags)
{
    return l4re_ds_map(ds, offset, flags, window, window, window + L4_PAGESIZE);
}

static void ranges(l4_cap_idx_t ds)
{
    tap_eq(map_page(ds, WHOLE, L4RE_DS_F_R), -L4_ERANGE, "map behind the end is out of range");
    tap_eq(l4re_ds_clear(ds, 0, 0), -L4_ERANGE, "clear of nothing is out of range");
    tap_eq(l4re_ds_clear(ds, 0, WHOLE + 1), -L4_ERANGE, "clear beyond the end is out of range");
    tap_eq(l4re_ds_clear(ds, 4096, ~0UL), -L4_ERANGE, "a range that wraps is out of range");
    tap_eq(l4re_ds_allocate(ds, WHOLE, 1), -L4_ERANGE, "allocate behind the end is out of range");
    tap_eq(l4re_ds_allocate(ds, 0, 0), -L4_ERANGE, "allocate of nothing is out of range");
    tap_eq(l4re_ds_copy_in(ds, WHOLE, ds, 0, 1), -L4_ERANGE, "copy_in to behind the end");
    tap_eq(l4re_ds_copy_in(ds, 0, ds, WHOLE, 1), -L4_ERANGE, "copy_in from behind the end");
    tap_eq(l4re_ds_size(ds), SIZE, "the size is what was asked for, to the byte");
}

static void rights(l4_cap_idx_t ds)
{
    l4_cap_idx_t ro = read_only(ds);

    tap_eq(map_page(ro, 0, L4RE_DS_F_RW), -L4_EPERM, "map for writing needs W");
    tap_eq(l4re_ds_clear(ro, 0, 1), -L4_EACCESS, "clear needs W");
    tap_eq(l4re_ds_copy_in(ro, 0, ds, 0, 1), -L4_EACCESS, "copy_in needs W");
    tap_eq(map_page(ro, 0, L4RE_DS_F_R), 0, "map for reading does not");
    tap_eq(l4re_ds_flags(ro) & L4RE_DS_F_W, 0, "info shows a reader no W");
    tap_eq(l4re_ds_flags(ds) & L4RE_DS_F_W, L4RE_DS_F_W, "info shows a writer W");
    l4re_util_cap_free(ro);
}

static void protocol(l4_cap_idx_t ds)
{
    l4_utcb_t *u = l4_utcb();

    u->msg.mr[0] = 77;
    tap_eq(l4_error(l4_ipc_call(ds, u, l4_msgtag(L4RE_PROTO_DATASPACE, 1, 0, 0), L4_IPC_NEVER)),
           -L4_ENOSYS, "an unknown operation");
    tap_eq(l4_error(l4_ipc_call(ds, u, l4_msgtag(0x4777, 1, 0, 0), L4_IPC_NEVER)), -L4_EBADPROTO,
           "an unknown protocol");
    tap_eq(l4_error(l4_ipc_call(ds, u, l4_msgtag(L4RE_PROTO_DATASPACE, 0, 0, 0), L4_IPC_NEVER)),
           -L4_EMSGTOOSHORT, "an empty message");
    u->msg.mr[0] = L4RE_DS_COPY_IN_OP;
    u->msg.mr[1] = u->msg.mr[2] = 0;
    u->msg.mr[3] = 1;
    tap_eq(l4_error(l4_ipc_call(ds, u, l4_msgtag(L4RE_PROTO_DATASPACE, 4, 0, 0), L4_IPC_NEVER)),
           -L4_EMSGMISSARG, "copy_in without a source");
}

static bool all_bytes(const char *p, l4_umword_t n, char value)
{
    for (l4_umword_t i = 0; i < n; i++)
        if (p[i] != value)
            return false;
    return true;
}

static void contents(l4_cap_idx_t ds)
{
    char *p = attach_all(ds, L4RE_RM_F_RW);

    tap_ok(all_bytes(p, WHOLE, 0), "what was never written reads as zero");
    memset(p, 'x', WHOLE);
    tap_eq(ds_stat(ds, L4RE_STATS_GET_OP, L4RE_DS_STATS_FRAMES), PAGES, "each page has one frame");
    tap_eq(l4re_ds_clear(ds, 4096 + 5, 2 * 4096), 0, "clear from the middle of a page");
    tap_ok(all_bytes(p, 4096 + 5, 'x') && all_bytes(p + 4096 + 5, 2 * 4096, 0) &&
               all_bytes(p + 3 * 4096 + 5, WHOLE - 3 * 4096 - 5, 'x'),
           "clear zeroes its range and nothing else");
    tap_eq(l4re_ds_clear(ds, 0, SIZE), 0, "clear of all");
    tap_eq(ds_stat(ds, L4RE_STATS_GET_OP, L4RE_DS_STATS_USED), 0, "gives every frame back");
    tap_ok(all_bytes(p, WHOLE, 0), "and the pages are zero again");
    l4re_rm_detach(p);
}

static void copies(l4_cap_idx_t ds, l4_cap_idx_t rom)
{
    l4_cap_idx_t file = l4re_util_cap_alloc(), other = new_ds(l4re_env()->mem_alloc, SIZE, 0);
    char *p = attach_all(ds, L4RE_RM_F_RW), *q = attach_all(other, L4RE_RM_F_RW), *f;

    tap_eq(l4re_ns_query_srv(rom, "no such file", file), -L4_ENOENT, "rom does not know a name");
    tap_eq(l4re_ns_query_srv(rom, "dataspace.elf", file), 0, "rom opens a module");
    tap_eq(l4re_ds_flags(file) & L4RE_DS_F_W, 0, "a module cannot be written");
    tap_eq(map_page(file, 0, L4RE_DS_F_RW), -L4_EPERM, "nor mapped for writing");
    f = attach_all(file, L4RE_RM_F_R);
    tap_eq(l4re_ds_copy_in(ds, 100, file, 3, 20000), 0, "copy_in from another manager");
    tap_ok(memcmp(p + 100, f + 3, 20000) == 0 && all_bytes(p, 100, 0), "copies the bytes");
    tap_eq(l4re_ds_copy_in(other, 1, ds, 100, 20000), 0, "copy_in from the same manager");
    tap_ok(memcmp(q + 1, f + 3, 20000) == 0, "copies the bytes too");
    tap_eq(l4re_ds_copy_in(ds, 0, l4re_env()->rm, 0, 1), -L4_EBADPROTO,
           "copy_in from what is no dataspace");
    l4re_rm_detach(p);
    l4re_rm_detach(q);
    l4re_rm_detach(f);
    l4re_util_cap_free_um(other);
    l4re_util_cap_free_um(file);
}

/* An account of four pages and a bit, made through the manager's own gate. */
static void accounts(l4_cap_idx_t manager)
{
    l4_cap_idx_t account = l4re_util_cap_alloc(), ds;
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag = l4_factory_create_start_u(L4RE_PROTO_MEM_ALLOC, account, u);

    l4_factory_create_add_uint_u(4 * L4_PAGESIZE + 4095, &tag, u);
    tap_eq(l4_error(l4_factory_create_commit_u(manager, tag, u)), 0,
           "the manager makes an account");
    tap_eq(l4re_ma_alloc_align_srv(account, 0, L4_INVALID_CAP, 0, 0), -L4_ERANGE, "size 0");
    ds = new_ds(account, 4 * L4_PAGESIZE, 0);
    tap_eq(l4re_ds_allocate(ds, 0, 4 * L4_PAGESIZE), 0, "four pages can be had");
    tap_eq(ds_stat(account, L4RE_STATS_GET_OP, L4RE_DS_STATS_USED), 4 * L4_PAGESIZE,
           "and cost four");
    l4_cap_idx_t more = new_ds(account, 4 * L4_PAGESIZE, 0);
    tap_eq(map_page(more, 0, L4RE_DS_F_RW), -L4_ENOMEM, "the fifth is over quota");
    l4re_util_cap_free_um(ds);
    tap_eq(l4re_ds_allocate(more, 0, 3 * L4_PAGESIZE), 0, "freeing a capability frees its memory");
    l4_cap_idx_t big = new_ds(account, 1 << 30, 0);
    tap_eq(map_page(big, 0, L4RE_DS_F_RW), -L4_ENOMEM, "an index is paid for too");
    tap_eq(l4re_ds_clear(more, 0, 3 * L4_PAGESIZE), 0, "three pages less");
    tap_eq(l4re_ds_allocate(big, 0, 5 * L4_PAGESIZE), -L4_ENOMEM, "too much at once");
    tap_eq(ds_stat(account, L4RE_STATS_GET_OP, L4RE_DS_STATS_USED), 0, "allocates nothing at all");
    tap_eq(map_page(big, (1 << 30) - 1, L4RE_DS_F_RW), 0, "the last page of a gibibyte");
    tap_eq(ds_stat(account, L4RE_STATS_GET_OP, L4RE_DS_STATS_USED), 3 * L4_PAGESIZE,
           "costs itself and two nodes");
    u->msg.mr[0] = L4RE_MA_RELEASE_OP;
    tap_eq(l4_error(l4_ipc_call(account, u, l4_msgtag(L4RE_PROTO_MEM_ALLOC, 1, 0, 0),
                                L4_IPC_NEVER)), 0, "the account can be released");
    tap_ok(map_page(big, 0, L4RE_DS_F_R) < 0, "and its dataspaces with it");
}

static void special(void)
{
    l4_cap_idx_t account = l4re_env()->mem_alloc;
    l4_cap_idx_t ds = new_ds(account, 8 * L4_PAGESIZE, L4RE_MA_CONTINUOUS);
    l4_umword_t first = 0, frame = 0;
    bool contiguous = l4re_stats_get(ds, L4RE_STATS_FRAME_OP, 0, &first, 1) == 1;

    for (unsigned i = 1; i < 8; i++)
        contiguous &= l4re_stats_get(ds, L4RE_STATS_FRAME_OP, i << 12, &frame, 1) == 1 &&
                      frame == first + (i << 12);
    tap_ok(contiguous, "a continuous dataspace has its frames, in a row");
    tap_eq(l4re_ds_clear(ds, 0, 8 * L4_PAGESIZE), 0, "clear of a continuous dataspace");
    tap_eq(l4re_stats_get(ds, L4RE_STATS_FRAME_OP, 0, &frame, 1) == 1 && frame == first, 1,
           "leaves it where it is");
    l4_utcb()->msg.mr[0] = L4RE_DS_RELEASE_OP;
    tap_eq(l4_error(l4_ipc_call(ds, l4_utcb(), l4_msgtag(L4RE_PROTO_DATASPACE, 1, 0, 0),
                                L4_IPC_NEVER)), 0, "release");
    tap_ok(map_page(ds, 0, L4RE_DS_F_R) < 0, "ends the gate");
}

int main(void)
{
    l4_cap_idx_t account = l4re_env()->mem_alloc;
    l4_umword_t used = ds_stat(account, L4RE_STATS_GET_OP, L4RE_DS_STATS_DATASPACES);
    l4_umword_t total, sum;
    l4_cap_idx_t ds = new_ds(account, SIZE, 0);

    ranges(ds);
    rights(ds);
    protocol(ds);
    contents(ds);
    copies(ds, l4re_env_get_cap("rom"));
    accounts(l4re_env_get_cap("anon"));
    special();
    l4re_util_cap_free_um(ds);
    tap_eq(ds_stat(account, L4RE_STATS_GET_OP, L4RE_DS_STATS_DATASPACES), used,
           "no dataspace remains");
    total = ds_stat(account, L4RE_STATS_TOTALS_OP, L4RE_DS_STATS_FRAMES_TOTAL);
    sum = ds_stat(account, L4RE_STATS_TOTALS_OP, L4RE_DS_STATS_FRAMES) +
          ds_stat(account, L4RE_STATS_TOTALS_OP, L4RE_DS_STATS_INDEX_FRAMES) +
          ds_stat(account, L4RE_STATS_TOTALS_OP, L4RE_DS_STATS_FRAMES_FREE) +
          ds_stat(account, L4RE_STATS_TOTALS_OP, L4RE_DS_STATS_OBJECT_FRAMES);
    tap_eq(sum, total, "no frame is lost");
    return tap_done();
}
