/*
 * san.h - what a kernel with sanitizers (MODE=san, kasan, ubsan) is told; nothing in the others
 *
 * The run times are in tests/san. Shadow memory has a byte for 8 bytes of image and pool: 0 all of
 * them may be touched, 1..7 only the first so many, else why not (enum san_why).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum san_why {
    SAN_FINE = 0,
    SAN_FREE_PAGE = 0xfa,
    SAN_FREE_OBJECT = 0xfb,
    SAN_REDZONE = 0xfc,
};

#ifdef QUIRE_KASAN
/* Bytes behind each slab object that nobody may touch. Objects may be aligned to 64. */
enum { SAN_GAP = 64 };
/* For functions that may look at free memory: the checks of the pool. */
#define SAN_UNCHECKED __attribute__((no_sanitize("kernel-address")))
/* Bytes that the shadow of everything takes behind a pool of this size. */
uint64_t san_shadow_bytes(uint64_t pool_bytes);
/* After mmu_init: switch the checks on, the shadow being at this physical address. */
void san_start(uint64_t phys, uint64_t pool_bytes);
void san_set(const void *start, size_t bytes, enum san_why why);
/* A trap in the kernel, with the address of a page fault: does not return if a check's look at
 * shadow that is not there has caused it. */
void san_trap(uint64_t vector, uintptr_t address);
#else
enum { SAN_GAP = 0 };
#define SAN_UNCHECKED
static inline uint64_t san_shadow_bytes(uint64_t pool_bytes)
{
    (void)pool_bytes;
    return 0;
}
static inline void san_start(uint64_t phys, uint64_t pool_bytes)
{
    (void)phys;
    (void)pool_bytes;
}
static inline void san_set(const void *start, size_t bytes, enum san_why why)
{
    (void)start;
    (void)bytes;
    (void)why;
}
static inline void san_trap(uint64_t vector, uintptr_t address)
{
    (void)vector;
    (void)address;
}
#endif

#ifdef QUIRE_SAN
/* Read the option `seed=`; commit the fault that it names: proof that it is found. */
void san_options(const char *cmdline);
void san_commit(void);
#else
static inline void san_options(const char *cmdline)
{
    (void)cmdline;
}
static inline void san_commit(void)
{
}
#endif

/* The first two bytes of a free object stay usable: the chain of its page. */
static inline void san_object_free(void *obj, size_t bytes)
{
    san_set(obj, bytes - SAN_GAP, SAN_FREE_OBJECT);
    san_set(obj, 2 * (SAN_GAP != 0), SAN_FINE);
}

static inline void san_object_used(void *obj, size_t bytes)
{
    san_set(obj, bytes - SAN_GAP, SAN_FINE);
}
