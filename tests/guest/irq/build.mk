# build.mk - the tests of interrupts, with what all tests of the bare kernel share
sources := main.c lines.c $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness
