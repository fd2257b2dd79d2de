/*
 * explore_map.c - all states of mapping, granting and unmapping memory
 *
 * The kernel's own calls (map.c, map_memory.c, unmap_memory.c, split.c, walk.c, mapdb.c, ptab.c,
 * kmem.c, buddy.c) against kernel/mapdb_spec.c, in a universe of SPEC_SPACES spaces. Space 0 has
 * the roots. With SPEC_SUPER 512 the pages are small ones, two beside each other. With SPEC_SUPER
 * 3 they are parts of superpages of 2 MiB: pages 0 and 1, and the 510 others as one, which are
 * always named together.
 */
#include "explore.h"
#include "explore_map.h"

#include <string.h>

#include "machine.h"

#include <common/fpage.h>

#include "limits.h"
#include "map_memory.h"
#include "mapdb_spec.h"
#include "walk.h"

#pragma clang attribute push(__attribute__((no_sanitize("address"))), apply_to = function)

enum { SMALL = SPEC_SUPER == 512, REST = 2, POOL = 1 << 20, LOADED = 1 };
enum { SUPERS = SMALL ? 1 : SPEC_PAGES / SPEC_SUPER };

static const struct map_universe *universe;
static struct task *task[SPEC_SPACES];
static struct thread thread;
static struct spec *spec;

/* ---- where things are ---- */

/* Every space has its pages elsewhere: at the beginning of a table, at its end; in a part of the
 * address space that is otherwise empty, so that all tables come and go. */
static uint64_t space_base(unsigned space)
{
    static const uint64_t base[] = {1UL << 39, (2UL << 39) + 0x1fe000, (3UL << 39) + 0x3fe000};

    return SMALL ? base[space] : base[space] & ~0x3fffffUL;
}

static uint64_t address(unsigned space, unsigned page)
{
    return space_base(space) + (uint64_t)(page / SPEC_SUPER * 512 + page % SPEC_SUPER) * 4096;
}

static uint64_t frame_address(unsigned frame)
{
    return address(0, frame); /* roots are one to one */
}

static pte_t *entry_at(unsigned space, uint64_t va, unsigned *level)
{
    return ptab_find(&task[space]->space, va, level);
}

/* ---- operations ---- */

enum kind { MAP, UNMAP, TOUCH };

struct op {
    enum kind kind;
    uint8_t from, to; /* to: who loses, who touches */
    bool nothing;     /* the specification is not asked: nothing is to happen */
    bool grant, self;
    bool rest;        /* pages 2 to 511, in eight flexpages */
    uint8_t rights, order, window_order;
    uint8_t src, dst, count; /* as pages of the specification */
    uint64_t item, window, mask;
    uint64_t address; /* in the flexpage */
};

enum { OPS_MAX = 8192 };
static struct op ops[OPS_MAX];
static unsigned op_count;

static struct op *op_new(enum kind kind)
{
    EXPECT(op_count < OPS_MAX);
    ops[op_count] = (struct op){.kind = kind, .window_order = L4_WHOLE_ADDRESS_SPACE};
    return &ops[op_count++];
}

/* Flexpages of the universe: each page, and what is aligned and larger. */
struct piece {
    uint8_t page, count, order;
    bool rest;
};

static unsigned pieces(struct piece *p)
{
    unsigned n = 0;

    for (uint8_t i = 0; i < SPEC_PAGES; i++)
        p[n++] = (struct piece){i, 1, 12, !SMALL && i % SPEC_SUPER == REST};
    for (uint8_t i = 0; i < SPEC_PAGES; i += SMALL ? 2 : SPEC_SUPER)
        p[n++] = (struct piece){i, 2, 13, false};
    for (uint8_t i = 0; !SMALL && i < SPEC_PAGES; i += SPEC_SUPER)
        p[n++] = (struct piece){i, SPEC_SUPER, 21, false};
    if (SUPERS > 1)
        p[n++] = (struct piece){0, SPEC_PAGES, 22, false};
    return n;
}

static void add_map(unsigned from, struct piece src, unsigned to, struct piece dst,
                    unsigned rights, bool grant)
{
    struct op *o = op_new(MAP);

    o->from = (uint8_t)from;
    o->to = (uint8_t)to;
    o->src = src.page;
    o->dst = dst.page;
    o->count = src.count;
    o->order = src.order;
    o->rest = src.rest;
    o->rights = (uint8_t)rights;
    o->grant = grant;
    o->address = address(from, src.page);
    o->item = address(to, dst.page) | (grant ? L4_MAP_ITEM_GRANT : 0);
}

