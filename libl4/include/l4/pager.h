/*
 * l4/pager.h - write a dataspace manager: fill in a table, call manager_run()
 *
 * A dataspace is a container of pages behind a gate; its manager is the server behind that gate
 * and the pager of those pages. The framework speaks the protocols, checks rights and ranges with
 * the error codes that the interface promises, makes gates, and keeps accounts and counters. A
 * manager says where the pages are:
 *
 *     struct my_ds { struct dataspace ds; ... };       // ds comes first
 *     static const struct manager my = { .name = "my", .ds_size = sizeof(struct my_ds), ... };
 *     int main(void) { return manager_run(&my); }
 *
 * What clients see (docs/dataspace-managers.md has the words of each message):
 *
 *     manager gate    one for each manager; the root task hands it out under the manager's name
 *        |            NAMESPACE query "name"  -> open() -> dataspace gate
 *        |            FACTORY create account  -> account gate
 *     account gate    FACTORY create dataspace(size, flags, alignment) -> open() -> dataspace gate
 *     dataspace gate  map, clear, info, copy_in, allocate, release
 *
 * Numbers: sizes and offsets are bytes. A function returns 0 (or a result) or -L4_E...
 *
 * D1  When a table function is called, rights and range have been checked; offset + size does not
 *     overflow, and size is not 0. `size` of a dataspace is exact, its last page is whole.
 * D2  There is one thread. A table function is never called while another one runs, except that
 *     release() may be called for *other* dataspaces from within manager_gc().
 * D3  Counters and balance of an account are the sums over its dataspaces (and `maps`, `filled`
 *     and `source_maps` over those that it had before).
 */
#pragma once

#include <abi/errors.h>
#include <abi/protocols.h>
#include <abi/stats.h>
#include <abi/types.h>
#include <l4/server.h>
#include <stdbool.h>

/* Limits, each with its reason. */
enum {
    /* A dataspace that nobody touches costs its account nothing, but it costs us a gate. */
    DATASPACES_PER_ACCOUNT_MAX = 1024,
    DATASPACE_NAME_MAX = 128, /* bytes of a name with its zero: what a query can hold and more */
};

/* What has happened, in pages or messages: words of the STATS protocol (abi/stats.h). */
struct ds_counts {
    l4_umword_t maps;        /* map requests answered with an item */
    l4_umword_t frames;      /* frames that hold pages now */
    l4_umword_t filled;      /* frames that were handed out zeroed, ever */
    l4_umword_t index_frames; /* frames of page indexes now */
    l4_umword_t source_maps; /* map requests that copies sent to other managers */
    l4_umword_t reserve; /* frames that are reserved and hold nothing now */
};

/* Who pays. Behind an account gate, or the house account for what is opened by name. */
struct account {
    struct l4_server_object object;
    l4_cap_idx_t gate;
    l4_umword_t quota; /* bytes */
    l4_umword_t used;  /* bytes: whole frames, of pages and of indexes, and what is reserved */
    struct ds_counts counts;
    l4_umword_t dataspaces; /* open now */
    struct account *next;
};

struct dataspace {
    /* the framework's */
    struct l4_server_object object;
    l4_cap_idx_t gate;
    struct account *account;
    struct dataspace *next;
    struct ds_counts counts;
    bool reserved; /* between ds_reserve() and ds_unreserve() */
    bool lasting;  /* its gate is the parent's, and outlives us */
    /* the manager's: set by open() */
    l4_umword_t size; /* bytes */
    unsigned rights;  /* L4RE_DS_F_R, _W, _X: what a holder with all rights may do */
};

/* What to open: a name, or size and flags. */
struct ds_request {
    const char *name;      /* NULL: by size */
    bool at_manager;       /* by size at the manager gate, not by an account */
    l4_umword_t address;   /* then: physical address of a device, 0: none given */
    l4_umword_t size;      /* bytes, not 0 */
    l4_umword_t flags;     /* enum l4re_ma_flags */
    unsigned align;        /* order of the alignment, at least L4_PAGESHIFT */
};

/* Where a page is: the answer of map(). */
struct ds_page {
    l4_addr_t address; /* of the page, in our own address space */
    unsigned order;    /* size of the flexpage around it, preset to L4_PAGESHIFT */
    unsigned rights;   /* preset to what was asked for and is allowed; may be reduced */
    l4_addr_t hot_spot; /* where the client wants it: see ds_page_widen() */
};

struct manager {
    const char *name;
    l4_umword_t ds_size;  /* bytes of the manager's own structure around struct dataspace */
    unsigned gate_rights; /* of the capabilities handed out: L4_CAP_FPAGE_... */
    bool at_manager;      /* who has the manager gate may open by size, too: nobody pays */

