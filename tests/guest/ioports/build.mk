# build.mk - the tests of I/O ports, with what all tests of the bare kernel share
sources := main.c ports.c faults.c rules.c tree.c \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness
