/*
 * roottask/env.h - writing environment pages
 */
#pragma once

#include "root.h"

#include <abi/env.h>

/* An empty page for this task: fixed capabilities, names of caps=, arguments. */
void env_start(quire_env_page *e, const struct task *t);
/* Where the capability called caps[i] goes; its slot is entered with its name. */
l4_cap_idx_t env_named_cap(quire_env_page *e, const struct script_cap *cap);
/* The next free slot of the task. */
l4_cap_idx_t env_free_cap(quire_env_page *e);
/* One more region of the program. -L4_ENOSPC: more than QUIRE_ENV_REGIONS_MAX. */
long env_region(quire_env_page *e, const char *name, l4_addr_t start, l4_umword_t size,
                l4_umword_t flags, l4_cap_idx_t ds, l4_umword_t offset);
