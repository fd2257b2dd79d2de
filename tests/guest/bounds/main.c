/*
 * bounds/main.c - what must be bounded, whatever programs do: stack and time
 */
#include "bounds.h"

l4_addr_t memory, memory2;

int main(void)
{
    static const struct test *const sets[] = {near_tests, chains_tests, latency_tests};

    memory = memory_new(21);
    memory2 = memory_new(21);
    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
