# build.mk - the tests of IPC, with what all tests of the bare kernel share
sources := main.c words.c operations.c errors.c timeouts.c order.c standin.c \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness
