/*
 * test_boot.c - what the boot loader hands over: the memory map, the plan, options, images
 */
#include "boot/bootinfo.h"

#include "klog.h"
#include "test.h"
#include "x86/mmu.h"

#include <setjmp.h>
#include <stdarg.h>

enum { PAGES = 64, STEPS = 20000, MIB = 1 << 20 };

char kernel_start[1], kernel_end[1]; /* where they lie here, no machine has memory */

static struct bootinfo b;
static jmp_buf on_panic;
static char reason[256];

void panic(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    longjmp(on_panic, 1);
}

/* True: the statement ends in a panic with this text in it. */
#define PANICS(statement, text)                                                                    \
    (setjmp(on_panic) ? strstr(reason, text) != NULL : ((statement), false))

/* ---- ranges, beside a map with a type for each page ---- */

static unsigned char model[PAGES];

static void compare(void)
{
    uint64_t last = 0;

    for (unsigned i = 0; i < b.range_count; i++) {
        CHECK(b.ranges[i].start >= last && b.ranges[i].start < b.ranges[i].end);
        last = b.ranges[i].end;
    }
    for (uint64_t page = 0; page < PAGES; page++) {
        unsigned type = 0;

        for (unsigned i = 0; i < b.range_count; i++)
            if (b.ranges[i].start <= page << 12 && page << 12 < b.ranges[i].end)
                type = b.ranges[i].type;
        CHECK(type == model[page]);
    }
}

static void change(uint64_t first, uint64_t end, unsigned type)
{
    CHECK(ranges_set(&b, first << 12, end << 12, type));
    for (uint64_t page = first; page < end; page++)
        model[page] = (unsigned char)type;
}

static void empty(void)
{
    memset(&b, 0, sizeof(b));
    memset(model, 0, sizeof(model));
}

TEST(ranges_are_what_was_set_last)
{
    empty();
    for (unsigned i = 0; i < STEPS; i++) {
        uint64_t first = random_below(PAGES), end = first + random_below(PAGES - first + 1);

        change(first, end, 1 + (unsigned)random_below(3));
        if (i % 500 == 0)
            empty();
        compare();
    }
}

TEST(neighbours_of_one_type_become_one_range)
{
    empty();
    change(10, 20, 1);
    change(20, 30, 1); /* behind it */
    CHECK(b.range_count == 1);
    change(5, 10, 1); /* in front of it */
    CHECK(b.range_count == 1 && b.ranges[0].start == 5 << 12 && b.ranges[0].end == 30 << 12);
    change(40, 50, 1);
    change(30, 40, 1); /* between two */
    CHECK(b.range_count == 1 && b.ranges[0].end == 50 << 12);
    change(20, 25, 2);
    CHECK(b.range_count == 3);
    change(20, 25, 1); /* as it was */
    CHECK(b.range_count == 1);
    change(7, 7, 3); /* nothing */
    CHECK(b.range_count == 1);
}

TEST(a_full_table_says_so)
{
    empty();
    for (uint64_t i = 0; i < BOOT_RANGES_MAX; i++)
        CHECK(ranges_set(&b, i << 13, (i << 13) + 4096, 1));
    CHECK(!ranges_set(&b, BOOT_RANGES_MAX << 13, (BOOT_RANGES_MAX << 13) + 4096, 1));
    CHECK(ranges_set(&b, 4096, 1 << 13, 1)); /* between two: one less */
    CHECK(b.range_count == BOOT_RANGES_MAX - 1);
    CHECK(!ranges_set(&b, 1 << 12, (1 << 12) + 64, 2)); /* in the middle: two more */
}

TEST(the_highest_block_that_fits_is_found)
{
    empty();
    change(10, 30, l4_mem_type_conventional);
    change(40, 48, l4_mem_type_conventional);
    change(50, 60, l4_mem_type_reserved);
    CHECK(ranges_find(&b, 4 << 12, 4096, ~0UL) == 44 << 12);
    CHECK(ranges_find(&b, 9 << 12, 4096, ~0UL) == 21 << 12);
    CHECK(ranges_find(&b, 9 << 12, 8 << 12, ~0UL) == 16 << 12);
    CHECK(ranges_find(&b, 4 << 12, 4096, 20 << 12) == 16 << 12);
    CHECK(ranges_find(&b, 4 << 12, 4096, 3 << 12) == 0); /* the limit is less than the size */
    CHECK(ranges_find(&b, 21 << 12, 4096, ~0UL) == 0);
    change(0, 1, l4_mem_type_conventional);
    CHECK(ranges_find(&b, 4096, 4096, 4096) == 0); /* address 0 means none */
}

/* ---- the plan ---- */

