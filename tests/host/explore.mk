# explore.mk - host tests that go through all states of a module (explore.h)
#
# The module with the compiler's hooks for stores, and with nothing else of the sanitizer.
explore-cflags := -O2 -fno-sanitize=undefined $(addprefix -mllvm -asan-,stack=0 globals=0 opt=0 \
    instrument-reads=0 instrumentation-with-call-threshold=0)
explore-ldflags := -fno-sanitize=all
explore-map = explore_map.c explore.c ../../kernel/mapdb_spec.c $(kernel-on-host)

host-y += test_map_states test_super_states
test_map_states-y = test_map_states.c $(explore-map)
test_map_states-cflags = $(kernel-on-host-cflags) $(explore-cflags)
test_map_states-ldflags := $(explore-ldflags)
test_super_states-y = test_super_states.c $(explore-map)
test_super_states-cflags = $(test_map_states-cflags) -DSPEC_SUPER=3 -DSPEC_PAGES=3
test_super_states-ldflags := $(explore-ldflags)

host-y += test_buddy_states
test_buddy_states-y := test_buddy_states.c explore.c ../../libl4/common/buddy.c \
    ../../libl4/common/buddy_spec.c
test_buddy_states-cflags := $(explore-cflags)
test_buddy_states-ldflags := $(explore-ldflags)
