/*
 * roottask/elf.h - a program file, checked
 *
 * Pure: bytes in, segments or one readable reason out. Nothing is loaded here.
 */
#pragma once

#include <abi/types.h>

enum { ELF_SEGMENTS_MAX = 8 }; /* regions in the environment page, minus stack and guard */

struct elf_segment {
    l4_addr_t start;      /* first byte in the task, not rounded */
    l4_umword_t mem_size; /* bytes, never 0; what lies behind file_size is zero */
    l4_umword_t file_offset;
    l4_umword_t file_size; /* bytes, at most mem_size, inside the file */
    unsigned rights;       /* enum L4_fpage_rights: R, RX or RW */
};

struct elf_image {
    l4_addr_t entry; /* inside an executable segment */
    unsigned count;
    struct elf_segment segments[ELF_SEGMENTS_MAX];
};

/*
 * Check the `size` bytes at `file` (any alignment) as a static x86-64 program whose pages all lie
 * in [low, high). 0 and *out filled, or -L4_EINVAL and *why a sentence without subject.
 */
int elf_check(const void *file, size_t size, l4_addr_t low, l4_addr_t high, struct elf_image *out,
              const char **why);

/* First page of a segment, and the page behind its last one. */
static inline l4_addr_t elf_first_page(const struct elf_segment *s)
{
    return s->start & L4_PAGEMASK;
}

static inline l4_addr_t elf_end_page(const struct elf_segment *s)
{
    return (s->start + s->mem_size + L4_PAGESIZE - 1) & L4_PAGEMASK;
}

/* Can the pages of the file itself be mapped as this segment, without a copy? */
static inline int elf_in_place(const struct elf_segment *s)
{
    return !(s->rights & 2) && s->file_size == s->mem_size &&
           (s->file_offset & (L4_PAGESIZE - 1)) == (s->start & (L4_PAGESIZE - 1));
}