static void machine(uint64_t mib, const char *cmdline)
{
    memset(&b, 0, sizeof(b));
    b.cmdline = cmdline;
    CHECK(ranges_set(&b, 0, 640 << 10, l4_mem_type_conventional));
    CHECK(ranges_set(&b, MIB, mib * MIB, l4_mem_type_conventional));
    b.info_start = 0x9000;
    b.info_end = 0x9100;
    b.module_count = 1;
    b.modules[0].start = 9 * MIB;
    b.modules[0].end = 9 * MIB + 100;
}

static unsigned type_at(uint64_t address)
{
    for (unsigned i = 0; i < b.range_count; i++)
        if (b.ranges[i].start <= address && address < b.ranges[i].end)
            return b.ranges[i].type;
    return 0;
}

static uint64_t pool_of(uint64_t mib, const char *cmdline)
{
    machine(mib, cmdline);
    plan_memory(&b);
    CHECK(b.pool_start % (2 * MIB) == 0 && b.pool_size % (2 * MIB) == 0);
    CHECK(b.pool_start + b.pool_size <= mib * MIB);
    CHECK(type_at(0) == l4_mem_type_reserved && type_at(0x1000) == l4_mem_type_conventional);
    CHECK(type_at(0x9000) == l4_mem_type_dedicated && type_at(0xa000) != type_at(0x9000));
    CHECK(type_at(9 * MIB) == l4_mem_type_dedicated);
    CHECK(type_at(9 * MIB + 4096) == l4_mem_type_conventional);
    CHECK(type_at(QUIRE_SIGMA0_PHYS) == l4_mem_type_dedicated);
    CHECK(type_at(b.modinfo) == l4_mem_type_dedicated && b.modinfo % 4096 == 0);
    for (uint64_t at = b.pool_start; at < b.pool_start + b.pool_size; at += 4096)
        CHECK(type_at(at) == l4_mem_type_reserved);
    return b.pool_size / MIB;
}

TEST(the_pool_is_an_eighth_or_what_the_option_says)
{
    CHECK(pool_of(512, "") == 64 && pool_of(64, "") == 8 && pool_of(16, "") == 4);
    CHECK(pool_of(3000, "") == 256);
    CHECK(pool_of(512, "kmem=8388608") == 8 && pool_of(512, "kmem=8192K") == 8);
    CHECK(pool_of(512, "quiet kmem=24m x=1") == 24 && pool_of(3000, "kmem=1G") == 1024);
    CHECK(pool_of(512, "kmem=9k") == 4 && pool_of(512, "xkmem=8M kme=16M kmem") == 64);
    CHECK(pool_of(3500, "kmem=3g") == POOL_MAX / MIB && pool_of(512, "kmem=9M") == 10);
}

TEST(a_machine_without_room_is_a_panic_with_the_reason)
{
    machine(64, "kmem=1G");
    CHECK(PANICS(plan_memory(&b), "no 1024 MiB of contiguous RAM"));
    /* All that there is goes to the pool. */
    memset(&b, 0, sizeof(b));
    b.cmdline = "";
    CHECK(ranges_set(&b, 16 * MIB, 20 * MIB, l4_mem_type_conventional));
    CHECK(PANICS(plan_memory(&b), "no RAM for the list of modules"));
    machine(64, "");
    for (uint64_t i = 0; b.range_count < BOOT_RANGES_MAX; i++)
        CHECK(ranges_set(&b, 1UL << 40 | i << 13, (1UL << 40 | i << 13) + 1, 9));
    CHECK(PANICS(plan_memory(&b), "more than 128 ranges"));
}

TEST(flags_are_whole_words)
{
    CHECK(boot_flag("quiet", "quiet") && boot_flag("a quiet b", "quiet"));
    CHECK(!boot_flag("quiets", "quiet") && !boot_flag("unquiet", "quiet") && !boot_flag("", "a"));
    CHECK(!boot_flag("qui", "quiet"));
}

TEST(modules_have_names_and_arguments_and_zeroes_behind_them)
{
    static l4mod_info info;
    static char file[8192] __attribute__((aligned(4096)));
    static char line[8192];

    memset(&b, 0, sizeof(b));
    memset(file, 0x55, sizeof(file));
    b.modinfo = (uint64_t)&info;
    b.cmdline = "kmem=8M quiet";
    b.module_count = 2;
    b.modules[0] = (struct boot_module){(uint64_t)file, (uint64_t)file + 100,
                                        "/boot/dir/sort.elf  one two"};
    b.modules[1] = (struct boot_module){(uint64_t)file + 4096, (uint64_t)file + 8192, "plain"};
    plan_modules(&b);
    CHECK(info.magic == L4MOD_MAGIC && info.count == 2);
    CHECK(strcmp(info.strings + info.cmdline, "kmem=8M quiet") == 0);
    CHECK(strcmp(info.strings + info.mods[0].name, "sort.elf") == 0);
    CHECK(strcmp(info.strings + info.mods[0].args, "one two") == 0 && info.mods[0].size == 100);
    CHECK(strcmp(info.strings + info.mods[1].name, "plain") == 0);
    CHECK(info.strings[info.mods[1].args] == 0);
    CHECK(file[99] == 0x55 && file[100] == 0 && file[4095] == 0 && file[4096] == 0x55);
    CHECK(file[8191] == 0x55);
    memset(line, 'x', sizeof(line) - 1);
    b.cmdline = line;
    CHECK(PANICS(plan_modules(&b), "command lines are longer than"));
}

