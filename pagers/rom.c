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
    unsigned module; /* its number: what the next life has to know */
};

static _Alignas(L4_PAGESIZE) char object_memory[ROM_OBJECT_PAGES][L4_PAGESIZE];
static unsigned object_pages_used;

static void *rom_new_page(void)
{
    return object_pages_used < ROM_OBJECT_PAGES ? object_memory[object_pages_used++] : NULL;
}

static const l4mod_info *modules(void)
{
    return (const l4mod_info *)ROM_MODULES_ADDR;
}

static void set_module(struct dataspace *ds, unsigned number)
{
    struct rom_ds *rom = (struct rom_ds *)ds;

    rom->start = modules()->mods[number].start;
    rom->module = number;
    ds->size = modules()->mods[number].size;
    ds->rights = L4RE_DS_F_RX;
}

static long rom_open(struct dataspace *ds, const struct ds_request *r)
{
    const l4mod_info *info = modules();

    if (!r->name)
        return -L4_ENODEV; /* we have no memory to give */
    for (unsigned i = 0; i < info->count; i++)
        if (strcmp(info->strings + info->mods[i].name, r->name) == 0) {
            set_module(ds, i);
            return 0;
        }
    return -L4_ENOENT;
}

static void rom_save(const struct dataspace *ds, l4_umword_t *words)
{
    words[0] = ((const struct rom_ds *)ds)->module;
}

static long rom_restore(struct dataspace *ds, const l4_umword_t *words)
{
    if (words[0] >= modules()->count)
        return -L4_ENOENT;
    set_module(ds, (unsigned)words[0]);
    return 0;
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
    .save = rom_save,
    .restore = rom_restore,
    .frame = rom_frame,
    .new_page = rom_new_page,
};

int main(void)
{
    return manager_run(&rom);
}
