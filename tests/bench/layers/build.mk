# build.mk - the rows that need the whole system: region manager, dataspace manager
sources := main.c ../bench.c
cflags := -Itests/bench -mgeneral-regs-only
