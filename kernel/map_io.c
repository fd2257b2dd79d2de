/*
 * map_io.c - I/O flexpages: ports, their mappings, the bitmaps (the invariants are in io.h)
 *
 * As with memory, all loops look at the interrupts after a bounded number of steps, and a call
 * that was preempted finds its place again from (task, port).
 */
#include "io.h"

#include "kassert.h"
#include "limits.h"
#include "map.h"
#include "sched.h"
#include "walk.h"

/* ---- slots ---- */

static struct task *slot_task(const kref_t *slot)
{
    return kptr(kmem_desc(slot)->owner);
}

static struct task *task_of_mapping(const struct mapping *m)
{
    return slot_task(kptr(m->entry));
}

static unsigned slot_port(const kref_t *slot)
{
    const struct kpage *d = kmem_desc(slot);
    unsigned i = (unsigned)((uintptr_t)slot % KPAGE_SIZE / sizeof(*slot));

    return d->level == 2 ? i * IO_BLOCK : d->base + i;
}

static kref_t *page_new(struct task *t, unsigned level, unsigned port)
{
    kref_t *page = kmem_page(t->space.quota, KPAGE_PLAIN);

    if (page) {
        struct kpage *d = kmem_desc(page);

        d->owner = kref(t);
        d->level = (uint8_t)level;
        d->live = 0;
        d->base = port;
    }
    return page;
}

/* The single mapping of a port, 0: none. */
static kref_t single(const struct io_space *io, unsigned port)
{
    kref_t table = io->table[port / IO_TABLE];

    return table ? ((kref_t *)kptr(table))[port % IO_TABLE] : 0;
}

void io_load(struct io_space *io)
{
    cpu0.io = io;
    cpu_show_ports(io ? io->bitmap : NULL);
}

static bool space_new(struct task *t)
{
    struct io_space *io = (struct io_space *)page_new(t, 2, 0);

    if (!io)
        return false;
    io->bitmap = kmem_pages(t->space.quota, IO_BITMAP_ORDER, KPAGE_PLAIN);
    if (!io->bitmap) {
        kmem_page_free(t->space.quota, io);
        return false;
    }
    __builtin_memset(io->bitmap, 0xff, IO_BITMAP_SIZE);
    t->io = io;
    if (cpu0.root_loaded == t->space.root_phys)
        io_load(io);
    return true;
}

static void space_free(struct task *t)
{
    struct io_space *io = t->io;

    if (cpu0.io == io)
        io_load(NULL);
    t->io = NULL;
    kmem_pages_free(t->space.quota, io->bitmap, IO_BITMAP_ORDER);
    kmem_page_free(t->space.quota, io);
}

/* The slot is empty from now on. Frees what became empty. */
static void slot_release(kref_t *slot)
{
    struct kpage *d = kmem_desc(slot);
    struct task *t = kptr(d->owner);
    struct io_space *io = t->io;

    *slot = 0;
    if (d->level == 1 && --d->live == 0) {
        io->table[d->base / IO_TABLE] = 0;
        kmem_page_free(t->space.quota, (void *)((uintptr_t)slot & ~(uintptr_t)(KPAGE_SIZE - 1)));
    }
    if (--io->used == 0)
        space_free(t);
}

/* The empty slot for a mapping, counted as used; NULL: exhausted, nothing changed. */
static kref_t *slot_take(struct task *t, unsigned port, unsigned level)
{
    kref_t *table;

    if (!t->io && !space_new(t))
        return NULL;
    if (level == 2) {
        t->io->used++;
        return &t->io->block[port / IO_BLOCK];
    }
    table = kptr(t->io->table[port / IO_TABLE]);
    if (!table) {
        table = page_new(t, 1, port / IO_TABLE * IO_TABLE);
        if (!table) {
            if (!t->io->used)
                space_free(t);
            return NULL;
        }
        t->io->table[port / IO_TABLE] = kref(table);
    }
    t->io->used++;
    kmem_desc(table)->live++;
    return &table[port % IO_TABLE];
}

/* ---- bits ---- */

static void deny(struct io_space *io, unsigned port)
{
    io->bitmap[port / 8] |= (uint8_t)(1 << port % 8);
}

/* The block has all its ports (again), or none, but for those with a mapping of their own. */
static void block_set(struct io_space *io, unsigned port, bool held)
{
    unsigned count = held ? IO_BLOCK : 0;

    if (!io->table[port / IO_TABLE]) {
        __builtin_memset(&io->bitmap[port / 8], held ? 0 : 0xff, IO_BLOCK / 8);
    } else {
        for (unsigned p = port; p < port + IO_BLOCK; p++) {
            uint8_t bit = (uint8_t)(1 << p % 8);

            if (single(io, p))
                count -= held;
            else if (held)
                io->bitmap[p / 8] &= (uint8_t)~bit;
            else
                io->bitmap[p / 8] |= bit;
        }
    }
    io->held[port / IO_BLOCK] = (uint16_t)count;
}

/* The ports of a mapping, held or not. */
static void mapping_set(struct mapping *m, bool held)
{
    kref_t *slot = kptr(m->entry);
    struct io_space *io = slot_task(slot)->io;
    unsigned port = slot_port(slot);

    if (mapping_level(m) == 2)
        block_set(io, port, held);
    else if (held)
        io->bitmap[port / 8] &= (uint8_t)~(1 << port % 8);
    else
        deny(io, port);
}

/* ---- revoke ---- */

static bool cut(struct mapping *m)
{
    mapping_set(m, false);
    mapdb_cut(m, 0);
    return true;
}

static void forget(struct mapping *m)
{
    kref_t *slot = kptr(m->entry);

    mapdb_remove(m, slot_task(slot)->space.quota);
    slot_release(slot);
}

static const struct revoker revoker = {cut, forget, NULL};

/* Everything below m, and m itself if `self`. False: preempted. */
static bool revoke(struct mapping *m, bool self)
{
    unsigned seen = 0;

    return walk_revoke(&revoker, m, self, &seen);
}

/* A block loses a port that it held for its own. True: it was the last one. */
static bool lose(struct mapping *m, unsigned port)
{
    struct io_space *io = task_of_mapping(m)->io;

    if (mapping_dying(m) || io_denied(io, port) || single(io, port))
        return false;
    deny(io, port);
    return --io->held[port / IO_BLOCK] == 0;
}

/* What a walk that takes one port out of blocks does with each mapping. */
static enum walk_visit port_visit(struct walk *k, unsigned *step)
{
    struct mapping *m = k->at.at;

    if (mapping_level(m) == 1)
        return walk_revoke_visit(k, step);
    if (k->at.up || (m == k->at.root && !k->self))
        return WALK_ON;
    /* One that has no port left has nobody below; one that is dying is helped along. */
    if (mapping_dying(m) || lose(m, slot_port(kptr(m->entry)) + (unsigned)k->at.page))
        return revoke(m, true) ? WALK_HERE : WALK_PREEMPTED;
    return WALK_ON;
}

/* One port of a block: from all below m, and from m's holder if `self`. False: preempted. */
static bool revoke_port(struct mapping *m, unsigned port, bool self)
{
    struct walk k = {
        .at = mapwalk_start(m), .visit = port_visit, .revoker = &revoker, .self = self};
    unsigned seen = 0;

    k.at.level = 1;
    k.at.page = port % IO_BLOCK;
    return walk_run(&k, &seen) == 0;
}

/* ---- map ---- */

enum room {
    ROOM_FREE,
    ROOM_SAME,    /* the receiver has it from this very mapping: rights cannot grow */
    ROOM_NOTHING, /* the sender has it from the receiver: nothing is mapped */
    ROOM_AGAIN,   /* look again who has what */
    ROOM_PREEMPTED,
};

/* What the receiver has at a place goes, if it may. A dying one may be an ancestor of m. */
static enum room replace(struct mapping *there, struct mapping *m)
{
    bool dying = mapping_dying(there);
    int above;

    if (!dying && there->parent == kref(m))
        return ROOM_SAME;
    above = dying ? 0 : walk_is_ancestor(there, m);
    if (above)
        return above < 0 ? ROOM_PREEMPTED : ROOM_NOTHING;
    if (!revoke(there, true))
        return ROOM_PREEMPTED;
    return dying ? ROOM_AGAIN : ROOM_FREE;
}

static enum room room_for_port(struct task *to, unsigned port, struct mapping *m)
{
    struct mapping *block;
    int above;

    if (!to->io)
        return ROOM_FREE;
    if (single(to->io, port))
        return replace(mapping_ptr(single(to->io, port)), m);
    if (io_denied(to->io, port))
        return ROOM_FREE;
    block = mapping_ptr(to->io->block[port / IO_BLOCK]);
    if (block->parent == kref(m))
        return ROOM_SAME;
    above = walk_is_ancestor(block, m);
    if (above)
        return above < 0 ? ROOM_PREEMPTED : ROOM_NOTHING;
    return revoke_port(block, port, true) ? ROOM_FREE : ROOM_PREEMPTED;
}

/* Single ports that stem from m itself stay: they are what the block would give. */
static enum room room_for_block(struct task *to, unsigned port, struct mapping *m)
{
    unsigned removed = 0;
    struct mapping *block;
    enum room r;

    for (unsigned p = port; p < port + IO_BLOCK && to->io && to->io->table[p / IO_TABLE]; p++) {
        if (!single(to->io, p))
            continue;
        r = replace(mapping_ptr(single(to->io, p)), m);
        if (r == ROOM_PREEMPTED || r == ROOM_AGAIN)
            return r;
        if (r == ROOM_FREE && ++removed % LIMIT_STEPS == 0 && sched_preempt())
            return ROOM_PREEMPTED;
    }
    if (!to->io || !to->io->block[port / IO_BLOCK])
        return ROOM_FREE;
    block = mapping_ptr(to->io->block[port / IO_BLOCK]);
    r = replace(block, m);
    if (r == ROOM_SAME)
        block_set(to->io, port, true); /* what it had lost */
    return r;
}

/* The receiver's mapping takes the sender's place in the tree, with its children. */
static int grant(struct map_request *r, struct mapping *m, kref_t *slot)
{
    kref_t *from = kptr(m->entry);

    if (!mapdb_move(m, kref(slot), r->from->space.quota, r->to->space.quota)) {
        slot_release(slot);
        return -L4_ENOMEM;
    }
    *slot = kref(m);
    mapping_set(m, true);
    *from = 0;
    if (mapping_level(m) == 2)
        block_set(r->from->io, slot_port(from), false);
    else
        deny(r->from->io, slot_port(from));
    slot_release(from);
    return 0;
}

static int enter(struct map_request *r, struct mapping *parent, unsigned port, unsigned level)
{
    struct quota *q = r->to->space.quota;
    kref_t *slot = slot_take(r->to, port, level), *list;
    struct mapping *m;

    if (!slot)
        return -L4_ENOMEM;
    if (r->grant && level == mapping_level(parent))
        return grant(r, parent, slot);
    m = mapping_new(q, level | MAPPING_IO);
    list = m ? mapdb_list(parent, level, port % IO_BLOCK, task_of_mapping(parent)->space.quota)
             : NULL;
    if (!list) {
        if (m)
            mapping_delete(m, q);
        slot_release(slot);
        return -L4_ENOMEM;
    }
    m->entry = kref(slot);
    mapdb_link(list, parent, m);
    *slot = kref(m);
    mapping_set(m, true);
    return 0;
}

/* One step of a map: *size ports are dealt with. */
static int map_step(struct map_request *r, unsigned port, uint64_t left, unsigned *size)
{
    const struct io_space *io = r->from->io;
    struct mapping *m;
    enum room room;
    int err;

    *size = 1;
    if (io_denied(io, port))
        return 0;
    if (port % IO_BLOCK == 0 && left >= IO_BLOCK && io->held[port / IO_BLOCK] == IO_BLOCK)
        *size = IO_BLOCK;
    m = mapping_ptr(single(io, port) ? single(io, port) : io->block[port / IO_BLOCK]);
    room = *size > 1 ? room_for_block(r->to, port, m) : room_for_port(r->to, port, m);
    if (room == ROOM_PREEMPTED)
        return MAP_PREEMPTED;
    if (room == ROOM_AGAIN)
        *size = 0;
    err = room == ROOM_FREE ? enter(r, m, port, *size > 1 ? 2 : 1) : 0;
    if (!err && room <= ROOM_SAME)
        r->mapped++;
    return err;
}

