/*
 * security/main.c - items of the list in docs/security.md that no other test is about
 */
#include "sets.h"

int main(void)
{
    static const struct test *const sets[] = {arguments_tests, machine_tests};

    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
