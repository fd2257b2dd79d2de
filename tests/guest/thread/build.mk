# build.mk - the tests of threads under control, with what all tests of the bare kernel share
sources := main.c aliens.c trigger.c state.c fpu.c vectors.c ../fault/seen.c \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness -Itests/guest/fault
