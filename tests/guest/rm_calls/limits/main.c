/*
 * limits/main.c - a task with little memory, whose region manager runs out; and rare requests
 */
#include "balance.h"
#include "tap.h"

#include <l4/re/c/dataspace.h>
#include <l4/re/c/util/cap.h>
#include <l4/sys/ipc.h>
#include <l4/sys/task.h>

enum { PAGE = L4_PAGESIZE, MOST = 20000 };

#define PLACE 0x300000000UL
#define MANY_PLACE 0x400000000UL

static long say(long label, unsigned words, l4_cap_idx_t item)
{
    l4_utcb_t *u = l4_utcb();
    unsigned items = item != L4_INVALID_CAP;

    u->msg.mr[words] = L4_ITEM_MAP;
    u->msg.mr[words + 1] = l4_obj_fpage(item, 0, L4_CAP_FPAGE_RWS).raw;
    return l4_error(l4_ipc_call(l4re_env()->rm, u, l4_msgtag(label, words, items, 0),
                                L4_IPC_NEVER));
}

static int reserve(l4_addr_t place, unsigned pages)
{
    void *at = (void *)place;

    return l4re_rm_attach(&at, (unsigned long)pages * PAGE, L4RE_RM_F_RESERVED, L4_INVALID_CAP, 0,
                          0);
}

static int detach_exact(l4_addr_t place, unsigned pages)
{
    return l4re_rm_detach_range_srv(l4re_env()->rm, place, (unsigned long)pages * PAGE,
                                    L4RE_RM_DETACH_EXACT, NULL, L4_BASE_TASK_CAP);
}

static bool is_there(l4_addr_t place, unsigned pages)
{
    unsigned long size = 1;
    l4re_rm_offset_t offset;
    l4re_rm_flags_t flags;
    l4_addr_t at = place;
    l4re_ds_t none;

    return l4re_rm_find(&at, &size, &offset, &flags, &none) == 0 && at == place &&
           size == (unsigned long)pages * PAGE;
}

static void nodes_run_out(void)
{
    unsigned n = 0, gone = 0;
    int err = 0;

    reserve(PLACE, 3);
    while (n < MOST && (err = reserve(MANY_PLACE + 2UL * n * PAGE, 1)) == 0)
        n++;
    tap_ok(n > 1000 && n < MOST, "a task with 1 MiB has more than a thousand regions");
    tap_eq(err, -L4_ENOMEM, "the next one is refused");
    tap_ok(!is_there(MANY_PLACE + 2UL * n * PAGE, 1) && is_there(MANY_PLACE, 1),
           "and is not there, the others are");
    tap_ok(detach_exact(PLACE + PAGE, 1) == -L4_ENOMEM && is_there(PLACE, 3),
           "a detach that splits needs nodes: without, nothing changes");
    tap_eq(detach_exact(MANY_PLACE, 1), 0, "one that does not split works");
    tap_eq(detach_exact(MANY_PLACE + 2UL * PAGE, 1), 0, "so does another one");
    tap_eq(detach_exact(PLACE + PAGE, 1), L4RE_RM_SPLIT_DS, "now there are nodes to split");
    tap_ok(is_there(PLACE, 1) && is_there(PLACE + 2 * PAGE, 1) && !is_there(PLACE + PAGE, 1),
           "with both parts in their places");
    for (unsigned i = 2; i < n; i++)
        gone += detach_exact(MANY_PLACE + 2UL * i * PAGE, 1) == 0;
    tap_eq(gone, n - 2, "all regions go");
    tap_eq(detach_exact(PLACE, 1) + detach_exact(PLACE + 2 * PAGE, 1), 0, "and the parts");
    tap_eq(reserve(PLACE, 3) + detach_exact(PLACE, 3), 0, "then there is room again");
}

/* ---- rare requests ---- */

static void find_with_item(void)
{
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, PAGE, 0), copy = l4re_util_cap_alloc();
    volatile char *at = attach(ds, PAGE, L4RE_RM_F_RW);
    l4_utcb_t *u = l4_utcb();

    u->buf.bdr = 0;
    u->buf.br[0] = copy | L4_RCV_ITEM_SINGLE_CAP;
    u->buf.br[1] = 0;
    u->msg.mr[0] = L4RE_RM_FIND_OP;
    u->msg.mr[1] = (l4_addr_t)at;
    u->msg.mr[2] = 1;
    u->msg.mr[3] = L4RE_RM_FIND_CAP;
    tap_eq(say(L4RE_PROTO_RM, 4, L4_INVALID_CAP), 0, "find may bring the capability");
    *at = 'd';
    tap_ok(l4re_ds_map(copy, 0, L4RE_DS_F_R, PLACE, PLACE, PLACE + PAGE) == 0 &&
               *(volatile char *)PLACE == 'd', "of the dataspace");
    l4_task_unmap(L4_BASE_TASK_CAP, l4_fpage(PLACE, L4_PAGESHIFT, L4_FPAGE_RWX), L4_FP_ALL_SPACES);
    u->buf.br[0] = 0;
    l4re_util_cap_release(copy);
    l4re_util_cap_free(copy);
    end_ds(ds, at);
}

