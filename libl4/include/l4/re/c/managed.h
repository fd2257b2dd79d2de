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

/*
 * An account for `maps` maps, 64 regions and 16 dataspaces of other managers for each: whoever has
 * its gate makes maps there, and has these whatever others do. It ends with the gate or with
 * `owner`, any object that goes when its user does (l4re_env()->rm), and so do its maps.
 * -L4_ENOMEM: so many are not free; -L4_ERANGE: 0.
 */
L4_CV long l4re_managed_account(l4_cap_idx_t managed, unsigned long maps, l4_cap_idx_t owner,
                                l4_cap_idx_t account);
/* A map of `size` bytes with nothing in it; `managed` is the manager's gate, or an account's.
 * -L4_ERANGE: 0 or above 2^40; -L4_ENOMEM. */
L4_CV long l4re_managed_create(l4_cap_idx_t managed, l4re_ds_size_t size, l4_cap_idx_t map);
/* The map as a dataspace. */
L4_CV long l4re_managed_dataspace(l4_cap_idx_t map, l4re_ds_t ds);
