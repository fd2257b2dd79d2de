# build.mk - items of docs/security.md, with what all tests of the bare kernel share
sources := main.c arguments.c machine.c \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness
