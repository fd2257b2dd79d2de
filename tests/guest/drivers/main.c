/*
 * drivers/main.c - devices and memory for DMA: where it lies, who has it, and that it stays
 */
#include "tap.h"

#include <abi/stats.h>
#include <l4/re/c/phys.h>
#include <l4/re/c/rm.h>
#include <l4/re/c/stats.h>
#include <l4/re/c/util/cap_alloc.h>
#include <l4/re/env.h>
#include <l4/sys/err.h>
#include <l4/util/rdtsc.h>

#include <string.h>

enum {
    SIZE = 1 << 20,
    LIVES = 3,
    LIFE_CYCLES = 400000000,
    HPET_VENDOR = 0x8086, /* upper half of the first register */
    HPET_CONFIG = 0x10,
    HPET_COUNTER = 0xf0,
    OTHERS = 4,
    OPENS = 40, /* two pieces each: more than sigma0 gives out at a time */
    PC_HOLE = 0xa0000,
    PC_HIGH = 0x100000, /* where RAM begins again */
};
static const l4_addr_t hpet = 0xfed00000;
#define NOTHING_THERE 0xe0000000UL /* no RAM, no device: nobody touches it */

static l4_cap_idx_t phys;

static l4re_ds_t memory(unsigned long size, unsigned align, unsigned long flags)
{
    l4re_ds_t ds = l4re_util_cap_alloc();

    return l4re_phys_memory(phys, size, align, flags, ds) < 0 ? L4_INVALID_CAP : ds;
}

static volatile unsigned char *attach(l4re_ds_t ds, unsigned long size)
{
    void *at = NULL;

    return l4re_rm_attach(&at, size, L4RE_RM_F_SEARCH_ADDR | L4RE_RM_F_RW, ds, 0,
                          L4_SUPERPAGESHIFT) < 0 ? NULL : at;
}

static bool contiguous(l4re_ds_t ds, unsigned long size, l4_addr_t *first)
{
    l4_addr_t at;

    for (unsigned long i = 0; i < size; i += L4_PAGESIZE)
        if (l4re_phys_address(ds, i, i ? &at : first) != 0 || (i && at != *first + i))
            return false;
    return true;
}

static void memory_for_devices(void)
{
    l4re_ds_t ds = memory(SIZE, 18, L4RE_PHYS_BELOW_4G);
    volatile unsigned char *at = attach(ds, SIZE);
    l4_addr_t first = 0, byte = 0;
    bool zero = true;

    tap_ok(contiguous(ds, SIZE, &first), "its pages lie in a row");
    tap_ok(first && first % (1 << 18) == 0 && first + SIZE <= 1UL << 32, "where they were wanted");
    l4re_phys_address(ds, 12345, &byte);
    tap_eq(byte, first + 12345, "each byte has its address");
    for (unsigned i = 0; i < SIZE; i++)
        zero &= at[i] == 0;
    tap_ok(zero, "it is zero");
    memset((void *)at, 'd', SIZE);
    tap_eq(l4re_ds_clear(ds, 100, 5000), 0, "and can be cleared");
    tap_ok(at[99] == 'd' && at[100] == 0 && at[5099] == 0 && at[5100] == 'd', "in part");
    tap_eq(l4re_phys_address(ds, SIZE, &byte), -L4_ERANGE, "behind the end is no address");
    l4re_rm_detach((void *)at);
    l4re_util_cap_free_um(ds);
    tap_ok(memory(1 << 30, 0, 0) == L4_INVALID_CAP, "what the account does not allow is refused");
    tap_ok(memory(~0UL, 0, 0) == L4_INVALID_CAP, "nor 2^64 bytes");
}

static volatile unsigned *counter(volatile unsigned char *at)
{
    return (volatile unsigned *)(at + HPET_COUNTER);
}