static void add_unmap(unsigned space, struct piece p, unsigned rights, bool self)
{
    struct op *o = op_new(UNMAP);

    o->to = (uint8_t)space;
    o->dst = p.page;
    o->count = p.count;
    o->order = p.order;
    o->rest = p.rest;
    o->rights = (uint8_t)rights;
    o->self = self;
    o->mask = self ? L4_FP_ALL_SPACES : L4_FP_OTHER_SPACES;
    o->address = address(space, p.page);
}

static void add_good(void)
{
    struct piece p[64];
    unsigned n = pieces(p);
    const uint8_t *r;

    for (unsigned from = 0; from < SPEC_SPACES; from++)
        for (unsigned to = 0; to < SPEC_SPACES; to++)
            for (unsigned i = 0; i < n; i++)
                for (unsigned j = 0; j < n; j++)
                    for (r = universe->map_rights; *r; r++) {
                        if (p[i].order != p[j].order || p[i].rest || p[j].rest)
                            continue;
                        add_map(from, p[i], to, p[j], *r, false);
                        add_map(from, p[i], to, p[j], *r, true);
                    }
    for (unsigned space = 0; space < SPEC_SPACES; space++)
        for (unsigned i = 0; i < n; i++)
            for (r = universe->unmap_rights; *r; r++)
                for (int self = 0; self < 2; self++)
                    add_unmap(space, p[i], *r & L4_FPAGE_RWX, self);
}

/* Arguments that are wrong, or odd, and what they mean. */
static void add_odd(void)
{
    struct piece p[64];
    unsigned n = pieces(p);
    struct op *o;

    for (unsigned from = 0; from < SPEC_SPACES; from++) {
        unsigned to = (from + 1) % SPEC_SPACES;

        for (unsigned rights = 0; rights < 16; rights++) { /* without R: nothing */
            add_map(from, p[0], to, p[1], rights, rights & 1);
            ops[op_count - 1].nothing = !(rights & L4_FPAGE_R);
        }
        for (unsigned order = 0; order < 12; order += 11) { /* less than a page: nothing */
            add_map(from, p[0], to, p[1], L4_FPAGE_RWX, false);
            ops[op_count - 1].order = (uint8_t)order;
            ops[op_count - 1].nothing = true;
            add_unmap(from, p[0], L4_FPAGE_RWX, true);
            ops[op_count - 1].order = (uint8_t)order;
            ops[op_count - 1].nothing = true;
        }
        for (unsigned i = 0; i < n; i++) { /* misaligned: the page around */
            if (p[i].order == 12)
                continue;
            add_map(from, p[i], to, p[i], L4_FPAGE_RWX, false);
            ops[op_count - 1].address += 4096;
            ops[op_count - 1].item += 4096 | 0xf00; /* bits that mean nothing */
            add_unmap(to, p[i], L4_FPAGE_RWX, true);
            ops[op_count - 1].address += 4096;
        }
        /* A window of one page: the page of a larger flexpage that the hot spot names. */
        o = op_new(MAP);
        *o = (struct op){MAP, .from = (uint8_t)from, .to = (uint8_t)to, .rights = L4_FPAGE_RWX,
                         .order = p[SPEC_PAGES].order, .window_order = 12, .src = 1, .dst = 0,
                         .count = 1, .address = address(from, 0), .window = address(to, 0),
                         .item = (7UL << 39) + address(from, 1)};
        /* A window that is larger: the place in it that the hot spot names. */
        o = op_new(MAP);
        *o = (struct op){MAP, .from = (uint8_t)from, .to = (uint8_t)to, .rights = L4_FPAGE_RWX,
                         .order = 12, .window_order = 30, .src = 0, .dst = 1, .count = 1,
                         .address = address(from, 0) + 0xfff, .window = address(to, 0),
                         .item = (5UL << 39) + (address(to, 1) & ((1UL << 30) - 1))};
        /* Holes, the end of user space, and what lies behind it. */
        for (unsigned i = 0; i < 4; i++) {
            static const uint64_t nowhere[] = {0, 9UL << 39, L4_USER_END, ~0xfffUL};

            add_map(from, p[0], to, p[1], L4_FPAGE_RWX, i & 1);
            ops[op_count - 1].address = nowhere[i];
            ops[op_count - 1].nothing = true;
            add_unmap(from, p[0], L4_FPAGE_RWX, true);
            ops[op_count - 1].address = nowhere[i];
            ops[op_count - 1].nothing = true;
            if (i < 2)
                continue;
            add_map(from, p[0], to, p[1], L4_FPAGE_RWX, false);
            ops[op_count - 1].item = nowhere[i];
            ops[op_count - 1].nothing = true;
        }
        /* Masks: only ALL_SPACES means something for memory. */
        add_unmap(from, p[0], L4_FPAGE_RWX, false);
        ops[op_count - 1].mask = 0x7ffffffe;
        /* Everything. */
        add_unmap(from, (struct piece){0, SPEC_PAGES, 63, false}, L4_FPAGE_RWX, true);
        add_unmap(from, (struct piece){0, SPEC_PAGES, 47, false}, L4_FPAGE_W, false);
        add_unmap(from, (struct piece){0, SPEC_PAGES, 30, false}, L4_FPAGE_RWX, false);
    }
}

static void add_touches(void)
{
    for (uint8_t space = 0; space < SPEC_SPACES; space++)
        for (uint8_t page = 0; page < SPEC_PAGES; page++)
            for (const uint8_t *status = universe->touches; *status; status++) {
                struct op *o = op_new(TOUCH);

                o->to = space;
                o->dst = page;
                o->rights = *status;
            }
}

static void tell(unsigned n)
{
    const struct op *o = &ops[n];
    static const char *const kinds[] = {"map", "unmap", "touch"};

    printf("#   %u: %s%s %u:%u -> %u:%u count %u order %u rights %u%s%s%s at 0x%lx item 0x%lx\n",
           n, kinds[o->kind], o->grant ? " (grant)" : "", o->from, o->src, o->to, o->dst,
           o->count, o->order, o->rights, o->self ? " self" : "", o->rest ? " rest" : "",
           o->nothing ? " nothing" : "", o->address, o->item);
}

/* ---- comparison ---- */

static struct mapping *mapping_at(unsigned index)
{
    unsigned level;
    pte_t *e = entry_at(index / SPEC_PAGES, address(index / SPEC_PAGES, index % SPEC_PAGES),
                        &level);

    return e ? ptab_owner(e) : NULL;
}

/* One address is as the specification says. */
static void compare_at(unsigned space, const struct spec_page *p, uint64_t va, uint64_t frame)
{
    unsigned level;
    pte_t *e = entry_at(space, va, &level);
    struct mapping *m;

    EXPECT(!e == !p->used);
    if (!e)
        return;
    m = ptab_owner(e);
    EXPECT(level == p->entry && m && mapping_level(m) == p->level);
    EXPECT(frame_of(*e, level) + (va & ((1UL << ptab_shift(level)) - 1)) == frame);
    EXPECT(rights_of(*e) == p->rights && (*e & PTE_P) && (*e & PTE_U) && !(*e & PTE_KU));
    EXPECT(mapping_partial(m) == (level < mapping_level(m)) && !mapping_dying(m));
    EXPECT(mapping_parent(m) == (p->parent == SPEC_ROOT ? NULL : mapping_at((unsigned)p->parent)));
    EXPECT(!SMALL || (status_of(accessed_dirty(*e)) == p->own &&
                      status_of(m->parts) == p->inherited));
}

/* Both sides, for who has to read what went wrong. */
static void show(void)
{
    for (unsigned i = 0; i < SPEC_ALL; i++) {
        const struct spec_page *p = &spec->page[i];
        uint64_t va = address(i / SPEC_PAGES, i % SPEC_PAGES);
        unsigned level;
        pte_t *e = entry_at(i / SPEC_PAGES, va, &level);

        printf("#   %u:%u ", i / SPEC_PAGES, i % SPEC_PAGES);
        if (p->used)
            printf("frame %u rights %u level %u entry %u from %d known %u %u", p->frame,
                   p->rights, p->level, p->entry, p->parent, p->own, p->inherited);
        if (e)
            printf("; there is 0x%lx, level %u, mapping 0x%x", *e, level, ptab_owner(e)->parts);
        printf("\n");
    }
}

static void compare(void)
{
    for (unsigned i = 0; i < SPEC_ALL; i++) {
        const struct spec_page *p = &spec->page[i];
        unsigned space = i / SPEC_PAGES, page = i % SPEC_PAGES;

        compare_at(space, p, address(space, page), frame_address(p->frame));
    }
}

