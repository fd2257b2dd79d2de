/*
 * ipc/main.c - IPC: words, operations, errors, timeouts, order
 */
#include "sets.h"

int main(void)
{
    static const struct test *const sets[] = {words_tests, operations_tests, errors_tests,
                                              timeouts_tests, order_tests,
                                              standin_tests};

    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
