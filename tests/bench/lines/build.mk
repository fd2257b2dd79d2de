# build.mk - marked operations, to be looked at by the plugin in tools/plugin
sources := main.c ../bench.c ../party.c
cflags := -Itests/bench -mgeneral-regs-only
