# libl4.mk - host tests of the user library's pure parts
host-y += test_libc test_heap test_arena
test_libc-y := test_libc.c
test_libc-cflags := -fno-builtin
test_heap-y := test_heap.c ../../libl4/src/heap.c
test_arena-y := test_arena.c ../../libl4/src/arena.c
