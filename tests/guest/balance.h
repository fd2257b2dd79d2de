/*
 * balance.h - memory of a guest test: how it gets some, and whether everything came back
 *
 *     struct balance before = balance_look();
 *     ...
 *     tap_ok(balance_same(before, balance_look()), "everything has come back");
 *
 * For programs under the usual system. balance_look() asks through the capabilities `debugger` and
 * `sigma0`. Each part stands alone: an include costs nothing that is not called.
 */
#pragma once

#include <abi/stats.h>
#include <l4/re/c/mem_alloc.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/stats.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/debugger.h>
#include <l4/sys/err.h>
#include <l4/sys/factory.h>
#include <l4/sys/ipc.h>

#include <stdbool.h>
#include <stdio.h>

/* ---- accounts, dataspaces, regions ---- */

/* A new account at anon; L4_INVALID_CAP: refused. */
static inline l4_cap_idx_t new_account(l4_umword_t pages)
{
    l4_cap_idx_t account = l4re_util_cap_alloc();
    l4_utcb_t *u = l4_utcb();
    l4_msgtag_t tag = l4_factory_create_start_u(L4RE_PROTO_MEM_ALLOC, account, u);

    l4_factory_create_add_uint_u(pages * L4_PAGESIZE, &tag, u);
    return l4_error(l4_factory_create_commit_u(l4re_env_get_cap("anon"), tag, u)) < 0
               ? L4_INVALID_CAP : account;
}

static inline void end_account(l4_cap_idx_t account)
{
    l4_utcb()->msg.mr[0] = L4RE_MA_RELEASE_OP;
    l4_ipc_call(account, l4_utcb(), l4_msgtag(L4RE_PROTO_MEM_ALLOC, 1, 0, 0), L4_IPC_NEVER);
    l4re_util_cap_free(account);
}

/* A new dataspace of so many bytes; L4_INVALID_CAP: refused. */
static inline l4re_ds_t new_ds(l4_cap_idx_t account, unsigned long size, unsigned long flags)
{
    l4re_ds_t ds = l4re_util_cap_alloc();

    return l4re_ma_alloc_align_srv(account, (long)size, ds, flags, 0) < 0 ? L4_INVALID_CAP : ds;
}

/* Bytes [offset, offset + size) of it, at a multiple of 2 MiB; NULL: refused. */
static inline volatile char *attach_part(l4re_ds_t ds, l4re_rm_offset_t offset, unsigned long size,
                                         l4re_rm_flags_t rights)
{
    void *at = NULL;
    int err = l4re_rm_attach(&at, size, L4RE_RM_F_SEARCH_ADDR | rights, ds, offset,
                             L4_SUPERPAGESHIFT);

    return err < 0 ? NULL : at;
}

static inline volatile char *attach(l4re_ds_t ds, unsigned long size, l4re_rm_flags_t rights)
{
    return attach_part(ds, 0, size, rights);
}

/* Both, or the dataspace only (NULL). */
static inline void end_ds(l4re_ds_t ds, volatile char *at)
{
    if (at)
        l4re_rm_detach((void *)at);
    l4re_util_cap_free_um(ds);
}

/* ---- what servers count; ~0: no answer ---- */

/* word: enum l4re_ds_stats. */
static inline l4_umword_t ds_stat(l4_cap_idx_t gate, unsigned op, unsigned word)
{
    l4_umword_t words[L4RE_DS_STATS_NUM] = {0};

    return l4re_stats_get(gate, op, 0, words, L4RE_DS_STATS_NUM) < 0 ? ~0UL : words[word];
}

static inline l4_umword_t rm_stat(enum l4re_rm_stats word)
{
    l4_umword_t words[L4RE_RM_STATS_NUM] = {0};

    return l4re_stats_get(l4re_env()->rm, L4RE_STATS_GET_OP, 0, words, L4RE_RM_STATS_NUM) < 0
               ? ~0UL : words[word];
}

/* Page faults that the region manager has received. */
static inline l4_umword_t faults(void)
{
    return rm_stat(L4RE_RM_STATS_FAULTS);
}

static inline l4_umword_t sigma0_stat(l4_cap_idx_t account, enum l4re_sigma0_stats word)
{
    l4_umword_t words[L4RE_SIGMA0_STATS_NUM] = {0};

    return l4re_stats_get(account, L4RE_STATS_GET_OP, 0, words, L4RE_SIGMA0_STATS_NUM) < 0
               ? ~0UL : words[word];
}

/* Of one task, or of all (L4_INVALID_CAP). word: enum l4_dbg_counter. */
static inline l4_umword_t kernel_stat(l4_cap_idx_t task, unsigned word)
{
    l4_umword_t words[L4_DBG_CNT_NUM] = {0};

    return l4_dbg_counters(l4re_env_get_cap("debugger"), task, words) < 0 ? ~0UL : words[word];
}

/* Let others run until it is so. False: it never is. */
#define EVENTUALLY(condition)                                                                      \
    __extension__({                                                                                \
        unsigned tries_ = 5000;                                                                    \
        while (!(condition) && --tries_)                                                           \
            l4_ipc_sleep_ms(1);                                                                    \
        tries_ != 0;                                                                               \
    })

/* ---- before and after ---- */

struct balance {
    l4_umword_t kernel_memory;  /* bytes in use */
    l4_umword_t sigma0_frames;  /* free */
    l4_umword_t manager_frames; /* in use at the manager of our memory */
};

static inline struct balance balance_look(void)
{
    l4_cap_idx_t manager = l4re_env()->mem_alloc;

    return (struct balance){
        .kernel_memory = kernel_stat(L4_INVALID_CAP, L4_DBG_CNT_KMEM_USED),
        .sigma0_frames = sigma0_stat(l4re_env_get_cap("sigma0"), L4RE_SIGMA0_STATS_FREE),
        .manager_frames = ds_stat(manager, L4RE_STATS_TOTALS_OP, L4RE_DS_STATS_FRAMES_TOTAL) -
                          ds_stat(manager, L4RE_STATS_TOTALS_OP, L4RE_DS_STATS_FRAMES_FREE),
    };
}

/* False also when somebody did not answer. */
static inline bool balance_same(struct balance a, struct balance b)
{
    bool good = a.kernel_memory == b.kernel_memory && a.sigma0_frames == b.sigma0_frames &&
                a.manager_frames == b.manager_frames && ~a.kernel_memory && ~a.sigma0_frames &&
                a.manager_frames;

    if (!good)
        printf("# kernel memory %lu, %lu; frames at sigma0 %lu, %lu, of the manager %lu, %lu\n",
               a.kernel_memory, b.kernel_memory, a.sigma0_frames, b.sigma0_frames,
               a.manager_frames, b.manager_frames);
    return good;
}
