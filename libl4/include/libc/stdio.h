/*
 * stdio.h - text to the log: stdout in lines, stderr at once. There are no files.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#define EOF (-1)
#define BUFSIZ 1024

typedef struct FILE FILE;
extern FILE *const stdout;
extern FILE *const stderr;

/*
 * Conversions: d i u o x X c s p f (e, g: as f) %, flags - + space # 0, width and precision
 * (also *), lengths hh h l ll z t j.
 */
int printf(const char *restrict format, ...) __attribute__((format(printf, 1, 2)));
int fprintf(FILE *restrict f, const char *restrict format, ...)
    __attribute__((format(printf, 2, 3)));
int vprintf(const char *restrict format, va_list args);
int vfprintf(FILE *restrict f, const char *restrict format, va_list args);
int snprintf(char *restrict buf, size_t size, const char *restrict format, ...)
    __attribute__((format(printf, 3, 4)));
int sprintf(char *restrict buf, const char *restrict format, ...)
    __attribute__((format(printf, 2, 3)));
int vsnprintf(char *restrict buf, size_t size, const char *restrict format, va_list args);

int puts(const char *s);
int putchar(int c);
int putc(int c, FILE *f);
int fputc(int c, FILE *f);
int fputs(const char *restrict s, FILE *restrict f);
size_t fwrite(const void *restrict data, size_t size, size_t n, FILE *restrict f);
int fflush(FILE *f);
