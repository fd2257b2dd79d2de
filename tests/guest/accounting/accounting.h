/*
 * accounting/accounting.h - the sets of tests, one a file
 */
#pragma once

#include "harness.h"

extern const struct test history_tests[], rights_tests[];
extern l4_addr_t memory; /* 2 MiB, from sigma0 as one superpage */
