/*
 * abi/kip.h - the kernel information page: read-only for everybody, mapped by sigma0
 *
 * Field names are L4Re's; the offsets are Quire's own. mem_info = offset of the first memory
 * descriptor << 32 | number of descriptors.
 */
#pragma once

#include <abi/types.h>

#define L4_KERNEL_INFO_MAGIC 0x4be6344cUL /* "L4" mu "K", little endian */
#define L4_KIP_VERSION 0x01000001UL

typedef struct l4_kernel_info_t {
    l4_uint64_t magic;
    l4_uint64_t version;
    l4_uint64_t mem_info;
    l4_uint64_t clock;         /* microseconds since boot, set at every timer tick */
    l4_uint64_t frequency_cpu; /* kHz of the time stamp counter */
    l4_uint64_t frequency_bus; /* Hz of the timer interrupt */
    l4_uint64_t user_ptr;      /* physical address of struct l4mod_info */
    l4_uint64_t sigma0_ip;
    l4_uint64_t root_ip;
    l4_uint64_t kmem_start; /* the kernel's memory pool, physical */
    l4_uint64_t kmem_end;
    l4_uint64_t features; /* enum l4_kip_feature */
    l4_uint64_t tsc_boot; /* time stamp counter when the kernel got control */
    l4_uint64_t tsc_user; /* when the first user thread started */
    l4_uint64_t reserved[18];
    char version_string[256];
} l4_kernel_info_t;

enum l4_kip_feature {
    L4_KIP_F_1G_PAGES = 1,
    L4_KIP_F_SMEP = 2,
    L4_KIP_F_SMAP = 4,
    L4_KIP_F_UMIP = 8,
    L4_KIP_F_PCID = 16,
    L4_KIP_F_CHECKS = 32, /* built with kcheck() */
};

/* A memory descriptor: low = start | type, high = last byte. */
typedef struct l4_kernel_info_mem_desc_t {
    l4_umword_t l;
    l4_umword_t h;
} l4_kernel_info_mem_desc_t;

enum l4_mem_type_t {
    l4_mem_type_undefined = 0x0,
    l4_mem_type_conventional = 0x1, /* usable RAM */
    l4_mem_type_reserved = 0x2,     /* the kernel's: never mapped to anybody */
    l4_mem_type_dedicated = 0x3,    /* sigma0's image, root task's image, modules: RAM in use */
    l4_mem_type_shared = 0x4,       /* device memory */
    l4_mem_type_bootloader = 0xe,   /* firmware tables (ACPI), readable */
};

enum { L4_KIP_MEM_DESC_OFFSET = 1024, L4_KIP_MEM_DESCS_MAX = (4096 - 1024) / 16 };

_Static_assert(sizeof(l4_kernel_info_t) <= L4_KIP_MEM_DESC_OFFSET, "descriptors follow");

/*
 * What the boot loader brought: one page of RAM, dedicated to the root task. Module 0 is sigma0,
 * module 1 the root task, both already unpacked to their link addresses; the rest lies as loaded.
 * All addresses are physical; names and command lines are zero-terminated strings in this page.
 */
enum { L4MOD_MAX = 64, L4MOD_INFO_SIZE = 8192 };

typedef struct l4mod_mod {
    l4_uint64_t start; /* page aligned */
    l4_uint64_t size;  /* bytes; the rest of the last page is zero */
    l4_uint32_t
        name; /* offset in l4mod_info.strings: the file's base name, as on the command line */
    l4_uint32_t args; /* what stood behind the name */
} l4mod_mod;

typedef struct l4mod_info {
    l4_uint64_t magic; /* L4MOD_MAGIC */
    l4_uint32_t count;
    l4_uint32_t cmdline; /* the kernel's own command line, offset in strings */
    l4mod_mod mods[L4MOD_MAX];
    char strings[L4MOD_INFO_SIZE - 16 - L4MOD_MAX * sizeof(l4mod_mod)];
} l4mod_info;

#define L4MOD_MAGIC 0x4f464e49444f4d51UL /* "QMODINFO" */
_Static_assert(sizeof(l4mod_info) == L4MOD_INFO_SIZE, "module information is two pages");

/* Link addresses: the kernel image covers [1 MiB, 8 MiB) so that no loader puts a module there. */
#define QUIRE_KERNEL_PHYS 0x100000UL
#define QUIRE_SIGMA0_PHYS 0x300000UL
#define QUIRE_ROOT_PHYS 0x400000UL
#define QUIRE_IMAGE_END 0x800000UL
