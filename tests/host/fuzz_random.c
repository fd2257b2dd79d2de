/*
 * fuzz_random.c - sequences of operations from libFuzzer (make fuzz-model)
 */
#include "random_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    random_run("libFuzzer", bytes, n);
    return 0;
}
