/*
 * test_anon_demo.c - the demonstration's SHA-256 against the published vectors, and its sort
 * against the simplest one
 */
#include "../../examples/sort/records.h"
#include "../../examples/sort/sha256.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect(const char *text, const char *digest)
{
    char hex[2 * SHA256_SIZE + 1];

    sha256_hex(text, strlen(text), hex);
    assert(strcmp(hex, digest) == 0);
}

/* FIPS 180-4 examples, and the ones that cross the padding's edges */
static void sha256_gives_the_published_digests(void)
{
    expect("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
           "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    expect("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopq"
           "klmnopqrlmnopqrsmnopqrstnopqrstu",
           "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    char *million = malloc(1000001);
    memset(million, 'a', 1000000);
    million[1000000] = '\0';
    expect(million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static void pieces_give_the_digest_of_the_whole(void)
{
    unsigned char data[300], whole[SHA256_SIZE], parts[SHA256_SIZE];
    struct sha256 s;

    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = i * 7;
    for (unsigned n = 0; n <= sizeof(data); n++) {
        sha256_start(&s);
        sha256_add(&s, data, n);
        sha256_end(&s, whole);
        for (unsigned cut = 0; cut <= n; cut += 13) {
            sha256_start(&s);
            sha256_add(&s, data, cut);
            sha256_add(&s, data + cut, n - cut);
            sha256_end(&s, parts);
            assert(memcmp(whole, parts, sizeof(whole)) == 0);
        }
    }
}

/* Insertion sort: stable and obviously right. */
static void model_sort(struct record *r, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        struct record x = r[i];
        unsigned at = i;
        for (; at > 0 && memcmp(x.bytes, r[at - 1].bytes, RECORD_KEY_SIZE) < 0; at--)
            r[at] = r[at - 1];
        r[at] = x;
    }
}

static void records_are_sorted_by_key_and_equal_keys_keep_their_order(void)
{
    enum { MAX = 130 };
    static struct record a[MAX], b[MAX], model[MAX];

    srand(1);
    for (unsigned count = 0; count <= MAX; count++) {
        for (unsigned i = 0; i < count; i++) {
            memset(&a[i], 0, sizeof(a[i]));
            a[i].bytes[rand() % RECORD_KEY_SIZE] = rand() % 3 ? 0xff : 1;
            a[i].bytes[RECORD_SIZE - 1] = i;
        }
        memcpy(model, a, sizeof(a));
        model_sort(model, count);
        const struct record *sorted = records_sort(a, b, count);
        assert(memcmp(sorted, model, count * sizeof(*sorted)) == 0);
    }
}

int main(void)
{
    sha256_gives_the_published_digests();
    pieces_give_the_digest_of_the_whole();
    records_are_sorted_by_key_and_equal_keys_keep_their_order();
    puts("test_anon_demo: ok");
    return 0;
}
