/*
 * l4/re/c/starter.h - programs of the boot script that wait to be started (docs/roottask.md)
 *
 * `starter` is the capability of that name (caps=starter). Quire's own.
 */
#pragma once

#include <l4/sys/compiler.h>
#include <l4/sys/types.h>

/*
 * Load and start the program `name`. 0; -L4_ENOENT: the script has no such program with the word
 * `later`; -L4_EBUSY: it runs; -L4_ENOMEM: it cannot be loaded, the reason is on the log.
 */
L4_CV long l4re_starter_start(l4_cap_idx_t starter, const char *name);

/* enum l4re_starter_states, or an error; *status is the exit status once it has ended. */
L4_CV long l4re_starter_state(l4_cap_idx_t starter, const char *name, int *status);

/* Start it and wait until everything it had is given back. Its exit status, or an error. */
L4_CV long l4re_starter_run(l4_cap_idx_t starter, const char *name);
