/*
 * slow_pagers/main.c - a slow pager costs its own clients only; the fault handler of the whole map
 */
#include "slow.h"
#include "tap.h"

bool check(bool good, const char *sentence)
{
    return tap_ok(good, sentence);
}

bool check_eq(long seen, long expected, const char *sentence)
{
    return tap_eq(seen, expected, sentence);
}

int main(void)
{
    refusals_start();
    test_pagers();
    test_handler();
    test_foreign_handler();
    test_too_many();
    return tap_done();
}
