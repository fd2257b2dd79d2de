# random.mk - random sequences of operations beside a model (tests/random/model.h)
random-host = random_host.c $(addprefix ../../tests/random/,model.c objects.c cost.c tell.c) \
    ../../kernel/mapdb_spec.c $(kernel-on-host)
random-cflags = $(kernel-on-host-cflags) -Itests -include tests/random/model.h

host-y += test_random
test_random-y = test_random.c $(random-host)
test_random-cflags = $(random-cflags)

# Not in host-y: it runs for as long as one likes (make fuzz-model FUZZFLAGS=-max_total_time=600).
fuzz_random-y = fuzz_random.c $(random-host)
fuzz_random-cflags = $(random-cflags) -fsanitize=fuzzer-no-link
fuzz_random-ldflags := -fsanitize=fuzzer
