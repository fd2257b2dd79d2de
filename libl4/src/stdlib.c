/*
 * stdlib.c - numbers from text
 */
#include <ctype.h>
#include <stdlib.h>

#define MAGNITUDE_MAX (~0ULL)
#define SIGNED_MAX (~0ULL >> 1)

/* The digits of a number. Returns its magnitude, cut to MAGNITUDE_MAX. */
static unsigned long long number_read(const char *s, const char **end, int base, int *negative)
{
    const char *start = s;
    unsigned long long v = 0;
    int any = 0, too_big = 0;

    while (isspace((unsigned char)*s))
        s++;
    *negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    if ((base == 0 || base == 16) && s[0] == '0' && (s[1] | 32) == 'x' &&
        isxdigit((unsigned char)s[2])) {
        s += 2;
        base = 16;
    } else if (base == 0) {
        base = *s == '0' ? 8 : 10;
    }
    for (;; s++, any = 1) {
        int c = (unsigned char)*s;
        int digit = isdigit(c) ? c - '0' : isalpha(c) ? (c | 32) - 'a' + 10 : __INT_MAX__;

        if (digit >= base)
            break;
        if (__builtin_mul_overflow(v, (unsigned)base, &v) ||
            __builtin_add_overflow(v, (unsigned)digit, &v))
            too_big = 1;
    }
    *end = any ? s : start;
    return too_big ? MAGNITUDE_MAX : v;
}

unsigned long long strtoull(const char *restrict s, char **restrict end, int base)
{
    const char *e;
    int negative;
    unsigned long long v = number_read(s, &e, base, &negative);

    if (end)
        *end = (char *)e;
    return negative && v != MAGNITUDE_MAX ? -v : v;
}

long long strtoll(const char *restrict s, char **restrict end, int base)
{
    const char *e;
    int negative;
    unsigned long long v = number_read(s, &e, base, &negative);

    if (end)
        *end = (char *)e;
    if (negative)
        return v > SIGNED_MAX ? -(long long)SIGNED_MAX - 1 : -(long long)v;
    return v > SIGNED_MAX ? (long long)SIGNED_MAX : (long long)v;
}

unsigned long strtoul(const char *restrict s, char **restrict end, int base)
{
    return strtoull(s, end, base);
}

long strtol(const char *restrict s, char **restrict end, int base)
{
    return strtoll(s, end, base);
}

int atoi(const char *s)
{
    return (int)strtol(s, NULL, 10);
}
