/*
 * task.h - a task: an address space, a capability table, kernel-user memory
 */
#pragma once

#include <abi/fpage.h>
#include <abi/types.h>

#include "index.h"
#include "list.h"
#include "object.h"
#include "ptab.h"

/* A slot of a capability table. */
struct cap {
    uint32_t ref; /* object | rights in the low four bits; 0: empty */
    kref_t node;  /* its mapping */
};
_Static_assert(sizeof(struct cap) == 8, "a capability is one word");

enum { CAPS_PER_PAGE = 4096 / sizeof(struct cap), CAP_RIGHTS = 15 };

struct task {
    struct object obj;
    struct cap *caps;    /* slots 0..511 */
    struct io_space *io; /* I/O ports; NULL: none */
    uint64_t messages;   /* counters for the debugger, here and below */
    struct space space;
    uint64_t pages_mapped;
    uint64_t pages_unmapped;
    uint64_t page_faults;
    uint64_t invocations;
    uint64_t exceptions;
    kref_t *cap_pages;   /* 512 references to further pages of slots, or NULL */
    struct link threads; /* bound to this task */
    uint64_t reap_at;    /* how far destruction has come: address, then slot */
    uint8_t reap_stage;
    uint16_t cap_page_count; /* pages in cap_pages */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct task) <= 256, "a task object stays small");

extern const struct object_ops task_ops;
extern struct slab task_slab;

static inline struct task *task_of(struct object *o)
{
    return (struct task *)o;
}

static inline struct task *task_of_space(struct space *s)
{
    return container_of(s, struct task, space);
}

static inline struct object *cap_object(const struct cap *c)
{
    return kptr(c->ref & ~(uint32_t)CAP_RIGHTS);
}

/* The slot behind a capability index; NULL: outside every page of the table. */
struct cap *cap_slot_slow(const struct task *t, uint64_t slot);

static inline struct cap *cap_slot(const struct task *t, l4_cap_idx_t c)
{
    uint64_t slot = c >> L4_CAP_SHIFT;

    return slot < CAPS_PER_PAGE ? &t->caps[index_below(slot, CAPS_PER_PAGE)]
                                : cap_slot_slow(t, slot);
}

/* The same, making the page of slots if need be; NULL: exhausted or beyond L4_CAP_SLOTS. */
struct cap *cap_slot_make(struct task *t, uint64_t slot);
/* The slot is empty: its page goes if it was the last one in it, but not the task's first page. */
void cap_slot_trim(struct cap *c);

/* Enter the first capability of a new object. The slot is emptied before. */
int cap_enter_root(struct task *t, uint64_t slot, struct object *o, unsigned rights);
/* Which task, which slot an entry of a table is. */
struct task *cap_task(const struct cap *c);
uint64_t cap_index(const struct cap *c);

/* A task with its UTCB area; *err tells why not. */
struct task *task_create(struct object *factory, l4_fpage_t utcb_area, int *err);
/* Kernel-user memory at an address of the task: zeroed pages of the kernel's pool. */
int task_add_ku_mem(struct task *t, l4_fpage_t area);
/* The memory that this and a task need is clean, or there is none. False: preempted, ask again. */
bool task_ku_mem_ready(l4_fpage_t area);
/* The kernel's address of [va, va + bytes) if that is kernel-user memory on one page, or NULL. */
void *task_ku_address(const struct task *t, uint64_t va, unsigned bytes);
void task_init(void);
