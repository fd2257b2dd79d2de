/*
 * split/split.h - the tests of this folder
 */
#pragma once

#include "pool.h"

extern const struct test parts_tests[], meeting_tests[];

