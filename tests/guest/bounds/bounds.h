/*
 * bounds/bounds.h - the sets of tests, one a file
 */
#pragma once

#include "crowd.h"
#include "harness.h"

/* 2 MiB each, from sigma0 as one superpage. */
extern l4_addr_t memory, memory2;

extern const struct test chains_tests[], latency_tests[], near_tests[];
