/*
 * thread/main.c - threads under control: aliens, triggered exceptions, segments and FPU, vectors
 */
#include "sets.h"

int main(void)
{
    static const struct test *const sets[] = {aliens_tests, trigger_tests, state_tests,
                                              fpu_tests, vectors_tests};

    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
