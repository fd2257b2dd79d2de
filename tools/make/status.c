/*
 * status.c - the function $(end-with N) for GNU make: end make with exit status N
 *
 * By itself make turns every failure of a recipe into status 2. `make run` promises the guest's own
 * status, so build.mk loads this object (the directive `load`) and calls the function in a recipe
 * that runs after the guest. N = 0, or no number: nothing happens, and make goes on.
 */
#include <gnumake.h>
#include <stdlib.h>

int plugin_is_GPL_compatible; /* make asks for this name; the BSD licence is compatible */
int status_gmk_setup(void);

static char *end_with(const char *name, unsigned count, char **args)
{
    int status = atoi(args[0]);

    (void)name;
    (void)count;
    if (status)
        exit(status & 0xff);
    return NULL;
}

int status_gmk_setup(void)
{
    gmk_add_function("end-with", end_with, 1, 1, GMK_FUNC_DEFAULT);
    return 1;
}
