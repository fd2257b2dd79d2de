/*
 * roottask/elf.c - the ELF64 checker
 *
 *   header -> program header table -> PT_LOAD entries -> sorted out, or the reason
 *
 * E1  No byte outside [file, file + size) is read, whatever the file says.
 * E2  Accepted segments lie in [low, high) with whole pages, share no page, and none is both
 *     writable and executable.
 * E3  No sum of two numbers from the file is formed before it is known not to wrap.
 */
#include "elf.h"

#include <abi/errors.h>
#include <abi/fpage.h>

#include <stdbool.h>
#include <string.h>

/* The ELF64 structures, as the System V ABI gives them. */
struct elf_header {
    unsigned char ident[16];
    l4_uint16_t type;
    l4_uint16_t machine;
    l4_uint32_t version;
    l4_uint64_t entry;
    l4_uint64_t phoff;
    l4_uint64_t shoff;
    l4_uint32_t flags;
    l4_uint16_t ehsize;
    l4_uint16_t phentsize;
    l4_uint16_t phnum;
    l4_uint16_t shentsize;
    l4_uint16_t shnum;
    l4_uint16_t shstrndx;
};

struct elf_phdr {
    l4_uint32_t type;
    l4_uint32_t flags;
    l4_uint64_t offset;
    l4_uint64_t vaddr;
    l4_uint64_t paddr;
    l4_uint64_t filesz;
    l4_uint64_t memsz;
    l4_uint64_t align;
};

_Static_assert(sizeof(struct elf_header) == 64, "ELF64 header");
_Static_assert(sizeof(struct elf_phdr) == 56, "ELF64 program header");

enum { ET_EXEC = 2, EM_X86_64 = 62, PT_LOAD = 1, PT_INTERP = 3 };
enum { PF_X = 1, PF_W = 2, PF_R = 4 };
enum { PHNUM_MAX = 64 }; /* a linker writes about ten */

static int refuse(const char **why, const char *reason)
{
    *why = reason;
    return -L4_EINVAL;
}

static int header_check(const struct elf_header *h, size_t size, const char **why)
{
    if (memcmp(h->ident, "\177ELF", 4) != 0)
        return refuse(why, "is not an ELF file");
    if (h->ident[4] != 2 || h->ident[5] != 1 || h->ident[6] != 1)
        return refuse(why, "is not a 64-bit little-endian ELF file");
    if (h->machine != EM_X86_64)
        return refuse(why, "is for another machine than x86-64");
    if (h->type != ET_EXEC)
        return refuse(why, "is not a program linked to fixed addresses");
    if (h->phentsize != sizeof(struct elf_phdr) || h->phnum == 0 || h->phnum > PHNUM_MAX)
        return refuse(why, "has no usable program header table");
    if (h->phoff > size || (size - h->phoff) / sizeof(struct elf_phdr) < h->phnum)
        return refuse(why, "is cut off within its program header table");
    return 0;
}

/* Check one PT_LOAD entry alone. */
static int segment_check(const struct elf_phdr *ph, size_t size, l4_addr_t low, l4_addr_t high,
                         const char **why)
{
    if (ph->filesz > ph->memsz)
        return refuse(why, "has a segment with more bytes in the file than in memory");
    if (ph->offset > size || size - ph->offset < ph->filesz)
        return refuse(why, "is cut off: a segment lies behind the end of the file");
    if (ph->vaddr < low || ph->vaddr >= high || high - ph->vaddr < ph->memsz)
        return refuse(why, "has a segment outside the addresses for programs");
    if ((ph->flags & PF_W) && (ph->flags & PF_X))
        return refuse(why, "has a segment that is writable and executable");
    if (!(ph->flags & (PF_R | PF_W | PF_X)))
        return refuse(why, "has a segment without any rights");
    return 0;
}

/* x86 has no page that is writable or executable but not readable. */
static unsigned rights_of(l4_uint32_t flags)
{
    unsigned rights = L4_FPAGE_R;

    if (flags & PF_W)
        rights |= L4_FPAGE_W;
    if (flags & PF_X)
        rights |= L4_FPAGE_X;
    return rights;
}

static bool pages_meet(const struct elf_segment *a, const struct elf_segment *b)
{
    return elf_first_page(a) < elf_end_page(b) && elf_first_page(b) < elf_end_page(a);
}

static int segment_add(struct elf_image *out, const struct elf_phdr *ph, const char **why)
{
    struct elf_segment *s;

    if (out->count == ELF_SEGMENTS_MAX)
        return refuse(why, "has more than 8 segments");
    s = &out->segments[out->count];
    s->start = ph->vaddr;
    s->mem_size = ph->memsz;
    s->file_offset = ph->offset;
    s->file_size = ph->filesz;
    s->rights = rights_of(ph->flags);
    for (unsigned i = 0; i < out->count; i++)
        if (pages_meet(s, &out->segments[i]))
            return refuse(why, "has two segments in one page");
    out->count++;
    return 0;
}

static int entry_check(const struct elf_image *out, const char **why)
{
    for (unsigned i = 0; i < out->count; i++) {
        const struct elf_segment *s = &out->segments[i];

        if ((s->rights & L4_FPAGE_X) && out->entry >= s->start &&
            out->entry - s->start < s->file_size)
            return 0;
    }
    return refuse(why, "starts outside its executable segments");
}

int elf_check(const void *file, size_t size, l4_addr_t low, l4_addr_t high, struct elf_image *out,
              const char **why)
{
    const unsigned char *bytes = file;
    struct elf_header header;
    int err;

    *why = "";
    out->count = 0;
    if (size < sizeof(header))
        return refuse(why, "is too short for an ELF file");
    memcpy(&header, bytes, sizeof(header));
    if ((err = header_check(&header, size, why)) != 0)
        return err;
    out->entry = header.entry;
    for (unsigned i = 0; i < header.phnum; i++) {
        struct elf_phdr ph;

        memcpy(&ph, bytes + header.phoff + i * sizeof(ph), sizeof(ph));
        if (ph.type == PT_INTERP)
            return refuse(why, "wants a dynamic linker");
        if (ph.type != PT_LOAD || ph.memsz == 0)
            continue;
        if ((err = segment_check(&ph, size, low, high, why)) != 0 ||
            (err = segment_add(out, &ph, why)) != 0)
            return err;
    }
    if (out->count == 0)
        return refuse(why, "has nothing to load");
    return entry_check(out, why);
}
