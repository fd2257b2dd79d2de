/*
 * l4/re/consts.h - constants of the runtime environment
 */
#pragma once

#include <l4/sys/consts.h>

#define L4RE_THIS_TASK_CAP L4_BASE_TASK_CAP
