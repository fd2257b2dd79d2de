/*
 * layers.h - what each layer counted for this program, and whether the layers agree
 */
#pragma once

#include <abi/protocols.h>
#include <abi/stats.h>
#include <abi/types.h>

#include <stdbool.h>

/* One look at all counters. `used` words are valid. */
struct layers {
    l4_umword_t kernel[L4_DBG_CNT_NUM];
    l4_umword_t rm[L4RE_RM_STATS_NUM];
    l4_umword_t anon[L4RE_DS_STATS_EXTRA];  /* this program's account */
    l4_umword_t total[L4RE_DS_STATS_NUM];   /* all of the anonymous memory's manager */
    l4_umword_t work[L4RE_DS_STATS_EXTRA];  /* the dataspace that is sorted in */
    l4_umword_t rom_maps;                   /* of all read-only dataspaces that we have */
    l4_umword_t work_pages;                 /* pages of the work dataspace that have a frame */
};

/* The dataspaces that the counters are asked of. */
struct layers_input {
    l4_cap_idx_t debugger;
    l4_cap_idx_t file;      /* the input, from rom */
    l4_cap_idx_t work;      /* 32 MiB of anonymous memory */
    l4_umword_t work_size;  /* bytes */
};

/* Ask every layer. 0 or -L4_E...; says on the log who did not answer. */
long layers_read(const struct layers_input *in, struct layers *l);

/* Which pages of the work dataspace have a frame, asked page by page; for after layers_read(), so
 * that these calls are not among those that it counts. */
void layers_count_frames(const struct layers_input *in, struct layers *l);

/* Print the table. */
void layers_print(const struct layers *l);

/* Print the sums that must agree; true if all do. */
bool layers_agree(const struct layers *l);
