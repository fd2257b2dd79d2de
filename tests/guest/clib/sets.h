/*
 * sets.h - the tests of this folder
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* One result of one count for all files (tap.h). */
bool check(bool good, const char *sentence);
bool check_eq(long seen, long expected, const char *sentence);

void test_functions(int argc, char **argv);
void test_calls(void);
void test_memory(void);
void test_threads(void);
void test_ends(void);

/* Frames that anon has charged us for. */
long frames_used(void);
