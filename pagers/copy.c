/*
 * copy.c - inside the framework: copies and snapshots of dataspaces
 *
 * The source is one of the manager's own dataspaces, or behind somebody else's gate. Its own ones a
 * manager may share instead of copying them (share() of the table); those of others are copied
 * page by page through a window (source.c).
 */
#include "request.h"
#include "source.h"

#include <l4/sys/task.h>

l4_cap_idx_t received_cap;

/* Where a copy reads from. */
struct source {
    struct dataspace *own;  /* one of ours, or */
    l4_cap_idx_t cap;       /* a gate to somebody else's */
};

/* Copy `size` bytes that lie in one page of the source. */
static long copy_from_own(struct dataspace *ds, l4_umword_t to, struct dataspace *source,
                          l4_umword_t from, l4_umword_t size)
{
    struct ds_page page = {.order = L4_PAGESHIFT, .rights = L4RE_DS_F_R};
    long err = manager->map(source, from & L4_PAGEMASK, &page);

    if (err != 0)
        return err;
    return manager->copy_in(ds, to, (const char *)page.address + (from & (L4_PAGESIZE - 1)), size);
}

static long copy_from_foreign(struct dataspace *ds, l4_umword_t to, l4_cap_idx_t source,
                              l4_umword_t from, l4_umword_t size)
{
    const char *at;
    long err = source_map(source, from & L4_PAGEMASK, &at), lost;

    ds->counts.source_maps++;
    ds->account->counts.source_maps++;
    ds_totals.source_maps++;
    if (err != 0)
        return err;
    err = manager->copy_in(ds, to, at + (from & (L4_PAGESIZE - 1)), size);
    lost = source_unmap();
    return err != 0 ? err : lost;
}

/* Byte by byte. */
static long copy_bytes(struct dataspace *ds, l4_umword_t to, const struct source *s,
                       l4_umword_t from, l4_umword_t size)
{
    long err = 0;

    while (size > 0 && err == 0) {
        l4_umword_t in_page = from & (L4_PAGESIZE - 1);
        l4_umword_t n = L4_PAGESIZE - in_page < size ? L4_PAGESIZE - in_page : size;

        err = s->own ? copy_from_own(ds, to, s->own, from, n)
                     : copy_from_foreign(ds, to, s->cap, from, n);
        to += n;
        from += n;
        size -= n;
    }
    return err;
}

/* Whose dataspace is it? The kernel gives us the label of our own gates instead of a capability:
 * a call to ourselves would never be answered. */
static long source_open(struct source *s, const struct request *r)
{
    struct l4_server_object *object = (struct l4_server_object *)(r->item[1] & ~3UL);

    switch (r->item[0] & (L4_ITEM_MAP | L4_ITEM_RET_MASK)) {
    case L4_ITEM_MAP | L4_ITEM_RET_LABEL:
        if ((l4_umword_t)object < L4_PAGESIZE || object->dispatch != dataspace_dispatch)
            return -L4_EINVAL;
        s->own = (struct dataspace *)object;
        return 0;
    case L4_ITEM_MAP | L4_ITEM_RET_MAPPED:
        s->cap = received_cap & L4_CAP_MASK;
        return 0;
    default:
        return -L4_EMSGMISSARG;
    }
}

/* Whole pages may become those of both, if the manager knows how; the rest is copied. */
static long copy_pages(struct dataspace *ds, l4_umword_t to, const struct source *s,
                       l4_umword_t from, l4_umword_t size)
{
    l4_umword_t head = -to & (L4_PAGESIZE - 1), whole;
    long err;

    if (!s->own || !manager->share || ((to ^ from) & (L4_PAGESIZE - 1)) || size < head)
        return copy_bytes(ds, to, s, from, size);
    whole = (size - head) & L4_PAGEMASK;
    if (whole == 0 || (err = manager->share(ds, to + head, s->own, from + head, whole)) ==
                          -L4_ENOSYS)
        return copy_bytes(ds, to, s, from, size);
    if (err == 0)
        err = copy_bytes(ds, to, s, from, head);
    head += whole;
    return err != 0 ? err : copy_bytes(ds, to + head, s, from + head, size - head);
}

static void source_close(const struct source *s)
{
    in_use[1] = NULL;
    if (!s->own)
        l4_task_release_cap(L4_BASE_TASK_CAP, s->cap);
}

long ds_copy_in(struct dataspace *ds, const struct request *r)
{
    l4_umword_t to = r->w[1], from = r->w[2], size = r->w[3];
    struct source s = {.cap = L4_INVALID_CAP};
    long err;

    if (!writable(ds, r->rights))
        return -L4_EACCESS;
    if ((err = range_check(ds, to, size)) != 0)
        return err;
    if (from + size < from)
        return -L4_ERANGE;
    if (!manager->copy_in)
        return -L4_ENOSYS;
    if ((err = source_open(&s, r)) != 0)
        return err;
    if (s.own)
        err = range_check(s.own, from, size);
    in_use[1] = s.own;
    if (err == 0)
        err = copy_pages(ds, to, &s, from, size);
    source_close(&s);
    return err;
}

/* Bytes of the source, as it says. */
static long source_bytes(const struct source *s, l4_umword_t *size)
{
    long err;

    if (s->own)
        *size = s->own->size;
    else if ((err = source_size(s->cap, size)) != 0)
        return err;
    return *size == 0 || *size > L4_USER_END ? -L4_ERANGE : 0;
}

static long snapshot(struct account *a, const struct source *s, l4_umword_t flags,
                     struct dataspace **out)
{
    struct ds_request what = {.flags = flags, .align = L4_PAGESHIFT};
    l4_umword_t pages;
    long err = source_bytes(s, &what.size);

    if (err == 0)
        err = dataspace_new(a, &what, dataspace_dispatch, out);
    if (err != 0)
        return err;
    in_use[0] = *out;
    pages = pages_size(*out);
    if ((err = copy_pages(*out, 0, s, 0, pages)) == 0)
        return 0;
    in_use[0] = NULL;
    dataspace_release(*out);
    return err;
}

long account_snapshot(struct account *a, const struct request *r, struct dataspace **out)
{
    struct source s = {.cap = L4_INVALID_CAP};
    long err;

    if (!manager->copy_in)
        return -L4_ENOSYS;
    if ((err = source_open(&s, r)) != 0)
        return err;
    in_use[1] = s.own;
    err = snapshot(a, &s, r->w[1], out);
    source_close(&s);
    return err;
}
