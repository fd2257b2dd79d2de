/*
 * kmem.h - the kernel's memory: one pool, pages and slabs, every byte charged to a quota
 *
 * The pool is set aside at boot and mapped at one fixed window; each of its pages has a
 * descriptor. Nothing in the kernel allocates from anywhere else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kassert.h"
#include "san.h"
#include "x86/kptr.h"

struct quota {
    uint64_t used;  /* bytes charged here, limits given to children included */
    uint64_t limit; /* bytes */
    struct quota *parent;
};

/* Charge `bytes`; false (and nothing charged) when the limit would be passed. */
static inline bool quota_take(struct quota *q, uint64_t bytes)
{
    if (q->limit - q->used < bytes)
        return false;
    q->used += bytes;
    return true;
}

static inline void quota_give(struct quota *q, uint64_t bytes)
{
    kassert(q->used >= bytes);
    q->used -= bytes;
}

enum kpage_kind {
    KPAGE_FREE = 0,
    KPAGE_PLAIN,    /* handed out whole: UTCBs, capability tables */
    KPAGE_TABLE,    /* page table of a space */
    KPAGE_PARTS,    /* mapping database: parts of a superpage mapping */
    KPAGE_SLAB,
    KPAGE_CLEAN,    /* free and known to be zero, see kmem_page_free_clean */
    KPAGE_RESERVED, /* descriptors, metadata */
};

/* One descriptor for each page of the pool. */
struct kpage {
    uint8_t kind;
    uint8_t level;  /* TABLE: 1 (4 KiB entries) .. 4; PARTS: level of its children, 1 or 2 */
    uint16_t live;  /* TABLE, PARTS: entries in use; SLAB: objects in use */
    uint16_t hint;  /* TABLE: mapping references in use; PARTS: no list before this index is in
                     * use; SLAB: first free object, in units of 8 bytes, or KPAGE_FULL */
    uint16_t pages; /* PARTS, the table of the mapping itself: tables in all, this included */
    kref_t owner;   /* TABLE: space; PARTS: quota charged; SLAB: struct slab */
    union {
        kref_t nodes; /* TABLE: the 512 mapping references beside the entries, or none */
        kref_t next;  /* SLAB: pages with room; CLEAN: clean pages */
    };
    union {
        kref_t up;    /* TABLE: the entry that refers to this table; PARTS: the reference to it */
        kref_t prev;  /* SLAB */
    };
    uint32_t base;    /* TABLE: first address it translates >> 21 */
};
_Static_assert(sizeof(struct kpage) == 24, "descriptor size");

enum { KPAGE_SIZE = 4096, KPAGE_FULL = 0xffff };

/* Where the descriptor of reference 0 would be. */
extern uintptr_t kmem_desc_origin;

/* The descriptor of the page that contains an address of the pool. */
static inline struct kpage *kmem_desc(const void *addr)
{
    uintptr_t frame = kref(addr) >> 12;

    return (struct kpage *)(kmem_desc_origin + frame * sizeof(struct kpage));
}

/* All memory from [start, start + bytes) belongs to the pool; start page-aligned, contents
 * arbitrary. Descriptors and metadata come out of it (under 1 %). */
void kmem_init(void *start, size_t bytes);

/* A zeroed page charged to q; NULL when quota or pool is exhausted. */
void *kmem_page(struct quota *q, enum kpage_kind kind);
void kmem_page_free(struct quota *q, void *page);
/* The same for a page that is all zero (an emptied table): the next kmem_page saves the work. */
void kmem_page_free_clean(struct quota *q, void *page);
/* One page more of those that kmem_page() finds clean, unless there are n already or no memory is
 * left. False: there was nothing to do. What needs many pages has them cleared before, in steps. */
bool kmem_clean_one(unsigned n);
/* 2^order pages, contiguous, aligned to their size within the pool, zeroed. */
void *kmem_pages(struct quota *q, unsigned order, enum kpage_kind kind);
void kmem_pages_free(struct quota *q, void *pages, unsigned order);

