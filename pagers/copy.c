/*
 * copy.c - inside the framework: copies and snapshots of dataspaces
 *
 * The source is one of the manager's own dataspaces, or behind somebody else's gate. Its own ones a
 * manager may share instead of copying them (share() of the table); those of others are copied by
 * another thread (copier.c).
 */
#include "copier.h"

/* Copy `size` bytes that lie in one page of the source. */
static long copy_in_page(struct dataspace *ds, l4_umword_t to, struct dataspace *source,
                          l4_umword_t from, l4_umword_t size)
{
    struct ds_page page = {.order = L4_PAGESHIFT, .rights = L4RE_DS_F_R};
    long err = manager->map(source, from & L4_PAGEMASK, &page);

    if (err != 0)
        return err;
    return manager->copy_in(ds, to, (const char *)page.address + (from & (L4_PAGESIZE - 1)), size);
}

/* Byte by byte. */
static long copy_bytes(struct dataspace *ds, l4_umword_t to, struct dataspace *source,
                       l4_umword_t from, l4_umword_t size)
{
    long err = 0;

    while (size > 0 && err == 0) {
        l4_umword_t in_page = from & (L4_PAGESIZE - 1);
        l4_umword_t n = L4_PAGESIZE - in_page < size ? L4_PAGESIZE - in_page : size;

        err = copy_in_page(ds, to, source, from, n);
        to += n;
        from += n;
        size -= n;
    }
    return err;
}

/* Whose dataspace is it? The kernel gives us the label of our own gates instead of a capability:
 * a call to ourselves would never be answered. *own NULL: somebody else's. */
static long source_find(const struct request *r, struct dataspace **own)
{
    struct l4_server_object *object = (struct l4_server_object *)(r->item[1] & ~3UL);

    switch (r->item[0] & (L4_ITEM_MAP | L4_ITEM_RET_MASK)) {
    case L4_ITEM_MAP | L4_ITEM_RET_LABEL:
        if ((l4_umword_t)object < L4_PAGESIZE || object->dispatch != dataspace_dispatch)
            return -L4_EINVAL;
        *own = (struct dataspace *)object;
        return 0;
    case L4_ITEM_MAP | L4_ITEM_RET_MAPPED:
        *own = NULL;
        return 0;
    default:
        return -L4_EMSGMISSARG;
    }
}

/* Whole pages may become those of both, if the manager knows how; the rest is copied. */
static long copy_pages(struct dataspace *ds, l4_umword_t to, struct dataspace *source,
                       l4_umword_t from, l4_umword_t size)
{
    l4_umword_t head = -to & (L4_PAGESIZE - 1), whole;
    long err;

    if (!manager->share || ((to ^ from) & (L4_PAGESIZE - 1)) || size < head)
        return copy_bytes(ds, to, source, from, size);
    whole = (size - head) & L4_PAGEMASK;
    if (whole == 0 || (err = manager->share(ds, to + head, source, from + head, whole)) ==
                          -L4_ENOSYS)
        return copy_bytes(ds, to, source, from, size);
    if (err == 0)
        err = copy_bytes(ds, to, source, from, head);
    head += whole;
    return err != 0 ? err : copy_bytes(ds, to + head, source, from + head, size - head);
}

long ds_copy_in(struct dataspace *ds, const struct request *r, l4_utcb_t *utcb, l4_msgtag_t *reply)
{
    struct copy what = {.account = ds->account, .ds = ds, .to = r->w[1], .from = r->w[2],
                        .size = r->w[3]};
    struct dataspace *source;
    long err;

    if (!writable(ds, r->rights))
        return -L4_EACCESS;
    if ((err = range_check(ds, what.to, what.size)) != 0)
        return err;
    if (what.from + what.size < what.from)
        return -L4_ERANGE;
    if (!manager->copy_in)
        return -L4_ENOSYS;
    if ((err = source_find(r, &source)) != 0)
        return err;
    if (!source)
        return copy_foreign(&what, utcb, reply);
    if ((err = range_check(source, what.from, what.size)) != 0)
        return err;
    in_use[1] = source;
    err = copy_pages(ds, what.to, source, what.from, what.size);
    in_use[1] = NULL;
    return err;
}

static long snapshot(struct account *a, struct dataspace *source, l4_umword_t flags,
                     struct dataspace **out)
{
    struct ds_request what = {.size = source->size, .flags = flags, .align = L4_PAGESHIFT};
    long err = dataspace_new(a, &what, dataspace_dispatch, out);

    if (err != 0)
        return err;
    in_use[0] = *out;
    if ((err = copy_pages(*out, 0, source, 0, pages_size(*out))) == 0)
        return 0;
    in_use[0] = NULL;
    dataspace_release(*out);
    return err;
}

long account_snapshot(struct account *a, const struct request *r, l4_utcb_t *utcb,
                      l4_msgtag_t *reply)
{
    struct copy what = {.account = a, .flags = r->w[1]};
    struct dataspace *source, *ds;
    long err;

    if (!manager->copy_in)
        return -L4_ENOSYS;
    if ((err = source_find(r, &source)) != 0)
        return err;
    if (!source)
        return copy_foreign(&what, utcb, reply);
    in_use[1] = source;
    if ((err = snapshot(a, source, what.flags, &ds)) == 0)
        answer_gate(utcb, ds->gate, manager->gate_rights, reply);
    in_use[1] = NULL;
    return err;
}
