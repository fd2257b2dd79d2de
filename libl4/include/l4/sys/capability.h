/*
 * l4/sys/capability.h - capability indices (the helpers are in types.h), validity by task.h
 */
#pragma once

#include <l4/sys/task.h>
#include <l4/sys/types.h>
