/*
 * hostile/main.c - tasks that try everything: the kernel and the bystander do not mind
 */
#include "sets.h"

int main(void)
{
    static const struct test *const sets[] = {memory_tests, calls_tests, fuzz_tests};

    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
