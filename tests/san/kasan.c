/*
 * kasan.c - which memory the kernel may touch: the run time of -fsanitize=kernel-address
 *
 * The compiler puts a look at the shadow before every load and store of an instrumented file, and a
 * call of __asan_report_*() for what it finds there. Shadow memory (san.h) is behind the pool; its
 * address is (address >> 3) + OFFSET, which build.mk tells the compiler, so that the whole range
 * from KERNEL_BASE to the end of the largest pool fits between the device registers and the end of
 * the address space.
 *
 *   KERNEL_BASE  image, with redzones around variables    shadow at SHADOW_BASE
 *   POOL_BASE    pool: free pages, free objects, gaps     32 MiB behind it
 *
 * Instrumented code runs after san_start() only, and touches nothing else: all other memory has no
 * shadow, and the look at it is a trap, which san_trap() explains. This file is not instrumented.
 */
#include "klog.h"
#include "san.h"
#include "x86/mmu.h"

enum { IMAGE_MAX = 16 << 20, SUPERPAGE = 2 << 20, NX_BIT = 63, TRAP_GP = 13, TRAP_PF = 14 };
#define SHADOW_BASE 0xfffffffff1000000UL
#define OFFSET (SHADOW_BASE - (KERNEL_BASE >> 3))

struct global {
    uintptr_t start;
    size_t size, size_with_redzone;
    const char *name, *file;
    uintptr_t dynamic, place, odr;
};

static uint64_t pool_size; /* 0: there is no shadow yet */

extern char stack_bottom[], stack_top[];
extern void (*init_start[])(void), (*init_end[])(void);

static inline uint8_t *shadow_of(uintptr_t a)
{
    return (uint8_t *)((a >> 3) + OFFSET);
}

static const char *why(uint8_t s)
{
    static const struct {
        uint8_t value;
        const char *text;
    } reasons[] = {
        {SAN_FREE_PAGE, "a free page"},       {SAN_FREE_OBJECT, "a free object"},
        {SAN_REDZONE, "behind an object"},    {0xf9, "beside a variable"},
        {0xf1, "below a variable of the stack"}, {0xf2, "between variables of the stack"},
        {0xf3, "above a variable of the stack"}, {0xf8, "a variable out of its scope"},
    };

    for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].value == s)
            return reasons[i].text;
    return s < 8 ? "behind a variable" : "memory that is nobody's";
}

static void __attribute__((noreturn)) report(uintptr_t a, size_t n, const char *verb,
                                             const char *what)
{
    pool_size = 0; /* what panic does is not looked at */
    panic("kasan: %s of %lu bytes at 0x%lx: %s", verb, n, a, what);
}

static inline bool known(uintptr_t a)
{
    return a - KERNEL_BASE < IMAGE_MAX || a - POOL_BASE < pool_size;
}

static void check(uintptr_t a, size_t n, const char *verb)
{
    uintptr_t last = a + n - 1;

    if (!pool_size || !n)
        return;
    if (!known(a) || !known(last) || last < a)
        report(a, n, verb, "not the kernel's memory");
    for (uintptr_t g = a & ~7UL; g <= last; g += 8) {
        uint8_t s = *shadow_of(g), end = g == (last & ~7UL) ? last & 7 : 7;

        if (s && (s >= 8 || s <= end))
            report(a, n, verb, why(s));
    }
}

void san_trap(uint64_t vector, uintptr_t address)
{
    if (pool_size && (vector == TRAP_GP || (vector == TRAP_PF && address >= SHADOW_BASE)))
        report(0, 0, "read or write", "not the kernel's memory");
}

/* The compiler has seen that n bytes at a may not all be touched. */
static void __attribute__((noreturn)) seen(uintptr_t a, size_t n, const char *verb)
{
    check(a, n, verb);
    report(a, n, verb, "the shadow has changed since");
}

#define REPORT(name, arguments, n, verb)                                                           \
    void __asan_report_##name arguments __attribute__((noreturn));                                 \
    void __asan_report_##name arguments                                                            \
    {                                                                                              \
        seen(a, n, verb);                                                                          \
    }
