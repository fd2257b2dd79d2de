/*
 * l4/re/c/parent.h - what only the one who started us can do
 */
#pragma once

#include <abi/protocols.h>

#include <l4/sys/compiler.h>
#include <l4/sys/types.h>

/* sig: enum l4re_parent_signals. The answer's label, if there is an answer. */
L4_CV long l4re_parent_signal(l4_cap_idx_t parent, unsigned long sig, unsigned long val);

/*
 * Gates that outlive this manager, for one that the boot script restarts (docs/roottask.md). All
 * return 0 or -L4_E...; -L4_ENOSYS: this manager is not restarted, make ordinary gates.
 *
 * A new gate to this task's main thread, with `label` and three words of the manager's choice
 * that the parent keeps: `own` gets it to keep (to ask whether it lives, and to delete it),
 * `pass` to grant on. What is mapped, not granted, from either slot dies with this task. *number:
 * its name at the parent.
 */
L4_CV long l4re_parent_gate(l4_cap_idx_t own, l4_cap_idx_t pass, l4_umword_t label,
                            l4_umword_t const words[L4RE_PARENT_GATE_WORDS], l4_umword_t *number);
/* The first gate at or behind *number that lives, its words, and the gate itself in slot `own`.
 * Messages wait until it is bound. -L4_ENOENT: no more. A new instance starts with number 0. */
L4_CV long l4re_parent_gate_next(l4_umword_t *number, l4_umword_t words[L4RE_PARENT_GATE_WORDS],
                                 l4_cap_idx_t own);
/* Messages through the gate come to this task's main thread, with `label`. */
L4_CV long l4re_parent_gate_bind(l4_umword_t number, l4_umword_t label);
