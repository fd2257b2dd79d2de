/*
 * thread/sets.h - the sets of tests of this program
 */
#pragma once

#include "harness.h"

extern const struct test aliens_tests[], trigger_tests[], state_tests[], fpu_tests[],
    vectors_tests[];