/* The 509 other pages of a rest are as its first one. */
static void compare_rest(void)
{
    for (unsigned i = REST; !SMALL && i < SPEC_ALL; i += SPEC_SUPER)
        for (unsigned n = REST + 1; n < 512; n += n < 510 && i % 2 ? 1 : 127) {
            struct spec_page p = spec->page[i];
            unsigned space = i / SPEC_PAGES, page = i % SPEC_PAGES;
            uint64_t more = (n - REST) * 4096UL;
            unsigned level;

            (void)level;
            if (p.used && p.level == 1)
                continue; /* its parent is another node for each page: seen through the first */
            compare_at(space, &p, address(space, page) + more, frame_address(p.frame) + more);
        }
}

/* ---- the machine ---- */

/* What the CPU may still believe of the space that is loaded: entries that have lost something
 * and have not been flushed. */
static int64_t stale;

static void watch_store(uint64_t *e, uint64_t old, uint64_t value)
{
    bool loaded = ptab_space(e) == &task[LOADED]->space;
    uint64_t lost = (old & ~value & (PTE_P | PTE_W)) | (value & ~old & PTE_NX);

    if (loaded && (old & PTE_P) && (lost || ((old ^ value) & PTE_FRAME)))
        stale++;
}

static void watch_flush(struct space *s, uint64_t va)
{
    (void)va;
    if (!s || s == &task[LOADED]->space)
        stale = 0;
}

static int run_map(const struct op *o, uint64_t more, unsigned order, uint64_t *mapped)
{
    struct map_request r;
    int err;

    map_request_init(&r, task[o->from], task[o->to], o->item + more,
                     fpage_mem(o->address + more, order, o->rights).raw, o->window,
                     o->window_order);
    err = map_run(&r);
    *mapped += r.mapped;
    return err;
}

static int run_unmap(const struct op *o, uint64_t more, unsigned order, unsigned *status)
{
    struct unmap_request u = {.task = task[o->to],
                              .fp = fpage_mem(o->address + more, order, o->rights),
                              .mask = o->mask};
    int err = unmap_run(&u);

    *status |= u.status;
    return err;
}

static void touch(const struct op *o)
{
    unsigned level;
    pte_t *e = entry_at(o->to, address(o->to, o->dst), &level);

    if (!e)
        return;
    spec_touch(spec, o->to, o->dst, o->rights);
    explore_store(e, *e | PTE_A | (o->rights & SPEC_DIRTY ? PTE_D : 0));
}

/* What was known of a superpage itself may be told, and forgotten, as if of others (S3). */
static void told_as_inherited(const struct op *o, unsigned status)
{
    for (unsigned i = o->dst; i < o->dst + o->count && !o->nothing; i++)
        if (spec_at(spec, o->to, i)->level > 1)
            spec_at(spec, o->to, i)->own &= (uint8_t)~status;
}

static void run(unsigned n, int look)
{
    const struct op *o = &ops[n];
    unsigned status = 0, first = o->rest ? 13 : o->order, last = o->rest ? 20 : o->order;
    uint64_t mapped = 0, wanted = 0;

    stale = 0;
    if (o->kind == TOUCH)
        touch(o);
    for (unsigned order = first; order <= last && o->kind != TOUCH; order++) {
        uint64_t more = o->rest && order > 13 ? (1UL << order) - 8192 : 0;

        EXPECT((o->kind == MAP ? run_map(o, more, order, &mapped)
                               : run_unmap(o, more, order, &status)) == 0);
    }
    if (o->kind == MAP && !o->nothing)
        wanted = spec_map(spec, o->from, o->src, o->to, o->dst, o->count, o->rights, o->grant);
    if (o->kind == UNMAP && !o->nothing)
        wanted = spec_unmap(spec, o->to, o->dst, o->count, o->rights, o->self);
    if (o->kind == UNMAP && !(o->rights & L4_FPAGE_RWX) && !o->self)
        told_as_inherited(o, status);
    if (!look)
        return;
    if (o->kind == MAP)
        EXPECT(SMALL ? mapped == wanted : !mapped == !wanted); /* a rest is many entries */
    if (o->kind == UNMAP)
        EXPECT(SMALL ? status == wanted : (status & wanted) == wanted);
    EXPECT(stale == 0 && !mapdb_walks);
    compare();
}

/* ---- states ---- */