/* ---- images ---- */

static char home[8192], image[4096];

static void put(size_t at, size_t size, uint64_t value)
{
    memcpy(image + at, &value, size);
}

static uint64_t placed(void)
{
    return image_place(&b, 0, (uint64_t)home, (uint64_t)home + sizeof(home));
}

static void image_new(void)
{
    memset(home, 0x77, sizeof(home));
    memset(image, 0, sizeof(image));
    memcpy(image, "\177ELF\2\1\1", 7);
    put(16, 2, 2);
    put(18, 2, 62);
    put(24, 8, (uint64_t)home + 16);
    put(32, 8, 64);
    put(54, 2, 56);
    put(56, 2, 2);
    put(64, 4, 1);          /* PT_LOAD */
    put(64 + 8, 8, 1000);   /* offset */
    put(64 + 16, 8, (uint64_t)home);
    put(64 + 32, 8, 500);   /* of the file */
    put(64 + 40, 8, 600);   /* in memory */
    put(120, 4, 6);         /* a segment that is not loaded */
    put(1000, 8, 0x123456789abcdef0);
    b.module_count = 1;
    b.modules[0] = (struct boot_module){(uint64_t)image, (uint64_t)image + sizeof(image), "it"};
}

static const struct {
    size_t at, size;
    uint64_t value;
    const char *why;
} damages[] = {
    {0, 1, 0, "is not an ELF file"},
    {1, 1, 0, "is not an ELF file"},
    {2, 1, 0, "is not an ELF file"},
    {3, 1, 0, "is not an ELF file"},
    {4, 1, 1, "is not a static x86-64 executable"},
    {16, 2, 3, "is not a static x86-64 executable"},
    {18, 2, 3, "is not a static x86-64 executable"},
    {54, 2, 32, "has broken program headers"},
    {32, 8, 4097, "has broken program headers"},
    {32, 8, 4096, "has broken program headers"},
    {56, 2, 80, "has broken program headers"},
    {64 + 8, 8, 4097, "has a segment outside the file"},
    {64 + 8, 8, 3597, "has a segment outside the file"},
    {64 + 32, 8, 601, "has a segment outside the file"},
    {64 + 16, 8, 0x1000, "has a segment outside its place in memory"},
    {64 + 16, 8, ~0UL, "has a segment outside its place in memory"},
    {64 + 40, 8, 8193, "has a segment outside its place in memory"},
    {24, 8, 0x1000, "has its entry outside its place in memory"},
    {24, 8, ~0UL, "has its entry outside its place in memory"},
};

TEST(an_image_is_unpacked_or_its_fault_is_named)
{
    uint64_t first;

    image_new();
    CHECK(!setjmp(on_panic) && placed() == (uint64_t)home + 16);
    memcpy(&first, home, 8);
    CHECK(first == 0x123456789abcdef0 && home[500] == 0 && home[599] == 0 && home[600] == 0x77);
    for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
        image_new();
        put(damages[i].at, damages[i].size, damages[i].value);
        CHECK(PANICS(placed(), damages[i].why));
    }
    image_new();
    b.modules[0].end = b.modules[0].start + 63;
    CHECK(PANICS(placed(), "is not an ELF file"));
}

static void nothing_is_kept(void)
{
}

#define TESTS(X)                                                                                   \
    X(ranges_are_what_was_set_last)                                                                \
    X(neighbours_of_one_type_become_one_range)                                                     \
    X(a_full_table_says_so)                                                                        \
    X(the_highest_block_that_fits_is_found)                                                        \
    X(the_pool_is_an_eighth_or_what_the_option_says)                                               \
    X(a_machine_without_room_is_a_panic_with_the_reason)                                           \
    X(flags_are_whole_words)                                                                       \
    X(modules_have_names_and_arguments_and_zeroes_behind_them)                                     \
    X(an_image_is_unpacked_or_its_fault_is_named)

TEST_MAIN(nothing_is_kept, TESTS)
