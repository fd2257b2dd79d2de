/*
 * kassert.h - assertions in two prices
 *
 * kassert(expr): cheap, in every build but release (QUIRE_RELEASE). kcheck(expr): walks whole
 * structures, only with QUIRE_CHECKS (tests). An expression that is not evaluated is still
 * compiled, so it cannot rot.
 */
#pragma once

/* Saves registers of its own, so that its callers' usual way saves none. */
#define NOINLINE __attribute__((noinline))
/* Runs seldom: compiled for size, even beside what runs often. */
#define SELDOM __attribute__((cold, noinline))

/* A kernel bug. The kernel panics with a backtrace (main.c); host tests abort. */
void kassert_fail(const char *expr, const char *file, int line) __attribute__((noreturn, cold));

#define KASSERT_EVALUATE(expr)                                                                    \
    (__builtin_expect(!!(expr), 1) ? (void)0 : kassert_fail(#expr, __FILE__, __LINE__))
#define KASSERT_COMPILE(expr) ((void)sizeof(!!(expr)))

#ifdef QUIRE_RELEASE
#define kassert(expr) KASSERT_COMPILE(expr)
#else
#define kassert(expr) KASSERT_EVALUATE(expr)
#endif

#ifdef QUIRE_CHECKS
#define kcheck(expr) KASSERT_EVALUATE(expr)
#else
#define kcheck(expr) KASSERT_COMPILE(expr)
#endif