/* Mappings in all: a superpage mapping counts where its first page is. */
static unsigned nodes(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < SPEC_ALL; i++) {
        const struct spec_page *p = &spec->page[i];
        bool first = p->used;

        for (unsigned j = i - i % SPEC_PAGES % SPEC_SUPER; j < i && p->level > 1; j++)
            first = first && !(spec->page[j].used && spec->page[j].level > 1);
        n += first;
    }
    return n;
}

/* What the kernel knows of accesses, where it keeps that: entry, mapping, part of the mapping. */
static uint8_t known_to_kernel(unsigned i)
{
    unsigned level;
    pte_t *e = entry_at(i / SPEC_PAGES, address(i / SPEC_PAGES, i % SPEC_PAGES), &level);
    struct mapping *m = ptab_owner(e);
    unsigned part = 0;

    if (mapping_level(m) == 2) /* the bits of the mapping and of the part together */
        part = mapdb_inherited(m, 1, i % SPEC_SUPER, false);
    return (uint8_t)(status_of(accessed_dirty(*e)) | status_of(m->parts) << 2 |
                     status_of(part) << 4);
}

static int key(uint8_t *bytes)
{
    for (unsigned i = 0; i < SPEC_ALL; i++) {
        const struct spec_page *p = &spec->page[i];

        if (!p->used)
            continue;
        bytes[2 * SPEC_ALL + i] = SMALL ? 0 : known_to_kernel(i);
        bytes[i] = (uint8_t)(1 | (p->rights & 3) << 1 | (p->own << 3) | (p->inherited << 5));
        bytes[SPEC_ALL + i] = (uint8_t)((p->parent + 1) | (p->level - p->entry) << 6);
        bytes[SPEC_ALL + i] |= (uint8_t)((p->level - 1) << 7);
        bytes[SPEC_ALL + i] ^= p->parent == SPEC_ROOT ? (uint8_t)(p->frame << 1) : 0;
    }
    return nodes() <= universe->nodes;
}

static void check(void)
{
    EXPECT(check_all() == 0);
    compare_rest();
}

static struct explored explore_map(const struct map_universe *u)
{
    struct explore x = {.name = u->name, .run = run, .key = key, .check = check, .tell = tell,
                        .show = show, .key_size = 3 * SPEC_ALL, .memory = host_pool,
                        .memory_size = POOL, .beside_size = sizeof(*spec)};
    uint64_t bytes = SMALL ? SPEC_PAGES * 4096UL : SUPERS * 0x200000UL;
    struct explored result;
    int err;

    _Static_assert(3 * SPEC_ALL <= EXPLORE_KEY, "a state has room in a key");
    universe = u;
    spec = calloc(1, sizeof(*spec));
    x.beside = spec;
    machine_boot(POOL, 0);
    thread = (struct thread){.obj.id = 1000};
    cpu0.current = &thread;
    for (unsigned i = 0; i < SPEC_SPACES; i++)
        task[i] = task_create(&root_factory.obj, (l4_fpage_t){0}, &err);
    EXPECT(map_roots(task[0], space_base(0), space_base(0) + bytes, u->root_rights, true) == 0);
    for (unsigned i = 0; i < SPEC_PAGES; i++)
        spec_root(spec, 0, i, SMALL ? 1 : 2, i, u->root_rights);
    op_count = 0;
    add_good();
    add_odd();
    add_touches();
    x.operations = op_count;
    cpu0.root_loaded = task[LOADED]->space.root_phys;
    host_pte_watch = watch_store;
    host_flush_watch = watch_flush;
    compare();
    result = explore(&x);
    host_pte_watch = NULL;
    host_flush_watch = NULL;
    for (unsigned i = 0; i < SPEC_SPACES; i++)
        machine_destroy(&task[i]->obj);
    EXPECT(root_factory.quota.used == 0);
    free(spec);
    return result;
}

int explore_maps(const struct map_universe *u, unsigned n, const char *when)
{
    unsigned done = 0;

    for (unsigned i = 0; i < n; i++) {
        struct explored r;

        if (strcmp(u[i].when, when))
            continue;
        r = explore_map(&u[i]);
        if (u[i].states)
            EXPECT(r.states == u[i].states && r.transitions == u[i].transitions);
        printf("ok %u - %s\n", ++done, u[i].name);
    }
    printf("1..%u\n", done);
    return done == 0;
}

#pragma clang attribute pop
