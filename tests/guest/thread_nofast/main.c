/*
 * thread_nofast/main.c - the same tests with the kernel's shortcuts off: the same results
 */
#include "sets.h"

int main(void)
{
    static const struct test *const sets[] = {aliens_tests, trigger_tests, state_tests,
                                              fpu_tests, vectors_tests};

    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
