# build.mk - the rows that need nothing but the kernel and sigma0
sources := main.c ipc.c fault.c map.c objects.c growth.c latency.c ../bench.c ../party.c
cflags := -Itests/bench -mgeneral-regs-only
