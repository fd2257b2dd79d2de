/*
 * test_elf.c - the ELF checker: a good file, every refusal, and corruption at random
 */
#include "../../roottask/elf.h"

#include <abi/errors.h>
#include <abi/fpage.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 0x3100, LOW = 0x10000, HIGH = 0x70000000 };
enum { PHOFF = 64, TYPE = 0, FLAGS = 4, OFFSET = 8, VADDR = 16, FILESZ = 32, MEMSZ = 40 };

static unsigned char file[SIZE];
static struct elf_image image;
static const char *why;
static unsigned long seed = 3;

static unsigned random_below(unsigned n)
{
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (unsigned)(seed >> 33) % n;
}

static void put(size_t at, unsigned bytes, l4_uint64_t value)
{
    memcpy(file + at, &value, bytes);
}

static void segment(unsigned n, unsigned flags, l4_uint64_t offset, l4_uint64_t vaddr,
                    l4_uint64_t filesz, l4_uint64_t memsz)
{
    size_t at = PHOFF + n * 56;

    put(at + TYPE, 4, 1);
    put(at + FLAGS, 4, flags);
    put(at + OFFSET, 8, offset);
    put(at + VADDR, 8, vaddr);
    put(at + FILESZ, 8, filesz);
    put(at + MEMSZ, 8, memsz);
}

/* What the project's linker writes: R, RX, RW with bss, and an entry that loads nothing. */
static void good(void)
{
    memset(file, 0, sizeof(file));
    memcpy(file, "\177ELF\2\1\1", 7);
    put(16, 2, 2);
    put(18, 2, 62);
    put(20, 4, 1);
    put(24, 8, 0x401010);
    put(32, 8, PHOFF);
    put(54, 2, 56);
    put(56, 2, 4);
    segment(0, 4, 0, 0x400000, 0x800, 0x800);
    segment(1, 5, 0x1000, 0x401000, 0x1800, 0x1800);
    segment(2, 6, 0x3000, 0x403000, 0x100, 0x9000);
    put(PHOFF + 3 * 56, 4, 0x6474e551); /* PT_GNU_STACK */
}

static int check_sized(size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    int err;

    memcpy(copy, file, size);
    err = elf_check(copy, size, LOW, HIGH, &image, &why);
    free(copy);
    return err;
}

static void accepts_what_the_linker_writes(void)
{
    good();
    assert(check_sized(SIZE) == 0);
    assert(image.count == 3 && image.entry == 0x401010);
    assert(image.segments[0].rights == L4_FPAGE_R && image.segments[1].rights == L4_FPAGE_RX);
    assert(image.segments[2].rights == L4_FPAGE_RW && image.segments[2].mem_size == 0x9000);
    assert(elf_in_place(&image.segments[0]) && elf_in_place(&image.segments[1]));
    assert(!elf_in_place(&image.segments[2]));
    assert(elf_end_page(&image.segments[1]) == 0x403000);
}

/* Pages of the file do only for what is never written and lies in the file as in memory. */
static void otherwise_a_segment_is_copied(void)
{
    struct elf_segment s = {.start = 0x401000, .mem_size = 0x800, .file_size = 0x800,
                            .file_offset = 0x3000, .rights = L4_FPAGE_RX};

    assert(elf_in_place(&s));
    s.file_size = 0x7ff; /* the rest is zero */
    assert(!elf_in_place(&s));
    s.file_size = s.mem_size;
    s.file_offset = 0x3010; /* another place in its page */
    assert(!elf_in_place(&s));
    s.start = 0x401010;
    assert(elf_in_place(&s));
    s.rights = L4_FPAGE_RW;
    assert(!elf_in_place(&s));
}

static void refused(const char *reason)
{
    int err = check_sized(SIZE);

    if (err != -L4_EINVAL || strcmp(why, reason) != 0) {
        fprintf(stderr, "%d: '%s' instead of '%s'\n", err, why, reason);
        abort();
    }
    good();
}

