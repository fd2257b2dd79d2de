/*
 * snprintf.c - printing into memory
 */
#include <stdio.h>
#include <string.h>

#include "vprintf.h"

struct memory_sink {
    struct print_sink sink; /* first: the engine hands this pointer back */
    char *at;
    size_t room; /* without the terminating zero */
};

static void memory_put(struct print_sink *sink, const char *text, size_t len)
{
    struct memory_sink *m = (struct memory_sink *)sink;

    if (len > m->room)
        len = m->room;
    memcpy(m->at, text, len);
    m->at += len;
    m->room -= len;
}

int vsnprintf(char *restrict buf, size_t size, const char *restrict format, va_list args)
{
    struct memory_sink m = {{memory_put, 0}, buf, size > 0 ? size - 1 : 0};

    print_format(&m.sink, format, args);
    if (size > 0)
        *m.at = 0;
    return (int)m.sink.total;
}

int snprintf(char *restrict buf, size_t size, const char *restrict format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(buf, size, format, args);
    va_end(args);
    return n;
}

int sprintf(char *restrict buf, const char *restrict format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(buf, __INT_MAX__, format, args);
    va_end(args);
    return n;
}
