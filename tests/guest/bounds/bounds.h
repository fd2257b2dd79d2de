/*
 * bounds/bounds.h - the sets of tests, one a file
 */
#pragma once

#include "crowd.h"
#include "harness.h"

extern const struct test chains_tests[], latency_tests[];
