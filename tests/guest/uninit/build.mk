# build.mk - the tests of what programs may see: nothing that is not theirs
sources := main.c memory.c calls.c \
    $(addprefix ../../harness/,crowd.c run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness
