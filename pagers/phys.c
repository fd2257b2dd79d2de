/*
 * phys.c - memory by its physical address: devices, and contiguous memory for their DMA
 *
 * Whoever has the manager gate may open both: it is for drivers. Everything is mapped here at its
 * physical address, so a page is found by adding.
 *
 *   FACTORY create(DATASPACE, size, flags, alignment)            contiguous memory, zeroed
 *   FACTORY create(DATASPACE, size, flags, alignment, address)   a device's memory
 *
 * V1  No two dataspaces share a page.
 * V2  What sigma0 gives us is a dataspace's, and goes back with it. After a restart with the word
 *     `keep` we still have it, and its clients go on; a device is claimed again.
 */
#include <abi/env.h>
#include <abi/errors.h>
#include <l4/pager.h>
#include <l4/sigma0/ram.h>
#include <l4/sigma0/sigma0.h>
#include <l4/sys/task.h>

#include <string.h>

enum { OBJECT_PAGES = 8, OPEN_MAX = 128, BELOW_4G_BITS = 32 };
/* Words of a lasting gate. */
enum { WORD_START, WORD_SIZE, WORD_KIND };

struct phys_ds {
    struct dataspace ds;
    l4_addr_t start;
    l4_umword_t kind; /* L4RE_PHYS_DEVICE or 0, L4RE_PHYS_CACHED */
};

static _Alignas(L4_PAGESIZE) char object_memory[OBJECT_PAGES][L4_PAGESIZE];
static unsigned object_pages_used;
static struct phys_ds *open_list[OPEN_MAX];

static struct phys_ds *phys_of(struct dataspace *ds)
{
    return (struct phys_ds *)ds;
}

static void *phys_new_page(void)
{
    return object_pages_used < OBJECT_PAGES ? object_memory[object_pages_used++] : NULL;
}

static l4_umword_t pages_size(l4_umword_t size)
{
    return (size + L4_PAGESIZE - 1) & L4_PAGEMASK;
}

/* V1 for what is to be entered; a place in the list. */
static long place_find(l4_addr_t start, l4_umword_t size, unsigned *place)
{
    *place = OPEN_MAX;
    for (unsigned i = 0; i < OPEN_MAX; i++) {
        const struct phys_ds *p = open_list[i];

        if (!p)
            *place = i;
        else if (start < p->start + pages_size(p->ds.size) && p->start < start + size)
            return -L4_EBUSY;
    }
    return *place == OPEN_MAX ? -L4_ENOMEM : 0;
}

static long device_claim(struct phys_ds *p)
{
    l4_umword_t size = pages_size(p->ds.size), run;
    l4_addr_t ram = p->start;

    if (l4sigma0_map_iomem(QUIRE_SIGMA0_CAP, p->start, p->start, size,
                           (p->kind & L4RE_PHYS_CACHED) != 0) == 0)
        return 0;
    /* The part that we got goes back; it ends before any memory of ours, which stays. */
    if (l4_ram_next(QUIRE_SIGMA0_CAP, &ram, &run) == 0 && ram - p->start < size)
        size = ram - p->start;
    if (size)
        l4_ram_give_back(QUIRE_SIGMA0_CAP, p->start, size);
    return -L4_ENOMEM;
}

static long dma_take(struct phys_ds *p, unsigned align, bool below_4g)
{
    l4_ram_wish_t wish = {.size = p->ds.size, .flags = L4_RAM_CONTIGUOUS, .align = align,
                          .max = below_4g ? (1UL << BELOW_4G_BITS) - 1 : 0};
    l4_ram_block_t blocks[L4_RAM_BLOCKS_MAX];
    unsigned count = L4_RAM_BLOCKS_MAX;
    long err = l4_ram_take_wish(QUIRE_SIGMA0_CAP, &wish, blocks, &count);

    if (err == 0)
        p->start = blocks[0].phys;
    return err;
}

static void give_back(struct phys_ds *p)
{
    l4_ram_give_back(QUIRE_SIGMA0_CAP, p->start, pages_size(p->ds.size));
}

