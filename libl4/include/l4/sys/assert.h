/*
 * l4/sys/assert.h - L4Re's place for assert()
 */
#pragma once

#include <assert.h>

#define l4_assert(x) assert(x)
