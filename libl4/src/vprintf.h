/*
 * vprintf.h - the formatting engine behind printf and snprintf
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/* Gets the output in pieces. */
struct print_sink {
    void (*put)(struct print_sink *sink, const char *text, size_t len);
    size_t total; /* characters so far, put or not */
};

void print_format(struct print_sink *sink, const char *format, va_list args);
