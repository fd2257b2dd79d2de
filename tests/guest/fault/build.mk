# build.mk - the tests of faults and exceptions, with what all tests of the bare kernel share
sources := main.c seen.c pages.c pagers.c registers.c exceptions.c handlers.c \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness
