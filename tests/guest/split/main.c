/*
 * split/main.c - memory taken back: a part of a superpage, and by several at once
 */
#include "split.h"

int main(void)
{
    static const struct test *const sets[] = {parts_tests, meeting_tests};

    pool_start();
    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
