/*
 * random_host.h - sequences of operations performed by the kernel on the host (random/model.h)
 */
#pragma once

#include "random/model.h"

/* A fresh system; each operation, its result and what every task has then, compared with the
 * model; an empty system again, and nothing lost. Aborts with the sequence up to what is wrong, and
 * `origin`, how it can be had again. */
void random_run(const char *origin, const uint8_t *bytes, size_t n);
/* Operations performed, and those of each kind that did something, or failed as they should. */
extern uint64_t random_operations, random_effects[MODEL_KINDS_END], random_errors;
