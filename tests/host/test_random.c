/*
 * test_random.c - random sequences of operations on tasks, memory, objects, capabilities and ports
 *
 *   test_random              sequences 0, 1, ... of seed 1 (make check)
 *   test_random 10000000     so many operations (make test-long)
 *   test_random seed=1 17    sequence 17 of seed 1
 *   test_random file         a sequence from a file, such as the fuzzer's
 */
#include "random_host.h"

#include "test.h"

static uint8_t bytes[MODEL_OPERATIONS * 10 * MODEL_BYTES];

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(bytes, 1, sizeof(bytes), f) : 0;

    if (!f)
        return 1;
    fclose(f);
    random_run(path, bytes, n);
    printf("ok 1 - %s\n1..1\n", path);
    return 0;
}

static void run_seed(uint64_t seed, uint64_t number)
{
    char origin[64];

    snprintf(origin, sizeof(origin), "test_random seed=%lu %lu", seed, number);
    model_sequence(seed, number, bytes, MODEL_OPERATIONS * MODEL_BYTES);
    random_run(origin, bytes, MODEL_OPERATIONS * MODEL_BYTES);
}

int main(int argc, char **argv)
{
    uint64_t wanted = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000, number = 0;

    if (argc > 2 && strncmp(argv[1], "seed=", 5) == 0)
        run_seed(strtoul(argv[1] + 5, NULL, 10), strtoul(argv[2], NULL, 10));
    else if (argc > 1 && !wanted)
        return run_file(argv[1]);
    for (; random_operations < wanted; number++)
        run_seed(1, number);
    printf("# %lu operations in %lu sequences; %lu errors; with effect:", random_operations,
           number, random_errors);
    for (int i = 0; i < MODEL_KINDS_END; i++)
        printf(" %lu", random_effects[i]);
    printf("\nok 1 - random sequences are as the model says\n1..1\n");
    return 0;
}
