# build.mk - the tests of every allocation that fails
sources := main.c walk.c objects.c memory.c messages.c quota.c io.c ../ioports/ports.c \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness
