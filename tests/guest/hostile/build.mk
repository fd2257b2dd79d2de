# build.mk - the tests with hostile tasks, with what all tests of the bare kernel share
sources := main.c memory.c calls.c fuzz.c \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness
