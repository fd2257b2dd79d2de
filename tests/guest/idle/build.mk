# build.mk - the tests of an idle machine: what tests of the bare kernel share, without a bystander
sources := main.c $(addprefix ../../harness/,run.c child.c job.c probe.c)
cflags := -Itests/harness
