# build.mk - hostile tasks that try everything; fuzz.h says how
sources := main.c world.c lane.c calls.c faults.c disturb.c \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness
