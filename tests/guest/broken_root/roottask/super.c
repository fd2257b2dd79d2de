/*
 * broken_root/roottask/super.c - the supervisor, but the first message makes it fault
 */
#include "root.h"

static struct task *broken_task_from_label(l4_umword_t label)
{
    *(volatile l4_umword_t *)8 = label;
    return task_from_label(label);
}
#define task_from_label broken_task_from_label

#include "../../../../roottask/super.c"
