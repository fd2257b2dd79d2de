/*
 * exit.c - start and end of a program on the small C library
 */
#include <stdlib.h>

#include <l4/sys/kdebug.h>

#include "program.h"

enum { ATEXIT_MAX = 32, ABORT_STATUS = 134 };

int main(int argc, char **argv);

/* Only there if the program prints. */
void l4_stdio_flush(void) __attribute__((weak));

static void (*handlers[ATEXIT_MAX])(void);
static unsigned handler_count;

typedef void (*init_fn)(void);
extern init_fn __init_array_start[], __init_array_end[];

void l4_program_start(int argc, char **argv)
{
    for (init_fn *f = __init_array_start; f < __init_array_end; f++)
        (*f)();
    exit(main(argc, argv));
}

int atexit(void (*f)(void))
{
    if (handler_count == ATEXIT_MAX)
        return -1;
    handlers[handler_count++] = f;
    return 0;
}

void _Exit(int status)
{
    l4_program_end(status);
}

void exit(int status)
{
    while (handler_count > 0)
        handlers[--handler_count]();
    if (l4_stdio_flush)
        l4_stdio_flush();
    _Exit(status);
}

void abort(void)
{
    if (l4_stdio_flush)
        l4_stdio_flush();
    outstring("abort\n");
    _Exit(ABORT_STATUS);
}