static void every_refusal(void)
{
    const size_t p1 = PHOFF + 56;

    good();
    put(0, 1, 0);
    refused("is not an ELF file");
    put(4, 1, 1);
    refused("is not a 64-bit little-endian ELF file");
    put(5, 1, 2);
    refused("is not a 64-bit little-endian ELF file");
    put(18, 2, 183);
    refused("is for another machine than x86-64");
    put(16, 2, 3);
    refused("is not a program linked to fixed addresses");
    put(54, 2, 32);
    refused("has no usable program header table");
    put(56, 2, 0);
    refused("has no usable program header table");
    put(56, 2, 0xffff);
    refused("has no usable program header table");
    put(32, 8, SIZE - 100);
    refused("is cut off within its program header table");
    put(32, 8, ~0UL - 8);
    refused("is cut off within its program header table");
    put(p1 + FILESZ, 8, 0x1900);
    refused("has a segment with more bytes in the file than in memory");
    put(p1 + OFFSET, 8, 0x2000);
    refused("is cut off: a segment lies behind the end of the file");
    put(p1 + OFFSET, 8, ~0UL - 0x1000);
    refused("is cut off: a segment lies behind the end of the file");
    put(p1 + VADDR, 8, 0xf000);
    refused("has a segment outside the addresses for programs");
    put(p1 + VADDR, 8, HIGH - 0x1000);
    refused("has a segment outside the addresses for programs");
    put(p1 + VADDR, 8, ~0UL - 0x100);
    refused("has a segment outside the addresses for programs");
    put(p1 + MEMSZ, 8, ~0UL);
    refused("has a segment outside the addresses for programs");
    put(p1 + FLAGS, 4, 7);
    refused("has a segment that is writable and executable");
    put(p1 + FLAGS, 4, 0);
    refused("has a segment without any rights");
    put(p1 + VADDR, 8, 0x400800);
    refused("has two segments in one page");
    put(p1 + TYPE, 4, 3);
    refused("wants a dynamic linker");
    put(24, 8, 0x400010);
    refused("starts outside its executable segments");
    put(24, 8, 0x402800);
    refused("starts outside its executable segments");
    for (unsigned i = 0; i < 3; i++)
        put(PHOFF + i * 56, 4, 0);
    refused("has nothing to load");
    put(56, 2, 9);
    for (unsigned i = 0; i < 9; i++)
        segment(i, 4, 0, 0x400000 + i * 0x1000, 1, 1);
    refused("has more than 8 segments");
}

/* E2 for whatever was accepted. */
static void check_accepted(size_t size)
{
    assert(image.count >= 1 && image.count <= ELF_SEGMENTS_MAX);
    for (unsigned i = 0; i < image.count; i++) {
        const struct elf_segment *s = &image.segments[i];

        assert(elf_first_page(s) >= LOW && elf_end_page(s) <= HIGH);
        assert(elf_first_page(s) < elf_end_page(s));
        assert(s->file_size <= s->mem_size && s->file_offset <= size);
        assert(s->file_size <= size - s->file_offset);
        assert((s->rights & L4_FPAGE_R) && (s->rights & 3) != 3);
        for (unsigned j = 0; j < i; j++) {
            const struct elf_segment *o = &image.segments[j];

            assert(elf_end_page(o) <= elf_first_page(s) || elf_end_page(s) <= elf_first_page(o));
        }
    }
}

static void cut_anywhere_it_is_refused_without_reading_on(void)
{
    good();
    for (size_t size = 0; size < SIZE; size += size < 400 ? 1 : 37)
        assert(check_sized(size) == -L4_EINVAL);
}

static void corruption_at_random(void)
{
    static const l4_uint64_t nasty[] = {
        0, 1, 2, 0xfff, 0x1000, 0x10000, 0x6ffff000, 0x70000000, 0x7fffffff, 0x80000000,
        0xffffffff, 0x7ffffffffffff000, 0x8000000000000000, 0xfffffffffffff000, ~0UL,
    };
    unsigned accepted = 0;

    for (unsigned i = 0; i < 100000; i++) {
        size_t size = random_below(4) ? SIZE : random_below(SIZE);

        good();
        for (unsigned n = 1 + random_below(4); n; n--) {
            if (random_below(2))
                file[random_below(PHOFF + 4 * 56)] = (unsigned char)random_below(256);
            else
                put(8 * random_below((PHOFF + 4 * 56) / 8), 8,
                    nasty[random_below(sizeof(nasty) / sizeof(nasty[0]))]);
        }
        if (check_sized(size) == 0) {
            check_accepted(size);
            accepted++;
        } else {
            assert(why[0]);
        }
    }
    assert(accepted > 1000);
}

int main(void)
{
    accepts_what_the_linker_writes();
    otherwise_a_segment_is_copied();
    every_refusal();
    cut_anywhere_it_is_refused_without_reading_on();
    corruption_at_random();
    printf("test_elf: ok\n");
    return 0;
}
