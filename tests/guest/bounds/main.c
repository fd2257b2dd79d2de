/*
 * bounds/main.c - what must be bounded, whatever programs do: stack and time
 */
#include "bounds.h"

int main(void)
{
    static const struct test *const sets[] = {chains_tests, latency_tests};

    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
