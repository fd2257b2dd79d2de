/*
 * l4/re/c/util/cap.h - giving up a capability without giving up its slot
 */
#pragma once

#include <l4/re/c/util/cap_alloc.h>
#include <l4/sys/task.h>

/* The capability and everything derived from it are gone; the object lives on elsewhere. */
L4_INLINE l4_msgtag_t l4re_util_cap_release(l4_cap_idx_t cap)
{
    return l4_task_release_cap(L4_BASE_TASK_CAP, cap);
}
