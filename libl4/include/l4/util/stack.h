/*
 * l4/util/stack.h - stacks for threads that a program makes itself, with a guard below
 *
 *     l4util_stack_alloc(16384, &top);
 *     l4util_create_thread(thread, utcb, factory, (l4_umword_t)function, top, ...);
 *
 * Nothing can be attached in the guard, so a stack that is too small ends in a clean fault, whose
 * report names the guard and the stack, and not in somebody else's memory. A function with
 * variables of more than the guard's size may still reach over it.
 */
#pragma once

#include <l4/sys/compiler.h>
#include <l4/sys/types.h>

enum { L4_STACK_GUARD = 65536 };

/*
 * A stack of `size` bytes (rounded up to pages), which come when they are touched; *top: first
 * address behind. 0; -L4_EINVAL: size 0; -L4_ENOMEM, -L4_EADDRNOTAVAIL: there is no such memory, or
 * no place; or what the allocator says.
 */
L4_CV long l4util_stack_alloc(unsigned long size, l4_addr_t *top);

/* All of a stack goes, the guard too. No thread may be on it. -L4_EINVAL: it is none. */
L4_CV long l4util_stack_free(l4_addr_t top, unsigned long size);
