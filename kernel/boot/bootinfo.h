/*
 * boot/bootinfo.h - what the boot loader hands over, in one form
 *
 * Both multiboot parsers fill this in; plan.c decides from it where everything goes. All
 * addresses are physical.
 */
#pragma once

#include <abi/kip.h>
#include <stdbool.h>
#include <stdint.h>

enum { BOOT_RANGES_MAX = 128, BOOT_CMDLINE_MAX = 512 };

struct boot_range {
    uint64_t start;
    uint64_t end;  /* first byte behind */
    unsigned type; /* enum l4_mem_type_t */
};

struct boot_module {
    uint64_t start;
    uint64_t end;
    const char *cmdline;
};

struct bootinfo {
    unsigned range_count;
    unsigned module_count;
    struct boot_range ranges[BOOT_RANGES_MAX]; /* sorted, not overlapping after plan_memory() */
    struct boot_module modules[L4MOD_MAX];
    const char *cmdline;
    uint64_t info_start, info_end; /* the loader's own tables, needed until copied */
    /* decided by plan_memory() */
    uint64_t pool_start, pool_size;
    uint64_t modinfo; /* physical address of struct l4mod_info */
};

extern struct bootinfo bootinfo;

/* Read the tables of multiboot 1 (magic 0x2badb002) or 2 (0x36d76289). Panics on others. */
void multiboot_parse(uint32_t magic, uint64_t info, struct bootinfo *b);

/* Make [start, end) of type, cutting or replacing what was there. False: table full. */
bool ranges_set(struct bootinfo *b, uint64_t start, uint64_t end, unsigned type);
/* The highest conventional block of `size` bytes below `limit`, aligned; 0: none. */
uint64_t ranges_find(const struct bootinfo *b, uint64_t size, uint64_t align, uint64_t limit);

/* Number behind `name=` on the kernel command line (suffixes K, M, G), or `otherwise`. */
uint64_t boot_option(const char *cmdline, const char *name, uint64_t otherwise);

/* Is the word `name` on the kernel command line? */
bool boot_flag(const char *cmdline, const char *name);

/* Where the pool and the module information go; what is left is conventional. */
void plan_memory(struct bootinfo *b);
/* Copy names into the module information; zero the tails of modules. */
void plan_modules(struct bootinfo *b);

/* An ELF64 image unpacked one to one at its link addresses within [lo, hi): entry, or panic. */
uint64_t image_place(struct bootinfo *b, unsigned module, uint64_t lo, uint64_t hi);
