/*
 * l4/sys/compiler.h - words for the compiler, under L4Re's names
 */
#pragma once

#define L4_INLINE static inline
#define L4_ALWAYS_INLINE static inline __attribute__((always_inline))
#define L4_CV
#define L4_EXPORT __attribute__((visibility("default")))
#define L4_HIDDEN __attribute__((visibility("hidden")))
#define L4_NOTHROW
#define L4_NOTHROW__A __attribute__((nothrow))
#define L4_NORETURN __attribute__((noreturn))
#define L4_PURE __attribute__((pure))
#define L4_CONSTEXPR
#define L4_NOINSTRUMENT __attribute__((no_instrument_function))
#define L4_LIKELY(x) __builtin_expect(!!(x), 1)
#define L4_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define L4_STICKY(x) __attribute__((used)) x
#define L4_DEPRECATED(text) __attribute__((deprecated(text)))
#define L4_DEFAULT_PARAM(x)
#define L4_stringify_helper(x) #x
#define L4_stringify(x) L4_stringify_helper(x)

/* Quire has no C++: these only let a header written for both compile. */
#define L4_BEGIN_DECLS
#define L4_END_DECLS
#define EXTERN_C_BEGIN
#define EXTERN_C_END
#define EXTERN_C
#ifndef __BEGIN_DECLS
#define __BEGIN_DECLS
#define __END_DECLS
#endif

#ifndef static_assert
#define static_assert _Static_assert
#endif

/* Stack alignment that a function finds at its first instruction, less the return address. */
#define L4_STACK_ALIGN 16

/*
 * The stack pointer to start a thread's C function with: `stack` is the end of its stack. A
 * function expects rsp + 8 to be a multiple of 16, as after a call.
 */
L4_INLINE unsigned long l4_align_stack_for_direct_fncall(unsigned long stack)
{
    unsigned long over = stack & (L4_STACK_ALIGN - 1);

    return over == sizeof(long) ? stack : stack - over - sizeof(long);
}

/* The compiler moves no memory access across these. */
L4_INLINE void l4_barrier(void)
{
    __asm__ __volatile__("" : : : "memory");
}

L4_INLINE void l4_mb(void)
{
    __asm__ __volatile__("mfence" : : : "memory");
}

L4_INLINE void l4_wmb(void)
{
    __asm__ __volatile__("" : : : "memory");
}

L4_INLINE L4_NORETURN void l4_infinite_loop(void)
{
    for (;;)
        __asm__ __volatile__("pause" : : : "memory");
}
