/*
 * story.c - one page fault, told by every layer that took part in it
 *
 * The kernel recorded it in its trace, the region manager keeps the last faults, the dataspace
 * manager knows which frame holds the page.
 */
#include "story.h"

#include <abi/msg.h>
#include <abi/stats.h>
#include <abi/trace.h>
#include <l4/re/c/stats.h>
#include <l4/re/env.h>
#include <l4/sys/debugger.h>

#include <stdio.h>

void story_begin(struct story *s)
{
    s->traced = l4_dbg_trace_ctl(s->debugger, 2) >= 0;
}

/* What the kernel entered in the page table, without the bits that are not the frame. */
static l4_addr_t frame_of_entry(l4_umword_t entry)
{
    return entry & 0xffffffffff000UL;
}

static void read_record(struct story *s, const l4_trace_record *r)
{
    if ((r->a & L4_PAGEMASK) != (s->address & L4_PAGEMASK))
        return;
    if (r->event == L4_TRACE_FAULT) {
        s->trace_faults++;
        s->trace_thread = r->thread;
    }
    if (r->event == L4_TRACE_MAP)
        s->trace_frame = frame_of_entry(r->b);
}

static void read_trace(struct story *s)
{
    static l4_trace_record records[L4_DBG_TRACE_READ_MAX];
    l4_umword_t next = 0;
    long n;

    l4_dbg_trace_ctl(s->debugger, 0);
    while ((n = l4_dbg_trace_read(s->debugger, &next, records)) > 0)
        for (long i = 0; i < n; i++)
            read_record(s, &records[i]);
}

void story_end(struct story *s)
{
    if (s->traced)
        read_trace(s);
    s->rm_error = l4re_stats_get(l4re_env()->rm, L4RE_STATS_LAST_FAULT_OP, s->address, s->rm,
                                 L4RE_RM_FAULT_NUM);
    s->ds_error = l4re_stats_get(s->ds, L4RE_STATS_FRAME_OP, s->address - s->ds_start,
                                 &s->ds_frame, 1);
}

static const char *access_name(l4_umword_t bits)
{
    return bits & L4_PF_FETCH ? "instruction fetch" : bits & L4_PF_WRITE ? "write" : "read";
}

/* Do all who were there tell the same? */
static bool all_agree(const struct story *s)
{
    const l4_umword_t *f = s->rm;
    bool ok = (f[L4RE_RM_FAULT_ADDRESS] & L4_PAGEMASK) == (s->address & L4_PAGEMASK) &&
              f[L4RE_RM_FAULT_START] == s->ds_start && f[L4RE_RM_FAULT_DS] == s->ds &&
              (f[L4RE_RM_FAULT_OFFSET] & L4_PAGEMASK) ==
                  ((s->address - s->ds_start) & L4_PAGEMASK);

    return ok && (!s->traced || (s->trace_faults == 1 && s->trace_frame == s->ds_frame));
}

bool story_tell(const struct story *s)
{
    const l4_umword_t *f = s->rm;
    bool ok;

    if (s->rm_error < L4RE_RM_FAULT_NUM || s->ds_error < 1) {
        printf("  not remembered by the region manager (%ld) or the dataspace manager (%ld)\n",
               s->rm_error, s->ds_error);
        return false;
    }
    ok = all_agree(s);
    printf("  thread     main");
    if (s->traced)
        printf(", the kernel's number %lu", s->trace_thread);
    printf("; to the region manager by the gate with label %#lx", f[L4RE_RM_FAULT_LABEL]);
    printf("\n  access     %s of %#lx by the instruction at %#lx\n",
           access_name(f[L4RE_RM_FAULT_ACCESS]), f[L4RE_RM_FAULT_ADDRESS], f[L4RE_RM_FAULT_IP]);
    printf("  region     [%#lx, %#lx)\n", f[L4RE_RM_FAULT_START],
           f[L4RE_RM_FAULT_START] + f[L4RE_RM_FAULT_SIZE]);
    printf("  dataspace  capability %#lx, offset %#lx\n", f[L4RE_RM_FAULT_DS],
           f[L4RE_RM_FAULT_OFFSET]);
    printf("  frame      %#lx", s->ds_frame);
    if (s->traced)
        printf("; the kernel entered %#lx", s->trace_frame);
    printf("\n  %s\n", ok ? "agree      kernel, region manager and dataspace manager tell the same"
                         : "DIFFER");
    return ok;
}