/* The timer of the machine, which nobody else uses. */
static void devices(void)
{
    l4re_ds_t ds = l4re_util_cap_alloc(), other = l4re_util_cap_alloc();
    volatile unsigned char *at;
    l4_addr_t address = 0;
    unsigned before;

    tap_eq(l4re_phys_device(phys, hpet, 1024, 0, ds), 0, "a device");
    at = attach(ds, 1024);
    tap_eq(l4re_phys_address(ds, 0, &address) == 0 && address == hpet, 1, "at its address");
    tap_eq(*(volatile unsigned *)at >> 16, HPET_VENDOR, "is the one that lies there");
    *(volatile unsigned *)(at + HPET_CONFIG) |= 1;
    before = *counter(at);
    for (volatile unsigned i = 0; i < 100000; i++)
        ;
    tap_ok(*counter(at) != before, "and does what it is told");
    tap_eq(l4re_phys_device(phys, hpet, 1024, 0, other), -L4_EBUSY, "it is open once");
    tap_eq(l4re_phys_device(phys, hpet + 1, 1024, 0, other), -L4_EINVAL, "at a page's address");
    tap_eq(l4re_phys_device(phys, ~0UL << 12, 8192, 0, other), -L4_ERANGE, "within 2^64");
    tap_eq(l4re_phys_device(phys, 1 << 20, 4096, 0, other), -L4_ENOMEM, "memory is no device");
    tap_eq(l4re_ds_clear(ds, 0, 16), -L4_ENOSYS, "a device is not cleared");
    l4re_rm_detach((void *)at);
    l4re_util_cap_free_um(ds);
    tap_eq(l4re_phys_device(phys, hpet, 1024, 0, other), 0, "closed, it can be opened again");
    l4re_util_cap_free_um(other);
}

/* Three pages are two pieces for sigma0, which gives out few. */
static void devices_go_back(void)
{
    l4re_ds_t others[OTHERS], ds = l4re_util_cap_alloc();
    bool good = true;

    for (unsigned i = 0; i < OPENS && good; i++) {
        good = l4re_phys_device(phys, NOTHING_THERE + i * 0x4000UL, 0x3000, 0, ds) == 0;
        l4re_util_cap_free_um(ds);
        ds = l4re_util_cap_alloc();
    }
    tap_ok(good, "devices of three pages go back as a whole");
    for (l4_addr_t at = PC_HIGH - L4_PAGESIZE; at >= PC_HOLE; at -= L4_PAGESIZE)
        good &= l4re_phys_device(phys, at, PC_HIGH - at + 1, 0, ds) == -L4_ENOMEM;
    tap_ok(good && l4re_phys_device(phys, hpet, 1024, 0, ds) == 0,
           "of what cannot be had as a whole no part is kept");
    for (unsigned i = 0; i < OTHERS; i++)
        others[i] = memory(L4_PAGESIZE, 0, 0);
    l4re_util_cap_free_um(ds);
    ds = l4re_util_cap_alloc();
    tap_eq(l4re_phys_device(phys, hpet, 1024, 0, ds), 0,
           "closed, it can be opened again while others are open");
    l4re_util_cap_free_um(ds);
    for (unsigned i = 0; i < OTHERS; i++)
        l4re_util_cap_free_um(others[i]);
}

/* phys is less important than we are: while we work it does not answer, and is ended. */
static void it_goes_on(void)
{
    l4re_ds_t ds = memory(SIZE, 0, 0), device = l4re_util_cap_alloc();
    volatile unsigned char *at = attach(ds, SIZE), *timer;
    l4_addr_t first = 0, now = 0;
    bool good = true;

    l4re_phys_device(phys, hpet, 1024, 0, device);
    timer = attach(device, 1024);
    l4re_phys_address(ds, 0, &first);
    for (unsigned i = 0; i < SIZE; i += L4_PAGESIZE)
        at[i] = (unsigned char)(i >> L4_PAGESHIFT);
    for (unsigned life = 0; life < LIVES; life++) {
        for (l4_uint64_t end = l4_rdtsc() + LIFE_CYCLES; l4_rdtsc() < end;)
            ;
        for (unsigned i = 0; i < SIZE; i += L4_PAGESIZE)
            good &= at[i] == (unsigned char)(i >> L4_PAGESHIFT);
        good &= l4re_phys_address(ds, 0, &now) == 0 && now == first;
        good &= *(volatile unsigned *)timer >> 16 == HPET_VENDOR;
    }
    tap_ok(good, "memory and device stay what and where they are when the manager ends");
    l4re_rm_detach((void *)at);
    l4re_rm_detach((void *)timer);
    l4re_util_cap_free_um(ds);
    l4re_util_cap_free_um(device);
}

int main(void)
{
    phys = l4re_env_get_cap("phys");
    memory_for_devices();
    devices();
    devices_go_back();
    it_goes_on();
    return tap_done();
}
