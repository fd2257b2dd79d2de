/*
 * test_libc.c - strings, numbers and formatting against the host's C library
 *
 * The sources are included unchanged, their public names get a prefix so that both can be called.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

#define memcpy q_memcpy
#define memmove q_memmove
#define memset q_memset
#define memcmp q_memcmp
#define memchr q_memchr
#define strlen q_strlen
#define strnlen q_strnlen
#define strcmp q_strcmp
#define strncmp q_strncmp
#define strcpy q_strcpy
#define strchr q_strchr
#define strrchr q_strrchr
#define strstr q_strstr
#define strtol q_strtol
#define strtoul q_strtoul
#define strtoll q_strtoll
#define strtoull q_strtoull
#define atoi q_atoi
#define vsnprintf q_vsnprintf
#define snprintf q_snprintf
#define sprintf q_sprintf
#include "../../libl4/src/string.c"
#include "../../libl4/src/stdlib.c"
#include "../../libl4/src/vprintf.c"
#include "../../libl4/src/snprintf.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strcpy
#undef strchr
#undef strrchr
#undef strstr
#undef strtol
#undef strtoul
#undef strtoll
#undef strtoull
#undef atoi
#undef vsnprintf
#undef snprintf
#undef sprintf

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

TEST(copies_of_every_length_and_overlap_are_right)
{
    unsigned char a[96], b[96];
    size_t n, from, to;
    unsigned i;

    for (n = 0; n < 40; n++) {
        for (from = 0; from < 24; from += 3) {
            for (to = 0; to < 48; to++) {
                for (i = 0; i < sizeof(a); i++)
                    a[i] = b[i] = (unsigned char)i;
                CHECK(q_memmove(a + to, a + from, n) == a + to);
                memmove(b + to, b + from, n);
                CHECK(memcmp(a, b, sizeof(a)) == 0);
                if (to >= from + n || from >= to + n)
                    CHECK(q_memcpy(a + to, b + from, n) == a + to &&
                          memcmp(a + to, b + from, n) == 0);
                CHECK(q_memset(a + to, 0xa5, n) == a + to);
                for (i = 0; i < n; i++)
                    CHECK(a[to + i] == 0xa5);
                CHECK(to + n >= sizeof(a) || a[to + n] != 0xa5);
            }
        }
    }
}

TEST(comparisons_agree_with_the_hosts)
{
    char a[32], b[32];
    int round;

    for (round = 0; round < 20000; round++) {
        size_t n = random_bits() % 24, i;

        for (i = 0; i < n; i++)
            a[i] = b[i] = (char)('a' + random_bits() % 3);
        if (n > 0 && round % 3)
            b[random_bits() % n] = (char)random_bits();
        a[n] = b[n] = 0;
        CHECK(sign(q_memcmp(a, b, n)) == sign(memcmp(a, b, n)));
        CHECK(sign(q_strcmp(a, b)) == sign(strcmp(a, b)));
        CHECK(sign(q_strncmp(a, b, n / 2)) == sign(strncmp(a, b, n / 2)));
        CHECK(q_strlen(b) == strlen(b));
        CHECK(q_strchr(a, 'b') == strchr(a, 'b'));
        CHECK(q_strrchr(a, 'b') == strrchr(a, 'b'));
        CHECK(q_strstr(a, "ab") == strstr(a, "ab"));
        CHECK(q_memchr(a, 'c', n) == memchr(a, 'c', n));
    }
}

TEST(numbers_are_read_like_the_hosts)
{
    static const char *const texts[] = {
        "0",    "12",   "-7",  "+5",   "  42x", "0x1f",  "0X",    "0xg",
        "077",  "08",   "",    "-",    "abc",   "zz",    "9223372036854775807",
        "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
        "18446744073709551615", "18446744073709551616", "99999999999999999999999",
    };
    static const int bases[] = {0, 2, 8, 10, 16, 36};
    unsigned i, k;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (k = 0; k < sizeof(bases) / sizeof(bases[0]); k++) {
            char *e, *f;

            CHECK(q_strtol(texts[i], &e, bases[k]) == strtol(texts[i], &f, bases[k]));
            CHECK(e == f);
            CHECK(q_strtoul(texts[i], &e, bases[k]) == strtoul(texts[i], &f, bases[k]));
            CHECK(e == f);
        }
    }
}

/* Both libraries print the same text and return the same length, cut or not. */
#define SAME(...)                                                                                 \
    do {                                                                                          \
        char x[200], y[200];                                                                      \
        size_t room;                                                                              \
        for (room = 0; room < 200; room = room * 3 + 1) {                                         \
            x[0] = y[0] = 0;                                                                      \
            int m = q_snprintf(x, room, __VA_ARGS__), n = snprintf(y, room, __VA_ARGS__);         \
            CHECK(m == n);                                                                        \
            CHECK(strcmp(x, y) == 0);                                                             \
        }                                                                                         \
    } while (0)

#pragma clang diagnostic ignored "-Wformat"

TEST(integers_print_like_the_hosts)
{
    static const long values[] = {
        0, 1, -1, 7, -128, 255, __INT_MAX__, -__INT_MAX__ - 1, __LONG_MAX__, -__LONG_MAX__ - 1,
        1L << 32, 123456789,
    };
    unsigned i;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        long v = values[i];

        SAME("%d|%5d|%-5d|%05d|%+d|% d", (int)v, (int)v, (int)v, (int)v, (int)v, (int)v);
        SAME("%ld|%30ld|%-30ld|%030ld|%lu", v, v, v, v, v);
        SAME("%x|%#x|%X|%#X|%08x|%#010x", (int)v, (int)v, (int)v, (int)v, (int)v, (int)v);
        SAME("%lx|%#lx|%016lx|%#lo|%o", v, v, v, v, (int)v);
        SAME("%hhd|%hhu|%hd|%hu|%hx", (int)v, (int)v, (int)v, (int)v, (int)v);
        SAME("%.0d|%.5d|%8.3d|%-8.3d|%+.2d", (int)v, (int)v, (int)v, (int)v, (int)v);
        SAME("%*d|%-*d|%.*d", 6, (int)v, 6, (int)v, 4, (int)v);
        SAME("%*d|%zd|%zu|%lld|%jd|%td", -6, (int)v, v, v, v, v, v);
    }
}

TEST(texts_print_like_the_hosts)
{
    SAME("plain");
    SAME("");
    SAME("%%|%c|%3c|%-3c|", 'x', 'y', 'z');
    SAME("%s|%10s|%-10s|%.2s|%10.3s|%.*s", "abc", "abc", "abc", "abc", "abcdef", 2, "xyz");
    SAME("%p|%20p|%-20p|", (void *)0x1234, (void *)0xabcdef, (void *)16);
    SAME("%s %s %d", "several", "conversions", 3);
}

TEST(fractions_print_like_the_hosts)
{
    static const double values[] = {
        0, 1, -1, 0.5, 3.14159265, 99.996, 1e6, 123456.789, 1e15, -0.25,
    };
    unsigned i;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        SAME("%f|%.2f|%.0f|%10.3f|%-10.1f|%010.2f|%+.1f", values[i], values[i],
             values[i] + 0.1, values[i], values[i] + 0.01, values[i], values[i] + 0.01);
    SAME("%f|%5.1f|%F", __builtin_inf(), -__builtin_inf(), 1.0);
}

TEST(mistakes_in_a_format_do_no_harm)
{
    char x[32];

    CHECK(q_snprintf(x, sizeof(x), "a%yb%") == 5);
    CHECK(strcmp(x, "a%yb%") == 0);
    CHECK(q_snprintf(x, sizeof(x), "%s", (char *)NULL) == 6);
    CHECK(strcmp(x, "(null)") == 0);
    CHECK(q_snprintf(x, 4, "%99999999999d", 1) > 4);
}

static void no_leaks(void)
{
}

#define TESTS(X)                                                                                  \
    X(copies_of_every_length_and_overlap_are_right)                                               \
    X(comparisons_agree_with_the_hosts)                                                           \
    X(numbers_are_read_like_the_hosts)                                                            \
    X(integers_print_like_the_hosts)                                                              \
    X(texts_print_like_the_hosts)                                                                 \
    X(fractions_print_like_the_hosts)                                                             \
    X(mistakes_in_a_format_do_no_harm)

TEST_MAIN(no_leaks, TESTS)
