/*
 * seed.c - faults that a kernel with sanitizers commits on request: option `seed=NUMBER`
 *
 * Each must end in a report, otherwise the run time or the flags are broken. tests/test_san.py
 * counts them: SEED_KASAN from 1 on, SEED_UBSAN from 101 on.
 */
#include "san.h"

#include <stdbool.h>

#include "boot/bootinfo.h"
#include "factory.h"
#include "klog.h"
#include "kmem.h"

enum { KASAN_FIRST = 1, UBSAN_FIRST = 101 };

static struct slab slab;
static volatile unsigned zero, five = 5, forty = 40;
static volatile int largest = INT32_MAX;
static uint32_t numbers[5];
static struct quota *quota;
static uint64_t chosen;

/* ---- kasan ---- */

static void object_after_free(void)
{
    volatile uint64_t *o = slab_alloc(&slab, quota);

    slab_free(&slab, quota, (void *)o);
    o[1] = 1;
}

static void behind_object(void)
{
    volatile uint64_t *o = slab_alloc(&slab, quota);

    (void)o[slab.size / 8 - SAN_GAP / 8 + zero];
}

static void page_after_free(void)
{
    volatile uint64_t *p = kmem_page(quota, KPAGE_PLAIN);

    kmem_page_free(quota, (void *)p);
    (void)p[zero];
}

static void clean_page_after_free(void)
{
    volatile uint64_t *p = kmem_page(quota, KPAGE_PLAIN);

    kmem_page_free_clean(quota, (void *)p);
    p[zero] = 1;
}

static void behind_page(void)
{
    volatile char *p = kmem_page(quota, KPAGE_PLAIN), *second = kmem_page(quota, KPAGE_PLAIN);

    kmem_page_free(quota, (void *)second);
    (void)p[second - p + (long)zero];
}

static void beside_variable(void)
{
    volatile uint32_t *n = numbers;

    n[five + 1] = 1;
}

static void beside_variable_of_the_stack(void)
{
    volatile char buffer[12];
    volatile char *b = buffer;

    b[16 + zero] = 1;
}

static void clear_too_much(void)
{
    uint64_t *o = slab_alloc(&slab, quota);

    __builtin_memset(o, 0, slab.size + zero);
}

static void user_memory(void)
{
    (void)*(volatile char *)(0x400000UL + zero);
}

/* ---- ubsan ---- */

static void sum(void)
{
    largest = largest + 1;
}

static void shift(void)
{
    largest = (int)(1u << forty);
}

static void division(void)
{
    five = five / zero;
}

static void index_out_of_bounds(void)
{
    numbers[five] = 1;
}

static void null(void)
{
    struct slab *volatile nothing = NULL;

    nothing->pages = 1;
}

static void misaligned(void)
{
    void *volatile odd = (char *)numbers + 1;

    numbers[0] = *(uint32_t *)odd; /* of a volatile word it would not be looked at */
}

static void invalid_bool(void)
{
    *(volatile uint8_t *)&numbers[1] = 2;
    five = *(volatile bool *)&numbers[1];
}

static void (*const kasan_seeds[])(void) = {
    object_after_free, behind_object, page_after_free, clean_page_after_free, behind_page,
    beside_variable, beside_variable_of_the_stack, clear_too_much, user_memory,
};
static void (*const ubsan_seeds[])(void) = {
    sum, shift, division, index_out_of_bounds, null, misaligned, invalid_bool,
};

void san_options(const char *cmdline)
{
    chosen = boot_option(cmdline, "seed", 0);
}

void san_commit(void)
{
    enum { KASAN = sizeof(kasan_seeds) / sizeof(kasan_seeds[0]),
           UBSAN = sizeof(ubsan_seeds) / sizeof(ubsan_seeds[0]) };
    uint64_t n = chosen;

    quota = &root_factory.quota;
    klog("sanitizers: %u seeds of kasan, %u of ubsan\n", KASAN, UBSAN);
    if (!n)
        return;
    slab_init(&slab, "seed", 64);
    if (n - KASAN_FIRST < KASAN)
        kasan_seeds[n - KASAN_FIRST]();
    else if (n - UBSAN_FIRST < UBSAN)
        ubsan_seeds[n - UBSAN_FIRST]();
    klog("sanitizers: seed %lu was not found\n", n);
}
