/*
 * accounting/main.c - after any history the kernel's memory is what it was
 */
#include "accounting.h"

l4_addr_t memory;

int main(void)
{
    static const struct test *const sets[] = {history_tests, rights_tests};

    memory = memory_new(21);
    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
