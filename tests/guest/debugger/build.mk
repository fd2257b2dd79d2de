# build.mk - the tests of the debugger's object, with what all tests of the bare kernel share
sources := main.c $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness
