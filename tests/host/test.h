/*
 * test.h - host tests: a test is a sentence, the output is TAP
 *
 *   TEST(an_empty_pool_gives_nothing) { ... CHECK(x == 0); }
 *   TEST_MAIN(leak_check, TESTS) with
 *   #define TESTS(X) X(an_empty_pool_gives_nothing) ...
 *
 * A CHECK that fails ends the program with the line; under the sanitizers so does everything
 * else. After each test leak_check() looks whether what was taken has been given back. The first
 * argument of the program selects tests whose name contains it.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long test_number;
static const char *test_name;

#define CHECK(expr)                                                                               \
    do {                                                                                          \
        if (!(expr)) {                                                                            \
            printf("not ok %lu - %s\n# %s:%d: %s\n", test_number, test_name, __FILE__, __LINE__,  \
                   #expr);                                                                        \
            fflush(stdout);                                                                       \
            abort();                                                                              \
        }                                                                                         \
    } while (0)

#define TEST(name) static void name(void)

#define TEST_RUN(name)                                                                            \
    if (argc < 2 || strstr(#name, argv[1])) {                                                     \
        test_number++;                                                                            \
        test_name = #name;                                                                        \
        name();                                                                                   \
        test_leaks();                                                                             \
        printf("ok %lu - %s\n", test_number, #name);                                              \
        fflush(stdout);                                                                           \
    }

#define TEST_MAIN(leak_check, TESTS)                                                              \
    static void test_leaks(void)                                                                  \
    {                                                                                             \
        leak_check();                                                                             \
    }                                                                                             \
    int main(int argc, char **argv)                                                               \
    {                                                                                             \
        (void)argv;                                                                               \
        TESTS(TEST_RUN)                                                                           \
        printf("1..%lu\n", test_number);                                                          \
        return test_number == 0;                                                                  \
    }

/* The same numbers on every host: an odd multiplier and the upper bits. */
static uint64_t test_seed = 1;

__attribute__((unused)) static uint64_t random_bits(void)
{
    test_seed = test_seed * 6364136223846793005UL + 1442695040888963407UL;
    return test_seed >> 20;
}

/* [0, n) */
__attribute__((unused)) static uint64_t random_below(uint64_t n)
{
    return random_bits() % n;
}