#define REPORTS(suffix, arguments, n)                                                              \
    REPORT(load##suffix, arguments, n, "read")                                                     \
    REPORT(store##suffix, arguments, n, "write")
REPORTS(1, (uintptr_t a), 1)
REPORTS(2, (uintptr_t a), 2)
REPORTS(4, (uintptr_t a), 4)
REPORTS(8, (uintptr_t a), 8)
REPORTS(16, (uintptr_t a), 16)
REPORTS(_n, (uintptr_t a, size_t n), n)

void __asan_loadN(uintptr_t a, size_t n);
void __asan_storeN(uintptr_t a, size_t n);
void __asan_handle_no_return(void);
void __asan_register_globals(struct global *g, size_t n);
void __asan_unregister_globals(struct global *g, size_t n);

void __asan_loadN(uintptr_t a, size_t n)
{
    check(a, n, "read");
}

void __asan_storeN(uintptr_t a, size_t n)
{
    check(a, n, "write");
}

/* ---- memory functions: the linker's --wrap ---- */

void *__real_memcpy(void *dst, const void *src, size_t n);
void *__real_memmove(void *dst, const void *src, size_t n);
void *__real_memset(void *dst, int c, size_t n);
void *__wrap_memcpy(void *dst, const void *src, size_t n);
void *__wrap_memmove(void *dst, const void *src, size_t n);
void *__wrap_memset(void *dst, int c, size_t n);

void *__wrap_memcpy(void *dst, const void *src, size_t n)
{
    __asan_loadN((uintptr_t)src, n);
    __asan_storeN((uintptr_t)dst, n);
    return __real_memcpy(dst, src, n);
}

void *__wrap_memmove(void *dst, const void *src, size_t n)
{
    __asan_loadN((uintptr_t)src, n);
    __asan_storeN((uintptr_t)dst, n);
    return __real_memmove(dst, src, n);
}

void *__wrap_memset(void *dst, int c, size_t n)
{
    __asan_storeN((uintptr_t)dst, n);
    return __real_memset(dst, c, n);
}

/* ---- the shadow ---- */

void san_set(const void *start, size_t bytes, enum san_why why)
{
    uintptr_t a = (uintptr_t)start;

    if (!pool_size)
        return;
    __real_memset(shadow_of(a), (int)why, bytes >> 3);
    if (bytes & 7) /* only the first so many of the last eight */
        *shadow_of(a + bytes) = why == SAN_FINE ? bytes & 7 : (uint8_t)why;
}

/* The compiler's own way for larger variables of the stack: shadow address and bytes. */
#define SET_SHADOW(value)                                                                          \
    void __asan_set_shadow_##value(void *shadow, size_t bytes);                                    \
    void __asan_set_shadow_##value(void *shadow, size_t bytes)                                     \
    {                                                                                              \
        __real_memset(shadow, 0x##value, bytes);                                                   \
    }
SET_SHADOW(00)
SET_SHADOW(f1)
SET_SHADOW(f2)
SET_SHADOW(f3)
SET_SHADOW(f5)
SET_SHADOW(f8)

/* Frames that are left without return leave no redzones behind. */
void __asan_handle_no_return(void)
{
    san_set(stack_bottom, (size_t)(stack_top - stack_bottom), SAN_FINE);
}

void __asan_register_globals(struct global *g, size_t n)
{
    for (; n--; g++) {
        san_set((void *)g->start, g->size_with_redzone, 0xf9);
        san_set((void *)g->start, g->size, SAN_FINE);
    }
}

void __asan_unregister_globals(struct global *g, size_t n)
{
    (void)g;
    (void)n;
}

uint64_t san_shadow_bytes(uint64_t pool_bytes)
{
    return SUPERPAGE + ((pool_bytes / 8 + SUPERPAGE - 1) & ~(SUPERPAGE - 1UL));
}

/* The directory of the last GiB, where the shadow's superpages go; tables lie in the image. */
static uint64_t *last_directory(void)
{
    uint64_t phys;

    __asm__ volatile("mov %%cr3, %0" : "=r"(phys));
    for (unsigned level = 0; level < 2; level++)
        phys = ((uint64_t *)(KERNEL_BASE + phys))[511] & ~0xfffUL;
    return (uint64_t *)(KERNEL_BASE + phys);
}

void san_start(uint64_t phys, uint64_t pool_bytes)
{
    uint64_t bytes = san_shadow_bytes(pool_bytes), va = SHADOW_BASE;

    for (uint64_t off = 0; off < bytes; off += SUPERPAGE) {
        /* present, writable, accessed, dirty, a superpage, global, never executed */
        pte_store(&last_directory()[va >> 21 & 511], (phys + off) | 0x1e3 | 1UL << NX_BIT);
        va = off ? va + SUPERPAGE : (uint64_t)shadow_of(POOL_BASE);
    }
    __real_memset((void *)SHADOW_BASE, 0, SUPERPAGE);
    __real_memset(shadow_of(POOL_BASE), 0, bytes - SUPERPAGE);
    pool_size = pool_bytes;
    for (void (**f)(void) = init_start; f < init_end; f++)
        (*f)();
}
