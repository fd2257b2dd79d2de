/*
 * l4/re/env.h - what this task was given: initial capabilities, and others by name
 */
#pragma once

#include <abi/env.h>

#include <l4/re/consts.h>
#include <l4/sys/compiler.h>
#include <l4/sys/consts.h>
#include <l4/sys/kip.h>
#include <l4/sys/types.h>

/* Set by the start-up code, before main() and constructors. */
extern l4re_env_t *l4re_global_env;

L4_INLINE l4re_env_t *l4re_env(void)
{
    return l4re_global_env;
}

L4_INLINE l4_kernel_info_t const *l4re_kip(void)
{
    return l4_kip();
}

/* The entry whose name is the `l` characters at `name`, or NULL. */
L4_INLINE l4re_env_cap_entry_t const *l4re_env_get_cap_l(char const *name, unsigned l,
                                                         l4re_env_t const *e)
{
    l4re_env_cap_entry_t const *c;

    for (c = e->caps; c && c->flags != ~0UL; c++) {
        unsigned i = 0;

        while (i < sizeof(c->name) && i < l && name[i] && c->name[i] == name[i])
            i++;
        if (i == l && (i == sizeof(c->name) || c->name[i] == 0))
            return c;
    }
    return NULL;
}

L4_INLINE l4_cap_idx_t l4re_env_get_cap_e(char const *name, l4re_env_t const *e)
{
    l4re_env_cap_entry_t const *c = l4re_env_get_cap_l(name, __builtin_strlen(name), e);

    return c ? c->cap : L4_INVALID_CAP;
}

/* The capability of that name, or L4_INVALID_CAP. */
L4_INLINE l4_cap_idx_t l4re_env_get_cap(char const *name)
{
    return l4re_env_get_cap_e(name, l4re_env());
}
