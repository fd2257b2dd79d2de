/*
 * ioports/main.c - I/O ports: faults, flexpages, who holds what
 */
#include "ports.h"

int main(void)
{
    static const struct test *const sets[] = {faults_tests, rules_tests, tree_tests};

    return tests_run(sets, 3);
}
