/*
 * map/main.c - memory mappings: the window rule, items, overmapping, superpages, unmap, grant
 */
#include "pool.h"

int main(void)
{
    static const struct test *const sets[] = {rules_tests, items_tests, over_tests,
                                              superpages_tests, unmap_tests, grant_tests,
                                              quota_tests};

    pool_start();
    giant_start();
    return tests_run(sets, sizeof(sets) / sizeof(sets[0]));
}
