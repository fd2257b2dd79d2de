/*
 * tap.h - how a guest test tells its results: one line a sentence, in the Test Anything Protocol
 *
 *     tap_ok(page[0] == 0, "a fresh page is zero");
 *     tap_eq(l4_error(tag), -L4_ENODEV, "the factory refuses an unknown type");
 *     return tap_done();
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

static unsigned tap_count;
static unsigned tap_failed;

/* One result; returns whether it was good. */
static inline bool tap_ok(bool good, const char *sentence)
{
    printf("%sok %u - %s\n", good ? "" : "not ", ++tap_count, sentence);
    tap_failed += !good;
    return good;
}

/* Two words that must be equal; both are shown when they are not. */
static inline bool tap_eq(long seen, long expected, const char *sentence)
{
    if (seen != expected)
        printf("# seen %ld (0x%lx), expected %ld (0x%lx)\n", seen, seen, expected, expected);
    return tap_ok(seen == expected, sentence);
}

/* The plan, behind the results; returns what main() returns. */
static inline int tap_done(void)
{
    printf("1..%u\n", tap_count);
    return tap_failed ? 1 : 0;
}
