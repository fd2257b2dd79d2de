# build.mk - the tests of what must be bounded, whatever programs do: stack and time
sources := main.c near.c chains.c latency.c ../../harness/crowd.c \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness
