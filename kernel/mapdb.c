/*
 * mapdb.c - the mapping database: tables of parts, grant, walks (the rest is in mapdb.h, inline)
 *
 * A table of parts is one page of the pool. Its descriptor says which level its children have
 * (2 in the table of a 1 GiB mapping, 1 in those of 2 MiB and in those of the parts of 1 GiB), how
 * many of its 1024 words are in use, where the reference to it is, and from which index on it is
 * worth looking. The table of the mapping itself (not those of its parts) also has the quota that
 * pays for all of them and their number.
 */
#include "mapdb.h"

struct slab mapping_slab;

void mapdb_init(void)
{
    slab_init(&mapping_slab, "mapping", sizeof(struct mapping));
    mapdb_walks = NULL;
}

static inline struct part *parts_of(const struct mapping *m)
{
    return kptr(m->parts & ~(kref_t)MAPPING_FLAGS);
}

static inline void *page_of(const void *p)
{
    return (void *)((uintptr_t)p & ~(uintptr_t)(KPAGE_SIZE - 1));
}

/* The part that a word (list or table) in a table of parts belongs to. */
static inline unsigned part_index(const void *word)
{
    return (unsigned)(((uintptr_t)word & (KPAGE_SIZE - 1)) / sizeof(struct part));
}

/* A word of the table that contains `word` is in use from now on. */
static void word_use(const kref_t *word)
{
    struct kpage *d = kmem_desc(word);

    kassert(d->kind == KPAGE_PARTS);
    d->live++;
    if (part_index(word) < d->hint)
        d->hint = (uint16_t)part_index(word);
}

static struct part *parts_new(struct quota *q, kref_t *up, unsigned level)
{
    struct part *table = kmem_page(q, KPAGE_PARTS);
    struct kpage *d;

    if (!table)
        return NULL;
    d = kmem_desc(table);
    d->level = (uint8_t)level;
    d->live = 0;
    d->hint = MAPPING_PARTS;
    d->pages = 1;
    d->base = 0; /* 1: MAPPING_AD stands beside some part */
    d->owner = kref(q);
    d->up = kref(up);
    return table;
}

static inline kref_t table_of(const struct part *part)
{
    return part->parts & ~(kref_t)MAPPING_FLAGS;
}

/* All that is remembered for single parts, and no longer for them. */
static kref_t take_bits(struct part *table)
{
    kref_t bits = 0;

    for (unsigned i = 0; i < MAPPING_PARTS; i++) {
        bits |= table[i].parts & MAPPING_FLAGS;
        table[i].parts &= ~(kref_t)MAPPING_FLAGS;
    }
    kmem_desc(table)->base = 0;
    return bits;
}

SELDOM unsigned mapdb_inherited(struct mapping *m, unsigned level, uint64_t page, bool reset)
{
    struct part *table = m->parts < KPAGE_SIZE ? NULL : parts_of(m), *part;
    unsigned top_level = mapping_level(m) - 1;
    unsigned bits = m->parts & MAPPING_AD;

    if (level > top_level) {
        bits |= table && kmem_desc(table)->base ? take_bits(table) : 0;
        m->parts = reset ? m->parts & ~(kref_t)MAPPING_AD : m->parts | bits;
        return bits;
    }
    if (!table)
        return bits;
    part = &table[page >> 9 * (top_level - 1)];
    if (reset && level == top_level) {
        for (unsigned i = 0; bits && i < MAPPING_PARTS; i++)
            table[i].parts |= bits;
        kmem_desc(table)->base |= bits != 0;
        m->parts &= ~(kref_t)MAPPING_AD;
    }
    bits |= part->parts & MAPPING_AD;
    if (reset && level == top_level)
        part->parts &= ~(kref_t)MAPPING_AD;
    return bits;
}

/* The table that `d` describes is empty: it goes, and the one above it when it was its last. */
static void parts_free(struct kpage *d, struct part *table)
{
    while (!d->live) {
        kref_t *up = kptr(d->up);
        struct kpage *above = kmem_desc(up);
        bool top = above->kind != KPAGE_PARTS;
        struct quota *q = kptr(top ? d->owner : above->owner);
        kref_t bits = d->base ? take_bits(table) : 0;

        kmem_page_free_clean(q, table);
        if (top) {
            *up = (*up & MAPPING_FLAGS) | bits;
            return;
        }
        *up &= MAPPING_AD;
        above->live--;
        above->pages--;
        d = above;
        table = page_of(up);
    }
}

void mapdb_parts_use(kref_t *list)
{
    word_use(list);
}

void mapdb_parts_unuse(kref_t *list)
{
    struct kpage *d = kmem_desc(list);

    kassert(d->kind == KPAGE_PARTS && d->live);
    d->live--;
    parts_free(d, page_of(list));
}

kref_t *mapdb_list_in_parts(struct mapping *parent, unsigned level, uint64_t page, struct quota *q)
{
    unsigned top_level = mapping_level(parent) - 1;
    struct part *table = parts_of(parent);
    struct part *part;

    kassert(level >= 1 && level <= top_level && page < 1UL << 9 * top_level);
    if (parent->parts < KPAGE_SIZE) {
        table = parts_new(q, &parent->parts, top_level);
        if (!table)
            return NULL;
        parent->parts |= kref(table);
    }
    part = &table[page >> 9 * (top_level - 1)];
    if (level == top_level)
        return &part->child;
    if (!table_of(part)) {
        struct part *small = parts_new(q, &part->parts, level);

        if (!small) {
            parts_free(kmem_desc(table), table);
            return NULL;
        }
        part->parts |= kref(small);
        word_use(&part->parts);
        kmem_desc(table)->pages++;
    }
    return &((struct part *)kptr(table_of(part)))[page & (MAPPING_PARTS - 1)].child;
}

/* The first part of a table that is in use; remembers it. */
static struct part *first_part(struct part *table)
{
    struct kpage *d = kmem_desc(table);

    kassert(d->live);
    while (!table[d->hint].child && !table_of(&table[d->hint]))
        d->hint++;
    return &table[d->hint];
}

SELDOM struct mapping *mapdb_first_in_parts(struct mapping *m)
{
    struct part *part = first_part(parts_of(m));

    if (!part->child)
        part = first_part(kptr(table_of(part)));
    return mapping_ptr(part->child);
}

/* The part of `level` of m that contains `page`; NULL: nothing is there. */
static struct part *find_part(const struct mapping *m, unsigned level, uint64_t page)
{
    unsigned top_level = mapping_level(m) - 1;
    struct part *part;

    if (m->parts < KPAGE_SIZE)
        return NULL;
    kassert(level >= 1 && level <= top_level && page < 1UL << 9 * top_level);
    part = &parts_of(m)[page >> 9 * (top_level - 1)];
    if (level == top_level)
        return part;
    if (!table_of(part))
        return NULL;
    return &((struct part *)kptr(table_of(part)))[page & (MAPPING_PARTS - 1)];
}

SELDOM struct mapping *mapdb_child_in(struct mapping *m, unsigned level, uint64_t page)
{
    struct part *part = find_part(m, level, page);

    if (!part)
        return NULL;
    if (part->child)
        return mapping_ptr(part->child);
    return table_of(part) ? mapping_ptr(first_part(kptr(table_of(part)))->child) : NULL;
}

struct mapping *mapdb_child_over(struct mapping *m, uint64_t page)
{
    struct part *part = mapping_level(m) == 3 ? find_part(m, 2, page) : NULL;

    return part && part->child ? mapping_ptr(part->child) : NULL;
}

bool mapdb_move(struct mapping *m, kref_t new_entry, struct quota *from, struct quota *to)
{
    struct kpage *d = m->parts < KPAGE_SIZE ? NULL : kmem_desc(parts_of(m));
    uint64_t bytes = sizeof(*m) + (d ? (uint64_t)d->pages * KPAGE_SIZE : 0);

    if (from != to) {
        if (!quota_take(to, bytes))
            return false;
        quota_give(from, bytes);
        if (d)
            d->owner = kref(to);
    }
    m->entry = new_entry;
    return true;
}

/* ---- walks ---- */

struct mapwalk *mapdb_walks;

/* Which parts of m a walk looks at: [first, end) in its own table, and in those of its parts. */
struct window {
    unsigned first, end;
    unsigned small_first, small_end;
};

static struct window window_of(const struct mapwalk *w, const struct mapping *m)
{
    struct window v = {0, MAPPING_PARTS, 0, MAPPING_PARTS};
    unsigned level = mapping_level(m);

    if (level <= w->level)
        return v;
    v.first = w->page >> 9 * (level - 2) & (MAPPING_PARTS - 1);
    v.end = v.first + 1;
    if (level == 3 && w->level == 1) {
        v.small_first = w->page & (MAPPING_PARTS - 1);
        v.small_end = v.small_first + 1;
    }
    return v;
}

/* The first child in the table of parts of a part, from part i on. */
static struct mapping *first_in_small(const struct part *table, unsigned i, const struct window *v)
{
    i = i > v->small_first ? i : v->small_first;
    while (i < v->small_end && !table[i].child)
        i++;
    return i < v->small_end ? mapping_ptr(table[i].child) : NULL;
}

/* The first child in the table of a mapping from part i on, changing nothing. NULL: none. */
static struct mapping *first_from(const struct part *table, unsigned i, const struct window *v)
{
    struct mapping *c = NULL;

    for (i = i > v->first ? i : v->first; i < v->end && !c; i++) {
        if (table[i].child)
            return mapping_ptr(table[i].child);
        if (table_of(&table[i]))
            c = first_in_small(kptr(table_of(&table[i])), 0, v);
    }
    return c;
}

