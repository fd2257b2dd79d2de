/*
 * exit.c - the end of a program
 */
#include <stdlib.h>

#include <l4/re/c/parent.h>
#include <l4/re/env.h>
#include <l4/sys/debugger.h>
#include <l4/sys/kdebug.h>
#include <l4/util/util.h>

enum { ATEXIT_MAX = 32, ABORT_STATUS = 134, SHUTDOWN_STATUS_MAX = 100 };

/* Only there if the program prints. */
void l4_stdio_flush(void) __attribute__((weak));

static void (*handlers[ATEXIT_MAX])(void);
static unsigned handler_count;

int atexit(void (*f)(void))
{
    if (handler_count == ATEXIT_MAX)
        return -1;
    handlers[handler_count++] = f;
    return 0;
}

/* The machine's exit status has a smaller range; a failure stays a failure. */
static unsigned shutdown_status(int status)
{
    return status < 0 || status > SHUTDOWN_STATUS_MAX ? SHUTDOWN_STATUS_MAX : (unsigned)status;
}

void _Exit(int status)
{
    if (l4_is_valid_cap(l4re_env()->parent))
        l4re_parent_signal(l4re_env()->parent, L4RE_SIG_EXIT, (unsigned long)status);
    else
        l4_dbg_shutdown(L4_BASE_DEBUGGER_CAP, shutdown_status(status));
    /* Nobody stopped us: then nobody waits for us either. */
    l4_sleep_forever();
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
