/*
 * records.h - a file of records, and how it is sorted
 *
 * A record is 64 bytes; its first 16 are the key, compared as bytes. Records with equal keys keep
 * their order. What remains behind the last whole record (size modulo 64 bytes) is no record: it
 * stays where it is. So the output has exactly the size of the input, and in Python:
 *
 *     n = len(data) // 64 * 64
 *     records = sorted((data[i:i+64] for i in range(0, n, 64)), key=lambda r: r[:16])
 *     output = b"".join(records) + data[n:]
 */
#pragma once

#include <stddef.h>

enum { RECORD_SIZE = 64, RECORD_KEY_SIZE = 16 };

struct record {
    unsigned char bytes[RECORD_SIZE];
};

/* Sort `count` records of `from`, with `other` (the same size) as second buffer. Returns the
 * buffer that holds the result. */
struct record *records_sort(struct record *from, struct record *other, size_t count);
