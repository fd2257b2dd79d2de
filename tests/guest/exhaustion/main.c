/*
 * exhaustion/main.c - kernel memory runs out, at each place where the kernel asks for some
 */
#include "walk.h"

l4_addr_t memory, other_memory;

int main(void)
{
    static const struct test *const sets[] = {objects_tests, memory_tests, messages_tests,
                                              quota_tests, io_tests};

    memory = memory_new(21);
    other_memory = memory_new(21);
    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
