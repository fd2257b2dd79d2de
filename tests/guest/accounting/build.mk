# build.mk - the tests of what kernel memory is charged for, over long histories
sources := main.c history.c rights.c \
    \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness
