/*
 * vprintf.c - the formatting engine
 *
 * V1  Output goes to the sink in pieces; nothing is allocated and nothing longer than a number
 *     lies on the stack.
 */
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "vprintf.h"

enum { LEFT = 1, PLUS = 2, SPACE = 4, ALT = 8, ZERO = 16, UPPER = 32 };
enum { NUMBER_MAX = 66, FLOAT_PRECISION_MAX = 17 };

struct spec {
    unsigned flags;
    int width;
    int precision; /* -1: none given */
    int size;      /* bytes of the integer argument */
    char conv;
};

static void emit(struct print_sink *sink, const char *text, size_t len)
{
    if (len > 0)
        sink->put(sink, text, len);
    sink->total += len;
}

static void pad(struct print_sink *sink, char c, long n)
{
    char block[16];

    if (n <= 0)
        return;
    memset(block, c, sizeof(block));
    for (; n > (long)sizeof(block); n -= (long)sizeof(block))
        emit(sink, block, sizeof(block));
    emit(sink, block, (size_t)n);
}

/* prefix (sign, 0x), `zeros` zeros, then the body: padded to the width. */
static void field(struct print_sink *sink, const struct spec *s, const char *prefix, long zeros,
                  const char *body, size_t len)
{
    size_t prefix_len = strlen(prefix);
    long space;

    if (zeros < 0)
        zeros = 0;
    space = s->width - (long)prefix_len - zeros - (long)len;
    if (s->flags & ZERO && space > 0 && !(s->flags & LEFT)) {
        zeros += space;
        space = 0;
    }
    if (!(s->flags & LEFT))
        pad(sink, ' ', space);
    emit(sink, prefix, prefix_len);
    pad(sink, '0', zeros);
    emit(sink, body, len);
    if (s->flags & LEFT)
        pad(sink, ' ', space);
}

/* The digits of v, right-aligned before end. */
static char *digits_write(char *end, uint64_t v, unsigned base, int upper)
{
    const char *set = upper ? "0123456789ABCDEF" : "0123456789abcdef";

    for (; v > 0; v /= base)
        *--end = set[v % base];
    return end;
}

static const char *sign_of(const struct spec *s, int negative)
{
    return negative ? "-" : s->flags & PLUS ? "+" : s->flags & SPACE ? " " : "";
}

static void integer(struct print_sink *sink, struct spec *s, uint64_t v, int negative)
{
    unsigned base = s->conv == 'o' ? 8 : (s->conv | 32) == 'x' || s->conv == 'p' ? 16 : 10;
    char buf[NUMBER_MAX];
    char *end = buf + sizeof(buf);
    char *start = digits_write(end, v, base, s->flags & UPPER);
    long zeros = (s->precision < 0 ? 1 : s->precision) - (end - start);
    const char *prefix = "";

    if (s->precision >= 0)
        s->flags &= ~(unsigned)ZERO;
    if (s->conv == 'd')
        prefix = sign_of(s, negative);
    else if (base == 16 && ((s->flags & ALT && v != 0) || s->conv == 'p'))
        prefix = s->flags & UPPER ? "0X" : "0x";
    else if (base == 8 && s->flags & ALT && zeros <= 0 && v != 0)
        zeros = 1;
    field(sink, s, prefix, zeros, start, (size_t)(end - start));
}

/* Fixed point, rounded half up at the last digit. Beyond 2^64: the digits that are known. */
static void floating(struct print_sink *sink, struct spec *s, double v)
{
    int precision = s->precision < 0 ? 6 : s->precision;
    char buf[2 * NUMBER_MAX];
    char *point = buf + NUMBER_MAX, *start, *end = point;
    int negative = __builtin_signbit(v) != 0;
    uint64_t scale = 1, whole, fraction;
    int i;

    if (precision > FLOAT_PRECISION_MAX)
        precision = FLOAT_PRECISION_MAX;
    v = negative ? -v : v;
    if (v != v || v > 1.8e19) {
        const char *text = v != v ? "nan" : v > 1.7976931348623157e308 ? "inf" : "(huge)";

        s->flags &= ~(unsigned)ZERO;
        field(sink, s, sign_of(s, negative), 0, text, strlen(text));
        return;
    }
    for (i = 0; i < precision; i++)
        scale *= 10;
    whole = (uint64_t)v;
    fraction = (uint64_t)((v - (double)whole) * (double)scale + 0.5);
    if (fraction >= scale) {
        fraction -= scale;
        whole++;
    }
    start = digits_write(point, whole, 10, 0);
    if (start == point)
        *--start = '0';
    if (precision > 0 || s->flags & ALT)
        *end++ = '.';
    for (i = precision; i > 0; i--, fraction /= 10)
        end[i - 1] = (char)('0' + fraction % 10);
    end += precision;
    field(sink, s, sign_of(s, negative), 0, start, (size_t)(end - start));
}

