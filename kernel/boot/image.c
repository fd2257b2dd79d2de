/*
 * image.c - sigma0 and the root task: ELF files unpacked where they are linked to run
 *
 * They run one to one, so virtual and physical addresses agree. The kernel image claims that
 * memory (kernel.ld), so no module can lie there.
 */
#include "boot/bootinfo.h"

#include "klog.h"

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

enum { PT_LOAD = 1, ELF_CLASS64 = 2, ELF_EXEC = 2, ELF_X86_64 = 62 };

static const char *check(const struct elf_header *h, uint64_t size)
{
    if (size < sizeof(*h) || h->ident[0] != 0x7f || h->ident[1] != 'E' || h->ident[2] != 'L' ||
        h->ident[3] != 'F')
        return "is not an ELF file";
    if (h->ident[4] != ELF_CLASS64 || h->machine != ELF_X86_64 || h->type != ELF_EXEC)
        return "is not a static x86-64 executable";
    if (h->phentsize != sizeof(struct elf_segment) || h->phoff > size ||
        h->phnum > (size - h->phoff) / sizeof(struct elf_segment))
        return "has broken program headers";
    return NULL;
}

static const char *place(const char *file, uint64_t size, const struct elf_segment *s, uint64_t lo,
                         uint64_t hi)
{
    if (s->offset > size || s->filesz > size - s->offset || s->filesz > s->memsz)
        return "has a segment outside the file";
    if (s->vaddr < lo || s->vaddr >= hi || s->memsz > hi - s->vaddr)
        return "has a segment outside its place in memory";
    for (uint64_t i = 0; i < s->filesz; i++)
        ((char *)s->vaddr)[i] = file[s->offset + i];
    for (uint64_t i = s->filesz; i < s->memsz; i++)
        ((char *)s->vaddr)[i] = 0;
    return NULL;
}

uint64_t image_place(struct bootinfo *b, unsigned module, uint64_t lo, uint64_t hi)
{
    const struct boot_module *m = &b->modules[module];
    const char *file = (const char *)m->start;
    const struct elf_header *h = (const struct elf_header *)file;
    const struct elf_segment *s;
    const char *wrong;

    wrong = check(h, m->end - m->start);
    s = (const struct elf_segment *)(file + (wrong ? 0 : h->phoff));
    for (unsigned i = 0; !wrong && i < h->phnum; i++)
        if (s[i].type == PT_LOAD && s[i].memsz)
            wrong = place(file, m->end - m->start, &s[i], lo, hi);
    if (!wrong && (h->entry < lo || h->entry >= hi))
        wrong = "has its entry outside its place in memory";
    if (wrong)
        panic("module %u (%s) %s [0x%lx, 0x%lx)", module, m->cmdline, wrong, lo, hi);
    return h->entry;
}
