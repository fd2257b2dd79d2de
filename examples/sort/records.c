/*
 * records.c - merge sort from bottom to top: runs of 1, 2, 4, ... records, between two buffers
 *
 * Every pass reads and writes all records once in sequence, which is what memory likes.
 */
#include "records.h"

#include <string.h>

static int before(const struct record *a, const struct record *b)
{
    return memcmp(a->bytes, b->bytes, RECORD_KEY_SIZE) < 0;
}

/* Merge two sorted runs that lie one after the other. */
static void merge(struct record *to, const struct record *a, size_t a_count, size_t b_count)
{
    const struct record *a_end = a + a_count, *b = a_end, *b_end = b + b_count;

    while (a < a_end && b < b_end)
        *to++ = before(b, a) ? *b++ : *a++;
    while (a < a_end)
        *to++ = *a++;
    while (b < b_end)
        *to++ = *b++;
}

struct record *records_sort(struct record *from, struct record *other, size_t count)
{
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t at = 0; at < count; at += 2 * run) {
            size_t left = count - at;
            size_t a = left < run ? left : run;
            size_t b = left - a < run ? left - a : run;
            merge(other + at, from + at, a, b);
        }
        struct record *result = other;
        other = from;
        from = result;
    }
    return from;
}
