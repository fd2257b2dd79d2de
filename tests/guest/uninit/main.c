/*
 * uninit/main.c - nobody sees a byte that somebody else has left
 */
#include "uninit.h"

int main(void)
{
    static const struct test *const sets[] = {memory_tests, calls_tests};

    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
