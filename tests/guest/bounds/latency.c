/*
 * bounds/latency.c - how long may an interrupt wait?
 */
#include "bounds.h"

const struct test latency_tests[] = {{NULL, NULL}};
