/*
 * pager/pager.c - your own pager: one dataspace in which page n is filled with the number n
 *
 * A manager that nobody needs, as short as one can be: it shows what you write and what the
 * framework (l4/pager.h) does for you. docs/writing-a-pager.md goes through it line by
 * line. A page is made when the first client touches it; everybody gets the same page, read-only.
 */
#include <l4/pager.h>

#include <string.h>

enum { PAGES = 64, WORDS = L4_PAGESIZE / sizeof(l4_umword_t), OBJECT_PAGES = 4 };

/* Our memory: the root task has mapped all of it before we run, so it never faults. */
static _Alignas(L4_PAGESIZE) l4_umword_t frames[PAGES][WORDS];
static _Alignas(L4_PAGESIZE) char objects[OBJECT_PAGES][L4_PAGESIZE];
static unsigned objects_used;
static bool filled[PAGES];

static void *pattern_new_page(void)
{
    return objects_used < OBJECT_PAGES ? objects[objects_used++] : NULL;
}

static long pattern_open(struct dataspace *ds, const struct ds_request *request)
{
    if (!request->name || strcmp(request->name, "pattern") != 0)
        return -L4_ENOENT;
    ds->size = sizeof(frames);
    ds->rights = L4RE_DS_F_R;
    return 0;
}

/* A fault of a client ends here: where is the page at this offset? */
static long pattern_map(struct dataspace *ds, l4_umword_t offset, struct ds_page *page)
{
    l4_umword_t n = offset >> L4_PAGESHIFT;

    (void)ds;
    for (unsigned i = 0; i < WORDS && !filled[n]; i++)
        frames[n][i] = n;
    filled[n] = true;
    page->address = (l4_addr_t)frames[n];
    return 0;
}

static const struct manager pattern = {
    .name = "pattern",
    .ds_size = sizeof(struct dataspace),
    .gate_rights = L4_CAP_FPAGE_RD,
    .open = pattern_open,
    .map = pattern_map,
    .new_page = pattern_new_page,
};

int main(void)
{
    return manager_run(&pattern);
}
