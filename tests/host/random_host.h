/*
 * random_host.h - sequences of operations performed by the kernel on the host (random/model.h)
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A fresh system; each operation, its result and what every task has then, compared with the
 * model; an empty system again, and nothing lost. Aborts with the sequence up to what is wrong. */
void random_run(const uint8_t *bytes, size_t n);
/* Operations performed, and those of each kind that did something. */
extern uint64_t random_operations, random_effects[10];
