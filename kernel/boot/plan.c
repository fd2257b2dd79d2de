/*
 * plan.c - where the kernel's memory pool and the module information go
 *
 * Runs while the first 4 GiB are mapped one to one. What remains conventional is sigma0's.
 */
#include "boot/bootinfo.h"

#include "klog.h"
#include "san.h"
#include "x86/mmu.h"

enum { MiB = 1 << 20 };
#define FOUR_GIB (1UL << 32)

/* The pool takes this part of RAM unless the option `kmem=` says otherwise. */
enum { POOL_SHARE = 8, POOL_MIN_MIB = 4, POOL_DEFAULT_MAX_MIB = 256 };

struct bootinfo bootinfo;

extern char kernel_start[], kernel_end[];

static bool option_at(const char *s, const char *name, const char **value)
{
    while (*name && *s == *name) {
        s++;
        name++;
    }
    *value = s + 1;
    return *name == 0 && *s == '=';
}

uint64_t boot_option(const char *cmdline, const char *name, uint64_t otherwise)
{
    const char *v;
    uint64_t n = 0;

    for (const char *s = cmdline; *s; s++) {
        if ((s != cmdline && s[-1] != ' ') || !option_at(s, name, &v))
            continue;
        for (; *v >= '0' && *v <= '9'; v++)
            n = n * 10 + (uint64_t)(*v - '0');
        if (*v == 'K' || *v == 'k')
            n <<= 10;
        if (*v == 'M' || *v == 'm')
            n <<= 20;
        if (*v == 'G' || *v == 'g')
            n <<= 30;
        return n;
    }
    return otherwise;
}

bool boot_flag(const char *cmdline, const char *name)
{
    for (const char *s = cmdline; *s; s++) {
        const char *n = name, *w = s;

        if (s != cmdline && s[-1] != ' ')
            continue;
        for (; *n && *w == *n; w++)
            n++;
        if (!*n && (!*w || *w == ' '))
            return true;
    }
    return false;
}

static uint64_t conventional_bytes(const struct bootinfo *b)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < b->range_count; i++)
        if (b->ranges[i].type == l4_mem_type_conventional)
            sum += b->ranges[i].end - b->ranges[i].start;
    return sum;
}

static void set(struct bootinfo *b, uint64_t start, uint64_t end, unsigned type)
{
    if (!ranges_set(b, start & ~4095UL, (end + 4095) & ~4095UL, type))
        panic("the memory map has more than %u ranges", BOOT_RANGES_MAX);
}

void plan_memory(struct bootinfo *b)
{
    uint64_t ram = conventional_bytes(b);
    uint64_t size = ram / POOL_SHARE, taken;

    if (size > (uint64_t)POOL_DEFAULT_MAX_MIB * MiB)
        size = (uint64_t)POOL_DEFAULT_MAX_MIB * MiB;
    size = boot_option(b->cmdline, "kmem", size);
    size = (size + 2 * MiB - 1) & ~(2UL * MiB - 1);
    if (size < (uint64_t)POOL_MIN_MIB * MiB)
        size = (uint64_t)POOL_MIN_MIB * MiB;
    if (size > POOL_MAX)
        size = POOL_MAX;

    /* Page 0 stays unused: a null pointer must fault even where memory is mapped one to one. */
    set(b, 0, 4096, l4_mem_type_reserved);
    set(b, (uint64_t)kernel_start - KERNEL_BASE, (uint64_t)kernel_end - KERNEL_BASE,
        l4_mem_type_reserved);
    for (unsigned i = 0; i < b->module_count; i++)
        set(b, b->modules[i].start, b->modules[i].end, l4_mem_type_dedicated);
    /* Hands off the loader's own tables until they are copied. */
    set(b, b->info_start, b->info_end, l4_mem_type_dedicated);
    /* The images' home, before anything else is put there. */
    set(b, QUIRE_SIGMA0_PHYS, QUIRE_IMAGE_END, l4_mem_type_dedicated);

    b->pool_size = size;
    taken = size + san_shadow_bytes(size);
    b->pool_start = ranges_find(b, taken, 2 * MiB, FOUR_GIB);
    if (b->pool_start == 0)
        panic("no %lu MiB of contiguous RAM for the kernel (option kmem=)", size / MiB);
    set(b, b->pool_start, b->pool_start + taken, l4_mem_type_reserved);
    b->modinfo = ranges_find(b, L4MOD_INFO_SIZE, 4096, FOUR_GIB);
    if (b->modinfo == 0)
        panic("no RAM for the list of modules");
    set(b, b->modinfo, b->modinfo + L4MOD_INFO_SIZE, l4_mem_type_dedicated);
}

/* Append a string of n characters; returns its offset. */
static uint32_t copy_string(l4mod_info *mi, uint32_t *used, const char *s, uint32_t n)
{
    uint32_t at = *used;

    if (n + 1 > sizeof(mi->strings) - at)
        panic("the modules' command lines are longer than %lu bytes", sizeof(mi->strings));
    for (uint32_t i = 0; i < n; i++)
        mi->strings[at + i] = s[i];
    mi->strings[at + n] = 0;
    *used = at + n + 1;
    return at;
}

static uint32_t length(const char *s)
{
    uint32_t n = 0;

    while (s[n])
        n++;
    return n;
}

static void describe(l4mod_info *mi, uint32_t *used, const struct boot_module *m, l4mod_mod *out)
{
    const char *s = m->cmdline;
    uint32_t name = 0, end = 0;

    for (; s[end] && s[end] != ' '; end++)
        if (s[end] == '/')
            name = end + 1;
    out->start = m->start;
    out->size = m->end - m->start;
    out->name = copy_string(mi, used, s + name, end - name);
    while (s[end] == ' ')
        end++;
    out->args = copy_string(mi, used, s + end, length(s + end));
}

void plan_modules(struct bootinfo *b)
{
    l4mod_info *mi = (l4mod_info *)b->modinfo;
    uint32_t used = 0;

    for (uint32_t i = 0; i < L4MOD_INFO_SIZE / 8; i++)
        ((uint64_t *)mi)[i] = 0;
    mi->magic = L4MOD_MAGIC;
    mi->count = b->module_count;
    mi->cmdline = copy_string(mi, &used, b->cmdline, length(b->cmdline));
    b->cmdline = mi->strings + mi->cmdline;
    for (unsigned i = 0; i < b->module_count; i++) {
        describe(mi, &used, &b->modules[i], &mi->mods[i]);
        b->modules[i].cmdline = mi->strings + mi->mods[i].name;
    }
    /* Only now: the loader's tables may begin in the last page of a module. */
    for (unsigned i = 0; i < b->module_count; i++)
        for (uint64_t p = b->modules[i].end; p & 4095; p++)
            *(char *)p = 0;
}