/* With L4RE_RM_F_DETACH_FREE the last region takes its dataspace along. */
static void freed_with_its_region(void)
{
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, PAGE, 0);
    volatile char *a, *b;

    a = attach(ds, PAGE, L4RE_RM_F_R | L4RE_RM_F_DETACH_FREE);
    tap_eq(l4re_rm_detach_range_srv(l4re_env()->rm, (l4_addr_t)a, PAGE,
                                    L4RE_RM_DETACH_EXACT | L4RE_RM_DETACH_KEEP, NULL,
                                    L4_BASE_TASK_CAP), 0, "a detach that keeps");
    tap_eq((long)l4re_ds_size(ds), PAGE, "keeps the dataspace");
    a = attach(ds, PAGE, L4RE_RM_F_R | L4RE_RM_F_DETACH_FREE);
    b = attach(ds, PAGE, L4RE_RM_F_R | L4RE_RM_F_DETACH_FREE);
    l4re_rm_detach((void *)a);
    tap_eq((long)l4re_ds_size(ds), PAGE, "as long as another region shows it, it stays");
    l4re_rm_detach((void *)b);
    tap_eq((long)l4re_ds_size(ds), 0, "with the last one it goes");
    l4re_util_cap_free(ds);
}

static void what_is_on_record(void)
{
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, 2 * PAGE, 0);
    void *place = (void *)(PLACE + 5 * PAGE);
    volatile char *at = place;
    l4_umword_t w[L4RE_RM_FAULT_NUM] = {0};
    l4_cap_idx_t rm = l4re_env()->rm;

    l4re_rm_attach(&place, PAGE, L4RE_RM_F_RW, ds, PAGE, 0);
    tap_eq(l4re_stats_get(rm, L4RE_STATS_LAST_FAULT_OP, (l4_addr_t)at, w, L4RE_RM_FAULT_NUM),
           -L4_ENOENT, "where nobody has faulted nothing is on record");
    at[77] = 1;
    tap_eq(l4re_stats_get(rm, L4RE_STATS_LAST_FAULT_OP, (l4_addr_t)at, w, L4RE_RM_FAULT_NUM),
           L4RE_RM_FAULT_NUM, "a fault is");
    tap_ok(w[L4RE_RM_FAULT_ADDRESS] == ((l4_addr_t)at + 77) / 8 * 8 &&
               w[L4RE_RM_FAULT_ACCESS] == L4_PF_WRITE &&
               w[L4RE_RM_FAULT_START] == (l4_addr_t)at && w[L4RE_RM_FAULT_SIZE] == PAGE &&
               w[L4RE_RM_FAULT_DS] == ds && w[L4RE_RM_FAULT_OFFSET] == PAGE,
           "with address, access, region, dataspace, offset");
    end_ds(ds, at);
}

static void messages(void)
{
    l4_utcb_t *u = l4_utcb();
    l4re_ds_t ds = new_ds(l4re_env()->mem_alloc, PAGE, 0);

    u->msg.mr[0] = L4RE_STATS_LAST_FAULT_OP;
    tap_eq(say(L4RE_PROTO_STATS, 1, L4_INVALID_CAP), -L4_EMSGTOOSHORT, "statistics of no address");
    u->msg.mr[0] = 99;
    tap_eq(say(L4RE_PROTO_STATS, 1, ds), -L4_ENOSYS, "nor of an unknown kind");
    tap_eq(say(L4RE_PROTO_STATS, 0, ds), -L4_EMSGTOOSHORT, "nor of none");
    tap_eq(say(0x4711, 1, ds), -L4_EBADPROTO, "another protocol is none of ours");
    u->msg.mr[0] = L4RE_RM_ATTACH_OP;
    u->msg.mr[1] = PLACE;
    u->msg.mr[2] = PAGE;
    u->msg.mr[3] = L4RE_RM_F_RESERVED;
    u->msg.mr[4] = u->msg.mr[5] = 0;
    tap_eq(say(L4RE_PROTO_RM, 6, ds), 0, "a reserved region needs no dataspace");
    tap_eq(detach_exact(PLACE, 1), 0, "and goes");
    u->msg.mr[0] = L4RE_RM_ATTACH_OP;
    u->msg.mr[1] = PLACE;
    u->msg.mr[2] = PAGE;
    u->msg.mr[3] = L4RE_RM_F_RW;
    u->msg.mr[4] = u->msg.mr[5] = 0;
    tap_eq(say(L4RE_PROTO_RM, 6, L4_INVALID_CAP), -L4_ENOENT, "another one does");
    u->msg.mr[0] = L4RE_RM_SET_FOREIGN_OP;
    u->msg.mr[1] = L4_USER_END;
    u->msg.mr[2] = 0;
    tap_eq(say(L4RE_PROTO_RM, 3, L4_INVALID_CAP), -L4_EINVAL, "no way into the kernel's half");
    tap_eq((long)l4re_ds_size(ds), PAGE, "nothing has become of the dataspace");
    l4re_util_cap_free_um(ds);
}

int main(void)
{
    find_with_item();
    freed_with_its_region();
    what_is_on_record();
    messages();
    nodes_run_out();
    return tap_done();
}
