host-y += test_region
test_region-y := test_region.c ../../libl4/src/rm/region.c
test_region-cflags := -fsanitize-coverage=trace-pc
