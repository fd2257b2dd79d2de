/*
 * l4/re/c/namespace.h - objects by name
 */
#pragma once

#include <l4/re/env.h>
#include <l4/sys/compiler.h>
#include <l4/sys/types.h>

typedef l4_cap_idx_t l4re_namespace_t;

enum { L4RE_NS_NAME_MAX = 61 * 8 };

/*
 * Ask `srv` for the object called name[0..len); the capability lands in slot `dest`. 0,
 * -L4_ENOENT, -L4_ENAMETOOLONG, or the IPC error.
 */
L4_CV long l4re_ns_query(l4re_namespace_t srv, char const *name, unsigned long len,
                         l4_cap_idx_t dest);

/* timeout_ms: how long to ask again while the name is not there. */
L4_CV long l4re_ns_query_to_srv(l4re_namespace_t srv, char const *name, l4_cap_idx_t const cap,
                                int timeout_ms);

L4_INLINE long l4re_ns_query_srv(l4re_namespace_t srv, char const *name, l4_cap_idx_t const cap)
{
    return l4re_ns_query(srv, name, __builtin_strlen(name), cap);
}