/* Bytes: pool size, free now (kept-back empty slab pages included), lowest free ever. */
void kmem_stats(uint64_t *total, uint64_t *free, uint64_t *low);

/* Every n-th allocation (page or object) fails from now on; 0: none. How exhaustion is tested at
 * each place. */
void kmem_fail_nth(uint64_t n);
/* Only the n-th one from now on fails, and those behind it, `count` in all; n = 0: none. Counting
 * begins in the same state always: what is kept aside for speed is given back first. */
void kmem_fail_some(uint64_t n, uint64_t count);
extern uint64_t kmem_fail_every;
/* Count an allocation; true: it has to fail. */
bool kmem_fail_now(void);

/* All pages of the pool in order, whatever their state: NULL begins, and ends. */
void *kmem_next_page(const void *page);

/* K1..K5 of kmem.c, time proportional to the pool. */
bool kmem_ok(void);

/*
 * Slabs: objects of one size, any multiple of 8 up to a page. No header in the page, so two
 * objects of 2048 bytes fit; a free object holds the number of the next one in its first word.
 */
struct slab {
    const char *name;
    uint32_t size;    /* bytes an object, SAN_GAP included, which nobody pays */
    uint16_t perpage;
    uint16_t keep;    /* an empty page is kept back (at most one) */
    kref_t partial;   /* pages with room */
    struct slab *next; /* all slabs */
    uint64_t pages;
};

/* After kmem_init. */
void slab_init(struct slab *s, const char *name, uint32_t size);

/* The rare cases of the functions below, in full: no page with room, the first or last object of a
 * page, allocations that have to fail. */
void *slab_take_slow(struct slab *s, struct quota *q);
void slab_put_slow(struct slab *s, void *obj);

/*
 * An object charged s->size bytes to q (slab pages themselves are the pool's slack), or NULL. As
 * it was freed, but for its first two bytes; one never used before is zero but for those.
 */
static inline __attribute__((always_inline)) void *slab_take(struct slab *s, struct quota *q)
{
    struct kpage *d;
    uint16_t *obj;
    char *page;

    if (__builtin_expect(kmem_fail_every != 0, 0) || __builtin_expect(!s->partial, 0))
        return slab_take_slow(s, q);
    page = kptr(s->partial);
    d = kmem_desc(page);
    obj = (uint16_t *)(page + (size_t)d->hint * 8);
    if (__builtin_expect(!d->live, 0) || __builtin_expect(d->hint == KPAGE_FULL, 0))
        return slab_take_slow(s, q);
    if (!quota_take(q, s->size - SAN_GAP))
        return NULL;
    d->hint = *obj;
    d->live++;
    san_object_used(obj, s->size);
    return obj;
}

/* The same, zeroed. */
static inline void *slab_alloc(struct slab *s, struct quota *q)
{
    uint64_t *obj = slab_take(s, q);

    for (uint32_t i = 0; obj && i < (s->size - SAN_GAP) / 8; i++)
        obj[i] = 0;
    return obj;
}

/* An object goes back; what it was charged is the caller's business. */
static inline void slab_put(struct slab *s, void *obj)
{
    struct kpage *d = kmem_desc(obj);

    kassert(d->kind == KPAGE_SLAB && d->owner == kref(s));
    if (__builtin_expect(d->hint == KPAGE_FULL, 0) || __builtin_expect(d->live <= 1, 0)) {
        slab_put_slow(s, obj);
        return;
    }
    *(uint16_t *)obj = d->hint;
    d->hint = (uint16_t)(((uintptr_t)obj & (KPAGE_SIZE - 1)) / 8);
    d->live--;
    san_object_free(obj, s->size);
}

/* size: that of slab_init, where the caller knows it. */
static inline void slab_free_sized(struct slab *s, struct quota *q, void *obj, uint64_t size)
{
    kassert(size + SAN_GAP == s->size);
    quota_give(q, size);
    slab_put(s, obj);
}

static inline void slab_free(struct slab *s, struct quota *q, void *obj)
{
    slab_free_sized(s, q, obj, s->size - SAN_GAP);
}