static long take(struct phys_ds *p, const struct ds_request *r, unsigned *place)
{
    bool device = p->kind & L4RE_PHYS_DEVICE;
    long err = place_find(p->start, device ? pages_size(r->size) : 0, place);

    if (err)
        return err;
    return device ? device_claim(p) : dma_take(p, r->align, r->flags & L4RE_PHYS_BELOW_4G);
}

static long phys_open(struct dataspace *ds, const struct ds_request *r)
{
    struct phys_ds *p = phys_of(ds);
    unsigned place;
    long err;

    if (r->name || !r->at_manager)
        return r->name ? -L4_ENOENT : -L4_ENODEV;
    p->start = r->address & L4_PAGEMASK;
    p->kind = r->flags & (L4RE_PHYS_DEVICE | L4RE_PHYS_CACHED);
    ds->size = r->size;
    ds->rights = p->kind & L4RE_PHYS_DEVICE ? L4RE_DS_F_RW : L4RE_DS_F_RWX;
    if ((r->address & ~L4_PAGEMASK) || (r->address && !(p->kind & L4RE_PHYS_DEVICE)))
        return -L4_EINVAL;
    err = take(p, r, &place);
    if (err && manager_gc()) /* what stood in the way may have been closed */
        err = take(p, r, &place);
    if (err == 0)
        open_list[place] = p;
    return err;
}

static long phys_map(struct dataspace *ds, l4_umword_t offset, struct ds_page *page)
{
    struct phys_ds *p = phys_of(ds);

    page->address = p->start + offset;
    ds_page_widen(page, p->start, p->start + pages_size(ds->size));
    return 0;
}

static long phys_clear(struct dataspace *ds, l4_umword_t offset, l4_umword_t size)
{
    if (phys_of(ds)->kind & L4RE_PHYS_DEVICE)
        return -L4_ENOSYS;
    memset((char *)phys_of(ds)->start + offset, 0, size);
    return 0;
}

static long phys_copy_in(struct dataspace *ds, l4_umword_t offset, const void *from,
                         l4_umword_t size)
{
    if (phys_of(ds)->kind & L4RE_PHYS_DEVICE)
        return -L4_ENOSYS;
    memcpy((char *)phys_of(ds)->start + offset, from, size);
    return 0;
}

static l4_mword_t phys_frame(struct dataspace *ds, l4_umword_t offset)
{
    return (l4_mword_t)(phys_of(ds)->start + offset);
}

/* sigma0 takes it from everybody. */
static void phys_release(struct dataspace *ds)
{
    for (unsigned i = 0; i < OPEN_MAX; i++)
        if (open_list[i] == phys_of(ds))
            open_list[i] = NULL;
    give_back(phys_of(ds));
}

static void phys_save(const struct dataspace *ds, l4_umword_t *words)
{
    const struct phys_ds *p = (const struct phys_ds *)ds;

    words[WORD_START] = p->start;
    words[WORD_SIZE] = ds->size;
    words[WORD_KIND] = p->kind;
}

static long phys_restore(struct dataspace *ds, const l4_umword_t *words)
{
    struct phys_ds *p = phys_of(ds);
    unsigned place;
    long err;

    p->start = words[WORD_START];
    p->kind = words[WORD_KIND];
    ds->size = words[WORD_SIZE];
    ds->rights = p->kind & L4RE_PHYS_DEVICE ? L4RE_DS_F_RW : L4RE_DS_F_RWX;
    if ((err = place_find(p->start, pages_size(ds->size), &place)) != 0)
        return err;
    err = p->kind & L4RE_PHYS_DEVICE
              ? device_claim(p)
              : l4_ram_map(QUIRE_SIGMA0_CAP, p->start, pages_size(ds->size), p->start);
    if (err == 0)
        open_list[place] = p;
    return err;
}

static const struct manager phys = {
    .name = "phys",
    .ds_size = sizeof(struct phys_ds),
    .gate_rights = L4_CAP_FPAGE_RWSD,
    .at_manager = true,
    .open = phys_open,
    .map = phys_map,
    .clear = phys_clear,
    .copy_in = phys_copy_in,
    .release = phys_release,
    .save = phys_save,
    .restore = phys_restore,
    .frame = phys_frame,
    .new_page = phys_new_page,
};

int main(void)
{
    return manager_run(&phys);
}
