/*
 * l4/re/c/parent.h - telling the one who started us
 */
#pragma once

#include <l4/sys/compiler.h>
#include <l4/sys/types.h>

/* sig: enum l4re_parent_signals. The answer's label, if there is an answer. */
L4_CV long l4re_parent_signal(l4_cap_idx_t parent, unsigned long sig, unsigned long val);
