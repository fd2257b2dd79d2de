/*
 * rom.c - the boot modules as dataspaces, read-only
 *
 * The root task has mapped every module into this task before it started, each page at its
 * physical address, and the table of the modules at ROM_MODULES_ADDR. So there is nothing to
 * find and nothing to keep: a page of a module is module start + offset.
 *
 * Modules lie in memory as the boot loader put them, often in long contiguous runs, so a map
 * request is answered with the largest flexpage inside the module that the client's hot spot
 * allows; the client's window decides how much of it arrives.
 */
#include <abi/env.h>
#include <abi/kip.h>
#include <l4/pager.h>

#include <string.h>

/* Where the root task maps the two pages of struct l4mod_info. */
#define ROM_MODULES_ADDR (QUIRE_ENV_ADDR + 0x10000)

enum { ROM_OBJECT_PAGES = 16 }; /* about 500 dataspaces open at a time */

struct rom_ds {
    struct dataspace ds;
    l4_addr_t start;
};

static _Alignas(L4_PAGESIZE) char object_memory[ROM_OBJECT_PAGES][L4_PAGESIZE];
static unsigned object_pages_used;

static void *rom_new_page(void)
{
    return object_pages_used < ROM_OBJECT_PAGES ? object_memory[object_pages_used++] : NULL;
}

static long rom_open(struct dataspace *ds, const struct ds_request *r)
{
    const l4mod_info *info = (const l4mod_info *)ROM_MODULES_ADDR;
    struct rom_ds *rom = (struct rom_ds *)ds;

    if (!r->name)
        return -L4_ENODEV; /* we have no memory to give */
    for (unsigned i = 0; i < info->count; i++) {
        const l4mod_mod *m = &info->mods[i];

        if (strcmp(info->strings + m->name, r->name) != 0)
            continue;
        rom->start = m->start;
        ds->size = m->size;
        ds->rights = L4RE_DS_F_RX;
        return 0;
    }
    return -L4_ENOENT;
}

static long rom_map(struct dataspace *ds, l4_umword_t offset, struct ds_page *page)
{
    struct rom_ds *rom = (struct rom_ds *)ds;
    l4_addr_t end = (rom->start + ds->size + L4_PAGESIZE - 1) & L4_PAGEMASK;

    page->address = rom->start + offset;
    ds_page_widen(page, rom->start, end);
    return 0;
}

static l4_mword_t rom_frame(struct dataspace *ds, l4_umword_t offset)
{
    return ((struct rom_ds *)ds)->start + offset;
}

static const struct manager rom = {
    .name = "rom",
    .ds_size = sizeof(struct rom_ds),
    .gate_rights = L4_CAP_FPAGE_RD, /* D: the holder may close it */
    .open = rom_open,
    .map = rom_map,
    .frame = rom_frame,
    .new_page = rom_new_page,
};

int main(void)
{
    return manager_run(&rom);
}
