/*
 * l4/re/c/managed.h - region maps that are dataspaces (manager `managed`; Quire's own)
 *
 *     l4re_managed_create(l4re_env_get_cap("managed"), size, map);
 *     l4re_managed_dataspace(map, ds);
 *     l4re_rm_attach_srv(map, &start, size, flags, part, offset, align); // start: offset in it
 *     l4re_rm_attach(&here, size, flags, ds, 0, align);                  // like any dataspace
 *
 * `map` is the control gate, for whoever puts the map together; it takes the calls of l4/re/c/rm.h
 * for attach, detach and fault handlers. Deleting it ends the map. `ds` may be passed on.
 */
#pragma once

#include <abi/protocols.h>
#include <l4/re/c/dataspace.h>

/* A map of `size` bytes with nothing in it. -L4_ERANGE: 0 or above 2^40; -L4_ENOMEM. */
L4_CV long l4re_managed_create(l4_cap_idx_t managed, l4re_ds_size_t size, l4_cap_idx_t map);
/* The map as a dataspace. */
L4_CV long l4re_managed_dataspace(l4_cap_idx_t map, l4re_ds_t ds);
