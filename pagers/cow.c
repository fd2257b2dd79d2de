/*
 * cow.c - inside anon: pages that several dataspaces share until one of them writes
 *
 * A snapshot, or a copy of whole pages, copies index entries instead of pages. The pool counts how
 * many entries a shared frame has (A5), and one of them pays for it.
 *
 *   before          A [x] pays                    A writes: it gets a copy and pays for that;
 *   snapshot B      A [x] pays   B [x]            B is the last owner and pays for x
 *   B writes        A [x] pays   B [y] pays       B ends: A writes without copying
 *
 * Dataspaces that share are relatives: a ring. A page of one is found in another by counting from a
 * common origin (anon_ds.base), so who else has a frame needs no list of owners.
 *
 * When the payer goes, another owner that can pays. If there is none, the page is lost to them all:
 * touching it is -L4_ENOMEM. Reserved dataspaces have paid before, so they lose nothing; nobody
 * pays for more than the pages that it has.
 *
 * Nothing in here releases garbage but where it says so, because relatives would disappear.
 */
#include "anon.h"

#include <abi/errors.h>

#include <string.h>

enum { UNMAP_BATCH = 32 };

static void copy_frame(void *to, const void *from)
{
    l4_umword_t words = L4_PAGESIZE / sizeof(l4_umword_t);

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

static long unmap_frame(l4_umword_t entry)
{
    l4_fpage_t page = l4_fpage(entry & L4_PAGEMASK, L4_PAGESHIFT, L4_FPAGE_RWX);

    return ram_unmap(&page, 1);
}

/* -------------------------------------------------------------------- relatives */

static void become_relative(struct anon_ds *a, struct anon_ds *of)
{
    a->older = of;
    a->younger = of->younger;
    of->younger->older = a;
    of->younger = a;
}

/* An entry shares no more; the last one, and it has no relatives any more. */
static void entry_shared_no_more(struct anon_ds *a)
{
    if (--a->shared > 0)
        return;
    a->older->younger = a->younger;
    a->younger->older = a->older;
    a->older = a->younger = a;
}

static void entry_shares(struct anon_ds *a, l4_umword_t *entry, l4_umword_t value)
{
    a->shared += !(*entry & ENTRY_SHARED);
    *entry = value | ENTRY_SHARED;
}

/* The entry of `m` for the page of `a`, if it has the same frame. */
static l4_umword_t *same_page(const struct anon_ds *a, l4_umword_t page, l4_umword_t frame,
                              const struct anon_ds *m)
{
    l4_umword_t at = a->base + page - m->base, *entry;

    if (at >= anon_pages(m))
        return NULL;
    entry = index_find(&m->index, at);
    return entry && (*entry & L4_PAGEMASK) == frame && (*entry & ENTRY_SHARED) ? entry : NULL;
}

/* -------------------------------------------------------------------- who pays next */

/*
 * Can `m` pay for a frame in the place of `a`, which goes on and will want another frame, or its
 * reserve back? Then it does. A7: if `m` did not reserve it, there must be one more.
 */
static bool inherit(const struct anon_ds *a, struct anon_ds *m)
{
    if (ds_inherit(&m->ds) != 0)
        return false;
    if (!a->ds.reserved || ram_grow(1))
        return true;
    ds_credit(&m->ds, 1, 0);
    return false;
}

/* Another owner who pays for the frame from now on: it is charged, but not marked yet. */
static struct anon_ds *heir(struct anon_ds *a, l4_umword_t page, l4_umword_t frame,
                            l4_umword_t **entry)
{
    for (struct anon_ds *m = a->younger; m != a; m = m->younger) {
        *entry = same_page(a, page, frame, m);
        if (*entry && inherit(a, m))
            return m;
    }
    return NULL;
}

/* All owners but `a` lose the page. Nobody has it mapped through them. */
static void others_lose(struct anon_ds *a, l4_umword_t page, l4_umword_t frame)
{
    for (struct anon_ds *m = a->younger, *next; m != a; m = next) {
        l4_umword_t *entry = same_page(a, page, frame, m);

        next = m->younger;
        if (!entry)
            continue;
        *entry = ENTRY_LOST;
        frames_unshare(&anon_pool, frame);
        entry_shared_no_more(m);
    }
}

void cow_leave(struct anon_ds *a, l4_umword_t page, l4_umword_t *entry)
{
    l4_umword_t frame = *entry & L4_PAGEMASK, *next;
    bool pays = *entry & ENTRY_PAYS;

    if (frames_owners(&anon_pool, frame) > 1 && pays) {
        if (heir(a, page, frame, &next))
            *next |= ENTRY_PAYS;
        else
            others_lose(a, page, frame);
    }
    *entry = 0;
    if (frames_unshare(&anon_pool, frame) == 0)
        frames_give(&anon_pool, (void *)frame);
    if (pays)
        ds_credit(&a->ds, 1, 0);
    entry_shared_no_more(a);
}

/* -------------------------------------------------------------------- writing */

static l4_umword_t *last_owner(struct anon_ds *a, l4_umword_t *entry)
{
    *entry &= ~(l4_umword_t)(ENTRY_SHARED | ENTRY_PAYS | ENTRY_SEEN);
    entry_shared_no_more(a);
    return entry;
}

/* The entry gets a copy of its frame instead, which has been paid for. */
static l4_umword_t *replace(struct anon_ds *a, l4_umword_t *entry, void *copy)
{
    l4_umword_t frame = *entry & L4_PAGEMASK;

    copy_frame(copy, (const void *)frame);
    frames_unshare(&anon_pool, frame);
    *entry = (l4_umword_t)copy;
    entry_shared_no_more(a);
    return entry;
}

/* Who pays for the shared frame pays for the copy instead, and another owner for the frame. A
 * reserved dataspace gets its way: if there is no frame for a copy, the others lose theirs. */
static l4_umword_t *payer_leaves(struct anon_ds *a, l4_umword_t page, l4_umword_t *entry)
{
    l4_umword_t frame = *entry & L4_PAGEMASK, *next;
    struct anon_ds *m = heir(a, page, frame, &next);
    void *copy = m && (a->ds.reserved || ram_at_hand(a, 1)) ? frames_take_as_is(&anon_pool) : NULL;

    if (m && !copy) {
        ds_credit(&m->ds, 1, 0);
        return NULL;
    }
    if (!m) {
        if (unmap_frame(frame) != 0)
            return NULL;
        others_lose(a, page, frame);
        return last_owner(a, entry);
    }
    *next |= ENTRY_PAYS;
    return replace(a, entry, copy);
}

static l4_umword_t *guest_leaves(struct anon_ds *a, l4_umword_t *entry)
{
    if (!ram_at_hand(a, 1) || ds_charge_now(&a->ds, 1, 0) != 0)
        return NULL;
    return replace(a, entry, frames_take_as_is(&anon_pool));
}

/* Nothing is released in here. */
static l4_umword_t *own_now(struct anon_ds *a, l4_umword_t page, l4_umword_t *entry)
{
    if (frames_owners(&anon_pool, *entry & L4_PAGEMASK) == 1)
        return last_owner(a, entry);
    /* Our own clients must not go on reading the frame; those of the others will ask again. */
    if ((*entry & ENTRY_SEEN) && unmap_frame(*entry) != 0)
        return NULL;
    return *entry & ENTRY_PAYS ? payer_leaves(a, page, entry) : guest_leaves(a, entry);
}

/* Memory and garbage first: after that the relatives stay as they are. */
l4_umword_t *cow_own(struct anon_ds *a, l4_umword_t page)
{
    l4_umword_t *entry = index_find(&a->index, page), *own = NULL;

    if (!ram_at_hand(a, 1))
        ram_refill(1);
    for (bool again = true; !own && again;) {
        if (!(*entry & ENTRY_SHARED))
            return *entry & ENTRY_LOST ? NULL : entry;
        own = own_now(a, page, entry);
        again = !own && manager_gc();
    }
    return own;
}

/* -------------------------------------------------------------------- sharing */

/* Add the page to the batch, or the block that begins with it if all of it is in the range. Returns
 * the page behind. */
static l4_umword_t protect_add(struct anon_ds *a, l4_umword_t page, l4_umword_t end,
                               l4_fpage_t *fpages, unsigned *n)
{
    l4_umword_t entry = *index_find(&a->index, page);
    bool whole = (entry & ENTRY_SUPER) && page % BLOCK == 0 && page + BLOCK <= end;

    if (entry & (ENTRY_SHARED | ENTRY_LOST))
        return page + 1;
    if (entry & ENTRY_SUPER)
        block_split(a, page);
    fpages[(*n)++] = l4_fpage(entry & L4_PAGEMASK, whole ? CHUNK_SHIFT : L4_PAGESHIFT,
                              L4_FPAGE_W);
    return page + (whole ? BLOCK : 1);
}

/* Nobody can write to the pages [first, end) of `a` any more. */
static long write_protect(struct anon_ds *a, l4_umword_t first, l4_umword_t end)
{
    l4_umword_t page = first;
    long err = 0;

    while (page < end && err == 0) {
        l4_fpage_t fpages[UNMAP_BATCH];
        unsigned n = 0;

        while (n < UNMAP_BATCH && index_next(&a->index, &page, end))
            page = protect_add(a, page, end, fpages, &n);
        if (n < UNMAP_BATCH)
            page = end;
        err = n ? ram_unmap(fpages, n) : 0;
    }
    return err;
}

/* Can the pool count the owners of the frame? */
static bool count_owners(l4_umword_t frame)
{
    void *counts;

    if (frames_countable(&anon_pool, frame))
        return true;
    counts = ram_grow(1) ? frames_take(&anon_pool) : NULL;
    if (counts)
        frames_count_in(&anon_pool, frame, counts);
    return counts != NULL;
}

static void relate(struct anon_ds *a, l4_umword_t to, struct anon_ds *source, l4_umword_t from)
{
    if (a->shared == 0) {
        a->base = source->base + from - to;
        become_relative(a, source);
    } else if (source->shared == 0) {
        source->base = a->base + to - from;
        become_relative(source, a);
    }
}

/* The page of `source` at `from`, which has one, is ours at `to`, too. */
static long share_page(struct anon_ds *a, l4_umword_t to, struct anon_ds *source, l4_umword_t from)
{
    l4_umword_t *ours = entry_have(a, to), *theirs = index_find(&source->index, from);

    /* Theirs may have been lost just now, when garbage was released. */
    if (!ours || (*theirs & ENTRY_LOST) || !count_owners(*theirs & L4_PAGEMASK))
        return -L4_ENOMEM;
    relate(a, to, source, from);
    frames_share(&anon_pool, *theirs & L4_PAGEMASK);
    if (!(*theirs & ENTRY_SHARED))
        entry_shares(source, theirs, *theirs | ENTRY_PAYS | ENTRY_SEEN);
    entry_shares(a, ours, *theirs & L4_PAGEMASK);
    return 0;
}

static bool are_relatives(const struct anon_ds *a, const struct anon_ds *b)
{
    const struct anon_ds *m = a->younger;

    while (m != a && m != b)
        m = m->younger;
    return m == b;
}

static bool may_share(const struct anon_ds *a, l4_umword_t to, const struct anon_ds *source,
                      l4_umword_t from)
{
    if (a == source || a->fixed || source->fixed)
        return false;
    return a->shared == 0 || source->shared == 0 ||
           (a->base + to == source->base + from && are_relatives(a, source));
}

long cow_share(struct anon_ds *a, l4_umword_t to, struct anon_ds *source, l4_umword_t from,
               l4_umword_t n)
{
    l4_umword_t end = from + n, page = from;
    long err;

    if (!may_share(a, to, source, from))
        return -L4_ENOSYS;
    zero_revoke(a);
    err = pages_drop(a, to, to + n, 0);
    if (err == 0)
        err = write_protect(source, from, end);
    for (; err == 0 && index_next(&source->index, &page, end); page++)
        err = share_page(a, to + (page - from), source, page);
    if (err != 0)
        pages_drop(a, to, to + n, 0);
    nodes_drop(a, to, to + n);
    return err;
}
