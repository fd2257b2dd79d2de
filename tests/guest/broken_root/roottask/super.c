/*
 * broken_root/roottask/super.c - the supervisor, but a program's first message makes it fault
 */
#include "root.h"

static struct task *broken_task_from_label(l4_umword_t label)
{
    struct task *t = task_from_label(label);

    if (t && t->script->kind == SCRIPT_PROGRAM)
        *(volatile l4_umword_t *)8 = label;
    return t;
}
#define task_from_label broken_task_from_label

#include "../../../../roottask/super.c"
