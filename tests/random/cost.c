/*
 * random/cost.c - what objects cost, from the kernel's own headers
 */
#include "factory.h"
#include "gate.h"
#include "irq.h"
#include "task.h"
#include "thread.h"

#include "random/model.h"

/* A task is its object, the root of its page tables and its first page of slots. */
const uint32_t model_cost[MODEL_TYPES] = {
    [MODEL_GATE] = sizeof(struct gate),       [MODEL_IRQ] = sizeof(struct irq),
    [MODEL_SEMAPHORE] = sizeof(struct irq),   [MODEL_THREAD] = sizeof(struct thread),
    [MODEL_FACTORY] = sizeof(struct factory), [MODEL_TASK] = sizeof(struct task) + 2 * KPAGE_SIZE,
};
const uint32_t model_capability_cost = sizeof(struct mapping);
