/*
 * stdio.c - stdout and stderr on the log
 *
 * F1  stdout reaches the log at the end of a line, when its buffer is full, and at exit; stderr at
 *     the end of each call, after what stdout holds.
 * F2  One lock for both, so that the lines of several threads do not mix.
 */
#include <stdio.h>
#include <string.h>

#include <l4/re/c/log.h>

#include "lock.h"
#include "vprintf.h"

struct FILE {
    size_t used;
    int by_line;
    char buf[BUFSIZ];
};

static struct FILE out = {.by_line = 1}, err;
FILE *const stdout = &out;
FILE *const stderr = &err;

static struct lock lock;

void l4_stdio_flush(void);

static void drain(FILE *f)
{
    if (f != &out && out.used > 0)
        drain(&out);
    l4re_log_printn(f->buf, (int)f->used);
    f->used = 0;
}

/* Up to and with its last newline a text leaves at once, the rest waits for its own. */
static void put_text(FILE *f, const char *text, size_t len)
{
    int newline = 0;

    while (len > 0) {
        size_t n = sizeof(f->buf) - f->used;

        if (n > len)
            n = len;
        memcpy(f->buf + f->used, text, n);
        newline = newline || memchr(text, '\n', n) != NULL;
        f->used += n;
        text += n;
        len -= n;
        if (f->used == sizeof(f->buf))
            drain(f);
    }
    if (newline && f->by_line)
        drain(f);
}

struct file_sink {
    struct print_sink sink;
    FILE *file;
};

static void file_put(struct print_sink *sink, const char *text, size_t len)
{
    put_text(((struct file_sink *)sink)->file, text, len);
}

static void finish(FILE *f)
{
    if (!f->by_line && f->used > 0)
        drain(f);
    lock_drop(&lock);
}

int vfprintf(FILE *restrict f, const char *restrict format, va_list args)
{
    struct file_sink s = {{file_put, 0}, f};

    lock_take(&lock);
    print_format(&s.sink, format, args);
    finish(f);
    return (int)s.sink.total;
}

size_t fwrite(const void *restrict data, size_t size, size_t n, FILE *restrict f)
{
    lock_take(&lock);
    put_text(f, data, size * n);
    finish(f);
    return n;
}

int fflush(FILE *f)
{
    lock_take(&lock);
    if (!f || f->used > 0)
        drain(f ? f : &out);
    lock_drop(&lock);
    return 0;
}

/* At the end of the program; the lock may be held by a thread that will never run again. */
void l4_stdio_flush(void)
{
    if (out.used > 0)
        drain(&out);
}

int vprintf(const char *restrict format, va_list args)
{
    return vfprintf(stdout, format, args);
}

int printf(const char *restrict format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vfprintf(stdout, format, args);
    va_end(args);
    return n;
}

int fprintf(FILE *restrict f, const char *restrict format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vfprintf(f, format, args);
    va_end(args);
    return n;
}

int fputs(const char *restrict s, FILE *restrict f)
{
    fwrite(s, 1, strlen(s), f);
    return 0;
}

int fputc(int c, FILE *f)
{
    char text = (char)c;

    fwrite(&text, 1, 1, f);
    return (unsigned char)c;
}

int putc(int c, FILE *f)
{
    return fputc(c, f);
}

int putchar(int c)
{
    return fputc(c, stdout);
}

int puts(const char *s)
{
    lock_take(&lock);
    put_text(stdout, s, strlen(s));
    put_text(stdout, "\n", 1);
    finish(stdout);
    return 0;
}
