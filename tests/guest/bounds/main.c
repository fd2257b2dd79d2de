/*
 * bounds/main.c - what must be bounded, whatever programs do: stack and time
 */
#include "bounds.h"

l4_addr_t memory;

int main(void)
{
    static const struct test *const sets[] = {chains_tests, latency_tests};

    memory = memory_new(21);
    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
