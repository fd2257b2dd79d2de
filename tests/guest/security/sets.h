/*
 * security/sets.h - the sets of tests in this folder
 */
#pragma once

#include "harness.h"

extern const struct test arguments_tests[], machine_tests[];
