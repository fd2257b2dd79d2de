/*
 * hostile/sets.h - the sets of tests
 */
#pragma once

#include "harness.h"

extern const struct test memory_tests[], calls_tests[], fuzz_tests[];
