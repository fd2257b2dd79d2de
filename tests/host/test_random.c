/*
 * test_random.c - random sequences of operations on tasks, memory, capabilities and ports
 *
 *   test_random              sequences of the seeds 1, 2, ... (make check)
 *   test_random 10000000     so many operations (make test-long)
 *   test_random file         a sequence from a file, such as the fuzzer's
 */
#include "random_host.h"

#include "random/model.h"
#include "test.h"

enum { OPERATIONS = 300 };

static uint8_t bytes[OPERATIONS * 10 * MODEL_BYTES];

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(bytes, 1, sizeof(bytes), f) : 0;

    if (!f)
        return 1;
    fclose(f);
    random_run(bytes, n);
    printf("ok 1 - %s\n1..1\n", path);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t wanted = argc > 1 ? strtoul(argv[1], NULL, 10) : 300000, seed = 1;

    if (argc > 1 && !wanted)
        return run_file(argv[1]);
    for (; random_operations < wanted; seed++) {
        test_seed = seed;
        for (size_t i = 0; i < OPERATIONS * MODEL_BYTES; i++)
            bytes[i] = (uint8_t)(random_bits() >> 7);
        random_run(bytes, OPERATIONS * MODEL_BYTES);
    }
    printf("# %lu operations in %lu sequences; with effect:", random_operations, seed - 1);
    for (int i = 0; i < 10; i++)
        printf(" %lu", random_effects[i]);
    printf("\nok 1 - random sequences are as the model says\n1..1\n");
    return 0;
}
