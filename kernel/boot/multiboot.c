/*
 * multiboot.c - the two formats in which boot loaders describe the machine
 *
 * Runs while the first 4 GiB are mapped one to one.
 */
#include "boot/bootinfo.h"

#include "klog.h"

enum { MB1_MAGIC = 0x2badb002, MB2_MAGIC = 0x36d76289 };
enum { MB1_HAS_CMDLINE = 4, MB1_HAS_MODULES = 8, MB1_HAS_MMAP = 64 };
enum { TAG_END = 0, TAG_CMDLINE = 1, TAG_MODULE = 3, TAG_MMAP = 6 };

struct mb1_info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4],
        mmap_length, mmap_addr;
};

struct mb1_module {
    uint32_t start, end, cmdline, reserved;
};

struct mb1_mmap {
    uint32_t size;
    uint64_t start, length;
    uint32_t type;
} __attribute__((packed));

struct mb2_tag {
    uint32_t type, size;
    union {
        struct {
            uint32_t start, end;
            char cmdline[];
        } module;
        struct {
            uint32_t entry_size, entry_version;
            char entries[];
        } mmap;
        char cmdline[1];
    };
};

struct mb2_mmap {
    uint64_t start, length;
    uint32_t type, reserved;
};

static void *at(uint64_t phys)
{
    return (void *)phys;
}

static void add_range(struct bootinfo *b, uint64_t start, uint64_t length, uint32_t type)
{
    uint64_t end = start + length;

    if (end < start || type == 0)
        return;
    if (type == 1) { /* whole pages of RAM only */
        start = (start + 4095) & ~4095UL;
        end &= ~4095UL;
    } else {
        start &= ~4095UL;
        end = (end + 4095) & ~4095UL;
    }
    if (start >= end)
        return;
    if (!ranges_set(b, start, end,
                    type == 1                  ? l4_mem_type_conventional
                    : (type == 3 || type == 4) ? l4_mem_type_bootloader
                                               : l4_mem_type_shared))
        panic("the memory map has more than %u ranges", BOOT_RANGES_MAX);
}

static void add_module(struct bootinfo *b, uint64_t start, uint64_t end, const char *cmdline)
{
    if (b->module_count == L4MOD_MAX)
        panic("more than %u boot modules", L4MOD_MAX);
    if (start & 4095)
        panic("boot module at 0x%lx is not page-aligned", start);
    b->modules[b->module_count++] = (struct boot_module){start, end, cmdline};
}

/* RAM first, then everything else, so that what is reserved wins where ranges overlap. */
static void mb1_ranges(struct bootinfo *b, const struct mb1_info *mb, bool ram)
{
    for (uint32_t off = 0; off < mb->mmap_length;) {
        const struct mb1_mmap *m = at(mb->mmap_addr + off);

        if ((m->type == 1) == ram)
            add_range(b, m->start, m->length, m->type);
        off += m->size + 4;
    }
}

static void mb1_parse(struct bootinfo *b, uint64_t info)
{
    const struct mb1_info *mb = at(info);
    const struct mb1_module *mods = at(mb->mods_addr);

    if (!(mb->flags & MB1_HAS_MMAP))
        panic("the boot loader gave no memory map");
    mb1_ranges(b, mb, true);
    mb1_ranges(b, mb, false);
    if (mb->flags & MB1_HAS_CMDLINE)
        b->cmdline = at(mb->cmdline);
    if (mb->flags & MB1_HAS_MODULES)
        for (uint32_t i = 0; i < mb->mods_count; i++)
            add_module(b, mods[i].start, mods[i].end, mods[i].cmdline ? at(mods[i].cmdline) : "");
    b->info_start = info;
    b->info_end = info + sizeof(*mb);
}

static void mb2_ranges(struct bootinfo *b, const struct mb2_tag *t, bool ram)
{
    for (uint32_t off = 16; off + t->mmap.entry_size <= t->size; off += t->mmap.entry_size) {
        const struct mb2_mmap *m = at((uint64_t)t + off);

        if ((m->type == 1) == ram)
            add_range(b, m->start, m->length, m->type);
    }
}

static void mb2_parse(struct bootinfo *b, uint64_t info)
{
    uint32_t total = *(uint32_t *)at(info);
    bool mmap = false;

    for (uint32_t off = 8; off + 8 <= total;) {
        const struct mb2_tag *t = at(info + off);

        if (t->type == TAG_END)
            break;
        if (t->type == TAG_CMDLINE)
            b->cmdline = t->cmdline;
        if (t->type == TAG_MODULE)
            add_module(b, t->module.start, t->module.end, t->module.cmdline);
        if (t->type == TAG_MMAP) {
            mb2_ranges(b, t, true);
            mb2_ranges(b, t, false);
            mmap = true;
        }
        off += (t->size + 7) & ~7U;
    }
    if (!mmap)
        panic("the boot loader gave no memory map");
    b->info_start = info;
    b->info_end = info + total;
}

void multiboot_parse(uint32_t magic, uint64_t info, struct bootinfo *b)
{
    b->cmdline = "";
    if (magic == MB1_MAGIC)
        mb1_parse(b, info);
    else if (magic == MB2_MAGIC)
        mb2_parse(b, info);
    else
        panic("started by something that is not multiboot (magic 0x%x)", magic);
}
