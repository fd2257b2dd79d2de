/*
 * mapdb_spec.c - what mapping, granting and unmapping memory mean (see mapdb_spec.h)
 */
#include "mapdb_spec.h"

/* The entry of page i is to change, but not all of it is hit: it becomes smaller ones. */
static void split(struct spec *s, int i, const bool *hit)
{
    while (s->page[i].entry > 1) {
        int size = spec_size(s->page[i].entry), first = i / size * size, n = 0;

        while (n < size && hit[first + n])
            n++;
        if (n == size)
            return;
        for (n = 0; n < size; n++)
            s->page[first + n].entry--;
    }
}

unsigned spec_unmap(struct spec *s, unsigned space, unsigned first, unsigned count,
                    unsigned rights, bool self)
{
    int begin = (int)(space * SPEC_PAGES + first), end = begin + (int)count;
    bool hit[SPEC_ALL] = {false};
    uint8_t known = (rights & SPEC_RWX) ? SPEC_STATUS : 0; /* 0: asked, and so forgotten */
    unsigned status = 0;

    for (int i = 0; i < SPEC_ALL; i++)
        for (int a = begin; a < end && s->page[i].used && !hit[i]; a++)
            hit[i] = (self || i != a) && spec_stems_from(s, i, a);
    for (int i = 0; i < SPEC_ALL; i++) {
        struct spec_page *p = &s->page[i];
        int heir = p->parent;

        if (!hit[i] && (i < begin || i >= end))
            continue;
        status |= p->inherited | (hit[i] ? p->own : 0);
        p->inherited &= known;
        if (!hit[i])
            continue;
        p->own &= known;
        if (p->entry < p->level || (rights & p->rights))
            split(s, i, hit);
        p->rights &= (uint8_t)~rights;
        p->used = !(rights & SPEC_R);
        if (p->used)
            continue;
        while (heir != SPEC_ROOT && hit[heir])
            heir = s->page[heir].parent;
        if (heir != SPEC_ROOT)
            s->page[heir].inherited |= p->own | p->inherited;
        p->own = p->inherited = 0;
    }
    return status;
}

unsigned spec_map(struct spec *s, unsigned from, unsigned src, unsigned to, unsigned dst,
                  unsigned count, unsigned rights, bool grant)
{
    unsigned entries = 0, size;

    for (unsigned done = 0; done < count && (rights & SPEC_R); done += size) {
        struct spec_page *p = spec_at(s, from, src + done), *d = spec_at(s, to, dst + done);
        int source = (int)(p - s->page), place = (int)(d - s->page);
        unsigned level = p->used ? p->entry : 1;

        while (size = (unsigned)spec_size(level),
               (src + done) % size || (dst + done) % size || count - done < size)
            level--;
        if (!p->used || spec_is_origin(s, place, source))
            continue; /* a hole; or (c) the destination is the source, or an ancestor of it */
        entries++;
        if (d->used && d->parent == source && d->entry == level) {
            for (unsigned i = 0; i < size; i++)
                d[i].rights |= p[i].rights & rights; /* (a) mapped from there before: they grow */
            continue;
        }
        spec_unmap(s, to, dst + done, size, SPEC_RWX, true); /* (b) something else was there */
        for (unsigned i = 0; i < size; i++, source++, place++) {
            struct spec_page was = p[i];

            d[i] = (struct spec_page){true, level, level, was.rights & rights, 0, 0,
                                      was.frame, source};
            if (!grant || level != was.level)
                continue;
            d[i] = was; /* a move: what was mapped from p stems from d now, with as few rights */
            d[i].rights &= (uint8_t)rights;
            p[i] = (struct spec_page){0};
            for (int j = 0; j < SPEC_ALL; j++)
                s->page[j].parent = s->page[j].parent == source ? place : s->page[j].parent;
        }
        if (!p->used && (~rights & SPEC_RWX))
            spec_unmap(s, to, dst + done, size, ~rights & SPEC_RWX, false);
    }
    return entries;
}
