/*
 * ipc_nofast/main.c - the same tests with the kernel's shortcuts off: the same results
 */
#include "sets.h"

int main(void)
{
    static const struct test *const sets[] = {words_tests, operations_tests, errors_tests,
                                              timeouts_tests, order_tests,
                                              standin_tests};

    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
