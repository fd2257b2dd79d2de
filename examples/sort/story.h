/*
 * story.h - one page fault, told by every layer that took part in it
 */
#pragma once

#include <abi/stats.h>
#include <abi/types.h>

#include <stdbool.h>

struct story {
    /* what the program knows */
    l4_cap_idx_t debugger;
    l4_cap_idx_t ds;    /* the dataspace that the page belongs to */
    l4_addr_t ds_start; /* where that is attached */
    l4_addr_t address;  /* first access: the fault */
    /* what the layers say, asked by story_end() */
    long rm_error;      /* words of the region manager's answer, or -L4_E... */
    l4_umword_t rm[L4RE_RM_FAULT_NUM];
    long ds_error;      /* words of the dataspace manager's answer, or -L4_E... */
    l4_addr_t ds_frame;
    bool traced;        /* the kernel kept a trace */
    unsigned trace_faults;
    l4_umword_t trace_thread;
    l4_addr_t trace_frame; /* what the kernel entered, 0: not seen */
};

/* Before the access to s->address: let the kernel record. */
void story_begin(struct story *s);

/* Right after the access: ask every layer, before later faults are all that it remembers. */
void story_end(struct story *s);

/* Tell it; true if region manager, dataspace manager and kernel tell the same. */
bool story_tell(const struct story *s);