static const char *number_parse(const char *f, int *value, va_list *args)
{
    int v = 0;

    if (*f == '*') {
        *value = va_arg(*args, int);
        return f + 1;
    }
    for (; isdigit((unsigned char)*f); f++)
        v = v < __INT_MAX__ / 10 - 10 ? v * 10 + (*f - '0') : v;
    *value = v;
    return f;
}

static const char *flags_parse(const char *f, struct spec *s)
{
    static const char names[] = "-+ #0";

    for (;; f++) {
        const char *p = *f ? strchr(names, *f) : NULL;

        if (!p)
            return f;
        s->flags |= 1U << (p - names);
    }
}

static const char *length_parse(const char *f, struct spec *s)
{
    s->size = 4;
    switch (*f) {
    case 'h':
        s->size = f[1] == 'h' ? 1 : 2;
        return f + (f[1] == 'h' ? 2 : 1);
    case 'l':
        s->size = 8;
        return f + (f[1] == 'l' ? 2 : 1);
    case 'z':
    case 't':
    case 'j':
        s->size = 8;
        return f + 1;
    default:
        return f;
    }
}

static const char *spec_parse(const char *f, struct spec *s, va_list *args)
{
    s->flags = 0;
    s->precision = -1;
    f = flags_parse(f, s);
    f = number_parse(f, &s->width, args);
    if (s->width < 0) {
        s->flags |= LEFT;
        s->width = s->width > -__INT_MAX__ ? -s->width : 0;
    }
    if (*f == '.') {
        f = number_parse(f + 1, &s->precision, args);
        if (s->precision < 0)
            s->precision = -1;
    }
    f = length_parse(f, s);
    s->conv = *f;
    return *f ? f + 1 : f;
}

static void string(struct print_sink *sink, struct spec *s, const char *text)
{
    size_t len;

    s->flags &= ~(unsigned)ZERO;
    if (!text)
        text = "(null)";
    len = s->precision < 0 ? strlen(text) : strnlen(text, (size_t)s->precision);
    field(sink, s, "", 0, text, len);
}

static void convert(struct print_sink *sink, struct spec *s, va_list *args)
{
    unsigned unused = 64 - 8 * (unsigned)s->size;
    int64_t i;
    char c;

    switch (s->conv) {
    case 'd':
    case 'i':
        s->conv = 'd';
        i = s->size == 8 ? va_arg(*args, int64_t) : va_arg(*args, int);
        i = (int64_t)((uint64_t)i << unused) >> unused;
        integer(sink, s, i < 0 ? -(uint64_t)i : (uint64_t)i, i < 0);
        break;
    case 'X':
        s->flags |= UPPER; /* fall through */
    case 'u':
    case 'x':
    case 'o':
        i = s->size == 8 ? va_arg(*args, int64_t) : va_arg(*args, int);
        integer(sink, s, (uint64_t)i << unused >> unused, 0);
        break;
    case 'p':
        integer(sink, s, (uint64_t)va_arg(*args, void *), 0);
        break;
    case 'c':
        c = (char)va_arg(*args, int);
        s->flags &= ~(unsigned)ZERO;
        field(sink, s, "", 0, &c, 1);
        break;
    case 's':
        string(sink, s, va_arg(*args, const char *));
        break;
    case 'f':
    case 'F':
    case 'e':
    case 'g':
        floating(sink, s, va_arg(*args, double));
        break;
    case '%':
        emit(sink, "%", 1);
        break;
    default: /* a mistake of the programmer's: show it */
        emit(sink, "%", 1);
        emit(sink, &s->conv, s->conv != 0);
    }
}

/* Who prints no floating-point number does not begin to use the FPU by printing. */
__attribute__((target("general-regs-only"))) void
print_format(struct print_sink *sink, const char *format, va_list args)
{
    va_list ap;

    va_copy(ap, args);
    while (*format) {
        const char *start = format;
        struct spec s;

        while (*format && *format != '%')
            format++;
        emit(sink, start, (size_t)(format - start));
        if (*format == 0)
            break;
        format = spec_parse(format + 1, &s, &ap);
        convert(sink, &s, &ap);
    }
    va_end(ap);
}
