/*
 * fault/main.c - page faults and exceptions: messages, answers, and those that nobody answers
 */
#include "seen.h"

int main(void)
{
    static const struct test *const sets[] = {pages_tests, pagers_tests, registers_tests,
                                              exceptions_tests, handlers_tests};

    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
