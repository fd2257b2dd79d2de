/*
 * sha256.h - SHA-256 as in FIPS 180-4
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_BLOCK = 64 };

struct sha256 {
    uint32_t state[8];
    uint64_t bytes; /* seen so far */
    uint8_t block[SHA256_BLOCK];
};

void sha256_start(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t bytes);
void sha256_end(struct sha256 *s, uint8_t digest[SHA256_SIZE]);

/* Digest as 64 hexadecimal digits and a zero. */
void sha256_hex(const void *data, size_t bytes, char hex[2 * SHA256_SIZE + 1]);
