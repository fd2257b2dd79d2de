/*
 * random/tell.c - an operation of the model for a reader
 */
#include "model.h"

#include <stdio.h>

static const char *const kinds[] = {
#define X(name, text) text,
    MODEL_KINDS(X)
#undef X
};
static const char *const types[] = {"nothing", "gate", "irq", "semaphore", "thread", "factory",
                                    "task"};

void model_tell(unsigned long step, const struct model_op *o)
{
    printf("# %lu: task %u: %s%s%s", step, o->by, kinds[o->kind], o->grant ? ", grant" : "",
           o->send ? o->window ? ", sent to a small window" : ", sent" : "");
    if (o->kind == MODEL_CAP_NEW)
        printf(" %s in slot %u, factory in slot %u, limit %u\n", types[o->type], o->dst,
               o->factory, o->limit);
    else if (o->kind == MODEL_SQUEEZE)
        printf(" %u, room %d\n", o->to, o->room);
    else
        printf(" %u:%u -> %u:%u count %u order %u rights %u%s\n", o->from, o->src, o->to, o->dst,
               o->count, o->order, o->rights, o->self ? " self" : "");
}