int map_io(struct map_request *r)
{
    uint64_t end = 1UL << r->order;

    for (unsigned step = 1; r->done < end && r->src + r->done < IO_PORTS && r->from->io; step++) {
        unsigned size;
        int err = map_step(r, (unsigned)(r->src + r->done), end - r->done, &size);

        if (err)
            return err;
        r->done += size;
        if ((size > 1 || step % LIMIT_STEPS == 0) && r->done < end && sched_preempt())
            return MAP_PREEMPTED;
    }
    return 0;
}

int io_roots(struct task *t)
{
    for (unsigned port = 0; port < IO_PORTS; port += IO_BLOCK) {
        kref_t *slot = slot_take(t, port, 2);
        struct mapping *m = slot ? mapping_new(t->space.quota, 2 | MAPPING_IO) : NULL;

        if (!m)
            return -L4_ENOMEM;
        m->entry = kref(slot);
        *slot = kref(m);
        mapping_set(m, true);
    }
    return 0;
}

/* ---- unmap ---- */

/* What begins at a port; *size: ports dealt with. False: preempted. */
static bool unmap_step(struct unmap_request *u, unsigned port, bool whole, unsigned *size)
{
    bool all = u->mask & L4_FP_ALL_SPACES;
    struct io_space *io = u->task->io;
    kref_t one = single(io, port), block;

    *size = 1;
    if (one && !revoke(mapping_ptr(one), all))
        return false;
    if (!u->task->io || (one && !whole))
        return true;
    block = io->block[port / IO_BLOCK];
    if (!whole)
        return !block || revoke_port(mapping_ptr(block), port, all);
    if (port % IO_BLOCK == IO_BLOCK - 1) /* after its single ports */
        return !block || revoke(mapping_ptr(block), all);
    if (!io->table[port / IO_TABLE])
        *size = IO_BLOCK - 1 - port % IO_BLOCK;
    return true;
}

int unmap_io(struct unmap_request *u, uint64_t start, unsigned order)
{
    uint64_t end = order >= L4_WHOLE_IOADDRESS_SPACE ? IO_PORTS : 1UL << order;

    if (!(u->fp.raw & L4_FPAGE_RW))
        return 0;
    for (unsigned step = 1; u->done < end && start + u->done < IO_PORTS && u->task->io; step++) {
        unsigned size;

        if (!unmap_step(u, (unsigned)(start + u->done), end >= IO_BLOCK, &size))
            return MAP_PREEMPTED;
        u->done += size;
        if ((size > 1 || step % LIMIT_STEPS == 0) && u->done < end && sched_preempt())
            return MAP_PREEMPTED;
    }
    return 0;
}

bool io_ok(const struct task *t)
{
    const struct io_space *io = t->io;
    unsigned used = 0, held[IO_PORTS / IO_BLOCK] = {0};

    for (unsigned port = 0, n; io && port < IO_PORTS; port += n) {
        kref_t s = single(io, port), b = io->block[port / IO_BLOCK];
        uint64_t word = ((const uint64_t *)io->bitmap)[port / 64];
        bool alike = !io->table[port / IO_TABLE] && (word == 0 || word == ~0UL);

        n = alike ? 64 : 1;
        used += !!s + (b && port % IO_BLOCK == 0);
        if (s ? io_denied(io, port) != mapping_dying(mapping_ptr(s))
              : !io_denied(io, port) && (!b || mapping_dying(mapping_ptr(b))))
            return false;
        held[port / IO_BLOCK] += !s && !io_denied(io, port) ? n : 0;
    }
    for (unsigned i = 0; io && i < IO_PORTS / IO_BLOCK; i++)
        if (io->held[i] != held[i] || (io->block[i] && !mapdb_ok(mapping_ptr(io->block[i]))))
            return false;
    return !io || used == io->used;
}
