# build.mk - an interrupt at every instruction of an operation, and somebody hostile behind it
sources := main.c shot.c world.c look.c firsts.c messages.c seconds.c \
    ../map/pool.c ../ioports/ports.c \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness -Itests/guest/map -Itests/guest/ioports
