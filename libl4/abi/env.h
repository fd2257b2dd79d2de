/*
 * abi/env.h - what a task finds when it starts
 *
 * The root task fills one page for each task and maps it read-only at QUIRE_ENV_ADDR. An ordinary
 * program reads the first part (l4re_env()), its region manager the second (which dataspaces to
 * attach, where the main thread starts). A task without region manager (dataspace managers) has
 * region_count 0.
 *
 *   0x0000000000400000  program text, data, bss (dataspaces)         demand-paged
 *   0x0000000070000000  region manager: image, heap, stack           mapped before start
 *   0x0000000080000000  UTCB area                                    kernel-user memory
 *   0x000000008ff00000  environment page, then KIP                   mapped before start
 *   0x00000000a0000000  end of the main stack (grows down)           demand-paged
 *   0x0000000100000000  dynamic attachments up to L4_USER_END        demand-paged
 */
#pragma once

#include <abi/fpage.h>
#include <abi/types.h>

#define QUIRE_PROGRAM_ADDR 0x400000UL
#define QUIRE_RM_ADDR 0x70000000UL
#define QUIRE_RM_END 0x80000000UL
#define QUIRE_RM_STACK_TOP 0x7fff0000UL
#define QUIRE_UTCB_ADDR 0x80000000UL
#define QUIRE_UTCB_ORDER 14 /* 16 UTCBs: the region manager's, the main thread's, 14 more */
/* Of sigma0 and the root task, whose memory is mapped one to one: above all physical memory. */
#define QUIRE_FIRST_UTCB_ADDR 0x7f8000000000UL
#define QUIRE_ENV_ADDR 0x8ff00000UL
#define QUIRE_KIP_ADDR 0x8ff01000UL
#define QUIRE_STACK_TOP 0xa0000000UL
#define QUIRE_STACK_SIZE 0x100000UL
#define QUIRE_ATTACH_MIN 0x100000000UL
#define QUIRE_ATTACH_MAX 0x7f0000000000UL
/* Nothing is ever attached below: null pointers and small offsets from them fault. */
#define QUIRE_NULL_GUARD 0x10000UL

/* Slots that the root task fills, after the L4 ones (types.h). */
#define QUIRE_RM_THREAD_CAP (10UL << L4_CAP_SHIFT)
#define QUIRE_MEM_ALLOC_CAP (11UL << L4_CAP_SHIFT)
#define QUIRE_PARENT_CAP (12UL << L4_CAP_SHIFT)
#define QUIRE_SIGMA0_CAP (13UL << L4_CAP_SHIFT) /* dataspace managers only: their RAM account */
#define QUIRE_FIRST_NAMED_CAP (16UL << L4_CAP_SHIFT)

typedef struct l4re_env_cap_entry_t {
    l4_cap_idx_t cap;
    l4_umword_t flags; /* ~0: end of the list */
    char name[16];
} l4re_env_cap_entry_t;

typedef struct l4re_env_t {
    l4_cap_idx_t parent;
    l4_cap_idx_t rm;
    l4_cap_idx_t mem_alloc;
    l4_cap_idx_t log;
    l4_cap_idx_t main_thread;
    l4_cap_idx_t factory;
    l4_cap_idx_t scheduler;
    l4_cap_idx_t itas;
    l4_cap_idx_t dbg_events;
    l4_cap_idx_t first_free_cap; /* a slot number, not an index */
    l4_fpage_t utcb_area;
    l4_addr_t first_free_utcb;
    l4re_env_cap_entry_t *caps;
} l4re_env_t;

enum { QUIRE_REGION_NAME_SIZE = 48 };

/* One region that exists when the task starts. */
typedef struct quire_init_region {
    l4_addr_t start;
    l4_umword_t size;  /* bytes, whole pages */
    l4_umword_t flags; /* enum l4re_rm_flags_t: rights, or L4RE_RM_F_RESERVED */
    l4_cap_idx_t ds;   /* L4_INVALID_CAP for a reserved region */
    l4_umword_t offset;
    char name[QUIRE_REGION_NAME_SIZE]; /* of a segment: its file and kind, "sort.elf text" */
} quire_init_region;

enum { QUIRE_ENV_CAPS_MAX = 24, QUIRE_ENV_REGIONS_MAX = 16, QUIRE_ENV_ARGS_SIZE = 1024 };

typedef struct quire_env_page {
    l4re_env_t env;
    l4re_env_cap_entry_t caps[QUIRE_ENV_CAPS_MAX];
    /* for the region manager */
    char task_name[32];
    l4_addr_t entry; /* of the program */
    l4_addr_t stack_top;
    l4_umword_t priority;
    l4_umword_t quantum_us;
    l4_addr_t rm_heap_start; /* mapped, read-write, for region nodes */
    l4_addr_t rm_heap_end;
    l4_umword_t region_count;
    quire_init_region regions[QUIRE_ENV_REGIONS_MAX];
    /* for the program: argc zero-terminated strings one after another */
    l4_umword_t argc;
    char args[QUIRE_ENV_ARGS_SIZE];
} quire_env_page;

_Static_assert(sizeof(quire_env_page) <= 4096, "one page");
