/*
 * assert.h - a failed assertion prints where and ends the program with status 134
 */
#include <l4/sys/compiler.h>

#undef assert
#ifdef NDEBUG
#define assert(x) ((void)sizeof(!(x)))
#else
#define assert(x) (L4_LIKELY(x) ? (void)0 : __assert_fail(#x, __FILE__, __LINE__, __func__))
#endif

void __assert_fail(const char *expr, const char *file, int line, const char *func)
    __attribute__((noreturn));