/* What comes after the list with this head among the smaller children of m. NULL: nothing. */
static struct mapping *after_list(const struct mapwalk *w, const struct mapping *m,
                                  const kref_t *head)
{
    struct window v = window_of(w, m);
    const struct part *part;
    struct mapping *c = NULL;

    if (m->parts < KPAGE_SIZE)
        return NULL;
    if (head == &m->child)
        return first_from(parts_of(m), 0, &v);
    part = (const struct part *)((uintptr_t)head & ~(uintptr_t)(sizeof(*part) - 1));
    if (page_of(part) == parts_of(m)) {
        if (table_of(part))
            c = first_in_small(kptr(table_of(part)), 0, &v);
        return c ? c : first_from(parts_of(m), part_index(part) + 1, &v);
    }
    c = first_in_small(page_of(part), part_index(part) + 1, &v);
    if (c)
        return c;
    return first_from(parts_of(m), part_index(kptr(kmem_desc(part)->up)) + 1, &v);
}

SELDOM bool mapwalk_move(struct mapwalk *w)
{
    struct mapping *at = w->at, *to;

    w->sub = 0;
    if (!w->up) {
        to = at->child ? mapping_ptr(at->child) : after_list(w, at, &at->child);
    } else if (at == w->root) {
        w->root = w->at = NULL;
        return false;
    } else {
        to = at->next & MAPPING_END ? after_list(w, mapping_ptr(at->parent),
                                                 kptr(at->next & ~(kref_t)MAPPING_END))
                                    : mapping_ptr(at->next);
        if (!to)
            w->at = mapping_ptr(at->parent);
    }
    if (to)
        w->at = to;
    w->up = !to;
    return true;
}

void mapwalk_register(struct mapwalk *w)
{
    w->next = mapdb_walks;
    mapdb_walks = w;
}

void mapwalk_unregister(struct mapwalk *w)
{
    struct mapwalk **p = &mapdb_walks;

    while (*p && *p != w)
        p = &(*p)->next;
    if (*p)
        *p = w->next;
}

SELDOM void mapdb_walks_leave(struct mapping *c)
{
    for (struct mapwalk *w = mapdb_walks, *next; w; w = next) {
        next = w->next;
        if (w->root == c || w->from == c) {
            w->root = w->at = NULL;
            mapwalk_unregister(w);
        } else if (w->at == c) { /* of a climb it is not: what it began at went before (M5) */
            w->up = true;
            mapwalk_move(w);
        }
    }
}

/* M1 and M2 for one list. */
static bool list_ok(const struct mapping *parent, const kref_t *head, unsigned level)
{
    const kref_t *word = head;
    kref_t r = *head;

    while (r && !(r & MAPPING_END)) {
        const struct mapping *m = mapping_ptr(r);

        if (kptr(m->prev) != word || kptr(m->parent) != parent || mapping_level(m) != level)
            return false;
        if (m->parts >= KPAGE_SIZE && level == 1)
            return false;
        word = &m->next;
        r = m->next;
    }
    return r == 0 ? word == head : kptr(r & ~(kref_t)MAPPING_END) == head;
}

/* M3 for one table, but for the tables of its parts: *small counts those. */
static bool table_ok(const struct mapping *m, const struct part *table, const kref_t *up,
                     unsigned level, unsigned *small)
{
    const struct kpage *d = kmem_desc(table);
    unsigned live = 0;

    *small = 0;
    if (d->kind != KPAGE_PARTS || d->level != level || kptr(d->up) != up)
        return false;
    for (unsigned i = 0; i < MAPPING_PARTS; i++) {
        live += !!table[i].child + !!table_of(&table[i]);
        *small += !!table_of(&table[i]);
        if ((table[i].parts & MAPPING_FLAGS) && !d->base)
            return false;
        if ((live && i < d->hint) || !list_ok(m, &table[i].child, level))
            return false;
    }
    return live && live == d->live && (level > 1 || !*small);
}

/* M3 for all tables of a mapping. */
static bool parts_ok(const struct mapping *m)
{
    const struct part *table = parts_of(m);
    unsigned small, none;

    if (!table_ok(m, table, &m->parts, mapping_level(m) - 1, &small) ||
        small + 1 != kmem_desc(table)->pages)
        return false;
    for (unsigned i = 0; small && i < MAPPING_PARTS; i++)
        if (table_of(&table[i]) &&
            !table_ok(m, kptr(table_of(&table[i])), &table[i].parts, 1, &none))
            return false;
    return true;
}

bool mapdb_ok(const struct mapping *root)
{
    struct mapwalk w = mapwalk_start((struct mapping *)root);

    do {
        const struct mapping *m = w.at;

        if (w.up)
            continue;
        if (!mapping_level(m) || !list_ok(m, &m->child, mapping_level(m)))
            return false;
        if (m->parts >= KPAGE_SIZE && !parts_ok(m))
            return false;
    } while (mapwalk_move(&w));
    return true;
}
