# build.mk - the tests of capabilities and objects, with what all tests of the bare kernel share
sources := main.c slots.c revoke.c transfer.c factory.c objects.c \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness
