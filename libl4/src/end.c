/*
 * end.c - the last step of a program
 */
#include "program.h"

#include <l4/re/c/parent.h>
#include <l4/re/env.h>
#include <l4/sys/debugger.h>
#include <l4/util/util.h>

enum { SHUTDOWN_STATUS_MAX = 100 };

/* The machine's exit status has a smaller range; a failure stays a failure. */
static unsigned shutdown_status(int status)
{
    return status < 0 || status > SHUTDOWN_STATUS_MAX ? SHUTDOWN_STATUS_MAX : (unsigned)status;
}

void l4_program_end(int status)
{
    if (l4_is_valid_cap(l4re_env()->parent))
        l4re_parent_signal(l4re_env()->parent, L4RE_SIG_EXIT, (unsigned long)status);
    else
        l4_dbg_shutdown(L4_BASE_DEBUGGER_CAP, shutdown_status(status));
    /* Nobody stopped us: then nobody waits for us either. */
    l4_sleep_forever();
}