    /* Set up a zeroed *ds: set size and rights. Error: the client gets it, *ds is forgotten. */
    long (*open)(struct dataspace *ds, const struct ds_request *request);
    /* Find or make the page at `offset` (a multiple of L4_PAGESIZE). */
    long (*map)(struct dataspace *ds, l4_umword_t offset, struct ds_page *page);
    /* [offset, offset + size) reads as zero afterwards. NULL: -L4_ENOSYS. */
    long (*clear)(struct dataspace *ds, l4_umword_t offset, l4_umword_t size);
    /* Copy `size` bytes, at most a page, from readable memory. NULL: -L4_ENOSYS. */
    long (*copy_in)(struct dataspace *ds, l4_umword_t offset, const void *from, l4_umword_t size);
    /* Whole pages of another dataspace of this manager, which is not `ds` itself or is: from now on
     * they read the same in both, and a write to either does not show in the other. -L4_ENOSYS, or
     * NULL: they are copied. After another error the range of `ds` reads as zero. */
    long (*share)(struct dataspace *ds, l4_umword_t offset, struct dataspace *source,
                  l4_umword_t from, l4_umword_t size);
    /* Make the pages of a range now, so that no later map can run out of memory. All or nothing.
     * NULL: nothing to do. */
    long (*allocate)(struct dataspace *ds, l4_umword_t offset, l4_umword_t size);
    /* Bytes and rights as the holder may know them. NULL: ds->size, ds->rights. */
    void (*info)(struct dataspace *ds, l4_umword_t *size, unsigned *rights);
    /* Nobody can reach *ds any more: give its frames back. NULL: nothing to do. */
    void (*release)(struct dataspace *ds);

    /* For a manager that the boot script restarts: three words that say what a dataspace opened at
     * the manager gate is, and the dataspace made again from them (then set size and rights as
     * open() does; error: its gate is deleted). Clients go on with the next life. NULL: they do
     * not. */
    void (*save)(const struct dataspace *ds, l4_umword_t words[L4RE_PARENT_GATE_WORDS]);
    long (*restore)(struct dataspace *ds, const l4_umword_t words[L4RE_PARENT_GATE_WORDS]);

    /* The frame of a page that exists, -L4_ENOENT; makes nothing. NULL: -L4_ENOSYS. */
    l4_mword_t (*frame)(struct dataspace *ds, l4_umword_t offset);
    /* A zeroed page for structures, NULL: none. This is what the framework allocates from. */
    void *(*new_page)(void);
    /* Fill in L4RE_DS_STATS_SIGMA0_REQUESTS and the words from L4RE_DS_STATS_EXTRA on of what the
     * STATS protocol answers for the whole manager. NULL: they are 0. */
    void (*totals)(l4_umword_t words[L4RE_DS_STATS_NUM]);
};

/* Serve for ever. */
L4_NORETURN int manager_run(const struct manager *m);

/* Charge zeroed frames to the account of ds, or credit them; -L4_ENOMEM: over quota, nothing
 * charged. Take the frames first: a charge counts them as filled. */
long ds_charge(struct dataspace *ds, l4_umword_t pages, l4_umword_t index_frames);
void ds_credit(struct dataspace *ds, l4_umword_t pages, l4_umword_t index_frames);

/* The same without releasing garbage first (see D2), and for a frame that holds a page already and
 * was charged to another dataspace before. */
long ds_charge_now(struct dataspace *ds, l4_umword_t pages, l4_umword_t index_frames);
long ds_inherit(struct dataspace *ds);

/* Charge `frames` at once, before they are used: what is charged to and credited to the dataspace
 * from now on comes from there and goes there. -L4_ENOMEM: over quota. ds_unreserve() credits what
 * is not in use. That there are frames is the manager's business: ds_totals.reserve are promised.
 */
long ds_reserve(struct dataspace *ds, l4_umword_t frames);
void ds_unreserve(struct dataspace *ds);

/* Sums over all dataspaces. To be read. */
extern struct ds_counts ds_totals;

/* Let the flexpage grow to the largest one in [start, end) of our address space that fits the
 * client's hot spot. The client's receive window cuts off what it does not want. */
void ds_page_widen(struct ds_page *page, l4_addr_t start, l4_addr_t end);

/* Release dataspaces whose gate no longer exists (l4re_util_cap_free_um() deletes it without
 * telling us). True: there were some. Never touches the dataspace of the running request. */
bool manager_gc(void);
